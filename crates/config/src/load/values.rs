//! What single values mean: durations, instants, numbers, names, variables.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::{Diagnostic, Duration, Located, Timestamp, Variable, closest};

const SECOND: i64 = 1_000_000;
/// Singular form and microseconds.
const UNITS: [(&str, i64); 5] = [
    ("second", SECOND),
    ("minute", 60 * SECOND),
    ("hour", 3_600 * SECOND),
    ("day", 86_400 * SECOND),
    ("week", 604_800 * SECOND),
];
const EXAMPLES: &str = "write e.g. `90 days`, `12 hours`, `30 minutes`, `45 seconds` or `2 weeks`";
/// The longest name in bytes; PostgreSQL clients cut longer ones.
const LONGEST_NAME: usize = 63;

/// Why a text is no duration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WrongDuration {
    /// Not a number and a unit at all.
    Shape,
    /// A number, then a word that is no unit.
    Unit(String),
    /// Months and years.
    Varying(&'static str),
    /// `1.5 days`, `-3 days`.
    NotWhole,
    /// Beyond 64 bits of microseconds.
    TooLong,
}

impl WrongDuration {
    /// The finding, without its place.
    pub(super) fn of(&self, text: &str) -> Diagnostic {
        let wrong = |message: String| Diagnostic::error("bad-duration", message);
        match self {
            Self::Shape => wrong(format!("`{text}` is not a length of time")).help(EXAMPLES),
            Self::Unit(unit) => {
                let plurals = UNITS.map(|(singular, _)| format!("{singular}s"));
                let finding = wrong(format!("`{unit}` is not a unit of time"));
                let finding = match closest(unit, plurals.iter().map(String::as_str)) {
                    Some(unit) => finding.label(format!("did you mean `{unit}`?")),
                    None => finding,
                };
                finding.help(EXAMPLES)
            }
            Self::Varying(unit) => wrong(format!("`{text}` has no fixed length: {unit} vary"))
                .help(format!("say it in days, e.g. `{} days`", if *unit == "months" { 90 } else { 365 })),
            Self::NotWhole => wrong(format!("`{text}` is not a whole number of units, zero or more"))
                .help("use a smaller unit: `36 hours` for one and a half days"),
            Self::TooLong => wrong(format!("`{text}` is longer than 290 000 years")).help(EXAMPLES),
        }
    }

    /// Whether the writer clearly meant a length of time.
    fn was_meant(&self) -> bool {
        !matches!(self, Self::Shape | Self::Unit(_))
    }
}

/// `90 days`, `1 hour`, …: a whole number and a unit. A day is 24 hours.
pub(crate) fn duration(text: &str) -> Result<Duration, WrongDuration> {
    let text = text.trim();
    let split = text.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '-' | '+')).unwrap_or(text.len());
    let (count, unit) = (&text[..split], text[split..].trim_start());
    let word = |unit: &str| !unit.is_empty() && unit.chars().all(char::is_alphabetic);
    if !count.contains(|letter: char| letter.is_ascii_digit()) || !word(unit) {
        return Err(WrongDuration::Shape);
    }
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    match singular {
        "month" => return Err(WrongDuration::Varying("months")),
        "year" | "quarter" => return Err(WrongDuration::Varying("years and quarters")),
        _ => {}
    }
    let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == singular) else {
        return Err(WrongDuration::Unit(unit.to_owned()));
    };
    if !count.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(WrongDuration::NotWhole);
    }
    // Only digits are left, so a failure to parse is an overflow.
    let count: i64 = count.parse().map_err(|_| WrongDuration::TooLong)?;
    count.checked_mul(*length).map(Duration).ok_or(WrongDuration::TooLong)
}

/// `2024-10-01` (00:00 UTC), `2024-10-01T12:00:00` (UTC), or with a zone: `…Z`, `…+02:00`.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // Four digits and a dash: chrono alone would also take years of one or six digits.
    let date = text.get(..10)?;
    if date.as_bytes()[4] != b'-' || !date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    let micros = |instant: NaiveDateTime| instant.and_utc().timestamp_micros();
    if text.len() == 10 {
        return NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| micros(day.and_time(NaiveTime::MIN)));
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.with_timezone(&Utc).timestamp_micros());
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    local.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(micros)
}

