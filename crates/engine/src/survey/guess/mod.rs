//! What the columns of the tables are for, guessed from names and values together.
//!
//! A guess is plain data: which table is the register of customers, which say that a customer left, which are events,
//! and for each which column is what. What the data do not settle is a question to the person.

mod names;
mod scale;
mod customer;
mod events;
mod register;

pub(crate) use customer::{CustomerOf, CustomerWord};
pub(crate) use events::EventsGuess;
pub(crate) use names::{ColumnIndex, TableIndex, is_called_id, may_be_case, may_be_id};
pub(crate) use register::{Leaving, RegisterGuess};
pub(crate) use scale::Scale;

use super::column::ColumnProfile;
use super::look::TableProfile;

/// What the tables are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Guess {
    /// How the customer's column is called, in the table where it is told best; `None` where no column looks like one.
    pub(crate) customer: Option<CustomerWord>,
    /// Tables of events, each a part of the touchpoints.
    pub(crate) events: Vec<EventsGuess>,
    /// The register of customers.
    pub(crate) register: Option<RegisterGuess>,
    /// Tables that are used for nothing, each with the reason.
    pub(crate) unused: Vec<(TableIndex, String)>,
    /// For each table the column that identifies its rows.
    pub(crate) keys: Vec<Option<ColumnIndex>>,
}

/// Guesses what the tables and their columns are.
pub(crate) fn guess(tables: &[TableProfile]) -> Guess {
    let keys: Vec<Option<ColumnIndex>> = tables.iter().map(key).collect();
    let (customer, customers) = customer::customers(tables, &keys);
    let register = register::register(tables, &customers);
    let mut events = Vec::new();
    let mut unused = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let of_register = register.as_ref().is_some_and(|register| {
            register.table == index || register.leaving.as_ref().is_some_and(|leaving| leaving.table == index)
        });
        if of_register {
            continue;
        }
        let Some(of) = customers[index].clone() else {
            unused.push((index, "no column says whose its rows are".to_owned()));
            continue;
        };
        match events::events(index, table, keys[index], of) {
            Some(guess) => events.push(guess),
            None => unused.push((index, "no column says when its rows happened".to_owned())),
        }
    }
    Guess { customer, events, register, unused, keys }
}

/// The column that identifies the rows: called like an identifier, never missing, no value twice.
fn key(table: &TableProfile) -> Option<ColumnIndex> {
    let unique = |column: &ColumnProfile| may_be_id(column) && is_called_id(column) && column.is_unique();
    table.columns.iter().position(unique)
}

#[cfg(test)]
mod tests;
