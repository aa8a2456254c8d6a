//! The beginning of a text file: what it is, how its columns are parted and called.

use csv::{ByteRecord, ReaderBuilder};
use indexmap::IndexSet;
use serde_json::Value;
use throughline_config::{ColumnType, Format};

use super::super::value::reads_as;

/// Records of a CSV file that have to agree on the delimiter.
const SNIFFED_RECORDS: usize = 50;

/// Lines of a JSON file whose keys are the columns.
const SNIFFED_LINES: usize = 5_000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The format of a file whose name does not say it.
pub(super) fn format_by_content(head: &[u8]) -> Format {
    if head.starts_with(b"PAR1") {
        return Format::Parquet;
    }
    match without_mark(head).trim_ascii_start().first() {
        Some(b'{' | b'[') => Format::Json,
        _ => Format::Csv { delimiter: b',' },
    }
}

fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head)
}

fn is_text(head: &[u8]) -> Result<(), String> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err("it is UTF-16; write it as UTF-8, e.g. `iconv -f UTF-16 -t UTF-8 FILE`".to_owned());
    }
    if head.contains(&0) {
        return Err("it is no text".to_owned());
    }
    Ok(())
}

/// Delimiter and names of the columns, or what keeps the file from being read.
pub(super) fn csv(head: &[u8], whole: bool) -> Result<(u8, Vec<String>), String> {
    is_text(head)?;
    let head = without_mark(head);
    let line_ends = head.contains(&b'\n') || head.contains(&b'\r');
    if !whole && !line_ends {
        return Err("its first line does not end within 256 KB".to_owned());
    }
    // The delimiter that most records agree on; of two, the one that makes more columns.
    let fitting = [b',', b';', b'\t', b'|'].into_iter().filter_map(|delimiter| {
        let records = records(head, whole, delimiter);
        let width = records.first().map(ByteRecord::len).filter(|width| *width > 1)?;
        let agreeing = records.iter().filter(|record| record.len() == width).count();
        Some((agreeing * 100 / records.len(), width, delimiter, records))
    });
    let best = fitting.max_by_key(|(agreeing, width, ..)| (*agreeing, *width));
    let Some((agreeing, _, delimiter, records)) = best.filter(|(agreeing, ..)| *agreeing > 50) else {
        return Err("it is no table: no comma, semicolon, tab or | parts its lines into columns".to_owned());
    };
    debug_assert!(agreeing <= 100, "a share of the records");
    let Some(header) = records.first() else { return Err("it holds no line".to_owned()) };
    let mut names = Vec::with_capacity(header.len());
    for field in header {
        let name = std::str::from_utf8(field).map_err(|_| {
            "its first line is not UTF-8; write it as UTF-8, e.g. `iconv -f LATIN1 -t UTF-8 FILE`".to_owned()
        })?;
        names.push(name.trim().to_owned());
    }
    let is_value = |name: &String| {
        reads_as(name, ColumnType::Float64, None) || (name.len() >= 10 && reads_as(name, ColumnType::Timestamp, None))
    };
    if let Some(value) = names.iter().find(|name| is_value(name))
        && names.iter().filter(|name| is_value(name) || name.is_empty()).count() * 3 > names.len()
    {
        return Err(format!(
            "its first line holds values such as `{value}`, not the columns' names: add them above it"
        ));
    }
    if records.len() == 1 && whole {
        return Err("it holds no row below the columns' names".to_owned());
    }
    Ok((delimiter, names))
}

fn records(head: &[u8], whole: bool, delimiter: u8) -> Vec<ByteRecord> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(head);
    let mut records: Vec<ByteRecord> = reader.byte_records().take(SNIFFED_RECORDS + 1).map_while(Result::ok).collect();
    // The last record may be cut off.
    if records.len() > 1 && (!whole || records.len() > SNIFFED_RECORDS) {
        records.pop();
    }
    records
}

/// The keys of the first objects, in the order in which they are met, or what keeps the file from being read.
pub(super) fn json(head: &[u8], whole: bool) -> Result<Vec<String>, String> {
    is_text(head)?;
    let head = without_mark(head);
    if head.trim_ascii_start().starts_with(b"[") {
        return Err("it is one JSON array; write one object a line, e.g. `jq -c '.[]' FILE`".to_owned());
    }
    let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
    if !whole && lines.pop().is_some() && lines.is_empty() {
        return Err("its first line does not end within 256 KB".to_owned());
    }
    let mut names = IndexSet::new();
    for line in lines.into_iter().map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).take(SNIFFED_LINES) {
        match serde_json::from_slice(line) {
            Ok(Value::Object(object)) => names.extend(object.into_iter().map(|(name, _)| name)),
            // A bad line is set aside when the source is read; without any object it is another kind of file.
            _ if !names.is_empty() => {}
            _ => return Err("its first line is no JSON object; write one object a line".to_owned()),
        }
    }
    if names.is_empty() {
        return Err("it holds no object".to_owned());
    }
    Ok(names.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_the_lines_agree_on() {
        let names = |text: &str| csv(text.as_bytes(), true).map(|(delimiter, names)| (delimiter as char, names.len()));
        assert_eq!(names("a,b\n1,2\n"), Ok((',', 2)));
        assert_eq!(names("\u{feff}a;b,c\n1;2,3\n4;5,6\n"), Ok((';', 2)));
        assert_eq!(names("a\tb\n\"x, y\"\tz\n"), Ok(('\t', 2)));
        assert_eq!(names("case|activity|time\n1|open, again|2\n"), Ok(('|', 3)));
    }

    #[test]
    fn what_is_no_table_is_told_with_the_reason() {
        let reason = |bytes: &[u8]| csv(bytes, true).expect_err("no table");
        assert!(reason(b"Just some prose.\nAnd more.\n").starts_with("it is no table"));
        assert!(reason(b"1,2023-01-05,3\n2,2023-01-06,4\n").contains("holds values such as `1`"));
        assert!(reason(b"a,b\n").contains("no row below"));
        assert!(reason(b"k\xe4ufer,b\n1,2\n").contains("iconv -f LATIN1"));
        assert!(reason(b"\xff\xfea\0,\0b\0").contains("UTF-16"));
        assert!(reason(b"a,b\n\0\0").contains("no text"));
        assert!(csv(&[b'a'; 100], false).is_err_and(|reason| reason.contains("256 KB")));
        assert!(json(b"[{\"a\": 1}]", true).is_err_and(|reason| reason.contains("jq")));
        assert!(json(b"word\n", true).is_err_and(|reason| reason.contains("no JSON object")));
    }

    #[test]
    fn keys_of_all_objects_are_columns() {
        let text = b"{\"b\": 1, \"a\": 2}\n{\"c\": 3}\n{\"cut";
        let mut names = json(text, false).expect("objects");
        names.sort();
        assert_eq!(names, ["a", "b", "c"]);
    }
}
