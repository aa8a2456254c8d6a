//! Frozen quarters: made once, revised when later data changes them, compared, copied, and damaged.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use crate::tiny::{HEADER, PIPELINE, RUN};
use crate::workspace::{Outcome, Workspace};

const CREATE: &str = "snapshot create 2024-01 --log-format json --threads 1 --partitions 2";

/// What a command says besides its events.
fn words(outcome: &Outcome) -> String {
    let said = outcome.stderr.lines().filter(|line| !line.starts_with('{') && !line.is_empty());
    format!("exit {}\n{}", outcome.code.unwrap_or(-1), said.collect::<Vec<_>>().join("\n"))
}

/// The tiny workspace with a snapshot of January.
fn frozen() -> Workspace {
    let workspace = Workspace::tiny();
    workspace.run(CREATE).ends_with(0);
    workspace
}

/// A contact of January that arrived after its snapshot was made.
fn with_late_contact(workspace: &Workspace) {
    workspace.put("data/contacts/late.csv", format!("{HEADER}l1,bob,2024-01-03T09:30:00Z,chat,answer,1\n"));
}

fn ask(workspace: &Workspace, snapshot: &str, sql: &str) -> String {
    workspace.run_with(&["query", "--snapshot", snapshot, sql, "--format", "csv"], &[]).ends_with(0).stdout
}

