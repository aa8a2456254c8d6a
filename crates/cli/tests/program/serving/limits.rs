//! Limits, and clients that vanish.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::NoTls;

use super::clients::{client, client_with, code_and_message, failure, rows};
use super::endpoint::{Endpoint, PATIENCE, tiny};

/// Runs until somebody stops it.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000000) AS a(n) WHERE n % 7 = 8";
/// Works on pairs of rows of which it keeps none.
const ENDLESS_PAIRS: &str =
    "SELECT count(*) FROM generate_series(1, 2000000) AS a(n), generate_series(1, 9000000) AS b(n) WHERE a.n + b.n < 0";
/// The same with a key that all rows share.
const ENDLESS_MATCHES: &str = "SELECT count(*) FROM (SELECT n, n % 1 AS k FROM generate_series(1, 200000) AS s(n)) AS a JOIN (SELECT n, n % 1 AS k FROM generate_series(1, 200000) AS s(n)) AS b ON a.k = b.k AND a.n + b.n < 0";
/// Gives rows until somebody stops it.
const ENDLESS_ROWS: &str = "SELECT n FROM generate_series(1, 100000000000) AS a(n)";

#[tokio::test(flavor = "multi_thread")]
async fn time_is_limited_by_the_endpoint_and_by_the_client() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--query-timeout", "1500ms"]);
    let client = client(&endpoint).await;
    for sql in [ENDLESS, ENDLESS_PAIRS, ENDLESS_MATCHES, ENDLESS_ROWS] {
        let began = Instant::now();
        let (code, message) = failure(&client, sql).await;
        assert_eq!((code.as_str(), message.as_str()), ("57014", "canceled: the query took longer than 1.5 s"));
        assert!(began.elapsed() < Duration::from_secs(60), "it took {:?}", began.elapsed());
    }
    // Their work has ended too, not just their clients' waiting.
    let queries =
        Endpoint::of(&workspace, &["--query-timeout", "500ms", "--max-queries", "1", "--queue-timeout", "10s"]);
    let other = super::clients::client(&queries).await;
    for sql in [ENDLESS_PAIRS, ENDLESS_MATCHES] {
        assert_eq!(failure(&other, sql).await.0, "57014");
        assert_eq!(rows(&other, "SELECT 1").await, ["1"]);
    }
    client.batch_execute("SET statement_timeout = '100ms'").await.expect("it can be set");
    assert_eq!(failure(&client, ENDLESS).await.1, "canceled: the query took longer than 0.1 s");
    // A client cannot give itself more than there is.
    client.batch_execute("SET statement_timeout = '1h'").await.expect("it can be set");
    assert_eq!(failure(&client, ENDLESS).await.1, "canceled: the query took longer than 1.5 s");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_cancel() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--query-timeout", "100s"]);
    let client = client(&endpoint).await;
    // Several times: this client closes the connection of its request as soon as that is sent, so reading the request
    // races with seeing the end.
    for _ in 0..5 {
        let token = client.cancel_token();
        let canceled = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            token.cancel_query(NoTls).await.expect("the request is taken");
        });
        let (code, message) = failure(&client, ENDLESS).await;
        canceled.await.expect("it is sent");
        assert_eq!((code.as_str(), message.as_str()), ("57014", "canceled on the client's request"));
    }
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_texts_are_limited() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--memory-limit", "32MiB", "--query-timeout", "100s"]);
    let client = client(&endpoint).await;
    let sql = "SELECT count(*) FROM (SELECT array_agg(n) AS a FROM generate_series(1, 30000000) AS s(n) GROUP BY n % 10) WHERE cardinality(a) > 1";
    let (code, message) = failure(&client, sql).await;
    assert_eq!(code, "53200", "{message}");
    for sql in [
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000)",
        "SELECT rpad(repeat('x', 10), 2000000000, 'y')",
    ] {
        let (code, message) = failure(&client, sql).await;
        assert!(code == "54000" && message.contains("64 MiB"), "{sql}: {code} {message}");
    }
    assert_eq!(rows(&client, "SELECT length(repeat('ab', 1000)), lpad('x', 3, 'y')").await, ["2000 | yyx"]);
    // A text that is too long is refused; one that is not, but has a thousand conditions, is answered.
    let long =
        |terms: usize| format!("SELECT count(*) FROM instance WHERE {}", vec!["touchpoints=9"; terms].join(" OR "));
    assert_eq!(failure(&client, &long(20_000)).await.0, "54000");
    assert_eq!(rows(&client, &long(1_000)).await, ["0"]);
    // Nor are queries planned whose joins would keep the planner busy for ever, however short their text is.
    let many = (0..200).map(|n| format!("instance AS t{n}"));
    let many = format!("SELECT count(*) FROM {}", many.collect::<Vec<_>>().join(", "));
    let mut doubled = "WITH d0 AS (SELECT journey FROM instance)".to_owned();
    for n in 1..=40 {
        let before = n - 1;
        doubled.push_str(&format!(", d{n} AS (SELECT x.journey FROM d{before} AS x, d{before} AS y)"));
    }
    for (sql, reason) in [(many, "60 joins"), (format!("{doubled} SELECT count(*) FROM d40"), "at most")] {
        let (code, message) = failure(&client, &sql).await;
        assert!(code == "54001" && message.contains(reason), "{code} {message}");
    }
    let nested = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(failure(&client, &nested).await.0, "42601");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_connections_are_counted() {
    let workspace = tiny();
    let limits = ["--max-queries", "1", "--queue-timeout", "300ms", "--max-connections", "3"];
    let endpoint = Endpoint::of(&workspace, &limits);
    let (first, second, third) = (client(&endpoint).await, client(&endpoint).await, client(&endpoint).await);
    let Err(error) = client_with(&endpoint, "user=ann").await else { panic!("a fourth client was let in") };
    assert_eq!(code_and_message(&error), ("53300".into(), "3 clients are connected already".into()));
    drop(third);
    let began = Instant::now();
    while client_with(&endpoint, "user=ann").await.is_err() {
        assert!(began.elapsed() < PATIENCE, "the place of a client that left is not given to another");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let token = first.cancel_token();
    let running = tokio::spawn(async move { failure(&first, ENDLESS).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (code, message) = failure(&second, "SELECT 1").await;
    assert_eq!((code.as_str(), message.as_str()), ("53300", "1 queries run already, and none ended within 0.3 s"));
    token.cancel_query(NoTls).await.expect("the request is taken");
    assert_eq!(running.await.expect("it ends").0, "57014");
    assert_eq!(rows(&second, "SELECT 1").await, ["1"]);
}

/// A startup and a query as bytes, for clients that do not behave.
fn startup_and_query(sql: &str) -> Vec<u8> {
    let parameters = b"user\0ann\0database\0throughline\0\0";
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(8 + parameters.len()).expect("short").to_be_bytes());
    bytes.extend(196_608_u32.to_be_bytes());
    bytes.extend(parameters);
    bytes.push(b'Q');
    bytes.extend(u32::try_from(5 + sql.len()).expect("short").to_be_bytes());
    bytes.extend(sql.as_bytes());
    bytes.push(0);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_frees_its_query() {
    let workspace = tiny();
    let endpoint =
        Endpoint::of(&workspace, &["--max-queries", "1", "--queue-timeout", "20s", "--query-timeout", "1min"]);
    let waiting = client(&endpoint).await;
    // One that counts and sends nothing, and one whose rows fill every buffer because it does not read them.
    for sql in [ENDLESS, ENDLESS_ROWS] {
        let mut socket = tokio::net::TcpStream::connect(endpoint.postgres).await.expect("it connects");
        socket.write_all(&startup_and_query(sql)).await.expect("it is sent");
        let mut byte = [0];
        socket.read_exact(&mut byte).await.expect("it is answered");
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(socket);
        let began = Instant::now();
        assert_eq!(rows(&waiting, "SELECT 1").await, ["1"]);
        assert!(began.elapsed() < Duration::from_secs(5), "its place was free after {:?} only", began.elapsed());
    }
    endpoint.wait_for("the end of the query", |event| event["failure"]["message"] == "the client is gone");

    // One that stays and does not read keeps its place no longer than the time allows.
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--max-queries", "1", "--queue-timeout", "20s", "--query-timeout", "1s"]);
    let waiting = client(&endpoint).await;
    let mut socket = tokio::net::TcpStream::connect(endpoint.postgres).await.expect("it connects");
    socket.write_all(&startup_and_query(ENDLESS_ROWS)).await.expect("it is sent");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    assert_eq!(rows(&waiting, "SELECT 1").await, ["1"]);
    assert!(began.elapsed() < Duration::from_secs(6), "its place was free after {:?} only", began.elapsed());
    drop(socket);
}

/// Rows go out as they come: a result larger than the memory limit passes through.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_not_collected() {
    use futures::TryStreamExt;
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--memory-limit", "64MiB"]);
    let client = client(&endpoint).await;
    let before = endpoint.resident_mib();
    let sql = "SELECT n, repeat('x', 200) FROM generate_series(1, 1000000) AS a(n)";
    let none: [i64; 0] = [];
    let stream = client.query_raw(sql, none).await.expect("it is answered");
    let rows = stream.try_fold(0_u64, |rows, _| async move { Ok(rows + 1) }).await.expect("all rows come");
    assert_eq!(rows, 1_000_000);
    if let (Some(before), Some(after)) = (before, endpoint.resident_mib()) {
        assert!(after < before + 100, "{before} MiB became {after} MiB for 250 MB of rows");
    }
}
