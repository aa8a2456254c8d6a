//! The months and quarters of `fct_key_journeys`, and which of them is shown where nobody names one.

use std::collections::BTreeMap;

use throughline_config::closest;

use super::figures::Figures;
use crate::failure::EngineError;

/// The table with a row a journey, period and segment.
pub const KEY_JOURNEYS: &str = "fct_key_journeys";

/// The columns from which periods are read; a table without one of them has no periods.
pub const KEY_JOURNEYS_COLUMNS: [&str; 6] = ["period_kind", "period", "period_start", "journey", "segment", "status"];

const QUARTER: &str = "quarter";

/// How far the figures of a period are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeriodState {
    /// It was not over on the last day counted.
    Running,
    /// Days at its beginning are not counted.
    Partial,
    /// It is over, and no journey has enough customers and leavers.
    Insufficient,
    /// At least one journey is ranked.
    Ranked,
}

/// A month or quarter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPeriod {
    /// `quarter` or `month`.
    pub kind: String,
    /// `2026-Q3`, `2026-07`.
    pub name: String,
    /// Its first instant, microseconds since 1970.
    pub start: i64,
    /// How far it is.
    pub state: PeriodState,
}

/// Every period of the table, oldest first.
#[derive(Debug, Clone, Default)]
pub struct KeyPeriods {
    periods: Vec<KeyPeriod>,
}

impl KeyPeriods {
    /// The periods of rows of [`KEY_JOURNEYS`].
    pub fn of(rows: &[Figures]) -> Self {
        let mut states: BTreeMap<(i64, String, String), PeriodState> = BTreeMap::new();
        for row in rows {
            let (Some(start), Some(kind), Some(name)) =
                (row.instant("period_start"), row.text("period_kind"), row.text("period"))
            else {
                continue;
            };
            let state = match row.text("status").as_deref() {
                Some("ok") => PeriodState::Ranked,
                Some("running") => PeriodState::Running,
                Some("partial") => PeriodState::Partial,
                _ => PeriodState::Insufficient,
            };
            let known = states.entry((start, kind, name)).or_insert(state);
            *known = (*known).max(state);
        }
        let periods = states.into_iter().map(|((start, kind, name), state)| KeyPeriod { kind, name, start, state });
        Self { periods: periods.collect() }
    }

    /// The newest ranked quarter. Without one, the newest ranked month; then the newest period that is over, and last
    /// whatever there is; a quarter goes before a month each time.
    pub fn shown(&self) -> Option<&KeyPeriod> {
        self.periods.iter().max_by_key(|period| (period.state, period.kind == QUARTER, period.start))
    }

    /// The period of this name.
    ///
    /// # Errors
    /// There is none; the error lists those there are.
    pub fn named(&self, name: &str) -> Result<&KeyPeriod, EngineError> {
        let found = self.periods.iter().find(|period| period.name == name);
        found.ok_or_else(|| {
            let names = || self.periods.iter().map(|period| period.name.as_str());
            let near = closest(name, names()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let of_kind = |is_quarter: bool| {
                let periods = self.periods.iter().filter(|period| (period.kind == QUARTER) == is_quarter);
                periods.map(|period| period.name.as_str()).collect::<Vec<_>>().join(", ")
            };
            let known = [of_kind(true), of_kind(false)].into_iter().filter(|names| !names.is_empty());
            let known = known.collect::<Vec<_>>().join("; ");
            let known = if known.is_empty() { "none yet".to_owned() } else { known };
            EngineError::refused(
                format!("no period `{name}` in `{KEY_JOURNEYS}`"),
                format!("{near}write a quarter or a month; there are: {known}"),
            )
        })
    }

    /// The period of the same kind right before.
    pub fn before(&self, period: &KeyPeriod) -> Option<&KeyPeriod> {
        let earlier = self.periods.iter().filter(|other| other.kind == period.kind && other.start < period.start);
        earlier.max_by_key(|other| other.start)
    }

    /// The periods of a kind, oldest first.
    pub fn of_kind<'p>(&'p self, kind: &'p str) -> impl Iterator<Item = &'p KeyPeriod> {
        self.periods.iter().filter(move |period| period.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn periods(rows: &[(&str, &str, i64, &str)]) -> KeyPeriods {
        let text = |pick: fn(&(&str, &str, i64, &str)) -> String| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(pick(row))).collect::<StringArray>())
        };
        let starts: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.2)).collect::<TimestampMicrosecondArray>());
        let batch = RecordBatch::try_from_iter([
            ("period_kind", text(|row| row.0.to_owned())),
            ("period", text(|row| row.1.to_owned())),
            ("period_start", starts),
            ("status", text(|row| row.3.to_owned())),
        ]);
        KeyPeriods::of(&Figures::of(&[batch.expect("columns of one length")]))
    }

    fn shown(rows: &[(&str, &str, i64, &str)]) -> String {
        periods(rows).shown().map(|period| period.name.clone()).unwrap_or_default()
    }

    #[test]
    fn the_newest_ranked_quarter_is_shown() {
        let mut rows = vec![
            ("quarter", "2026-Q1", 1, "ok"),
            ("quarter", "2026-Q2", 4, "insufficient"),
            ("quarter", "2026-Q2", 4, "ok"),
            ("month", "2026-06", 6, "ok"),
            ("quarter", "2026-Q3", 7, "running"),
        ];
        assert_eq!(shown(&rows), "2026-Q2");
        rows.retain(|row| row.0 == "month" || row.3 != "ok");
        assert_eq!(shown(&rows), "2026-06", "a ranked month goes before a quarter that is not");
        rows.retain(|row| row.3 != "ok");
        assert_eq!(shown(&rows), "2026-Q2", "what is over goes before what is running");
        assert_eq!(shown(&[("quarter", "2026-Q3", 7, "running")]), "2026-Q3");
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn a_wrong_period_is_refused_with_those_there_are() {
        let periods =
            periods(&[("quarter", "2026-Q2", 4, "ok"), ("quarter", "2026-Q3", 7, "ok"), ("month", "2026-07", 7, "ok")]);
        let now = periods.named("2026-Q3").expect("it is there");
        assert_eq!(periods.before(now).map(|period| period.name.as_str()), Some("2026-Q2"));
        let refused = periods.named("2026-Q4").expect_err("it is not there");
        let EngineError::Refused { message, help, .. } = refused else { panic!("{refused}") };
        assert_eq!(message, "no period `2026-Q4` in `fct_key_journeys`");
        assert!(help.ends_with("there are: 2026-Q2, 2026-Q3; 2026-07"), "{help}");
    }
}
