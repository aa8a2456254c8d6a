//! The pen that writes a spell's rows, and remembers which of them are members of the journey being written.

use crate::calendar::{DAY, HOUR, MINUTE, SECOND, Time};
use crate::catalogue::Journey;
use crate::dice::{Dice, daytime};
use crate::person::Person;
use crate::tables::{Call, Ids, LOGIN, Message, Rows, Survey, Ticket, Visit, WebEvent};

/// An instance as the matcher will find it, up to the spell's end.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) journey: Journey,
    /// Times of its members, the first of which starts it.
    pub(crate) members: Vec<Time>,
    pub(crate) multichannel: bool,
    /// Experience level, best 0 to worst 4.
    pub(crate) level: usize,
    /// The web visitor who started it without a login: nobody knows whose it is before the visitor's next login.
    pub(crate) anonymous: Option<u64>,
}

impl Instance {
    pub(crate) fn started_at(&self) -> Time {
        self.members.first().copied().unwrap_or(Time::MAX)
    }

    pub(crate) fn last_at(&self) -> Time {
        self.members.iter().copied().max().unwrap_or(Time::MIN)
    }
}

/// Writes rows of one customer. Times given are planned on the full day; the rows get the squeezed instants.
pub(crate) struct Script<'a> {
    pub(crate) dice: &'a mut Dice,
    pub(crate) ids: &'a mut Ids,
    pub(crate) rows: &'a mut Rows,
    pub(crate) person: &'a Person,
    /// Experience level of the journey being written; 2 is ordinary.
    pub(crate) level: usize,
    /// Nothing is written from here on: the customer gave up or the sample ends.
    pub(crate) until: Time,
    /// When the larger plan that was just asked for came into use.
    pub(crate) upgraded_at: Option<Time>,
    members: Vec<Time>,
    channels: Vec<&'static str>,
    /// The visitor of the first member, when there was no login.
    anonymous: Option<u64>,
}

impl<'a> Script<'a> {
    pub(crate) fn new(dice: &'a mut Dice, ids: &'a mut Ids, rows: &'a mut Rows, person: &'a Person) -> Self {
        Script {
            dice,
            ids,
            rows,
            person,
            level: 2,
            until: Time::MAX,
            upgraded_at: None,
            members: Vec::new(),
            channels: Vec::new(),
            anonymous: None,
        }
    }

    /// Closes the instance being written; `None` when nothing of it was.
    pub(crate) fn close(&mut self, journey: Journey) -> Option<Instance> {
        let mut members = std::mem::take(&mut self.members);
        let channels = std::mem::take(&mut self.channels);
        let anonymous = self.anonymous.take();
        members.sort_unstable();
        let multichannel = channels.windows(2).any(|pair| pair[0] != pair[1]);
        (!members.is_empty()).then_some(Instance { journey, members, multichannel, level: self.level, anonymous })
    }

    /// Makes what was written so far no member of anything: everyday contact.
    pub(crate) fn forget_members(&mut self) {
        self.members.clear();
        self.channels.clear();
        self.anonymous = None;
    }

    fn member(&mut self, time: Time, channel: &'static str) {
        self.members.push(time);
        self.channels.push(channel);
    }

    /// Four or five of five in about 95 of 100 answers, hardly worse on a bad journey: the planted blind spot.
    fn rating(&mut self, response: f64) -> Option<i32> {
        if !self.dice.chance(response) {
            return None;
        }
        let satisfied = 0.95 - 0.006 * (self.level as f64 - 2.0);
        Some(if self.dice.chance(satisfied) {
            4 + i32::from(self.dice.chance(0.6))
        } else {
            self.dice.between(1, 3) as i32
        })
    }

    fn resolved(&mut self) -> bool {
        self.dice.chance(0.86 - 0.07 * (self.level as f64 - 2.0))
    }

    /// A phone call.
    pub(crate) fn call(&mut self, at: Time, queue: &'static str, event: &'static str, topic: Option<&'static str>) {
        if at >= self.until {
            return;
        }
        let started_at = daytime(at);
        let seconds = self.dice.between(90, 1_500);
        let row = Call {
            id: self.ids.next(),
            customer: Some(self.person.number),
            started_at,
            ended_at: started_at + seconds * SECOND,
            queue,
            disposition: event,
            topic,
            resolved: self.resolved(),
            rating: self.rating(0.30),
            agent: self.dice.between(1, 400) as u64,
            handling_cost: cents(1.2 + seconds as f64 * 0.009),
        };
        self.rows.calls.push(row);
        self.member(started_at, "phone");
    }

