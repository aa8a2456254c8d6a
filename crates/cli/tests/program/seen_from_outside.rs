//! The run history as tables, column lineage, OpenLineage events, JSON logs, and schemas for editors.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;

use insta::assert_snapshot;
use serde_json::Value;

use crate::tiny::PIPELINE;
use crate::workspace::{Outcome, Workspace};

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn run_once() -> Workspace {
    let workspace = Workspace::tiny();
    workspace.run("run --as-of 2024-02-10").ends_with(0);
    workspace
}

#[test]
fn the_history_of_runs_is_queryable() {
    let workspace = run_once();
    workspace.edit(PIPELINE, "row_count: { min: 1 }", "row_count: { min: 100 }");
    workspace.run("run --as-of 2024-02-10").ends_with(3);
    assert_snapshot!(workspace.query(
        "SELECT status, as_of, steps, steps_failed, steps_with_failed_tests, steps_not_run, tables, tests_failed \
         FROM runs ORDER BY run_id"
    ), @"
    exit 0
    --- stdout
    status,as_of,steps,steps_failed,steps_with_failed_tests,steps_not_run,tables,tests_failed
    done,2024-02-10T00:00:00Z,6,0,0,0,4,0
    tests_failed,2024-02-10T00:00:00Z,6,0,1,1,2,1
    ");
    assert_snapshot!(workspace.query(
        "SELECT step, kind, status, table_rows, rows_taken_in FROM run_steps \
         WHERE run_id = (SELECT max(run_id) FROM runs) ORDER BY step_number"
    ), @"
    exit 0
    --- stdout
    step,kind,status,table_rows,rows_taken_in
    contacts,source,done,13,13
    touchpoints,view,done,13,13
    member,table,done,10,
    instance,table,tests_failed,6,
    by_status,table,not_run,,
    by_channel,table,done,4,
    ");
    assert_snapshot!(workspace.query(
        "SELECT step, test, severity, offending, place FROM run_tests WHERE NOT passed"
    ), @"
    exit 0
    --- stdout
    step,test,severity,offending,place
    instance,row count in 100 .. any,error,6,pipelines/tiny.yaml:40:9
    ");
    let columns = workspace.run("show runs --limit 0").ends_with(0).stdout;
    assert!(columns.contains("Identifies the run; sorts in the order of runs"), "columns without comments: {columns}");
    let runs = workspace.run("runs").ends_with(0);
    assert!(runs.stdout.contains("instance: test failed: row count in 100 .. any (6), pipelines/tiny.yaml:"), "{runs}");
    let records = json_lines(&workspace.run("runs --format json").ends_with(0).stdout);
    assert_eq!(
        records.iter().map(|run| run["status"].as_str()).collect::<Vec<_>>(),
        [Some("tests_failed"), Some("done")]
    );
}

/// Who only has failures wants to ask about them.
#[test]
fn the_history_can_be_asked_before_anything_is_published() {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "row_count: { min: 1 }", "row_count: { min: 100 }");
    workspace.run("run --as-of 2024-02-10").ends_with(3);
    let asked = workspace.query("SELECT count(*) AS runs FROM runs WHERE status = 'tests_failed'").ends_with(0);
    assert_eq!(asked.stdout, "runs\n1\n");
    let refused = workspace.query("SELECT * FROM instance").ends_with(2);
    assert!(refused.stderr.contains("nothing is published yet"), "{refused}");
}

#[test]
fn a_damaged_record_hides_no_other_run() {
    let workspace = run_once();
    workspace.put("warehouse/_runs/20240101T000000000000Z-00000000.json", "{}");
    let asked = workspace.query("SELECT status, pipeline FROM runs ORDER BY run_id").ends_with(0);
    assert_eq!(asked.stdout, "status,pipeline\nunreadable,\ndone,tiny\n");

    workspace.put("warehouse/_runs/20240102T000000000000Z-00000000.json", "{");
    let listed = workspace.run("runs").ends_with(0).stdout;
    let row = |has: &str| listed.lines().any(|line| line.split_whitespace().any(|word| word == has));
    assert!(row("done") && row("unreadable"), "{listed}");
    for error in ["the run record [RUN] cannot be read: missing field", "the record of run `[RUN]` cannot be read: EOF"]
    {
        assert!(listed.contains(&format!("\n[RUN]\n  {error}")), "{error} is not in {listed}");
    }
    assert_eq!(listed.matches("\n  = help: ").count(), 2, "{listed}");
    let records = json_lines(&workspace.run("runs --format json").ends_with(0).stdout);
    let statuses: Vec<_> = records.iter().map(|run| run["status"].as_str()).collect();
    assert_eq!(statuses, [Some("done"), Some("unreadable"), Some("unreadable")]);
    assert!(records[1]["error"].as_str().is_some_and(|error| error.contains("cannot be read")), "{}", records[1]);
}

#[test]
fn what_a_killed_run_recorded_and_nobody_can_read_is_reported_and_left_out() {
    let workspace = run_once();
    for (recorded, wrong) in [("{ \"run_id\": \"2024", "EOF"), ("{}", "missing")] {
        workspace.put("warehouse/_runs/20240101T000000000000Z-00000000.partial.json", recorded);
        let again = workspace.run("run --as-of 2024-02-10 --retry").ends_with(0);
        let warning = format!("warning: run [RUN] is left out, since what it recorded cannot be read: {wrong}");
        assert!(again.stderr.contains(&warning), "{again}");
    }
    let published = workspace.query("SELECT tables, table_rows FROM runs ORDER BY run_id DESC LIMIT 1").ends_with(0);
    assert_eq!(published.stdout, "tables,table_rows\n0,0\n", "--retry reused all of it");
}

#[test]
fn names_of_the_history_are_reserved() {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "models:\n", "models:\n  runs: { sql: sql/by_status.sql }\n");
    let refused = workspace.run("check").ends_with(2);
    assert!(refused.stderr.contains("error[bad-name]: the name `runs` is reserved"), "{refused}");
}

#[test]
fn every_line_of_the_json_log_is_one_event() {
    let outcome = Workspace::tiny().run("run --as-of 2024-02-10 --log-format json").ends_with(0);
    let events = json_lines(&outcome.stderr);
    for event in &events {
        let text = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("no `{name}`: {event}"));
        let time = text("time");
        assert!(time.len() == 24 && time.ends_with('Z') && time.contains('T'), "{event}");
        assert_eq!(text("level"), "info");
        assert_eq!(text("run_id"), "[RUN]");
    }
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    let steps = events[0]["steps"].as_array().expect("the steps").len();
    assert_eq!(
        (named("run_started"), named("step_started"), named("step_finished"), named("run_finished")),
        (1, steps, steps, 1)
    );
}

