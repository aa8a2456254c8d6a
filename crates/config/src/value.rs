//! Values of a pipeline: times, lengths of time, variables.

/// Microseconds since 1970-01-01 00:00 UTC.
pub type Timestamp = i64;

/// A length of time in microseconds; a day is 24 h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub i64);

/// A pipeline variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Variable {
    /// `90 days`.
    Duration(Duration),
    /// `2024-10-01` or an RFC 3339 instant.
    Timestamp(Timestamp),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Anything else.
    Text(String),
    /// A list of texts; only the program sets one.
    Texts(Vec<String>),
}
