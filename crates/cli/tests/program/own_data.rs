//! From data that nobody has described to a workspace that runs: `init --from`.

use std::process::Command;

use insta::assert_snapshot;

use crate::workspace::{Outcome, Workspace, repository};

/// The block of commands below a heading of the README.
fn shown_below(heading: &str) -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md is there");
    let (_, after) = readme.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let (_, block) = after.split_once("```shell\n").expect("a block of commands");
    block.split("```").next().expect("the block ends").to_owned()
}

fn shell(workspace: &Workspace, commands: &str) -> Outcome {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_throughline")).parent().expect("a program lies in a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", commands]).current_dir(workspace.path()).env("PATH", &path).env("NO_COLOR", "1");
    for name in ["THROUGHLINE_PROJECT", "WAREHOUSE", "LAKE"] {
        shell.env_remove(name);
    }
    workspace.outcome(shell.output().expect("sh runs"))
}

fn text(workspace: &Workspace, file: &str) -> String {
    std::fs::read_to_string(workspace.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What is written passes `check`, `plan` and `run` as it is.
#[track_caller]
fn works_at_once(workspace: &Workspace, project: &str, as_of: &str) {
    for arguments in [vec!["check"], vec!["plan"], vec!["run", "--as-of", as_of]] {
        workspace.run_with(&arguments, &[("THROUGHLINE_PROJECT", project)]).ends_with(0);
    }
}

const QUESTION: &str = "SELECT tier, customers FROM fct_key_journeys \
                        WHERE journey = 'fault' AND period = '2026-Q2' AND segment = 'all'";

/// The README's ten minutes, as they are written there, on the data of the small example.
#[test]
fn ten_minutes_lead_from_two_files_to_the_report() {
    let workspace = Workspace::empty();
    workspace.run("init example").ends_with(0);
    for (from, to) in [("contacts", "events"), ("customers", "customers")] {
        let lake = workspace.path().join(format!("example/data/lake/{from}.csv"));
        workspace.put(&format!("data/{to}.csv"), std::fs::read(lake).expect("the example has data"));
    }
    workspace.remove("example");
    let done = shell(&workspace, &shown_below("Your own data in ten minutes")).ends_with(0);
    assert!(done.stderr.contains("events: touchpoints: events in `event`, time in `at`"), "{done}");
    assert!(
        done.stderr.contains("raw_customers: customers: `customer_id` since `joined_at`, left in `churned_at`"),
        "{done}"
    );
    let report = text(&workspace, "shop/report.html");
    assert!(report.contains("Having a fault repaired"), "the journey is in the report");
    let ranked = workspace.run_with(&["query", QUESTION, "--format", "csv"], &[("THROUGHLINE_PROJECT", "shop")]);
    assert!(ranked.ends_with(0).stdout.lines().count() == 2, "the journey is ranked or said not to be");
}

/// The log of a process: cases instead of customers, and nothing that says who leaves.
fn process_log() -> String {
    let mut log = String::from(",Case ID,Activity,Complete Timestamp,Resource\n");
    for case in 0..30 {
        for (step, activity) in ["Register request", "Check ticket", "Decide"].iter().enumerate() {
            let day = case % 28 + 1;
            log.push_str(&format!("{},{case},{activity},2012/04/{day:02} 1{step}:05:00.000,Pete\n", case * 3 + step));
        }
    }
    log
}

#[test]
fn a_log_of_cases_runs_at_once_and_asks_for_the_customers() {
    let workspace = Workspace::empty();
    workspace.put("helpdesk.csv", process_log());
    let made = workspace.run("init log --from helpdesk.csv").ends_with(0);
    for line in [
        "helpdesk: touchpoints: events in `Activity`, time in `Complete Timestamp`, 2012-04-01 to 2012-04-28, \
         customer `Case ID` (looked at: all 90 rows)",
        "a workspace in log: 7 files",
        "Nothing names a customer: `Case ID` stands for one",
        "In which zone are the times of helpdesk?",
        "On which channel do the rows of helpdesk come in",
        "Who are the customers, since when, and when did they leave?",
        "throughline run --as-of 2012-04-29",
    ] {
        assert!(made.stderr.contains(line), "`{line}` is not in {made}");
    }
    assert_snapshot!(text(&workspace, "log/pipelines/sources/helpdesk.yaml"), @r#"
    # looked at: all 90 rows
    # column `` is left out: it has no name
    helpdesk:
      path: ../helpdesk.csv
      format: csv
      columns:
        "Case ID": int64  # 0 to 29; 30 different values
        Activity: string  # Check ticket, Decide, Register request
        "Complete Timestamp": { type: timestamp, format: "%Y/%m/%d %H:%M:%S%.f" }  # 2012-04-01 to 2012-04-28, without a zone: read as UTC
        Resource: string  # Pete
      time_column: "Complete Timestamp"
      contract:
        - not_null: ["Case ID", "Complete Timestamp"]
    "#);
    works_at_once(&workspace, "log", "2012-05-01");
    let counted = workspace.run_with(
        &["query", "SELECT count(*) AS n, count(DISTINCT customer_id) AS c FROM fct_journey", "--format", "csv"],
        &[("THROUGHLINE_PROJECT", "log")],
    );
    assert_eq!(counted.ends_with(0).stdout, "n,c\n30,30\n");
}

#[test]
fn several_formats_in_one_folder_become_a_union() {
    let workspace = Workspace::empty();
    let mut calls = String::from("call_id;customer_id;started_at;queue;rating\n");
    let mut chats = String::new();
    let mut register = String::from("customer_id,customer_since,cancelled_on,plan,email\n");
    for n in 0..40 {
        let customer = n % 20;
        calls.push_str(&format!("{n};K{customer:03};{:02}.03.2024 10:15;billing;{}\n", n % 28 + 1, n % 5 + 1));
        chats.push_str(&format!(
            "{{\"chat\": \"c{n}\", \"client\": \"K{customer:03}\", \"created\": {}, \"event\": \"{}\"}}\n",
            1_709_251_200 + n * 86_400,
            ["asked", "answered"][n % 2]
        ));
        if n < 20 {
            let left = if n % 4 == 0 { "2024-04-20" } else { "" };
            register.push_str(&format!("K{n:03},2023-05-01,{left},{},k{n}@example.org\n", ["home", "office"][n % 2]));
        }
    }
    workspace.put("lake/calls/2024-03.csv", &calls);
    workspace.put(
        "lake/calls/2024-04.csv",
        "call_id;customer_id;started_at;queue;rating\n900;K001;01.04.2024 10:15;billing;3\n",
    );
    workspace.put("lake/chats.jsonl", chats);
    workspace.put("lake/register.csv", register);
    workspace.put("lake/notes.md", "Not data.");
    workspace.put("lake/old.csv.gz", [0x1f, 0x8b, 8, 0]);
    let made = workspace.run("init shop --from lake").ends_with(0);
    for line in [
        "calls: touchpoints: one kind of event, time in `started_at`",
        "chats: touchpoints: events in `event`, time in `created`",
        "register: customers: `customer_id` since `customer_since`, left in `cancelled_on`",
        "lake/old.csv.gz: it is packed; sources are read as they lie, so unpack it first",
    ] {
        assert!(made.stderr.contains(line), "`{line}` is not in {made}");
    }
    assert!(text(&workspace, "shop/pipelines/sources/calls.yaml").contains("path: ../lake/calls/\n"));
    assert!(
        !text(&workspace, "shop/sql/staging/customers.sql").contains("email AS"),
        "nobody's address is taken along"
    );
    works_at_once(&workspace, "shop", "2024-05-01");
    let rows = workspace.run_with(&["show", "customers", "--format", "csv"], &[("THROUGHLINE_PROJECT", "shop")]);
    assert_eq!(rows.ends_with(0).stdout.lines().count(), 21);
}

#[test]
fn data_that_are_nothing_useful_are_told_why_and_nothing_is_written() {
    let workspace = Workspace::empty();
    workspace.put("junk/weather.csv", "day,temperature\n2024-01-01,3\n2024-01-02,4\n2024-01-03,4\n");
    workspace.put("junk/readme.txt", "Just some prose.\nNo table.\n");
    workspace.put("junk/empty.csv", "");
    workspace.put("junk/latin.csv", b"k\xe4ufer,wann\n1,2024-01-01\n");
    workspace.put("junk/array.json", "[{\"a\": 1}]");
    workspace.put("junk/torn.parquet", "PAR1 and nothing else");
    let refused = workspace.run("init shop --from junk").ends_with(2);
    for line in [
        "error: nothing in `junk` can be touchpoints; nothing was written",
        "junk/weather.csv: no column says whose its rows are",
        "junk/empty.csv: it is empty",
        "junk/latin.csv: its first line is not UTF-8; write it as UTF-8, e.g. `iconv -f LATIN1 -t UTF-8 FILE`",
        "junk/readme.txt: it is no table: no comma, semicolon, tab or | parts its lines into columns",
        "junk/array.json: it is one JSON array; write one object a line, e.g. `jq -c '.[]' FILE`",
        "junk/torn.parquet: `junk/torn.parquet` is cut short: 21 bytes",
    ] {
        assert!(refused.stderr.contains(line), "`{line}` is not in {refused}");
    }
    assert!(!workspace.has("shop"), "nothing was written");
    std::fs::create_dir(workspace.path().join("none")).expect("a folder");
    workspace.run("init shop --from none").ends_with(2);
    let missing = workspace.run("init shop --from nowhere.csv").ends_with(2);
    assert!(missing.stderr.contains("`nowhere.csv` does not exist"), "{missing}");
    assert!(!workspace.has("shop"), "nothing was written");
}

#[test]
fn rows_that_cannot_be_read_are_counted_and_told() {
    let workspace = Workspace::empty();
    let mut log = b"customer,event,at\n".to_vec();
    for n in 0..40 {
        log.extend(format!("c{},asked,2024-03-{:02}T10:00:00Z\n", n % 8, n % 28 + 1).bytes());
    }
    log.extend(b"c1,gefr\xe4gt,2024-03-01T10:00:00Z\nc1,asked\n");
    workspace.put("log.csv", log);
    workspace.run("init shop --from log.csv").ends_with(0);
    let source = text(&workspace, "shop/pipelines/sources/log.yaml");
    assert!(source.contains("2 rows cannot be read and are set aside"), "{source}");
    assert!(source.contains("not UTF-8"), "{source}");
    works_at_once(&workspace, "shop", "2024-04-01");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let workspace = Workspace::empty();
    workspace.put("log.csv", process_log());
    workspace.put("shop/pipelines/mine.yaml", "name: mine\n");
    let refused = workspace.run("init shop --from log.csv").ends_with(2);
    assert!(refused.stderr.contains("`shop/pipelines` is there already; nothing was written"), "{refused}");
    workspace.put("other/sql/staging/customers.sql", "SELECT 1\n");
    let refused = workspace.run("init other --from log.csv").ends_with(2);
    assert!(refused.stderr.contains("`other/sql/staging/customers.sql` is there already"), "{refused}");
    assert!(!workspace.has("other/pipelines") && !workspace.has("shop/sql"), "nothing was written");
}

#[test]
fn of_a_huge_table_a_part_is_looked_at_and_that_is_told() {
    let workspace = Workspace::empty();
    let mut log = String::from("customer,event,at\n");
    for n in 0..201_000 {
        log.push_str(&format!("c{},asked,2024-03-{:02}\n", n % 500, n % 28 + 1));
    }
    workspace.put("log.csv", log);
    let made = workspace.run("init shop --from log.csv").ends_with(0);
    assert!(made.stderr.contains("looked at: 200,000 rows, not all there are"), "{made}");
}
