//! Which column names the customer: the identifier that most tables share and most rows repeat.

use super::super::column::{ColumnProfile, Holds};
use super::super::look::TableProfile;
use super::super::words::{any, words};
use super::names::{ColumnIndex, TableIndex, is_called_id, may_be_id};

/// Words for somebody who can leave.
const CUSTOMER_WORDS: &[&str] = &[
    "customer",
    "client",
    "account",
    "user",
    "member",
    "subscriber",
    "household",
    "person",
    "patient",
    "consumer",
    "buyer",
    "guest",
    "policyholder",
    "passenger",
    "student",
    "patron",
    "shopper",
    "cust",
    "acct",
];

/// Words for a matter that somebody has: each is somebody of its own where nothing better is there.
const CASE_WORDS: &[&str] = &["case", "trace", "claim", "application"];

/// Words for what is known of somebody for a while only.
const PASSING_WORDS: &[&str] = &["visitor", "session", "device", "cookie"];

/// The share of a column's values that another has where both name the same things.
const SAME_VALUES: f64 = 0.5;

/// How a table says whose its rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CustomerOf {
    /// A column of its own.
    Own(ColumnIndex),
    /// By way of another table, whose key a column of this one names.
    By {
        /// The column of this table.
        own: ColumnIndex,
        /// The other table.
        table: TableIndex,
        /// Its key.
        key: ColumnIndex,
        /// Its column of the customer.
        customer: ColumnIndex,
    },
}

/// What kind of thing the customer's column names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CustomerWord {
    /// The column's name.
    pub(crate) column: String,
    /// Whether it names cases or visits, so that nobody's customer is known.
    pub(crate) is_stand_in: bool,
}

/// The customer's column, and for each table how it says whose its rows are.
pub(super) fn customers(
    tables: &[TableProfile],
    keys: &[Option<ColumnIndex>],
) -> (Option<CustomerWord>, Vec<Option<CustomerOf>>) {
    let Some((home, column)) = best_column(tables) else { return (None, vec![None; tables.len()]) };
    let name = tables[home].columns[column].name.clone();
    let own: Vec<Option<CustomerOf>> =
        (0..tables.len()).map(|index| own_column(tables, index, (home, column)).map(CustomerOf::Own)).collect();
    let found = own.iter().enumerate();
    let found = found.map(|(index, known)| known.clone().or_else(|| by_another(tables, keys, &own, index))).collect();
    let called = words(&name);
    let is_stand_in = !any(&called, CUSTOMER_WORDS);
    (Some(CustomerWord { column: name, is_stand_in }), found)
}

/// The table and column that look most like a customer's.
fn best_column(tables: &[TableProfile]) -> Option<(TableIndex, ColumnIndex)> {
    let mut best: Option<(i32, TableIndex, ColumnIndex)> = None;
    for (index, table) in tables.iter().enumerate() {
        for (place, column) in table.columns.iter().enumerate() {
            if !may_be_id(column) || column.distinct < 2 {
                continue;
            }
            let called = words(&column.name);
            let word = if any(&called, CUSTOMER_WORDS) && !is_attribute(&called) {
                100
            } else if any(&called, CASE_WORDS) && !is_attribute(&called) {
                40
            } else if any(&called, PASSING_WORDS) && is_called_id(column) {
                20
            } else if is_called_id(column) {
                0
            } else {
                continue;
            };
            let columns =
                tables.iter().filter_map(|other| other.columns.iter().find(|other| words(&other.name) == called));
            let having: Vec<_> = columns.collect();
            let repeating = having.iter().filter(|column| column.distinct < column.values).count() as i32;
            let registered = having.iter().any(|column| column.is_unique());
            let shared = having.len() as i32 - 1;
            // A column that neither repeats nor is shared, without a word for it, is the key of its own table only.
            if word == 0 && (shared == 0 || repeating == 0) {
                continue;
            }
            let id = i32::from(any(&called, &["id", "key", "number", "no"]) || called.len() == 1) * 5;
            let many = i32::from(!column.is_category()) * 10;
            let score = word + shared * 15 + repeating * 10 + i32::from(registered && shared > 0) * 10 + id + many;
            if best.is_none_or(|(highest, ..)| score > highest) {
                best = Some((score, index, place));
            }
        }
    }
    best.map(|(_, table, column)| (table, column))
}

/// `account_name` or `user_cohort` say something of the customer, not who it is. `case:concept:name` is the case.
fn is_attribute(called: &[String]) -> bool {
    const OTHER: &[&str] = &[
        "type",
        "segment",
        "cohort",
        "lifecycle",
        "status",
        "group",
        "tier",
        "plan",
        "agent",
        "manager",
        "email",
        "age",
        "created",
        "since",
        "count",
        "channel",
        "department",
        "responsible",
        "creator",
        "deadline",
        "city",
        "country",
        "role",
        "phone",
    ];
    any(called, OTHER) || (any(called, &["name"]) && !any(called, &["concept"]))
}

/// The column of a table that names the same customers as `customer` does.
fn own_column(tables: &[TableProfile], index: TableIndex, customer: (TableIndex, ColumnIndex)) -> Option<ColumnIndex> {
    let told = &tables[customer.0].columns[customer.1];
    let called = words(&told.name);
    if index == customer.0 {
        return Some(customer.1);
    }
    let table = &tables[index];
    if let Some(same) = table.columns.iter().position(|column| words(&column.name) == called && may_be_id(column)) {
        return Some(same);
    }
    // Another name for it: the values tell, unless they are numbers, of which any column has some.
    let nouns: Vec<&str> = called.iter().map(String::as_str).filter(|word| CUSTOMER_WORDS.contains(word)).collect();
    let table_is_called = words(&table.name);
    let named_after =
        |noun: &&str| table_is_called.iter().any(|word| word == noun || word.strip_suffix('s') == Some(*noun));
    let fits = |column: &ColumnProfile| {
        if !may_be_id(column) || column.share_in(told).max(told.share_in(column)) < SAME_VALUES {
            return false;
        }
        let own = words(&column.name);
        let is_text = matches!(column.holds, Holds::Text) && !column.is_category();
        let plain_id = own == ["id"] || own == ["key"];
        (is_text && (is_called_id(column) || any(&own, CUSTOMER_WORDS)))
            || (plain_id && nouns.iter().any(named_after))
            || (any(&own, CUSTOMER_WORDS) && !is_attribute(&own))
    };
    table.columns.iter().position(fits)
}

/// A column that names the key of a table which knows its customer.
fn by_another(
    tables: &[TableProfile],
    keys: &[Option<ColumnIndex>],
    found: &[Option<CustomerOf>],
    index: TableIndex,
) -> Option<CustomerOf> {
    for (own, column) in tables[index].columns.iter().enumerate() {
        if !may_be_id(column) || !is_called_id(column) || keys[index] == Some(own) {
            continue;
        }
        for (table, other) in tables.iter().enumerate() {
            let (Some(key), Some(CustomerOf::Own(customer))) = (keys[table], &found[table]) else { continue };
            let same_name = words(&other.columns[key].name) == words(&column.name);
            if table != index && key != *customer && same_name && column.share_in(&other.columns[key]) >= SAME_VALUES {
                return Some(CustomerOf::By { own, table, key, customer: *customer });
            }
        }
    }
    None
}
