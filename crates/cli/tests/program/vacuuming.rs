//! `vacuum` on a workspace's warehouse: what readers, runs and snapshots need stays.

use crate::tiny::RUN;
use crate::workspace::Workspace;

fn data_files(workspace: &Workspace) -> usize {
    let folder = workspace.path().join("warehouse/by_status");
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
