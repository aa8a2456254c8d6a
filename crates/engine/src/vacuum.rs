//! `throughline vacuum`: removes files that nobody needs any more, and writes checkpoints of long logs.
//!
//! What a reader may still have open is kept: the newest version of every table; the sets of versions of every run that
//! ended within the retention, of the newest complete run of each pipeline, and of the complete run before that, which
//! readers may have opened just before the retention began. Snapshots have files of their own, which no vacuum reads.
//! Folders in which no pipeline here has made a table are left alone too: somebody may keep a source beside the tables.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt};
use throughline_config::Pipeline;
use throughline_lake::{Checkpoint, CheckpointOutcome, Lease, LeftBehind, Vacuum, VacuumedTable, Warehouse};
use throughline_plan::TRIGGER_LOG;

use crate::failure::EngineError;
use crate::incremental::digests_table;
use crate::record::run_record::{RunRecord, RunStatus};
use crate::record::stored::read_record;
use crate::run::lease::{LEASE, VACUUM_HOLDER, take_lease};
use crate::step::rejected::rejected_table;
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;

/// A log with so many entries since its last checkpoint gets one. A reader opens each entry after the checkpoint, so a
/// nightly pipeline's tables are opened with some twenty requests at most.
const ENTRIES_BETWEEN_CHECKPOINTS: u64 = 20;

/// Run records read side by side.
const AT_ONCE: usize = 16;

/// What a vacuum does.
#[derive(Debug, Clone, Copy)]
pub struct VacuumOptions {
    /// How long files stay that nothing but an older version names, and files that nothing names yet.
    pub retention: TimeDelta,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Take the lease of every pipeline of the warehouse as a run does, so that no run and no snapshot is under way:
    /// for retentions that these may outlast.
    pub alone: bool,
}

/// What a vacuum did.
#[derive(Debug)]
pub struct VacuumReport {
    /// Only files older than this could be removed.
    pub before: DateTime<Utc>,
    /// Each table's folder.
    pub tables: Vec<VacuumedTable>,
    /// Files that killed attempts at snapshots left.
    pub left_behind: LeftBehind,
    /// Checkpoints that were written or could not be; none in a dry run.
    pub checkpoints: Vec<Checkpoint>,
    /// Tables that were left as they are because of an error.
    pub failed: Vec<(String, EngineError)>,
}

/// Removes what nobody needs.
///
/// # Errors
/// The run records cannot be read, so that nobody knows what has to stay; or the pipelines are to be held and a run
/// holds one. A table that cannot be read is reported and the others are done.
pub async fn vacuum(options: &PrepareOptions, how: VacuumOptions) -> Result<VacuumReport, EngineError> {
    let (pipeline, warehouse, _) = locate(options)?;
    if !how.alone || how.dry_run {
        return vacuum_tables(&pipeline, &warehouse, how).await;
    }
    let mut held = Vec::new();
    let outcome = match take_all_leases(&pipeline, &warehouse, &mut held).await {
        Ok(()) => vacuum_tables(&pipeline, &warehouse, how).await,
        Err(error) => Err(error),
    };
    for lease in held {
        lease.release().await;
    }
    outcome
}

/// Takes the lease of this pipeline and of whatever else was ever held in the warehouse: other pipelines, whose tables
/// are vacuumed too and whose staged files are as young as ours; and snapshots in the making. Whoever begins later
/// writes files that are younger than the vacuum.
async fn take_all_leases(pipeline: &Pipeline, warehouse: &Warehouse, held: &mut Vec<Lease>) -> Result<(), EngineError> {
    let own = pipeline.name.value.clone();
    let names: BTreeSet<String> = warehouse.lease_names().await?.into_iter().chain([own]).collect();
    for name in names {
        held.push(take_lease(warehouse, &name, VACUUM_HOLDER, LEASE).await?);
    }
    Ok(())
}

async fn vacuum_tables(
    pipeline: &Pipeline,
    warehouse: &Warehouse,
    how: VacuumOptions,
) -> Result<VacuumReport, EngineError> {
    let before = Utc::now() - how.retention;
    let records = records(warehouse).await?;
    let keep = kept_versions(&records, before);
    let ours = our_tables(pipeline, &records);
    let request = Vacuum { before, keep, dry_run: how.dry_run };
    let mut report = VacuumReport {
        before,
        tables: Vec::new(),
        left_behind: warehouse.snapshots().sweep(before, how.dry_run).await?,
        checkpoints: Vec::new(),
        failed: Vec::new(),
    };
    for table in warehouse.table_folders().await?.into_iter().filter(|table| ours.contains(table)) {
        match warehouse.vacuum(&table, &request).await {
            Ok(vacuumed) if vacuumed.skipped.is_some() => {
                report.tables.push(vacuumed);
                continue;
            }
            Ok(vacuumed) => report.tables.push(vacuumed),
            Err(error) => {
                report.failed.push((table, error.into()));
                continue;
            }
        }
        if how.dry_run {
            continue;
        }
        match warehouse.checkpoint(&table, ENTRIES_BETWEEN_CHECKPOINTS).await {
            Ok(checkpoint) if checkpoint.outcome == CheckpointOutcome::NotNeeded => {}
            Ok(checkpoint) => report.checkpoints.push(checkpoint),
            Err(error) => report.failed.push((table, error.into())),
        }
    }
    Ok(report)
}

