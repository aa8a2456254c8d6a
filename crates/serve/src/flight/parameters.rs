//! Parameters on their way: one row of Arrow, from a client that may have made it up.
//!
//! The library that reads Arrow believes the lengths that stand in it: it sets aside what a body or a compressed buffer
//! claims to need, and ends the process where that is more than there is. So each message is looked through first, and
//! only what a row of parameters needs is read: numbers, texts, bytes, times, neither nested nor compressed.

use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::ipc::{self, Endianness, MessageHeader, Type};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use futures::TryStreamExt;
use tonic::Status;

use crate::failure::{Failure, sqlstate};

/// The longest message a client may send: SQL, or parameters.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// A schema, a row, and some without anything.
const MOST_MESSAGES: usize = 16;
/// Parameters have numbers up to this one.
const MOST_COLUMNS: usize = 65_535;
/// In front of each message of a stream.
const CONTINUES: [u8; 4] = [0xff; 4];

/// What is wrong with them.
fn wrong(what: impl std::fmt::Display) -> Failure {
    Failure::new(sqlstate::PROTOCOL_VIOLATION, format!("the parameters cannot be read: {what}"))
}

/// The row of a stream of bytes, as [`written`] writes it.
pub(super) fn read(stream: &[u8]) -> Result<RecordBatch, Failure> {
    if stream.len() > LONGEST {
        return Err(too_long());
    }
    let mut rest = stream;
    let mut messages = 0;
    while let Some((header, after)) = next_header(rest)? {
        messages += 1;
        if messages > MOST_MESSAGES {
            return Err(wrong(format!("they are more than {MOST_MESSAGES} messages")));
        }
        let body = verify(header, after.len(), None)?;
        rest = &after[body..];
    }
    let broken = |error: ArrowError| wrong(error);
    let reader = StreamReader::try_new(Cursor::new(stream), None).map_err(broken)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(broken)?;
    one_row(&concat_batches(&schema, &batches).map_err(broken)?)
}

/// A message's header and what follows it in the stream.
type HeaderAndRest<'a> = (&'a [u8], &'a [u8]);

/// The header of the next message, and what comes after it; nothing at the end.
fn next_header(stream: &[u8]) -> Result<Option<HeaderAndRest<'_>>, Failure> {
    let cut = || wrong("they are cut short");
    if stream.is_empty() {
        return Ok(None);
    }
    let (begins, rest) = stream.split_first_chunk::<4>().ok_or_else(cut)?;
    if *begins != CONTINUES {
        return Err(wrong("a message does not begin as one"));
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    match usize::try_from(u32::from_le_bytes(*length)).map_err(|_| cut())? {
        0 => Ok(None),
        length => rest.split_at_checked(length).map(Some).ok_or_else(cut),
    }
}

/// The row that a client sends, if it sends one.
pub(super) async fn received(mut sent: PeekableFlightDataStream) -> Result<Option<RecordBatch>, Status> {
    let mut messages: Vec<Result<FlightData, FlightError>> = Vec::new();
    let (mut count, mut bytes) = (0, 0_usize);
    while let Some(message) = sent.try_next().await? {
        count += 1;
        if count > MOST_MESSAGES {
            return Err(wrong(format!("they are more than {MOST_MESSAGES} messages")).into());
        }
        bytes = bytes.saturating_add(message.data_header.len() + message.data_body.len() + message.app_metadata.len());
        if bytes > LONGEST {
            return Err(too_long().into());
        }
        if message.data_header.is_empty() {
            continue;
        }
        // Its body's length is the message's own here; what the header says of it is not looked at again.
        verify(&message.data_header, message.data_body.len(), Some(message.data_body.len()))?;
        messages.push(Ok(message));
    }
    let mut batches = FlightRecordBatchStream::new_from_flight_data(futures::stream::iter(messages));
    let mut rows = Vec::new();
    while let Some(batch) = batches.try_next().await.map_err(wrong)? {
        rows.push(batch);
    }
    let Some(schema) = batches.schema().cloned() else { return Ok(None) };
    Ok(Some(one_row(&concat_batches(&schema, &rows).map_err(wrong)?)?))
}

/// A row as the bytes that are kept of it.
pub(super) fn written(row: &RecordBatch) -> Result<Vec<u8>, Status> {
    let mut written = Vec::new();
    let mut writer = StreamWriter::try_new(&mut written, &row.schema()).map_err(FlightError::from)?;
    writer.write(row).and_then(|()| writer.finish()).map_err(FlightError::from)?;
    drop(writer);
    Ok(written)
}

fn too_long() -> Failure {
    wrong(format!("they have more than {} MiB", LONGEST >> 20))
}

fn one_row(row: &RecordBatch) -> Result<RecordBatch, Failure> {
    match row.num_rows() {
        1 => Ok(row.clone()),
        rows => Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, format!("parameters are one row, these are {rows}"))),
    }
}

