//! The commands on the tiny workspace, from `check` to `runs`.

use insta::assert_snapshot;

use crate::tiny::{BY_STATUS, RUN};
use crate::workspace::Workspace;

/// The tiny workspace after one complete run.
fn published() -> Workspace {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    workspace
}

/// Rows have no order of their own.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn check_reads_no_row_and_writes_nothing() {
    let workspace = Workspace::tiny();
    assert_snapshot!(workspace.run("check"), @"
    exit 0
    --- stderr
    ok: pipeline `tiny`: 1 sources, 2 journeys, 5 models; no row was read
    ");
    assert!(!workspace.has("warehouse"));
}

#[test]
fn plan_lists_what_run_does() {
    let workspace = Workspace::tiny();
    let before = workspace.run("plan --as-of 2024-02-10").ends_with(0);
    assert!(!workspace.has("warehouse"));
    let planned: Vec<&str> = before
        .stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix(char::is_numeric)?.split_whitespace().next())
        .collect();
    let run = workspace.run(RUN).ends_with(0).steps();
    let ran: Vec<&str> = run.lines().filter_map(|line| line.strip_prefix("done ")?.split(',').next()).collect();
    assert_eq!(planned, ran);
    assert!(before.stdout.contains("not published yet"), "{before}");
    let after = workspace.run("plan --as-of 2024-02-10").ends_with(0);
    assert!(after.stdout.contains("same definition"), "{after}");
    workspace.edit("sql/by_status.sql", "count(*)", "count(*) + 0");
    let changed = workspace.run("plan --as-of 2024-02-10 --select by_status").ends_with(0);
    assert!(changed.stdout.contains("changed"), "{changed}");
}

