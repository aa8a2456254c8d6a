//! Going on where the last run ended: which of its steps still hold, and why the others do not.
//!
//! A step is taken over only when everything that it was made from is the same: the program, `as_of`, its definition
//! and tests, every file of the sources it reads, every version of the tables it reads, and when its table is still at
//! the version that was published.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use throughline_lake::Warehouse;
use throughline_plan::{Plan, Step, digest, read_by_tests};

use crate::failure::EngineError;
use crate::incremental::IntervalOptions;
use crate::prepare::Prepared;
use crate::published::{Published, read_record};
use crate::run::rfc3339;
use crate::run_record::{RunRecord, RunStatus, StepRecord, StepStatus};
use crate::usage::StepUsage;

/// The runs of a pipeline since the last one in which every step was done.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// The newest run, done or not.
    pub(crate) last: Option<RunRecord>,
    /// Runs that ended otherwise: failed, interrupted, killed.
    pub(crate) ended: Vec<String>,
    /// Runs that were killed: they left their progress.
    pub(crate) killed: Vec<String>,
}

impl Attempts {
    /// Only to be asked by the run that holds the pipeline: whoever has not ended then has lost it.
    pub(crate) async fn of(warehouse: &Warehouse, pipeline: &str) -> Result<Self, EngineError> {
        let mut attempts = Self::default();
        for run_id in warehouse.run_ids().await? {
            // A record of another version of the program has nothing to take over.
            let Ok(Some(record)) = read_record(warehouse, &run_id).await else { continue };
            if record.pipeline != pipeline {
                continue;
            }
            let done = record.status == RunStatus::Done;
            attempts.last.get_or_insert(record);
            if done {
                break;
            }
            attempts.ended.push(run_id);
        }
        for run_id in warehouse.unfinished_runs().await? {
            let Some(progress) = warehouse.read_progress(&run_id).await? else { continue };
            let Ok(record) = serde_json::from_value::<RunRecord>(progress) else { continue };
            if record.pipeline != pipeline {
                continue;
            }
            if attempts.last.as_ref().is_none_or(|last| last.run_id < run_id) {
                attempts.last = Some(record);
            }
            attempts.ended.push(run_id.clone());
            attempts.killed.push(run_id);
        }
        attempts.ended.sort_unstable();
        attempts.ended.dedup();
        Ok(attempts)
    }
}

/// What each step is made from, apart from the versions of tables made in the same run.
#[derive(Debug, Default)]
pub(crate) struct Ingredients {
    fixed: BTreeMap<String, BTreeMap<String, String>>,
    /// The tables that a step reads, directly or by way of views.
    tables: BTreeMap<String, BTreeSet<String>>,
    /// Versions of tables that are read and not made.
    published: BTreeMap<String, u64>,
}

