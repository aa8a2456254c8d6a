//! Rows that came later than the lookback: kept in the ledger by source and day until a run takes them in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use throughline_config::Timestamp;

use super::calendar::midnight_before;

/// Rows of a source that came later than the lookback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateRows {
    /// The source.
    pub source: String,
    /// How many rows.
    pub rows: u64,
    /// The instant of the earliest of them.
    pub since: Timestamp,
}

/// Late rows of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LateDay {
    /// The instant of the earliest of them.
    pub(super) since: Timestamp,
    /// How many.
    pub(super) rows: u64,
}

/// Late rows that are in no table yet, by source and, within it, by day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LateDays(BTreeMap<String, Vec<LateDay>>);

impl LateDays {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds days of a source to those that are known of it.
    pub(super) fn add(&mut self, source: &str, days: impl IntoIterator<Item = LateDay>) {
        let mut merged: BTreeMap<Timestamp, LateDay> = BTreeMap::new();
        for day in self.0.remove(source).into_iter().flatten().chain(days) {
            let of_day = merged.entry(midnight_before(day.since)).or_insert(LateDay { rows: 0, ..day });
            of_day.since = of_day.since.min(day.since);
            of_day.rows = of_day.rows.saturating_add(day.rows);
        }
        if !merged.is_empty() {
            self.0.insert(source.to_owned(), merged.into_values().collect());
        }
    }

    /// Adds all of another set.
    pub(super) fn add_all(&mut self, others: &Self) {
        for (source, days) in &others.0 {
            self.add(source, days.iter().copied());
        }
    }

    /// The earliest row of a day whose first row is at or after `from`.
    pub(super) fn earliest_from(&self, from: Timestamp) -> Option<Timestamp> {
        self.0.values().flatten().map(|day| day.since).filter(|since| *since >= from).min()
    }

    /// The days whose first row is before `from`.
    pub(super) fn before(&self, from: Timestamp) -> Self {
        let before = |days: &Vec<LateDay>| days.iter().copied().filter(|day| day.since < from).collect::<Vec<_>>();
        let left = self.0.iter().map(|(source, days)| (source.clone(), before(days)));
        Self(left.filter(|(_, days)| !days.is_empty()).collect())
    }

    /// The rows of each source.
    pub(super) fn by_source(&self) -> Vec<LateRows> {
        let of_source = |(source, days): (&String, &Vec<LateDay>)| {
            let since = days.iter().map(|day| day.since).min()?;
            Some(LateRows { source: source.clone(), rows: days.iter().map(|day| day.rows).sum(), since })
        };
        self.0.iter().filter_map(of_source).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::DAY;
    use super::*;

    #[test]
    fn rows_of_a_day_are_put_together_and_leave_with_it() {
        let mut late = LateDays::default();
        late.add("calls", [LateDay { since: 5 * DAY + 7, rows: 2 }, LateDay { since: 9 * DAY, rows: 1 }]);
        late.add("calls", [LateDay { since: 5 * DAY + 3, rows: 4 }]);
        late.add("web", []);
        let calls = |rows, since| vec![LateRows { source: "calls".to_owned(), rows, since }];
        assert_eq!(late.by_source(), calls(7, 5 * DAY + 3));
        assert_eq!(late.earliest_from(6 * DAY), Some(9 * DAY));
        assert_eq!(late.before(9 * DAY).by_source(), calls(6, 5 * DAY + 3));
        assert!(late.before(5 * DAY + 3).is_empty());
    }
}