#[test]
fn run_makes_tests_and_publishes_every_model() {
    let workspace = Workspace::tiny();
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 13 rows
    done touchpoints, 13 rows
    done member, 10 rows, published
    done instance, 6 rows, published
    done by_status, 5 rows, published
    done by_channel, 4 rows, published
    ");
    assert_snapshot!(workspace.rows(), @"
    exit 0
    --- stdout
    journey_id,journey,customer_id,step,started_at,last_at,ended_at,status,touchpoint_id,occurred_at,channel,event,satisfaction
    asking/a1,asking,bob,1,2024-01-03T09:00:00Z,2024-01-03T10:00:00Z,2024-01-03T10:00:00Z,completed,a1,2024-01-03T09:00:00Z,phone,ask,0.5
    asking/a1,asking,bob,2,2024-01-03T09:00:00Z,2024-01-03T10:00:00Z,2024-01-03T10:00:00Z,completed,a2,2024-01-03T10:00:00Z,email,answer,1.0
    asking/a3,asking,cyd,1,2024-02-09T09:30:00Z,2024-02-09T09:30:00Z,,open,a3,2024-02-09T09:30:00Z,chat,ask,
    worked/t01,worked,ann,1,2024-01-02T00:00:00Z,2024-01-06T00:00:00Z,2024-01-06T00:00:00Z,expired,t01,2024-01-02T00:00:00Z,web,o,
    worked/t01,worked,ann,2,2024-01-02T00:00:00Z,2024-01-06T00:00:00Z,2024-01-06T00:00:00Z,expired,t02,2024-01-03T00:00:00Z,web,x,
    worked/t01,worked,ann,3,2024-01-02T00:00:00Z,2024-01-06T00:00:00Z,2024-01-06T00:00:00Z,expired,t05,2024-01-06T00:00:00Z,phone,x,0.75
    worked/t12,worked,ann,1,2024-01-13T00:00:00Z,2024-01-14T00:00:00Z,2024-01-14T00:00:00Z,completed,t12,2024-01-13T00:00:00Z,web,o,
    worked/t12,worked,ann,2,2024-01-13T00:00:00Z,2024-01-14T00:00:00Z,2024-01-14T00:00:00Z,completed,t13,2024-01-14T00:00:00Z,web,c,1.0
    worked/t20,worked,ann,1,2024-01-21T00:00:00Z,2024-01-21T00:00:00Z,2024-01-21T00:00:00Z,expired,t20,2024-01-21T00:00:00Z,web,o,
    worked/t38,worked,ann,1,2024-02-08T00:00:00Z,2024-02-08T00:00:00Z,,open,t38,2024-02-08T00:00:00Z,web,o,

    exit 0
    --- stdout
    journey_id,journey,customer_id,started_at,last_at,ended_at,status,touchpoints,satisfaction
    asking/a1,asking,bob,2024-01-03T09:00:00Z,2024-01-03T10:00:00Z,2024-01-03T10:00:00Z,completed,2,0.75
    asking/a3,asking,cyd,2024-02-09T09:30:00Z,2024-02-09T09:30:00Z,,open,1,
    worked/t01,worked,ann,2024-01-02T00:00:00Z,2024-01-06T00:00:00Z,2024-01-06T00:00:00Z,expired,3,0.75
    worked/t12,worked,ann,2024-01-13T00:00:00Z,2024-01-14T00:00:00Z,2024-01-14T00:00:00Z,completed,2,1.0
    worked/t20,worked,ann,2024-01-21T00:00:00Z,2024-01-21T00:00:00Z,2024-01-21T00:00:00Z,expired,1,
    worked/t38,worked,ann,2024-02-08T00:00:00Z,2024-02-08T00:00:00Z,,open,1,

    exit 0
    --- stdout
    journey,status,instances
    asking,completed,1
    asking,open,1
    worked,completed,1
    worked,expired,2
    worked,open,1

    exit 0
    --- stdout
    channel,members
    chat,1
    email,1
    phone,2
    web,6
    ");
}

/// SEMANTICS 2: `within: 10 days`, `idle: 4 days`, one customer's touchpoints, as of day 40.
#[test]
fn the_worked_example_comes_out_as_specified() {
    let workspace = published();
    let sql = "SELECT date_part('day', started_at - TIMESTAMP '2024-01-01T00:00:00Z') AS began, status, \
               date_part('day', ended_at - TIMESTAMP '2024-01-01T00:00:00Z') AS ended, touchpoints \
               FROM instance WHERE journey = 'worked' ORDER BY started_at";
    assert_snapshot!(workspace.query(sql), @"
    exit 0
    --- stdout
    began,status,ended,touchpoints
    1,expired,5,3
    12,completed,13,2
    20,expired,20,1
    38,open,,1
    ");
    let days = "SELECT journey_id, string_agg(touchpoint_id, ' ' ORDER BY step) AS members FROM member \
                WHERE journey = 'worked' GROUP BY journey_id ORDER BY 1";
    assert_snapshot!(workspace.query(days), @"
    exit 0
    --- stdout
    journey_id,members
    worked/t01,t01 t02 t05
    worked/t12,t12 t13
    worked/t20,t20
    worked/t38,t38
    ");
    let record = workspace.newest_record("warehouse");
    let member = record["steps"].as_array().into_iter().flatten().find(|step| step["step"] == "member");
    let counts = member.and_then(|member| member["conservation"].as_array()).into_iter().flatten();
    let worked = counts.into_iter().find(|counts| counts["journey"] == "worked");
    assert_snapshot!(worked.expect("the matcher counted"), @r#"{"journey":"worked","read":13,"members":7,"non_members":6,"set_aside":{},"after_as_of":0,"instances":{"completed":1,"expired":2,"open":1}}"#);
}

#[test]
fn a_run_shows_a_person_what_it_did() {
    let printed = Workspace::tiny().run("run --as-of 2024-02-10 --threads 1").ends_with(0);
    assert_eq!(printed.stdout, "", "progress is not data");
    for word in
        ["run [RUN]: 6 steps", "ok source contacts", "ok table instance", "worked", "asking", "done: 6 done in [TIME]"]
    {
        assert!(printed.stderr.contains(word), "no `{word}` in {printed}");
    }
}

#[test]
fn a_second_run_changes_no_row() {
    let workspace = published();
    let before = workspace.rows();
    workspace.run(RUN).ends_with(0);
    assert_eq!(workspace.rows(), before);
    let runs = workspace.run("runs").ends_with(0);
    assert_eq!(runs.stdout.matches("[RUN]").count(), 2, "{runs}");
    assert_eq!(workspace.run("runs --limit 1").stdout.matches("[RUN]").count(), 1);
}

/// Runs that begin in the same second must not be taken for each other's elders.
#[test]
fn the_newest_of_many_quick_runs_is_the_published_one() {
    let workspace = published();
    for day in ["2024-01-05", "2024-01-20", "2024-02-01", "2024-01-07", "2024-02-10"] {
        workspace.run(&format!("run --full-refresh --as-of {day}")).ends_with(0);
        let newest = workspace.newest_record("warehouse");
        assert!(newest["as_of"].as_str().is_some_and(|as_of| as_of.starts_with(day)), "{day}: {}", newest["as_of"]);
    }
}

#[test]
fn show_writes_table_csv_json_and_parquet() {
    let workspace = published();
    assert_snapshot!(workspace.run_with(&["query", "SELECT * FROM by_status ORDER BY 1, 2"], &[]), @"
    exit 0
    --- stdout
     journey  status     instances
    ───────────────────────────────
     asking   completed          1
     asking   open               1
     worked   completed          1
     worked   expired            2
     worked   open               1
    --- stderr
    5 rows
    ");
    assert_snapshot!(sorted(&workspace.run("show by_channel").ends_with(0).stdout), @"
     channel  members 
     chat           1 
     email          1 
     phone          2 
     web            6 
    ──────────────────
    ");
    assert_eq!(workspace.run("show by_channel --limit 2 --format csv").ends_with(0).stdout.lines().count(), 3);
    assert_snapshot!(sorted(&workspace.run("show by_channel --format csv").ends_with(0).stdout), @"
    channel,members
    chat,1
    email,1
    phone,2
    web,6
    ");
    assert_snapshot!(sorted(&workspace.run("show by_channel --format json").ends_with(0).stdout), @r#"
    {"channel":"chat","members":1}
    {"channel":"email","members":1}
    {"channel":"phone","members":2}
    {"channel":"web","members":6}
    "#);
    assert_snapshot!(workspace.run("show instance --format parquet --output instance.parquet"), @"
    exit 0
    --- stderr
    6 rows in instance.parquet
    ");
    let parquet = std::fs::read(workspace.path().join("instance.parquet")).expect("the file was written");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    assert_snapshot!(workspace.run("show instance --output instance.txt"), @"
    exit 2
    --- stderr
    error: a table is for the terminal
      = help: add --format csv, json or parquet for a file
    ");
    let columns = workspace.run("show instance --limit 0").ends_with(0);
    assert!(columns.stdout.contains("Members of the instance"), "{columns}");
    assert_snapshot!(workspace.run("show instnce"), @"
    exit 2
    --- stderr
    error: no model, source or seed `instnce`
      = help: did you mean `instance`? `throughline plan` lists them
    ");
}

#[test]
fn sources_and_views_are_shown_before_anything_is_published() {
    let workspace = Workspace::tiny();
    let shown = |arguments: &str| sorted(&workspace.run(arguments).ends_with(0).stdout);
    assert_snapshot!(shown("show contacts --as-of 2024-01-04 --format csv"), @"
    a1,bob,2024-01-03T09:00:00Z,phone,ask,0.5
    a2,bob,2024-01-03T10:00:00Z,email,answer,1.0
    contact_id,customer,at,channel,event,satisfaction
    t01,ann,2024-01-02T00:00:00Z,web,o,
    t02,ann,2024-01-03T00:00:00Z,web,x,
    ");
    assert_snapshot!(shown("show touchpoints --as-of 2024-01-03 --format json"), @r#"{"touchpoint_id":"t01","customer_id":"ann","occurred_at":"2024-01-02T00:00:00Z","channel":"web","event":"o","satisfaction":null}"#);
    assert_snapshot!(workspace.run("show instance"), @"
    exit 2
    --- stderr
    error: `instance` is not published yet
      = help: make it first: throughline run --select +instance
    ");
    assert_snapshot!(workspace.query("SELECT 1"), @"
    exit 2
    --- stderr
    error: nothing is published yet in warehouse
      = help: make the tables first: throughline run
    ");
    assert_snapshot!(workspace.run("runs"), @"
    exit 0
    --- stderr
    no run yet; `throughline run` makes the tables
    ");
    assert!(!workspace.has("warehouse"), "looking writes nothing");
}

#[test]
fn query_reads_its_statement_from_standard_input_too() {
    use std::io::Write;
    use std::process::Stdio;
    let workspace = published();
    let mut command = workspace.command(&["query", "-", "--format", "csv"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("standard input is piped");
    input.write_all(b"SELECT count(*) AS n\nFROM member").expect("it reads");
    drop(input);
    assert_snapshot!(workspace.outcome(child.wait_with_output().expect("it ends")), @"
    exit 0
    --- stdout
    n
    10
    ");
}

#[test]
fn selectors_choose_what_runs() {
    let workspace = Workspace::tiny();
    assert_snapshot!(workspace.run("run --select by_status"), @"
    exit 2
    --- stderr
    error: `instance` is read by the selected models, but it is neither selected nor published
      = help: select it too (`--select +…`), or run it first: throughline run --select +instance
    ");
    assert!(!workspace.has("warehouse"), "refused, so nothing was written");
    let selected = |selector: &str| {
        workspace.run_with(&[RUN.split(' ').collect(), vec!["--select", selector]].concat(), &[]).steps()
    };
    assert_snapshot!(selected("+instance"), @"
    exit 0
    done contacts, 13 rows
    done touchpoints, 13 rows
    done member, 10 rows, published
    done instance, 6 rows, published
    ");
    assert_snapshot!(workspace.query("SELECT * FROM by_status"), @"
    exit 2
    --- stderr
    error[unknown-relation]: no published table `by_status`
     --> query:1:15
      |
    1 | SELECT * FROM by_status
      |               ^^^^^^^^^
      |
      = help: published: instance, member, runs, run_steps, run_tests
    ");
    assert_snapshot!(selected("tag:marts"), @"
    exit 0
    done by_status, 5 rows, published
    done by_channel, 4 rows, published
    ");
    assert_snapshot!(selected("instance+"), @"
    exit 0
    done instance, 6 rows, published
    done by_status, 5 rows, published
    ");
    assert_snapshot!(selected("path:sql/by_channel.sql"), @"
    exit 0
    done by_channel, 4 rows, published
    ");
    assert_snapshot!(workspace.run("run --as-of 2024-02-10 --exclude tag:marts,tag:facts --threads 1 --log-format json").steps(), @"
    exit 0
    done contacts, 13 rows
    done touchpoints, 13 rows
    ");
    let rows = workspace.rows();
    let other = published();
    assert_eq!(rows, other.rows(), "piece by piece gives the same rows as all at once");
}

#[test]
fn a_selector_that_fits_nothing_is_refused() {
    let workspace = Workspace::tiny();
    assert_snapshot!(workspace.run("run --select instnce"), @"
    exit 2
    --- stderr
    error[no-such-model]: the selector `instnce` fits no model
     |
     = help: did you mean `instance`?
    ");
    assert_snapshot!(workspace.run("run --select tag:mart"), @"
    exit 2
    --- stderr
    error[no-such-model]: the selector `tag:mart` fits no model
     |
     = help: `throughline plan` lists the models
    ");
    assert_snapshot!(workspace.run("run --select instance --exclude tag:facts"), @"
    exit 2
    --- stderr
    error: nothing is selected
      = help: `--exclude` takes away all that `--select` names
    ");
    assert_snapshot!(workspace.run("plan --exclude nothing_of_the_kind"), @"
    exit 2
    --- stderr
    error[no-such-model]: the selector `nothing_of_the_kind` fits no model
     |
     = help: `throughline plan` lists the models
    ");
    assert!(!workspace.has("warehouse"));
}

/// A scheduler repeats a past day, or catches up on several of which the newest was faster.
#[test]
fn a_day_that_is_contained_in_what_is_published_is_done() {
    let workspace = published();
    let before = workspace.rows();
    assert_snapshot!(workspace.run("run --as-of 2024-01-20"), @"
    exit 0
    --- stderr
    nothing to do: 2024-01-20T00:00:00Z is contained in the published tables, which are as of 2024-02-10T00:00:00Z. Rows that have come since are taken in by the next run as of that day or later. `--into WAREHOUSE` makes the tables of the older day in another warehouse, `--full-refresh` in the place of the newer ones
    ");
    let noted = workspace.run("run --as-of 2024-01-20 --select +instance --retry --log-format json").ends_with(0);
    assert!(noted.stderr.contains(r#""event":"note""#) && noted.stderr.contains("nothing to do"), "{noted}");
    assert!(workspace.run("plan --as-of 2024-01-20").ends_with(0).stdout.starts_with("nothing to do"));
    assert_eq!(workspace.rows(), before);
    assert_eq!(workspace.run("runs").ends_with(0).stdout.matches("[RUN]").count(), 1, "nothing ran");

    workspace.run("run --as-of 2024-01-20 --into side").ends_with(0);
    let older = workspace.run("show instance --warehouse side --format csv").ends_with(0);
    assert_eq!(older.stdout.lines().count(), 4, "three instances had begun: {older}");
    assert_eq!(workspace.rows(), before);
    let nowhere = workspace.run("run --into ftp://host/side").ends_with(2);
    assert!(nowhere.stderr.contains("`--into ftp://host/side`"), "{nowhere}");
}

#[test]
fn an_older_day_that_is_not_contained_needs_a_full_refresh() {
    let workspace = published();
    let before = workspace.rows();
    let sql = "SELECT journey, status, count(*) AS instances FROM instance WHERE true GROUP BY journey, status";
    workspace.put(BY_STATUS, sql);
    assert_snapshot!(workspace.run("run --as-of 2024-01-20"), @"
    exit 2
    --- stderr
    error: the published tables are as of 2024-02-10T00:00:00Z, this run would be as of 2024-01-20T00:00:00Z, and the definition of `by_status`, or of what it reads, has changed since
      = help: leave `--as-of` out; make the older day in another warehouse with `--into WAREHOUSE`; or replace newer tables by older ones with `--full-refresh`
    ");
    workspace.run("run --as-of 2024-01-20 --select member").ends_with(0);
    let asked = workspace.run("run --as-of 2024-01-20 --select member --start 2024-01-10").ends_with(2);
    assert!(asked.stderr.contains("`--start` asks for rows to be rebuilt"), "{asked}");
    // One table is newer than the others, which do not hold the day between.
    workspace.run("run --as-of 2024-02-12 --select member").ends_with(0);
    let between = workspace.run("run --as-of 2024-02-11").ends_with(2);
    assert!(between.stderr.contains("`instance` is only as of 2024-02-10T00:00:00Z"), "{between}");
    workspace.run("run --as-of 2024-02-11 --select member").ends_with(0);

    workspace.run("run --as-of 2024-01-20 --full-refresh").ends_with(0);
    assert_snapshot!(workspace.query("SELECT journey_id, status, touchpoints FROM instance ORDER BY 1"), @"
    exit 0
    --- stdout
    journey_id,status,touchpoints
    asking/a1,completed,2
    worked/t01,expired,3
    worked/t12,completed,2
    ");
    workspace.run(RUN).ends_with(0);
    assert_eq!(workspace.rows(), before);
}

#[test]
fn arguments_are_read_strictly() {
    let workspace = Workspace::tiny();
    assert_snapshot!(workspace.run("run --as-of tomorrow"), @"
    exit 2
    --- stderr
    error: `--as-of tomorrow` is no instant
      = help: write a day such as 2026-10-01, or an instant such as 2026-10-01T06:00:00Z; both are UTC
    ");
    assert_snapshot!(workspace.run("check --vars exposure=3"), @"
    exit 2
    --- stderr
    error[unknown-variable]: the pipeline has no variable `exposure`
     --> --vars:1:1
      |
    1 | exposure=3
      | ^^^^^^^^
      |
      = help: it declares none: add it under `variables:`
    ");
    assert_snapshot!(workspace.run("check --pipeline tinny"), @"
    exit 2
    --- stderr
    error[unknown-pipeline]: no pipeline `tinny` in this workspace
     |
     = help: did you mean `tiny`?
     = help: there are: `tiny`
    ");
    assert_snapshot!(workspace.run("check --project nowhere"), @"
    exit 2
    --- stderr
    error[no-workspace]: no workspace in `nowhere`: No such file or directory (os error 2)
     |
     = help: point to the folder that holds `pipelines/` with `--project DIR`
    ");
    assert_eq!(workspace.run("run --memory-limit lots").code, Some(2));
    assert_eq!(workspace.run("run --partitions 0").code, Some(2));
    assert_eq!(workspace.run("rnu").code, Some(2));
    assert!(!workspace.has("warehouse"));
}

#[test]
fn completions_are_written_for_a_shell() {
    let script = Workspace::empty().run("completions bash").ends_with(0);
    assert!(script.stdout.contains("throughline"));
}
