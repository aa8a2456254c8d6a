//! Why a definition cannot be matched against a relation, and where in its text.

use std::fmt;
use std::ops::Range;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// A field of a journey definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `starts`
    Starts,
    /// `ends`
    Ends,
    /// `abandons`
    Abandons,
    /// `includes`
    Includes,
    /// `key`
    Key,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starts => "starts",
            Self::Ends => "ends",
            Self::Abandons => "abandons",
            Self::Includes => "includes",
            Self::Key => "key",
        })
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchErrorKind {
    /// The text is not one SQL expression.
    Syntax,
    /// A condition or key names a column the input does not have.
    UnknownColumn {
        /// The name as written.
        name: String,
        /// The columns there are.
        candidates: Vec<String>,
    },
    /// A condition is not boolean.
    NotBoolean {
        /// The type it has.
        found: String,
    },
    /// A condition uses something that does not depend on the touchpoint alone, such as an aggregate or `now()`.
    NotOfTheTouchpoint,
    /// `$name` is not a variable of the pipeline.
    UnknownVariable {
        /// The name without `$`.
        name: String,
    },
    /// Types or functions do not fit.
    Invalid,
    /// The input lacks a column that every match needs.
    MissingColumn {
        /// Its name.
        name: String,
    },
    /// A required column of the input has a type the matcher cannot use.
    ColumnType {
        /// The column.
        name: String,
        /// Its type.
        found: String,
    },
    /// The input lacks a column that measures are made of.
    MissingMeasured {
        /// Its name.
        name: String,
    },
    /// A column that measures are made of has a type that does not do.
    MeasuredType {
        /// The column.
        name: String,
        /// Its type.
        found: String,
    },
    /// The input has a column under a name the matcher adds, or one name twice.
    ColumnClash {
        /// The column.
        name: String,
    },
}

/// One reason why definitions cannot be matched against a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchError {
    /// The journey to blame; `None` when it is the input.
    pub definition: Option<String>,
    /// Its field to blame.
    pub field: Option<Field>,
    /// Bytes of the field's text to blame; `None` when it is the whole.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub kind: MatchErrorKind,
    /// The same in one sentence without a full stop.
    pub message: String,
}

impl fmt::Display for MatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.definition, &self.field) {
            (Some(definition), Some(field)) => write!(f, "journey `{definition}`, `{field}`: {}", self.message),
            (Some(definition), None) => write!(f, "journey `{definition}`: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for MatchError {}

/// What is wrong with one text.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: MatchErrorKind,
    pub(crate) span: Option<Range<usize>>,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(kind: MatchErrorKind, message: impl Into<String>) -> Self {
        Self { kind, span: None, message: message.into() }
    }

    pub(crate) fn at(mut self, span: Option<Range<usize>>) -> Self {
        self.span = span;
        self
    }

    pub(crate) fn of(self, definition: &str, field: Field) -> MatchError {
        let Self { kind, span, message } = self;
        MatchError { definition: Some(definition.to_owned()), field: Some(field), span, kind, message }
    }
}

/// The first word of an SQL text that names `name`: unquoted in any case, or quoted as it is. A variable is named
/// with its `$`.
pub(crate) fn locate_name(text: &str, name: &str) -> Option<Range<usize>> {
    let tokens = tokens(text)?;
    let found = tokens.iter().find(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_some() => word.value == name,
        Token::Word(word) => word.value.eq_ignore_ascii_case(name),
        Token::Placeholder(placeholder) => placeholder == name,
        _ => false,
    })?;
    range(text, found.span.start, found.span.end)
}

/// The token at the place that a parser's message ends with, as in `… at Line: 1, Column: 9`.
pub(crate) fn locate_in_message(text: &str, message: &str) -> Option<Range<usize>> {
    let (_, place) = message.rsplit_once("Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let column: String = column.chars().take_while(char::is_ascii_digit).collect();
    let start = Location { line: line.parse().ok()?, column: column.parse().ok()? };
    let token = tokens(text).into_iter().flatten().find(|token| token.span.start == start);
    match token {
        Some(token) => range(text, start, token.span.end),
        None => {
            let from = offset(text, start)?;
            let until = text[from..].chars().next().map_or(from, |character| from + character.len_utf8());
            Some(from..until)
        }
    }
}

fn tokens(text: &str) -> Option<Vec<TokenWithSpan>> {
    Tokenizer::new(&GenericDialect {}, text).tokenize_with_location().ok()
}

fn range(text: &str, start: Location, end: Location) -> Option<Range<usize>> {
    Some(offset(text, start)?..offset(text, end)?)
}

/// The byte at a one-based line and column in characters; the text's end is a place too.
fn offset(text: &str, place: Location) -> Option<usize> {
    let line_start = match place.line {
        0 => return None,
        1 => 0,
        line => text.match_indices('\n').nth(line as usize - 2)?.0 + 1,
    };
    let line = &text[line_start..];
    let columns = line.char_indices().map(|(index, _)| index).chain([line.len()]);
    columns.into_iter().nth((place.column as usize).checked_sub(1)?).map(|index| line_start + index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_where_it_stands() {
        let text = "topic = 'chanel' AND\n  ünï = 1 OR Chanel = 'x'";
        let found = locate_name(text, "chanel").expect("it stands in the text");
        assert_eq!(&text[found.clone()], "Chanel");
        assert!(found.start > 30, "the text in quotes is no name");
        assert_eq!(locate_name(text, "missing"), None);
        assert_eq!(locate_name("a = \"B\"", "B"), Some(4..7));
        assert_eq!(locate_name("a > $limit", "$limit"), Some(4..10));
    }

    #[test]
    fn a_parsers_place_becomes_bytes() {
        let text = "event = = 'x'";
        assert_eq!(locate_in_message(text, "Expected: an expression, found: = at Line: 1, Column: 9"), Some(8..9));
        assert_eq!(locate_in_message("a =", "Expected: an expression, found: EOF"), None);
        assert_eq!(locate_in_message("é = 'x", "Unterminated string literal at Line: 1, Column: 5"), Some(5..6));
        assert_eq!(locate_in_message("a", "x at Line: 9, Column: 9"), None);
    }
}
