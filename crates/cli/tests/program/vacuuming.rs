//! `vacuum` on a workspace's warehouse: what readers, runs and snapshots need stays.

#[cfg(unix)]
use std::process::Command;
#[cfg(unix)]
use std::time::{Duration, Instant};

use crate::tiny::{PIPELINE, RUN};
use crate::workspace::Workspace;

fn data_files(workspace: &Workspace) -> usize {
    data_files_of(workspace, "by_status")
}

fn data_files_of(workspace: &Workspace, table: &str) -> usize {
    let folder = workspace.path().join("warehouse").join(table);
    let listed = std::fs::read_dir(folder).expect("the table is there");
    listed
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "parquet")))
        .count()
}

#[test]
fn a_vacuum_removes_old_versions_and_nothing_that_is_read() {
    let workspace = Workspace::tiny();
    for _ in 0..3 {
        workspace.run(RUN).ends_with(0);
    }
    workspace.run("snapshot create 2024-01").ends_with(0);
    let rows = workspace.rows();
    let all = data_files(&workspace);
    // Somebody keeps files of the lake beside the tables.
    workspace.put("warehouse/contacts/part-00000-1-c000.zstd.parquet", "a source's");

    let careful = workspace.run("vacuum").ends_with(0);
    assert!(careful.stderr.contains("removed 0 files, [SIZE], that nobody has needed since"), "{careful}");
    let refused = workspace.run("vacuum --retention 1h").ends_with(2);
    assert!(
        refused.stderr.contains("readers and runs that began earlier lose files that they still need"),
        "{refused}"
    );
    assert_eq!(data_files(&workspace), all);

    let listed = workspace.run("vacuum --retention 0h --dry-run").ends_with(0);
    let named = listed.stdout.lines().filter(|line| line.contains("/by_status/part-")).count();
    assert!(named > 0 && named < all, "{listed}");
    assert!(!listed.stdout.contains("_snapshots"), "{listed}");
    assert_eq!(data_files(&workspace), all, "a dry run removes nothing");

    workspace.run("vacuum --retention 0h --force").ends_with(0);
    assert_eq!(data_files(&workspace), all - named);
    assert!(workspace.has("warehouse/contacts/part-00000-1-c000.zstd.parquet"));
    assert_eq!(workspace.rows(), rows);
    workspace.run("snapshot verify 2024-01").ends_with(0);
    workspace.run(RUN).ends_with(0);
    assert_eq!(workspace.rows(), rows);
}

#[cfg(unix)]
#[test]
fn a_short_retention_waits_for_the_run_that_is_under_way() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let rows: String =
        (0..30_000).map(|i| format!("b{i},c{},2024-01-{:02}T00:00:00Z,web,o,\n", i % 900, 1 + i % 28)).collect();
    workspace.put("data/contacts/many.csv", format!("{}{rows}", crate::tiny::HEADER));
    let before = data_files(&workspace);
    let published = held(&workspace);
    let mut child = workspace.start(RUN);
    let send = |signal: &str| {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("`kill` runs");
        assert!(sent.success(), "{signal}");
    };
    let began = Instant::now();
    while held(&workspace) <= published && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    // Stopped in the middle, it is under way for as long as we like.
    send("-STOP");
    let refused = workspace.run("vacuum --retention 0h --force").ends_with(4);
    assert!(refused.stderr.contains("the pipeline `tiny` is held by run "), "{refused}");
    workspace.run("vacuum").ends_with(0);
    assert!(data_files(&workspace) >= before);
    send("-CONT");
    assert!(child.wait().expect("it ends").success());
    workspace.run("vacuum --retention 0h --force").ends_with(0);
}

/// Files that the table of members has; a run that stages it has begun to make it.
#[cfg(unix)]
fn held(workspace: &Workspace) -> usize {
    let listed = std::fs::read_dir(workspace.path().join("warehouse/member")).expect("the table is there");
    listed.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().to_string_lossy().contains(".parquet"))).count()
}

/// No run's record names the digests of touchpoints, since only the next run reads them.
#[test]
fn old_digests_of_touchpoints_are_removed() {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "match: touchpoints\n", "match: touchpoints\n    materialized: incremental\n");
    let run = |day: u32| workspace.run(&format!("run --as-of 2024-02-{day:02} --threads 1")).ends_with(0);
    for day in [7, 8, 9] {
        run(day);
    }
    let all = data_files_of(&workspace, "touchpoints__seen");
    assert!(all >= 3, "each run has kept its own: {all}");
    workspace.run("vacuum --retention 0h --force").ends_with(0);
    assert_eq!(data_files_of(&workspace, "touchpoints__seen"), 1, "those of the newest version stay");
    run(10);
    let rows = workspace.rows();
    workspace.run("run --as-of 2024-02-10 --threads 1 --full-refresh").ends_with(0);
    assert_eq!(workspace.rows(), rows);
}

/// A second pipeline in the same warehouse, over the same contacts.
const OTHER: &str = "\
name: other
owner: tests
start: 2024-01-01
warehouse: warehouse
sources:
  contacts:
    path: data/contacts/
    format: csv
    columns: { contact_id: string, customer: string, at: timestamp, channel: string, event: string, satisfaction: float64 }
    time_column: at
    key: [contact_id]
models:
  by_event: { sql: sql/by_event.sql, materialized: table, grain: [event] }
  by_customer: { sql: sql/by_customer.sql, materialized: table, grain: [customer] }
";
const OTHER_RUN: &str = "--pipeline other run --as-of 2024-02-10 --threads 1 --log-format json";

