//! One run, stage by stage.
//!
//! 1. **Select** the steps that the selected models need.
//! 2. **Refuse** what cannot be done, before anything is written.
//! 3. **Take the lease** of the pipeline, so that no other run writes its tables.
//! 4. **Decide**, now that nothing changes any more, what is reused ([`super::resume`]) and what incremental models
//!    rebuild ([`crate::incremental`]).
//! 5. **Work off** the steps as the schedule says ([`super::schedule`], [`super::work_off`]), a model's table
//!    published only when its tests passed; then fire triggers.
//! 6. **Record** what became of each step. Only a record that says `done` makes the run's tables the ones that are
//!    read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use throughline_config::Timestamp;
use throughline_lake::{Lease, Warehouse};
use throughline_plan::{Plan, Selection, Step, TRIGGER_LOG};

use super::attempts::Attempts;
use super::inputs::{Found, Inputs};
use super::journal::RunJournal;
use super::lease::{LEASE, take_lease};
use super::made_from::MadeFrom;
use super::outcome::{carried, status, versions};
use super::resume::{Candidate, Resumption, candidates};
use super::schedule::{Schedule, ScheduledStep};
use super::work_off::{Steps, work_off};
use crate::failure::EngineError;
use crate::incremental::{
    ChangedCustomers, FoundOpenInstances, IntervalOptions, LateRows, Rebuild, Rebuilds, decide_rebuilds, digests_table,
    source_windows,
};
use crate::instants::rfc3339;
use crate::record::events::{Event, Observer};
use crate::record::progress::RunProgress;
use crate::record::run_record::{MadeBy, RunRecord, RunStatus};
use crate::record::step_record::{StepRecord, StepStatus};
use crate::record::stored::store_record;
use crate::record::usage::peak_memory_bytes;
use crate::step::commit::Commits;
use crate::step::context::StepContext;
use crate::step::execute::execute;
use crate::step::leftovers::{Leftovers, remove_own};
use crate::step::rejected::rejected_table;
use crate::step::relation_cache::RelationCache;
use crate::step::relations::Relations;
use crate::step::stop::StopSignal;
use crate::step::triggers::fire_triggers;
use crate::workspace::needed_steps::needed_steps;
use crate::workspace::prepare::Prepared;

/// Which models a run makes, and how.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The models, with everything they need.
    pub selection: Selection,
    /// What is rebuilt whatever the ledgers say; a full refresh also accepts an `as_of` before the published one.
    pub interval: IntervalOptions,
    /// Steps side by side, at least one.
    pub threads: usize,
    /// Start nothing more after a failure.
    pub fail_fast: bool,
    /// Reuse the results of the last run that are still right.
    pub retry: bool,
    /// Accept an `as_of` that is still to come.
    pub allow_future: bool,
    /// In an object store: how long after its last sign of life another run takes over from this one; a minute when
    /// absent.
    pub lease: Option<Duration>,
    /// For asking the run to stop.
    pub stop: StopSignal,
}

/// What came of a run.
#[derive(Debug)]
pub enum RunOutcome {
    /// It ran, and its record is stored.
    Recorded(Box<RunRecord>),
    /// Nothing ran and nothing was written: the day of the run is contained in the published tables, which are as of a
    /// later one.
    Contained {
        /// What is published, and what to do where that is not what was meant.
        message: String,
    },
}

