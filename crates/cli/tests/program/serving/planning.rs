//! Planning: a limited time for it, and a limited size of the constants it computes.

use std::time::{Duration, Instant};

use super::clients::{client, failure, rows};
use super::endpoint::{Endpoint, tiny};

/// Conditions that take the planner long: it walks down the chain for each of them.
fn long_to_plan() -> String {
    format!("SELECT count(*) FROM instance WHERE {}", vec!["touchpoints=9"; 3_700].join(" OR "))
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_is_interrupted() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--planning-timeout", "1s"]);
    let client = client(&endpoint).await;
    let began = Instant::now();
    let (code, message) = failure(&client, &long_to_plan()).await;
    assert_eq!((code.as_str(), message.as_str()), ("57014", "canceled: planning the query took longer than 1 s"));
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    // The same for what is explained, for what was prepared, and for arguments.
    client.batch_execute("PREPARE s AS SELECT $1 + 1").await.expect("it is kept");
    client.batch_execute(&format!("PREPARE p AS {}", long_to_plan())).await.expect("it is kept");
    let slow = format!("EXECUTE s(CASE WHEN {} THEN 1 ELSE 2 END)", vec!["length('a')=9"; 3_500].join(" OR "));
    for sql in [format!("EXPLAIN {}", long_to_plan()), "EXECUTE p".to_owned(), slow] {
        let began = Instant::now();
        assert_eq!(failure(&client, &sql).await.0, "57014");
        assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    }
    let statement = client.prepare(&long_to_plan()).await.expect("it is kept");
    let error = client.query(&statement, &[]).await.expect_err("it takes too long");
    assert_eq!(error.code().map(|code| code.code()), Some("57014"));
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

/// Whoever plans long takes a place like whoever runs long; and others are answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn planning_takes_a_place() {
    let workspace = tiny();
    let limits = ["--max-queries", "1", "--queue-timeout", "300ms", "--planning-timeout", "6s"];
    let endpoint = Endpoint::of(&workspace, &limits);
    let (first, second) = (client(&endpoint).await, client(&endpoint).await);
    second.batch_execute("PREPARE s AS SELECT $1 + 1").await.expect("it is kept");
    let planning = tokio::spawn(async move { failure(&first, &long_to_plan()).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let (code, message) = failure(&second, "EXECUTE s(1 + 1)").await;
    assert_eq!((code.as_str(), message.as_str()), ("53300", "1 queries run already, and none ended within 0.3 s"));
    assert_eq!(planning.await.expect("it ends").0, "57014");
    // The work has ended too, not just the client's waiting.
    let began = Instant::now();
    while let Err(error) = second.simple_query("EXECUTE s(1 + 1)").await {
        assert_eq!(error.code().map(|code| code.code()), Some("53300"));
        assert!(began.elapsed() < Duration::from_secs(40), "the planning goes on");
    }
    assert_eq!(rows(&second, "EXECUTE s(1 + 1)").await, ["3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn constants_are_limited() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let client = client(&endpoint).await;
    let before = endpoint.resident_mib();
    // As many as the longest text holds.
    let many = |call: &str| {
        let calls = (0..60_000 / (call.len() + 12)).map(|number| format!("{call} AS c{number}"));
        format!("SELECT {}", calls.collect::<Vec<_>>().join(", "))
    };
    let text = "z".repeat(20_000);
    let large = format!("SELECT length(replace(repeat('x', 1000000), 'x', '{text}'))");
    let large_of_rows = format!("SELECT max(length(replace(repeat(status, 100000), 'e', '{text}'))) FROM instance");
    let joined = format!("SELECT length(concat({}))", vec!["repeat('x', 4000000)"; 60].join(", "));
    client.batch_execute("PREPARE s AS SELECT $1 + 1").await.expect("it is kept");
    for sql in [
        many("repeat('x', 1000000)"),
        many("replace(repeat('ab', 500000), 'a', 'bcd')"),
        many("upper(lpad('x', 1000000))"),
        large,
        large_of_rows,
        joined,
        "EXECUTE s(length(replace(repeat('x', 8000000), 'x', 'yyyy')))".to_owned(),
    ] {
        let began = Instant::now();
        let (code, message) = failure(&client, &sql).await;
        let shown: String = sql.chars().take(60).collect();
        assert!(code == "54000" && message.contains("MiB"), "{shown}: {code} {message}");
        assert!(began.elapsed() < Duration::from_secs(40), "{shown}: {:?}", began.elapsed());
    }
    if let (Some(before), Some(after)) = (before, endpoint.resident_mib()) {
        assert!(after < before + 200, "{before} MiB became {after} MiB");
    }
    // A value of a megabyte that stands in a thousand places.
    let places = (0..1_000).map(|number| format!("upper($1) AS c{number}"));
    let sql = format!("SELECT {}", places.collect::<Vec<_>>().join(", "));
    let value = "x".repeat(900_000);
    let error = client.query_one(&sql, &[&value]).await.expect_err("a gigabyte");
    assert_eq!(error.code().map(|code| code.code()), Some("54000"));
    assert_eq!(rows(&client, "SELECT length(replace(repeat('ab', 1000), 'a', 'cd'))").await, ["3000"]);

    let roomy = Endpoint::of(&workspace, &["--max-constants", "64MiB"]);
    let client = super::clients::client(&roomy).await;
    let sql = format!("SELECT length(concat({}))", ["repeat('x', 2000000)"; 8].join(", "));
    assert_eq!(rows(&client, &sql).await, ["16000000"]);
}
