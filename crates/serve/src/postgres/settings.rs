//! The settings a client may change: how things are shown, how long a query may take, where names are looked up.
//!
//! Everything else is refused, so no setting reaches the engine or another connection.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::failure::{Failure, sqlstate};
use crate::functions::SERVER_VERSION;
use crate::schemas::MAIN;

/// A setting: its name as PostgreSQL writes it, its value when nobody changed it, and whether changes are reported to
/// the client (`ParameterStatus`).
struct Known {
    name: &'static str,
    default: &'static str,
    is_reported: bool,
    values: Values,
}

enum Values {
    /// Anything: it is only kept, or only text that is shown.
    Any,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A number, perhaps with a unit.
    Duration,
    /// A number of seconds.
    Seconds,
    /// Cannot be changed.
    Fixed,
}

const ON: Values = Values::OneOf(&["on", "true", "1", "yes"]);
const UTF8: Values = Values::OneOf(&["utf8", "utf-8", "unicode", "sql_ascii"]);

const fn known(name: &'static str, default: &'static str, is_reported: bool, values: Values) -> Known {
    Known { name, default, is_reported, values }
}

const KNOWN: [Known; 44] = [
    known("application_name", "", true, Values::Any),
    known("bytea_output", "hex", false, Values::OneOf(&["hex", "escape"])),
    known("client_encoding", "UTF8", true, UTF8),
    known("client_min_messages", "notice", false, Values::Any),
    known("DateStyle", "ISO, MDY", true, Values::Any),
    known("default_transaction_deferrable", "off", false, Values::Any),
    known("default_transaction_isolation", "repeatable read", false, Values::Any),
    known("default_transaction_read_only", "on", true, ON),
    known("enable_seqscan", "on", false, Values::Any),
    known("escape_string_warning", "on", false, Values::Any),
    known("extra_float_digits", "1", false, Values::Any),
    known("geqo", "on", false, Values::Any),
    known("idle_in_transaction_session_timeout", "0", false, Values::Duration),
    known("idle_session_timeout", "0", false, Values::Duration),
    known("in_hot_standby", "off", true, Values::Fixed),
    known("integer_datetimes", "on", true, Values::Fixed),
    known("IntervalStyle", "postgres", true, Values::Any),
    known("is_superuser", "off", true, Values::Fixed),
    known("jit", "off", false, Values::Any),
    known("lc_collate", "C", false, Values::Fixed),
    known("lc_ctype", "C.UTF-8", false, Values::Fixed),
    known("lc_messages", "C", false, Values::Any),
    known("lc_monetary", "C", false, Values::Any),
    known("lc_numeric", "C", false, Values::Any),
    known("lc_time", "C", false, Values::Any),
    known("lock_timeout", "0", false, Values::Duration),
    known("max_identifier_length", "63", false, Values::Fixed),
    known("max_index_keys", "32", false, Values::Fixed),
    known("quote_all_identifiers", "off", false, Values::Any),
    known("row_security", "on", false, Values::Any),
    known("search_path", MAIN, true, Values::Any),
    known("server_encoding", "UTF8", true, Values::Fixed),
    known("server_version", SERVER_VERSION, true, Values::Fixed),
    known("server_version_num", "160006", false, Values::Fixed),
    known("session_authorization", "", true, Values::Fixed),
    known("standard_conforming_strings", "on", true, ON),
    known("statement_timeout", "0", false, Values::Duration),
    known("synchronize_seqscans", "on", false, Values::Any),
    known("tcp_keepalives_idle", "0", false, Values::Seconds),
    known("TimeZone", "Etc/UTC", true, Values::Any),
    known("transaction_deferrable", "off", false, Values::Any),
    known("transaction_isolation", "repeatable read", false, Values::Any),
    known("transaction_read_only", "on", false, ON),
    known("xmloption", "content", false, Values::Any),
];

/// Seconds; systems take no more.
const LONGEST_KEEPALIVE: u64 = 32_767;
/// Longer values are no settings.
const LONGEST_VALUE: usize = 1024;

