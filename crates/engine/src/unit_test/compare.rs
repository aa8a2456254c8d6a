//! Expected rows against actual ones: which are missing, which nobody expected, which differ and where.

use datafusion::common::ScalarValue;
use serde::Serialize;

use super::values::{same, shown};

/// How rows differ from those expected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Rows expected.
    pub expected: usize,
    /// Rows found.
    pub found: usize,
    /// Rows with other values.
    pub changed: Vec<ChangedRow>,
    /// Expected rows that were not found.
    pub missing: Vec<Vec<ShownCell>>,
    /// Rows that nobody expected.
    pub unexpected: Vec<Vec<ShownCell>>,
}

/// A row with other values than expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedRow {
    /// Values as expected, which identify the row.
    pub same: Vec<ShownCell>,
    /// Values that differ.
    pub cells: Vec<ChangedCell>,
}

/// A value and its column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownCell {
    /// The column.
    pub column: String,
    /// The value as a person writes it.
    pub value: String,
}

/// A value other than expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedCell {
    /// The column.
    pub column: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub actual: String,
}

/// Rows of one relation: the compared columns and, for each row, their values.
pub(super) struct Compared {
    pub(super) columns: Vec<String>,
    /// Which of the columns identify a row.
    pub(super) identifying: Vec<bool>,
    /// `None` where the row does not state a value of the column.
    pub(super) expected: Vec<Vec<Option<ScalarValue>>>,
    pub(super) actual: Vec<Vec<ScalarValue>>,
}

impl Compared {
    /// `None` when the actual rows are the expected ones.
    pub(super) fn differences(&self, ordered: bool) -> Option<Differences> {
        let partners = if ordered { self.by_place() } else { self.partners() };
        let mut taken = vec![false; self.actual.len()];
        let mut differences =
            Differences { expected: self.expected.len(), found: self.actual.len(), ..Differences::default() };
        for (row, partner) in partners.iter().enumerate() {
            match partner {
                Some(actual) => {
                    taken[*actual] = true;
                    differences.changed.extend(self.changed(row, *actual));
                }
                None => differences.missing.push(self.stated(row)),
            }
        }
        let unexpected = self.actual.iter().zip(&taken).filter(|(_, taken)| !**taken);
        differences.unexpected.extend(unexpected.map(|(row, _)| self.cells(row.iter())));
        let Differences { changed, missing, unexpected, .. } = &differences;
        (!(changed.is_empty() && missing.is_empty() && unexpected.is_empty())).then_some(differences)
    }

    fn by_place(&self) -> Vec<Option<usize>> {
        (0..self.expected.len()).map(|row| (row < self.actual.len()).then_some(row)).collect()
    }

    /// For each expected row an actual one: equal rows first, by a maximum matching (Kuhn 1955), because a row that
    /// says little may be equal to many; then those that have most in common, at least half of what is stated or all
    /// that identifies a row.
    fn partners(&self) -> Vec<Option<usize>> {
        let equal: Vec<Vec<usize>> = (0..self.expected.len())
            .map(|row| (0..self.actual.len()).filter(|actual| self.in_common(row, *actual).all).collect())
            .collect();
        let mut owner: Vec<Option<usize>> = vec![None; self.actual.len()];
        for row in 0..self.expected.len() {
            augment(row, &equal, &mut owner, &mut vec![false; self.actual.len()]);
        }
        let mut partners = vec![None; self.expected.len()];
        for (actual, row) in owner.iter().enumerate() {
            if let Some(row) = row {
                partners[*row] = Some(actual);
            }
        }
        let mut likely: Vec<(usize, usize, usize)> = Vec::new();
        for row in (0..self.expected.len()).filter(|row| partners[*row].is_none()) {
            for actual in (0..self.actual.len()).filter(|actual| owner[*actual].is_none()) {
                let common = self.in_common(row, actual);
                if common.identified || 2 * common.equal >= common.stated {
                    let weight = common.equal + if common.identified { self.columns.len() } else { 0 };
                    likely.push((weight, row, actual));
                }
            }
        }
        likely.sort_by_key(|(weight, row, actual)| (std::cmp::Reverse(*weight), *row, *actual));
        for (_, row, actual) in likely {
            if partners[row].is_none() && owner[actual].is_none() {
                partners[row] = Some(actual);
                owner[actual] = Some(row);
            }
        }
        partners
    }