    /// A technician's visit.
    pub(crate) fn visit(&mut self, at: Time, visit_type: &'static str, outcome: &'static str) {
        if at >= self.until {
            return;
        }
        let started_at = daytime(at);
        let minutes = self.dice.between(20, 140);
        let row = Visit {
            id: self.ids.next(),
            customer: Some(self.person.number),
            scheduled_at: started_at - self.dice.between(-40, 60) * MINUTE,
            started_at,
            finished_at: started_at + minutes * MINUTE,
            visit_type,
            outcome,
            technician: self.dice.between(1, 120) as u64,
            rating: self.rating(0.60),
            cost: cents(28.0 + minutes as f64 * 0.6),
        };
        self.rows.visits.push(row);
        self.member(started_at, "field");
    }

    /// An e-mail, a letter or a chat.
    pub(crate) fn message(
        &mut self,
        at: Time,
        medium: &'static str,
        event: &'static str,
        topic: Option<&'static str>,
        department: &'static str,
    ) {
        if at >= self.until {
            return;
        }
        let sent_at = daytime(at);
        // Only a conversation asks for stars.
        let response = if medium == "chat" { 0.40 } else { 0.0 };
        let row = Message {
            id: self.ids.next(),
            customer: Some(self.person.number),
            sent_at,
            medium,
            direction: if medium == "chat" { "in" } else { "out" },
            template: event,
            topic,
            department,
            rating: self.rating(response),
        };
        self.rows.messages.push(row);
        self.member(sent_at, medium);
    }

    /// A visit to the web site or the app, seconds to minutes between its actions; a login, where there is one, comes
    /// last and is no member.
    pub(crate) fn session(
        &mut self,
        at: Time,
        device: &'static str,
        actions: &[(&'static str, &'static str)],
        login: bool,
    ) {
        if at >= self.until {
            return;
        }
        let started_at = daytime(at);
        let visitor = self.person.visitor(device, started_at);
        let session = self.ids.next();
        if self.members.is_empty() && !login {
            self.anonymous = Some(visitor);
        }
        let mut occurred_at = started_at;
        for (action, topic) in actions {
            let row = WebEvent {
                id: self.ids.next(),
                visitor: Some(visitor),
                customer: None,
                occurred_at,
                action,
                topic: Some(topic),
                device,
                session,
            };
            self.rows.web_events.push(row);
            self.member(occurred_at, device);
            occurred_at += self.dice.between(15 * SECOND, 4 * MINUTE);
        }
        if login {
            let row = WebEvent {
                id: self.ids.next(),
                visitor: Some(visitor),
                customer: Some(self.person.number),
                occurred_at,
                action: LOGIN,
                topic: Some("account"),
                device,
                session,
            };
            self.rows.web_events.push(row);
        }
    }

    /// A case of the back office, about which the customer gets an e-mail when it opens and when it closes.
    pub(crate) fn ticket(
        &mut self,
        at: Time,
        closed_at: Option<Time>,
        category: &'static str,
        department: &'static str,
        events: (&'static str, &'static str),
    ) {
        if at >= self.until {
            return;
        }
        let opened_at = daytime(at);
        let closed_at = closed_at.filter(|at| *at < self.until).map(daytime);
        let reopened_at = closed_at.filter(|_| self.level >= 3 && self.dice.chance(0.3)).map(|at| at + 20 * HOUR);
        let row = Ticket {
            id: self.ids.next(),
            customer: Some(self.person.number),
            opened_at,
            closed_at,
            reopened_at,
            category,
            department,
            opened_event: events.0,
            closed_event: closed_at.map(|_| events.1),
            priority: self.dice.pick(&["low", "normal", "normal", "high"]),
        };
        let id = row.id;
        self.rows.tickets.push(row);
        self.member(opened_at, "email");
        if let Some(closed_at) = closed_at {
            self.member(closed_at, "email");
            if let Some(rating) = self.rating(0.35) {
                self.ticket_survey(id, closed_at, rating);
            }
        }
    }

    fn ticket_survey(&mut self, ticket: u64, closed_at: Time, rating: i32) {
        let asked_at = closed_at + HOUR;
        let row = Survey {
            id: self.ids.next(),
            customer: Some(self.person.number),
            kind: "transaction",
            journey: None,
            ticket: Some(ticket),
            asked_at,
            answered_at: asked_at + self.dice.between(MINUTE, DAY),
            score: f64::from(rating),
            scale_min: 1.0,
            scale_max: 5.0,
            expected_score: None,
        };
        self.rows.surveys.push(row);
    }
}

/// Money to the cent.
pub(crate) fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}
