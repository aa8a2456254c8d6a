//! Runs that are killed or interrupted leave the last complete run in place, and the next run finishes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use throughline_engine::{EngineError, Event, Observer, PrepareOptions, RunOptions, SessionOptions, prepare, run};

use crate::dice::Dice;
use crate::workspace::Workspace;

const KILLS: u32 = 12;
const FIRST: &str = "run --as-of 2026-04-01";
const FIRST_AGAIN: &str = "run --as-of 2026-04-01 --full-refresh";
const SECOND: &str = "run --as-of 2026-10-01";

/// The sample company with three hundred customers.
fn company() -> Workspace {
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 300 --out data/lake").ends_with(0);
    workspace
}

#[test]
fn killed_runs_show_the_last_complete_one_and_the_next_run_finishes() {
    let workspace = company();
    let elsewhere = |arguments: &str, warehouse| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        workspace.run_with(&arguments, &[("WAREHOUSE", warehouse)]).ends_with(0)
    };
    elsewhere(FIRST, "clean-first");
    let began = Instant::now();
    elsewhere(SECOND, "clean-second");
    let whole = began.elapsed();
    // The log of triggers only grows, so it is not what one run alone would have made of it.
    let tables = |warehouse: &str| {
        let mut tables = workspace.fingerprints(warehouse);
        tables.retain(|table| !table.starts_with("fct_trigger,"));
        tables
    };
    let (first, second) = (tables("clean-first"), tables("clean-second"));
    assert_ne!(first, second, "the two cuts must differ for this test to see anything");

    let mut dice = Dice(20_261_001);
    let kill = |arguments: &str, fraction: f64| {
        let mut child = workspace.start(arguments);
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * fraction));
        child.kill().expect("the run can be killed");
        child.wait().expect("the run ends");
    };
    // Before anything is published.
    for _ in 0..KILLS / 4 {
        kill(FIRST, dice.fraction() * 0.8);
        let answer = workspace.query("SELECT count(*) AS n FROM fct_journey");
        if answer.code != Some(0) {
            assert!(answer.code == Some(2) && answer.stderr.contains("nothing is published yet"), "{answer}");
        }
    }
    workspace.run(FIRST).ends_with(0);
    assert_eq!(tables("data/warehouse"), first);
    // While a newer run replaces what is published.
    for _ in KILLS / 4..KILLS {
        kill(SECOND, dice.fraction());
        let now = tables("data/warehouse");
        assert!(now == first || now == second, "a mixture of two runs is shown");
    }
    workspace.run(SECOND).ends_with(0);
    assert_eq!(tables("data/warehouse"), second);
    assert_eq!(workspace.leftovers("data/warehouse"), [""; 0], "what killed runs left is gone");
    let twice = "SELECT trigger, key_values FROM fct_trigger GROUP BY trigger, key_values HAVING count(*) > 1";
    assert_eq!(workspace.query(twice).ends_with(0).stdout.lines().count(), 1, "a firing was written twice");
    let fired = workspace.query("SELECT DISTINCT fired_at FROM fct_trigger").ends_with(0);
    assert_eq!(fired.stdout.lines().count(), 1 + 2, "each of the two cuts fired: {fired}");
}

/// What a kill leaves when it comes between the two steps that create a table's first log entry: the bytes under a name
/// of their own, and not yet the entry. There is no table then, and a rerun must make it.
#[test]
fn a_kill_before_the_first_log_entry_leaves_no_table() {
    let workspace = Workspace::tiny();
    workspace.put("warehouse/instance/_delta_log/.0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9.tmp", "");
    workspace.run(crate::tiny::RUN).ends_with(0);
    let clean = Workspace::tiny();
    clean.run(crate::tiny::RUN).ends_with(0);
    assert_eq!(workspace.rows(), clean.rows());
}

/// Starts a run and returns it when its first steps are under way, with all that it has printed.
fn under_way(workspace: &Workspace, arguments: &str) -> (Child, BufReader<ChildStderr>, String) {
    let mut child = workspace.start(arguments);
    let mut printed = BufReader::new(child.stderr.take().expect("standard error is piped"));
    let mut text = String::new();
    while !text.contains(" steps\n") {
        assert!(
            printed.read_line(&mut text).expect("standard error can be read") > 0,
            "the run ended before it began: {text}"
        );
    }
    (child, printed, text)
}

