//! `--retry`: which results of the last run are reused, and why the other steps run again.
//!
//! A result is reused only when everything that the step was made from is the same ([`super::made_from`]), and when its
//! table is still at the version that was published. Sources and views have no table; they are read again when a table
//! that runs again needs them.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use throughline_lake::Warehouse;
use throughline_plan::{Plan, Step, read_by_tests};

use super::made_from::{MadeFrom, difference};
use crate::failure::EngineError;
use crate::record::run_record::RunRecord;
use crate::record::step_record::{StepRecord, StepStatus};
use crate::record::usage::StepUsage;
use crate::step::rejected::rejected_table;

/// The newest versions of tables: those of the warehouse, or fakes in tests.
pub(crate) trait NewestVersions {
    /// The newest version of a table; `None` when there is no such table.
    async fn newest(&self, table: &str) -> Result<Option<u64>, EngineError>;
}

impl NewestVersions for Warehouse {
    async fn newest(&self, table: &str) -> Result<Option<u64>, EngineError> {
        Ok(self.table(table).await?.map(|table| table.version))
    }
}

/// A step that may be reused.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) is_table: bool,
    /// For a table, the sources and views that its rows or tests need.
    pub(crate) needs: BTreeSet<String>,
}

/// What is reused of the last run.
#[derive(Debug, Default)]
pub(crate) struct Resumption {
    /// Results that are reused, by step.
    pub(crate) reused: BTreeMap<String, StepRecord>,
    /// Why each other step runs.
    pub(crate) because: BTreeMap<String, String>,
}

/// The steps of a run, in the plan's order, as candidates.
pub(crate) fn candidates(plan: &Plan, steps: &[&Step]) -> Result<Vec<Candidate>, EngineError> {
    let candidate = |step: &&Step| {
        let is_table = plan.is_table(&step.name);
        let needs = if is_table { needs(plan, &step.name)? } else { BTreeSet::new() };
        Ok(Candidate { name: step.name.clone(), is_table, needs })
    };
    steps.iter().map(candidate).collect()
}

fn needs(plan: &Plan, table: &str) -> Result<BTreeSet<String>, EngineError> {
    let mut read = BTreeSet::from([table.to_owned()]);
    if let Some(model) = plan.pipeline.models.get(table) {
        read.extend(read_by_tests(model)?);
    }
    let needed = plan.through_views(read.iter().map(String::as_str), None);
    Ok(needed.into_iter().map(ToOwned::to_owned).collect())
}

impl Resumption {
    /// Decides for each of the candidates, which are in the plan's order.
    pub(crate) async fn decide(
        last: &RunRecord,
        candidates: &[Candidate],
        made_from: &MadeFrom,
        versions: &impl NewestVersions,
    ) -> Result<Self, EngineError> {
        let mut resumption = Self::default();
        let (tables, others): (Vec<_>, Vec<_>) = candidates.iter().partition(|candidate| candidate.is_table);
        for table in &tables {
            let rebuilt = made_from.tables(&table.name).find(|input| resumption.because.contains_key(*input));
            let found = match rebuilt {
                Some(input) => Err(format!("`{input}` runs again")),
                None => resumption.same_as_last(last, &table.name, made_from),
            };
            let found = match found {
                Ok(record) => is_newest(versions, &table.name, record.version).await?.map(|()| record),
                Err(why) => Err(why),
            };
            resumption.add(&last.run_id, &table.name, found);
        }
        let run_again = tables.iter().filter(|table| resumption.because.contains_key(&table.name));
        let needed: BTreeSet<&str> = run_again.flat_map(|table| table.needs.iter().map(String::as_str)).collect();
        for relation in &others {
            let found = match needed.contains(relation.name.as_str()) {
                true => Err("it is read again".to_owned()),
                false => resumption.same_as_last(last, &relation.name, made_from),
            };
            let found = match found {
                Ok(record) if record.rejected_version.is_some() => {
                    let rejected = rejected_table(&relation.name);
                    is_newest(versions, &rejected, record.rejected_version).await?.map(|()| record)
                }
                found => found,
            };
            resumption.add(&last.run_id, &relation.name, found);
        }
        Ok(resumption)
    }

    /// The last run's record of a step, if it succeeded and was made from the same.
    fn same_as_last(&self, last: &RunRecord, name: &str, made_from: &MadeFrom) -> Result<StepRecord, String> {
        let Some(record) = last.steps.iter().find(|record| record.step == name) else {
            return Err("the last run did not reach it".to_owned());
        };
        match record.status {
            StepStatus::Done => {}
            StepStatus::NotRun => return Err("it did not run".to_owned()),
            StepStatus::Failed => return Err("it failed".to_owned()),
            StepStatus::TestsFailed => return Err("a test of it failed".to_owned()),
        }
        let now = made_from.of_step(name, |table| self.reused.get(table).and_then(|reused| reused.version));
        match difference(&record.made_from, &now) {
            Some(why) => Err(why),
            None => Ok(record.clone()),
        }
    }

