//! From an engine's error to a message with a place in the file a person edits.

use std::ops::Range;
use std::sync::Arc;

use datafusion::common::{DataFusionError, SchemaError, Span};
use datafusion::sql::sqlparser::tokenizer::Span as SqlSpan;
use throughline_config::{Diagnostic, Diagnostics, Located, Place, SourceFile, closest};

use crate::likely_place::interval_products;

/// Where a piece of SQL stands: a file of its own, or a value in a YAML file.
#[derive(Debug, Clone)]
pub enum TextOrigin {
    /// The whole file is SQL.
    File(Arc<SourceFile>),
    /// A condition in YAML.
    Value(Located<String>),
}

impl TextOrigin {
    /// The SQL text.
    pub fn text(&self) -> &str {
        match self {
            Self::File(file) => &file.text,
            Self::Value(value) => &value.value,
        }
    }

    /// The place of the text: for a file its first line that is neither blank nor a comment.
    pub fn whole(&self) -> Place {
        match self {
            Self::Value(value) => value.place.clone(),
            Self::File(file) => {
                let mut offset = 0;
                for line in file.text.split_inclusive('\n') {
                    let content = line.trim();
                    if !content.is_empty() && !content.starts_with("--") {
                        let start = offset + (line.len() - line.trim_start().len());
                        return Place { file: Arc::clone(file), span: start..start + content.len() };
                    }
                    offset += line.len();
                }
                Place { file: Arc::clone(file), span: 0..0 }
            }
        }
    }

    /// The place of bytes `range` of the text.
    pub fn within(&self, range: Range<usize>) -> Place {
        match self {
            Self::Value(value) => value.place_within(range),
            Self::File(file) => Place { file: Arc::clone(file), span: range },
        }
    }
}

/// Bytes of `text` that a span of the SQL parser covers; `None` for the parser's empty span or one outside the text.
pub(crate) fn span_to_bytes(span: SqlSpan, text: &str) -> Option<Range<usize>> {
    bytes_of(Span::try_from_sqlparser_span(span)?, text)
}

fn bytes_of(span: Span, text: &str) -> Option<Range<usize>> {
    let start = byte_of(text, span.start.line, span.start.column)?;
    let end = byte_of(text, span.end.line, span.end.column).unwrap_or(start).max(start);
    Some(start..end)
}

/// Byte offset of a one-based line and column (in characters).
fn byte_of(text: &str, line: u64, column: u64) -> Option<usize> {
    let line_index = usize::try_from(line.checked_sub(1)?).ok()?;
    let column_index = usize::try_from(column.checked_sub(1)?).ok()?;
    let start: usize = text.split_inclusive('\n').take(line_index).map(str::len).sum();
    let rest = text.get(start..)?;
    let offset = rest.char_indices().map(|(byte, _)| byte).nth(column_index).unwrap_or(rest.len());
    Some(start + offset)
}

/// What the planner or parser found wrong, with the best place that can be had.
///
/// Places come, in this order, from the planner's own spans, from the parser's "Line: …, Column: …", and from the
/// one place where the text writes the name that the error speaks of.
pub fn diagnose(error: &DataFusionError, origin: &TextOrigin) -> Diagnostics {
    let errors: Vec<&DataFusionError> = error.iter().collect();
    // When a branch of a UNION cannot be planned, the others miss the names of its columns. That follows from the
    // mistake and is none by itself.
    let follows =
        |error: &&DataFusionError| plain_message(error.find_root()).contains("require unique expression names");
    let only_these = errors.iter().all(follows);
    let mut findings: Vec<Diagnostic> = Vec::new();
    for error in errors.into_iter().filter(|error| only_these || !follows(error)) {
        for finding in diagnose_one(error, origin) {
            let same = |known: &Diagnostic| known.message == finding.message && known.place == finding.place;
            if !findings.iter().any(same) {
                findings.push(finding);
            }
        }
    }
    Diagnostics(findings)
}

/// An operation of a number and an interval, at each place where one is written.
fn interval_findings(message: &str, origin: &TextOrigin) -> Option<Vec<Diagnostic>> {
    if !message.contains("Invalid interval arithmetic operation") {
        return None;
    }
    let spans = interval_products(origin.text());
    let ranges = spans.into_iter().filter_map(|span| span_to_bytes(span, origin.text()));
    let finding = |range: Range<usize>| {
        Diagnostic::error("type-check", "an interval is neither multiplied nor divided")
            .at(origin.within(range))
            .help("for `n` days write `CAST(CAST(n AS VARCHAR) || ' days' AS INTERVAL)`")
    };
    let findings: Vec<Diagnostic> = ranges.map(finding).collect();
    (!findings.is_empty()).then_some(findings)
}

