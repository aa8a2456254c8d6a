//! Runs the steps of a plan: those whose inputs are ready side by side, each published only when its tests passed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::prelude::SessionContext;
use throughline_config::Timestamp;
use throughline_lake::Warehouse;
use throughline_plan::{Graph, Plan, Selection, Step};
use tokio::task::JoinSet;

use crate::event::{Event, Observer};
use crate::failure::EngineError;
use crate::gate::{Gate, hold};
use crate::hold::Holding;
use crate::incremental::{Increments, IntervalOptions, increments, source_windows, sums_table};
use crate::prepare::Prepared;
use crate::progress::RunProgress;
use crate::publish::Execution;
use crate::published::Published;
use crate::retry::{Attempts, Ingredients, Reuse};
use crate::run_record::{RunRecord, RunStatus, StepRecord, StepStatus};
use crate::stop::Stop;
use crate::usage::peak_memory_bytes;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Which models.
    pub selection: Selection,
    /// What is made again whatever the ledgers say; a full refresh also accepts an `as_of` before the published one.
    pub interval: IntervalOptions,
    /// Steps side by side, at least one.
    pub threads: usize,
    /// Start nothing more after a failure.
    pub fail_fast: bool,
    /// Take over the steps of the last run that still hold.
    pub retry: bool,
    /// In an object store: how long after its last sign of life another run takes over from this one; a minute when
    /// absent.
    pub lease: Option<Duration>,
    /// For asking the run to stop.
    pub stop: Stop,
}

/// How long a run may be silent before another one takes over.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// Runs `prepared` and stores the record of the run.
///
/// A step that fails keeps those that read it from running and no others; what came of each stands in the record.
///
/// # Errors
/// When nothing could run at all: a selector that fits nothing, an `as_of` before the published one, an input that is
/// neither selected nor published, or a warehouse that cannot be reached.
pub async fn run(
    prepared: &Arc<Prepared>,
    options: &RunOptions,
    observer: &Arc<dyn Observer>,
) -> Result<RunRecord, EngineError> {
    let began = Instant::now();
    let started_at = Utc::now();
    let run_id = new_run_id(started_at);
    // What is refused is refused before anything is written.
    begin(prepared, options).await?;
    let warehouse = prepared.warehouse.of_run(&run_id);
    let pipeline = prepared.plan.pipeline.name.value.as_str();
    let lease = hold(&warehouse, pipeline, &run_id, options.lease.unwrap_or(LEASE)).await?;
    // Another run may have ended since; from here on there is none.
    let held = match begin_held(prepared, options, &warehouse).await {
        Ok(held) => held,
        Err(error) => {
            lease.release().await;
            return Err(error);
        }
    };
    let Held { beginning, attempts, ingredients, reuse, increments, windows } = held;
    let gate = Gate::new(options.stop.clone(), lease, attempts.ended.clone());
    let execution = Arc::new(Execution {
        prepared: Arc::clone(prepared),
        session: beginning.session.clone(),
        run_id,
        observer: Arc::clone(observer),
        warehouse,
        publishes: true,
        gate,
        holding: Some(Holding::new(&beginning.session, prepared.session_options.memory_limit)),
        increments,
        windows,
        published: beginning.published.as_ref().map(|last| last.record.tables.clone()).unwrap_or_default(),
        seen: Mutex::default(),
    });
    let (taken, times) = ((ingredients, reuse), (started_at, began));
    let outcome = carry_out(&execution, options, &beginning, &attempts, taken, times).await;
    // Every task of the run has ended; one that panicked may hold on for a moment.
    if let Some(execution) = Arc::into_inner(execution) {
        execution.gate.release().await;
    }
    outcome
}

/// What a run begins with.
struct Beginning<'a> {
    steps: Vec<&'a Step>,
    published: Option<Published>,
    session: SessionContext,
}

async fn begin<'a>(prepared: &'a Prepared, options: &RunOptions) -> Result<Beginning<'a>, EngineError> {
    let plan = &prepared.plan;
    let selected = options.selection.models(&plan.pipeline, &plan.graph)?;
    let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
    refuse_older_cut(plan, published.as_ref(), options.interval.full_refresh)?;
    let session = prepared.session()?;
    let steps = needed_steps(plan, &selected);
    if steps.is_empty() {
        return Err(EngineError::refused("nothing is selected", "`--exclude` takes away all that `--select` names"));
    }
    register_unselected(plan, &steps, published.as_ref(), &session).await?;
    Ok(Beginning { steps, published, session })
}