    fn add(&mut self, last: &str, name: &str, found: Result<StepRecord, String>) {
        match found {
            Ok(record) => {
                let reused_from = Some(record.reused_from.clone().unwrap_or_else(|| last.to_owned()));
                let usage = StepUsage::default();
                let record = StepRecord { reused_from, rerun_because: None, seconds: 0.0, usage, ..record };
                self.reused.insert(name.to_owned(), record);
            }
            Err(why) => {
                self.because.insert(name.to_owned(), why);
            }
        }
    }

    /// Registers the reused tables of `candidates` at their versions.
    pub(crate) async fn register(
        &self,
        candidates: &[Candidate],
        warehouse: &Warehouse,
        session: &SessionContext,
    ) -> Result<(), EngineError> {
        for candidate in candidates.iter().filter(|candidate| candidate.is_table) {
            let name = candidate.name.as_str();
            let Some(record) = self.reused.get(name) else { continue };
            let version =
                record.version.ok_or_else(|| EngineError::internal(format!("`{name}` is reused without a version")))?;
            let Some(table) = warehouse.table_at(name, version).await? else {
                return Err(EngineError::VersionRemoved {
                    table: name.to_owned(),
                    version,
                    place: warehouse.location().to_string(),
                    help: "somebody removed it: run without --retry",
                });
            };
            session.deregister_table(name)?;
            session.register_table(name, table.provider)?;
        }
        Ok(())
    }

    /// What is reused and what is not, for people.
    pub(crate) fn summary(&self, last: &str, candidates: &[Candidate]) -> String {
        let tables = || candidates.iter().filter(|candidate| candidate.is_table).map(|table| &table.name);
        let run_again = tables().filter_map(|name| Some(format!("{name} ({})", self.because.get(name)?)));
        let run_again: Vec<String> = run_again.collect();
        let reused = tables().filter(|name| self.reused.contains_key(*name)).count();
        let run_again = if run_again.is_empty() {
            "nothing is left to do".to_owned()
        } else {
            format!("run again: {}", run_again.join(", "))
        };
        let taken_over = if reused == 1 { "1 table is".to_owned() } else { format!("{reused} tables are") };
        format!("goes on after run {last}: {taken_over} taken over; {run_again}")
    }
}

