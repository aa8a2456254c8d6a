//! The record of a run: what ran, what came of it, and which table versions belong together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::step_record::{StepRecord, TriggerRecord, rejected_table};

/// How a run ended.
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

impl RunStatus {
    /// The word for it in the stored record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::TestsFailed => "tests_failed",
            Self::Held => "held",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run, as stored beside the tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRecord {
    /// Sorts in the order of runs: `r00000042-20261124T065003123456Z-1f2e3d4c`.
    pub run_id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The cut of every source, RFC 3339.
    pub as_of: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// How it ended.
    pub status: RunStatus,
    /// The program's version.
    pub program: String,
    /// The most bytes of memory that the process held, where known.
    pub peak_memory_bytes: Option<u64>,
    /// Each step, in the plan's order; last the log of triggers, where a trigger reads one of its tables.
    pub steps: Vec<StepRecord>,
    /// What the triggers found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRecord>,
    /// What is not shown because optional inputs of libraries, or columns of them, are not given, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_shown: Vec<String>,
    /// The consistent set: every published table of the pipeline and its version after this run.
    pub tables: BTreeMap<String, u64>,
    /// The tables of the set that this run did not make, and the run that did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carried: BTreeMap<String, MadeBy>,
}

/// The run that made a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBy {
    /// Its id.
    pub run_id: String,
    /// The cut of its sources, RFC 3339.
    pub as_of: String,
    /// The fingerprint of the table's definition and of all it reads.
    pub fingerprint: String,
}

impl RunRecord {
    /// The run that made a table of the set: this one or an earlier one. `None` for a table that is not in the set, and
    /// for one that was carried over by a version of the program that did not note it.
    pub fn made_by(&self, table: &str) -> Option<MadeBy> {
        if !self.tables.contains_key(table) {
            return None;
        }
        let is_made = |step: &&StepRecord| {
            step.version.is_some() && step.step == table
                || step.rejected_version.is_some() && rejected_table(&step.step) == table
        };
        match self.steps.iter().find(is_made) {
            Some(step) => Some(MadeBy {
                run_id: self.run_id.clone(),
                as_of: self.as_of.clone(),
                fingerprint: step.fingerprint.clone(),
            }),
            None => self.carried.get(table).cloned(),
        }
    }

    /// The tables of the set that are as of another instant than the run, and of which: an earlier run made them,
    /// because this one was of selected models only.
    pub fn as_of_other_runs(&self) -> BTreeMap<&str, &str> {
        let other = self.carried.iter().filter(|(_, made_by)| made_by.as_of != self.as_of);
        other.map(|(table, made_by)| (table.as_str(), made_by.as_of.as_str())).collect()
    }

    /// Who made each table of the set, where that is known.
    pub(crate) fn makers(&self) -> BTreeMap<String, MadeBy> {
        self.tables.keys().filter_map(|table| Some((table.clone(), self.made_by(table)?))).collect()
    }
}
