//! Guessing passwords is slow, and soon over.

use std::time::{Duration, Instant};

use arrow_flight::sql::client::FlightSqlServiceClient;
use tokio_postgres::NoTls;
use tonic::transport::Channel;

use super::clients::code_and_message;
use super::endpoint::{Endpoint, tiny};

const PASSWORD: &str = "open sesame 42";

async fn login(endpoint: &Endpoint, password: &str) -> Result<(), (String, String)> {
    let text = format!("host=127.0.0.1 port={} user=throughline password='{password}'", endpoint.postgres.port());
    match tokio_postgres::connect(&text, NoTls).await {
        Ok((_, connection)) => {
            tokio::spawn(connection);
            Ok(())
        }
        Err(error) => Err(code_and_message(&error)),
    }
}

async fn handshake(endpoint: &Endpoint, password: &str) -> Result<(), String> {
    let channel = Channel::from_shared(format!("http://{}", endpoint.flight)).expect("an address").connect().await;
    let mut client = FlightSqlServiceClient::new(channel.expect("it connects"));
    client.handshake("throughline", password).await.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_guesses_is_locked_out_of_both_ports_for_a_time() {
    let workspace = tiny();
    let environment = [("THROUGHLINE_PASSWORD", PASSWORD)];
    let limits = ["--max-wrong-passwords", "4", "--lockout", "4s"];
    let endpoint = Endpoint::with(&workspace, &limits, &environment);
    for attempt in 0..4 {
        let began = Instant::now();
        if attempt % 2 == 0 {
            assert_eq!(login(&endpoint, "wrong").await.expect_err("it is wrong").0, "28P01");
        } else {
            let refused = handshake(&endpoint, "wrong").await.expect_err("it is wrong");
            assert!(refused.contains("28P01"), "{refused}");
        }
        // Each attempt waits twice as long as the one before.
        let least = Duration::from_millis(250 << attempt);
        assert!(began.elapsed() >= least, "attempt {attempt} took {:?}", began.elapsed());
    }
    // Now also the right one is refused, at once, on both ports.
    let began = Instant::now();
    let (code, message) = login(&endpoint, PASSWORD).await.expect_err("it is locked out");
    assert!(code == "28000" && message.contains("4 wrong passwords"), "{code} {message}");
    let refused = handshake(&endpoint, PASSWORD).await.expect_err("it is locked out");
    assert!(refused.contains("4 wrong passwords") && refused.contains("--lockout"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    endpoint.wait_for("the lockout", |event| {
        event["event"] == "refused" && event["reason"].as_str().is_some_and(|reason| reason.contains("locked out"))
    });
    tokio::time::sleep(Duration::from_millis(4500)).await;
    login(&endpoint, PASSWORD).await.expect("the time is over");
    handshake(&endpoint, PASSWORD).await.expect("the time is over");
    assert!(!endpoint.log().contains("sesame"));
}

/// Guesses sent side by side count as those sent one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_are_no_way_around() {
    let workspace = tiny();
    let environment = [("THROUGHLINE_PASSWORD", PASSWORD)];
    let endpoint = Endpoint::with(&workspace, &["--max-wrong-passwords", "5", "--lockout", "1min"], &environment);
    let guesses = (0..30).map(|_| login(&endpoint, "wrong"));
    let answers = futures::future::join_all(guesses).await;
    let tried = answers.iter().filter(|answer| answer.as_ref().is_err_and(|(code, _)| code == "28P01")).count();
    assert!(tried <= 5, "{tried} passwords were tried");
}
