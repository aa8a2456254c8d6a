//! Nights that come after others: files that change their columns, and runs of some models only.

use crate::tiny::RUN;
use crate::workspace::Workspace;

/// The newest files of an exporter may lack a column in which they have nothing.
#[test]
fn a_new_parquet_file_may_lack_a_declared_column() {
    let workspace = Workspace::tiny();
    let pipeline = crate::tiny::PIPELINE;
    workspace
        .put("sql/fewer.sql", "SELECT contact_id, customer, at, channel, event FROM contacts WHERE at >= '2024-02-08'");
    workspace.put(
        "sql/earlier.sql",
        "SELECT contact_id, customer, at, channel, event, satisfaction FROM contacts WHERE at < '2024-02-08'",
    );
    workspace.edit(
        pipeline,
        "  member:\n",
        "  fewer: { sql: sql/fewer.sql }\n  earlier: { sql: sql/earlier.sql }\n  member:\n",
    );
    let exported = |view: &str| {
        workspace.run(&format!("show {view} --limit all --format parquet --output {view}.parquet")).ends_with(0);
        std::fs::read(workspace.path().join(format!("{view}.parquet"))).expect("the file was written")
    };
    let (fewer, earlier) = (exported("fewer"), exported("earlier"));
    workspace.remove("data/contacts");
    workspace.edit(pipeline, "format: csv", "format: parquet");
    workspace.edit(pipeline, "    match: touchpoints\n", "    match: touchpoints\n    materialized: incremental\n");
    for declared in [true, false] {
        if !declared {
            let text = std::fs::read_to_string(workspace.path().join(pipeline)).expect("it is there");
            let (before, after) = text.split_once("    columns:\n").expect("the source declares columns");
            let (_, after) = after.split_once("    time_column").expect("the time column follows");
            workspace.put(pipeline, format!("{before}    time_column{after}"));
            workspace.remove("data/contacts");
        }
        let (grown, whole) = (format!("grown_{declared}"), format!("whole_{declared}"));
        workspace.put("data/contacts/a.parquet", &earlier);
        workspace.run(&format!("run --as-of 2024-02-08 --into {grown}")).ends_with(0);
        workspace.put("data/contacts/b.parquet", &fewer);
        workspace.run("check").ends_with(0);
        workspace.run(&format!("run --as-of 2024-02-10 --into {grown}")).ends_with(0);
        workspace.run(&format!("run --as-of 2024-02-10 --into {whole}")).ends_with(0);
        let rows = |warehouse: &str| {
            let show = format!("show member --limit all --format csv --warehouse {warehouse}");
            let mut lines: Vec<String> = workspace.run(&show).ends_with(0).stdout.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(rows(&grown), rows(&whole));
    }
}

/// What a run of selected models does not make stays as of its own day, and says so.
#[test]
fn tables_that_a_run_did_not_make_stay_as_of_their_day() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    workspace.run("run --as-of 2024-02-12 --select member").ends_with(0);
    let older = workspace.run("show by_status").ends_with(0);
    assert!(older.stderr.contains("`by_status` is as of 2024-02-10T00:00:00Z: an earlier run"), "{older}");
    let newest = workspace.run("show member").ends_with(0);
    assert!(!newest.stderr.contains("as of"), "{newest}");
    let record = workspace.newest_record("warehouse");
    assert_eq!(record["carried"]["by_status"]["as_of"], "2024-02-10T00:00:00Z");
    assert!(record["carried"]["member"].is_null(), "{record}");

    // Of instances of the 10th and members of the 12th, no table is made.
    let mixed = workspace.run("run --as-of 2024-02-12 --select by_status").ends_with(2);
    assert!(mixed.stderr.contains("`instance` is read by the selected models and is as of 2024-02-10"), "{mixed}");
    workspace.run("run --as-of 2024-02-12 --select by_channel").ends_with(0);
    workspace.run("run --as-of 2024-02-12 --select +by_status").ends_with(0);
    assert!(
        workspace.newest_record("warehouse")["carried"]
            .as_object()
            .is_some_and(|carried| { carried.values().all(|made_by| made_by["as_of"] == "2024-02-12T00:00:00Z") })
    );
}
