//! What every section reads: the tables, the pipeline, and each journey's explanation.

use std::collections::BTreeMap;

use throughline_config::Pipeline;
use throughline_engine::{EngineError, Figures, PublishedTables};
use throughline_plan::Lineage;

use crate::explain::{AtLandmark, Explanation, explain_from};
use crate::numbers::day;
use crate::verdict::Verdict;

/// Every column of `fct_key_journeys` without which nothing can be said of churn.
const KEY_JOURNEYS: [&str; 8] =
    ["journey", "landmark", "segment", "status", "exposed", "unexposed", "adjusted_odds_ratio", "excess_churners"];

/// Rows, or why there are none.
pub(crate) type Found = Result<Vec<Figures>, String>;

pub(crate) struct Context<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) tables: &'a PublishedTables<'a>,
    /// By priority, those without a rank last.
    pub(crate) explanations: Vec<Explanation>,
    /// Why there are no explanations.
    pub(crate) no_churn: Option<String>,
    /// What the columns of every model are made of today, or why that cannot be told.
    pub(crate) lineage: Result<Lineage, String>,
    labels: BTreeMap<String, String>,
}

impl<'a> Context<'a> {
    pub(crate) async fn gather(
        pipeline: &'a Pipeline,
        tables: &'a PublishedTables<'a>,
        lineage: Result<Lineage, String>,
    ) -> Result<Self, EngineError> {
        let (explanations, labels) = (Vec::new(), BTreeMap::new());
        let mut context = Self { pipeline, tables, explanations, no_churn: None, lineage, labels };
        context.labels = context.read_labels().await?;
        match context.rows("fct_key_journeys", &KEY_JOURNEYS, &[("segment", "all")]).await? {
            Err(reason) => context.no_churn = Some(reason),
            Ok(rows) => {
                let mut journeys: Vec<String> = rows.iter().filter_map(|row| row.text("journey")).collect();
                journeys.sort();
                journeys.dedup();
                for journey in &journeys {
                    context.explanations.push(explain_from(tables, pipeline, journey).await?);
                }
                context.explanations.sort_by_key(|explanation| {
                    let at = explanation.landmark.as_ref();
                    (
                        at.and_then(|at| at.priority_rank).unwrap_or(i64::MAX),
                        std::cmp::Reverse(at.map_or(0, |at| at.exposed)),
                        explanation.journey.clone(),
                    )
                });
                if journeys.is_empty() {
                    context.no_churn = Some("`fct_key_journeys` has no row yet".to_owned());
                }
            }
        }
        Ok(context)
    }

    async fn read_labels(&self) -> Result<BTreeMap<String, String>, EngineError> {
        let defined = self.pipeline.journeys.values();
        let mut labels: BTreeMap<String, String> =
            defined.map(|journey| (journey.name.value.clone(), journey.label.clone())).collect();
        // What the run published comes before what the files say today.
        let published = self.rows("dim_journey", &["journey", "label"], &[]).await?.unwrap_or_default();
        labels.extend(published.iter().filter_map(|row| Some((row.text("journey")?, row.text("label")?))));
        Ok(labels)
    }

    /// Rows of a table in which text columns have these values, or the sentence that says why there are none.
    pub(crate) async fn rows(
        &self,
        table: &str,
        columns: &[&str],
        values: &[(&str, &str)],
    ) -> Result<Found, EngineError> {
        if let Some(reason) = self.unreadable(table, columns).await? {
            return Ok(Err(reason));
        }
        Ok(Ok(self.tables.rows(table, values).await?.unwrap_or_default()))
    }

    /// The rows of a SELECT that reads `columns` of `table`, or the sentence that says why there are none.
    pub(crate) async fn select(&self, table: &str, columns: &[&str], sql: &str) -> Result<Found, EngineError> {
        if let Some(reason) = self.unreadable(table, columns).await? {
            return Ok(Err(reason));
        }
        match self.tables.select(sql).await {
            Ok(rows) => Ok(Ok(rows)),
            Err(EngineError::Refused { message, .. }) => {
                Ok(Err(format!("`{table}` has columns of other types than are read here ({message})")))
            }
            Err(error) => Err(error),
        }
    }

    async fn unreadable(&self, table: &str, columns: &[&str]) -> Result<Option<String>, EngineError> {
        if !self.tables.has(table) {
            return Ok(Some(format!("this pipeline publishes no `{table}`")));
        }
        let lacking = self.tables.lacking(table, columns).await?;
        Ok((!lacking.is_empty()).then(|| format!("`{table}` has no column {}", lacking.join(", "))))
    }

    /// What a journey is called.
    pub(crate) fn label(&self, journey: &str) -> String {
        self.labels.get(journey).cloned().unwrap_or_else(|| journey.to_owned())
    }

    /// The day of the cut.
    pub(crate) fn as_of(&self) -> &str {
        day(&self.tables.published().record.as_of)
    }

    /// The latest matured landmark of any journey.
    pub(crate) fn landmark(&self) -> Option<&AtLandmark> {
        let matured = self.explanations.iter().filter_map(|explanation| explanation.landmark.as_ref());
        matured.max_by(|left, right| left.landmark.cmp(&right.landmark))
    }

    /// Explanations with a landmark, by priority.
    pub(crate) fn matured(&self) -> impl Iterator<Item = (&Explanation, &AtLandmark)> {
        self.explanations.iter().filter_map(|explanation| Some((explanation, explanation.landmark.as_ref()?)))
    }
}

/// `2026-Q2, 2026-07-01`.
pub(crate) fn landmark_name(at: &AtLandmark) -> String {
    match &at.period {
        Some(period) => format!("{} (end of {period})", at.landmark),
        None => at.landmark.clone(),
    }
}

/// Whether a journey is linked to churn beyond chance, and which way.
pub(crate) fn verdict(at: &AtLandmark, confidence: f64) -> Verdict {
    let direction =
        at.adjusted_odds_ratio.map(|ratio| ratio.value.ln()).or(at.excess_churners.map(|excess| excess.value));
    verdict_of(&at.status, at.q_value, direction, confidence)
}

/// The same from the figures of a row.
pub(crate) fn verdict_of(status: &str, q_value: Option<f64>, direction: Option<f64>, confidence: f64) -> Verdict {
    if status != "ok" {
        return Verdict::Unranked;
    }
    match (q_value, direction) {
        (Some(q), Some(direction)) if q < 1.0 - confidence => {
            if direction > 0.0 {
                Verdict::More
            } else {
                Verdict::Fewer
            }
        }
        _ => Verdict::Chance,
    }
}