fn with_another_pipeline() -> Workspace {
    let workspace = Workspace::tiny();
    workspace.put("pipelines/other.yaml", OTHER);
    let counts = |column: &str| format!("SELECT {column}, count(*) AS contacts FROM contacts GROUP BY {column}\n");
    workspace.put("sql/by_event.sql", counts("event"));
    workspace.put("sql/by_customer.sql", counts("customer"));
    workspace
}

fn rows_of_the_other(workspace: &Workspace) -> String {
    let sql = "SELECT 'e' AS of, event AS what, contacts FROM by_event UNION ALL \
               SELECT 'c', customer, contacts FROM by_customer ORDER BY 1, 2";
    workspace.run_with(&["--pipeline", "other", "query", sql, "--format", "csv"], &[]).ends_with(0).stdout
}

#[test]
fn a_vacuum_keeps_what_another_pipeline_of_the_warehouse_reads() {
    let workspace = with_another_pipeline();
    let tiny = "--pipeline tiny run --as-of 2024-02-10";
    for run in [tiny, OTHER_RUN, tiny, OTHER_RUN] {
        workspace.run(run).ends_with(0);
    }
    let rows = rows_of_the_other(&workspace);
    assert_eq!(rows.lines().count(), 1 + 5 + 3, "{rows}");
    // A run of the other that fails leaves a newer version of one table, which its readers do not see.
    workspace.put("data/contacts/news.csv", format!("{}n1,eve,2024-02-09T00:00:00Z,web,ask,\n", crate::tiny::HEADER));
    workspace.edit("sql/by_customer.sql", "count(*)", "count(*) / (count(*) - count(*))");
    workspace.run(OTHER_RUN).ends_with(1);
    for _ in 0..2 {
        workspace.run("--pipeline tiny vacuum --retention 0h --force").ends_with(0);
        assert_eq!(rows_of_the_other(&workspace), rows);
    }
    workspace.edit("sql/by_customer.sql", "count(*) / (count(*) - count(*))", "count(*)");
    workspace.run(&format!("{OTHER_RUN} --retry")).ends_with(0);
    assert_eq!(rows_of_the_other(&workspace).lines().count(), 1 + 5 + 4);
}

/// What another pipeline has staged and not yet published is as young as a retention of nothing.
#[cfg(unix)]
#[test]
fn a_short_retention_waits_for_the_other_pipelines_of_the_warehouse() {
    let workspace = with_another_pipeline();
    workspace.run("--pipeline tiny run --as-of 2024-02-10").ends_with(0);
    workspace.run(OTHER_RUN).ends_with(0);
    let rows = rows_of_the_other(&workspace);
    // Its last table is tested by a query that takes its time, after the rows were staged.
    workspace.edit(
        "pipelines/other.yaml",
        "grain: [customer] }",
        "grain: [customer], tests: [{ sql: sql/slow_test.sql }] }",
    );
    workspace.put(
        "sql/slow_test.sql",
        "SELECT a.value FROM generate_series(1, 15000) AS a JOIN generate_series(1, 15000) AS b \
         ON a.value + b.value < 0 AND a.value * b.value < 0\n",
    );
    let files = || {
        let listed = std::fs::read_dir(workspace.path().join("warehouse/by_customer")).expect("the table is there");
        listed
            .filter(|entry| entry.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|e| e == "parquet")))
            .count()
    };
    let published = files();
    let mut child = workspace.start(OTHER_RUN);
    let began = Instant::now();
    while files() == published && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let send = |signal: &str| {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("`kill` runs");
        assert!(sent.success(), "{signal}");
    };
    // Stopped with its rows staged, it is under way for as long as we like.
    send("-STOP");
    let staged = files();
    assert!(staged > published, "rows are staged");
    let refused = workspace.run("--pipeline tiny vacuum --retention 0h --force").ends_with(4);
    assert!(refused.stderr.contains("the pipeline `other` is held by run "), "{refused}");
    workspace.run("--pipeline tiny vacuum").ends_with(0);
    assert_eq!(files(), staged);
    send("-CONT");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(rows_of_the_other(&workspace), rows);
    workspace.run("--pipeline tiny vacuum --retention 0h --force").ends_with(0);
    assert_eq!(rows_of_the_other(&workspace), rows);
}

#[test]
fn the_newest_complete_run_stays_when_later_ones_failed() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let rows = workspace.rows();
    workspace.put("data/contacts/news.csv", format!("{}n1,eve,2024-02-09T00:00:00Z,web,ask,\n", crate::tiny::HEADER));
    workspace.edit("sql/by_status.sql", "count(*)", "count(*) / (count(*) - count(*))");
    workspace.run(RUN).ends_with(1);
    // Other tables have newer versions by now, which no complete run names.
    workspace.run("vacuum --retention 0h --force").ends_with(0);
    assert_eq!(workspace.rows(), rows, "`query` reads the versions of the last complete run");
}

#[test]
fn a_long_log_gets_a_checkpoint() {
    let workspace = Workspace::tiny();
    let run = "run --as-of 2024-02-10 --select by_channel";
    workspace.run(RUN).ends_with(0);
    for _ in 0..19 {
        workspace.run(run).ends_with(0);
    }
    let rows = workspace.rows();
    let vacuumed = workspace.run("vacuum").ends_with(0);
    assert!(vacuumed.stderr.contains("1 checkpoint written"), "{vacuumed}");
    assert!(workspace.has("warehouse/by_channel/_delta_log/00000000000000000019.checkpoint.parquet"));
    assert_eq!(workspace.rows(), rows);
    workspace.run(run).ends_with(0);
    assert_eq!(workspace.rows(), rows);
    assert!(!workspace.run("vacuum").ends_with(0).stderr.contains("checkpoint"));
}
