//! What each abuse of the endpoint gets, and whether it answers a good client afterwards.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::doors;
use crate::endpoint::{Endpoint, whole};

/// Statements, by what they try.
const STATEMENTS: [(&str, &str); 22] = [
    ("write rows", "INSERT INTO fct_journey SELECT * FROM fct_journey"),
    ("change rows", "UPDATE fct_journey SET status = 'open'"),
    ("drop a table", "DROP TABLE fct_journey"),
    ("create a table", "CREATE TABLE t AS SELECT * FROM fct_journey"),
    ("a file as a table", "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'"),
    ("a file by its path", "SELECT * FROM '/etc/passwd'"),
    ("a file by a URL", "SELECT * FROM 'https://localhost/x.csv'"),
    ("a file by a function", "SELECT pg_read_file('/etc/passwd')"),
    ("a file by a table function", "SELECT * FROM read_parquet('/etc/passwd')"),
    ("COPY to a file", "COPY fct_journey TO '/tmp/out.csv'"),
    ("COPY to a program", "COPY (SELECT 1) TO PROGRAM 'sh'"),
    ("COPY from the client", "COPY fct_journey FROM STDIN"),
    ("SET the engine's options", "SET datafusion.execution.batch_size = 1"),
    ("SET a file path", "SET datafusion.runtime.temp_directory = '/tmp'"),
    ("SET ROLE", "SET ROLE postgres"),
    ("DELETE behind EXPLAIN ANALYZE", "EXPLAIN ANALYZE DELETE FROM fct_journey"),
    ("run for ever", "SELECT count(*) FROM generate_series(1, 100000000000) AS a(n) WHERE n % 7 = 8"),
    (
        "all pairs, none kept",
        "SELECT count(*) FROM fct_journey_touchpoint a, fct_journey_touchpoint b, fct_journey_touchpoint c WHERE a.step + b.step + c.step < 0",
    ),
    (
        "a join where all match all",
        "SELECT count(*) FROM fct_journey_touchpoint a JOIN fct_journey_touchpoint b ON a.step - a.step = b.step - b.step AND a.step + b.step < 0",
    ),
    (
        "hoard memory",
        "SELECT count(*) FROM generate_series(1, 50000000) AS a(n) JOIN generate_series(1, 50000000) AS b(n) ON a.n = b.n",
    ),
    ("a text of 2 GB", "SELECT repeat('x', 2000000000)"),
    ("rows without end", "SELECT n FROM generate_series(1, 100000000000) AS a(n)"),
];

/// Statements that are a burden before they run.
fn bombs() -> [(&'static str, String); 9] {
    let texts: Vec<String> = (0..1_500).map(|n| format!("repeat('x', 1000000) AS t{n}")).collect();
    let joins: Vec<String> = (0..400).map(|n| format!("dim_journey AS t{n}")).collect();
    [
        ("a query of 400 kB", format!("SELECT {}", vec!["1"; 200_000].join("+"))),
        ("10,000 brackets", format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000))),
        (
            "1,000 conditions",
            format!("SELECT count(*) FROM fct_journey WHERE {}", vec!["contacts=9"; 1_000].join(" OR ")),
        ),
        ("400 tables at once", format!("SELECT count(*) FROM {}", joins.join(", "))),
        ("tables doubled forty times", doubled()),
        ("1,500 texts of a megabyte", format!("SELECT {}", texts.join(", "))),
        (
            "a text that grows by replace",
            format!("SELECT length(replace(repeat('x', 1000000), 'x', '{}'))", "z".repeat(20_000)),
        ),
        (
            "3,700 conditions",
            format!("SELECT count(*) FROM fct_journey WHERE {}", vec!["contacts=9"; 3_700].join(" OR ")),
        ),
        (
            "an argument of EXECUTE",
            "PREPARE s AS SELECT $1 + 1; EXECUTE s(length(replace(repeat('x', 8000000), 'x', 'yyyy')))".to_owned(),
        ),
    ]
}

/// A relation that stands twice in the next, and so on.
fn doubled() -> String {
    let mut text = "WITH d0 AS (SELECT journey FROM dim_journey)".to_owned();
    for n in 1..=40 {
        let before = n - 1;
        text.push_str(&format!(", d{n} AS (SELECT x.journey FROM d{before} AS x, d{before} AS y)"));
    }
    format!("{text} SELECT count(*) FROM d40")
}

/// The limits under which all this happens.
const LIMITS: [&str; 14] = [
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
    "--login-timeout",
    "5s",
    "--idle-timeout",
    "10s",
];
/// Those of the endpoint that is guessed at.
const GUESSED: [&str; 4] = ["--max-wrong-passwords", "4", "--lockout", "1min"];
const PASSWORD: &str = "correct horse";

