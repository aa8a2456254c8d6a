//! The raw tables: one row type each, its ids, its Arrow columns, and how a row of it can be broken.

mod accounts;
mod columns;
mod contacts;
mod opinions;
mod raw_row;
mod web;

pub(crate) use accounts::{Customer, Invoice, Subscription};
pub(crate) use contacts::{Call, Message, Ticket, Visit};
pub(crate) use opinions::{Feedback, Survey};
pub(crate) use raw_row::{Ids, RawRow};
pub(crate) use web::{LOGIN, LOOKBACK, WebEvent};

use crate::calendar::Time;

/// Rows of every table: of one spell while it is simulated, of a block when it is written.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) customers: Vec<Customer>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) invoices: Vec<Invoice>,
    pub(crate) calls: Vec<Call>,
    pub(crate) visits: Vec<Visit>,
    pub(crate) web_events: Vec<WebEvent>,
    pub(crate) messages: Vec<Message>,
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) surveys: Vec<Survey>,
    pub(crate) employee_feedback: Vec<Feedback>,
}

impl Rows {
    /// Takes over what a spell left behind before `lived_until`, and its bills before `billed_until`; what ends later
    /// has no end yet.
    pub(crate) fn absorb(&mut self, spell: Rows, lived_until: Time, billed_until: Time) {
        let (lived, billed) = (|at: Time| at < lived_until, |at: Time| at < billed_until);
        self.customers.extend(spell.customers);
        self.subscriptions.extend(spell.subscriptions.into_iter().filter(|row| lived(row.started_at)));
        let invoices = spell.invoices.into_iter().filter(|row| billed(row.issued_at));
        self.invoices.extend(invoices.map(|row| row.known_at(billed_until)));
        self.calls.extend(spell.calls.into_iter().filter(|row| lived(row.started_at)));
        self.visits.extend(spell.visits.into_iter().filter(|row| lived(row.started_at)));
        self.web_events.extend(spell.web_events.into_iter().filter(|row| lived(row.occurred_at)));
        self.messages.extend(spell.messages.into_iter().filter(|row| lived(row.sent_at)));
        let tickets = spell.tickets.into_iter().filter(|row| lived(row.opened_at));
        self.tickets.extend(tickets.map(|row| row.known_at(lived_until)));
        self.surveys.extend(spell.surveys.into_iter().filter(|row| lived(row.answered_at)));
        self.employee_feedback.extend(spell.employee_feedback);
    }

    /// Whether it becomes known, before `until`, who was behind a web visitor at `at`; everybody else is known at once.
    pub(crate) fn know(&self, visitor: Option<u64>, at: Time, until: Time) -> bool {
        let logins = || self.web_events.iter().filter(|event| event.customer.is_some() && event.occurred_at < until);
        let claims = |event: &WebEvent| event.occurred_at >= at && event.occurred_at <= at + LOOKBACK;
        visitor.is_none_or(|visitor| logins().any(|event| event.visitor == Some(visitor) && claims(event)))
    }

    /// Touchpoints of all tables but the web's, where the visitor decides.
    pub(crate) fn touchpoints(&self) -> u64 {
        let closed = self.tickets.iter().filter(|row| row.closed_at.is_some()).count();
        let reopened = self.tickets.iter().filter(|row| row.reopened_at.is_some()).count();
        let paid = self.invoices.iter().filter(|row| row.paid_at.is_some()).count();
        let opened = self.calls.len() + self.visits.len() + self.messages.len();
        (opened + self.tickets.len() + closed + reopened + self.invoices.len() + paid) as u64
    }
}
