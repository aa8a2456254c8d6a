//! What customers and employees say: survey answers and feedback from the departments.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::{amounts, amounts_or_null, batch, ids, text, text_or_null, times};
use super::raw_row::{Defect, Ids, RawRow};
use crate::calendar::Time;

/// One answer of a customer.
#[derive(Debug, Clone)]
pub(crate) struct Survey {
    pub(crate) id: u64,
    pub(crate) customer: Option<u64>,
    pub(crate) kind: &'static str,
    pub(crate) journey: Option<&'static str>,
    /// The ticket a transaction survey asks about.
    pub(crate) ticket: Option<u64>,
    pub(crate) asked_at: Time,
    pub(crate) answered_at: Time,
    pub(crate) score: f64,
    pub(crate) scale_min: f64,
    pub(crate) scale_max: f64,
    pub(crate) expected_score: Option<f64>,
}

impl RawRow for Survey {
    const TABLE: &'static str = "surveys";
    const DEFECTS: &'static [Defect] = &[Defect::NoCustomer, Defect::ScoreOffScale, Defect::UnknownKind];

    fn time(&self) -> Time {
        self.answered_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, defect: Defect) {
        match defect {
            Defect::NoCustomer => self.customer = None,
            Defect::ScoreOffScale => self.score = self.scale_max + 3.0,
            _ => self.kind = "test",
        }
    }

    fn contradict(&mut self) {
        self.score = if self.score > self.scale_min { self.scale_min } else { self.scale_max };
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("survey_id", ids('Q', rows.iter().map(|row| Some(row.id)))),
            ("customer_id", ids('C', rows.iter().map(|row| row.customer))),
            ("kind", text(rows.iter().map(|row| row.kind))),
            ("journey", text_or_null(rows.iter().map(|row| row.journey))),
            ("touchpoint_source", text_or_null(rows.iter().map(|row| row.ticket.map(|_| "tickets")))),
            ("touchpoint_ref", ids('K', rows.iter().map(|row| row.ticket))),
            ("asked_at", times(rows.iter().map(|row| row.asked_at))),
            ("answered_at", times(rows.iter().map(|row| row.answered_at))),
            ("score", amounts(rows.iter().map(|row| row.score))),
            ("scale_min", amounts(rows.iter().map(|row| row.scale_min))),
            ("scale_max", amounts(rows.iter().map(|row| row.scale_max))),
            ("expected_score", amounts_or_null(rows.iter().map(|row| row.expected_score))),
        ])
    }
}

/// What a department says about a journey.
#[derive(Debug, Clone)]
pub(crate) struct Feedback {
    pub(crate) id: u64,
    pub(crate) department: &'static str,
    pub(crate) journey: &'static str,
    pub(crate) submitted_at: Time,
    pub(crate) score: f64,
    pub(crate) theme: &'static str,
}

/// Feedback is given on 1 to 5.
const FEEDBACK_SCALE: (f64, f64) = (1.0, 5.0);

impl RawRow for Feedback {
    const TABLE: &'static str = "employee_feedback";
    const EVENTS: bool = false;
    const DEFECTS: &'static [Defect] = &[Defect::ScoreOffScale];

    fn time(&self) -> Time {
        self.submitted_at
    }

    fn renumber(&mut self, ids: &mut Ids) {
        self.id = ids.next();
    }

    fn spoil(&mut self, _defect: Defect) {
        self.score = 9.0;
    }

    fn contradict(&mut self) {
        self.theme = if self.theme == "other" { "tools" } else { "other" };
    }

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        batch([
            ("feedback_id", ids('F', rows.iter().map(|row| Some(row.id)))),
            ("department", text(rows.iter().map(|row| row.department))),
            ("journey", text(rows.iter().map(|row| row.journey))),
            ("submitted_at", times(rows.iter().map(|row| row.submitted_at))),
            ("score", amounts(rows.iter().map(|row| row.score))),
            ("scale_min", amounts(rows.iter().map(|_| FEEDBACK_SCALE.0))),
            ("scale_max", amounts(rows.iter().map(|_| FEEDBACK_SCALE.1))),
            ("theme", text(rows.iter().map(|row| row.theme))),
        ])
    }
}
