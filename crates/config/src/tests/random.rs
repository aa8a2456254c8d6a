//! Whatever a file holds: no panic, no endless loop, and a finding whose place lies inside its file.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{options, workspace};
use crate::{Diagnostics, load_pipeline};

const PIPELINE: &str = "\
name: main
start: 2024-10-01
warehouse: ${WAREHOUSE:-data/warehouse}
variables: { horizon: 90 days, level: 0.95 }
sources:
  calls:
    path: \"calls/\"
    format: csv
    time_column: at
    columns: { call_id: string, at: { type: timestamp, format: '%d.%m.%Y' } }
    freshness: { warn_after: 2 days }
    contract:
      - not_null: [call_id]
      - range: { rating: { min: 1, max: 5 } }
journeys: journeys/*.yaml
models:
  touchpoints: { sql: sql/touchpoints.sql, grain: [touchpoint_id] }
  fct_journey:
    match: touchpoints
    tests: [ unique: [journey_id], row_count: { min: 1 } ]
dictionary: { customer_id: Who }
";
const JOURNEYS: &str = "\
onboarding:
  label: 'Größe'
  starts: event = 'order_placed'
  within: 120 days
  key: [customer_id, order_id]
  description: |
    two
    lines
";
/// What changes the meaning of YAML, and what often breaks its readers.
const PIECES: [&str; 30] = [
    ":", ": ", "- ", "? ", "[", "]", "{", "}", ", ", "\n", "\n  ", "\t", "\r", "#", " #", "&a ", "*a", "!t ", "|\n",
    ">-\n", "'", "\"", "%", "@", "---\n", "...\n", "<<: ", "${", "ä", "\u{2028}",
];

/// Loads both files and renders what was found.
fn survives(pipeline: &[u8], journeys: &[u8]) -> Result<(), TestCaseError> {
    let folder = workspace(&[("pipelines/main.yaml", pipeline), ("pipelines/journeys/a.yaml", journeys)]);
    let findings = match load_pipeline(&options(&folder)) {
        Ok((_, warnings)) => warnings,
        Err(findings) => {
            prop_assert!(findings.has_errors());
            findings
        }
    };
    check(&findings)
}

fn check(findings: &Diagnostics) -> Result<(), TestCaseError> {
    for finding in findings.iter() {
        prop_assert!(!finding.message.is_empty());
        if let Some(place) = &finding.place {
            prop_assert!(place.file.text.get(place.span.clone()).is_some(), "{finding:?}");
        }
    }
    for colour in [false, true] {
        let text = findings.render(colour);
        prop_assert_eq!(text.is_empty(), findings.is_empty());
    }
    Ok(())
}

/// Replaces, at each position, a few characters by a piece.
fn mutated(text: &str, mutations: &[(prop::sample::Index, usize, usize)]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (at, removed, piece) in mutations {
        let start = at.index(letters.len().max(1)).min(letters.len());
        let end = (start + removed).min(letters.len());
        letters.splice(start..end, PIECES[*piece].chars());
    }
    letters.into_iter().collect()
}

fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, usize)>> {
    vec((any::<prop::sample::Index>(), 0..6_usize, 0..PIECES.len()), 1..8)
}

/// Otherwise the mutations would start from something that is broken already.
#[test]
fn the_texts_to_mutate_load() {
    let folder =
        workspace(&[("pipelines/main.yaml", PIPELINE.as_bytes()), ("pipelines/journeys/a.yaml", JOURNEYS.as_bytes())]);
    if let Err(findings) = load_pipeline(&options(&folder)) {
        panic!("{findings}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..200)) {
        survives(&bytes, &bytes)?;
    }

    #[test]
    fn arbitrary_text(text in "\\PC{0,200}") {
        survives(text.as_bytes(), text.as_bytes())?;
    }

    #[test]
    fn pieces_of_yaml(pieces in vec((0..PIECES.len(), "[a-z]{0,3}"), 0..40)) {
        let text: String = pieces.iter().map(|(piece, word)| format!("{}{word}", PIECES[*piece])).collect();
        survives(text.as_bytes(), text.as_bytes())?;
    }

    #[test]
    fn mutated_pipelines(changes in mutations()) {
        survives(mutated(PIPELINE, &changes).as_bytes(), JOURNEYS.as_bytes())?;
    }

    #[test]
    fn mutated_journeys(changes in mutations()) {
        survives(PIPELINE.as_bytes(), mutated(JOURNEYS, &changes).as_bytes())?;
    }

    /// A duration is what the multiplication says, or refused; it never wraps.
    #[test]
    fn durations(count in any::<u64>(), unit in 0..5_usize) {
        let (name, seconds) = [("second", 1_i128), ("minutes", 60), ("hour", 3_600), ("days", 86_400), ("week", 604_800)][unit];
        let expected = i128::from(count) * seconds * 1_000_000;
        let read = crate::load::values::duration(&format!("{count} {name}")).ok().map(|duration| i128::from(duration.0));
        prop_assert_eq!(read, Some(expected).filter(|length| *length <= i128::from(i64::MAX)));
    }
}