fn diagnose_one(error: &DataFusionError, origin: &TextOrigin) -> Vec<Diagnostic> {
    let root = error.find_root();
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span).and_then(|span| bytes_of(span, origin.text()));
    if let DataFusionError::SchemaError(schema_error, _) = root {
        return vec![schema_finding(schema_error, span, origin)];
    }
    let message = plain_message(root);
    if let Some(findings) = interval_findings(&message, origin) {
        return findings;
    }
    if let DataFusionError::SQL(..) = root {
        let place = position_in_message(&message)
            .and_then(|(line, column)| byte_of(origin.text(), line, column))
            .map_or_else(|| origin.whole(), |start| origin.within(token_at(origin.text(), start)));
        let message = message.split(" at Line:").next().unwrap_or(&message).to_owned();
        return vec![Diagnostic::error("syntax", message).at(place)];
    }
    let place = span
        .or_else(|| name_in_quotes(&message).and_then(|name| only_occurrence(origin.text(), name)))
        .map_or_else(|| origin.whole(), |range| origin.within(range));
    let mut finding = Diagnostic::error("type-check", message).at(place);
    if let Some(diagnostic) = error.diagnostic() {
        for help in &diagnostic.helps {
            finding = finding.help(help.message.clone());
        }
    }
    vec![finding]
}

fn schema_finding(error: &SchemaError, span: Option<Range<usize>>, origin: &TextOrigin) -> Diagnostic {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let place = span
                .or_else(|| only_occurrence(origin.text(), &field.name))
                .map_or_else(|| origin.whole(), |range| origin.within(range));
            // Columns with two underscores are the program's own.
            let names = valid_fields.iter().map(|valid| valid.name.as_str());
            let mut names: Vec<&str> = names.filter(|name| !name.starts_with("__")).collect();
            names.sort_unstable();
            names.dedup();
            let relation = field.relation.as_ref().map(|relation| format!(" in `{relation}`")).unwrap_or_default();
            let finding =
                Diagnostic::error("unknown-column", format!("no column `{}`{relation}", field.name)).at(place);
            match closest(&field.name, names.iter().copied()) {
                Some(near) => finding.label(format!("did you mean `{near}`?")),
                None => finding,
            }
            .help(format!("columns here: {}", some_of(&names)))
        }
        SchemaError::AmbiguousReference { field } => {
            let place = span
                .or_else(|| only_occurrence(origin.text(), &field.name))
                .map_or_else(|| origin.whole(), |range| origin.within(range));
            Diagnostic::error(
                "ambiguous-column",
                format!("column `{}` could be meant of several relations", field.name),
            )
            .at(place)
            .help(format!("write `relation.{}`", field.name))
        }
        other => Diagnostic::error("duplicate-column", other.to_string())
            .at(span.map_or_else(|| origin.whole(), |range| origin.within(range)))
            .help("give one of the two another name with AS"),
    }
}

fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 24;
    let mut text = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// The error without the engine's prefixes and back trace.
fn plain_message(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let mut text = text.as_str();
    for prefix in ["Error during planning: ", "SQL error: ", "This feature is not implemented: ", "Execution error: "] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    // The engine calls some mistakes of the writer bugs of its own and asks for a report; neither helps.
    let text = text.split("This issue was likely caused by a bug in").next().unwrap_or(text).trim_end();
    let text = text.strip_prefix("Internal error: ").unwrap_or(text);
    let text = text.strip_prefix("ParserError(\"").and_then(|inner| inner.strip_suffix("\")")).unwrap_or(text);
    let text = text.strip_prefix("TokenizerError(\"").and_then(|inner| inner.strip_suffix("\")")).unwrap_or(text);
    text.trim().trim_end_matches('.').to_owned()
}

fn position_in_message(message: &str) -> Option<(u64, u64)> {
    let (_, after) = message.rsplit_once("Line: ")?;
    let (line, after) = after.split_once(", Column: ")?;
    let column: String = after.chars().take_while(char::is_ascii_digit).collect();
    Some((line.trim().parse().ok()?, column.parse().ok()?))
}

/// The word (or the one character) that begins at `start`.
fn token_at(text: &str, start: usize) -> Range<usize> {
    let rest = text.get(start..).unwrap_or("");
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let length = if word == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { word };
    start.min(text.len())..(start + length).min(text.len())
}

fn name_in_quotes(message: &str) -> Option<&str> {
    let (_, after) = message.split_once('\'')?;
    let (name, _) = after.split_once('\'')?;
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}

/// Where `text` writes the word `name`, if it does so exactly once.
fn only_occurrence(text: &str, name: &str) -> Option<Range<usize>> {
    let mut found = text.match_indices(name).filter(|(start, _)| {
        let before = text[..*start].chars().next_back();
        let after = text[start + name.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && !joins(after)
    });
    let (start, _) = found.next()?;
    found.next().is_none().then(|| start..start + name.len())
}
