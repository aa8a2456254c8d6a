//! Tables of events: when a row happened, what it was, on which channel, and what else a touchpoint says.

use super::super::column::{ColumnProfile, Holds};
use super::super::look::TableProfile;
use super::super::words::{any, words};
use super::customer::CustomerOf;
use super::names::{ColumnIndex, TableIndex, best};
use super::scale::{Scale, is_called_score, scale};

/// What the columns of a table of events are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventsGuess {
    /// The table.
    pub(crate) table: TableIndex,
    /// The column that identifies its rows.
    pub(crate) key: Option<ColumnIndex>,
    /// Whose its rows are.
    pub(crate) customer: CustomerOf,
    /// When a row happened.
    pub(crate) time: ColumnIndex,
    /// Whether another time is called just as well.
    pub(crate) time_is_unsure: bool,
    /// Its other times.
    pub(crate) other_times: Vec<ColumnIndex>,
    /// What happened; `None` where every row is of one kind, as the table is called.
    pub(crate) event: Option<ColumnIndex>,
    /// Whether the event's column is called so, or only comes closest.
    pub(crate) event_is_called_so: bool,
    /// The channel.
    pub(crate) channel: Option<ColumnIndex>,
    /// What it was about.
    pub(crate) topic: Option<ColumnIndex>,
    /// The department.
    pub(crate) function: Option<ColumnIndex>,
    /// A score that the customer gave, with its scale; `None` for the scale where no usual one fits.
    pub(crate) score: Option<(ColumnIndex, Option<Scale>)>,
    /// Whether it was resolved.
    pub(crate) resolved: Option<ColumnIndex>,
    /// How long it took, with the seconds of its unit.
    pub(crate) duration: Option<(ColumnIndex, f64)>,
    /// What it cost the company.
    pub(crate) cost: Option<ColumnIndex>,
    /// Amounts of money.
    pub(crate) money: Vec<ColumnIndex>,
}

/// The guess for one table; `None` without a time.
pub(super) fn events(
    index: TableIndex,
    table: &TableProfile,
    key: Option<ColumnIndex>,
    customer: CustomerOf,
) -> Option<EventsGuess> {
    let (time, time_is_unsure) = best(table, time_score)?;
    let own = match &customer {
        CustomerOf::Own(own) | CustomerOf::By { own, .. } => *own,
    };
    let free = |place: ColumnIndex| place != own && Some(place) != key && place != time;
    let named = |wanted: &'static [&'static str], except: &'static [&'static str]| {
        let score = move |column: &ColumnProfile, called: &[String]| {
            i32::from(column.is_category() && any(called, wanted) && !any(called, except))
        };
        best(table, score).map(|(place, _)| place).filter(|place| free(*place))
    };
    let event = best(table, event_score).filter(|(place, _)| free(*place));
    let event_is_called_so = event
        .is_some_and(|(place, _)| event_score(&table.columns[place], &words(&table.columns[place].name)) >= CALLED_SO);
    let event = event.map(|(place, _)| place);
    let score = table.columns.iter().enumerate().find_map(|(place, column)| {
        let called = words(&column.name);
        let number = matches!(column.holds, Holds::Whole(..) | Holds::Number(..));
        (number && is_called_score(&called) && free(place)).then(|| (place, scale(column, &called)))
    });
    let truth = |column: &ColumnProfile, called: &[String]| {
        i32::from(column.holds == Holds::Truth && any(called, &["resolved", "solved", "fixed"]))
    };
    let number = |wanted: &'static [&'static str]| {
        move |column: &ColumnProfile, called: &[String]| i32::from(is_number(column) && any(called, wanted))
    };
    let columns = || table.columns.iter().enumerate();
    Some(EventsGuess {
        table: index,
        key,
        time,
        time_is_unsure,
        other_times: columns()
            .filter(|(place, column)| *place != time && column.time().is_some())
            .map(|(place, _)| place)
            .collect(),
        event,
        event_is_called_so,
        channel: named(&["channel", "medium", "platform"], &["acquisition", "referral", "marketing"]),
        topic: named(&["topic", "category", "subject", "reason", "theme"], &[]).filter(|place| Some(*place) != event),
        function: named(&["department", "team", "queue", "function", "division", "org"], &["resource", "role"])
            .filter(|place| Some(*place) != event),
        score,
        resolved: best(table, truth).map(|(place, _)| place),
        duration: columns().find_map(|(place, column)| {
            let called = words(&column.name);
            let unit = unit_seconds(&called)?;
            let length = any(&called, &["duration", "handling", "talk", "length", "elapsed"]);
            (length && is_number(column)).then_some((place, unit))
        }),
        // What a case or a customer costs in a month is no cost of one event.
        cost: best(table, |column, called| {
            let of_more = any(called, &["case", "customer", "monthly", "month", "yearly", "annual", "total"]);
            if of_more { 0 } else { number(&["cost", "costs"])(column, called) }
        })
        .map(|(place, _)| place),
        money: columns().filter(|(_, column)| is_money(column)).map(|(place, _)| place).collect(),
        customer,
    })
}

