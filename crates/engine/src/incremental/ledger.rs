//! What a table keeps beside its rows, in the same commit: how far its history is finished, and from what it was made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use throughline_config::Timestamp;
use throughline_lake::Warehouse;

use super::calendar::midnight_before;
use super::late_rows::LateDays;
use crate::failure::EngineError;

/// The ledger of a table. Times are microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Where the finished history begins; absent: with the first row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Timestamp>,
    /// Where it ends: the `as_of` of the run.
    pub(super) until: Timestamp,
    /// The fingerprint of the model and of everything it reads, by name.
    pub(super) made_from: BTreeMap<String, String>,
    /// For each source the stamps of its files, in hexadecimal.
    pub(super) files: BTreeMap<String, Vec<String>>,
    /// Rows that came later than the lookback and are not in the table yet.
    #[serde(default, skip_serializing_if = "LateDays::is_empty")]
    pub(super) late: LateDays,
    /// For a model of members or instances, where the digests of its customers' touchpoints are kept.
    #[serde(default, rename = "seen", skip_serializing_if = "Option::is_none")]
    pub(super) digests: Option<KeptDigests>,
}

/// Which digests of customers' touchpoints a table was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptDigests {
    /// The version of the table in which they are kept.
    pub(super) version: u64,
    /// Touchpoints at or after this instant are in them, those before `next` by the day.
    pub(super) since: Timestamp,
    /// The instant since which the next run matches when nothing comes late; touchpoints at or after it have one digest
    /// for each customer.
    pub(super) next: Timestamp,
}

impl KeptDigests {
    /// The instant since which digests are compared when touchpoints are matched since `matched_since`; `None` where
    /// they do not reach back far enough.
    pub(super) fn compared_since(&self, matched_since: Timestamp) -> Option<Timestamp> {
        if matched_since >= self.next {
            return Some(self.next);
        }
        Some(midnight_before(matched_since)).filter(|day| *day >= self.since)
    }
}

/// Where the history of an incremental table begins that does not begin with the first row.
///
/// # Errors
/// The table's log cannot be read.
pub(crate) async fn history_begins(warehouse: &Warehouse, table: &str) -> Result<Option<Timestamp>, EngineError> {
    let parts = warehouse.table_parts(table).await?;
    Ok(parts.and_then(|parts| Ledger::parse(parts.ledger.as_deref()?)).and_then(|ledger| ledger.from))
}

impl Ledger {
    /// Reads a ledger; one that another version of the program wrote counts as none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The ledger as it is stored.
    ///
    /// # Errors
    /// A bug: names and numbers always become JSON. An empty ledger would make the next run rebuild everything.
    pub(super) fn text(&self) -> Result<String, EngineError> {
        serde_json::to_string(self)
            .map_err(|error| EngineError::unexpected("a ledger cannot be written as JSON", error))
    }

    /// The stamps of a source's files.
    pub(super) fn stamps(&self, source: &str) -> impl Iterator<Item = u64> {
        self.files.get(source).into_iter().flatten().filter_map(|stamp| u64::from_str_radix(stamp, 16).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::DAY;
    use super::super::late_rows::LateDay;
    use super::*;

    #[test]
    fn touchpoints_are_compared_since_a_boundary_of_the_digests() {
        let kept = KeptDigests { version: 3, since: 10 * DAY, next: 17 * DAY + 5 };
        assert_eq!(kept.compared_since(18 * DAY), Some(17 * DAY + 5));
        assert_eq!(kept.compared_since(17 * DAY + 4), Some(17 * DAY));
        assert_eq!(kept.compared_since(12 * DAY + 1), Some(12 * DAY));
        assert_eq!(kept.compared_since(10 * DAY), Some(10 * DAY));
        assert_eq!(kept.compared_since(10 * DAY - 1), None);
    }

    #[test]
    fn a_ledger_that_is_stored_reads_the_same() {
        let mut late = LateDays::default();
        late.add("calls", [LateDay { since: 3, rows: 2 }]);
        let ledger = Ledger {
            from: None,
            until: 7,
            made_from: BTreeMap::from([("calls".to_owned(), "1a".to_owned())]),
            files: BTreeMap::from([("calls".to_owned(), vec!["00000000000000ff".to_owned(), "none".to_owned()])]),
            late,
            digests: Some(KeptDigests { version: 1, since: 2, next: 3 }),
        };
        let text = ledger.text().expect("JSON");
        assert!(text.contains(r#""seen":{"version":1,"since":2,"next":3}"#), "earlier versions read it: {text}");
        assert_eq!(Ledger::parse(&text), Some(ledger.clone()));
        assert_eq!(ledger.stamps("calls").collect::<Vec<_>>(), [255]);
        assert_eq!(Ledger::parse("{}"), None);
    }
}