/// Runs `prepared` and stores the record of the run.
///
/// A step that fails keeps those that read it from running; with `fail_fast`, no other step starts any more, either. A
/// failed step is no error of the run: what became of each is in the record.
///
/// # Errors
/// Before any step has run: a selector that fits nothing, an `as_of` that is still to come, or one before the published
/// one that the published tables do not contain, an input that is neither selected nor published, a pipeline that
/// another run holds, or a warehouse that cannot be reached or read.
///
/// After the steps have run, so that tables may have been committed: another run has taken over the pipeline although
/// every step was done (the record is stored and says `held`); or the store does not say whether the lease is still
/// held, or does not take the record (there is no record then, as after a run that was killed).
pub async fn run(
    prepared: &Arc<Prepared>,
    options: &RunOptions,
    observer: &Arc<dyn Observer>,
) -> Result<RunOutcome, EngineError> {
    let began = Began { instant: Instant::now(), at: Utc::now() };
    let as_of = prepared.plan.parameters.as_of();
    if !options.allow_future {
        refuse_future(as_of, began.at, "this machine's clock")?;
    }
    let steps = selected_steps(&prepared.plan, &options.selection)?;
    if let Found::Contained(message) = Inputs::check(prepared, &steps, options.interval).await? {
        return Ok(RunOutcome::Contained { message });
    }
    let (run_id, warehouse, lease) = take_numbered_lease(prepared, &began, options.lease.unwrap_or(LEASE)).await?;
    if !options.allow_future
        && let Err(error) = refuse_future_of_store(&lease, as_of).await
    {
        lease.release().await;
        return Err(error);
    }
    let (inputs, decisions) = match Decisions::make(prepared, options, &steps, &warehouse, observer.as_ref()).await {
        Ok(Found::Inputs(decided)) => *decided,
        Ok(Found::Contained(message)) => {
            lease.release().await;
            return Ok(RunOutcome::Contained { message });
        }
        Err(error) => {
            lease.release().await;
            return Err(error);
        }
    };
    let context = Arc::new(StepContext {
        relations: Relations {
            prepared: Arc::clone(prepared),
            session: inputs.session.clone(),
            observer: Arc::clone(observer),
            windows: decisions.windows.clone(),
            cache: Some(RelationCache::new(&inputs.session, prepared.session_options.memory_limit)),
        },
        rebuilds: decisions.rebuilds.clone(),
        changed: ChangedCustomers::default(),
        open_instances: FoundOpenInstances::default(),
        published: inputs.tables(),
        run_id,
        warehouse,
        commits: Commits::<Lease>::new(options.stop.clone(), lease),
        leftovers: Leftovers::of(decisions.attempts.ended.clone()),
    });
    let outcome = work_off_and_record(&context, options, &steps, decisions, &began).await;
    // Every task of the run has ended; one that panicked may hold on for a moment.
    if let Some(context) = Arc::into_inner(context) {
        context.commits.release().await;
    }
    outcome.map(|record| RunOutcome::Recorded(Box::new(record)))
}

/// When a run began, by the clock of its machine.
struct Began {
    instant: Instant,
    at: DateTime<Utc>,
}

/// Takes the pipeline's lease under an id of its own that sorts after those of all earlier runs.
async fn take_numbered_lease(
    prepared: &Prepared,
    began: &Began,
    lasts: Duration,
) -> Result<(String, Warehouse, Lease), EngineError> {
    let pipeline = prepared.plan.pipeline.name.value.as_str();
    loop {
        let number = prepared.warehouse.next_run_number().await?;
        let run_id = Warehouse::run_id(number, began.at, uuid::Uuid::new_v4().as_fields().0);
        let warehouse = prepared.warehouse.of_run(&run_id);
        let lease = take_lease(&warehouse, pipeline, &run_id, lasts).await?;
        match warehouse.next_run_number().await {
            Ok(next) if next == number => return Ok((run_id, warehouse, lease)),
            // Another run has begun and ended between the two steps.
            Ok(_) => lease.release().await,
            Err(error) => {
                lease.release().await;
                return Err(error.into());
            }
        }
    }
}

/// Refuses a run as of an instant that is still to come: what is open then would be published as ended.
fn refuse_future(as_of: Timestamp, now: DateTime<Utc>, clock: &str) -> Result<(), EngineError> {
    if as_of <= now.timestamp_micros() {
        return Ok(());
    }
    let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    Err(EngineError::refused(
        format!("{} is still to come by {clock}, which says {now}", rfc3339(as_of)),
        "say a past day with `--as-of`, or set the clock; `--allow-future` runs all the same",
    ))
}

/// An object store has a clock of its own, which tells when this machine's is ahead.
async fn refuse_future_of_store(lease: &Lease, as_of: Timestamp) -> Result<(), EngineError> {
    match lease.store_time().await? {
        Some(now) => refuse_future(as_of, now, "the clock of the warehouse's store"),
        None => Ok(()),
    }
}

fn selected_steps<'a>(plan: &'a Plan, selection: &Selection) -> Result<Vec<&'a Step>, EngineError> {
    let steps = needed_steps(plan, &selection.models(&plan.pipeline, &plan.graph)?);
    if steps.is_empty() {
        return Err(EngineError::refused("nothing is selected", "`--exclude` takes away all that `--select` names"));
    }
    Ok(steps)
}

/// What a run decides once it holds its pipeline.
struct Decisions {
    attempts: Attempts,
    candidates: Vec<Candidate>,
    made_from: MadeFrom,
    resumption: Resumption,
    rebuilds: Rebuilds,
    /// For each relation that is not read whole, the instant since which it is.
    windows: BTreeMap<String, Timestamp>,
    /// Who made the tables that were published when the run began.
    made_before: BTreeMap<String, MadeBy>,
}