    fn in_common(&self, row: usize, actual: usize) -> Common {
        let mut common = Common { stated: 0, equal: 0, all: true, identified: false };
        let (mut identifying, mut identified) = (0, 0);
        let cells = self.expected[row].iter().zip(&self.actual[actual]).zip(&self.identifying);
        for ((expected, actual), identifies) in cells {
            let Some(expected) = expected else { continue };
            let equal = same(expected, actual);
            common.stated += 1;
            common.equal += usize::from(equal);
            common.all &= equal;
            identifying += usize::from(*identifies);
            identified += usize::from(*identifies && equal);
        }
        common.identified = identifying > 0 && identified == identifying;
        common
    }

    fn changed(&self, row: usize, actual: usize) -> Option<ChangedRow> {
        let mut changed = ChangedRow { same: Vec::new(), cells: Vec::new() };
        let cells = self.columns.iter().zip(&self.expected[row]).zip(&self.actual[actual]);
        for ((column, expected), actual) in cells {
            let Some(expected) = expected else { continue };
            let (column, expected_text, actual_text) = (column.clone(), shown(expected), shown(actual));
            if same(expected, actual) {
                changed.same.push(ShownCell { column, value: actual_text });
            } else {
                changed.cells.push(ChangedCell { column, expected: expected_text, actual: actual_text });
            }
        }
        (!changed.cells.is_empty()).then_some(changed)
    }

    fn stated(&self, row: usize) -> Vec<ShownCell> {
        let cells = self.columns.iter().zip(&self.expected[row]);
        cells
            .filter_map(|(column, value)| Some(ShownCell { column: column.clone(), value: shown(value.as_ref()?) }))
            .collect()
    }

    fn cells<'a>(&self, values: impl Iterator<Item = &'a ScalarValue>) -> Vec<ShownCell> {
        let cells = self.columns.iter().zip(values);
        cells.map(|(column, value)| ShownCell { column: column.clone(), value: shown(value) }).collect()
    }
}

struct Common {
    stated: usize,
    equal: usize,
    all: bool,
    identified: bool,
}

/// Finds an actual row for `row`, moving others where that makes room.
fn augment(row: usize, equal: &[Vec<usize>], owner: &mut [Option<usize>], tried: &mut Vec<bool>) -> bool {
    for &actual in &equal[row] {
        if std::mem::replace(&mut tried[actual], true) {
            continue;
        }
        if owner[actual].is_none_or(|other| augment(other, equal, owner, tried)) {
            owner[actual] = Some(row);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i64) -> Option<ScalarValue> {
        Some(ScalarValue::Int64(Some(value)))
    }

    fn compared(expected: Vec<Vec<Option<ScalarValue>>>, actual: &[[i64; 2]]) -> Compared {
        let actual = actual.iter().map(|row| row.iter().filter_map(|value| number(*value)).collect()).collect();
        Compared { columns: vec!["id".into(), "x".into()], identifying: vec![true, false], expected, actual }
    }

    /// The first row says less than the second, and must not take its partner.
    #[test]
    fn a_row_that_says_little_leaves_the_others_theirs() {
        let expected = vec![vec![None, number(5)], vec![number(1), number(5)]];
        assert_eq!(compared(expected, &[[1, 5], [2, 5]]).differences(false), None);
    }

    #[test]
    fn each_kind_of_difference_is_reported() {
        let expected = vec![vec![number(1), number(5)], vec![number(2), number(6)], vec![number(3), number(7)]];
        let found = compared(expected, &[[1, 5], [2, 60], [9, 90]]).differences(false).expect("they differ");
        assert_eq!((found.expected, found.found), (3, 3));
        let cell = |column: &str, value: &str| ShownCell { column: column.to_owned(), value: value.to_owned() };
        assert_eq!(found.changed[0].same, [cell("id", "2")]);
        assert_eq!(found.changed[0].cells[0].actual, "60");
        assert_eq!(found.missing, [[cell("id", "3"), cell("x", "7")]]);
        assert_eq!(found.unexpected, [[cell("id", "9"), cell("x", "90")]]);
    }

    #[test]
    fn order_counts_only_where_it_is_asked_for() {
        let expected = || vec![vec![number(1), None], vec![number(2), None]];
        assert_eq!(compared(expected(), &[[2, 0], [1, 0]]).differences(false), None);
        assert!(compared(expected(), &[[2, 0], [1, 0]]).differences(true).is_some());
    }

    #[test]
    fn no_row_is_expected() {
        assert_eq!(compared(Vec::new(), &[]).differences(false), None);
        assert_eq!(compared(Vec::new(), &[[1, 1]]).differences(false).map(|found| found.unexpected.len()), Some(1));
    }
}
