//! `snapshot create`: runs the pipeline as of the end of a period, and freezes its tables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use throughline_config::Pipeline;
use throughline_lake::{
    Lease, Snapshot, SnapshotDraft, SnapshotError, SnapshotName, Snapshots, Superseded, TableDraft, Warehouse,
};

use super::diff::{SnapshotDiff, compare};
use super::tables::Tables;
use crate::failure::EngineError;
use crate::instants::rfc3339;
use crate::read::snapshots::parsed;
use crate::record::events::Observer;
use crate::record::run_record::{RunRecord, RunStatus};
use crate::run::lease::{LEASE, snapshot_lease, take_lease};
use crate::run::stages::{RunOptions, RunOutcome, run};
use crate::step::leftovers::WRITES_END_WITHIN;
use crate::step::stop::StopSignal;
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::{Prepared, prepare};

/// A scratch warehouse in which nothing was written for so long belongs to an attempt that was killed.
const ABANDONED_AFTER: TimeDelta = TimeDelta::hours(24);

/// How often the newest revision is looked up because somebody else was faster.
const LOOKS: u32 = 5;

/// How a snapshot is made.
#[derive(Debug, Clone, Default)]
pub struct SnapshotOptions {
    /// Publish a revision when there is a snapshot with other rows.
    pub revise: bool,
    /// Steps side by side, at least one.
    pub threads: usize,
    /// For asking it to stop; then nothing is written.
    pub stop: StopSignal,
}

/// The outcome of making a snapshot.
#[derive(Debug)]
pub enum SnapshotOutcome {
    /// A snapshot was published.
    Created {
        /// The snapshot.
        snapshot: Box<Snapshot>,
        /// What changed, where it is a revision.
        changes: Option<SnapshotDiff>,
    },
    /// The newest revision has the same rows; nothing was written.
    Same {
        /// The snapshot.
        snapshot: Box<Snapshot>,
    },
    /// The newest revision has other rows and no revision was asked for; nothing was written.
    Differs {
        /// The snapshot.
        snapshot: Box<Snapshot>,
        /// What a revision would change.
        changes: SnapshotDiff,
    },
    /// A step or a test failed; nothing was written.
    RunFailed {
        /// The run's record.
        record: Box<RunRecord>,
    },
}

/// Computes the snapshot of a period and publishes it, unless there is one already with the same rows.
///
/// # Errors
/// Somebody else makes it at the moment. The period is not over, or was before the pipeline's start; the name is a
/// revision's; the warehouse holds a snapshot of another pipeline under this name; and whatever keeps a run from
/// beginning.
pub async fn create_snapshot(
    options: PrepareOptions,
    name: &str,
    how: SnapshotOptions,
    observer: &Arc<dyn Observer>,
) -> Result<SnapshotOutcome, EngineError> {
    let name = parsed(name)?;
    refuse_unfinished(name)?;
    let variables: BTreeMap<String, String> = options.variables.iter().cloned().collect();
    let as_of = name.period.end().timestamp_micros();
    let prepared = prepare(PrepareOptions { as_of, ..options }).await?;
    let pipeline = Arc::clone(&prepared.plan.pipeline);
    if as_of <= pipeline.start.value {
        return Err(EngineError::refused(
            format!("{name} was over before the pipeline's start, {}", rfc3339(pipeline.start.value)),
            "name a later one, or let the pipeline start earlier",
        ));
    }
    let all = prepared.warehouse.snapshots();
    let held = snapshot_lease(&name.to_string());
    let lease = take_lease(&prepared.warehouse, &held, &held, LEASE).await?;
    let outcome = create_with_lease(prepared, &pipeline, (all, name, variables), &lease, &how, observer).await;
    lease.release().await;
    outcome
}

async fn create_with_lease(
    mut prepared: Prepared,
    pipeline: &Pipeline,
    (all, name, variables): (Snapshots, SnapshotName, BTreeMap<String, String>),
    lease: &Lease,
    how: &SnapshotOptions,
    observer: &Arc<dyn Observer>,
) -> Result<SnapshotOutcome, EngineError> {
    let newest = newest_revision(&all, name, &pipeline.name.value).await?;
    // What earlier attempts left is not worth failing for.
    let _ = all.sweep(Utc::now() - ABANDONED_AFTER, false).await;

    let scratch = all.scratch(name);
    let _removed = RemovedWhenDropped(scratch.location().local.clone());
    prepared.warehouse = scratch.clone();
    prepared.plan.pipeline = Arc::new(Pipeline { triggers: indexmap::IndexMap::new(), ..pipeline.clone() });
    let attempt = Attempt { prepared: Arc::new(prepared), all, scratch, name, newest, variables, lease };
    let outcome = attempt.compute_and_publish(how, observer).await;
    let _ = attempt.all.remove_scratch(&attempt.scratch).await;
    outcome
}

fn refuse_unfinished(name: SnapshotName) -> Result<(), EngineError> {
    if name.revision > 1 {
        return Err(EngineError::refused(
            format!("{name} is a revision, and revisions are numbered as they come"),
            format!("write: throughline snapshot create {} --revise", name.period),
        ));
    }
    let (end, kind) = (name.period.end(), name.period.kind());
    if end > Utc::now() {
        return Err(EngineError::refused(
            format!("the {kind} {name} is not over: it ends at {}", end.to_rfc3339_opts(SecondsFormat::Secs, true)),
            format!("a snapshot is as of the first instant after its {kind}; until then, look at `throughline show`"),
        ));
    }
    Ok(())
}

