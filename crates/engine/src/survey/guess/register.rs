//! The register of customers: one row each, since when they are customers and when they left.

use super::super::column::{ColumnProfile, Holds};
use super::super::look::TableProfile;
use super::super::words::{any, words};
use super::customer::CustomerOf;
use super::names::{ColumnIndex, TableIndex, best};

const JOINED: &[&str] = &[
    "joined",
    "join",
    "joining",
    "signup",
    "sign",
    "signed",
    "registered",
    "registration",
    "created",
    "start",
    "started",
    "since",
    "opened",
    "enrolled",
    "enrolment",
    "acquired",
    "activated",
    "onboarded",
];

const LEFT: &[&str] = &[
    "churn",
    "churned",
    "cancel",
    "cancelled",
    "canceled",
    "cancellation",
    "terminated",
    "termination",
    "left",
    "leave",
    "leaving",
    "closed",
    "deactivated",
    "unsubscribed",
    "exit",
    "ended",
    "end",
];

/// Words that say that somebody left whatever the table is called.
const CHURN: &[&str] =
    &["churn", "churned", "churns", "cancellation", "cancellations", "termination", "terminations", "leavers"];

/// What the columns of the register are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RegisterGuess {
    /// The table; one row a customer.
    pub(crate) table: TableIndex,
    /// The customer.
    pub(crate) customer: ColumnIndex,
    /// Since when somebody is a customer.
    pub(crate) joined: Option<ColumnIndex>,
    /// Whether the column is called so.
    pub(crate) joined_is_called_so: bool,
    /// Since when the attributes of a row hold, where a customer has several rows.
    pub(crate) valid_from: Option<ColumnIndex>,
    /// When somebody left.
    pub(crate) left: Option<ColumnIndex>,
    /// A time that is called like leaving and that every customer has: the end of a contract, not of a membership.
    pub(crate) end_of_all: Option<ColumnIndex>,
    /// When somebody gave notice.
    pub(crate) notice: Option<ColumnIndex>,
    /// When somebody was lost for another reason.
    pub(crate) lost: Option<ColumnIndex>,
    /// Another table that says when somebody left.
    pub(crate) leaving: Option<Leaving>,
    /// A column that says that somebody left, but not when.
    pub(crate) flag: Option<ColumnIndex>,
    /// The segment.
    pub(crate) segment: Option<ColumnIndex>,
    /// Attributes with few values, taken along as they are.
    pub(crate) attributes: Vec<ColumnIndex>,
    /// Columns that say who somebody is, which no figure needs.
    pub(crate) personal: Vec<ColumnIndex>,
}

/// A table whose rows say that a customer left.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaving {
    /// The table.
    pub(crate) table: TableIndex,
    /// The customer.
    pub(crate) customer: ColumnIndex,
    /// When.
    pub(crate) time: ColumnIndex,
    /// Whether some customers have several rows.
    pub(crate) repeats: bool,
}

/// The table of customers, if one has a row for each.
pub(super) fn register(tables: &[TableProfile], customers: &[Option<CustomerOf>]) -> Option<RegisterGuess> {
    let mut best_table: Option<(i32, TableIndex, ColumnIndex)> = None;
    for (index, table) in tables.iter().enumerate() {
        let Some(CustomerOf::Own(customer)) = customers[index] else { continue };
        let has_versions = valid_from(table).is_some() && table.columns.iter().any(|column| is_joined(column) > 0);
        if says_leaving(table) || !(table.columns[customer].is_unique() || has_versions) {
            continue;
        }
        let called = words(&table.name);
        let people = ["customer", "account", "user", "client", "member", "subscriber", "household", "person"];
        let named =
            called.iter().any(|word| people.contains(&word.trim_end_matches('s'))) || any(&called, &["register"]);
        let joined = table.columns.iter().any(|column| is_joined(column) > 0);
        let score = 1 + i32::from(named) * 4 + i32::from(joined) * 2;
        if best_table.is_none_or(|(highest, ..)| score > highest) {
            best_table = Some((score, index, customer));
        }
    }
    let (_, index, customer) = best_table?;
    Some(columns_of(tables, customers, index, customer))
}

