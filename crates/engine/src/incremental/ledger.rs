//! What a table keeps beside its rows, in the same commit: how far its history is finished, and from what it was made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use throughline_config::Timestamp;

use super::seen::SeenSums;

/// The ledger of a table. Times are microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// From where on the history is finished; absent: from its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Timestamp>,
    /// Up to where: the `as_of` of the run.
    pub(super) until: Timestamp,
    /// The fingerprint of the model and of everything it reads, by name.
    pub(super) made_from: BTreeMap<String, String>,
    /// For each source the stamps of its files, in hexadecimal.
    pub(super) files: BTreeMap<String, Vec<String>>,
    /// From where on rows came too late and were not taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late_since: Option<Timestamp>,
    /// For a model of members or instances, what its customers' touchpoints summed up to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<SeenSums>,
}

impl Ledger {
    /// Reads a ledger; one that another version of the program wrote counts as none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The stamps of a source's files.
    pub(super) fn stamps(&self, source: &str) -> impl Iterator<Item = u64> {
        self.files.get(source).into_iter().flatten().filter_map(|stamp| u64::from_str_radix(stamp, 16).ok())
    }
}

/// What an incremental step made again, as the run's record tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncrementRecord {
    /// From where on rows were made again, RFC 3339; absent: the whole history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Up to where, RFC 3339.
    pub until: String,
    /// Why from there.
    pub why: String,
    /// Instances that were open where matching began again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<u64>,
    /// Rows written.
    pub written: u64,
    /// Rows that stayed in their files.
    pub kept: u64,
    /// Ids of instances that are no longer there, since a late touchpoint begins them or takes their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_ids: Option<u64>,
}
