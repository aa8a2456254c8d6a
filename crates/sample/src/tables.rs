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
pub(crate) use web::{LOGIN, WebEvent};

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
    /// Takes over a spell's rows before `cut`, the end of the spell or of the sample; what ends later has no end yet.
    pub(crate) fn absorb(&mut self, spell: Rows, cut: Time) {
        self.customers.extend(spell.customers);
        self.subscriptions.extend(spell.subscriptions.into_iter().filter(|row| row.started_at < cut));
        self.invoices.extend(spell.invoices.into_iter().filter(|row| row.issued_at < cut).map(|row| row.known_at(cut)));
        self.calls.extend(spell.calls.into_iter().filter(|row| row.started_at < cut));
        self.visits.extend(spell.visits.into_iter().filter(|row| row.started_at < cut));
        self.web_events.extend(spell.web_events.into_iter().filter(|row| row.occurred_at < cut));
        self.messages.extend(spell.messages.into_iter().filter(|row| row.sent_at < cut));
        self.tickets.extend(spell.tickets.into_iter().filter(|row| row.opened_at < cut).map(|row| row.known_at(cut)));
        self.surveys.extend(spell.surveys.into_iter().filter(|row| row.answered_at < cut));
        self.employee_feedback.extend(spell.employee_feedback);
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
