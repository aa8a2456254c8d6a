//! How journeys moved from one snapshot to another: rank and key figures at the newest landmark that has matured.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use super::tables::Tables;
use crate::failure::EngineError;
use crate::read::figures::Figures;
use crate::read::published::Published;

const KEY_JOURNEYS: &str = "fct_key_journeys";
const ALL: &str = "all";

/// A journey in two snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JourneyMove {
    /// The journey.
    pub journey: String,
    /// Its figures in the earlier snapshot; absent when it was not in it.
    pub from: Option<JourneyFigures>,
    /// Its figures in the later snapshot; absent when it is not in it.
    pub to: Option<JourneyFigures>,
}

/// A journey's figures over all segments, at one landmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JourneyFigures {
    /// The landmark's day.
    pub landmark: String,
    /// `ok` or why it is not ranked.
    pub status: String,
    /// Its rank by priority.
    pub priority_rank: Option<i64>,
    /// Its rank by the data alone; ties share the mean.
    pub data_rank: Option<f64>,
    /// 0 to 1.
    pub priority: Option<f64>,
    /// Customers on it before the landmark.
    pub exposed: Option<i64>,
    /// The share of them that left after it.
    pub exposed_churn_rate: Option<f64>,
    /// The share of the others that left.
    pub unexposed_churn_rate: Option<f64>,
    /// Odds of leaving against the others' of the same segment and tenure.
    pub adjusted_odds_ratio: Option<f64>,
    /// Churners beyond the rate of the others of the same stratum.
    pub excess_churners: Option<f64>,
}

/// Which landmarks have churn figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Landmarks {
    /// The newest that has.
    pub matured: Option<String>,
    /// Later ones, whose outcome window had not ended at `as_of`.
    pub waiting: Vec<String>,
}

/// Every journey of either, the best ranked of the second first.
pub(super) async fn moves(
    session: &SessionContext,
    from: &Tables,
    to: &Tables,
) -> Result<Vec<JourneyMove>, EngineError> {
    let (mut before, mut now) = (
        at_newest_landmark(from.rows(session, KEY_JOURNEYS)?).await?,
        at_newest_landmark(to.rows(session, KEY_JOURNEYS)?).await?,
    );
    let names: BTreeSet<String> = before.keys().chain(now.keys()).cloned().collect();
    let mut moves: Vec<JourneyMove> = names
        .into_iter()
        .map(|journey| JourneyMove { from: before.remove(&journey), to: now.remove(&journey), journey })
        .collect();
    let rank = |figures: &Option<JourneyFigures>| {
        figures.as_ref().and_then(|figures| figures.priority_rank).unwrap_or(i64::MAX)
    };
    moves.sort_by_key(|moved| (rank(&moved.to), rank(&moved.from)));
    Ok(moves)
}

/// Which landmarks of a run or snapshot have matured; `None` where the pipeline ranks no journeys.
pub async fn landmarks(published: &Published) -> Result<Option<Landmarks>, EngineError> {
    if !published.record.tables.contains_key(KEY_JOURNEYS) {
        return Ok(None);
    }
    let rows = all_segments(Some(published.table(KEY_JOURNEYS).await?)).await?;
    let day = |row: &&Figures| row.day("landmark");
    let matured = rows.iter().filter(|row| has_matured(row)).filter_map(|row| day(&row)).max();
    let all: BTreeSet<String> = rows.iter().filter_map(|row| day(&row)).collect();
    let waiting = all.into_iter().filter(|day| matured.as_ref().is_none_or(|matured| day > matured)).collect();
    Ok((!rows.is_empty()).then_some(Landmarks { matured, waiting }))
}

fn has_matured(row: &Figures) -> bool {
    row.text("status").is_some_and(|status| status != "not_matured")
}

async fn at_newest_landmark(table: Option<DataFrame>) -> Result<BTreeMap<String, JourneyFigures>, EngineError> {
    let rows = all_segments(table).await?;
    let newest = rows.iter().filter(|row| has_matured(row)).filter_map(|row| row.instant("landmark")).max();
    let at = rows.iter().filter(|row| newest.is_some() && row.instant("landmark") == newest);
    Ok(at.filter_map(|row| Some((row.text("journey")?, figures(row)?))).collect())
}

/// A pipeline may have a table of this name with other columns; that one is left out.
async fn all_segments(table: Option<DataFrame>) -> Result<Vec<Figures>, EngineError> {
    let Some(table) = table else { return Ok(Vec::new()) };
    let needed = ["journey", "segment", "landmark", "status"];
    if needed.iter().any(|column| !table.schema().has_column_with_unqualified_name(column)) {
        return Ok(Vec::new());
    }
    Ok(Figures::of(&table.filter(ident("segment").eq(lit(ALL)))?.collect().await?))
}

fn figures(row: &Figures) -> Option<JourneyFigures> {
    Some(JourneyFigures {
        landmark: row.day("landmark")?,
        status: row.text("status")?,
        priority_rank: row.whole("priority_rank"),
        data_rank: row.number("data_rank"),
        priority: row.number("priority"),
        exposed: row.whole("exposed"),
        exposed_churn_rate: row.number("exposed_churn_rate"),
        unexposed_churn_rate: row.number("unexposed_churn_rate"),
        adjusted_odds_ratio: row.number("adjusted_odds_ratio"),
        excess_churners: row.number("excess_churners"),
    })
}
