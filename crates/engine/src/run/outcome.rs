//! How a run ends, and which versions of tables belong together after it.

use std::collections::BTreeMap;

use crate::record::run_record::{MadeBy, RunRecord, RunStatus};
use crate::record::step_record::{StepRecord, StepStatus};
use crate::step::rejected::rejected_table;

/// The status of a run whose steps ended like this.
pub(crate) fn status(steps: &[StepRecord], is_stopped: bool) -> RunStatus {
    let any = |status: StepStatus| steps.iter().any(|step| step.status == status);
    if is_stopped && any(StepStatus::NotRun) {
        RunStatus::Interrupted
    } else if steps.iter().any(|step| step.held) {
        RunStatus::Held
    } else if any(StepStatus::Failed) {
        RunStatus::Failed
    } else if any(StepStatus::TestsFailed) {
        RunStatus::TestsFailed
    } else {
        RunStatus::Done
    }
}

/// The versions of all published tables after a run: those of the last complete run, and those that it published
/// itself.
pub(crate) fn versions(published: BTreeMap<String, u64>, steps: &[StepRecord]) -> BTreeMap<String, u64> {
    let mut tables = published;
    for step in steps {
        if let Some(version) = step.version {
            tables.insert(step.step.clone(), version);
        }
        let rejected = rejected_table(&step.step);
        match (step.rejected_version, &step.intake) {
            (Some(version), _) => {
                tables.insert(rejected, version);
            }
            // All rows kept their contract this time: an older run's rejected rows are no part of this one.
            (None, Some(_)) => {
                tables.remove(&rejected);
            }
            (None, None) => {}
        }
    }
    tables
}

/// The tables of the set that a run did not make, with who made them: `before` says it of the set that was published.
pub(crate) fn carried(record: &RunRecord, before: &BTreeMap<String, MadeBy>) -> BTreeMap<String, MadeBy> {
    let made_here = |table: &str| record.made_by(table).is_some();
    before
        .iter()
        .filter(|(table, _)| record.tables.contains_key(*table) && !made_here(table))
        .map(|(table, made_by)| (table.clone(), made_by.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::step_record::IntakeCounts;

    fn step(name: &str, status: StepStatus) -> StepRecord {
        StepRecord::new(name, "table", "", status)
    }

    fn published(tables: &[(&str, u64)]) -> BTreeMap<String, u64> {
        tables.iter().map(|(table, version)| ((*table).to_owned(), *version)).collect()
    }

    #[test]
    fn a_run_is_done_when_every_step_is() {
        use StepStatus::{Done, Failed, NotRun, TestsFailed};
        let of = |statuses: &[StepStatus]| {
            let steps: Vec<StepRecord> = statuses.iter().map(|status| step("a", *status)).collect();
            status(&steps, false)
        };
        assert_eq!(of(&[]), RunStatus::Done);
        assert_eq!(of(&[Done, Done]), RunStatus::Done);
        assert_eq!(of(&[Done, TestsFailed, NotRun]), RunStatus::TestsFailed);
        assert_eq!(of(&[TestsFailed, Failed]), RunStatus::Failed, "a failure is worse than a failed test");
    }

    #[test]
    fn a_run_that_lost_its_pipeline_is_held_whatever_failed_besides() {
        let held = StepRecord { held: true, ..step("a", StepStatus::Failed) };
        assert_eq!(status(&[held, step("b", StepStatus::TestsFailed)], false), RunStatus::Held);
    }

    #[test]
    fn a_run_is_interrupted_only_when_something_did_not_run() {
        let done = [step("a", StepStatus::Done)];
        assert_eq!(status(&done, true), RunStatus::Done, "the stop came too late to stop anything");
        let cut = [step("a", StepStatus::Done), step("b", StepStatus::NotRun)];
        assert_eq!(status(&cut, true), RunStatus::Interrupted);
        assert_eq!(status(&[step("b", StepStatus::NotRun), step("a", StepStatus::Failed)], false), RunStatus::Failed);
    }

    #[test]
    fn tables_that_were_not_made_keep_the_version_of_the_last_complete_run() {
        let steps =
            [StepRecord { version: Some(8), ..step("made", StepStatus::Done) }, step("failed", StepStatus::Failed)];
        let tables = versions(published(&[("made", 3), ("failed", 4), ("other", 5)]), &steps);
        assert_eq!(tables, published(&[("made", 8), ("failed", 4), ("other", 5)]));
    }

    #[test]
    fn rejected_rows_of_an_older_run_are_no_part_of_this_one() {
        let read = |name: &str, rejected_version| StepRecord {
            rejected_version,
            intake: Some(IntakeCounts::default()),
            ..step(name, StepStatus::Done)
        };
        let before = published(&[("calls__rejected", 3), ("web__rejected", 3), ("mail__rejected", 3)]);
        let tables = versions(before, &[read("calls", Some(4)), read("web", None), step("mail", StepStatus::NotRun)]);
        assert_eq!(tables, published(&[("calls__rejected", 4), ("mail__rejected", 3)]));
    }
}
