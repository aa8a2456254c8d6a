//! Whether a source has as many good rows as the pipeline asks for (`rejected:`, `rows:`).

use throughline_config::{RejectedLimits, RowLimits, Source, SourceKind};

use super::data_tests::shown_place;
use crate::record::step_record::{IntakeCounts, StepRecord, StepStatus, TestRecord};

/// Of fewer rows read, a share says nothing: one of three is a third.
const FEWEST_FOR_A_SHARE: u64 = 100;

/// Holds what became of a source's rows against its limits. A limit that does not hold is a failed test in the record,
/// and where it is of severity error, the source has failed. Of a source that is read from an instant on, `is_whole` is
/// false: few rows are nothing odd then.
pub(crate) fn check_row_limits(source: &Source, is_whole: bool, record: &mut StepRecord) {
    let Some(counts) = record.intake.as_ref().filter(|_| source.kind == SourceKind::Source) else { return };
    let rows = is_whole.then_some(source.rows);
    let tests = row_limit_tests(source.rejected, rows, counts, &shown_place(&source.name.place));
    record.tests.extend(tests.into_iter().filter(|test| !test.passed));
    if !record.passes() {
        record.status = StepStatus::TestsFailed;
    }
}

fn row_limit_tests(
    rejected: RejectedLimits,
    rows: Option<RowLimits>,
    counts: &IntakeCounts,
    place: &str,
) -> Vec<TestRecord> {
    let limit = |test: String, kind: &str, severity: &str, passed: bool, count: u64| TestRecord {
        test,
        kind: Some(kind.to_owned()),
        column: None,
        severity: severity.to_owned(),
        passed,
        count: i64::try_from(count).unwrap_or(i64::MAX),
        place: place.to_owned(),
    };
    let set_aside = counts.rejected_rows();
    let share = set_aside as f64 / counts.read.max(1) as f64;
    let limits = [("warning", rejected.warn), ("error", rejected.error)];
    let mut tests = Vec::new();
    for (severity, most) in limits.into_iter().filter(|_| counts.read >= FEWEST_FOR_A_SHARE) {
        let test = format!("at most {} % of the rows read are set aside", most * 100.0);
        tests.push(limit(test, "rejected", severity, share <= most, if share <= most { 0 } else { set_aside }));
    }
    if let Some(RowLimits { min: least }) = rows.filter(|rows| rows.min > 0) {
        let good = counts.kept + counts.collapsed + counts.after_as_of;
        let test = format!("at least {least} good row{}", if least == 1 { "" } else { "s" });
        tests.push(limit(test, "rows", "error", good >= least, least.saturating_sub(good)));
    }
    tests
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn failed(rejected: u64, kept: u64, after_as_of: u64, is_whole: bool) -> Vec<String> {
        let counts = IntakeCounts {
            read: rejected + kept + after_as_of,
            kept,
            after_as_of,
            collapsed: 0,
            rejected: BTreeMap::from([("not_null".to_owned(), rejected)]),
        };
        let rows = is_whole.then_some(RowLimits { min: 1 });
        let tests = row_limit_tests(RejectedLimits::default(), rows, &counts, "pipelines/main.yaml:7");
        let failed = tests.into_iter().filter(|test| !test.passed);
        failed.map(|test| format!("{} {} {}", test.severity, test.kind.unwrap_or_default(), test.count)).collect()
    }

    #[test]
    fn rows_set_aside_are_held_against_two_limits() {
        assert_eq!(failed(1, 99, 0, true), Vec::<String>::new());
        assert_eq!(failed(2, 98, 0, true), ["warning rejected 2"]);
        assert_eq!(failed(20, 80, 0, true), ["warning rejected 20"]);
        assert_eq!(failed(21, 79, 0, true), ["warning rejected 21", "error rejected 21"]);
        assert_eq!(failed(21, 78, 0, true), Vec::<String>::new(), "too few rows for a share");
    }

    #[test]
    fn a_source_with_too_few_good_rows_fails() {
        assert_eq!(failed(0, 0, 0, true), ["error rows 1"]);
        assert_eq!(failed(0, 0, 5, true), Vec::<String>::new(), "its rows come later than as_of");
        assert_eq!(failed(0, 0, 0, false), Vec::<String>::new(), "only its newest rows are read");
        assert_eq!(failed(3, 0, 0, true), ["error rows 1"]);
    }
}
