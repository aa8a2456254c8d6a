//! Connections that take a place and do nothing with it, and what each may keep.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::clients::{client, client_with, rows, whole};
use super::endpoint::{Endpoint, PATIENCE, tiny};

/// How long a socket stays open after these bytes were sent.
async fn open_for(address: std::net::SocketAddr, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    let mut socket = TcpStream::connect(address).await.expect("it connects");
    socket.write_all(bytes).await.expect("it is sent");
    let mut answer = [0; 4096];
    while let Ok(Ok(read)) = tokio::time::timeout(PATIENCE, socket.read(&mut answer)).await {
        if read == 0 {
            return began.elapsed();
        }
    }
    began.elapsed()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// HTTP/2's first settings, empty.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_are_closed_on_both_ports() {
    let workspace = tiny();
    let limits = ["--login-timeout", "1s", "--idle-timeout", "3s", "--max-connections", "4"];
    let endpoint = Endpoint::of(&workspace, &limits);
    for (address, bytes) in [
        (endpoint.postgres, &b""[..]),
        (endpoint.postgres, b"\0\0\0\x20\0\x03"),
        (endpoint.flight, b""),
        (endpoint.flight, b"PRI * HT"),
        (endpoint.flight, PREFACE),
    ] {
        let open = open_for(address, bytes).await;
        assert!(open < Duration::from_secs(3), "{bytes:?} kept {address} for {open:?}");
    }
    // One that has said hello, answers the question whether it lives, and asks nothing.
    let open = open_for(endpoint.flight, &[PREFACE, SETTINGS].concat()).await;
    assert!(open < Duration::from_secs(7), "it was kept for {open:?}");
    let log = endpoint.log();
    assert!(log.contains("no login in time"), "{log}");

    // All places taken by silent ones are free again.
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(endpoint.flight).await.expect("it connects"));
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", endpoint.flight)).expect("an address");
    let mut flight =
        arrow_flight::sql::client::FlightSqlServiceClient::new(channel.connect().await.expect("it connects"));
    flight.execute("SELECT 1".to_owned(), None).await.expect("there is a place");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_end_when_they_or_the_endpoint_say_so() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--idle-timeout", "4s"]);
    let idle = client(&endpoint).await;
    let own = client_with(&endpoint, "user=ann options='-c idle_session_timeout=1s'").await.expect("it is let in");
    let inside = client(&endpoint).await;
    inside.batch_execute("SET idle_in_transaction_session_timeout = '1s'; BEGIN").await.expect("it begins");
    let busy = client(&endpoint).await;
    let longer = client(&endpoint).await;
    longer.batch_execute("SET idle_session_timeout = '1h'").await.expect("it can be set");
    tokio::time::sleep(Duration::from_millis(2200)).await;
    for (client, code) in [(&own, "57P05"), (&inside, "25P03")] {
        let error = client.simple_query("SELECT 1").await.expect_err("it is closed");
        // The reason may have been read before the question was sent.
        assert!(client.is_closed() || whole(&error).contains(code), "{code}: {}", whole(&error));
    }
    assert_eq!(rows(&busy, "SELECT 1").await, ["1"]);
    tokio::time::sleep(Duration::from_millis(2800)).await;
    assert!(idle.is_closed() && longer.is_closed(), "an idle session is kept");
    assert_eq!(rows(&busy, "SELECT 1").await, ["1"]);
    endpoint.wait_for("the reason", |event| {
        event["event"] == "disconnected" && event["reason"].as_str().is_some_and(|reason| reason.contains("idle for"))
    });
    // A query that runs longer than that is not idle.
    busy.batch_execute("SET idle_session_timeout = '500ms'; SET statement_timeout = '2s'").await.expect("set");
    let endless = "SELECT count(*) FROM generate_series(1, 100000000000) AS a(n) WHERE n % 7 = 8";
    assert_eq!(super::clients::failure(&busy, endless).await.0, "57014");
}

/// What is kept of a client is on file with the system, which asks a silent one whether it is still there.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_are_asked_whether_they_are_there() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let _kept = client(&endpoint).await;
    let flight = TcpStream::connect(endpoint.flight).await.expect("it connects");
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Timer 02 in the kernel's table is the keepalive of an open connection.
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the table is there");
    for address in [endpoint.postgres, endpoint.flight] {
        let port = format!(":{:04X} ", address.port());
        let open = table.lines().filter(|line| {
            let mut words = line.split_whitespace();
            words.nth(1).is_some_and(|local| format!("{local} ").ends_with(&port)) && words.nth(1) == Some("01")
        });
        let timers: Vec<&str> = open.filter_map(|line| line.split_whitespace().nth(5)).collect();
        assert!(!timers.is_empty() && timers.iter().all(|timer| timer.starts_with("02:")), "{address}: {timers:?}");
    }
    drop(flight);
}

/// A statement of so many bytes.
fn long(bytes: usize) -> String {
    format!("SELECT '{}'", "x".repeat(bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_prepared_is_limited_by_bytes_and_freed() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--max-prepared", "1MiB"]);
    let client = client(&endpoint).await;
    for free in ["DEALLOCATE ALL", "DISCARD ALL"] {
        // Statements of SQL and of the protocol share the room.
        let mut kept = Vec::new();
        let refused = loop {
            let sql = long(40_000);
            let outcome = if kept.len() % 2 == 0 {
                client.batch_execute(&format!("PREPARE p{} AS {sql}", kept.len())).await.map(|()| None)
            } else {
                client.prepare(&sql).await.map(Some)
            };
            match outcome {
                Ok(statement) => kept.push(statement),
                Err(error) => break error,
            }
            assert!(kept.len() < 100, "{} statements of 40 kB are kept", kept.len());
        };
        let refused = refused.as_db_error().expect("an answer");
        assert_eq!(refused.code().code(), "53400");
        assert!(
            refused.message().contains("1 MiB") && refused.hint().is_some_and(|hint| hint.contains("--max-prepared"))
        );
        assert!(kept.len() > 5, "{} statements only", kept.len());
        client.batch_execute(free).await.expect("all are freed");
        client.batch_execute(&format!("PREPARE again AS {}", long(40_000))).await.expect("there is room");
        client.batch_execute("DEALLOCATE again").await.expect("it is freed");
        // Those of the protocol are gone, too, and their names are free.
        let statement = kept.iter().flatten().next().expect("one of the protocol");
        let error = client.query(statement, &[]).await.expect_err("it is gone");
        assert_eq!(error.code().map(|code| code.code()), Some("26000"), "{free}");
        kept.clear();
    }
}
