//! What the endpoint reports, in words or as JSON, a line each on standard error.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use throughline_serve::{Event, Observer, Protocol};

use crate::terminal::say;

/// More of a query's text is not needed to know it again.
const LONGEST_SQL: usize = 500;

/// Plain lines.
pub(crate) struct ServingWords;

impl Observer for ServingWords {
    fn event(&self, event: &Event<'_>) {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        for line in words(event).lines() {
            say(&format!("{time}  {line}"));
        }
    }
}

fn words(event: &Event<'_>) -> String {
    match event {
        Event::Listening { protocol, address, encrypted, password } => {
            let how = match (password, encrypted) {
                (true, true) => "with password, encrypted",
                (true, false) => "with password",
                (false, true) => "encrypted, without password",
                (false, false) => "without password, for this machine only",
            };
            let client = match protocol {
                Protocol::Postgres => {
                    format!("psql \"host={} port={} dbname=throughline\"", address.ip(), address.port())
                }
                Protocol::Flight => format!("grpc{}://{address}", if *encrypted { "+tls" } else { "" }),
            };
            format!("{} on {address}, {how}: {client}", protocol.name())
        }
        Event::Serving { run_id, as_of, schemas } => {
            let schemas: Vec<String> =
                schemas.iter().map(|(name, tables)| format!("{name} ({tables} tables)")).collect();
            format!("serving run {run_id}, cut at {as_of}: {}", schemas.join(", "))
        }
        Event::NotRefreshed { message } => format!("what is newest cannot be served: {}", one_line(message)),
        Event::Connected { connection, protocol, peer, user } => {
            let user = if user.is_empty() { String::new() } else { format!(", user {}", one_line(user)) };
            format!("#{connection} {} from {peer}{user}", protocol.name())
        }
        Event::Refused { protocol, peer, reason } => {
            format!("{} from {peer} turned away: {}", protocol.name(), one_line(reason))
        }
        Event::Disconnected { connection, reason, .. } => format!("#{connection} ended: {}", one_line(reason)),
        Event::Query(query) => {
            let (connection, sql, seconds) = (query.connection, one_line(query.sql), query.seconds);
            match query.failure {
                None => format!("#{connection} {} rows in {seconds:.3} s: {sql}", query.rows),
                Some((code, message)) => {
                    format!("#{connection} failed with {code} after {seconds:.3} s ({}): {sql}", one_line(message))
                }
            }
        }
    }
}

/// Texts of clients go into one line, so that nobody writes lines of his own into the log.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST_SQL));
    for word in text.split(|sign: char| sign.is_whitespace() || sign.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > LONGEST_SQL {
            let end = (0..=LONGEST_SQL).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    line
}

/// One JSON object a line.
pub(crate) struct ServingJson;

impl Observer for ServingJson {
    fn event(&self, event: &Event<'_>) {
        let (name, fields) = fields(event);
        let mut line = json!({ "time": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true), "event": name });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        say(&line.to_string());
    }
}

fn fields(event: &Event<'_>) -> (&'static str, Value) {
    let short = |protocol: &Protocol| match protocol {
        Protocol::Postgres => "postgresql",
        Protocol::Flight => "flight_sql",
    };
    match event {
        Event::Listening { protocol, address, encrypted, password } => (
            "listening",
            json!({ "protocol": short(protocol), "address": address.to_string(), "encrypted": encrypted, "password": password }),
        ),
        Event::Serving { run_id, as_of, schemas } => {
            let schemas: serde_json::Map<String, Value> =
                schemas.iter().map(|(name, tables)| (name.clone(), json!(tables))).collect();
            ("serving", json!({ "run_id": run_id, "as_of": as_of, "tables": schemas }))
        }
        Event::NotRefreshed { message } => ("not_refreshed", json!({ "message": message })),
        Event::Connected { connection, protocol, peer, user } => (
            "connected",
            json!({ "connection": connection, "protocol": short(protocol), "peer": peer.to_string(), "user": user }),
        ),
        Event::Refused { protocol, peer, reason } => {
            ("refused", json!({ "protocol": short(protocol), "peer": peer.to_string(), "reason": reason }))
        }
        Event::Disconnected { connection, protocol, reason } => {
            ("disconnected", json!({ "connection": connection, "protocol": short(protocol), "reason": reason }))
        }
        Event::Query(query) => {
            let failure = query.failure.map(|(code, message)| json!({ "sqlstate": code, "message": message }));
            let fields = json!({
                "connection": query.connection, "protocol": short(&query.protocol), "run_id": query.run_id,
                "sql": one_line(query.sql), "rows": query.rows, "seconds": query.seconds, "failure": failure,
            });
            ("query", fields)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_text_stays_one_short_line() {
        assert_eq!(one_line("SELECT 1\n--\r\x1b[31m x\t y"), "SELECT 1 -- [31m x y");
        assert!(one_line(&"ä ".repeat(1000)).len() < 510);
        assert!(one_line(&"ä".repeat(1000)).ends_with('…'));
    }
}
