//! Runs the steps of a schedule until nothing more may start and nothing runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};

use super::schedule::{NotRun, Schedule};
use crate::failure::EngineError;
use crate::record::step_record::{StepRecord, StepStatus};

/// The steps of a run: those of a plan, or fakes in tests.
pub(crate) trait Steps: Send + Sync + 'static {
    /// Executes a step; an error is in its record.
    fn execute(&self, step: &str) -> impl Future<Output = StepRecord> + Send;
    /// A record of a step that says only how it ended.
    fn blank_record(&self, step: &str, status: StepStatus) -> StepRecord;
    /// Whether nothing more can be published, so that nothing more should start.
    fn is_closed(&self) -> bool;
}

/// What is recorded of a run while it goes on.
pub(crate) trait Journal {
    /// A step has ended, or an earlier run's result is reused. Returns the record with what the journal adds to it.
    async fn ended(&mut self, record: StepRecord) -> StepRecord;
    /// A step does not run.
    fn not_run(&mut self, record: &StepRecord);
}

/// Runs every step that can run, as the schedule says. `reused` are the records of steps that need not run. The records
/// come back by the steps' names.
pub(crate) async fn work_off<S: Steps>(
    steps: &Arc<S>,
    schedule: Schedule,
    reused: Vec<StepRecord>,
    journal: &mut impl Journal,
) -> BTreeMap<String, StepRecord> {
    let mut work = Work { steps, schedule, journal, records: BTreeMap::new() };
    for record in reused {
        work.schedule.reuse(&record.step);
        let record = work.journal.ended(record).await;
        work.records.insert(record.step.clone(), record);
    }
    let mut running: JoinSet<StepRecord> = JoinSet::new();
    let mut names: HashMap<Id, String> = HashMap::new();
    loop {
        if steps.is_closed() {
            work.schedule.close();
        }
        while let Some(step) = work.schedule.start_next() {
            let (task, name) = (Arc::clone(steps), step.clone());
            let handle = running.spawn(async move { task.execute(&name).await });
            names.insert(handle.id(), step);
        }
        let record = match running.join_next_with_id().await {
            Some(Ok((id, record))) => {
                names.remove(&id);
                record
            }
            // A task that panicked leaves no record.
            Some(Err(panic)) => match names.remove(&panic.id()) {
                Some(step) => ended_abnormally(steps.as_ref(), &step, panic),
                None => continue,
            },
            None => break,
        };
        work.end(record).await;
    }
    let Work { schedule, journal, mut records, .. } = work;
    for not_run in schedule.end() {
        let record = record_not_run(steps.as_ref(), &not_run);
        journal.not_run(&record);
        records.insert(not_run.step, record);
    }
    records
}

struct Work<'a, S, J> {
    steps: &'a Arc<S>,
    schedule: Schedule,
    journal: &'a mut J,
    records: BTreeMap<String, StepRecord>,
}

impl<S: Steps, J: Journal> Work<'_, S, J> {
    async fn end(&mut self, record: StepRecord) {
        let record = self.journal.ended(record).await;
        if record.status == StepStatus::Done {
            self.schedule.succeed(&record.step);
        } else {
            for not_run in self.schedule.fail(&record.step) {
                let record = record_not_run(self.steps.as_ref(), &not_run);
                self.journal.not_run(&record);
                self.records.insert(not_run.step, record);
            }
        }
        self.records.insert(record.step.clone(), record);
    }
}

fn record_not_run(steps: &impl Steps, not_run: &NotRun) -> StepRecord {
    let record = steps.blank_record(&not_run.step, StepStatus::NotRun);
    StepRecord { error: Some(not_run.why.clone()), ..record }
}

fn ended_abnormally(steps: &impl Steps, step: &str, panic: JoinError) -> StepRecord {
    let mut record = steps.blank_record(step, StepStatus::Failed);
    let message = panic_message(panic).map_or_else(String::new, |message| format!(": {message}"));
    record.fail(&EngineError::internal(format!("the step ended abnormally{message}")));
    record
}

