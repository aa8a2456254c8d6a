//! Candidates as journey definitions: for the matcher, and as YAML to paste.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use throughline_config::{Duration, JourneyDefinition, Located, OnRestart, Pipeline, Place, SourceFile};
use throughline_journeys::discovery::Candidate;

/// Microseconds.
const HOUR: i64 = 3_600_000_000;

/// Names that no journey, model or source of the pipeline has, and no other candidate.
pub(crate) fn free_names(candidates: &[Candidate], pipeline: &Pipeline) -> Vec<String> {
    let mut taken: BTreeSet<String> = pipeline.journeys.keys().cloned().collect();
    taken.extend(pipeline.models.keys().cloned());
    taken.extend(pipeline.sources.keys().cloned());
    let mut names = Vec::new();
    for candidate in candidates {
        let mut name = candidate.name.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            name = match number {
                1 => format!("{}_found", candidate.name),
                _ => format!("{}_found_{number}", candidate.name),
            };
            number += 1;
        }
        names.push(name);
    }
    names
}

/// The candidate as the matcher takes it.
pub(crate) fn journey_definition(name: &str, candidate: &Candidate, key: Option<&str>) -> JourneyDefinition {
    let located = |text: &str| {
        let file = SourceFile { path: PathBuf::from("discovered"), text: text.to_owned() };
        Located { value: text.to_owned(), place: Place { file: Arc::new(file), span: 0..text.len() } }
    };
    JourneyDefinition {
        name: located(name),
        label: label(candidate),
        owner: None,
        description: None,
        starts: located(&candidate.starts),
        ends: Some(located(&candidate.ends)),
        abandons: candidate.abandons.as_deref().map(located),
        includes: Some(located(&candidate.includes)),
        within: Some(Duration(candidate.within)),
        idle: candidate.idle.map(Duration),
        on_restart: if candidate.split { OnRestart::Split } else { OnRestart::Absorb },
        key: std::iter::once("customer_id").chain(key).map(located).collect(),
        eligible: None,
        eligible_from: None,
        eligible_until: None,
        importance: None,
        rationale: None,
    }
}

fn label(candidate: &Candidate) -> String {
    format!("{} … {}", candidate.start_events.join(" or "), candidate.end_events.join(" or "))
}

/// The definition for a file of `pipelines/journeys/`; each of `remarks` becomes a comment in front. Who could have
/// been on it is taken from `eligible_as`.
pub(crate) fn yaml(
    name: &str,
    candidate: &Candidate,
    key: Option<&str>,
    eligible_as: Option<&JourneyDefinition>,
    remarks: &[String],
) -> String {
    let mut text = String::new();
    for remark in remarks {
        let _ = writeln!(text, "# {remark}");
    }
    let _ = writeln!(text, "{name}:");
    let mut line = |field: &str, value: &str| {
        let _ = writeln!(text, "  {field}: {value}");
    };
    line("label", &scalar(&label(candidate)));
    line("starts", &scalar(&candidate.starts));
    line("ends", &scalar(&candidate.ends));
    if let Some(abandons) = &candidate.abandons {
        line("abandons", &scalar(abandons));
    }
    line("includes", &scalar(&candidate.includes));
    line("within", &duration(candidate.within));
    if let Some(idle) = candidate.idle {
        line("idle", &duration(idle));
    }
    if candidate.split {
        line("on_restart", "split");
    }
    if let Some(key) = key {
        line("key", &format!("[customer_id, {key}]"));
    }
    if let Some(definition) = eligible_as {
        let limits = [
            ("eligible", &definition.eligible),
            ("eligible_from", &definition.eligible_from),
            ("eligible_until", &definition.eligible_until),
        ];
        for (field, text) in limits {
            if let Some(text) = text {
                line(field, &scalar(text));
            }
        }
    }
    text
}

/// `14 days`, `36 hours`: in the largest unit that divides it.
fn duration(micros: i64) -> String {
    let units = [(24 * HOUR, "day"), (HOUR, "hour"), (HOUR / 60, "minute"), (HOUR / 3_600, "second")];
    let whole = units.into_iter().find(|(unit, _)| micros % unit == 0);
    let (number, name) = whole.map_or((micros / (HOUR / 3_600) + 1, "second"), |(unit, name)| (micros / unit, name));
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

/// Plain where YAML reads it as it stands, in double quotes elsewhere. `${` would be taken for an environment variable.
fn scalar(text: &str) -> String {
    let text = text.replace("${", "$${");
    let plain = text.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && text.trim() == text
        && !text.chars().any(char::is_control);
    if plain { text } else { serde_json::Value::String(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::{HOUR, duration, scalar};

    #[test]
    fn limits_are_written_in_the_largest_whole_unit() {
        assert_eq!(duration(336 * HOUR), "14 days");
        assert_eq!(duration(36 * HOUR), "36 hours");
        assert_eq!(duration(HOUR / 60), "1 minute");
    }

    #[test]
    fn what_yaml_would_misread_is_quoted() {
        assert_eq!(scalar("event = 'o'"), "event = 'o'");
        assert_eq!(scalar("event = 'a: b'"), "\"event = 'a: b'\"");
        assert_eq!(scalar("event = 'a #1'"), "\"event = 'a #1'\"");
        assert_eq!(scalar("event = '${HOME}'"), "event = '$${HOME}'");
        assert_eq!(scalar("(a OR b)"), "\"(a OR b)\"");
    }
}
