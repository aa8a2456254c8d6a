//! Parameters on Arrow Flight whose lengths lie: they are refused before anything is set aside for them.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightData, FlightDescriptor, Ticket};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::clients::{client, rows};
use super::endpoint::{Endpoint, tiny};
use crate::dice::Dice;

const SQL: &str = "SELECT count(*) FROM instance WHERE journey = $1 AND touchpoints >= $2";
const HUGE: i64 = 1 << 62;

/// A message of an Arrow stream: what it says, and its buffers.
#[derive(Clone)]
struct Message {
    header: Vec<u8>,
    body: Vec<u8>,
}

/// One row for the two parameters.
fn values(compression: Option<CompressionType>) -> Vec<Message> {
    let schema = Schema::new(vec![Field::new("$1", DataType::Utf8, true), Field::new("$2", DataType::Int64, true)]);
    let text = Arc::new(StringArray::from(vec![format!("worked{}", " ".repeat(2000))]));
    let row = RecordBatch::try_new(Arc::new(schema), vec![text, Arc::new(Int64Array::from(vec![2]))]);
    let row = row.expect("one row");
    let options = IpcWriteOptions::default().try_with_compression(compression).expect("it can be compressed");
    let mut written = Vec::new();
    let mut writer = StreamWriter::try_new_with_options(&mut written, &row.schema(), options).expect("a stream begins");
    writer.write(&row).expect("it is written");
    writer.finish().expect("it ends");
    drop(writer);
    taken_apart(&written)
}

fn taken_apart(mut stream: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = stream.get(4..).and_then(<[u8]>::split_first_chunk::<4>) {
        let length = usize::try_from(u32::from_le_bytes(*length)).expect("short");
        if length == 0 {
            break;
        }
        let (header, rest) = rest.split_at(length);
        let body = usize::try_from(root_as_message(header).expect("a message").bodyLength()).expect("short");
        messages.push(Message { header: header.to_vec(), body: rest[..body].to_vec() });
        stream = &rest[body..];
    }
    messages
}

/// The handle of a prepared statement with these values bound, as the endpoint itself would have made it.
fn handle(messages: &[Message]) -> Vec<u8> {
    let mut handle = u32::try_from(SQL.len()).expect("short").to_be_bytes().to_vec();
    handle.extend(SQL.as_bytes());
    for message in messages {
        handle.extend([0xff; 4]);
        handle.extend(u32::try_from(message.header.len()).expect("short").to_le_bytes());
        handle.extend(&message.header);
        handle.extend(&message.body);
    }
    if !messages.is_empty() {
        handle.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    }
    handle
}

/// A field of a protocol buffer that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![(number << 3) | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(bytes);
    field
}

fn command(handle: &[u8]) -> Vec<u8> {
    let name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandPreparedStatementQuery";
    [field(1, name), field(2, &field(1, handle))].concat()
}

type Client = FlightServiceClient<Channel>;

async fn connected(endpoint: &Endpoint) -> Client {
    let channel = Channel::from_shared(format!("http://{}", endpoint.flight)).expect("an address").connect().await;
    FlightServiceClient::new(channel.expect("it connects"))
}

/// Rows for a handle that a client made up.
async fn asked(client: &mut Client, messages: &[Message]) -> Result<(), Status> {
    let mut rows = client.do_get(Ticket::new(command(&handle(messages)))).await?.into_inner();
    while rows.message().await?.is_some() {}
    Ok(())
}

/// Values on their way to be bound.
async fn put(client: &mut Client, messages: &[Message]) -> Result<(), Status> {
    let descriptor = FlightDescriptor::new_cmd(command(&handle(&[])));
    let data: Vec<FlightData> = messages
        .iter()
        .enumerate()
        .map(|(at, message)| FlightData {
            flight_descriptor: (at == 0).then(|| descriptor.clone()),
            data_header: message.header.clone().into(),
            app_metadata: Vec::new().into(),
            data_body: message.body.clone().into(),
        })
        .collect();
    let mut results = client.do_put(futures::stream::iter(data)).await?.into_inner();
    while results.message().await?.is_some() {}
    Ok(())
}

