//! Triggers: each firing is written once, whatever is repeated; what is wrong with one is reported before anything
//! runs.

use crate::tiny::{PIPELINE, RUN};
use crate::workspace::Workspace;

const TRIGGERS: &str = "\
triggers:
  piling_up:
    table: by_status
    condition: instances >= 2
    route: team {journey}
    severity: critical
    key: [status, journey]
    message: \"{instances} of {journey} are {status}, satisfaction {{n/a}}\"
models:
";

fn watched() -> Workspace {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "models:\n", TRIGGERS);
    workspace
}

fn log(workspace: &Workspace) -> String {
    let columns = "trigger, severity, route, key, key_values, message, fired_at, table_name, condition";
    workspace.query(&format!("SELECT {columns} FROM fct_trigger ORDER BY fired_at, key_values")).ends_with(0).stdout
}

#[test]
fn a_firing_is_written_once_however_often_the_run_is_repeated() {
    let workspace = watched();
    workspace.run(RUN).ends_with(0);
    let first = log(&workspace);
    assert_eq!(
        first,
        "trigger,severity,route,key,key_values,message,fired_at,table_name,condition\n\
         piling_up,critical,team worked,expired/worked,\"{\"\"journey\"\":\"\"worked\"\",\"\"status\"\":\"\"expired\"\"}\",\
         \"2 of worked are expired, satisfaction {n/a}\",2024-02-10T00:00:00Z,by_status,instances >= 2\n"
    );
    let record = workspace.newest_record("warehouse");
    assert_eq!(record["triggers"][0]["fired"], 1, "{}", record["triggers"]);

    for again in [RUN, RUN, "run --as-of 2024-02-11", "run --as-of 2024-02-10 --full-refresh"] {
        workspace.run(again).ends_with(0);
        assert_eq!(log(&workspace), first, "after `{again}`");
    }
    let record = workspace.newest_record("warehouse");
    assert_eq!((&record["triggers"][0]["fired"], &record["triggers"][0]["holding"]), (&0.into(), &1.into()));
    assert_eq!(record["tables"]["fct_trigger"], 0, "nothing was added, so the log has no new version");

    // A lower threshold fires for what it did not fire before, beside what is there; so does the key's other order not.
    workspace.edit(PIPELINE, "condition: instances >= 2", "condition: instances >= 1");
    workspace.edit(PIPELINE, "key: [status, journey]", "key: [journey, status]");
    let outcome = workspace.run("run --as-of 2024-02-11").ends_with(0);
    let line = "triggers: 4 new of 5 firings: 4 piling_up (critical)";
    assert!(outcome.stderr.contains(line), "{outcome}");
    let rows = log(&workspace);
    assert_eq!(rows.lines().count(), 1 + 5, "{rows}");
    assert_eq!(rows.lines().nth(1), first.lines().nth(1), "the first firing stands as it was written");
    assert_eq!(rows.matches("2024-02-11").count(), 4, "{rows}");
}

#[test]
fn a_log_without_a_firing_can_be_read() {
    let workspace = watched();
    workspace.edit(PIPELINE, "condition: instances >= 2", "condition: instances > 99");
    workspace.run(RUN).ends_with(0);
    assert_eq!(log(&workspace).lines().count(), 1, "only the header");
}

#[test]
fn a_run_that_fails_fires_nothing() {
    let workspace = watched();
    workspace.edit(PIPELINE, "row_count: { min: 1 }", "row_count: { min: 1000 }");
    workspace.edit(
        PIPELINE,
        "table: by_status\n    condition: instances >= 2",
        "table: by_channel\n    condition: members > 0",
    );
    workspace.edit(PIPELINE, "team {journey}", "everybody");
    workspace.edit(PIPELINE, "[status, journey]", "[channel]");
    workspace.edit(PIPELINE, "{instances} of {journey} are {status}", "{channel}");
    let outcome = workspace.run(RUN).ends_with(3);
    assert!(outcome.steps().contains("not_run fct_trigger\n  `instance` did not succeed"), "{}", outcome.steps());
    assert!(!workspace.has("warehouse/fct_trigger"));

    workspace.edit(PIPELINE, "row_count: { min: 1000 }", "row_count: { min: 1 }");
    workspace.run(RUN).ends_with(0);
    assert_eq!(workspace.query("SELECT * FROM fct_trigger").ends_with(0).stdout.lines().count(), 1 + 4);
    // Tables that were not rebuilt fire nothing.
    let outcome = workspace.run(&format!("{RUN} --select by_status")).ends_with(0);
    assert!(!outcome.stderr.contains("fct_trigger"), "{outcome}");
}

#[test]
fn mistakes_are_reported_with_their_place() {
    let cases = [
        (
            "table: by_status",
            "table: by_statsu",
            "error[unknown-relation]: no table `by_statsu`",
            "did you mean `by_status`?",
        ),
        (
            "table: by_status",
            "table: touchpoints",
            "error[not-published]: `touchpoints` is no published table",
            "pipelines/tiny.yaml:24:12",
        ),
        (
            "condition: instances >= 2",
            "condition: instnces >= 2",
            "error[unknown-column]: no column `instnces`",
            "did you mean `instances`?",
        ),
        ("condition: instances >= 2", "condition: instances + 2", "error[not-boolean]", "pipelines/tiny.yaml:25:16"),
        (
            "condition: instances >= 2",
            "condition: instances >= $most",
            "error[unknown-parameter]: no variable `most`",
            "pipelines/tiny.yaml:25:29",
        ),
        (
            "[status, journey]",
            "[statsu, journey]",
            "error[unknown-column]: no column `statsu`",
            "did you mean `status`?",
        ),
        ("team {journey}", "team {jurney}", "error[unknown-column]: no column `jurney`", "did you mean `journey`?"),
        (
            "team {journey}",
            "team {journey",
            "error[bad-template]: a brace without its partner",
            "pipelines/tiny.yaml:26:17",
        ),
        (
            "are {status}",
            "are {}",
            "error[bad-template]: no column's name stands between the braces",
            "pipelines/tiny.yaml:29",
        ),
        (
            "severity: critical",
            "severity: urgent",
            "error[bad-value]: `severity` cannot be `urgent`",
            "one of: info, warning, critical",
        ),
        (
            "    key: [status, journey]\n",
            "",
            "error[missing-key]: trigger `piling_up` has no `key`",
            "pipelines/tiny.yaml:23:3",
        ),
        (
            "    severity: critical\n",
            "    severty: critical\n",
            "error[unknown-key]: trigger `piling_up` has no key `severty`",
            "did you mean `severity`?",
        ),
        (
            "  by_status:\n",
            "  fct_trigger:\n",
            "error[bad-name]: the name `fct_trigger` is reserved",
            "choose another name",
        ),
    ];
    for (from, to, message, place) in cases {
        let workspace = watched();
        workspace.edit(PIPELINE, from, to);
        let outcome = workspace.run("check").ends_with(2);
        assert!(outcome.stderr.contains(message) && outcome.stderr.contains(place), "`{to}`: {outcome}");
    }
}