/// An answer that takes longer has not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints a line for each.
pub(crate) async fn print(customers: u64) -> Result<(), String> {
    let mut endpoint = Endpoint::new(customers, &LIMITS)?;
    let before = endpoint.resident_mib();
    println!("throughline serve {}", LIMITS.join(" "));
    println!("{:<30} {:>6}  {:<15} what it got: SQLSTATE and message", "abuse", "s", "a good query");
    let statements = STATEMENTS.iter().map(|(what, sql)| (*what, (*sql).to_owned()));
    for (what, sql) in statements.chain(bombs()) {
        let client = endpoint.client().await?;
        let began = Instant::now();
        let got = answer(&client, &sql).await;
        line(&endpoint, what, &got, began).await?;
    }
    let began = Instant::now();
    let got = canceled(&endpoint).await?;
    line(&endpoint, "cancel what runs", &got, began).await?;
    let began = Instant::now();
    let got = vanished(&endpoint).await?;
    line(&endpoint, "vanish while a query runs", &got, began).await?;
    let began = Instant::now();
    let got = third_query(&endpoint).await?;
    line(&endpoint, "a third query at once", &got, began).await?;

    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("noise", (0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("a startup of 2 GB", b"\x7f\xff\xff\xff\0\x03\0\0".to_vec()),
        ("a query before the login", b"\0\0\0\x08\x04\xd2\x16\x2fQ\0\0\0\x0dSELECT 1\0".to_vec()),
    ] {
        let began = Instant::now();
        let got = sent(endpoint.postgres, &bytes).await;
        line(&endpoint, what, &got, began).await?;
        let began = Instant::now();
        let got = sent(endpoint.flight, &bytes).await;
        line(&endpoint, &format!("{what}, Flight"), &got, began).await?;
    }

    print_doors(&endpoint).await?;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(endpoint.client().await?);
    }
    let began = Instant::now();
    let got = match endpoint.refused_client().await {
        None => "LET IN".to_owned(),
        Some(error) => error,
    };
    drop(clients);
    line(&endpoint, "a fifth connection of four", &got, began).await?;
    println!(
        "the endpoint {}; its memory was {} MiB before and is {} MiB now",
        if endpoint.lives() { "runs" } else { "HAS ENDED" },
        before.unwrap_or(0),
        endpoint.resident_mib().unwrap_or(0)
    );
    drop(endpoint);

    let guessed = Endpoint::with_password(customers, &GUESSED, PASSWORD)?;
    println!("throughline serve {}", GUESSED.join(" "));
    let began = Instant::now();
    let got = doors::guessed(&guessed, PASSWORD).await;
    println!("{:<30} {:>6.1}  {:<15} {got}", "six wrong passwords", began.elapsed().as_secs_f64(), "");
    Ok(())
}

/// Who holds places and memory without asking anything.
async fn print_doors(endpoint: &Endpoint) -> Result<(), String> {
    for (what, bytes) in [("a silent socket", &b""[..]), ("half a greeting", b"PRI * HT")] {
        let began = Instant::now();
        let got = doors::held(endpoint.postgres, &[]).await;
        line(endpoint, what, &got, began).await?;
        let began = Instant::now();
        let got = doors::held(endpoint.flight, bytes).await;
        line(endpoint, &format!("{what}, Flight"), &got, began).await?;
    }
    let began = Instant::now();
    let got = doors::idle(endpoint).await?;
    line(endpoint, "an idle session", &got, began).await?;
    let began = Instant::now();
    let got = doors::hoarded(endpoint).await?;
    line(endpoint, "25 MB of prepared statements", &got, began).await?;
    for (what, values) in doors::lies()? {
        let began = Instant::now();
        let got = doors::lied(endpoint.flight, &values).await;
        line(endpoint, what, &got, began).await?;
    }
    Ok(())
}

const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000000) AS a(n) WHERE n % 7 = 8";

async fn answer(client: &tokio_postgres::Client, sql: &str) -> String {
    match tokio::time::timeout(PATIENCE, client.simple_query(sql)).await {
        Ok(Ok(messages)) => format!("answered, {} rows", messages.len().saturating_sub(2)),
        Ok(Err(error)) => whole(&error),
        Err(_) => format!("NO ANSWER in {} s", PATIENCE.as_secs()),
    }
}

async fn canceled(endpoint: &Endpoint) -> Result<String, String> {
    let client = endpoint.client().await?;
    let token = client.cancel_token();
    let asked = tokio::spawn(async move { answer(&client, ENDLESS).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    token.cancel_query(tokio_postgres::NoTls).await.map_err(|error| error.to_string())?;
    asked.await.map_err(|error| error.to_string())
}

/// Both places are taken by clients that leave; somebody else is answered long before their time is over.
async fn vanished(endpoint: &Endpoint) -> Result<String, String> {
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let text = format!("host={} port={} user=bench", endpoint.postgres.ip(), endpoint.postgres.port());
        let connected = tokio_postgres::connect(&text, tokio_postgres::NoTls).await;
        let (client, connection) = connected.map_err(|error| whole(&error))?;
        // Its end closes the socket, with the question unanswered.
        sockets.push(tokio::spawn(connection));
        tokio::spawn(async move { answer(&client, ENDLESS).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    sockets.iter().for_each(tokio::task::JoinHandle::abort);
    let gone = Instant::now();
    let client = endpoint.client().await?;
    let got = answer(&client, "SELECT count(*) FROM fct_journey").await;
    Ok(format!("both places taken; {:.1} s after it left another client got: {got}", gone.elapsed().as_secs_f64()))
}

async fn third_query(endpoint: &Endpoint) -> Result<String, String> {
    let clients = [endpoint.client().await?, endpoint.client().await?];
    let asked = clients.map(|client| tokio::spawn(async move { answer(&client, ENDLESS).await }));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let client = endpoint.client().await?;
    let got = answer(&client, "SELECT count(*) FROM fct_journey").await;
    asked.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(got)
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
            format!("closed after {} bytes: {}", answer.len(), words.join(" "))
        }
        Err(_) => "nothing within 3 s: it waits for the rest until the time for a login is over".into(),
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
    let after = good.map_or_else(|error| format!("REFUSED {error}"), |()| "answered after".into());
    let got = got.split_whitespace().collect::<Vec<_>>().join(" ");
    let got: String = got.chars().take(120).collect();
    println!("{what:<30} {took:>6.1}  {after:<15} {got}");
    Ok(())
}

async fn asked(endpoint: &Endpoint) -> Result<(), String> {
    let client = endpoint.client().await?;
    client.simple_query("SELECT count(*) FROM fct_journey").await.map_err(|error| whole(&error))?;
    Ok(())
}