#[test]
fn columns_are_traced_to_the_sources_and_back() {
    let workspace = Workspace::tiny();
    let lineage = |arguments: &str| workspace.run(format!("lineage {arguments}").trim_end());
    assert_snapshot!(lineage("instance.satisfaction"), @"
    exit 0
    --- stdout
    instance.satisfaction
    └─ member.satisfaction  aggregation
       └─ touchpoints.satisfaction  identity
          └─ contacts.satisfaction  identity
    which rows instance has:
      group_by: member.journey_id
    ");
    assert_snapshot!(lineage("contacts.at --downstream"), @"
    exit 0
    --- stdout
    contacts.at
    └─ touchpoints.occurred_at  identity
       ├─ member.step  aggregation
       ├─ member.started_at  aggregation
       ├─ member.last_at  aggregation
       ├─ member.ended_at  aggregation
       │  └─ instance.ended_at  aggregation
       ├─ member.status  aggregation
       │  └─ instance.status  aggregation
       │     └─ by_status.status  identity
       └─ member.occurred_at  identity
          ├─ instance.started_at  aggregation
          └─ instance.last_at  aggregation
    ");
    assert_snapshot!(lineage("instance"), @"
    exit 0
    --- stdout
    instance
      journey_id   ← member.journey_id (identity)
      journey      ← member.journey (aggregation)
      customer_id  ← member.customer_id (aggregation)
      started_at   ← member.occurred_at (aggregation)
      last_at      ← member.occurred_at (aggregation)
      ended_at     ← member.ended_at (aggregation)
      status       ← member.status (aggregation)
      touchpoints  ← ·
      satisfaction ← member.satisfaction (aggregation)
    which rows instance has:
      group_by: member.journey_id
    ");
    assert_snapshot!(lineage(""), @"
    exit 0
    --- stdout
     relation     kind    reads
    ──────────────────────────────────
     contacts     source
     touchpoints  view    contacts
     member       table   touchpoints
     instance     table   member
     by_status    table   instance
     by_channel   table   member
    ");
    assert_snapshot!(lineage("by_status.status --format mermaid"), @r#"
    exit 0
    --- stdout
    flowchart LR
      subgraph by_status
        by_status__status["status"]
      end
      subgraph contacts
        contacts__at["at"]
      end
      subgraph instance
        instance__status["status"]
      end
      subgraph member
        member__status["status"]
      end
      subgraph touchpoints
        touchpoints__occurred_at["occurred_at"]
      end
      instance__status -->|identity| by_status__status
      member__status -->|aggregation| instance__status
      touchpoints__occurred_at -->|aggregation| member__status
      contacts__at -->|identity| touchpoints__occurred_at
    "#);
    let value = &json_lines(&lineage("by_status.instances --format json").ends_with(0).stdout)[0];
    assert_eq!(value["rows"][0]["influences"][0]["subtype"], "GROUP_BY");
    let refused = lineage("instance.satisfction").ends_with(2);
    assert!(refused.stderr.contains("did you mean `satisfaction`?"), "{refused}");
}

/// The events of a run by job, each `STATE` or `STATE: error`.
fn by_job(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut jobs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let state = event["eventType"].as_str().expect("a state");
        let error = event["run"]["facets"]["errorMessage"]["message"].as_str();
        let shown = error.map_or_else(|| state.to_owned(), |error| format!("{state}: {error}"));
        jobs.entry(event["job"]["name"].as_str().expect("a job").to_owned()).or_default().push(shown);
    }
    jobs
}

fn events_of(workspace: &Workspace, code: i32) -> Vec<Value> {
    workspace.run("run --as-of 2024-02-10 --openlineage file:events.jsonl").ends_with(code);
    let text = std::fs::read_to_string(workspace.path().join("events.jsonl")).expect("events were written");
    workspace.remove("events.jsonl");
    json_lines(&text)
}

#[test]
fn openlineage_hears_of_the_run_its_steps_and_their_tests() {
    let workspace = Workspace::tiny();
    let events = events_of(&workspace, 0);
    let jobs = by_job(&events);
    assert!(jobs.values().all(|states| *states == ["START", "COMPLETE"]), "{jobs:#?}");
    let names: Vec<&str> = jobs.keys().map(String::as_str).collect();
    assert_eq!(
        names.join(" "),
        "tiny tiny.by_channel tiny.by_channel.tests tiny.by_status tiny.by_status.tests tiny.contacts tiny.instance tiny.instance.tests tiny.member tiny.member.tests tiny.touchpoints"
    );
    let find = |job: &str, state: &str| {
        let found = events.iter().find(|event| event["job"]["name"] == job && event["eventType"] == state);
        found.expect("the event is there")
    };
    let run_id = &find("tiny", "START")["run"]["runId"];
    let instance = find("tiny.instance", "COMPLETE");
    assert_eq!(instance["run"]["facets"]["parent"]["run"]["runId"], *run_id);
    let output = &instance["outputs"][0];
    assert_eq!(output["namespace"], "file");
    assert!(output["name"].as_str().is_some_and(|name| name.ends_with("/warehouse/instance")), "{output}");
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 6);
    let origins = &output["facets"]["columnLineage"]["fields"]["satisfaction"]["inputFields"][0];
    assert_eq!(origins["field"], "satisfaction");
    assert_eq!(origins["transformations"][0]["subtype"], "AGGREGATION");
    assert_eq!(instance["inputs"][0]["name"], find("tiny.member", "COMPLETE")["outputs"][0]["name"]);
    let tested = find("tiny.instance.tests", "COMPLETE");
    let assertions = tested["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"].as_array();
    assert_eq!(assertions.map(Vec::len), Some(4));
    let source = find("tiny.contacts", "COMPLETE");
    assert!(source["inputs"][0]["name"].as_str().is_some_and(|name| name.ends_with("/data/contacts")), "{source}");

    workspace.edit(PIPELINE, "row_count: { min: 1 }", "row_count: { min: 100 }");
    let jobs = by_job(&events_of(&workspace, 3));
    assert_eq!(jobs["tiny.instance"], ["START", "FAIL: data tests failed: row count in 100 .. any"]);
    assert_eq!(
        jobs["tiny"],
        ["START", "FAIL: instance: data tests failed\nby_status: it reads `instance`, which did not succeed"]
    );
    assert_eq!(jobs["tiny.instance.tests"], ["START", "FAIL"]);
    assert!(!jobs.contains_key("tiny.by_status"), "a step that did not run has no events");
}

/// An endpoint that takes one request after the other and answers with `status`.
fn endpoint(status: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (send, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                request.extend_from_slice(&piece[..length]);
                let text = String::from_utf8_lossy(&request);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if length.is_none_or(|length: usize| body.len() >= length) {
                    break;
                }
            }
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
            if send.send(String::from_utf8_lossy(&request).into_owned()).is_err() {
                break;
            }
        }
    });
    (format!("http://{address}"), received)
}