/// What a run goes by once it holds its pipeline.
struct Held<'a> {
    beginning: Beginning<'a>,
    attempts: Attempts,
    ingredients: Ingredients,
    reuse: Reuse,
    increments: Increments,
    windows: BTreeMap<String, Timestamp>,
}

async fn begin_held<'a>(
    prepared: &'a Prepared,
    options: &RunOptions,
    warehouse: &Warehouse,
) -> Result<Held<'a>, EngineError> {
    let plan = &prepared.plan;
    let beginning = begin(prepared, options).await?;
    let attempts = Attempts::of(warehouse, &plan.pipeline.name).await?;
    let ingredients = Ingredients::of(prepared, options.interval, beginning.published.as_ref());
    let reuse = match &attempts.last {
        Some(last) if options.retry => {
            Reuse::of(last, &beginning.steps, plan, &ingredients, warehouse, &beginning.session).await?
        }
        _ => Reuse::default(),
    };
    let increments = increments(prepared, &beginning.steps, options.interval).await?;
    let left = beginning.steps.iter().copied().filter(|step| !reuse.taken.contains_key(&step.name));
    let windows = source_windows(plan, &left.collect::<Vec<_>>(), &increments);
    Ok(Held { beginning, attempts, ingredients, reuse, increments, windows })
}

async fn carry_out(
    execution: &Arc<Execution>,
    options: &RunOptions,
    beginning: &Beginning<'_>,
    attempts: &Attempts,
    (ingredients, reuse): (Ingredients, Reuse),
    (started_at, began): (DateTime<Utc>, Instant),
) -> Result<RunRecord, EngineError> {
    let Execution { prepared, run_id, observer, warehouse, .. } = execution.as_ref();
    let plan = &prepared.plan;
    tell_late_rows(&beginning.steps, &execution.increments, observer);
    let mut record = RunRecord {
        run_id: run_id.clone(),
        pipeline: plan.pipeline.name.value.clone(),
        as_of: rfc3339(plan.parameters.as_of()),
        started_at: started_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        finished_at: started_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        seconds: 0.0,
        status: RunStatus::Interrupted,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        peak_memory_bytes: None,
        steps: Vec::new(),
        triggers: Vec::new(),
        tables: BTreeMap::new(),
    };
    let progress = RunProgress::begin(warehouse, observer.as_ref(), record.clone()).await?;
    let names: Vec<String> = beginning.steps.iter().map(|step| step.name.clone()).collect();
    observer.event(&Event::RunStarted { run_id, steps: &names });
    let published = beginning.published.as_ref();
    if let (true, Some(last)) = (options.retry, &attempts.last) {
        observer.event(&Event::Note { message: &reuse.told(&last.run_id, plan) });
    }
    let scheduler = Scheduler::new(&beginning.steps, options, ingredients, reuse, progress);
    let mut steps = scheduler.work_off(execution).await;
    if let Some((log, found)) = execution.fire_triggers(&steps).await {
        steps.push(log);
        record.triggers = found;
    }
    record.status = status(&steps, execution.gate.is_stopped());
    let mut lost = None;
    if record.status == RunStatus::Done
        && let Err(error) = execution.gate.confirm().await
    {
        // Without an answer the record stays unwritten, as when the store does not take it: the run looks killed.
        let EngineError::Held { message, help } = error else { return Err(error) };
        record.status = RunStatus::Held;
        lost = Some(EngineError::Held { message, help });
    }
    if record.status == RunStatus::Interrupted {
        let rejected = names.iter().map(|name| format!("{name}__rejected"));
        let seen = names.iter().map(|name| sums_table(name));
        let log = std::iter::once(throughline_plan::TRIGGER_LOG.to_owned());
        execution.remove_own(names.iter().cloned().chain(rejected).chain(seen).chain(log)).await;
    }
    record.tables = versions(published, &steps);
    record.steps = steps;
    record.finished_at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    record.seconds = began.elapsed().as_secs_f64();
    record.peak_memory_bytes = peak_memory_bytes();
    store(&record, warehouse).await?;
    forget(&record, attempts, warehouse).await;
    observer.event(&Event::RunFinished { record: &record });
    lost.map_or(Ok(record), Err)
}

/// Removes the progress of this run, whose record is there; and of killed ones, when there is nothing left to take over
/// from them or to clear away after them. What cannot be removed is tried again by the next run.
async fn forget(record: &RunRecord, attempts: &Attempts, warehouse: &Warehouse) {
    let _ = warehouse.remove_progress(&record.run_id).await;
    if record.status == RunStatus::Done {
        for run_id in &attempts.killed {
            let _ = warehouse.remove_progress(run_id).await;
        }
        // A record is written in a moment: what was begun before this run and is not finished has no writer any more.
        if let Ok(began) = DateTime::parse_from_rfc3339(&record.started_at) {
            warehouse.remove_unfinished_records(began.into());
        }
    }
}

