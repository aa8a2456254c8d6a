//! What each abuse of the endpoint gets, and whether it answers a good client afterwards.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::endpoint::Endpoint;
use crate::load::whole;

/// Statements, by what they try.
const STATEMENTS: [(&str, &str); 16] = [
    ("write", "INSERT INTO fct_journey SELECT * FROM fct_journey"),
    ("destroy", "DROP TABLE fct_journey"),
    ("create", "CREATE TABLE t AS SELECT * FROM fct_journey"),
    ("open a file as a table", "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'"),
    ("read a file by its path", "SELECT * FROM '/etc/passwd'"),
    ("read a URL", "SELECT * FROM 'https://localhost/x.csv'"),
    ("read a file by a function", "SELECT pg_read_file('/etc/passwd')"),
    ("write a file", "COPY fct_journey TO '/tmp/out.csv'"),
    ("run a program", "COPY (SELECT 1) TO PROGRAM 'sh'"),
    ("change the engine", "SET datafusion.execution.batch_size = 1"),
    ("become somebody else", "SET ROLE postgres"),
    ("write behind EXPLAIN ANALYZE", "EXPLAIN ANALYZE DELETE FROM fct_journey"),
    ("run for ever", "SELECT count(*) FROM generate_series(1, 100000000000) AS a(n) WHERE n % 7 = 8"),
    (
        "join everything with everything",
        "SELECT count(*) FROM fct_journey_touchpoint a, fct_journey_touchpoint b, fct_journey_touchpoint c WHERE a.step + b.step + c.step < 0",
    ),
    (
        "hoard memory",
        "SELECT count(*) FROM (SELECT array_agg(n) AS a FROM generate_series(1, 40000000) AS s(n) GROUP BY n % 10) WHERE cardinality(a) > 1",
    ),
    ("make a huge text", "SELECT repeat('x', 2000000000)"),
];

/// Prints a line for each.
pub(crate) async fn print(customers: u64) -> Result<(), String> {
    let limits = [
        "--query-timeout",
        "2s",
        "--memory-limit",
        "64MiB",
        "--max-queries",
        "2",
        "--queue-timeout",
        "500ms",
        "--max-connections",
        "4",
    ];
    let mut endpoint = Endpoint::new(customers, &limits)?;
    let before = endpoint.resident_mib();
    for (what, sql) in STATEMENTS {
        let client = endpoint.client().await?;
        let began = Instant::now();
        let got = match client.simple_query(sql).await {
            Ok(_) => "ANSWERED".to_owned(),
            Err(error) => whole(&error),
        };
        line(&endpoint, what, &got, began).await?;
    }
    let long = format!("SELECT {}", vec!["1"; 200_000].join("+"));
    let client = endpoint.client().await?;
    let began = Instant::now();
    let got = client.simple_query(&long).await.map_or_else(|error| whole(&error), |_| "ANSWERED".into());
    line(&endpoint, "a query of 400 kB", &got, began).await?;
    drop(client);

    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("noise", (0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("a startup of 2 GB", b"\x7f\xff\xff\xff\0\x03\0\0".to_vec()),
        ("a query before the login", b"\0\0\0\x08\x04\xd2\x16\x2fQ\0\0\0\x0dSELECT 1\0".to_vec()),
    ] {
        let began = Instant::now();
        let got = sent(endpoint.postgres, &bytes).await;
        line(&endpoint, what, &got, began).await?;
        let got = sent(endpoint.flight, &bytes).await;
        line(&endpoint, &format!("{what}, to Flight SQL"), &got, began).await?;
    }

    let clients =
        [endpoint.client().await?, endpoint.client().await?, endpoint.client().await?, endpoint.client().await?];
    let began = Instant::now();
    let got = match endpoint.client().await {
        Ok(_) => "LET IN".to_owned(),
        Err(error) => error,
    };
    drop(clients);
    line(&endpoint, "a fifth connection of four", &got, began).await?;
    println!(
        "lives: {}; memory {} → {} MiB",
        endpoint.lives(),
        before.unwrap_or(0),
        endpoint.resident_mib().unwrap_or(0)
    );
    Ok(())
}

/// What came back for bytes.
async fn sent(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let Ok(mut socket) = TcpStream::connect(address).await else { return "no connection".into() };
    // It may be closed before all is sent.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    match tokio::time::timeout(Duration::from_secs(3), socket.read_to_end(&mut answer)).await {
        Ok(_) => {
            let words = answer.split(|byte| !byte.is_ascii_graphic() && *byte != b' ').filter(|word| word.len() > 8);
            let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
            format!("closed after {} bytes {}", answer.len(), words.join(" "))
        }
        Err(_) => "nothing; kept waiting for the rest until the login's time is over".into(),
    }
}

async fn line(endpoint: &Endpoint, what: &str, got: &str, began: Instant) -> Result<(), String> {
    let took = began.elapsed().as_secs_f64();
    // A place may be freed a moment later.
    let mut good = Err(String::new());
    for _ in 0..20 {
        good = asked(endpoint).await;
        if good.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let after = good.map_or_else(|error| format!("THEN {error}"), |()| "then answers".into());
    let got: String = got.chars().take(110).collect();
    println!("{what:<34} {got:<112} {took:>5.1} s  {after}");
    Ok(())
}

async fn asked(endpoint: &Endpoint) -> Result<(), String> {
    let client = endpoint.client().await?;
    client.simple_query("SELECT count(*) FROM fct_journey").await.map_err(|error| whole(&error))?;
    Ok(())
}
