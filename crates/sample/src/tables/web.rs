//! What the web site and the app hold: visitors, and customers only where they log in.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::{batch, ids, numbers, text, text_or_null, times, visitors};
use super::raw_row::{Defect, IN_1970, IN_2199, Ids, RawRow};
use crate::calendar::{DAY, Time};

/// The action that ties a visitor to a customer.
pub(crate) const LOGIN: &str = "login";
/// So far back a login claims its visitor's events.
pub(crate) const LOOKBACK: Time = 30 * DAY;

/// One action of a visitor.
#[derive(Debug, Clone)]
pub(crate) struct WebEvent {
    pub(crate) id: u64,
    pub(crate) visitor: Option<u64>,
    /// Known on a login only.
    pub(crate) customer: Option<u64>,
    pub(crate) occurred_at: Time,
    pub(crate) action: &'static str,
    pub(crate) topic: Option<&'static str>,
    pub(crate) device: &'static str,
    pub(crate) session: u64,
}

impl RawRow for WebEvent {
    const TABLE: &'static str = "web_events";
    const DEFECTS: &'static [Defect] =
        &[Defect::NoVisitor, Defect::LoginWithoutCustomer, Defect::Year1970, Defect::Year2199];

    fn time(&self) -> Time {
        self.occurred_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoVisitor => self.visitor = None,
            Defect::LoginWithoutCustomer => (self.action, self.customer) = (LOGIN, None),
            Defect::Year1970 => self.occurred_at = IN_1970,
            _ => self.occurred_at = IN_2199,
        }
    }

    fn contradict(&mut self) {
        self.topic = if self.topic == Some("offers") { Some("programme") } else { Some("offers") };
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("event_id", numbers(rows.iter().map(|row| row.id))),
            ("visitor_id", visitors(rows.iter().map(|row| row.visitor))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("occurred_at", times(rows.iter().map(|row| row.occurred_at))),
            ("action", text(rows.iter().map(|row| row.action))),
            ("topic", text_or_null(rows.iter().map(|row| row.topic))),
            ("device", text(rows.iter().map(|row| row.device))),
            ("session_id", ids('W', rows.iter().map(|row| Some(row.session)))),
        ])
    }
}