#[test]
fn an_interrupted_run_says_so_and_ends_with_130() {
    let workspace = company();
    for (signal, tables_before) in [("-INT", 0), ("-TERM", 4)] {
        let (mut child, mut printed, mut text) = under_way(&workspace, SECOND);
        while text.matches(" ok table ").count() < tables_before {
            assert!(
                printed.read_line(&mut text).expect("standard error can be read") > 0,
                "the run ended too early: {text}"
            );
        }
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("`kill` runs");
        assert!(sent.success());
        std::io::Read::read_to_string(&mut printed, &mut text).expect("standard error can be read");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(130), "{text}");
        assert!(text.contains("error: interrupted") && text.contains("INTERRUPTED"), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        let answer = workspace.query("SELECT 1 AS one").ends_with(2);
        assert!(answer.stderr.contains("nothing is published yet"), "{answer}");
        assert_eq!(workspace.newest_record("data/warehouse")["status"], "interrupted");
        assert_eq!(workspace.leftovers("data/warehouse"), [""; 0], "what was staged is gone");
    }
    let resumed = workspace.run(&format!("{SECOND} --retry")).ends_with(0);
    assert!(resumed.stderr.contains("taken over table "), "{resumed}");
    let elsewhere: Vec<&str> = SECOND.split(' ').collect();
    workspace.run_with(&elsewhere, &[("WAREHOUSE", "undisturbed")]).ends_with(0);
    assert_eq!(workspace.fingerprints("data/warehouse"), workspace.fingerprints("undisturbed"));
}

/// Removes the lock as soon as the last step of a run is done: whoever removes it ends the lease.
struct TakesTheLockAway {
    lock: PathBuf,
    steps: AtomicUsize,
}

impl Observer for TakesTheLockAway {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { steps, .. } => self.steps.store(steps.len(), Ordering::SeqCst),
            Event::StepFinished { .. } if self.steps.fetch_sub(1, Ordering::SeqCst) == 1 => {
                std::fs::remove_file(&self.lock).expect("the lock is there");
            }
            _ => {}
        }
    }
}

/// A run may lose its pipeline between its last table and its record, as one does that is put to sleep there. Then what
/// it wrote last is not what readers see: the next run may have cleared away since what its record would name.
#[test]
fn a_run_that_lost_its_pipeline_after_its_last_table_is_not_the_one_that_is_read() {
    let workspace = Workspace::tiny();
    let options = PrepareOptions {
        project: workspace.path().to_owned(),
        pipeline: None,
        warehouse: None,
        variables: Vec::new(),
        environment: HashMap::new(),
        as_of: 1_707_523_200_000_000,
        session: SessionOptions::default(),
        offline: false,
        libraries: &[],
    };
    let lock = workspace.path().join("warehouse/_locks/tiny.json");
    let observer: Arc<dyn Observer> = Arc::new(TakesTheLockAway { lock, steps: AtomicUsize::new(0) });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let outcome = runtime.block_on(async {
        let prepared = Arc::new(prepare(options).await.expect("the workspace is in order"));
        run(&prepared, &RunOptions::default(), &observer).await
    });
    let Err(EngineError::Held { message, .. }) = outcome else { panic!("the pipeline was lost: {outcome:?}") };
    assert!(message.contains("took over the pipeline `tiny`"), "{message}");
    let record = workspace.newest_record("warehouse");
    assert_eq!(record["status"], "held");
    let steps = record["steps"].as_array().expect("a list");
    assert!(steps.iter().all(|step| step["status"] == "done"), "{record}");
    assert!(workspace.query("SELECT 1").ends_with(2).stderr.contains("nothing is published yet"));
    workspace.run(crate::tiny::RUN).ends_with(0);
    assert_eq!(workspace.leftovers("warehouse"), [""; 0]);
}

#[test]
fn of_two_runs_at_once_one_wins_and_the_other_names_it() {
    let workspace = company();
    let (mut first, mut printed, mut text) = under_way(&workspace, SECOND);
    let second = workspace.run(SECOND).ends_with(4);
    assert!(second.stderr.contains("error: the pipeline `key_journeys` is held by run [RUN] on host "), "{second}");
    assert!(second.stderr.contains(&format!("(pid {})", first.id())), "{second}");
    assert!(second.stderr.contains("nothing ran") && second.stderr.contains("= help: wait until"), "{second}");
    // Those who only look are not kept waiting.
    workspace.run("runs").ends_with(0);
    workspace.run("plan").ends_with(0);
    std::io::Read::read_to_string(&mut printed, &mut text).expect("standard error can be read");
    assert_eq!(first.wait().expect("it ends").code(), Some(0), "{text}");

    // Whoever removes the lock ends the lease: the holder publishes nothing more.
    let (mut first, mut printed, mut text) = under_way(&workspace, FIRST_AGAIN);
    workspace.remove("data/warehouse/_locks/key_journeys.json");
    workspace.run(FIRST_AGAIN).ends_with(0);
    std::io::Read::read_to_string(&mut printed, &mut text).expect("standard error can be read");
    assert_eq!(first.wait().expect("it ends").code(), Some(4), "{text}");
    assert_eq!(workspace.newest_record("data/warehouse")["status"], "done");
    let elsewhere: Vec<&str> = FIRST.split(' ').collect();
    workspace.run_with(&elsewhere, &[("WAREHOUSE", "undisturbed")]).ends_with(0);
    let tables = |warehouse: &str| {
        let mut tables = workspace.fingerprints(warehouse);
        tables.retain(|table| !table.starts_with("fct_trigger,"));
        tables
    };
    assert_eq!(tables("data/warehouse"), tables("undisturbed"), "nothing is lost or doubled");
}
