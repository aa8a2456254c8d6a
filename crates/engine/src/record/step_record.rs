//! The record of a step: what it read and wrote, what its tests found, what it cost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::{EngineError, FailureKind};
use crate::record::usage::StepUsage;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Done; a table is published.
    Done,
    /// Failed. Its table is as it was, unless the store gave no answer to a commit, which may then have arrived. What a
    /// step commits before its last check stays: a source that is too old has published its rejected rows.
    Failed,
    /// A data test failed. Its table is as it was; rejected rows and digests of a view of touchpoints stay published.
    TestsFailed,
    /// Did not run, because something it reads did not succeed or the run stopped.
    NotRun,
}

impl StepStatus {
    /// The word for it in the stored record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::TestsFailed => "tests_failed",
            Self::NotRun => "not_run",
        }
    }
}

/// One step of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepRecord {
    /// The relation's name.
    pub step: String,
    /// `source`, `seed`, `view` or `table`; `log` for the log of triggers; `unknown` for a step that the plan does not
    /// have.
    pub kind: String,
    /// How it ended.
    pub status: StepStatus,
    /// Why it failed or did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The fingerprint of its definition and all it reads.
    pub fingerprint: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Rows of the table or kept rows of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes of the table's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Files of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// The version published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The version of `<step>__rejected`, when rows were set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_version: Option<u64>,
    /// What became of a source's rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<IntakeCounts>,
    /// The matcher's conservation, a row a definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conservation: Vec<ConservationRow>,
    /// Which rows an incremental step rebuilt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increment: Option<IncrementRecord>,
    /// Data tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TestRecord>,
    /// What it cost.
    #[serde(default)]
    pub usage: StepUsage,
    /// What the step was made from: the program, `as_of`, its definition, files of sources, versions of tables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub made_from: BTreeMap<String, String>,
    /// With `--retry`, the earlier run whose result was reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<String>,
    /// With `--retry`, why the result of the earlier run could not be reused.
    #[serde(default, rename = "done_again", skip_serializing_if = "Option::is_none")]
    pub rerun_because: Option<String>,
    /// It failed because another run holds the pipeline or the table.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// It failed because of what is written in the pipeline, which no rerun mends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// It failed because of a bug in this program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
}

/// The table of a relation's rejected rows.
pub(crate) fn rejected_table(relation: &str) -> String {
    format!("{relation}__rejected")
}

impl StepRecord {
    /// A record that contains only how the step ended.
    pub(crate) fn new(step: &str, kind: &str, fingerprint: &str, status: StepStatus) -> Self {
        Self {
            step: step.to_owned(),
            kind: kind.to_owned(),
            status,
            error: None,
            help: None,
            fingerprint: fingerprint.to_owned(),
            seconds: 0.0,
            rows: None,
            bytes: None,
            files: None,
            version: None,
            rejected_version: None,
            intake: None,
            conservation: Vec::new(),
            increment: None,
            tests: Vec::new(),
            usage: StepUsage::default(),
            made_from: BTreeMap::new(),
            reused_from: None,
            rerun_because: None,
            held: false,
            refused: false,
            internal: false,
        }
    }

    /// Marks the step as failed, with the reason; a step that was interrupted counts as not run.
    pub(crate) fn fail(&mut self, error: &EngineError) {
        let kind = error.kind();
        self.status = if kind == FailureKind::Interrupted { StepStatus::NotRun } else { StepStatus::Failed };
        self.held = kind == FailureKind::Held;
        self.refused = kind == FailureKind::Request;
        self.internal = kind == FailureKind::Internal;
        self.help = error.help();
        self.error = Some(error.to_string());
    }

    /// The version that this run published; `None` where the result of an earlier run is reused.
    pub fn published_version(&self) -> Option<u64> {
        self.version.filter(|_| self.reused_from.is_none())
    }

    /// Whether no test of severity error failed.
    pub(crate) fn passes(&self) -> bool {
        self.tests.iter().all(|test| test.passed || test.severity != "error")
    }
}

/// What became of the rows of a relation: `read` = `kept` + `after_as_of` + `collapsed` + the sum of `rejected`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeCounts {
    /// Rows read.
    pub read: u64,
    /// Rows that later steps see.
    pub kept: u64,
    /// Rows whose time is at or after `as_of`: not there yet.
    pub after_as_of: u64,
    /// Copies of a row beyond the first.
    pub collapsed: u64,
    /// Rows set aside, by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl IntakeCounts {
    /// All rows set aside.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// Which rows an incremental step rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncrementRecord {
    /// The instant since which rows were rebuilt, RFC 3339; absent: the whole history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The run's `as_of`, RFC 3339.
    pub until: String,
    /// Why since then.
    pub why: String,
    /// Instances that were open at the instant since which touchpoints were matched.
    #[serde(default, rename = "carried", skip_serializing_if = "Option::is_none")]
    pub open_instances: Option<u64>,
    /// Rows written.
    pub written: u64,
    /// Rows that stayed in their files.
    pub kept: u64,
    /// Ids of instances that are no longer there, because a late touchpoint changed where they begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_ids: Option<u64>,
}

/// One data test of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestRecord {
    /// What was tested.
    pub test: String,
    /// The test's key in YAML (`not_null`, `unique`, …), or `freshness`; `None` in records that earlier versions of the
    /// program stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The one column that was tested; `None` where it was several or none, and in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// `error` or `warning`.
    pub severity: String,
    /// Whether it passed.
    pub passed: bool,
    /// Offending rows, or for a row count the rows.
    pub count: i64,
    /// File, line and column of the test.
    pub place: String,
}

/// For one definition: touchpoints read = members + non-members + set aside + at or after `as_of` (SEMANTICS 2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConservationRow {
    /// The definition.
    pub journey: String,
    /// Touchpoints read.
    pub read: u64,
    /// Members of an instance.
    pub members: u64,
    /// Of no instance.
    pub non_members: u64,
    /// Set aside, by reason.
    pub set_aside: BTreeMap<String, u64>,
    /// At or after `as_of`.
    pub after_as_of: u64,
    /// Instances, by status.
    pub instances: BTreeMap<String, u64>,
}

/// What a trigger found in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerRecord {
    /// Its name.
    pub trigger: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// Different keys for which its condition holds.
    pub holding: u64,
    /// Of these, the keys that were not in the log: what this run added to it.
    pub fired: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_an_earlier_version_recorded_can_be_read() {
        let text = r#"{"test":"(day) is unique","severity":"error","passed":true,"count":0,"place":"p.yaml:1:1"}"#;
        let test: TestRecord = serde_json::from_str(text).expect("a record");
        assert_eq!((test.kind.as_deref(), test.column.as_deref()), (None, None));
        assert_eq!(serde_json::to_string(&test).expect("JSON"), text);
    }
}
