//! Queries a second and how long they take, with one, eight and thirty-two clients.

use std::time::{Duration, Instant};

use crate::dashboard::TILES;
use crate::endpoint::{Endpoint, whole};

const CLIENTS: [usize; 3] = [1, 8, 32];

/// Prints a line a number of clients.
pub(crate) async fn print(customers: u64, seconds: u64) -> Result<(), String> {
    let endpoint = Endpoint::new(customers, &["--queue-timeout", "1min"])?;
    let client = endpoint.client().await?;
    let mut rows = 0;
    for sql in TILES {
        let answer = client.query(sql, &[]).await.map_err(|error| format!("{sql}: {}", whole(&error)))?;
        rows += answer.len();
    }
    let journeys: i64 = client.query_one(TILES[0], &[]).await.map_err(|error| error.to_string())?.get(0);
    println!("{} queries, {rows} rows in all, over {journeys} journeys of {customers} customers", TILES.len());
    println!(
        "{:>7} {:>10} {:>10} {:>8} {:>8} {:>8} {:>9}",
        "clients", "queries", "queries/s", "p50 ms", "p95 ms", "max ms", "memory"
    );
    for clients in CLIENTS {
        let mut times = measure(&endpoint, clients, Duration::from_secs(seconds)).await?;
        times.0.sort_unstable();
        let at = |share: f64| times.0[((times.0.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        let memory = endpoint.resident_mib().map_or_else(String::new, |mib| format!("{mib} MiB"));
        println!(
            "{clients:>7} {:>10} {:>10.1} {:>8.1} {:>8.1} {:>8.1} {memory:>9}",
            times.0.len(),
            times.0.len() as f64 / times.1.as_secs_f64(),
            at(0.5),
            at(0.95),
            at(1.0),
        );
    }
    Ok(())
}

/// Every client asks the tiles one after the other, each beginning at another one, until the time is over.
async fn measure(endpoint: &Endpoint, clients: usize, time: Duration) -> Result<(Vec<Duration>, Duration), String> {
    let began = Instant::now();
    let mut tasks = Vec::with_capacity(clients);
    for number in 0..clients {
        let client = endpoint.client().await?;
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for sql in TILES.iter().cycle().skip(number * 7 % TILES.len()) {
                if began.elapsed() >= time {
                    break;
                }
                let asked = Instant::now();
                client.query(*sql, &[]).await.map_err(|error| format!("{sql}: {}", whole(&error)))?;
                times.push(asked.elapsed());
            }
            Ok::<_, String>(times)
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.map_err(|error| error.to_string())??);
    }
    Ok((times, began.elapsed()))
}