fn posting(url: &str) -> Outcome {
    let environment = [("OPENLINEAGE_URL", url), ("OPENLINEAGE_API_KEY", "secret"), ("OPENLINEAGE_NAMESPACE", "shop")];
    Workspace::tiny().run_with(&["run", "--as-of", "2024-02-10"], &environment).ends_with(0)
}

#[test]
fn openlineage_over_http_takes_the_clients_environment() {
    let (url, received) = endpoint("201 Created");
    let outcome = posting(&url);
    assert!(!outcome.stderr.contains("warning"), "{outcome}");
    let requests: Vec<String> = received.try_iter().collect();
    assert!(requests.len() > 15, "{}", requests.len());
    for request in &requests {
        assert!(request.starts_with("POST /api/v1/lineage HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer secret\r\n"), "{request}");
        let (_, body) = request.split_once("\r\n\r\n").expect("a body");
        let event: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(event["job"]["namespace"], "shop");
    }
}

/// Whatever becomes of its events, the run is done.
#[test]
fn a_broken_endpoint_is_a_warning() {
    let (url, _received) = endpoint("500 Internal Server Error");
    let outcome = posting(&url);
    assert!(outcome.stderr.contains("OpenLineage events were not delivered: the endpoint answered 500"), "{outcome}");
    assert!(!outcome.stderr.contains("secret"), "{outcome}");
    // Nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let outcome = posting(&format!("http://{free}"));
    assert!(outcome.stderr.contains("OpenLineage events were not delivered"), "{outcome}");
    let no_folder = Workspace::tiny().run("run --as-of 2024-02-10 --openlineage file:none/here.jsonl").ends_with(0);
    assert!(no_folder.stderr.contains("warning: no OpenLineage events"), "{no_folder}");
    let refused = Workspace::tiny().run("run --as-of 2024-02-10 --openlineage ftp://host").ends_with(2);
    assert!(refused.stderr.contains("is no place for events"), "{refused}");
}

#[test]
fn schemas_are_printed_for_each_kind_of_file() {
    for (kind, definition) in [("", "pipeline"), (" journeys", "journeys"), (" tests", "unit_tests")] {
        let outcome = Workspace::empty().run(&format!("schema{kind}")).ends_with(0);
        let schema: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(schema["$ref"], format!("#/$defs/{definition}"));
        assert!(schema["$defs"][definition].is_object());
    }
}
