//! What names and values tell of a column before anything is known of the others.

use super::super::column::{ColumnProfile, Holds};
use super::super::look::TableProfile;
use super::super::words::{any, words};

/// A table, by its place among those that were looked at.
pub(crate) type TableIndex = usize;

/// A column of a table, by its place in it.
pub(crate) type ColumnIndex = usize;

/// Whether a column is called like an identifier.
pub(crate) fn is_called_id(column: &ColumnProfile) -> bool {
    const ID_WORDS: &[&str] = &[
        "id",
        "key",
        "uuid",
        "guid",
        "number",
        "no",
        "nr",
        "ref",
        "reference",
        "case",
        "trace",
        "hash",
        "instance",
        "customer",
        "user",
        "account",
        "client",
    ];
    any(&words(&column.name), ID_WORDS)
}

/// Whether its values can be identifiers at all.
pub(crate) fn may_be_id(column: &ColumnProfile) -> bool {
    matches!(column.holds, Holds::Text | Holds::Whole(..)) && column.marker.is_none()
}

/// Whether it may tell cases apart, such as sessions or orders: called like an identifier, with many values, most of
/// them in some rows.
pub(crate) fn may_be_case(column: &ColumnProfile) -> bool {
    is_called_id(column) && may_be_id(column) && column.distinct > 100 && column.distinct * 2 <= column.values
}

/// The column with the highest score above 0, the first of equals; and whether another has the same score.
pub(super) fn best(
    table: &TableProfile,
    score: impl Fn(&ColumnProfile, &[String]) -> i32,
) -> Option<(ColumnIndex, bool)> {
    let scores: Vec<i32> = table.columns.iter().map(|column| score(column, &words(&column.name))).collect();
    let highest = scores.iter().copied().max().filter(|highest| *highest > 0)?;
    let index = scores.iter().position(|score| *score == highest)?;
    Some((index, scores.iter().filter(|score| **score == highest).count() > 1))
}