/// A plain scalar as a number, when YAML reads it as one.
pub(super) fn number(text: &str) -> Option<serde_yaml::Number> {
    text.parse().ok()
}

/// A variable's value. Texts that are durations or instants become those, with or without quotes; numbers and
/// booleans only without quotes.
pub(super) fn variable(text: &Located<String>, plain: bool) -> Result<Variable, Diagnostic> {
    let wrong = |message: String| Diagnostic::error("bad-value", message).at(text.place.clone());
    match duration(text) {
        Ok(length) => return Ok(Variable::Duration(length)),
        Err(reason) if reason.was_meant() => return Err(reason.of(text).at(text.place.clone())),
        Err(_) => {}
    }
    if let Some(instant) = timestamp(text) {
        return Ok(Variable::Timestamp(instant));
    }
    if !plain {
        return Ok(Variable::Text(text.value.clone()));
    }
    match text.value.as_str() {
        "true" | "True" | "TRUE" => return Ok(Variable::Boolean(true)),
        "false" | "False" | "FALSE" => return Ok(Variable::Boolean(false)),
        _ => {}
    }
    let number = number(text);
    // Digits alone mean a whole number, where YAML readers fall back to a text or a rounded double.
    let digits = text.trim_start_matches(['+', '-']);
    let whole = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    match number.as_ref().map(|number| (number.as_i64(), number.as_f64())) {
        Some((Some(integer), _)) => Ok(Variable::Integer(integer)),
        _ if whole || number.as_ref().is_some_and(serde_yaml::Number::is_u64) => {
            let message = format!("`{}` does not fit a 64-bit integer", text.value);
            Err(wrong(message).help("put it in quotes to make it a text"))
        }
        None => Ok(Variable::Text(text.value.clone())),
        Some((None, Some(float))) if float.is_finite() => Ok(Variable::Float(float)),
        Some(_) => {
            let message = format!("`{}` is not a finite number", text.value);
            Err(wrong(message).help("put it in quotes to make it a text"))
        }
    }
}

/// The kind of a variable's value, for messages.
pub(super) fn kind_of(variable: &Variable) -> &'static str {
    match variable {
        Variable::Duration(_) => "a length of time",
        Variable::Timestamp(_) => "an instant",
        Variable::Integer(_) => "a whole number",
        Variable::Float(_) => "a number",
        Variable::Boolean(_) => "`true` or `false`",
        Variable::Text(_) => "a text",
        Variable::Texts(_) => "a list of texts",
    }
}

/// Refuses what cannot name a relation, a journey or a variable.
pub(super) fn check_name(name: &Located<String>, what: &str, reserved: &[&str]) -> Option<Diagnostic> {
    let wrong = |message: String| Diagnostic::error("bad-name", message).at(name.place.clone());
    let text = name.value.as_str();
    let letters = text.bytes().all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if !letters || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        let suggestion = snake_case(text);
        let finding = wrong(format!("`{text}` cannot name a {what}"))
            .help("names are snake_case: a small letter, then small letters, digits and `_`");
        return Some(match suggestion {
            Some(suggestion) => finding.label(format!("e.g. `{suggestion}`")),
            None => finding,
        });
    }
    if text.len() > LONGEST_NAME {
        return Some(
            wrong(format!("a name of {} letters; {LONGEST_NAME} are the most", text.len()))
                .help("SQL clients cut longer names"),
        );
    }
    if reserved.contains(&text) {
        return Some(wrong(format!("the name `{text}` is reserved")).help("choose another name"));
    }
    if text.ends_with("__rejected") {
        return Some(
            wrong(format!("the name `{text}` is reserved"))
                .help("`<source>__rejected` holds the rows a source's contract sets aside"),
        );
    }
    None
}

fn snake_case(text: &str) -> Option<String> {
    if text.len() > LONGEST_NAME {
        return None;
    }
    let lower: String = text
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' })
        .collect();
    let trimmed = lower.trim_matches('_');
    trimmed.starts_with(|first: char| first.is_ascii_lowercase()).then(|| trimmed.to_owned())
}
