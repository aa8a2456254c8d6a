//! The record of a run: what ran, what came of it, and which table versions belong together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::incremental::IncrementRecord;
use crate::intake::IntakeCounts;
use crate::usage::StepUsage;

/// How a run or step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Every step was done.
    Done,
    /// A step failed.
    Failed,
    /// No step failed, but a data test did.
    TestsFailed,
    /// Another run took over the pipeline or a table.
    Held,
    /// It was asked to stop, or killed.
    Interrupted,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Done; a table is published.
    Done,
    /// Failed; nothing of it was published.
    Failed,
    /// A data test failed; nothing of it was published.
    TestsFailed,
    /// Did not run, because something it reads did not succeed or the run stopped.
    NotRun,
}

/// A run, as stored beside the tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRecord {
    /// Sorts by time: `20261124T065003123456Z-1f2e3d4c`.
    pub run_id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The cut, RFC 3339.
    pub as_of: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// Wall time.
    pub seconds: f64,
    /// How it ended.
    pub status: RunStatus,
    /// The program's version.
    pub program: String,
    /// Most memory held by the process, where known.
    pub peak_memory_bytes: Option<u64>,
    /// Each step, in the plan's order; last the log of triggers, where one looks at what was made.
    pub steps: Vec<StepRecord>,
    /// What the triggers found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRecord>,
    /// The consistent set: every published table of the pipeline and its version after this run.
    pub tables: BTreeMap<String, u64>,
}

/// One step of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepRecord {
    /// The relation's name.
    pub step: String,
    /// `source`, `seed`, `view` or `table`.
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
    /// Wall time.
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
    /// What a source's rows came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<IntakeCounts>,
    /// The matcher's conservation, a row a definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conservation: Vec<ConservationRow>,
    /// What an incremental step made again.
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
    /// The run that did it, where `--retry` took it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<String>,
    /// With `--retry`: why it was done again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_again: Option<String>,
    /// It failed because another run holds the pipeline or the table.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
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

/// One data test of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestRecord {
    /// What was tested.
    pub test: String,
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

impl ConservationRow {
    /// Whether every touchpoint is accounted for.
    pub fn holds(&self) -> bool {
        self.read == self.members + self.non_members + self.set_aside.values().sum::<u64>() + self.after_as_of
    }
}
