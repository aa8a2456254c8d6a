//! What the call centre, field service, messaging and the ticket desk hold.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::{amounts, batch, booleans, ids, numbers, ratings, text, text_or_null, times, times_or_null};
use super::raw_row::{Defect, IN_1970, IN_2199, Ids, RawRow};
use crate::calendar::{DAY, HOUR, MINUTE, Time};

/// A phone call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) customer: Option<u64>,
    pub(crate) started_at: Time,
    pub(crate) ended_at: Time,
    pub(crate) queue: &'static str,
    pub(crate) disposition: &'static str,
    pub(crate) topic: Option<&'static str>,
    pub(crate) resolved: bool,
    pub(crate) rating: Option<i32>,
    pub(crate) agent: u64,
    pub(crate) handling_cost: f64,
}

impl RawRow for Call {
    const TABLE: &'static str = "calls";
    const DEFECTS: &'static [Defect] =
        &[Defect::NoCustomer, Defect::RatingNine, Defect::Year1970, Defect::Year2199, Defect::EndsBeforeStart];

    fn time(&self) -> Time {
        self.started_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            Defect::RatingNine => self.rating = Some(9),
            Defect::Year1970 => (self.started_at, self.ended_at) = (IN_1970, IN_1970 + 5 * MINUTE),
            Defect::Year2199 => (self.started_at, self.ended_at) = (IN_2199, IN_2199 + 5 * MINUTE),
            _ => self.ended_at = self.started_at - 5 * MINUTE,
        }
    }

    fn contradict(&mut self) {
        self.resolved = !self.resolved;
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("call_id", numbers(rows.iter().map(|row| row.id))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("started_at", times(rows.iter().map(|row| row.started_at))),
            ("ended_at", times(rows.iter().map(|row| row.ended_at))),
            ("queue", text(rows.iter().map(|row| row.queue))),
            ("disposition", text(rows.iter().map(|row| row.disposition))),
            ("topic", text_or_null(rows.iter().map(|row| row.topic))),
            ("resolved", booleans(rows.iter().map(|row| row.resolved))),
            ("rating", ratings(rows.iter().map(|row| row.rating))),
            ("agent_id", ids('A', rows.iter().map(|row| Some(row.agent)))),
            ("handling_cost", amounts(rows.iter().map(|row| row.handling_cost))),
        ])
    }
}

/// A technician's visit.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) id: u64,
    pub(crate) customer: Option<u64>,
    pub(crate) scheduled_at: Time,
    pub(crate) started_at: Time,
    pub(crate) finished_at: Time,
    pub(crate) visit_type: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) technician: u64,
    pub(crate) rating: Option<i32>,
    pub(crate) cost: f64,
}

impl RawRow for Visit {
    const TABLE: &'static str = "visits";
    const DEFECTS: &'static [Defect] = &[Defect::NoCustomer, Defect::RatingNine, Defect::EndsBeforeStart];

    fn time(&self) -> Time {
        self.started_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            Defect::RatingNine => self.rating = Some(9),
            _ => self.finished_at = self.started_at - HOUR,
        }
    }

    fn contradict(&mut self) {
        self.cost += 5.0;
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("visit_id", ids('V', rows.iter().map(|row| Some(row.id)))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("scheduled_at", times(rows.iter().map(|row| row.scheduled_at))),
            ("started_at", times(rows.iter().map(|row| row.started_at))),
            ("finished_at", times(rows.iter().map(|row| row.finished_at))),
            ("visit_type", text(rows.iter().map(|row| row.visit_type))),
            ("outcome", text(rows.iter().map(|row| row.outcome))),
            ("technician_id", ids('T', rows.iter().map(|row| Some(row.technician)))),
            ("rating", ratings(rows.iter().map(|row| row.rating))),
            ("cost", amounts(rows.iter().map(|row| row.cost))),
        ])
    }
}

/// An e-mail, a letter or a chat, in or out.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) customer: Option<u64>,
    pub(crate) sent_at: Time,
    pub(crate) medium: &'static str,
    pub(crate) direction: &'static str,
    pub(crate) template: &'static str,
    pub(crate) topic: Option<&'static str>,
    pub(crate) department: &'static str,
    pub(crate) rating: Option<i32>,
}

impl RawRow for Message {
    const TABLE: &'static str = "messages";
    const DEFECTS: &'static [Defect] = &[Defect::NoCustomer, Defect::RatingNine, Defect::Year1970];

    fn time(&self) -> Time {
        self.sent_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            Defect::RatingNine => self.rating = Some(9),
            _ => self.sent_at = IN_1970,
        }
    }

    fn contradict(&mut self) {
        self.direction = if self.direction == "in" { "out" } else { "in" };
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("message_id", ids('M', rows.iter().map(|row| Some(row.id)))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("sent_at", times(rows.iter().map(|row| row.sent_at))),
            ("medium", text(rows.iter().map(|row| row.medium))),
            ("direction", text(rows.iter().map(|row| row.direction))),
            ("template", text(rows.iter().map(|row| row.template))),
            ("topic", text_or_null(rows.iter().map(|row| row.topic))),
            ("department", text(rows.iter().map(|row| row.department))),
            ("rating", ratings(rows.iter().map(|row| row.rating))),
        ])
    }
}

/// A case of the back office; its closing is a later event on the same row.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) id: u64,
    pub(crate) customer: Option<u64>,
    pub(crate) opened_at: Time,
    pub(crate) closed_at: Option<Time>,
    pub(crate) reopened_at: Option<Time>,
    pub(crate) category: &'static str,
    pub(crate) department: &'static str,
    pub(crate) opened_event: &'static str,
    pub(crate) closed_event: Option<&'static str>,
    pub(crate) priority: &'static str,
}

impl Ticket {
    pub(super) fn known_at(mut self, cut: Time) -> Self {
        self.reopened_at = self.reopened_at.filter(|at| *at < cut);
        self.closed_at = self.closed_at.filter(|at| *at < cut);
        self.closed_event = self.closed_event.filter(|_| self.closed_at.is_some());
        self
    }
}

impl RawRow for Ticket {
    const TABLE: &'static str = "tickets";
    const DEFECTS: &'static [Defect] = &[Defect::NoCustomer, Defect::EndsBeforeStart];

    fn time(&self) -> Time {
        self.opened_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            _ => self.closed_at = Some(self.opened_at - DAY),
        }
    }

    fn contradict(&mut self) {
        self.priority = if self.priority == "high" { "low" } else { "high" };
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("ticket_id", ids('K', rows.iter().map(|row| Some(row.id)))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("opened_at", times(rows.iter().map(|row| row.opened_at))),
            ("closed_at", times_or_null(rows.iter().map(|row| row.closed_at))),
            ("reopened_at", times_or_null(rows.iter().map(|row| row.reopened_at))),
            ("category", text(rows.iter().map(|row| row.category))),
            ("department", text(rows.iter().map(|row| row.department))),
            ("opened_event", text(rows.iter().map(|row| row.opened_event))),
            ("closed_event", text_or_null(rows.iter().map(|row| row.closed_event))),
            ("priority", text(rows.iter().map(|row| row.priority))),
        ])
    }
}