impl Decisions {
    /// Opens the inputs, which are final now that the lease is held, and decides.
    async fn make(
        prepared: &Prepared,
        options: &RunOptions,
        steps: &[&Step],
        warehouse: &Warehouse,
        observer: &dyn Observer,
    ) -> Result<Found<Box<(Inputs, Self)>>, EngineError> {
        let plan = &prepared.plan;
        let inputs = match Inputs::open(prepared, steps, options.interval).await? {
            Found::Inputs(inputs) => inputs,
            Found::Contained(message) => return Ok(Found::Contained(message)),
        };
        if let Some(message) = &inputs.warning {
            observer.event(&Event::Warning { message });
        }
        let attempts = Attempts::of(warehouse, &plan.pipeline.name, observer).await?;
        let made_from = MadeFrom::of(prepared, options.interval, inputs.tables());
        let candidates = if options.retry { candidates(plan, steps)? } else { Vec::new() };
        let resumption = match &attempts.last {
            Some(last) if options.retry => {
                let resumption = Resumption::decide(last, &candidates, &made_from, warehouse).await?;
                resumption.register(&candidates, warehouse, &inputs.session).await?;
                resumption
            }
            _ => Resumption::default(),
        };
        let rebuilds = decide_rebuilds(prepared, steps, options.interval).await?;
        let run = steps.iter().copied().filter(|step| !resumption.reused.contains_key(&step.name));
        let windows = source_windows(plan, &run.collect::<Vec<_>>(), &rebuilds);
        let made_before = inputs.published.as_ref().map(|published| published.record.makers()).unwrap_or_default();
        let decided = Self { attempts, candidates, made_from, resumption, rebuilds, windows, made_before };
        Ok(Found::Inputs(Box::new((inputs, decided))))
    }
}

/// Works off the steps and stores the record.
async fn work_off_and_record(
    context: &Arc<StepContext>,
    options: &RunOptions,
    steps: &[&Step],
    decisions: Decisions,
    began: &Began,
) -> Result<RunRecord, EngineError> {
    let observer = context.relations.observer.as_ref();
    let Decisions { attempts, candidates, made_from, resumption, rebuilds, made_before, .. } = decisions;
    warn_of_late_rows(steps, &rebuilds, observer);
    let mut record = begun_record(context, began);
    let progress = RunProgress::begin(&context.warehouse, observer, record.clone()).await?;
    let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
    observer.event(&Event::RunStarted { run_id: &context.run_id, steps: &names });
    if let (true, Some(last)) = (options.retry, &attempts.last) {
        observer.event(&Event::Note { message: &resumption.summary(&last.run_id, &candidates) });
    }
    let Resumption { reused, because } = resumption;
    let mut journal = RunJournal { observer, progress, made_from, because, versions: BTreeMap::new() };
    let schedule = Schedule::new(scheduled(steps), options.threads, options.fail_fast);
    let mut ended = work_off(context, schedule, reused.into_values().collect(), &mut journal).await;
    let mut ended: Vec<StepRecord> = names.iter().filter_map(|name| ended.remove(name)).collect();
    if let Some((log, found)) = fire_triggers(context, &ended).await {
        ended.push(log);
        record.triggers = found;
    }
    record.status = status(&ended, context.commits.is_stopped());
    let lost = match record.status {
        RunStatus::Done => still_held(context).await?,
        _ => None,
    };
    if lost.is_some() {
        record.status = RunStatus::Held;
    }
    if record.status == RunStatus::Interrupted {
        let tables = context
            .commits
            .without_unknown(names.iter().flat_map(|name| tables_of(name)).chain([TRIGGER_LOG.to_owned()]));
        remove_own(&context.run_id, &tables, &context.warehouse).await;
    }
    record.tables = versions(context.published.clone(), &ended);
    record.steps = ended;
    record.carried = carried(&record, &made_before);
    record.finished_at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    record.seconds = began.instant.elapsed().as_secs_f64();
    record.peak_memory_bytes = peak_memory_bytes();
    store_record(&record, &context.warehouse).await?;
    clear_away(&record, &attempts, &context.warehouse).await;
    observer.event(&Event::RunFinished { record: &record });
    lost.map_or(Ok(record), Err)
}

/// Confirms that the run still holds its pipeline. Returns the error when another run has taken over. Without an
/// answer, the record is not written, as when the store does not take it: the run then looks killed.
async fn still_held(context: &StepContext) -> Result<Option<EngineError>, EngineError> {
    match context.commits.confirm().await {
        Ok(()) => Ok(None),
        Err(lost @ EngineError::Held { .. }) => Ok(Some(lost)),
        Err(error) => Err(error),
    }
}