/// A connection's settings: those that were changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// Changes one, or with `None` sets it back. Returns its name and new value if the change has to be reported to the
    /// client.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<Option<(&'static str, String)>, Failure> {
        let known = find(name)?;
        match value {
            None => drop(self.0.remove(known.name)),
            Some(value) => {
                check(known, value)?;
                self.0.insert(known.name, value.to_owned());
            }
        }
        Ok(known.is_reported.then(|| (known.name, self.of(known))))
    }

    /// Sets all back.
    pub(super) fn reset(&mut self) {
        self.0.clear();
    }

    /// The name as PostgreSQL writes it, and the value.
    pub(super) fn get(&self, name: &str) -> Result<(&'static str, String), Failure> {
        let known = find(name)?;
        Ok((known.name, self.of(known)))
    }

    /// Those that are reported to clients.
    pub(super) fn reported(&self) -> Vec<(&'static str, String)> {
        KNOWN.iter().filter(|known| known.is_reported).map(|known| (known.name, self.of(known))).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        KNOWN.iter().map(|known| (known.name, self.of(known))).collect()
    }

    fn of(&self, known: &Known) -> String {
        self.0.get(known.name).cloned().unwrap_or_else(|| known.default.to_owned())
    }

    /// `None` for no limit of the client's own.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        self.time("statement_timeout")
    }

    /// How long the connection may be idle, in a transaction or outside of one; `None` for no limit of the client's own.
    pub(super) fn idle_timeout(&self, in_transaction: bool) -> Option<Duration> {
        self.time(if in_transaction { "idle_in_transaction_session_timeout" } else { "idle_session_timeout" })
    }

    /// After what silence the client is asked whether it is still there; zero for the endpoint's own time.
    pub(super) fn keepalive(&self) -> Duration {
        let seconds = self.0.get("tcp_keepalives_idle").and_then(|text| text.trim().trim_end_matches('s').parse().ok());
        Duration::from_secs(seconds.unwrap_or(0).min(LONGEST_KEEPALIVE))
    }

    fn time(&self, name: &str) -> Option<Duration> {
        self.0.get(name).and_then(|text| duration(text)).filter(|time| !time.is_zero())
    }

    /// The schemas in which unqualified names are looked up, as the client wrote them.
    pub(super) fn search_path(&self) -> Vec<String> {
        let path = self.0.get("search_path").map_or(MAIN, String::as_str);
        path.split(',').map(|name| name.trim().trim_matches(['"', '\'']).to_owned()).collect()
    }

    /// Those that change how values are written, under the names the encoder knows them by.
    pub(super) fn formats(&self) -> std::collections::HashMap<String, String> {
        let names = ["DateStyle", "IntervalStyle", "bytea_output", "extra_float_digits"];
        let changed = names.iter().filter_map(|name| Some((name.to_ascii_lowercase(), self.0.get(name)?.clone())));
        changed.collect()
    }
}

fn find(name: &str) -> Result<&'static Known, Failure> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let shown: String = name.chars().take(100).collect();
        Failure::new(sqlstate::NO_SUCH_SETTING, format!("there is no setting \"{shown}\" here"))
            .hint("SHOW ALL lists them")
    })
}

fn check(known: &Known, value: &str) -> Result<(), Failure> {
    let refused = |why: String| Err(Failure::new(sqlstate::INVALID_PARAMETER, why));
    if value.len() > LONGEST_VALUE || value.contains('\0') {
        return refused(format!("the value of {} is too long", known.name));
    }
    match &known.values {
        Values::Any => Ok(()),
        Values::Fixed => refused(format!("{} cannot be changed", known.name)),
        Values::OneOf(values) if values.iter().any(|allowed| allowed.eq_ignore_ascii_case(value)) => Ok(()),
        Values::OneOf(_) if known.name.ends_with("transaction_read_only") => {
            Err(Failure::read_only("a writing transaction"))
        }
        Values::OneOf(values) => refused(format!("{} can only be {}", known.name, values[0])),
        Values::Duration if duration(value).is_some() => Ok(()),
        Values::Seconds if value.trim().trim_end_matches('s').parse::<u32>().is_ok() => Ok(()),
        Values::Seconds => refused(format!("{} needs a number of seconds", known.name)),
        Values::Duration => refused(format!("{} needs a time, such as 5000 (milliseconds), 5s or 1min", known.name)),
    }
}

/// `5000` (milliseconds), `250ms`, `5s`, `1min`, `1h`, `1d`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u32>().ok().map(|number| Duration::from_millis(u64::from(number) * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_settings_are_changed_and_only_to_what_they_can_be() {
        let mut settings = Settings::default();
        assert_eq!(settings.set("datestyle", Some("German")).unwrap(), Some(("DateStyle", "German".into())));
        assert_eq!(settings.get("DATESTYLE").unwrap().1, "German");
        assert_eq!(settings.set("statement_timeout", Some("1min")).unwrap(), None);
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(60)));
        settings.set("statement_timeout", None).unwrap();
        assert_eq!(settings.statement_timeout(), None);
        settings.set("idle_in_transaction_session_timeout", Some("2s")).unwrap();
        assert_eq!((settings.idle_timeout(true), settings.idle_timeout(false)), (Some(Duration::from_secs(2)), None));
        settings.set("tcp_keepalives_idle", Some("30")).unwrap();
        assert_eq!(settings.keepalive(), Duration::from_secs(30));
        let mut code = |name: &str, value: &str| settings.set(name, Some(value)).unwrap_err().code;
        assert_eq!(code("datafusion.execution.batch_size", "1"), sqlstate::NO_SUCH_SETTING);
        assert_eq!(code("server_version", "17"), sqlstate::INVALID_PARAMETER);
        assert_eq!(code("client_encoding", "LATIN1"), sqlstate::INVALID_PARAMETER);
        assert_eq!(code("statement_timeout", "soon"), sqlstate::INVALID_PARAMETER);
        assert_eq!(code("tcp_keepalives_idle", "often"), sqlstate::INVALID_PARAMETER);
        assert_eq!(code("transaction_read_only", "off"), sqlstate::READ_ONLY);
        assert_eq!(code("DateStyle", &"x".repeat(2000)), sqlstate::INVALID_PARAMETER);
    }

    #[test]
    fn names_stand_in_order_and_once() {
        let mut names: Vec<String> = KNOWN.iter().map(|known| known.name.to_lowercase()).collect();
        let given = names.clone();
        names.sort();
        names.dedup();
        assert_eq!(given, names);
    }

    #[test]
    fn a_search_path_is_taken_apart() {
        let mut settings = Settings::default();
        settings.set("search_path", Some("\"$user\", snapshot_2026_q3 ,main")).unwrap();
        assert_eq!(settings.search_path(), ["$user", "snapshot_2026_q3", "main"]);
    }
}