impl Ingredients {
    pub(crate) fn of(prepared: &Prepared, interval: IntervalOptions, published: Option<&Published>) -> Self {
        let plan = &prepared.plan;
        let mut ingredients = Self {
            published: published.map(|published| published.record.tables.clone()).unwrap_or_default(),
            ..Self::default()
        };
        for step in &plan.steps {
            let mut fixed = BTreeMap::from([
                ("program".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
                ("as_of".to_owned(), rfc3339(plan.parameters.as_of())),
                ("definition".to_owned(), definition(plan, step)),
            ]);
            if interval.full_refresh || interval.start.is_some() {
                let start = interval.start.map_or_else(|| "everything".to_owned(), rfc3339);
                fixed.insert("asked for".to_owned(), start);
            }
            let read = plan.through_views([step.name.as_str()], None);
            for source in read.iter().filter_map(|name| prepared.sources.get(*name).map(|source| (name, source))) {
                let stamps: Vec<String> = source.1.stamps.iter().map(u64::to_string).collect();
                fixed.insert(format!("source {}", source.0), digest(stamps.iter().map(String::as_str)));
            }
            let tables = read.iter().filter(|name| **name != step.name && plan.is_table(name));
            ingredients.tables.insert(step.name.clone(), tables.map(|name| (*name).to_owned()).collect());
            ingredients.fixed.insert(step.name.clone(), fixed);
        }
        ingredients
    }

    /// Everything a step is made from. `made` gives the version of a table of this run.
    pub(crate) fn all(&self, step: &str, made: impl Fn(&str) -> Option<u64>) -> BTreeMap<String, String> {
        let mut all = self.fixed.get(step).cloned().unwrap_or_default();
        for table in self.tables.get(step).into_iter().flatten() {
            let version = made(table).or_else(|| self.published.get(table).copied());
            let version = version.map_or_else(|| "none".to_owned(), |version| format!("version {version}"));
            all.insert(format!("table {table}"), version);
        }
        all
    }

    fn tables(&self, step: &str) -> impl Iterator<Item = &str> {
        self.tables.get(step).into_iter().flatten().map(String::as_str)
    }
}

/// What of the last run is taken over.
#[derive(Debug, Default)]
pub(crate) struct Reuse {
    /// Steps that are not done again.
    pub(crate) taken: BTreeMap<String, StepRecord>,
    /// Why each of the others is.
    pub(crate) again: BTreeMap<String, String>,
}

impl Reuse {
    /// Decides for each of `steps`, which stand in the plan's order, and registers the tables taken over.
    pub(crate) async fn of(
        last: &RunRecord,
        steps: &[&Step],
        plan: &Plan,
        ingredients: &Ingredients,
        warehouse: &Warehouse,
        session: &SessionContext,
    ) -> Result<Self, EngineError> {
        let mut reuse = Self::default();
        let (tables, others): (Vec<&&Step>, Vec<&&Step>) =
            steps.iter().partition(|step| plan.is_table(step.name.as_str()));
        let made: BTreeSet<&str> = tables.iter().map(|step| step.name.as_str()).collect();
        for step in &tables {
            let anew = ingredients.tables(&step.name).find(|table| reuse.again.contains_key(*table));
            let found = match anew {
                Some(table) => Err(format!("`{table}` is made again")),
                None => reuse.still_holds(last, &step.name, ingredients),
            };
            let found = match found {
                Ok(record) => at_head(warehouse, &step.name, record.version).await?.map(|()| record),
                Err(why) => Err(why),
            };
            reuse.decide(&last.run_id, &step.name, found);
        }
        let needed = needed(plan, reuse.again.keys().map(String::as_str).filter(|name| made.contains(name)))?;
        for step in &others {
            let found = if needed.contains(step.name.as_str()) {
                Err("it is read again".to_owned())
            } else {
                match reuse.still_holds(last, &step.name, ingredients) {
                    Ok(record) => {
                        let rejected = format!("{}__rejected", step.name);
                        match record.rejected_version {
                            Some(version) => at_head(warehouse, &rejected, Some(version)).await?.map(|()| record),
                            None => Ok(record),
                        }
                    }
                    Err(why) => Err(why),
                }
            };
            reuse.decide(&last.run_id, &step.name, found);
        }
        for (name, record) in reuse.taken.iter().filter(|(name, _)| made.contains(name.as_str())) {
            let version = record.version.unwrap_or_default();
            let Some(table) = warehouse.table_at(name, version).await? else {
                let message = format!("version {version} of `{name}` is gone");
                return Err(EngineError::failed(message, "somebody removed it: run without --retry"));
            };
            session.deregister_table(name.as_str())?;
            session.register_table(name.as_str(), table.provider)?;
        }
        Ok(reuse)
    }

    fn still_holds(&self, last: &RunRecord, name: &str, ingredients: &Ingredients) -> Result<StepRecord, String> {
        let Some(record) = last.steps.iter().find(|record| record.step == name) else {
            return Err("the last run did not come to it".to_owned());
        };
        match record.status {
            StepStatus::Done => {}
            StepStatus::NotRun => return Err("it did not run".to_owned()),
            StepStatus::Failed => return Err("it failed".to_owned()),
            StepStatus::TestsFailed => return Err("a test of it failed".to_owned()),
        }
        let now = ingredients.all(name, |table| self.taken.get(table).and_then(|taken| taken.version));
        match difference(&record.made_from, &now) {
            Some(why) => Err(why),
            None => Ok(record.clone()),
        }
    }

