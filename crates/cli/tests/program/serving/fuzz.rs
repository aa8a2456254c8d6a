//! Hostile bytes: whatever is sent, the endpoint goes on, answers those who behave, and keeps its memory.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::clients::{client, rows};
use super::endpoint::{Endpoint, tiny};
use crate::dice::Dice;

const ROUNDS: u64 = 400;
const AT_ONCE: usize = 16;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    [&[kind], length.as_slice(), body].concat()
}

/// A whole conversation as a client would send it, message by message.
fn conversation() -> Vec<Vec<u8>> {
    let parameters = b"user\0ann\0database\0throughline\0application_name\0fuzz\0options\0-c statement_timeout=200\0\0";
    let length = u32::try_from(parameters.len() + 8).expect("short").to_be_bytes();
    vec![
        [length.as_slice(), &196_608_u32.to_be_bytes(), parameters].concat(),
        message(b'Q', b"SELECT count(*) FROM instance\0"),
        message(b'P', b"s1\0SELECT journey, touchpoints FROM instance WHERE journey = $1 AND touchpoints > $2\0\0\x02\0\0\0\x19\0\0\0\x14"),
        message(b'D', b"Ss1\0"),
        message(b'B', b"p1\0s1\0\0\x02\0\0\0\x01\0\x02\0\0\0\x06worked\0\0\0\x08\0\0\0\0\0\0\0\x01\0\x02\0\0\0\x01"),
        message(b'D', b"Pp1\0"),
        message(b'E', b"p1\0\0\0\0\x02"),
        message(b'E', b"p1\0\0\0\0\0"),
        message(b'C', b"Ss1\0"),
        message(b'H', b""),
        message(b'S', b""),
        message(b'p', b"SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=fyko+d2lbbFgONRv9qkxdawL"),
        message(b'd', b"copy data"),
        message(b'c', b""),
        message(b'f', b"failed\0"),
        message(b'Q', b"BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH 5 FROM c; COMMIT\0"),
        message(b'X', b""),
    ]
}

/// Bytes of one hostile client: noise, noise behind a good start, messages cut short, changed, out of order, or whose
/// lengths and counts are not what they say.
fn hostile(dice: &mut Dice) -> Vec<u8> {
    let mut messages = conversation();
    match dice.below(8) {
        0 => {
            let length = dice.below(400);
            return dice.bytes(length);
        }
        1 => {
            let length = dice.below(2000);
            return [messages.swap_remove(0), dice.bytes(length)].concat();
        }
        2 => {
            // Lengths from nothing to two gigabytes, in any message.
            let lengths = [0_u32, 1, 3, 4, 5, 0xffff, 0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
            let (at, length) = (dice.below(messages.len()), lengths[dice.below(lengths.len())].to_be_bytes());
            let start = usize::from(at > 0);
            messages[at][start..start + 4].copy_from_slice(&length);
        }
        3 => {
            // Counts and numbers inside messages.
            for _ in 0..=dice.below(4) {
                let at = 1 + dice.below(messages.len() - 1);
                let message = &mut messages[at];
                if message.len() > 7 {
                    let inside = 5 + dice.below(message.len() - 6);
                    message[inside] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)];
                    message[inside + 1] = 0xff;
                }
            }
        }
        4 => {
            let at = 1 + dice.below(messages.len() - 1);
            let kept = dice.below(messages[at].len());
            messages[at].truncate(kept);
        }
        5 => {
            for _ in 0..messages.len() {
                let (one, other) = (1 + dice.below(messages.len() - 1), 1 + dice.below(messages.len() - 1));
                messages.swap(one, other);
            }
        }
        6 => {
            let before: [&[u8]; 5] = [
                b"\0\0\0\x08\x04\xd2\x16\x2f",
                b"\0\0\0\x08\x04\xd2\x16\x30",
                b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x01",
                b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
                b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ];
            messages.insert(0, before[dice.below(before.len())].to_vec());
        }
        _ => {
            for _ in 0..=dice.below(6) {
                let at = dice.below(messages.len());
                let inside = dice.below(messages[at].len());
                messages[at][inside] ^= 1 << dice.below(8);
            }
        }
    }
    messages.concat()
}