/// Replaces a number of eight bytes wherever it stands.
fn replace(bytes: &mut [u8], from: i64, to: i64) -> usize {
    let mut replaced = 0;
    let mut at = 0;
    while at + 8 <= bytes.len() {
        if bytes[at..at + 8] == from.to_le_bytes() {
            bytes[at..at + 8].copy_from_slice(&to.to_le_bytes());
            replaced += 1;
        }
        at += 4;
    }
    replaced
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_lie_are_refused_before_memory_is_set_aside() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let mut flight = connected(&endpoint).await;
    let good = client(&endpoint).await;
    asked(&mut flight, &values(None)).await.expect("good values are bound");
    put(&mut flight, &values(None)).await.expect("good values are taken");

    let mut lies: Vec<(&str, Vec<Message>)> = Vec::new();
    // A compressed buffer says in front how long it is unpacked.
    for kind in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let mut messages = values(Some(kind));
        assert!(replace(&mut messages[1].body, 2006, HUGE) > 0, "the text's length stands in front of it");
        lies.push(("a compressed buffer of 2^62 bytes", messages));
    }
    // A message says how long its body is, and where its buffers lie in it.
    let mut messages = values(None);
    let body = i64::try_from(messages[1].body.len()).expect("short");
    assert!(replace(&mut messages[1].header, body, HUGE) > 0, "the header names the body's length");
    lies.push(("a body of 2^62 bytes", messages));
    let mut messages = values(None);
    assert!(replace(&mut messages[1].header, 2006, HUGE) > 0, "the header names the text's length");
    lies.push(("a buffer of 2^62 bytes", messages));
    for (what, messages) in &lies {
        let status = asked(&mut flight, messages).await.expect_err(what);
        assert!(
            status.code() == Code::InvalidArgument && status.message().contains("[SQLSTATE 08P01]"),
            "{what}: {status}"
        );
        // A gRPC message has its own length, so a body's is not looked at there.
        if *what != "a body of 2^62 bytes" {
            let status = put(&mut flight, messages).await.expect_err(what);
            assert!(status.code() == Code::InvalidArgument, "{what}: {status}");
        }
        assert_eq!(rows(&good, "SELECT count(*) FROM instance").await, ["6"], "after {what}");
    }
    let status = asked(&mut flight, &lies[0].1).await.expect_err("it is compressed");
    assert!(status.message().contains("without compression"), "{status}");
}

/// Numbers anywhere in what is sent, replaced by others.
#[tokio::test(flavor = "multi_thread")]
async fn no_number_in_parameters_harms() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let mut flight = connected(&endpoint).await;
    let good = client(&endpoint).await;
    let before = endpoint.resident_mib();
    let others = [0, 1, 2, -1, 7, i64::from(i32::MAX), i64::from(i32::MIN), 1 << 40, HUGE, i64::MAX, i64::MIN];
    for seed in 0..600 {
        let mut dice = Dice(seed);
        let kind = [None, None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)][dice.below(4)];
        let mut messages = values(kind);
        for _ in 0..=dice.below(3) {
            let at = dice.below(messages.len());
            let bytes = if dice.below(4) == 0 { &mut messages[at].body } else { &mut messages[at].header };
            if bytes.len() < 8 {
                continue;
            }
            let other = others[dice.below(others.len())];
            let inside = dice.below(bytes.len() - 7);
            match dice.below(3) {
                0 => bytes[inside / 4 * 4..][..8].copy_from_slice(&other.to_le_bytes()),
                1 => bytes[inside / 4 * 4..][..4].copy_from_slice(&(other as i32).to_le_bytes()),
                _ => bytes[inside] = other as u8,
            }
        }
        // What is refused and what is answered both do no harm.
        let _ = asked(&mut flight, &messages).await;
        let _ = put(&mut flight, &messages).await;
        if seed % 50 == 49 {
            assert_eq!(rows(&good, "SELECT count(*) FROM instance").await, ["6"], "{}", endpoint.log());
        }
    }
    asked(&mut flight, &values(None)).await.expect("good values are bound");
    if let (Some(before), Some(after)) = (before, endpoint.resident_mib()) {
        assert!(after < before + 100, "{before} MiB became {after} MiB");
    }
}

/// Values come in a few messages or not at all, however many are sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_bounded() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &["--idle-timeout", "2s"]);
    let mut flight = connected(&endpoint).await;
    let messages = values(None);
    // A schema without end.
    let mut many = messages[..1].to_vec();
    many.extend(std::iter::repeat_n(Message { header: messages[1].header.clone(), body: Vec::new() }, 3000));
    let status = put(&mut flight, &many).await.expect_err("too many messages");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    // Metadata that nobody asked for.
    let descriptor = FlightDescriptor::new_cmd(command(&handle(&[])));
    let first = FlightData { flight_descriptor: Some(descriptor.clone()), ..FlightData::default() };
    let heavy = FlightData { app_metadata: vec![0; 900_000].into(), ..FlightData::default() };
    let data = std::iter::once(first.clone()).chain(std::iter::repeat_n(heavy, 40));
    let status = flight.do_put(futures::stream::iter(data.collect::<Vec<_>>())).await.expect_err("too much");
    assert!(status.message().contains("1 MiB") || status.message().contains("messages"), "{status}");
    // Nothing more, and no end.
    use futures::StreamExt;
    let silent = futures::stream::iter([first]).chain(futures::stream::pending());
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), flight.do_put(silent)).await;
    let status = answer.expect("it does not wait for ever").expect_err("nothing came");
    assert!(status.message().contains("--idle-timeout"), "{status}");
}
