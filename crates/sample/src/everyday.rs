//! What belongs to no journey but the bill: newsletters, browsing, small questions, and the monthly or yearly bill.

use crate::calendar::{DAY, Time};
use crate::catalogue::Journey;
use crate::dice::daytime;
use crate::script::{Instance, Script, cents};
use crate::tables::{Invoice, Survey};

const PAGES: [(&str, &str); 4] = [
    ("page_viewed", "programme"),
    ("programme_viewed", "programme"),
    ("offer_viewed", "offers"),
    ("page_viewed", "offers"),
];

/// From one monthly bill to the next.
pub(crate) const BILL_INTERVAL: Time = 30 * DAY + 10 * DAY / 24;

/// A month of everyday contact between `from` and `to`; the chances are per 30 days. While a customer is being welcomed,
/// only the surveys of the onboarding ask about the relationship.
pub(crate) fn everyday(script: &mut Script<'_>, from: Time, to: Time, welcomed: Option<&Instance>) {
    let part = (to - from) as f64 / (30 * DAY) as f64;
    let length = (to - from) as f64 / DAY as f64;
    if script.dice.chance(0.60 * part) {
        let at = from + script.dice.days(0.0, length);
        script.message(at, "email", "newsletter", Some("programme"), "marketing");
    }
    for chance in [0.40, 0.14] {
        if script.dice.chance(chance * part) {
            let at = from + script.dice.days(0.0, length);
            browse(script, at);
        }
    }
    if script.dice.chance(0.10 * part) {
        let at = from + script.dice.days(0.0, length);
        let topic = script.dice.pick(&[Some("account"), Some("programme"), Some("offers"), None]);
        script.call(at, "general", "question_answered", topic);
    }
    if script.dice.chance(0.04 * part) {
        let at = from + script.dice.days(0.0, length);
        script.message(at, "chat", "question_answered", Some("account"), "customer-service");
    }
    if script.dice.chance(0.03 * part) {
        let at = from + script.dice.days(0.0, length);
        let closed = at + script.dice.days(0.5, 9.0);
        script.ticket(at, Some(closed), "account", "back-office", ("request_registered", "request_closed"));
    }
    if script.dice.chance(0.03 * part) {
        let at = from + script.dice.days(0.0, length);
        let score = (7.4 + script.dice.bell() * 1.6).round().clamp(0.0, 10.0);
        let answered_at = daytime(at);
        if welcomed.is_none_or(|instance| answered_at < instance.started_at() || answered_at > instance.last_at()) {
            relationship(script, answered_at, score);
        }
    }
    script.forget_members();
}

/// A session without a login.
pub(crate) fn look_around(script: &mut Script<'_>, at: Time) {
    let many = script.dice.between(1, 4) as usize;
    let device = script.person.device;
    script.session(at, device, &PAGES[..many], false);
}

/// Half of the sessions end in a login; the others stay a visitor's, until a later login claims them or none does.
fn browse(script: &mut Script<'_>, at: Time) {
    let other = if script.person.device == "web" { "app" } else { "web" };
    let device = if script.dice.chance(0.8) { script.person.device } else { other };
    let many = script.dice.between(1, 4) as usize;
    let login = script.dice.chance(0.5);
    script.session(at, device, &PAGES[..many], login);
}

/// An answer on the relationship as a whole, 0 to 10.
pub(crate) fn relationship(script: &mut Script<'_>, answered_at: Time, score: f64) {
    let asked_at = answered_at - script.dice.days(0.02, 0.3);
    let row = Survey {
        id: script.ids.next(),
        customer: Some(script.person.number),
        kind: "relationship",
        journey: None,
        ticket: None,
        asked_at,
        answered_at,
        score,
        scale_min: 0.0,
        scale_max: 10.0,
        expected_score: None,
    };
    script.rows.surveys.push(row);
}

/// When a bill is issued and paid, as planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bill {
    pub(crate) issued: Time,
    pub(crate) paid: Option<Time>,
    /// Added to each month's price.
    pub(crate) monthly_extra: f64,
}

impl Bill {
    /// A bill issued at `issued`: most are paid within three weeks, a few after a reminder, very few never.
    pub(crate) fn draw(script: &mut Script<'_>, issued: Time) -> Self {
        let paid = match script.dice.unit() {
            u if u < 0.92 => Some(issued + script.dice.days(1.0, 19.0)),
            u if u < 0.98 => Some(issued + script.dice.days(25.0, 43.0)),
            _ => None,
        };
        Bill { issued, paid, monthly_extra: 0.0 }
    }
}

/// The invoice of a bill, and the instance of `paying_a_bill` that it starts.
pub(crate) fn bill(script: &mut Script<'_>, bill: Bill, end: Time) -> Option<Instance> {
    if bill.issued >= end {
        return None;
    }
    script.until = end;
    let issued_at = daytime(bill.issued);
    let paid_at = bill.paid.map(daytime);
    let row = Invoice {
        id: script.ids.next(),
        customer: Some(script.person.number),
        issued_at,
        paid_at,
        amount: cents(
            (script.person.monthly_price + bill.monthly_extra) * script.person.months_billed()
                + script.dice.between(0, 8) as f64 * 1.5,
        ),
        currency: "EUR",
    };
    script.rows.invoices.push(row);
    script.forget_members();
    let reminded = bill.issued + 21 * DAY;
    if bill.paid.is_none_or(|paid| paid > reminded) {
        script.message(reminded, "mail", "payment_reminder", Some("payment"), "billing");
    }
    let reminders = script.close(Journey::PayingABill).map(|instance| instance.members).unwrap_or_default();
    let paid_at = paid_at.filter(|at| *at < end);
    let mut members: Vec<Time> = [issued_at].into_iter().chain(reminders).chain(paid_at).collect();
    members.sort_unstable();
    Some(Instance {
        journey: Journey::PayingABill,
        members,
        multichannel: paid_at.is_some(),
        level: 2,
        anonymous: None,
    })
}