async fn send(address: std::net::SocketAddr, bytes: &[u8]) {
    let Ok(mut socket) = TcpStream::connect(address).await else { return };
    // It may be closed before all is sent, as it should.
    let _ = socket.write_all(bytes).await;
    let mut answer = [0; 4096];
    let until = tokio::time::Instant::now() + Duration::from_millis(150);
    while let Ok(Ok(read)) = tokio::time::timeout_at(until, socket.read(&mut answer)).await {
        if read == 0 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_harm_nothing() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--query-timeout", "1s"]);
    let good = client(&endpoint).await;
    let mut resident = None;
    for round in 0..ROUNDS / AT_ONCE as u64 {
        let sent = (0..AT_ONCE as u64).map(|one| {
            let seed = round * AT_ONCE as u64 + one;
            let mut dice = Dice(seed);
            let bytes = hostile(&mut dice);
            // Flight SQL's port gets its share.
            let address = if seed % 8 == 7 { endpoint.flight } else { endpoint.postgres };
            async move { send(address, &bytes).await }
        });
        futures::future::join_all(sent).await;
        assert_eq!(
            rows(&good, "SELECT count(*) FROM instance").await,
            ["6"],
            "after round {round}: {}",
            endpoint.log()
        );
        if round == 2 {
            resident = endpoint.resident_mib();
        }
    }
    if let (Some(before), Some(after)) = (resident, endpoint.resident_mib()) {
        assert!(after < before + 64, "{before} MiB became {after} MiB");
    }
    let fresh = client(&endpoint).await;
    assert_eq!(rows(&fresh, "SELECT count(*) FROM by_status").await.len(), 1);
}

/// Long messages cost no more than their beginning, and a client cannot keep without end.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_not_given_to_whoever_asks() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let before = endpoint.resident_mib();
    let startup = conversation().swap_remove(0);
    let sent = (0..32).map(|_| async {
        let Ok(mut socket) = TcpStream::connect(endpoint.postgres).await else { return };
        let _ = socket.write_all(&startup).await;
        let _ = socket.write_all(b"Q\x3f\xff\xff\x00SELECT '").await;
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..200 {
            if socket.write_all(&block).await.is_err() {
                break;
            }
        }
    });
    futures::future::join_all(sent).await;
    // Rows of an execute that names two thousand million of them.
    let mut socket = TcpStream::connect(endpoint.postgres).await.expect("it connects");
    let mut bytes = startup.clone();
    bytes.extend(message(b'P', b"\0SELECT 1\0\0\0"));
    bytes.extend(message(b'B', b"\0\0\0\0\0\0\0\0"));
    bytes.extend(message(b'E', b"\0\x7f\xff\xff\xff"));
    bytes.extend(message(b'S', b""));
    socket.write_all(&bytes).await.expect("it is sent");
    let mut answer = vec![0; 4096];
    let mut seen = Vec::new();
    while !seen.windows(8).any(|bytes| bytes == b"SELECT 1") {
        let read = socket.read(&mut answer).await.expect("it is answered");
        assert!(read > 0, "{:?}", String::from_utf8_lossy(&seen));
        seen.extend(&answer[..read]);
    }
    let client = client(&endpoint).await;
    let mut refused = None;
    let mut kept = Vec::new();
    for _ in 0..1100 {
        match client.prepare("SELECT 1").await {
            Ok(statement) => kept.push(statement),
            Err(error) => {
                refused = error.code().map(|code| code.code().to_owned());
                break;
            }
        }
    }
    assert_eq!((refused.as_deref(), kept.len()), (Some("53400"), 1000));
    if let (Some(before), Some(after)) = (before, endpoint.resident_mib()) {
        assert!(after < before + 150, "{before} MiB became {after} MiB");
    }
}