/// The words with which a task panicked, if it did and had any.
fn panic_message(panic: JoinError) -> Option<String> {
    let payload = panic.try_into_panic().ok()?;
    let literal = payload.downcast_ref::<&str>().map(|message| (*message).to_owned());
    literal.or_else(|| payload.downcast_ref::<String>().cloned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Barrier;

    use super::super::schedule::ScheduledStep;
    use super::*;

    /// What a fake step does.
    #[derive(Clone)]
    enum Does {
        Succeed,
        Fail,
        FailItsTests,
        Panic,
        /// Succeeds once so many steps of the kind run at the same time.
        Meet(Arc<Barrier>),
        /// Succeeds, and another run takes over meanwhile.
        LoseThePipeline,
        /// Succeeds long after the others.
        LastLong,
    }

    #[derive(Default)]
    struct Fakes {
        does: HashMap<&'static str, Does>,
        started: Mutex<Vec<String>>,
        running: AtomicUsize,
        most_at_once: AtomicUsize,
        is_closed: AtomicBool,
    }

    impl Fakes {
        fn of(does: &[(&'static str, Does)]) -> Arc<Self> {
            Arc::new(Self { does: does.iter().cloned().collect(), ..Self::default() })
        }

        fn started(&self) -> Vec<String> {
            self.started.lock().expect("no panic").clone()
        }
    }

    impl Steps for Fakes {
        async fn execute(&self, step: &str) -> StepRecord {
            self.started.lock().expect("no panic").push(step.to_owned());
            let at_once = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let mut record = self.blank_record(step, StepStatus::Done);
            match self.does.get(step).unwrap_or(&Does::Succeed) {
                Does::Succeed => {}
                Does::Fail => record.fail(&EngineError::refused("no such column", "")),
                Does::FailItsTests => record.status = StepStatus::TestsFailed,
                Does::Panic => panic!("a fake step panics, as a bug would"),
                Does::Meet(barrier) => {
                    barrier.wait().await;
                }
                Does::LastLong => {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                }
                Does::LoseThePipeline => self.is_closed.store(true, Ordering::SeqCst),
            }
            self.running.fetch_sub(1, Ordering::SeqCst);
            record
        }

        fn blank_record(&self, step: &str, status: StepStatus) -> StepRecord {
            StepRecord::new(step, "table", "", status)
        }

        fn is_closed(&self) -> bool {
            self.is_closed.load(Ordering::SeqCst)
        }
    }

    #[derive(Default)]
    struct Log(Vec<String>);

    impl Journal for Log {
        async fn ended(&mut self, record: StepRecord) -> StepRecord {
            self.0.push(format!("{} {}", record.step, record.status.word()));
            StepRecord { rows: Some(self.0.len() as u64), ..record }
        }

        fn not_run(&mut self, record: &StepRecord) {
            self.0.push(format!("{} {}", record.step, record.status.word()));
        }
    }

    fn schedule(steps: &[(&str, &[&str])], threads: usize, fail_fast: bool) -> Schedule {
        let step = |(name, inputs): &(&str, &[&str])| ScheduledStep {
            name: (*name).to_owned(),
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        };
        Schedule::new(steps.iter().map(step).collect(), threads, fail_fast)
    }

    const CHAIN: [(&str, &[&str]); 3] = [("a", &[]), ("b", &["a"]), ("c", &["b"])];
    const THREE: [(&str, &[&str]); 3] = [("a", &[]), ("b", &[]), ("c", &[])];

    async fn run(steps: &Arc<Fakes>, schedule: Schedule) -> (Vec<String>, BTreeMap<String, StepRecord>) {
        let mut log = Log::default();
        let records = work_off(steps, schedule, Vec::new(), &mut log).await;
        (log.0, records)
    }

    #[tokio::test]
    async fn steps_run_in_the_order_of_what_they_read() {
        let steps = Fakes::of(&[]);
        let (log, records) = run(&steps, schedule(&CHAIN, 4, false)).await;
        assert_eq!(steps.started(), ["a", "b", "c"]);
        assert_eq!(log, ["a done", "b done", "c done"]);
        assert_eq!(records.len(), 3);
    }

    #[tokio::test]
    async fn independent_steps_run_side_by_side() {
        let meet = Does::Meet(Arc::new(Barrier::new(3)));
        let steps = Fakes::of(&[("a", meet.clone()), ("b", meet.clone()), ("c", meet)]);
        let together = run(&steps, schedule(&THREE, 3, false));
        let (log, _) = tokio::time::timeout(Duration::from_secs(20), together).await.expect("they wait for each other");
        assert_eq!(log.len(), 3, "each waited for the two others");
    }

    #[tokio::test]
    async fn no_more_steps_run_at_once_than_there_are_threads() {
        let steps = Fakes::of(&[]);
        let many: Vec<(&str, &[&str])> = ["a", "b", "c", "d", "e", "f"].map(|name| (name, &[] as &[&str])).to_vec();
        run(&steps, schedule(&many, 2, false)).await;
        assert_eq!((steps.started().len(), steps.most_at_once.load(Ordering::SeqCst)), (6, 2));
    }

    #[tokio::test]
    async fn readers_of_a_failed_step_are_recorded_as_not_run_with_the_reason() {
        let steps = Fakes::of(&[("a", Does::Fail)]);
        let (log, records) = run(&steps, schedule(&CHAIN, 1, false)).await;
        assert_eq!(steps.started(), ["a"]);
        assert_eq!(log, ["a failed", "b not_run", "c not_run"]);
        assert_eq!(records["c"].error.as_deref(), Some("it reads `b`, which did not succeed"));
        assert_eq!(records["a"].error.as_deref(), Some("no such column"));
    }

    #[tokio::test]
    async fn readers_of_a_step_whose_tests_failed_do_not_run() {
        let steps = Fakes::of(&[("b", Does::FailItsTests)]);
        let (log, _) = run(&steps, schedule(&CHAIN, 1, false)).await;
        assert_eq!(log, ["a done", "b tests_failed", "c not_run"]);
    }

    #[tokio::test]
    async fn a_failure_does_not_keep_others_from_running() {
        let steps = Fakes::of(&[("a", Does::Fail)]);
        let (log, _) = run(&steps, schedule(&THREE, 1, false)).await;
        assert_eq!(log, ["a failed", "b done", "c done"]);
    }

    #[tokio::test]
    async fn with_fail_fast_the_first_failure_is_the_last_start() {
        let steps = Fakes::of(&[("a", Does::Fail)]);
        let (log, records) = run(&steps, schedule(&THREE, 1, true)).await;
        assert_eq!(log, ["a failed", "b not_run", "c not_run"]);
        assert_eq!(records["b"].error.as_deref(), Some("the run stopped before it"));
    }

    #[tokio::test]
    async fn with_fail_fast_steps_that_run_are_awaited() {
        let steps = Fakes::of(&[("a", Does::Fail), ("b", Does::LastLong)]);
        let (log, _) = run(&steps, schedule(&THREE, 2, true)).await;
        assert_eq!(log.first().map(String::as_str), Some("a failed"), "`b` ends after it");
        assert!(log.contains(&"b done".to_owned()) && log.contains(&"c not_run".to_owned()), "{log:?}");
    }

    #[tokio::test]
    async fn after_another_run_took_over_nothing_starts() {
        let steps = Fakes::of(&[("a", Does::LoseThePipeline)]);
        let (log, records) = run(&steps, schedule(&CHAIN, 1, false)).await;
        assert_eq!(log, ["a done", "b not_run", "c not_run"]);
        assert_eq!(records["b"].status, StepStatus::NotRun);
    }

    #[tokio::test]
    async fn a_run_that_was_stopped_before_it_began_starts_nothing() {
        let steps = Fakes::of(&[]);
        steps.is_closed.store(true, Ordering::SeqCst);
        let (log, _) = run(&steps, schedule(&THREE, 3, false)).await;
        assert_eq!(log, ["a not_run", "b not_run", "c not_run"]);
        assert!(steps.started().is_empty());
    }

    #[tokio::test]
    async fn reused_steps_are_recorded_first_and_do_not_run() {
        let steps = Fakes::of(&[]);
        let reused =
            StepRecord { reused_from: Some("yesterday".to_owned()), ..steps.blank_record("a", StepStatus::Done) };
        let mut log = Log::default();
        let records = work_off(&steps, schedule(&CHAIN, 1, false), vec![reused], &mut log).await;
        assert_eq!(steps.started(), ["b", "c"]);
        assert_eq!(log.0, ["a done", "b done", "c done"]);
        assert_eq!(records["a"].reused_from.as_deref(), Some("yesterday"));
    }

    #[tokio::test]
    async fn the_journal_has_the_last_word_on_a_record() {
        let steps = Fakes::of(&[]);
        let (_, records) = run(&steps, schedule(&CHAIN, 1, false)).await;
        assert_eq!(records["c"].rows, Some(3), "added by the journal");
    }

    #[tokio::test]
    async fn a_step_that_panics_is_a_bug_and_its_readers_do_not_run() {
        let steps = Fakes::of(&[("b", Does::Panic)]);
        let (log, records) = run(&steps, schedule(&CHAIN, 2, false)).await;
        assert_eq!(log, ["a done", "b failed", "c not_run"]);
        assert!(records["b"].internal);
        let error = records["b"].error.as_deref();
        assert_eq!(error, Some("the step ended abnormally: a fake step panics, as a bug would"));
        assert!(records["b"].help.as_deref().is_some_and(|help| help.contains("report")));
    }
}