/// The record of a run that has begun; until it has ended, it counts as interrupted.
fn begun_record(context: &StepContext, began: &Began) -> RunRecord {
    let plan = &context.relations.prepared.plan;
    let started_at = began.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    RunRecord {
        run_id: context.run_id.clone(),
        pipeline: plan.pipeline.name.value.clone(),
        as_of: rfc3339(plan.parameters.as_of()),
        started_at: started_at.clone(),
        finished_at: started_at,
        seconds: 0.0,
        status: RunStatus::Interrupted,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        peak_memory_bytes: None,
        steps: Vec::new(),
        triggers: Vec::new(),
        not_shown: plan.not_shown(),
        tables: BTreeMap::new(),
        carried: BTreeMap::new(),
    }
}

/// The steps as the schedule takes them: what they read counts as far as this run makes it.
fn scheduled(steps: &[&Step]) -> Vec<ScheduledStep> {
    let made: BTreeSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let step = |step: &&Step| ScheduledStep {
        name: step.name.clone(),
        inputs: step.inputs.iter().filter(|input| made.contains(input.as_str())).cloned().collect(),
    };
    steps.iter().map(step).collect()
}

impl Steps for StepContext {
    fn execute(&self, step: &str) -> impl Future<Output = StepRecord> + Send {
        execute(self, step)
    }

    fn blank_record(&self, step: &str, status: StepStatus) -> StepRecord {
        self.relations.blank_record(step, status)
    }

    fn is_closed(&self) -> bool {
        self.commits.is_closed()
    }
}

/// Every table that a step may stage rows for.
fn tables_of(step: &str) -> [String; 3] {
    [step.to_owned(), rejected_table(step), digests_table(step)]
}

/// Removes the progress of this run, whose record is there; and that of killed ones, when there is nothing left to
/// reuse of them or to clear away after them. What cannot be removed is tried again by the next run.
async fn clear_away(record: &RunRecord, attempts: &Attempts, warehouse: &Warehouse) {
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

/// Says of rows that came later than the lookback, in this run or an earlier one, where they are missing and how they
/// are taken in; and of files that came in the place of others, what is not looked at.
fn warn_of_late_rows(steps: &[&Step], rebuilds: &Rebuilds, observer: &dyn Observer) {
    for (source, late) in rows_by_source(steps, rebuilds, |rebuild| &rebuild.late) {
        let LateIn { rows, since, models } = late;
        let message = format!(
            "{rows} row{} of `{source}` came later than the lookback, the earliest of {since}, and {} not in {models} \
             yet; `throughline run --start {since}` takes {} in",
            if rows == 1 { "" } else { "s" },
            if rows == 1 { "is" } else { "are" },
            if rows == 1 { "it" } else { "them" },
        );
        observer.event(&Event::Warning { message: &message });
    }
    for (source, replaced) in rows_by_source(steps, rebuilds, |rebuild| &rebuild.replaced_files) {
        let LateIn { rows, since, models } = replaced;
        let message = format!(
            "files of `{source}` were replaced or removed; {rows} row{} before the lookback, from {since} on, in what \
             came count as unchanged for {models}. Where they were corrected, `throughline run --start {since}` takes \
             that in",
            if rows == 1 { "" } else { "s" },
        );
        observer.event(&Event::Warning { message: &message });
    }
}

/// Late rows of a source, over all models that they are missing in.
struct LateIn {
    rows: u64,
    since: String,
    models: String,
}

fn rows_by_source<'a>(
    steps: &'a [&Step],
    rebuilds: &'a Rebuilds,
    of: impl Fn(&'a Rebuild) -> &'a [LateRows],
) -> BTreeMap<&'a str, LateIn> {
    let mut by_source: BTreeMap<&str, (u64, Timestamp, Vec<String>)> = BTreeMap::new();
    for step in steps {
        for late in rebuilds.get(&step.name).map(&of).unwrap_or_default() {
            let (rows, since, models) = by_source.entry(&late.source).or_insert((0, late.since, Vec::new()));
            *rows = late.rows.max(*rows);
            *since = late.since.min(*since);
            models.push(format!("`{}`", step.name));
        }
    }
    let in_words = |(rows, since, models): (u64, Timestamp, Vec<String>)| LateIn {
        rows,
        since: rfc3339(since),
        models: models.join(", "),
    };
    by_source.into_iter().map(|(source, late)| (source, in_words(late))).collect()
}