async fn newest_revision(all: &Snapshots, name: SnapshotName, pipeline: &str) -> Result<Option<Snapshot>, EngineError> {
    let names = all.names().await?;
    let Some(newest) = names.into_iter().filter(|other| other.period == name.period).max() else { return Ok(None) };
    let Some(snapshot) = all.open(newest).await? else { return Ok(None) };
    if snapshot.manifest().pipeline != pipeline {
        return Err(EngineError::refused(
            format!("the warehouse holds a snapshot {newest} of the pipeline `{}`", snapshot.manifest().pipeline),
            "give each pipeline a warehouse of its own",
        ));
    }
    Ok(Some(snapshot))
}

/// A scratch folder on a local disk that goes with whoever works in it, also when that is given up in the middle.
struct RemovedWhenDropped(Option<PathBuf>);

impl Drop for RemovedWhenDropped {
    fn drop(&mut self) {
        let Some(folder) = self.0.take().filter(|folder| folder.is_dir()) else { return };
        let _ = std::fs::remove_dir_all(&folder);
        // A write that was under way may have made it again.
        std::thread::sleep(WRITES_END_WITHIN);
        let _ = std::fs::remove_dir_all(&folder);
    }
}

/// One attempt at a snapshot.
struct Attempt<'a> {
    prepared: Arc<Prepared>,
    all: Snapshots,
    scratch: Warehouse,
    name: SnapshotName,
    newest: Option<Snapshot>,
    variables: BTreeMap<String, String>,
    /// Held as long as the snapshot is made: whoever removes what attempts left behind has to hold it too.
    lease: &'a Lease,
}

impl Attempt<'_> {
    async fn compute_and_publish(
        &self,
        how: &SnapshotOptions,
        observer: &Arc<dyn Observer>,
    ) -> Result<SnapshotOutcome, EngineError> {
        let options = RunOptions { threads: how.threads, stop: how.stop.clone(), ..RunOptions::default() };
        let RunOutcome::Recorded(record) = run(&self.prepared, &options, observer).await? else {
            return Err(EngineError::internal("a scratch warehouse holds a later day"));
        };
        if record.status != RunStatus::Done {
            return Ok(SnapshotOutcome::RunFailed { record });
        }
        let mut newest = self.newest.clone();
        for _ in 0..LOOKS {
            if let Some(outcome) = self.settle(&record, newest.as_ref(), how).await? {
                return Ok(outcome);
            }
            newest = newest_revision(&self.all, self.name, &self.prepared.plan.pipeline.name.value).await?;
        }
        Err(EngineError::Outrun { snapshot: self.name.to_string(), attempts: LOOKS })
    }

    /// Compares the rows with the newest revision and publishes them if they differ and that was asked for. `None` when
    /// somebody else published under the same name meanwhile.
    async fn settle(
        &self,
        record: &RunRecord,
        newest: Option<&Snapshot>,
        how: &SnapshotOptions,
    ) -> Result<Option<SnapshotOutcome>, EngineError> {
        let mut draft = self.draft(record)?;
        let Some(newest) = newest else {
            let created = self.publish(&draft, &how.stop).await?;
            return Ok(created.map(|snapshot| SnapshotOutcome::Created { snapshot, changes: None }));
        };
        let next = newest.name().next();
        let before = Tables::of_snapshot(newest);
        let now = Tables::of_scratch(&self.scratch, &draft, &next.to_string()).await?;
        let session = self.prepared.session()?;
        let changes = tokio::select! {
            changes = compare(&session, &before, &now, None) => changes?,
            () = how.stop.requested() => return Err(EngineError::Interrupted),
        };
        let snapshot = Box::new(newest.clone());
        if changes.same_rows() {
            return Ok(Some(SnapshotOutcome::Same { snapshot }));
        }
        if !how.revise {
            return Ok(Some(SnapshotOutcome::Differs { snapshot, changes }));
        }
        draft.name = next;
        draft.supersedes = Some(Superseded {
            snapshot: newest.name().to_string(),
            manifest_sha256: newest.manifest().manifest_sha256.clone(),
        });
        draft.changes = value(&changes)?;
        let created = self.publish(&draft, &how.stop).await?;
        Ok(created.map(|snapshot| SnapshotOutcome::Created { snapshot, changes: Some(changes) }))
    }

    async fn publish(&self, draft: &SnapshotDraft, stop: &StopSignal) -> Result<Option<Box<Snapshot>>, EngineError> {
        // Once it has begun it is let finish: it lasts as long as copying the files.
        if stop.is_requested() {
            return Err(EngineError::Interrupted);
        }
        self.lease.confirm().await?;
        match self.all.publish(&self.scratch, draft).await {
            Ok(snapshot) => Ok(Some(Box::new(snapshot))),
            Err(SnapshotError::Exists { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn draft(&self, record: &RunRecord) -> Result<SnapshotDraft, EngineError> {
        let plan = &self.prepared.plan;
        let tables = record.tables.iter().map(|(name, version)| {
            let model = plan.pipeline.models.get(name);
            let table = TableDraft {
                version: *version,
                grain: model
                    .map(|model| model.grain.iter().map(|column| column.value.clone()).collect())
                    .unwrap_or_default(),
                fingerprint: plan.step(name).map(|step| step.fingerprint.clone()).unwrap_or_default(),
            };
            (name.clone(), table)
        });
        Ok(SnapshotDraft {
            name: self.name,
            supersedes: None,
            pipeline: plan.pipeline.name.value.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: plan.fingerprint(),
            variables: self.variables.clone(),
            changes: Value::Null,
            run: value(record)?,
            tables: tables.collect(),
        })
    }
}

fn value(of: &impl serde::Serialize) -> Result<Value, EngineError> {
    serde_json::to_value(of).map_err(|error| EngineError::unexpected("the manifest cannot be written", error))
}
