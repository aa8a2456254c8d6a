//! Which steps of a run may start, and in what order: state without effects.
//!
//! ```text
//!   waiting ──▶ running ──▶ done            all it reads is done, and a thread is free
//!      │           └──────▶ not done        it failed, or its tests did
//!      └─────────────────▶ not run          something it reads is not done, or the run ends before it
//! ```
//!
//! Example: `b` and `c` read `a`, `d` reads both. With two threads, `a` runs alone, then `b` and `c` side by side. When
//! `b` fails, `d` does not run and `c` goes on; with `fail_fast` nothing that is not running starts any more.

use std::collections::BTreeSet;

/// A step and those of the run's steps that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScheduledStep {
    pub(crate) name: String,
    pub(crate) inputs: Vec<String>,
}

/// A step that does not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotRun {
    pub(crate) step: String,
    pub(crate) why: String,
}

/// The steps of a run by what has become of them so far.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// In the plan's order.
    waiting: Vec<ScheduledStep>,
    done: BTreeSet<String>,
    running: usize,
    threads: usize,
    fail_fast: bool,
    /// Nothing more may start.
    is_closed: bool,
}

impl Schedule {
    /// `steps` are in the plan's order; at least one and at most `threads` of them run side by side.
    pub(crate) fn new(steps: Vec<ScheduledStep>, threads: usize, fail_fast: bool) -> Self {
        let threads = threads.max(1);
        Self { waiting: steps, done: BTreeSet::new(), running: 0, threads, fail_fast, is_closed: false }
    }

    /// Marks a step that need not run, because an earlier run has done it.
    pub(crate) fn reuse(&mut self, step: &str) {
        self.waiting.retain(|waiting| waiting.name != step);
        self.done.insert(step.to_owned());
    }

    /// The next step to start, which then counts as running; `None` when none may start now.
    pub(crate) fn start_next(&mut self) -> Option<String> {
        if self.is_closed || self.running >= self.threads {
            return None;
        }
        let is_ready = |step: &ScheduledStep| step.inputs.iter().all(|input| self.done.contains(input));
        let place = self.waiting.iter().position(is_ready)?;
        self.running += 1;
        Some(self.waiting.remove(place).name)
    }

    /// Marks a running step as done.
    pub(crate) fn succeed(&mut self, step: &str) {
        self.running = self.running.saturating_sub(1);
        self.done.insert(step.to_owned());
    }

