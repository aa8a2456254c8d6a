//! How journeys moved from one snapshot to another: tier, rank and key figures in one period of both, or in the newest
//! of each that is ranked, and why the excess changed.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use super::tables::Tables;
use crate::failure::EngineError;
use crate::read::figures::{Estimate, Figures};
use crate::read::key_periods::{KEY_JOURNEYS, KEY_JOURNEYS_COLUMNS, KeyPeriod, KeyPeriods, PeriodState};
use crate::read::published::Published;

const ALL: &str = "all";

/// A journey in two snapshots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JourneyMove {
    /// The journey.
    pub journey: String,
    /// Its figures in the earlier snapshot; absent when it was not in it.
    pub from: Option<JourneyFigures>,
    /// Its figures in the later snapshot; absent when it is not in it.
    pub to: Option<JourneyFigures>,
    /// Why its excess changed, where the period of the one is the period before that of the other.
    pub change: Option<ExcessChange>,
}

/// A journey's figures over all segments, in one period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JourneyFigures {
    /// `2026-Q3`.
    pub period: String,
    /// `ok` or why it is not ranked.
    pub status: String,
    /// `harmful`, `unclear` or `protective`; absent unless ok.
    pub tier: Option<String>,
    /// Its rank.
    pub rank: Option<i64>,
    /// 0 to 1, experts' judgement included.
    pub priority: Option<f64>,
    /// Customers who were on it.
    pub exposed_customers: Option<i64>,
    /// The share of customers on it that leaves in 90 days.
    pub exposed_churn_rate: Option<f64>,
    /// The share of like customers not on it that does.
    pub like_churn_rate: Option<f64>,
    /// How many times as often those on it leave as like customers.
    pub adjusted_rate_ratio: Option<f64>,
    /// Who left beyond what like customers would have.
    pub excess_churners: Option<Estimate>,
}

/// Why an excess is another than in the period before: parts that add up to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExcessChange {
    /// The whole change.
    pub total: Option<Estimate>,
    /// The part of more or fewer customers on the journey.
    pub volume: Option<Estimate>,
    /// The part of other customers on it: by segment, time as a customer and month.
    pub mix: Option<Estimate>,
    /// The part of those on it leaving more or less often.
    pub exposed_rate: Option<Estimate>,
    /// The part of like customers leaving more or less often.
    pub unexposed_rate: Option<Estimate>,
}

impl ExcessChange {
    /// The change in a row of `fct_key_journeys`; `None` in the first period.
    pub fn of(row: &Figures) -> Option<Self> {
        let change = Self {
            total: row.estimate("excess_change"),
            volume: row.estimate("excess_change_volume"),
            mix: row.estimate("excess_change_mix"),
            exposed_rate: row.estimate("excess_change_exposed_rate"),
            unexposed_rate: row.estimate("excess_change_unexposed_rate"),
        };
        change.total.is_some().then_some(change)
    }
}

/// The newest ranked period, and those after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoveredPeriods {
    /// The newest ranked period.
    pub ranked: Option<String>,
    /// Later periods of the same length, which are not over.
    pub running: Vec<String>,
}

/// Every journey of either, the best ranked of the second first.
pub(super) async fn moves(
    session: &SessionContext,
    from: &Tables,
    to: &Tables,
    period: Option<&str>,
) -> Result<Vec<JourneyMove>, EngineError> {
    let before = all_segments(from.rows(session, KEY_JOURNEYS)?).await?;
    let now = all_segments(to.rows(session, KEY_JOURNEYS)?).await?;
    let (periods_before, periods) = (KeyPeriods::of(&before), KeyPeriods::of(&now));
    let (shown_before, shown) = match period {
        Some(name) => (periods_before.named(name).ok(), Some(periods.named(name)?)),
        None => (periods_before.shown(), periods.shown()),
    };
    let is_successive = shown.and_then(|shown| periods.before(shown)).map(|period| &period.name)
        == shown_before.map(|period| &period.name);
    let (mut before, now) = (in_period(&before, shown_before), in_period(&now, shown));
    let mut changes: BTreeMap<String, ExcessChange> = BTreeMap::new();
    if is_successive && shown_before.is_some() {
        changes.extend(now.iter().filter_map(|(journey, row)| Some((journey.clone(), ExcessChange::of(row)?))));
    }
    let mut now =
        now.into_iter().filter_map(|(journey, row)| Some((journey, figures(row)?))).collect::<BTreeMap<_, _>>();
    let names: BTreeSet<String> = before.keys().chain(now.keys()).cloned().collect();
    let mut moves: Vec<JourneyMove> = names
        .into_iter()
        .map(|journey| JourneyMove {
            from: before.remove(&journey).and_then(figures),
            to: now.remove(&journey),
            change: changes.remove(&journey),
            journey,
        })
        .collect();
    let rank = |figures: &Option<JourneyFigures>| figures.as_ref().and_then(|figures| figures.rank).unwrap_or(i64::MAX);
    moves.sort_by_key(|moved| (rank(&moved.to), rank(&moved.from)));
    Ok(moves)
}

/// Which periods of a run or snapshot are ranked; `None` where the pipeline ranks no journeys.
pub async fn covered_periods(published: &Published) -> Result<Option<CoveredPeriods>, EngineError> {
    if !published.record.tables.contains_key(KEY_JOURNEYS) {
        return Ok(None);
    }
    let periods = KeyPeriods::of(&all_segments(Some(published.table(KEY_JOURNEYS).await?)).await?);
    let Some(shown) = periods.shown() else { return Ok(None) };
    let running = periods.of_kind(&shown.kind).filter(|period| period.state == PeriodState::Running);
    Ok(Some(CoveredPeriods {
        ranked: (shown.state == PeriodState::Ranked).then(|| shown.name.clone()),
        running: running.map(|period| period.name.clone()).collect(),
    }))
}

fn in_period<'r>(rows: &'r [Figures], period: Option<&KeyPeriod>) -> BTreeMap<String, &'r Figures> {
    let of_it = |row: &&Figures| {
        period.is_some_and(|period| {
            row.instant("period_start") == Some(period.start) && row.text("period").as_deref() == Some(&period.name)
        })
    };
    rows.iter().filter(of_it).filter_map(|row| Some((row.text("journey")?, row))).collect()
}

/// A pipeline may have a table of this name with other columns; that one is left out.
async fn all_segments(table: Option<DataFrame>) -> Result<Vec<Figures>, EngineError> {
    let Some(table) = table else { return Ok(Vec::new()) };
    if KEY_JOURNEYS_COLUMNS.iter().any(|column| !table.schema().has_column_with_unqualified_name(column)) {
        return Ok(Vec::new());
    }
    Ok(Figures::of(&table.filter(ident("segment").eq(lit(ALL)))?.collect().await?))
}

fn figures(row: &Figures) -> Option<JourneyFigures> {
    Some(JourneyFigures {
        period: row.text("period")?,
        status: row.text("status")?,
        tier: row.text("tier"),
        rank: row.whole("rank"),
        priority: row.number("priority"),
        exposed_customers: row.whole("exposed_customers"),
        exposed_churn_rate: row.number("exposed_churn_rate"),
        like_churn_rate: row.number("like_churn_rate"),
        adjusted_rate_ratio: row.number("adjusted_rate_ratio"),
        excess_churners: row.estimate("excess_churners"),
    })
}