/// Microseconds as RFC 3339 in UTC.
pub(crate) fn rfc3339(instant: i64) -> String {
    match DateTime::<Utc>::from_timestamp_micros(instant) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{instant} µs since 1970"),
    }
}

/// Sorts by time, to the microsecond, because the newest id names the newest run; the random end keeps two runs of one
/// instant apart.
fn new_run_id(started_at: DateTime<Utc>) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", started_at.format("%Y%m%dT%H%M%S%6fZ"), &random[..8])
}

/// Says of rows that came later than the lookback how they are taken in.
fn tell_late_rows(steps: &[&Step], increments: &Increments, observer: &Arc<dyn Observer>) {
    let mut told = BTreeSet::new();
    for step in steps {
        for late in increments.get(&step.name).map(|increment| increment.late.as_slice()).unwrap_or_default() {
            if told.insert(late.source.clone()) {
                let since = rfc3339(late.since);
                let message = format!(
                    "{} row{} of `{}` came later than the lookback, the earliest of {since}, and change nothing yet; \
                     `throughline run --start {since}` takes them in",
                    late.rows,
                    if late.rows == 1 { "" } else { "s" },
                    late.source,
                );
                observer.event(&Event::Warning { message: &message });
            }
        }
    }
}

fn refuse_older_cut(plan: &Plan, published: Option<&Published>, full_refresh: bool) -> Result<(), EngineError> {
    let Some(published) = published else { return Ok(()) };
    let as_of = rfc3339(plan.parameters.as_of());
    let earlier = DateTime::parse_from_rfc3339(&published.record.as_of)
        .is_ok_and(|newest| newest.timestamp_micros() > plan.parameters.as_of());
    if earlier && !full_refresh {
        return Err(EngineError::refused(
            format!("the published tables are as of {}, this run would be as of {as_of}", published.record.as_of),
            "leave `--as-of` out, or replace newer tables by older ones with `--full-refresh`",
        ));
    }
    Ok(())
}

/// The selected models and every source, seed and view they need, in the plan's order.
pub fn needed_steps<'a>(plan: &'a Plan, selected: &BTreeSet<String>) -> Vec<&'a Step> {
    let models = plan.steps.iter().map(|step| step.name.as_str()).filter(|name| selected.contains(*name));
    let needed = Graph::closure(models, |name| {
        plan.graph.inputs(name).filter(|input| !plan.is_table(input) || selected.contains(*input))
    });
    plan.steps.iter().filter(|step| needed.contains(step.name.as_str())).collect()
}

/// Tables that are read but not made come from the last complete run.
async fn register_unselected(
    plan: &Plan,
    steps: &[&Step],
    published: Option<&Published>,
    session: &SessionContext,
) -> Result<(), EngineError> {
    let made: BTreeSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let read: BTreeSet<&str> = steps.iter().flat_map(|step| step.inputs.iter().map(String::as_str)).collect();
    for name in read.difference(&made).filter(|name| plan.step(name).is_some()) {
        let registered = match published {
            Some(published) => published.register_table(name, session).await?,
            None => false,
        };
        if !registered {
            return Err(EngineError::refused(
                format!("`{name}` is read by the selected models, but it is neither selected nor published"),
                format!("select it too (`--select +…`), or run it first: throughline run --select +{name}"),
            ));
        }
    }
    Ok(())
}

fn status(steps: &[StepRecord], stopped: bool) -> RunStatus {
    if stopped && steps.iter().any(|step| step.status == StepStatus::NotRun) {
        RunStatus::Interrupted
    } else if steps.iter().any(|step| step.held) {
        RunStatus::Held
    } else if steps.iter().any(|step| step.status == StepStatus::Failed) {
        RunStatus::Failed
    } else if steps.iter().any(|step| step.status == StepStatus::TestsFailed) {
        RunStatus::TestsFailed
    } else {
        RunStatus::Done
    }
}