fn is_number(column: &ColumnProfile) -> bool {
    matches!(column.holds, Holds::Whole(..) | Holds::Number(..))
}

/// Whether a column holds amounts of money, by its name and as no count or score does.
pub(super) fn is_money(column: &ColumnProfile) -> bool {
    const MONEY: &[&str] = &[
        "amount", "price", "revenue", "mrr", "arr", "fee", "charge", "charges", "charged", "spend", "sales", "payment",
        "paid", "usd", "eur", "gbp", "turnover", "billed", "refund", "bill",
    ];
    let called = words(&column.name);
    is_number(column) && any(&called, MONEY) && !any(&called, &["id", "count", "quantity", "number", "flag", "rate"])
}

/// Seconds of the unit in a name.
fn unit_seconds(called: &[String]) -> Option<f64> {
    let units: [(&[&str], f64); 4] = [
        (&["s", "sec", "secs", "second", "seconds"], 1.0),
        (&["min", "mins", "minute", "minutes"], 60.0),
        (&["h", "hr", "hrs", "hour", "hours"], 3600.0),
        (&["ms", "millis", "milliseconds"], 0.001),
    ];
    units.into_iter().find(|(words, _)| any(called, words)).map(|(_, seconds)| seconds)
}

/// How well a time is called the time of an event.
pub(super) fn time_score(column: &ColumnProfile, called: &[String]) -> i32 {
    if column.time().is_none() || any(called, &["birth", "born", "dob", "birthday"]) {
        return 0;
    }
    const ENDS: &[&str] = &[
        "end",
        "ended",
        "close",
        "closed",
        "finish",
        "finished",
        "complete",
        "completed",
        "resolved",
        "paid",
        "due",
        "updated",
        "modified",
        "changed",
        "expires",
        "expiry",
        "valid",
        "planned",
        "scheduled",
        "deadline",
        "enddate",
        "returned",
        "until",
        "to",
    ];
    const EVENTS: &[&str] = &["occurred", "timestamp", "event", "happened", "datetime", "ts"];
    const BEGINS: &[&str] = &[
        "created",
        "started",
        "start",
        "opened",
        "submitted",
        "sent",
        "issued",
        "placed",
        "ordered",
        "received",
        "logged",
        "visited",
        "viewed",
        "called",
        "usage",
        "purchase",
        "purchased",
        "order",
        "transaction",
        "complete",
        "at",
        "time",
    ];
    let mostly_there = i32::from(column.missing * 5 <= column.missing + column.values) * 40;
    // A log's attribute of the case is the same at each of its events.
    let of_case = if any(called, &["case"]) { -30 } else { 0 };
    let word = if any(called, EVENTS) {
        50
    } else if any(called, ENDS) {
        2
    } else if any(called, BEGINS) {
        30
    } else {
        20
    };
    (word + mostly_there + of_case).max(1)
}

/// From this score on a column is called an event.
const CALLED_SO: i32 = 50;

/// How well a column says what happened.
fn event_score(column: &ColumnProfile, called: &[String]) -> i32 {
    if !column.is_category() || any(called, &["case", "user", "customer", "account", "acquisition", "id"]) {
        return 0;
    }
    const ELSE: &[&str] = &[
        "channel",
        "platform",
        "priority",
        "resource",
        "status",
        "department",
        "team",
        "org",
        "country",
        "city",
        "frequency",
        "currency",
        "lifecycle",
        "group",
    ];
    if any(called, &["event", "activity", "action", "concept", "task", "step", "operation"]) {
        60 + i32::from(!any(called, &["type", "instance"]))
    } else if any(called, ELSE) {
        0
    } else if any(called, &["type", "kind", "disposition", "outcome", "feature", "page"]) {
        30
    } else {
        0
    }
}
