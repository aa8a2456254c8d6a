//! How the endpoint ends.

use std::time::{Duration, Instant};

use super::clients::{client, code_and_message, rows};
use super::endpoint::{Endpoint, PATIENCE, tiny};

async fn ends(endpoint: &mut Endpoint) -> Option<i32> {
    let began = Instant::now();
    loop {
        if let Some(status) = endpoint.child.try_wait().expect("it can be waited for") {
            return status.code();
        }
        assert!(began.elapsed() < PATIENCE, "it does not end: {}", endpoint.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_end_it_after_the_queries_that_run() {
    let workspace = tiny();
    for (signal, code) in [("-INT", 130), ("-TERM", 0)] {
        let mut endpoint = Endpoint::of(&workspace, &[]);
        let (idle, busy) = (client(&endpoint).await, client(&endpoint).await);
        assert_eq!(rows(&idle, "SELECT 1").await, ["1"]);
        let running = tokio::spawn(async move {
            rows(&busy, "SELECT count(*) FROM generate_series(1, 20000000) AS a(n) WHERE n % 3 = 0").await
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        endpoint.signal(signal);
        assert_eq!(running.await.expect("it is answered"), ["6666666"], "{signal}: {}", endpoint.log());
        assert_eq!(ends(&mut endpoint).await, Some(code), "{signal}: {}", endpoint.log());
        if let Err(error) = idle.simple_query("SELECT 1").await
            && error.as_db_error().is_some()
        {
            assert_eq!(code_and_message(&error).0, "57P01");
        }
    }
}

/// A query that takes longer than the grace is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_wait_for_ever() {
    let workspace = tiny();
    let mut endpoint = Endpoint::of(&workspace, &[]);
    let busy = client(&endpoint).await;
    let sql = "SELECT count(*) FROM generate_series(1, 100000000000) AS a(n) WHERE n % 7 = 8";
    let running = tokio::spawn(async move { busy.simple_query(sql).await.is_err() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    endpoint.signal("-TERM");
    assert_eq!(ends(&mut endpoint).await, Some(0), "{}", endpoint.log());
    assert!(began.elapsed() < Duration::from_secs(12), "it took {:?}", began.elapsed());
    assert!(running.await.expect("it ends"));
}
