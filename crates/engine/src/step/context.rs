//! What the steps of one run share.

use std::collections::BTreeMap;

use throughline_lake::{CommitDetails, Committed, StagedTable, Warehouse};

use super::commit::Commits;
use super::leftovers::Leftovers;
use super::relations::Relations;
use crate::failure::EngineError;
use crate::incremental::{ChangedCustomers, FoundOpenInstances, Rebuilds};

/// What the steps of one run share: how they read, what is rebuilt, and how they publish.
pub(crate) struct StepContext {
    pub(crate) relations: Relations,
    /// Which rows of incremental models are rebuilt.
    pub(crate) rebuilds: Rebuilds,
    /// Whose touchpoints have changed, once the view of touchpoints has been read.
    pub(crate) changed: ChangedCustomers,
    /// The instances that were open at the instants since which steps match.
    pub(crate) open_instances: FoundOpenInstances,
    /// The tables of the last complete run, with their versions.
    pub(crate) published: BTreeMap<String, u64>,
    pub(crate) run_id: String,
    /// The warehouse, as the run writes to it.
    pub(crate) warehouse: Warehouse,
    pub(crate) commits: Commits,
    pub(crate) leftovers: Leftovers,
}

impl StepContext {
    /// Publishes staged rows in one commit. Whoever awaits this records the version before awaiting anything else: a
    /// stop may end a step at every other `await`.
    pub(crate) async fn publish(
        &self,
        staged: &StagedTable,
        details: &CommitDetails,
    ) -> Result<Committed, EngineError> {
        let remove = self.leftovers.remove(staged.name(), &self.warehouse, self.relations.observer.as_ref());
        self.commits.commit(staged, details, remove).await
    }

    /// What a commit says of the run and of the definition that the rows were made from.
    pub(crate) fn commit_details(&self, fingerprint: &str) -> CommitDetails {
        let plan = &self.relations.prepared.plan;
        CommitDetails {
            run_id: self.run_id.clone(),
            pipeline: plan.pipeline.name.value.clone(),
            as_of: Some(plan.parameters.as_of()),
            fingerprint: fingerprint.to_owned(),
            ledger: None,
            extra: serde_json::Map::new(),
        }
    }
}