    fn decide(&mut self, last: &str, name: &str, found: Result<StepRecord, String>) {
        match found {
            Ok(record) => {
                let reused_from = Some(record.reused_from.clone().unwrap_or_else(|| last.to_owned()));
                let record =
                    StepRecord { reused_from, done_again: None, seconds: 0.0, usage: StepUsage::default(), ..record };
                self.taken.insert(name.to_owned(), record);
            }
            Err(why) => {
                self.again.insert(name.to_owned(), why);
            }
        }
    }

    /// What is taken over and what is not, for people.
    pub(crate) fn told(&self, last: &str, plan: &Plan) -> String {
        let tables = |name: &&String| plan.is_table(name);
        let again: Vec<String> =
            self.again.iter().filter(|(name, _)| tables(name)).map(|(name, why)| format!("{name} ({why})")).collect();
        let taken = self.taken.keys().filter(tables).count();
        let again = if again.is_empty() {
            "nothing is left to do".to_owned()
        } else {
            format!("made again: {}", again.join(", "))
        };
        format!("goes on after run {last}: {taken} tables are taken over; {again}")
    }
}

/// Whether a table is still at a version.
async fn at_head(warehouse: &Warehouse, name: &str, version: Option<u64>) -> Result<Result<(), String>, EngineError> {
    let newest = warehouse.table(name).await?.map(|table| table.version);
    Ok(match (newest, version) {
        (Some(newest), Some(version)) if newest == version => Ok(()),
        (Some(newest), _) => Err(format!("version {newest} of `{name}` was published since")),
        (None, _) => Err(format!("`{name}` is gone")),
    })
}

/// The first thing that is not the same, in words.
fn difference(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<String> {
    if then.is_empty() {
        return Some("the last run does not say what it was made from".to_owned());
    }
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differs = keys.into_iter().find(|key| then.get(*key) != now.get(*key))?;
    let value = |of: &BTreeMap<String, String>| of.get(differs).cloned().unwrap_or_else(|| "none".to_owned());
    Some(match differs.split_once(' ') {
        _ if differs == "as_of" => format!("it was made as of {}", value(then)),
        _ if differs == "program" => format!("it was made by throughline {}", value(then)),
        _ if differs == "definition" => "its definition changed".to_owned(),
        Some(("source", source)) => format!("the files of `{source}` changed"),
        Some(("table", table)) => format!("it was made from {} of `{table}`", value(then)),
        _ => format!("what was {differs} is not the same"),
    })
}

/// Everything of a step's definition that its rows or what is said of them depend on.
fn definition(plan: &Plan, step: &Step) -> String {
    let mut text = String::new();
    if let Some(model) = plan.pipeline.models.get(&step.name) {
        let kind = match &model.kind {
            throughline_config::ModelKind::Match { rows, .. } => format!("{rows:?}"),
            _ => String::new(),
        };
        let tests: Vec<String> =
            model.tests.iter().map(|test| format!("{:?} {:?}", test.kind, test.severity)).collect();
        text = format!("{kind} {:?} {tests:?} {:?} {:?}", model.grain, model.description, model.columns);
    }
    if let Some(source) = plan.pipeline.sources.get(&step.name) {
        let freshness = source
            .freshness
            .as_ref()
            .map(|freshness| format!("{:?} {:?} {:?}", freshness.column, freshness.warn_after, freshness.error_after));
        text = format!("{:?} {:?} {freshness:?}", source.columns, source.time_column);
    }
    digest([step.fingerprint.as_str(), &text])
}

/// Sources and views that these tables need, for their rows or for their tests.
fn needed<'a>(plan: &'a Plan, tables: impl Iterator<Item = &'a str>) -> Result<BTreeSet<String>, EngineError> {
    let mut from: BTreeSet<String> = BTreeSet::new();
    for name in tables {
        from.insert(name.to_owned());
        if let Some(model) = plan.pipeline.models.get(name) {
            from.extend(read_by_tests(model)?);
        }
    }
    let needed = plan.through_views(from.iter().map(String::as_str), None);
    Ok(needed.into_iter().map(ToOwned::to_owned).collect())
}