fn columns_of(
    tables: &[TableProfile],
    customers: &[Option<CustomerOf>],
    index: TableIndex,
    customer: ColumnIndex,
) -> RegisterGuess {
    let table = &tables[index];
    let called_left = best(table, |column, called| {
        let is_called = i32::from(any(called, LEFT)) + i32::from(any(called, CHURN));
        if column.time().is_some() { is_called } else { 0 }
    });
    let called_left = called_left.map(|(place, _)| place);
    // Where everybody has left, nobody stays to be compared with.
    let left = called_left.filter(|place| table.columns[*place].missing > 0);
    let end_of_all = called_left.filter(|_| left.is_none());
    let time_called = |wanted: &'static [&'static str]| {
        best(table, move |column, called| i32::from(column.time().is_some() && any(called, wanted)))
            .map(|(place, _)| place)
    };
    let joined = best(table, |column, _| is_joined(column));
    let fallback = || {
        let known = |called: &[String]| any(called, LEFT) || any(called, NOT_JOINED);
        best(table, |column, called| i32::from(column.time().is_some() && !known(called)))
    };
    let joined_is_called_so = joined.is_some();
    let joined = joined.or_else(fallback).map(|(place, _)| place);
    let columns = || table.columns.iter().enumerate().filter(|(place, _)| *place != customer);
    let segment = best(table, segment_score).map(|(place, _)| place).filter(|place| *place != customer);
    let says_left = |column: &ColumnProfile| any(&words(&column.name), CHURN) || any(&words(&column.name), LEFT);
    let is_attribute = |place: ColumnIndex, column: &ColumnProfile| {
        let few = (column.is_category() && column.distinct <= 100) || column.holds == Holds::Truth;
        few && Some(place) != segment && !says_left(column) && !is_personal(column)
    };
    RegisterGuess {
        table: index,
        customer,
        joined,
        joined_is_called_so,
        valid_from: valid_from(table).filter(|_| !table.columns[customer].is_unique()),
        left,
        end_of_all,
        notice: time_called(&["notice"]),
        lost: time_called(&["lost", "died", "deceased", "moved"]),
        leaving: leaving(tables, customers, index).filter(|_| left.is_none()),
        flag: columns()
            .find(|(_, column)| column.time().is_none() && column.distinct <= 3 && any(&words(&column.name), CHURN))
            .map(|(place, _)| place),
        segment,
        attributes: columns().filter(|(place, column)| is_attribute(*place, column)).map(|(place, _)| place).collect(),
        personal: columns().filter(|(_, column)| is_personal(column)).map(|(place, _)| place).collect(),
    }
}

const NOT_JOINED: &[&str] =
    &["birth", "born", "dob", "birthday", "updated", "modified", "last", "notice", "lost", "died", "renewal"];

/// Since when the attributes of a row hold.
fn valid_from(table: &TableProfile) -> Option<ColumnIndex> {
    let since = |column: &ColumnProfile| {
        let called = words(&column.name);
        column.time().is_some() && any(&called, &["valid", "effective"]) && !any(&called, &["to", "until", "end"])
    };
    table.columns.iter().position(since)
}

fn is_joined(column: &ColumnProfile) -> i32 {
    let called = words(&column.name);
    let fits = column.time().is_some() && any(&called, JOINED) && !any(&called, LEFT) && !any(&called, NOT_JOINED);
    i32::from(fits)
}

fn segment_score(column: &ColumnProfile, called: &[String]) -> i32 {
    if !column.is_category() || column.distinct < 2 || column.distinct > 30 || is_personal(column) {
        return 0;
    }
    let ranked = ["segment", "tier", "plan", "tariff", "class", "industry", "category", "type", "group", "kind"];
    let rank = ranked.iter().position(|word| called.iter().any(|called| called == word));
    rank.map_or(0, |rank| 20 - i32::try_from(rank).unwrap_or(20))
}

/// Whether a column says who somebody is.
fn is_personal(column: &ColumnProfile) -> bool {
    let called = words(&column.name);
    any(&called, &["email", "mail", "phone", "mobile", "address", "street", "ssn", "iban", "firstname", "lastname"])
        || (any(&called, &["name", "surname"]) && !any(&called, &["plan", "product", "segment", "tier", "concept"]))
}

/// Whether a table is called, or has a time that is called, after leaving.
fn says_leaving(table: &TableProfile) -> bool {
    any(&words(&table.name), CHURN)
}

/// The table that says when customers of the register left.
fn leaving(tables: &[TableProfile], customers: &[Option<CustomerOf>], register: TableIndex) -> Option<Leaving> {
    tables.iter().enumerate().find_map(|(index, table)| {
        let Some(CustomerOf::Own(customer)) = customers[index] else { return None };
        let churn_time = |column: &ColumnProfile, called: &[String]| {
            if column.time().is_none() { 0 } else { 1 + i32::from(any(called, CHURN)) + i32::from(any(called, LEFT)) }
        };
        let (time, _) = best(table, churn_time)?;
        let says = says_leaving(table) || any(&words(&table.columns[time].name), CHURN);
        let repeats = table.columns[customer].distinct < table.columns[customer].values;
        (index != register && says).then_some(Leaving { table: index, customer, time, repeats })
    })
}