/// Whether a table is still at a version; if not, why not.
async fn is_newest(
    versions: &impl NewestVersions,
    table: &str,
    version: Option<u64>,
) -> Result<Result<(), String>, EngineError> {
    Ok(match (versions.newest(table).await?, version) {
        (Some(newest), Some(version)) if newest == version => Ok(()),
        (Some(newest), _) => Err(format!("version {newest} of `{table}` was published since")),
        (None, _) => Err(format!("`{table}` is gone")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::made_from::tests::made_from;
    use super::*;
    use crate::record::run_record::RunStatus;

    /// Newest versions of tables.
    struct Versions(BTreeMap<&'static str, u64>);

    impl NewestVersions for Versions {
        async fn newest(&self, table: &str) -> Result<Option<u64>, EngineError> {
            Ok(self.0.get(table).copied())
        }
    }

    /// A source, a view over it, a fact from the view and a mart from the fact; every table is at version 5.
    fn pipeline() -> (Vec<Candidate>, MadeFrom, Versions) {
        let candidate = |name: &str, is_table, needs: &[&str]| Candidate {
            name: name.to_owned(),
            is_table,
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        };
        let candidates = vec![
            candidate("calls", false, &[]),
            candidate("touchpoints", false, &[]),
            candidate("fact", true, &["fact", "touchpoints", "calls"]),
            candidate("mart", true, &["mart", "fact"]),
        ];
        let steps: [(&str, &[&str]); 4] = [("calls", &[]), ("touchpoints", &[]), ("fact", &[]), ("mart", &["fact"])];
        let versions = [("fact", 5), ("mart", 5), ("calls__rejected", 5)];
        (candidates, made_from(&steps, &[("fact", 4)]), Versions(versions.into_iter().collect()))
    }

    /// The record of a run that did everything.
    fn last(made_from: &MadeFrom) -> RunRecord {
        let step = |name: &str, version: Option<u64>| StepRecord {
            version,
            made_from: made_from.of_step(name, |_| Some(5)),
            seconds: 3.0,
            ..StepRecord::new(name, "table", "", StepStatus::Done)
        };
        RunRecord {
            run_id: "last".to_owned(),
            pipeline: "p".to_owned(),
            as_of: String::new(),
            started_at: String::new(),
            finished_at: String::new(),
            seconds: 9.0,
            status: RunStatus::Failed,
            program: String::new(),
            peak_memory_bytes: None,
            steps: vec![step("calls", None), step("touchpoints", None), step("fact", Some(5)), step("mart", Some(5))],
            triggers: Vec::new(),
            not_shown: Vec::new(),
            tables: BTreeMap::new(),
            carried: BTreeMap::new(),
        }
    }

    /// What is reused, and why the rest is not, after `change` to the last run's record and the newest versions.
    async fn decided(change: impl FnOnce(&mut RunRecord, &mut Versions)) -> (Vec<String>, BTreeMap<String, String>) {
        let (candidates, made_from, mut versions) = pipeline();
        let mut last = last(&made_from);
        change(&mut last, &mut versions);
        let resumption =
            Resumption::decide(&last, &candidates, &made_from, &versions).await.expect("versions are known");
        (resumption.reused.into_keys().collect(), resumption.because)
    }

    fn record<'a>(last: &'a mut RunRecord, step: &str) -> &'a mut StepRecord {
        last.steps.iter_mut().find(|record| record.step == step).expect("a step of the run")
    }

    #[tokio::test]
    async fn what_is_the_same_is_reused_without_its_cost() {
        let (reused, because) = decided(|_, _| {}).await;
        assert_eq!(reused, ["calls", "fact", "mart", "touchpoints"]);
        assert!(because.is_empty());
        let (candidates, made_from, versions) = pipeline();
        let resumption = Resumption::decide(&last(&made_from), &candidates, &made_from, &versions).await;
        let record = resumption.expect("versions are known").reused.remove("mart").expect("it is reused");
        assert_eq!((record.reused_from.as_deref(), record.seconds), (Some("last"), 0.0));
    }

    #[tokio::test]
    async fn a_step_that_failed_runs_again_with_what_it_reads() {
        let (reused, because) = decided(|last, _| record(last, "fact").status = StepStatus::Failed).await;
        assert_eq!(reused, [""; 0]);
        assert_eq!(because["fact"], "it failed");
        assert_eq!(because["mart"], "`fact` runs again");
        assert_eq!(
            (because["calls"].as_str(), because["touchpoints"].as_str()),
            ("it is read again", "it is read again")
        );
    }

    #[tokio::test]
    async fn only_the_last_table_runs_again_when_only_it_failed() {
        let (reused, because) = decided(|last, _| record(last, "mart").status = StepStatus::TestsFailed).await;
        assert_eq!(reused, ["calls", "fact", "touchpoints"]);
        assert_eq!(because["mart"], "a test of it failed");
    }

    #[tokio::test]
    async fn a_step_that_the_last_run_did_not_reach_or_run_runs() {
        let (_, because) = decided(|last, _| last.steps.retain(|record| record.step != "mart")).await;
        assert_eq!(because["mart"], "the last run did not reach it");
        let (_, because) = decided(|last, _| record(last, "mart").status = StepStatus::NotRun).await;
        assert_eq!(because["mart"], "it did not run");
    }

    #[tokio::test]
    async fn a_changed_definition_runs_again() {
        let change = |last: &mut RunRecord, _: &mut Versions| {
            record(last, "mart").made_from.insert("definition".to_owned(), "another".to_owned());
        };
        let (reused, because) = decided(change).await;
        assert_eq!(reused, ["calls", "fact", "touchpoints"]);
        assert_eq!(because["mart"], "its definition changed");
    }

    #[tokio::test]
    async fn a_table_that_another_run_has_replaced_is_not_reused() {
        let (_, because) = decided(|_, versions| _ = versions.0.insert("mart", 6)).await;
        assert_eq!(because["mart"], "version 6 of `mart` was published since");
    }

    #[tokio::test]
    async fn a_table_that_is_gone_is_not_reused() {
        let (_, because) = decided(|_, versions| _ = versions.0.remove("fact")).await;
        assert_eq!(because["fact"], "`fact` is gone");
        assert_eq!(because["mart"], "`fact` runs again");
    }

    #[tokio::test]
    async fn a_source_whose_rejected_rows_were_replaced_is_read_again() {
        let change = |last: &mut RunRecord, versions: &mut Versions| {
            record(last, "calls").rejected_version = Some(5);
            versions.0.insert("calls__rejected", 6);
        };
        let (reused, because) = decided(change).await;
        assert_eq!(reused, ["fact", "mart", "touchpoints"]);
        assert_eq!(because["calls"], "version 6 of `calls__rejected` was published since");
    }

    #[tokio::test]
    async fn a_result_that_was_reused_before_keeps_the_run_that_made_it() {
        let (candidates, made_from, versions) = pipeline();
        let mut last = last(&made_from);
        record(&mut last, "fact").reused_from = Some("first".to_owned());
        let resumption =
            Resumption::decide(&last, &candidates, &made_from, &versions).await.expect("versions are known");
        assert_eq!(resumption.reused["fact"].reused_from.as_deref(), Some("first"));
        assert_eq!(resumption.reused["mart"].reused_from.as_deref(), Some("last"));
    }

    #[tokio::test]
    async fn the_summary_names_the_tables_that_run_again() {
        let (candidates, made_from, versions) = pipeline();
        let mut last = last(&made_from);
        let all = Resumption::decide(&last, &candidates, &made_from, &versions).await.expect("versions are known");
        let summary = all.summary("last", &candidates);
        assert_eq!(summary, "goes on after run last: 2 tables are taken over; nothing is left to do");
        record(&mut last, "mart").status = StepStatus::Failed;
        let some = Resumption::decide(&last, &candidates, &made_from, &versions).await.expect("versions are known");
        let summary = some.summary("last", &candidates);
        assert_eq!(summary, "goes on after run last: 1 table is taken over; run again: mart (it failed)");
    }
}
