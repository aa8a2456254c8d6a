//! Statements and files made to break the program: each is refused in words, and nothing is changed.

use insta::assert_snapshot;

use crate::tiny::{INSTANCE, JOURNEYS, PIPELINE, RUN};
use crate::workspace::Workspace;

#[test]
fn query_answers_questions_and_changes_nothing() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let rows = workspace.rows();
    let refused = [
        "DROP TABLE instance",
        "INSERT INTO instance SELECT * FROM instance",
        "UPDATE instance SET status = 'open'",
        "DELETE FROM instance",
        "TRUNCATE TABLE instance",
        "ALTER TABLE instance ADD COLUMN x INT",
        "COPY instance TO 'stolen.csv'",
        "CREATE TABLE x AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT 1 AS a",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * INTO x FROM instance",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN ANALYZE SELECT * FROM instance",
        "SELECT 1; DROP TABLE instance",
        "SELECT * FROM instance WHERE journey_id = ''; DROP TABLE instance; --'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM contacts",
        "",
        " ; ; ",
        "select",
        "💥",
    ];
    for sql in refused {
        let answer = workspace.query(sql).ends_with(2);
        assert!(answer.stdout.is_empty(), "`{sql}` has an answer: {answer}");
        assert!(answer.stderr.starts_with("error"), "`{sql}`: {answer}");
    }
    assert_snapshot!(workspace.query("SELECT * FROM instance WHERE journey_id = ''; DROP TABLE instance; --'"), @"
    exit 2
    --- stderr
    error[not-one-select]: the file holds several statements
     --> query:1:1
      |
    1 | SELECT * FROM instance WHERE journey_id = ''; DROP TABLE instance; --'
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write one SELECT (CTEs welcome); one file makes one model
    ");
    assert_snapshot!(workspace.query("SELECT sttus FROM instance"), @"
    exit 2
    --- stderr
    error[unknown-column]: no column `sttus`
     --> query:1:8
      |
    1 | SELECT sttus FROM instance
      |        ^^^^^ did you mean `status`?
      |
      = help: columns here: customer_id, ended_at, journey, journey_id, last_at, satisfaction, started_at, status, touchpoints
    ");
    assert_snapshot!(workspace.query("SELECT * FROM instnce"), @"
    exit 2
    --- stderr
    error[unknown-relation]: no published table `instnce`
     --> query:1:15
      |
    1 | SELECT * FROM instnce
      |               ^^^^^^^ did you mean `instance`?
      |
      = help: published: by_channel, by_status, instance, member, runs, run_steps, run_tests
    ");
    assert_eq!(workspace.rows(), rows);
    assert!(!workspace.has("stolen.csv"));
}

#[test]
fn a_text_that_looks_like_sql_is_a_text() {
    let workspace = Workspace::tiny();
    let name = "'; DROP TABLE member; --";
    workspace.put(
        "data/contacts/bobby.csv",
        format!("{}b1,\"{name}\",2024-01-05T00:00:00Z,web,ask,\n", crate::tiny::HEADER),
    );
    workspace.run(RUN).ends_with(0);
    assert_snapshot!(workspace.query("SELECT journey_id, customer_id FROM instance WHERE customer_id LIKE '%DROP%'"), @"
    exit 0
    --- stdout
    journey_id,customer_id
    asking/b1,'; DROP TABLE member; --
    ");
}

#[test]
fn deep_nesting_is_refused_and_long_chains_run() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let nested = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let subqueries = format!("{}SELECT 1 AS a{}", "SELECT * FROM (".repeat(500), ") AS t".repeat(500));
    let negated = format!("SELECT {} true", "NOT ".repeat(5_000));
    for sql in [&nested, &subqueries, &negated] {
        workspace.query(sql).ends_with(2);
    }
    let sum = format!("SELECT {}1 AS n", "1 + ".repeat(3_000));
    assert_eq!(workspace.query(&sum).ends_with(0).stdout, "n\n3001\n");
    workspace.edit(JOURNEYS, "event = 'ask'", &"(".repeat(5_000));
    workspace.run("check").ends_with(2);
}

/// Generated conditions hold a thousand alternatives; each is a level of recursion for the planner.
#[test]
fn conditions_with_a_thousand_alternatives_run() {
    let workspace = Workspace::tiny();
    let chain = vec!["event = 'ask'"; 1_000].join(" OR ");
    workspace.edit(JOURNEYS, "starts: event = 'ask'", &format!("starts: {chain}"));
    let steps: Vec<String> = (0..1_000).map(|step| format!("step = {step}")).collect();
    workspace.edit(INSTANCE, "FROM member", &format!("FROM member WHERE {}", steps.join(" OR ")));
    workspace.run(RUN).ends_with(0);
    let plain = Workspace::tiny();
    plain.run(RUN).ends_with(0);
    assert_eq!(
        workspace.query("SELECT * FROM instance ORDER BY 1").stdout,
        plain.query("SELECT * FROM instance ORDER BY 1").stdout
    );
}

#[test]
fn garbage_in_place_of_yaml() {
    let garbage: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let zeros = vec![0; 1_000];
    let long = format!("name: tiny # {}", "x".repeat(1 << 20));
    let nested = format!("name: {}", "[".repeat(100_000));
    let keys: String = (0..60_000).map(|key| format!("k{key}: 1\n")).collect();
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n".to_owned();
    let texts: [&[u8]; 7] =
        [&garbage, &zeros, long.as_bytes(), nested.as_bytes(), keys.as_bytes(), laughs.as_bytes(), b""];
    for file in [PIPELINE, JOURNEYS] {
        let workspace = Workspace::tiny();
        for text in texts {
            workspace.put(file, text);
            let refused = workspace.run("check").ends_with(2);
            assert!(refused.stderr.starts_with("error[") && refused.stderr.contains(file), "{refused}");
            assert!(refused.stderr.len() < 100_000, "a refusal of {} bytes", refused.stderr.len());
        }
        assert!(!workspace.has("warehouse"));
    }
    let workspace = Workspace::tiny();
    workspace.put(PIPELINE, long);
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[file-too-large]: `pipelines/tiny.yaml` is larger than 1 MiB
     |
     = help: pipelines and their SQL are small files; data belongs in a source or a seed
    ");
}

#[test]
fn garbage_in_place_of_sql_and_data() {
    let garbage: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let workspace = Workspace::tiny();
    workspace.put(INSTANCE, &garbage);
    workspace.run("check").ends_with(2);
    let workspace = Workspace::tiny();
    workspace.put("data/contacts/garbage.csv", &garbage);
    let refused = workspace.run("check").ends_with(2);
    assert!(refused.stderr.contains("data/contacts/garbage.csv"), "{refused}");
    let workspace = Workspace::tiny();
    workspace.put("data/contacts/garbage.csv", [crate::tiny::HEADER.as_bytes(), &garbage].concat());
    workspace.run(RUN).ends_with(3);
    workspace.edit(PIPELINE, "    key: [contact_id]\n", "    key: [contact_id]\n    rejected: { error: 100 % }\n");
    let printed = workspace.run(RUN).ends_with(0).steps();
    assert!(printed.contains("set aside: could not be read"), "{printed}");
    assert!(printed.contains("done instance, 6 rows, published"), "{printed}");
}
