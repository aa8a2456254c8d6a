//! The rows of `fct_key_journeys` over all segments, read once, and the period that is shown of them.

use throughline_engine::{
    EngineError, Figures, KEY_JOURNEYS, KEY_JOURNEYS_COLUMNS, KeyPeriod, KeyPeriods, PeriodState, PublishedTables,
};

use super::facts::{InPeriod, Ranked, Together};

const ALL: &str = "all";

/// The table of what the harmful journeys of a period make jointly.
pub(crate) const TOGETHER: &str = "fct_key_journeys_together";

/// Every period of every journey.
pub(crate) struct KeyJourneys {
    rows: Vec<Figures>,
    periods: KeyPeriods,
    /// The period that was asked for, or the newest that is ranked.
    shown: Option<KeyPeriod>,
}

impl KeyJourneys {
    /// Reads the table; the reason where there is none that can be read.
    ///
    /// # Errors
    /// There is no such period.
    pub(crate) async fn read(
        tables: &PublishedTables<'_>,
        period: Option<&str>,
    ) -> Result<Result<Self, String>, EngineError> {
        if !tables.has(KEY_JOURNEYS) {
            return Ok(Err(format!("this pipeline publishes no `{KEY_JOURNEYS}`")));
        }
        let lacking = tables.lacking(KEY_JOURNEYS, &KEY_JOURNEYS_COLUMNS).await?;
        if !lacking.is_empty() {
            return Ok(Err(format!("`{KEY_JOURNEYS}` has no column {}", lacking.join(", "))));
        }
        let rows = tables.rows(KEY_JOURNEYS, &[("segment", ALL)]).await?.unwrap_or_default();
        let periods = KeyPeriods::of(&rows);
        let shown = match period {
            Some(name) => Some(periods.named(name)?.clone()),
            None => periods.shown().cloned(),
        };
        Ok(Ok(Self { rows, periods, shown }))
    }

    pub(crate) fn periods(&self) -> &KeyPeriods {
        &self.periods
    }

    pub(crate) fn shown(&self) -> Option<&KeyPeriod> {
        self.shown.as_ref()
    }

    /// The journeys of any period, by name.
    pub(crate) fn journeys(&self) -> Vec<String> {
        let mut journeys: Vec<String> = self.rows.iter().filter_map(|row| row.text("journey")).collect();
        journeys.sort();
        journeys.dedup();
        journeys
    }

    /// A journey's figures in a period.
    pub(crate) fn in_period(&self, journey: &str, period: &KeyPeriod) -> Option<InPeriod> {
        let row = self.of(journey).find(|row| is_of(row, period))?;
        let before = self.periods.before(period).map(|before| before.name.clone());
        Some(InPeriod { period_before: before, ..InPeriod::of(row) })
    }

    /// The newest earlier period of the same length in which a journey is ranked.
    pub(super) fn last_ranked(&self, journey: &str, period: &KeyPeriod) -> Option<InPeriod> {
        let earlier = self.periods.of_kind(&period.kind).filter(|earlier| earlier.start < period.start);
        let ranked = earlier.filter_map(|earlier| self.in_period(journey, earlier)).filter(|at| at.status == "ok");
        ranked.last()
    }

    /// Later periods that are not over.
    pub(super) fn running(&self, journey: &str, period: &KeyPeriod) -> Vec<InPeriod> {
        let later = self.periods.of_kind(&period.kind).filter(|later| later.start > period.start);
        let running = later.filter(|later| later.state == PeriodState::Running);
        running.filter_map(|running| self.in_period(journey, running)).collect()
    }

    /// Every journey of a period: the ranked ones by rank, then the others by how many were on them.
    pub(crate) fn all_in(&self, period: &KeyPeriod) -> Vec<InPeriod> {
        let mut all: Vec<InPeriod> = self.rows.iter().filter(|row| is_of(row, period)).map(InPeriod::of).collect();
        all.sort_by_key(|at| {
            (at.rank.unwrap_or(i64::MAX), std::cmp::Reverse(at.exposed_customers), at.journey.clone())
        });
        all
    }

    /// The ranked journeys of a period, in the order of their ranks.
    pub(super) fn ranking(&self, period: &KeyPeriod) -> Vec<Ranked> {
        let ranked = self.all_in(period).into_iter().filter(|at| at.status == "ok");
        ranked
            .map(|at| Ranked { journey: at.journey, tier: at.tier, rank: at.rank, excess_churners: at.excess_churners })
            .collect()
    }

    fn of<'k>(&'k self, journey: &'k str) -> impl Iterator<Item = &'k Figures> {
        self.rows.iter().filter(move |row| row.text("journey").as_deref() == Some(journey))
    }
}

/// Whether a row is of a period.
pub(crate) fn is_of(row: &Figures, period: &KeyPeriod) -> bool {
    row.instant("period_start") == Some(period.start)
        && row.text("period_kind").as_deref() == Some(period.kind.as_str())
}

/// What the harmful journeys of a period make jointly, where that is published.
pub(crate) async fn together(
    tables: &PublishedTables<'_>,
    period: &KeyPeriod,
) -> Result<Option<Together>, EngineError> {
    let needed = ["period_kind", "period_start", "journeys", "excess"];
    if !tables.has(TOGETHER) || !tables.lacking(TOGETHER, &needed).await?.is_empty() {
        return Ok(None);
    }
    let rows = tables.rows(TOGETHER, &[]).await?.unwrap_or_default();
    Ok(rows.iter().find(|row| is_of(row, period)).map(|row| Together {
        journeys: row
            .text("journeys")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|journey| !journey.is_empty())
            .map(str::to_owned)
            .collect(),
        leavers: row.whole("leavers"),
        expected: row.number("expected"),
        excess: row.estimate("excess"),
        reason: row.text("reason"),
    }))
}