    /// Marks a running step as ended without being done. Returns the steps that read it, directly or by way of others:
    /// they do not run.
    pub(crate) fn fail(&mut self, step: &str) -> Vec<NotRun> {
        self.running = self.running.saturating_sub(1);
        self.is_closed |= self.fail_fast;
        let mut not_run = Vec::new();
        let mut lost = vec![step.to_owned()];
        while let Some(input) = lost.pop() {
            let waiting = std::mem::take(&mut self.waiting);
            let (readers, others): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|waiting| waiting.inputs.contains(&input));
            self.waiting = others;
            for reader in readers {
                let why = format!("it reads `{input}`, which did not succeed");
                lost.push(reader.name.clone());
                not_run.push(NotRun { step: reader.name, why });
            }
        }
        not_run
    }

    /// Lets nothing more start.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// The steps that are still waiting when nothing runs any more.
    pub(crate) fn end(self) -> Vec<NotRun> {
        let why = || "the run stopped before it".to_owned();
        self.waiting.into_iter().map(|step| NotRun { step: step.name, why: why() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps in order, each with what it reads: `"c: a b"`.
    fn schedule(steps: &[&str], threads: usize, fail_fast: bool) -> Schedule {
        let step = |text: &&str| {
            let (name, inputs) = text.split_once(':').unwrap_or((text, ""));
            let inputs = inputs.split_whitespace().map(str::to_owned).collect();
            ScheduledStep { name: name.to_owned(), inputs }
        };
        Schedule::new(steps.iter().map(step).collect(), threads, fail_fast)
    }

    const DIAMOND: [&str; 4] = ["a", "b: a", "c: a", "d: b c"];

    /// All that may start now.
    fn started(schedule: &mut Schedule) -> Vec<String> {
        std::iter::from_fn(|| schedule.start_next()).collect()
    }

    fn names(not_run: &[NotRun]) -> Vec<&str> {
        not_run.iter().map(|not_run| not_run.step.as_str()).collect()
    }

    #[test]
    fn a_step_starts_once_all_it_reads_is_done() {
        let mut schedule = schedule(&DIAMOND, 8, false);
        assert_eq!(started(&mut schedule), ["a"]);
        schedule.succeed("a");
        assert_eq!(started(&mut schedule), ["b", "c"]);
        schedule.succeed("c");
        assert_eq!(started(&mut schedule), [""; 0], "`d` reads `b` too");
        schedule.succeed("b");
        assert_eq!(started(&mut schedule), ["d"]);
        schedule.succeed("d");
        assert!(schedule.end().is_empty());
    }

    #[test]
    fn steps_that_read_nothing_start_in_the_plans_order() {
        assert_eq!(started(&mut schedule(&["c", "a", "b"], 8, false)), ["c", "a", "b"]);
    }

    #[test]
    fn one_thread_runs_one_step_at_a_time_in_the_plans_order() {
        let mut schedule = schedule(&["a", "b", "c: a", "d"], 1, false);
        let mut order = Vec::new();
        while let Some(step) = schedule.start_next() {
            assert_eq!(schedule.start_next(), None, "the one thread is busy");
            schedule.succeed(&step);
            order.push(step);
        }
        assert_eq!(order, ["a", "b", "c", "d"]);
    }

    #[test]
    fn no_more_steps_run_than_there_are_threads() {
        let mut schedule = schedule(&["a", "b", "c"], 2, false);
        assert_eq!(started(&mut schedule), ["a", "b"]);
        schedule.succeed("b");
        assert_eq!(started(&mut schedule), ["c"]);
    }

    #[test]
    fn no_thread_counts_as_one() {
        assert_eq!(started(&mut schedule(&["a", "b"], 0, false)), ["a"]);
    }

    #[test]
    fn a_step_does_not_wait_for_those_before_it_that_it_does_not_read() {
        let mut schedule = schedule(&["slow", "reader: slow", "other"], 2, false);
        assert_eq!(started(&mut schedule), ["slow", "other"]);
    }

    #[test]
    fn readers_of_a_failed_step_do_not_run_directly_or_by_way_of_others() {
        let mut schedule = schedule(&["a", "b: a", "c: b", "d: c", "e"], 1, false);
        assert_eq!(schedule.start_next().as_deref(), Some("a"));
        let not_run = schedule.fail("a");
        assert_eq!(names(&not_run), ["b", "c", "d"]);
        assert_eq!(not_run[1].why, "it reads `b`, which did not succeed");
        assert_eq!(started(&mut schedule), ["e"]);
    }

    #[test]
    fn a_reader_of_two_failed_steps_is_given_up_once() {
        let mut schedule = schedule(&["a", "b", "c: a b"], 2, false);
        assert_eq!(started(&mut schedule), ["a", "b"]);
        assert_eq!(names(&schedule.fail("a")), ["c"]);
        assert!(schedule.fail("b").is_empty());
    }

    #[test]
    fn a_failure_leaves_other_steps_running_and_starting() {
        let mut schedule = schedule(&DIAMOND, 2, false);
        assert_eq!(started(&mut schedule), ["a"]);
        schedule.succeed("a");
        assert_eq!(started(&mut schedule), ["b", "c"]);
        assert_eq!(names(&schedule.fail("b")), ["d"]);
        schedule.succeed("c");
        assert!(schedule.end().is_empty());
    }

    #[test]
    fn fail_fast_starts_nothing_after_a_failure() {
        let mut schedule = schedule(&["a", "b", "c", "d: a"], 2, true);
        assert_eq!(started(&mut schedule), ["a", "b"]);
        assert_eq!(names(&schedule.fail("a")), ["d"]);
        assert_eq!(started(&mut schedule), [""; 0]);
        schedule.succeed("b");
        assert_eq!(started(&mut schedule), [""; 0]);
        let rest = schedule.end();
        assert_eq!(names(&rest), ["c"]);
        assert_eq!(rest[0].why, "the run stopped before it");
    }

    #[test]
    fn fail_fast_changes_nothing_while_all_goes_well() {
        let mut schedule = schedule(&DIAMOND, 1, true);
        let mut order = Vec::new();
        while let Some(step) = schedule.start_next() {
            schedule.succeed(&step);
            order.push(step);
        }
        assert_eq!(order, ["a", "b", "c", "d"]);
    }

    #[test]
    fn after_it_is_closed_nothing_starts_and_the_rest_does_not_run() {
        let mut schedule = schedule(&DIAMOND, 2, false);
        assert_eq!(started(&mut schedule), ["a"]);
        schedule.close();
        schedule.succeed("a");
        assert_eq!(started(&mut schedule), [""; 0]);
        assert_eq!(names(&schedule.end()), ["b", "c", "d"]);
    }

    #[test]
    fn reused_steps_count_as_done_and_do_not_run() {
        let mut schedule = schedule(&DIAMOND, 2, false);
        schedule.reuse("a");
        schedule.reuse("b");
        assert_eq!(started(&mut schedule), ["c"]);
        schedule.succeed("c");
        assert_eq!(started(&mut schedule), ["d"]);
    }

    #[test]
    fn a_reused_reader_does_not_wait_for_what_it_reads() {
        let mut schedule = schedule(&["a", "b: a"], 1, false);
        schedule.reuse("b");
        assert_eq!(started(&mut schedule), ["a"]);
        assert!(schedule.fail("a").is_empty(), "`b` is done already");
    }

    #[test]
    fn steps_that_wait_for_each_other_never_start() {
        let mut schedule = schedule(&["a: b", "b: a"], 2, false);
        assert_eq!(schedule.start_next(), None);
        assert_eq!(names(&schedule.end()), ["a", "b"]);
    }

    #[test]
    fn nothing_to_do_is_done_at_once() {
        let mut schedule = schedule(&[], 2, false);
        assert_eq!(schedule.start_next(), None);
        assert!(schedule.end().is_empty());
    }
}
