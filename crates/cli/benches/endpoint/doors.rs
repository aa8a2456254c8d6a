//! What those get who hold places, keep things, guess, or send Arrow whose lengths lie.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_flight::Ticket;
use arrow_flight::flight_service_client::FlightServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Channel;

use crate::endpoint::{Endpoint, whole};

/// Longer than any limit that the endpoint is started with.
const PATIENCE: Duration = Duration::from_secs(20);
const SQL: &str = "SELECT count(*) FROM fct_journey WHERE journey = $1 AND contacts >= $2";
const HUGE: i64 = 1 << 62;

/// What becomes of a socket after these bytes.
pub(crate) async fn held(address: SocketAddr, bytes: &[u8]) -> String {
    let began = Instant::now();
    let Ok(mut socket) = TcpStream::connect(address).await else { return "no connection".into() };
    if socket.write_all(bytes).await.is_err() {
        return "closed at once".into();
    }
    let mut answer = [0; 4096];
    loop {
        match tokio::time::timeout(PATIENCE, socket.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return format!("closed after {:.1} s", began.elapsed().as_secs_f64()),
            Ok(Ok(_)) => {}
            Err(_) => return format!("STILL OPEN after {} s", PATIENCE.as_secs()),
        }
    }
}

/// What a session gets that asks to be closed when it is idle, and is.
pub(crate) async fn idle(endpoint: &Endpoint) -> Result<String, String> {
    let client = endpoint.client().await?;
    client.batch_execute("SET idle_session_timeout = '1s'").await.map_err(|error| whole(&error))?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(match client.simple_query("SELECT 1").await {
        Ok(_) => "STILL OPEN".into(),
        Err(error) => whole(&error),
    })
}

/// How much a connection may keep prepared, and whether `DEALLOCATE ALL` frees it.
pub(crate) async fn hoarded(endpoint: &Endpoint) -> Result<String, String> {
    let client = endpoint.client().await?;
    let sql = format!("SELECT '{}'", "x".repeat(50_000));
    let mut kept = Vec::new();
    let refused = loop {
        match client.prepare(&sql).await {
            Ok(statement) => kept.push(statement),
            Err(error) => break whole(&error),
        }
        if kept.len() == 500 {
            return Ok("ALL 25 MB ARE KEPT".into());
        }
    };
    client.batch_execute("DEALLOCATE ALL").await.map_err(|error| whole(&error))?;
    let again = match client.prepare(&sql).await {
        Ok(_) => "there is room after DEALLOCATE ALL".to_owned(),
        Err(error) => format!("AFTER DEALLOCATE ALL: {}", whole(&error)),
    };
    Ok(format!("after {} of 50 kB: {refused}; {again}", kept.len()))
}

/// Parameters of one row, in which one length is said to be another.
pub(crate) fn lies() -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let text = 2_006;
    let (plain, packed) = (values(None)?, values(Some(CompressionType::ZSTD))?);
    Ok(vec![
        ("Arrow: an unpacked text of 2^62", replaced(&packed, text)),
        ("Arrow: a buffer of 2^62", replaced(&plain, text)),
        ("Arrow: half a message", plain[..plain.len() / 2].to_vec()),
    ])
}

/// What the endpoint answers to a handle that holds such parameters.
pub(crate) async fn lied(address: SocketAddr, values: &[u8]) -> String {
    let Ok(channel) = Channel::from_shared(format!("http://{address}")) else { return "no address".into() };
    let Ok(channel) = channel.connect().await else { return "no connection".into() };
    let mut client = FlightServiceClient::new(channel);
    let mut handle = u32::try_from(SQL.len()).unwrap_or(0).to_be_bytes().to_vec();
    handle.extend(SQL.as_bytes());
    handle.extend(values);
    let name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandPreparedStatementQuery";
    let command = [field(1, name), field(2, &field(1, &handle))].concat();
    match client.do_get(Ticket::new(command)).await {
        Ok(_) => "ANSWERED".into(),
        Err(status) => status.message().to_owned(),
    }
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

fn values(compression: Option<CompressionType>) -> Result<Vec<u8>, String> {
    let schema = Schema::new(vec![Field::new("$1", DataType::Utf8, true), Field::new("$2", DataType::Int64, true)]);
    let text = StringArray::from(vec![format!("worked{}", " ".repeat(2_000))]);
    let columns: Vec<arrow::array::ArrayRef> =
        vec![std::sync::Arc::new(text), std::sync::Arc::new(Int64Array::from(vec![2]))];
    let mut written = Vec::new();
    let write = |written: &mut Vec<u8>| -> Result<(), arrow::error::ArrowError> {
        let row = RecordBatch::try_new(std::sync::Arc::new(schema), columns)?;
        let options = IpcWriteOptions::default().try_with_compression(compression)?;
        let mut writer = StreamWriter::try_new_with_options(written, &row.schema(), options)?;
        writer.write(&row)?;
        writer.finish()
    };
    write(&mut written).map_err(|error| error.to_string())?;
    Ok(written)
}

/// The last number of eight bytes that is `from`, made huge.
fn replaced(bytes: &[u8], from: i64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(at) = bytes.windows(8).rposition(|window| window == from.to_le_bytes()) {
        bytes[at..at + 8].copy_from_slice(&HUGE.to_le_bytes());
    }
    bytes
}

/// What those get who guess the password, and what the right one gets after them.
pub(crate) async fn guessed(endpoint: &Endpoint, right: &str) -> String {
    let login = async |password: &str| {
        let (host, port) = (endpoint.postgres.ip(), endpoint.postgres.port());
        let text = format!("host={host} port={port} user=throughline password='{password}'");
        match tokio_postgres::connect(&text, tokio_postgres::NoTls).await {
            Ok(_) => "let in".to_owned(),
            Err(error) => whole(&error),
        }
    };
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(login("wrong").await);
    }
    let last = answers.pop().unwrap_or_default();
    let tried = answers.iter().filter(|answer| answer.starts_with("28P01")).count();
    format!("{tried} were tried; then: {last}; the right one then: {}", login(right).await)
}
