//! Web events under the identity rule of SEMANTICS 1: a visitor's event goes to the customer of its first login at or
//! after it, at most 30 days later.

use serde::{Deserialize, Serialize};

use crate::calendar::Time;
use crate::tables::{LOOKBACK, WebEvent};

/// Who is behind the web events, counted over the rows that keep the contract.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WebTruth {
    /// Events, logins included.
    pub events: u64,
    /// Events with a login of their visitor within 30 days.
    pub linked: u64,
    /// The others: they stay out of journeys.
    pub unknown: u64,
    /// Visitors seen.
    pub visitors: u64,
    /// Visitors that never log in.
    pub visitors_without_login: u64,
    /// Login events.
    pub logins: u64,
}

impl WebTruth {
    pub(crate) fn add(&mut self, other: &WebTruth) {
        self.events += other.events;
        self.linked += other.linked;
        self.unknown += other.unknown;
        self.visitors += other.visitors;
        self.visitors_without_login += other.visitors_without_login;
        self.logins += other.logins;
    }

    /// Counts a block's events; a visitor belongs to one block.
    pub(crate) fn of(events: &[WebEvent]) -> Self {
        let mut seen: Vec<(u64, Time, bool)> = events
            .iter()
            .filter_map(|event| Some((event.visitor?, event.occurred_at, event.customer.is_some())))
            .collect();
        seen.sort_unstable();
        let mut truth = WebTruth { events: seen.len() as u64, ..WebTruth::default() };
        for visitor in seen.chunk_by(|left, right| left.0 == right.0) {
            truth.visitors += 1;
            let mut login = None;
            for (_, at, is_login) in visitor.iter().rev() {
                if *is_login {
                    login = Some(*at);
                    truth.logins += 1;
                }
                match login {
                    Some(login) if login - at <= LOOKBACK => truth.linked += 1,
                    _ => truth.unknown += 1,
                }
            }
            truth.visitors_without_login += u64::from(login.is_none());
        }
        truth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::DAY;

    fn event(visitor: u64, day: i64, customer: Option<u64>) -> WebEvent {
        WebEvent {
            id: 0,
            visitor: Some(visitor),
            customer,
            occurred_at: day * DAY,
            action: "page_viewed",
            topic: None,
            device: "web",
            session: 0,
        }
    }

    #[test]
    fn a_login_claims_thirty_days_back_and_nothing_after_it() {
        let events =
            [event(1, 9, None), event(1, 10, None), event(1, 40, Some(5)), event(1, 41, None), event(2, 40, None)];
        let expected = WebTruth { events: 5, linked: 2, unknown: 3, visitors: 2, visitors_without_login: 1, logins: 1 };
        assert_eq!(WebTruth::of(&events), expected);
    }
}