fn snapshot_files(workspace: &Workspace, name: &str) -> Vec<PathBuf> {
    let mut folders = vec![workspace.path().join("warehouse/_snapshots").join(name)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Everything below `_snapshots` but the snapshots themselves.
fn leftovers(workspace: &Workspace) -> Vec<String> {
    let Ok(listed) = std::fs::read_dir(workspace.path().join("warehouse/_snapshots")) else { return Vec::new() };
    let names = listed.map(|entry| entry.expect("the folder can be listed").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn a_snapshot_asked_for_twice_is_made_once() {
    let workspace = Workspace::tiny();
    assert_snapshot!(words(&workspace.run(CREATE)), @"
    exit 0
    2024-01 is in warehouse/_snapshots/2024-01: 4 tables, 18 rows, [SIZE] in 8 files, as of 2024-02-01T00:00:00Z
    ");
    let files = snapshot_files(&workspace, "2024-01");
    let bytes: Vec<_> = files.iter().map(|file| std::fs::read(file).expect("a file")).collect();
    assert_snapshot!(words(&workspace.run(CREATE)), @"
    exit 0
    2024-01 already says the same; nothing was written
    ");
    assert_snapshot!(words(&workspace.run(&format!("{CREATE} --revise"))), @"
    exit 0
    2024-01 already says the same; nothing was written
    ");
    assert_eq!(snapshot_files(&workspace, "2024-01"), files);
    assert_eq!(files.iter().map(|file| std::fs::read(file).expect("a file")).collect::<Vec<_>>(), bytes);
    assert!(leftovers(&workspace).is_empty());
    assert_snapshot!(workspace.query("SELECT * FROM instance"), @"
    exit 2
    --- stderr
    error: nothing is published yet in warehouse
      = help: make the tables first: throughline run
    ");
    assert_snapshot!(workspace.run("snapshot verify"), @"
    exit 0
    --- stdout
    2024-01: sound, 9 files, [SIZE]; every byte is as the manifest says
    ");
}

#[test]
fn later_data_makes_a_revision_and_the_older_one_stays() {
    let workspace = frozen();
    let before = ask(&workspace, "2024-01", "SELECT * FROM instance ORDER BY journey_id");
    with_late_contact(&workspace);
    let printed = workspace.run(CREATE);
    assert_snapshot!(words(&printed), @"
    exit 2
    error: 2024-01 stays as it is, but the data now gives other rows: by_channel +1 −1, instance ~1, member ~2
      = help: to keep these as 2024-01.r2: throughline snapshot create 2024-01 --revise
    ");
    assert!(!workspace.has("warehouse/_snapshots/2024-01.r2"));
    assert_snapshot!(words(&workspace.run(&format!("{CREATE} --revise"))), @"
    exit 0
    2024-01.r2 is in warehouse/_snapshots/2024-01.r2: 4 tables, 18 rows, [SIZE] in 8 files, as of 2024-02-01T00:00:00Z
    against 2024-01, which stays as it is: by_channel +1 −1, instance ~1, member ~2
    ");
    assert_eq!(ask(&workspace, "2024-01", "SELECT * FROM instance ORDER BY journey_id"), before);
    assert_ne!(ask(&workspace, "2024-01.r2", "SELECT * FROM instance ORDER BY journey_id"), before);
    assert_snapshot!(workspace.run("snapshot diff 2024-01 2024-01.r2"), @"
    exit 0
    --- stdout
    2024-01 → 2024-01.r2 · as of 2024-02-01 → 2024-02-01 · same definitions

     table       rows  added  removed  changed  where rows changed
    ─────────────────────────────────────────────────────────────────────────────────────
     by_channel     3      1        1        0
     instance       4      0        0        1  ended_at 1, last_at 1
     member         8      0        0        2  ended_at 2, last_at 2, channel 1, 2 more
    without a change: by_status
    ");
    assert_eq!(
        words(&workspace.run(CREATE)).lines().nth(1),
        Some("2024-01.r2 already says the same; nothing was written")
    );
    let shown = workspace.run("snapshot show 2024-01.r2").ends_with(0).stdout;
    assert!(shown.contains("supersedes 2024-01: "), "{shown}");
    let shown = workspace.run("snapshot show 2024-01").ends_with(0).stdout;
    assert!(shown.contains("there is a newer revision: 2024-01.r2"), "{shown}");
    let listed = workspace.run("snapshot list --verify --format json").ends_with(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed[1]["supersedes"], "2024-01");
    assert_eq!((&listed[0]["state"], &listed[1]["state"]), (&"verified".into(), &"verified".into()));

    // The other way round it says as much, and a changed definition is distinguished from changed data.
    workspace.edit("sql/by_status.sql", "count(*) AS instances", "2 * count(*) AS instances");
    let printed = workspace.run(CREATE).ends_with(2);
    assert!(
        printed.stderr.contains("the pipeline, which was changed since, now gives other rows: by_status ~"),
        "{printed}"
    );
}

#[test]
fn a_snapshot_is_what_a_run_as_of_that_day_would_publish() {
    let workspace = frozen();
    workspace.run("snapshot create 2024-Q1").ends_with(0);
    // Published before and after: a snapshot neither reads nor touches what is published.
    workspace.run("run --as-of 2024-04-01").ends_with(0);
    let tables = ["member", "instance", "by_status", "by_channel"];
    for table in tables {
        let sql = format!("SELECT * FROM {table} ORDER BY 1, 2");
        let published = workspace.query(&sql).ends_with(0).stdout;
        assert_eq!(ask(&workspace, "2024-Q1", &sql), published, "{table}");
    }
    let published = workspace.rows();
    workspace.run("snapshot create 2024-02").ends_with(0);
    assert_eq!(workspace.rows(), published);
    let list = workspace.run("snapshot list").ends_with(0).stdout;
    let names: Vec<&str> = list.lines().skip(2).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["2024-Q1", "2024-01", "2024-02"], "{list}");

    let shown = workspace.run("show by_status --snapshot 2024-Q1 --format csv").ends_with(0).stdout;
    assert_eq!(workspace.run("snapshot show 2024-Q1 by_status --format csv").ends_with(0).stdout, shown);
    let columns = workspace.run("snapshot show 2024-Q1 instance --limit 0").ends_with(0).stdout;
    assert!(columns.contains("Members of the instance"), "{columns}");
}

#[test]
fn the_log_of_triggers_is_left_out_and_left_alone() {
    let workspace = Workspace::tiny();
    let trigger = "triggers:\n  any:\n    table: by_status\n    condition: instances >= 1\n    route: team\n    key: [journey, status]\n    message: \"{status}\"\nmodels:\n";
    workspace.edit(PIPELINE, "models:\n", trigger);
    workspace.run(RUN).ends_with(0);
    let log = workspace.query("SELECT * FROM fct_trigger ORDER BY key").ends_with(0).stdout;
    workspace.run("snapshot create 2024-Q1").ends_with(0);
    assert_eq!(workspace.query("SELECT * FROM fct_trigger ORDER BY key").ends_with(0).stdout, log);
    let asked = workspace.run_with(&["query", "--snapshot", "2024-Q1", "SELECT * FROM fct_trigger"], &[]).ends_with(2);
    assert!(asked.stderr.contains("no published table `fct_trigger`"), "{asked}");
    let manifest: Value =
        serde_json::from_str(&workspace.run("snapshot show 2024-Q1 --format json").ends_with(0).stdout).expect("JSON");
    assert!(manifest["tables"]["by_status"].is_object() && manifest["tables"]["fct_trigger"].is_null());
}

#[test]
fn what_cannot_be_frozen_is_refused() {
    let workspace = Workspace::tiny();
    for (arguments, code, printed) in [
        ("snapshot create 2999-Q1", 2, "the quarter 2999-Q1 is not over: it ends at 2999-04-01T00:00:00Z"),
        ("snapshot create 2023-Q4", 2, "2023-Q4 was over before the pipeline's start, 2024-01-01T00:00:00Z"),
        ("snapshot create 2024-Q1.r2", 2, "write: throughline snapshot create 2024-Q1 --revise"),
        ("snapshot create Q1", 2, "`Q1` is no name of a snapshot: write a quarter (2026-Q3)"),
        ("snapshot create 2024-Q1 --as-of 2024-04-01", 2, "`--as-of` has no place here"),
        ("snapshot show 2024-Q1", 2, "there are: none yet; one is made by `throughline snapshot create 2024-Q1`"),
        ("snapshot diff 2024-Q1 2024-Q2", 2, "there is no snapshot 2024-Q1 in warehouse"),
        ("snapshot verify ./nothing", 2, "there is no snapshot in nothing: it has no manifest.json"),
        ("query --snapshot 2024-Q1 SELECT", 2, "there is no snapshot 2024-Q1"),
        ("snapshot list", 0, "no snapshot yet"),
    ] {
        let outcome = workspace.run(arguments).ends_with(code);
        assert!(outcome.stderr.contains(printed), "{arguments}: {outcome}");
    }
    workspace.run(CREATE).ends_with(0);
    let outcome = workspace.run("snapshot show 2024-01 instances").ends_with(2);
    assert!(
        outcome.stderr.contains("no table `instances` in 2024-01") && outcome.stderr.contains("`instance`"),
        "{outcome}"
    );
}

#[test]
fn a_failed_test_makes_no_snapshot() {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "row_count: { min: 1 }", "row_count: { min: 1000 }");
    let outcome = workspace.run(CREATE).ends_with(3);
    assert!(outcome.stderr.contains("no snapshot was made"), "{outcome}");
    assert!(leftovers(&workspace).is_empty() && !workspace.has("warehouse/_snapshots/2024-01"));
    workspace.edit(PIPELINE, "row_count: { min: 1000 }", "row_count: { min: 1 }");
    workspace.run(CREATE).ends_with(0);
    workspace.run("snapshot verify 2024-01").ends_with(0);
}

#[test]
fn one_damaged_byte_is_found_in_the_warehouse_and_in_a_copy() {
    let workspace = frozen();
    let exported = workspace.run("snapshot export 2024-01 sent/january").ends_with(0);
    assert!(
        exported.stderr.contains("2024-01 is in sent/january")
            || exported.stderr.contains("2024-01 is in [WORKSPACE]/sent/january"),
        "{exported}"
    );
    workspace.run("snapshot export 2024-01 sent/january").ends_with(0);
    // Whoever receives it has no workspace.
    let elsewhere = Workspace::empty();
    std::fs::create_dir(elsewhere.path().join("got")).expect("a folder");
    for file in snapshot_files(&workspace, "../../sent/january") {
        let inside =
            file.strip_prefix(workspace.path().join("warehouse/_snapshots/../../sent/january")).expect("below");
        elsewhere.put(&format!("got/{}", inside.display()), std::fs::read(&file).expect("a file"));
    }
    elsewhere.run("snapshot verify ./got").ends_with(0);
    for file in snapshot_files(&workspace, "2024-01") {
        let whole = std::fs::read(&file).expect("a file");
        let mut damaged = whole.clone();
        let middle = whole.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(&file, &damaged).expect("written");
        let outcome = workspace.run("snapshot verify 2024-01").ends_with(1);
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(format!("{outcome}").contains(&name), "{name}: {outcome}");
        workspace.run("snapshot verify").ends_with(1);
        std::fs::write(&file, &whole).expect("written");
    }
    workspace.run("snapshot verify 2024-01").ends_with(0);
    elsewhere.put("got/member/part-9.parquet", "more");
    let outcome = elsewhere.run("snapshot verify ./got").ends_with(1);
    assert!(outcome.stdout.contains("member/part-9.parquet: extra"), "{outcome}");
}

/// A snapshot that is being made, some of its rows written.
fn in_the_middle() -> (Workspace, Child) {
    let workspace = Workspace::tiny();
    // Enough contacts for the run to last a while.
    let rows: String = (0..60_000)
        .map(|i| {
            format!(
                "b{i},c{},2024-01-{:02}T{:02}:{:02}:00Z,web,{},\n",
                i % 900,
                1 + i % 28,
                i % 24,
                i % 60,
                ["o", "x", "c"][i % 3]
            )
        })
        .collect();
    workspace.put("data/contacts/many.csv", format!("{HEADER}{rows}"));
    let child = workspace.start(CREATE);
    let began = Instant::now();
    let has_written = || {
        let scratch = leftovers(&workspace).pop();
        scratch.is_some_and(|scratch| workspace.has(&format!("warehouse/_snapshots/{scratch}/member")))
    };
    while !has_written() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    (workspace, child)
}

#[cfg(unix)]
#[test]
fn an_interrupted_snapshot_leaves_nothing() {
    let (workspace, child) = in_the_middle();
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("`kill` runs");
    assert!(sent.success());
    let printed = workspace.outcome(child.wait_with_output().expect("it ends")).ends_with(130);
    assert!(printed.stderr.contains("error: interrupted; no snapshot was made"), "{printed}");
    assert!(leftovers(&workspace).is_empty());
    assert!(!workspace.has("warehouse/_snapshots/2024-01"));
    workspace.run(CREATE).ends_with(0);
}

/// A snapshot is made in a place of its own: neither does it wait for a run, nor a run for it.
#[cfg(unix)]
#[test]
fn a_snapshot_is_made_beside_a_run_and_by_one_at_a_time() {
    let (workspace, mut child) = in_the_middle();
    let send = |signal: &str| {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("`kill` runs");
        assert!(sent.success(), "{signal}");
    };
    send("-STOP");
    let refused = workspace.run(CREATE).ends_with(4);
    let named = format!("error: the snapshot 2024-01 is being made on host {{}} (pid {})", child.id());
    let (before, after) = named.split_once("{}").expect("a host stands between");
    assert!(refused.stderr.contains(before) && refused.stderr.contains(after), "{refused}");
    assert!(refused.stderr.contains("nothing ran") && refused.stderr.contains("= help: wait until"), "{refused}");
    let refused = workspace.run("vacuum --force --retention 0h").ends_with(4);
    assert!(refused.stderr.contains("the snapshot 2024-01 is being made"), "{refused}");
    assert_eq!(leftovers(&workspace).len(), 1, "what is staged stays");
    workspace.run("run --as-of 2024-02-10").ends_with(0);
    send("-CONT");
    assert!(child.wait().expect("it ends").success());
    workspace.run("snapshot verify 2024-01").ends_with(0);
    assert!(leftovers(&workspace).is_empty());
}

#[cfg(unix)]
#[test]
fn a_snapshot_does_not_wait_for_a_run_that_holds_the_pipeline() {
    let workspace = frozen();
    let files = || {
        let listed = std::fs::read_dir(workspace.path().join("warehouse/_runs")).into_iter().flatten();
        listed.filter(|entry| entry.as_ref().is_ok_and(|e| e.path().to_string_lossy().contains(".partial"))).count()
    };
    let mut child = workspace.start("run --as-of 2024-02-10 --threads 1");
    let began = Instant::now();
    while files() == 0 && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let send = |signal: &str| {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("`kill` runs");
        assert!(sent.success(), "{signal}");
    };
    send("-STOP");
    let other = workspace.run("run --as-of 2024-02-10");
    let made = workspace.run(CREATE);
    send("-CONT");
    assert!(child.wait().expect("it ends").success());
    assert_eq!((other.code, made.code), (Some(4), Some(0)), "{other}\n{made}");
}

#[test]
fn a_killed_snapshot_is_seen_by_nobody_and_swept_later() {
    let (workspace, mut child) = in_the_middle();
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert_eq!(leftovers(&workspace).len(), 1, "it was killed on the way");
    let listed = workspace.run("snapshot list").ends_with(0);
    assert!(listed.stderr.contains("no snapshot yet"), "{listed}");

    workspace.run(CREATE).ends_with(0);
    assert_eq!(leftovers(&workspace).len(), 1, "what is young may be somebody's who still works on it");
    workspace.run("vacuum --force --retention 0h").ends_with(0);
    assert!(leftovers(&workspace).is_empty());
    workspace.run("snapshot verify 2024-01").ends_with(0);
}

#[test]
fn of_two_at_once_one_is_made_and_the_other_finds_it_or_the_one_who_makes_it() {
    let workspace = Workspace::tiny();
    let start = || workspace.command(&CREATE.split(' ').collect::<Vec<_>>()).stderr(Stdio::piped()).spawn();
    let started = [start(), start()].map(|child| child.expect("the program starts"));
    let printed = started.map(|child| words(&workspace.outcome(child.wait_with_output().expect("it ends"))));
    let well = |printed: &String| printed.starts_with("exit 0\n2024-01 ");
    let held =
        |printed: &String| printed.starts_with("exit 4\n") && printed.contains("the snapshot 2024-01 is being made");
    assert!(printed.iter().all(|printed| well(printed) || held(printed)), "{printed:?}");
    assert!(printed.iter().any(|printed| printed.contains(" tables, ")), "{printed:?}");
    workspace.run("snapshot verify 2024-01").ends_with(0);
    assert!(leftovers(&workspace).is_empty());
}

#[test]
fn two_quarters_of_the_sample_are_compared() {
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 300 --out data/lake").ends_with(0);
    for quarter in ["2026-Q2", "2026-Q3"] {
        let made = workspace.run(&format!("snapshot create {quarter}")).ends_with(0);
        assert!(made.stderr.contains("key journeys are ranked"), "{made}");
    }
    let diff = workspace.run("snapshot diff 2026-Q2 2026-Q3 --format json").ends_with(0).stdout;
    let diff: Value = serde_json::from_str(&diff).expect("JSON");
    assert_eq!(diff["definitions_changed"], false);
    let tables = diff["tables"].as_object().expect("tables");
    for (name, table) in tables {
        let count = |of: &str| table[of].as_i64().unwrap_or_else(|| panic!("`{of}` of {name}"));
        assert_eq!(count("rows_to"), count("rows_from") + count("added") - count("removed"), "{name}: {table}");
        let largest = table["columns"].as_object().expect("columns").values().filter_map(Value::as_i64).max();
        assert!(largest.unwrap_or(0) <= count("changed"), "{name}: {table}");
    }
    // New instances began, and some that were open have ended.
    assert!(tables["fct_journey"]["added"].as_i64() > Some(0), "{}", tables["fct_journey"]);
    assert!(tables["fct_journey"]["columns"]["status"].as_i64() > Some(0), "{}", tables["fct_journey"]);
    let moves = diff["journeys"].as_array().expect("journeys");
    assert_eq!(moves.len(), 11, "{moves:?}");
    assert!(moves.iter().all(|moved| moved["from"]["period"] == "2026-Q2" && moved["to"]["period"] == "2026-Q3"));

    let explained = workspace.run("explain onboarding --snapshot 2026-Q2").ends_with(0).stdout;
    assert!(explained.contains("2026-07-01") && explained.contains("2026-Q2"), "{explained}");
    assert!(!explained.contains("2026-Q3"), "{explained}");
    workspace.run("report --snapshot 2026-Q2 --out q2.html").ends_with(0);
    let page = std::fs::read_to_string(workspace.path().join("q2.html")).expect("the page is written");
    assert!(page.contains("2026-07-01") && !page.contains("2026-10-01"), "the page is of another day");
    let printed = workspace.run("snapshot diff 2026-Q2 2026-Q3").ends_with(0).stdout;
    assert!(printed.contains("2026-Q2 → 2026-Q3") && printed.contains("onboarding"), "{printed}");
    let same = workspace.run("snapshot diff 2026-Q3 2026-Q3").ends_with(0).stdout;
    assert!(same.contains("dim_journey, employee_feedback__rejected") && !same.contains("added"), "{same}");
}

#[test]
fn why_ranks_moved_is_said_with_its_parts() {
    let workspace = Workspace::hand_made(true);
    for quarter in ["2026-Q2", "2026-Q3"] {
        let made = workspace.run(&format!("snapshot create {quarter}")).ends_with(0);
        assert!(made.stderr.contains(&format!("key journeys are ranked up to {quarter}")), "{made}");
    }
    let printed = workspace.run("snapshot diff 2026-Q2 2026-Q3").ends_with(0).stdout;
    let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "Journeys, all segments: 2026-Q2 → 2026-Q3",
        "harmful 2 → 1 helping 3,900 → 4,216 7.6 → 8.1 6.0 → 6.2 1.27 → 1.31 47 → 59",
        "unclear → insufficient 3 → · moving",
        "Why it moved, in customers who left beyond like ones:",
        "helping: +12 (-30 to +54): +5.0 (+2.0 to +8.0) as more or fewer customers were on it, +1.0 (-1.0 to +3.0) as they \
         were others (segment, time as a customer, month), +10 (-12 to +32) as those on it leave more or less often, -4.0 \
         (-9.0 to +1.0) as like customers do.",
    ] {
        assert!(printed.contains(sentence), "`{sentence}` is not in: {printed}");
    }
    // One period in both: what later data made of it, which is nothing here.
    let one = workspace.run("snapshot diff 2026-Q2 2026-Q3 --period 2026-Q2").ends_with(0).stdout;
    let words = one.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Journeys, all segments: 2026-Q2 tier"), "{one}");
    assert!(words.contains("harmful 2 helping 3,900 7.6 6.0 1.27 47"), "{one}");
    let refused = workspace.run("snapshot diff 2026-Q2 2026-Q3 --period 2026-Q1").ends_with(2);
    assert!(refused.stderr.contains("no period `2026-Q1`") && refused.stderr.contains("2026-Q3; 2026-07"), "{refused}");
    // Against itself nothing moved, and nothing is said of why.
    let same = workspace.run("snapshot diff 2026-Q3 2026-Q3").ends_with(0).stdout;
    assert!(!same.contains("Why it moved"), "{same}");
}
