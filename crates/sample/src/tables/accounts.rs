//! What the customer register and billing hold: customers, subscriptions, invoices.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::{amounts, batch, ids, ratings, text, text_or_null, times, times_or_null};
use super::raw_row::{Defect, Ids, RawRow};
use crate::calendar::{DAY, Time};

/// One membership spell, or the part of it from `valid_from` on.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) customer: Option<u64>,
    pub(crate) joined_at: Time,
    /// When the customer gave notice; the membership goes on until `churned_at`.
    pub(crate) notice_at: Option<Time>,
    pub(crate) churned_at: Option<Time>,
    pub(crate) churn_reason: Option<&'static str>,
    pub(crate) lost_at: Option<Time>,
    pub(crate) lost_reason: Option<&'static str>,
    /// From when on segment and region hold: `joined_at`, or the day on which the segment changed.
    pub(crate) valid_from: Time,
    pub(crate) segment: Option<&'static str>,
    pub(crate) region: &'static str,
    pub(crate) acquisition_channel: &'static str,
    pub(crate) birth_year: Option<i32>,
}

impl RawRow for Customer {
    const TABLE: &'static str = "customers";
    const EVENTS: bool = false;
    const DEFECTS: &'static [Defect] = &[Defect::NoCustomer, Defect::EndsBeforeStart];

    fn time(&self) -> Time {
        self.valid_from
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.customer = Some(ids.stranger());
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            _ => self.churned_at = Some(self.joined_at - DAY),
        }
    }

    fn contradict(&mut self) {
        self.region = if self.region == "north" { "south" } else { "north" };
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("joined_at", times(rows.iter().map(|row| row.joined_at))),
            ("notice_at", times_or_null(rows.iter().map(|row| row.notice_at))),
            ("churned_at", times_or_null(rows.iter().map(|row| row.churned_at))),
            ("churn_reason", text_or_null(rows.iter().map(|row| row.churn_reason))),
            ("lost_at", times_or_null(rows.iter().map(|row| row.lost_at))),
            ("lost_reason", text_or_null(rows.iter().map(|row| row.lost_reason))),
            ("valid_from", times(rows.iter().map(|row| row.valid_from))),
            ("segment", text_or_null(rows.iter().map(|row| row.segment))),
            ("region", text(rows.iter().map(|row| row.region))),
            ("acquisition_channel", text(rows.iter().map(|row| row.acquisition_channel))),
            ("birth_year", ratings(rows.iter().map(|row| row.birth_year))),
        ])
    }
}

/// A product a spell holds.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: u64,
    pub(crate) customer: Option<u64>,
    pub(crate) product: &'static str,
    pub(crate) plan: &'static str,
    pub(crate) monthly_price: f64,
    pub(crate) started_at: Time,
    pub(crate) ended_at: Option<Time>,
}

impl RawRow for Subscription {
    const TABLE: &'static str = "subscriptions";
    const EVENTS: bool = false;
    const DEFECTS: &'static [Defect] = &[Defect::NoCustomer, Defect::EndsBeforeStart];

    fn time(&self) -> Time {
        self.started_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            _ => self.ended_at = Some(self.started_at - DAY),
        }
    }

    fn contradict(&mut self) {
        self.monthly_price += 10.0;
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("subscription_id", ids('S', rows.iter().map(|row| Some(row.id)))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("product", text(rows.iter().map(|row| row.product))),
            ("plan", text(rows.iter().map(|row| row.plan))),
            ("monthly_price", amounts(rows.iter().map(|row| row.monthly_price))),
            ("started_at", times(rows.iter().map(|row| row.started_at))),
            ("ended_at", times_or_null(rows.iter().map(|row| row.ended_at))),
        ])
    }
}

/// A bill; the payment is a later event on the same row.
#[derive(Debug, Clone)]
pub(crate) struct Invoice {
    pub(crate) id: u64,
    pub(crate) customer: Option<u64>,
    pub(crate) issued_at: Time,
    pub(crate) paid_at: Option<Time>,
    pub(crate) amount: f64,
    pub(crate) currency: &'static str,
}

impl Invoice {
    pub(super) fn known_at(mut self, cut: Time) -> Self {
        self.paid_at = self.paid_at.filter(|at| *at < cut);
        self
    }
}

impl RawRow for Invoice {
    const TABLE: &'static str = "invoices";
    const DEFECTS: &'static [Defect] = &[Defect::NoCustomer, Defect::NegativeAmount, Defect::OtherCurrency];

    fn time(&self) -> Time {
        self.issued_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            Defect::NegativeAmount => self.amount = -self.amount,
            _ => self.currency = "USD",
        }
    }

    fn contradict(&mut self) {
        self.amount += 1.0;
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("invoice_id", ids('I', rows.iter().map(|row| Some(row.id)))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("issued_at", times(rows.iter().map(|row| row.issued_at))),
            ("paid_at", times_or_null(rows.iter().map(|row| row.paid_at))),
            ("amount", amounts(rows.iter().map(|row| row.amount))),
            ("currency", text(rows.iter().map(|row| row.currency))),
        ])
    }
}