/// Every run of every pipeline in the warehouse, newest first.
async fn records(warehouse: &Warehouse) -> Result<Vec<RunRecord>, EngineError> {
    let ids = warehouse.run_ids().await?;
    let read = futures::stream::iter(ids).map(|id| async move { read_record(warehouse, &id).await });
    let records: Vec<Option<RunRecord>> = read.buffered(AT_ONCE).try_collect().await?;
    Ok(records.into_iter().flatten().collect())
}

/// Tables that a run has made, or that a run of this pipeline that was killed may have begun to make.
fn our_tables(pipeline: &Pipeline, records: &[RunRecord]) -> BTreeSet<String> {
    let made = records.iter().flat_map(|record| record.tables.keys().cloned());
    // No run's set of tables names the tables of digests: only the next run reads them.
    let steps = records.iter().flat_map(|record| &record.steps).map(|step| step.step.as_str());
    let models = || pipeline.models.keys().map(String::as_str);
    let digests = steps.chain(models()).map(digests_table);
    let rejected = pipeline.sources.keys().map(String::as_str).chain(models()).map(rejected_table);
    let log = std::iter::once(TRIGGER_LOG.to_owned());
    made.chain(models().map(str::to_owned)).chain(digests).chain(rejected).chain(log).collect()
}

/// The versions that some reader or a run that continues another may open, by table.
fn kept_versions(newest_first: &[RunRecord], before: DateTime<Utc>) -> BTreeMap<String, BTreeSet<u64>> {
    let mut kept: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut complete: BTreeMap<&str, usize> = BTreeMap::new();
    for record in newest_first {
        // A record whose time cannot be read counts as young.
        let young = DateTime::parse_from_rfc3339(&record.finished_at).map_or(true, |finished| finished >= before);
        let done = complete.entry(record.pipeline.as_str()).or_default();
        let needed = match record.status {
            RunStatus::Done => {
                // The run before the oldest young one was the newest when the retention began.
                let needed = young || *done == 0;
                *done = if young { 0 } else { *done + 1 };
                needed
            }
            _ => young,
        };
        if needed {
            for (table, version) in &record.tables {
                kept.entry(table.clone()).or_default().insert(*version);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(day: u32, version: u64, status: RunStatus) -> RunRecord {
        let time = format!("2026-11-{day:02}T04:00:00Z");
        RunRecord {
            run_id: format!("202611{day:02}T040000000000Z-00000000"),
            pipeline: "p".into(),
            as_of: time.clone(),
            started_at: time.clone(),
            finished_at: time,
            seconds: 1.0,
            status,
            program: String::new(),
            peak_memory_bytes: None,
            steps: Vec::new(),
            triggers: Vec::new(),
            not_shown: Vec::new(),
            tables: BTreeMap::from([("t".to_owned(), version)]),
            carried: BTreeMap::new(),
        }
    }

    fn kept(records: &[RunRecord], before: &str) -> Vec<u64> {
        let before = DateTime::parse_from_rfc3339(before).expect("an instant").to_utc();
        kept_versions(records, before).remove("t").unwrap_or_default().into_iter().collect()
    }

    #[test]
    fn what_readers_within_the_retention_may_have_open_is_kept() {
        use RunStatus::{Done, Failed};
        let records = [
            record(24, 6, Failed),
            record(23, 5, Done),
            record(22, 4, Done),
            record(20, 3, Failed),
            record(19, 2, Done),
            record(18, 1, Done),
        ];
        // At the cut the run of the 19th was the newest complete one.
        assert_eq!(kept(&records, "2026-11-22T00:00:00Z"), [2, 4, 5, 6]);
        assert_eq!(kept(&records, "2026-11-19T00:00:00Z"), [1, 2, 3, 4, 5, 6]);
        // However old it is, the newest complete run stays.
        assert_eq!(kept(&records, "2027-01-01T00:00:00Z"), [5]);
        assert_eq!(kept(&records[5..], "2027-01-01T00:00:00Z"), [1]);
        assert!(kept(&[], "2027-01-01T00:00:00Z").is_empty());
    }
}