/// Looks through a message that has `there` bytes behind its header, and gives the length of its body, which is `known`
/// or else what the header says.
fn verify(header: &[u8], there: usize, known: Option<usize>) -> Result<usize, Failure> {
    let message = ipc::root_as_message(header).map_err(|error| wrong(format!("a message is broken: {error}")))?;
    let body = match known {
        Some(body) => body,
        None => usize::try_from(message.bodyLength()).unwrap_or(usize::MAX),
    };
    if body > there {
        return Err(wrong(format!("a message says that {body} bytes follow, and {there} do")));
    }
    match message.header_type() {
        MessageHeader::NONE => {}
        MessageHeader::Schema => {
            verify_schema(&message.header_as_schema().ok_or_else(|| wrong("a schema is missing"))?)?;
        }
        MessageHeader::RecordBatch => {
            verify_row(&message.header_as_record_batch().ok_or_else(|| wrong("a row is missing"))?, body)?;
        }
        MessageHeader::DictionaryBatch => return Err(wrong("values are sent themselves, not as a dictionary")),
        _ => return Err(wrong("a message is neither a schema nor a row")),
    }
    Ok(body)
}

/// Columns of values that are neither nested nor of a kind that the reader does not know.
fn verify_schema(schema: &ipc::Schema<'_>) -> Result<(), Failure> {
    if schema.endianness() != Endianness::Little {
        return Err(wrong("numbers are sent with their low byte first"));
    }
    let fields = schema.fields().ok_or_else(|| wrong("a schema has no columns"))?;
    if fields.len() > MOST_COLUMNS {
        return Err(wrong(format!("they are more than {MOST_COLUMNS}")));
    }
    for field in fields {
        let nested = field.children().is_some_and(|children| !children.is_empty());
        let known = !nested && field.dictionary().is_none() && is_known(&field);
        if !known {
            let name: String = field.name().unwrap_or_default().chars().take(100).collect();
            let kind = field.type_type().variant_name().unwrap_or("unknown").trim_end_matches('_');
            return Err(wrong(format!("`{name}` is of the kind {kind}, which is none of one number, text or time")));
        }
    }
    Ok(())
}

/// Whether the reader knows the kind of a column with just these numbers; it breaks off where it does not.
fn is_known(field: &ipc::Field<'_>) -> bool {
    let in_range = |range: std::ops::RangeInclusive<i16>, value: i16| range.contains(&value);
    match field.type_type() {
        Type::Null => field.type_as_null().is_some(),
        Type::Bool => field.type_as_bool().is_some(),
        Type::Utf8 => field.type_as_utf_8().is_some(),
        Type::LargeUtf8 => field.type_as_large_utf_8().is_some(),
        Type::Binary => field.type_as_binary().is_some(),
        Type::LargeBinary => field.type_as_large_binary().is_some(),
        Type::Int => field.type_as_int().is_some_and(|int| [8, 16, 32, 64].contains(&int.bitWidth())),
        Type::FloatingPoint => field.type_as_floating_point().is_some_and(|float| in_range(0..=2, float.precision().0)),
        Type::Date => field.type_as_date().is_some_and(|date| in_range(0..=1, date.unit().0)),
        Type::Time => field
            .type_as_time()
            .is_some_and(|time| matches!((time.bitWidth(), time.unit().0), (32, 0 | 1) | (64, 2 | 3))),
        Type::Timestamp => field.type_as_timestamp().is_some_and(|time| in_range(0..=3, time.unit().0)),
        Type::Duration => field.type_as_duration().is_some_and(|time| in_range(0..=3, time.unit().0)),
        Type::Interval => field.type_as_interval().is_some_and(|time| in_range(0..=2, time.unit().0)),
        Type::Decimal => field.type_as_decimal().is_some_and(|decimal| {
            let digits = match decimal.bitWidth() {
                32 => 9,
                64 => 18,
                128 => 38,
                256 => 76,
                _ => 0,
            };
            (1..=digits).contains(&decimal.precision()) && (-digits..=digits).contains(&decimal.scale())
        }),
        _ => false,
    }
}

/// One row whose buffers lie in the body and are what they are said to be.
fn verify_row(row: &ipc::RecordBatch<'_>, body: usize) -> Result<(), Failure> {
    if row.compression().is_some() {
        return Err(wrong("they are compressed").hint("send them without compression"));
    }
    if !(0..=1).contains(&row.length()) {
        let message = format!("parameters are one row, these are {}", row.length());
        return Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, message));
    }
    if row.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(wrong("a column has other buffers than its kind"));
    }
    for node in row.nodes().into_iter().flatten() {
        if node.length() != row.length() || !(0..=node.length()).contains(&node.null_count()) {
            return Err(wrong("a column has another number of rows than the others"));
        }
    }
    for buffer in row.buffers().into_iter().flatten() {
        let end = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(offset, length)| offset.checked_add(length));
        if end.is_none_or(|end| end > body) {
            let (offset, length) = (buffer.offset(), buffer.length());
            return Err(wrong(format!("a buffer of {length} bytes at {offset} does not lie in a body of {body}")));
        }
    }
    Ok(())
}
