//! Who is let in.

use std::time::Duration;

use tokio_postgres::NoTls;

use super::clients::{Trusting, code_and_message, rows, whole};
use super::endpoint::{Endpoint, tiny};
use crate::workspace::Workspace;

const PASSWORD: &str = "open sesame 42";

/// A certificate for `localhost` and its key, in the workspace.
fn certificate(workspace: &Workspace) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    workspace.put("chain.pem", made.cert.pem());
    workspace.put("key.pem", made.signing_key.serialize_pem());
    made.cert.pem()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_password_and_tls_only_those_who_know_it_come_in() {
    let workspace = tiny();
    let pem = certificate(&workspace);
    let arguments = ["--host", "127.0.0.1", "--tls-cert", "chain.pem", "--tls-key", "key.pem", "--user", "ann"];
    let endpoint = Endpoint::with(&workspace, &arguments, &[("THROUGHLINE_PASSWORD", PASSWORD)]);
    let trusting = Trusting::certificate(&pem);
    let connect = async |words: &str| {
        let text =
            format!("host=localhost hostaddr=127.0.0.1 port={} dbname=throughline {words}", endpoint.postgres.port());
        match tokio_postgres::connect(&text, trusting.clone()).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                Ok(client)
            }
            Err(error) => Err(error),
        }
    };
    let client = connect(&format!("sslmode=require user=ann password='{PASSWORD}'")).await;
    let client = client.unwrap_or_else(|error| panic!("{}: {}", whole(&error), endpoint.log()));
    assert_eq!(rows(&client, "SELECT count(*) FROM instance").await, ["6"]);

    for words in ["user=ann password='open sesame'", "user=ann password=x", "user=bob password='open sesame 42'"] {
        let Err(error) = connect(&format!("sslmode=require {words}")).await else { panic!("{words} came in") };
        assert_eq!(code_and_message(&error).0, "28P01", "{words}");
    }
    let plain =
        format!("host=127.0.0.1 port={} user=ann password='{PASSWORD}' sslmode=disable", endpoint.postgres.port());
    let Err(error) = tokio_postgres::connect(&plain, NoTls).await else { panic!("an open connection came in") };
    assert_eq!(code_and_message(&error).0, "28000");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
    let log = endpoint.log();
    assert!(log.contains("\"refused\"") && !log.contains("sesame"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_can_come_from_a_file_and_is_asked_for_on_the_loopback_too() {
    let workspace = tiny();
    workspace.put("password", format!("{PASSWORD}\n"));
    let endpoint = Endpoint::of(&workspace, &["--password-file", "password"]);
    let connect = async |words: &str| {
        let text = format!("host=127.0.0.1 port={} {words}", endpoint.postgres.port());
        let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
        tokio::spawn(connection);
        Ok::<_, tokio_postgres::Error>(client)
    };
    let client = connect(&format!("user=throughline password='{PASSWORD}'")).await.expect("it is let in");
    assert_eq!(rows(&client, "SELECT current_user").await, ["throughline"]);
    let Err(error) = connect("user=throughline password=wrong").await else { panic!("a wrong password came in") };
    assert_eq!(code_and_message(&error).0, "28P01");
}

#[test]
fn what_is_not_safe_does_not_start() {
    let workspace = tiny();
    certificate(&workspace);
    let refused = |arguments: &str, password: Option<&str>| {
        let arguments: Vec<&str> =
            ["serve", "--port", "0", "--flight-port", "0"].into_iter().chain(arguments.split(' ')).collect();
        let environment: Vec<(&str, &str)> =
            password.map(|password| ("THROUGHLINE_PASSWORD", password)).into_iter().collect();
        let outcome = workspace.run_with(&arguments, &environment).ends_with(2);
        assert!(!outcome.stderr.contains("sesame"), "{outcome}");
        outcome.stderr
    };
    insta::assert_snapshot!(refused("--host 0.0.0.0", None), @r"
    error: 0.0.0.0 can be reached from other machines, and a password and TLS is missing
      = help: set THROUGHLINE_PASSWORD (or --password-file FILE) and give --tls-cert FILE --tls-key FILE;
      = help: or leave --host at 127.0.0.1 and let an SSH tunnel bring clients here
    ");
    assert!(refused("--host 0.0.0.0", Some(PASSWORD)).contains("and TLS is missing"));
    assert!(refused("--host :: --tls-cert chain.pem --tls-key key.pem", None).contains("and a password is missing"));
    assert!(refused("--host ::ffff:127.0.0.1", None).contains("a password and TLS is missing"));
    assert!(refused("--tls-cert nothing.pem --tls-key key.pem", None).contains("nothing.pem cannot be read"));
    assert!(refused("--tls-cert key.pem --tls-key key.pem", None).contains("there is no certificate in it"));
    assert!(refused("--tls-cert chain.pem --tls-key chain.pem", None).contains("chain.pem cannot be used"));
    workspace.put("empty", "\n");
    assert!(refused("--password-file empty", None).contains("empty is empty"));
    assert!(refused("--password-file nowhere", None).contains("nowhere cannot be read"));
    assert!(refused("--host example.org", None).contains("write an IP address"));
    assert!(refused("--query-timeout 0", None).contains("write a time above zero"));

    let unpublished = Workspace::tiny();
    let outcome = unpublished.run("serve --port 0 --flight-port 0").ends_with(2);
    assert!(outcome.stderr.contains("nothing is published yet"), "{outcome}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port();
    let outcome = workspace.run(&format!("serve --port {port} --flight-port off")).ends_with(2);
    assert!(outcome.stderr.contains("choose another one with --port"), "{outcome}");
}

/// A client that connects and says nothing, or too much, is let go of.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_before_the_login_takes_much() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let workspace = tiny();
    workspace.put("password", PASSWORD);
    let endpoint = Endpoint::of(&workspace, &["--password-file", "password"]);
    let startup = b"\x00\x00\x00\x18\x00\x03\x00\x00user\0throughli\0\0";
    // A query in place of the password; a password message of a gigabyte; a SASL method nobody knows; then a query.
    let query = b"Q\x00\x00\x00\x0dSELECT 1\0";
    let after: [&[u8]; 4] =
        [query, b"p\x3f\xff\xff\xff", b"p\x00\x00\x00\x0fNONSENSE\0\0\0", b"p\x00\x00\x00\x08abc\0"];
    for more in after {
        let mut socket = tokio::net::TcpStream::connect(endpoint.postgres).await.expect("it connects");
        socket.write_all(startup).await.expect("it is sent");
        socket.write_all(more).await.expect("it is sent");
        // What follows a refused login must not be answered as a query.
        let _ = socket.write_all(query).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the connection is kept open: {answer:?}");
        let text = String::from_utf8_lossy(&answer);
        assert!(!answer.windows(6).any(|bytes| bytes == b"Z\x00\x00\x00\x05I"), "{text}");
        assert!(text.contains("FATAL") || answer.starts_with(b"R"), "{text}");
    }
    assert!(!endpoint.events().iter().any(|event| event["event"] == "query"), "{}", endpoint.log());
}