fn versions(published: Option<&Published>, steps: &[StepRecord]) -> BTreeMap<String, u64> {
    let mut tables = published.map(|published| published.record.tables.clone()).unwrap_or_default();
    for step in steps {
        if let Some(version) = step.version {
            tables.insert(step.step.clone(), version);
        }
        let rejected = format!("{}__rejected", step.step);
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

async fn store(record: &RunRecord, warehouse: &Warehouse) -> Result<(), EngineError> {
    let value = serde_json::to_value(record)
        .map_err(|error| EngineError::failed(format!("the run record cannot be written: {error}"), ""))?;
    warehouse.write_run(&record.run_id, &value).await.map_err(EngineError::from)
}

/// Which steps wait for which, and who may start.
struct Scheduler<'a> {
    ingredients: Ingredients,
    reuse: Reuse,
    progress: RunProgress<'a>,
    waiting: Vec<Waiting>,
    done: BTreeSet<String>,
    finished: BTreeMap<String, StepRecord>,
    order: Vec<String>,
    threads: usize,
    fail_fast: bool,
}

struct Waiting {
    name: String,
    inputs: Vec<String>,
}

impl<'a> Scheduler<'a> {
    fn new(
        steps: &[&Step],
        options: &RunOptions,
        ingredients: Ingredients,
        reuse: Reuse,
        progress: RunProgress<'a>,
    ) -> Self {
        let made: BTreeSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        let waiting = steps.iter().map(|step| Waiting {
            name: step.name.clone(),
            inputs: step.inputs.iter().filter(|input| made.contains(input.as_str())).cloned().collect(),
        });
        Self {
            ingredients,
            reuse,
            progress,
            waiting: waiting.collect(),
            done: BTreeSet::new(),
            finished: BTreeMap::new(),
            order: steps.iter().map(|step| step.name.clone()).collect(),
            threads: options.threads.max(1),
            fail_fast: options.fail_fast,
        }
    }

    /// Runs everything that can run; the records come back in the plan's order.
    async fn work_off(mut self, execution: &Arc<Execution>) -> Vec<StepRecord> {
        let taken = std::mem::take(&mut self.reuse.taken);
        self.waiting.retain(|waiting| !taken.contains_key(&waiting.name));
        for record in taken.into_values() {
            self.finish(record, execution).await;
        }
        let mut running: JoinSet<StepRecord> = JoinSet::new();
        loop {
            while running.len() < self.threads {
                let Some(name) = self.next_ready(execution) else { break };
                let execution = Arc::clone(execution);
                running.spawn(async move { execution.step(&name).await });
            }
            match running.join_next().await {
                Some(Ok(record)) => self.finish(self.completed(record), execution).await,
                // A task that panicked is a bug; its step counts as failed because no record of it comes back.
                Some(Err(_)) => {}
                None => break,
            }
        }
        for waiting in std::mem::take(&mut self.waiting) {
            let record = execution.not_run(&waiting.name, "the run stopped before it");
            execution.observer.event(&Event::StepFinished { record: &record });
            self.finished.insert(waiting.name, record);
        }
        let finished = &mut self.finished;
        let record = |name: &String| finished.remove(name).unwrap_or_else(|| execution.lost(name));
        self.order.iter().map(record).collect()
    }

    /// Adds what the step was made from, and why it was done again.
    fn completed(&self, record: StepRecord) -> StepRecord {
        let version = |table: &str| self.finished.get(table).and_then(|finished| finished.version);
        StepRecord {
            made_from: self.ingredients.all(&record.step, version),
            done_again: self.reuse.again.get(&record.step).cloned(),
            ..record
        }
    }

    fn next_ready(&mut self, execution: &Execution) -> Option<String> {
        let stop = execution.gate.is_closed();
        let stop = stop || self.fail_fast && self.finished.values().any(|record| record.status != StepStatus::Done);
        let ready = |waiting: &Waiting| waiting.inputs.iter().all(|input| self.done.contains(input));
        let index = if stop { None } else { self.waiting.iter().position(ready) }?;
        Some(self.waiting.remove(index).name)
    }

    async fn finish(&mut self, record: StepRecord, execution: &Execution) {
        let name = record.step.clone();
        execution.observer.event(&Event::StepFinished { record: &record });
        self.progress.note(&record).await;
        if record.status == StepStatus::Done {
            self.done.insert(name.clone());
        } else {
            self.give_up_readers(&name, execution);
        }
        self.finished.insert(name, record);
    }

    /// Everything that reads `name`, also by way of others, does not run.
    fn give_up_readers(&mut self, name: &str, execution: &Execution) {
        let mut lost = vec![name.to_owned()];
        while let Some(input) = lost.pop() {
            let (gone, waiting) =
                std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.inputs.contains(&input));
            self.waiting = waiting;
            let gone: Vec<Waiting> = gone;
            for waiting in gone {
                let record = execution.not_run(&waiting.name, &format!("it reads `{input}`, which did not succeed"));
                execution.observer.event(&Event::StepFinished { record: &record });
                lost.push(waiting.name.clone());
                self.finished.insert(waiting.name, record);
            }
        }
    }
}

/// How often progress is told.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// A step in which no operator computes and no row moves for so long is stuck.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(600);
