//! What every section reads: the tables, the pipeline, the period shown, and each journey's explanation.

use std::collections::BTreeMap;

use throughline_config::Pipeline;
use throughline_engine::{EngineError, Figures, KeyPeriod, PublishedTables};
use throughline_plan::Lineage;

use crate::explain::{Explanation, InPeriod, KeyJourneys, Settings, explanation};
use crate::numbers::day;

/// Rows, or why there are none.
pub(crate) type Found = Result<Vec<Figures>, String>;

pub(crate) struct Context<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) tables: &'a PublishedTables<'a>,
    pub(crate) settings: Settings,
    /// By rank, those without one last.
    pub(crate) explanations: Vec<Explanation>,
    /// Every period of every journey, or why there are none.
    pub(crate) key_journeys: Result<KeyJourneys, String>,
    /// What the columns of every model are made of today, or why that is not known.
    pub(crate) lineage: Result<Lineage, String>,
    labels: BTreeMap<String, String>,
}

impl<'a> Context<'a> {
    /// Reads what the pipeline has published, in `period` or else in the newest that is ranked.
    ///
    /// # Errors
    /// A table cannot be read, or there is no such period.
    pub(crate) async fn gather(
        pipeline: &'a Pipeline,
        tables: &'a PublishedTables<'a>,
        period: Option<&str>,
        lineage: Result<Lineage, String>,
    ) -> Result<Self, EngineError> {
        let mut key_journeys = KeyJourneys::read(tables, period).await?;
        if let (Err(reason), Some(period)) = (&key_journeys, period) {
            return Err(EngineError::refused(format!("there is no period {period}: {reason}"), ""));
        }
        let mut explanations = Vec::new();
        if let Ok(known) = &key_journeys {
            for journey in known.journeys() {
                explanations.push(explanation(tables, pipeline, known, &journey).await?);
            }
        }
        explanations.sort_by_key(|explanation| {
            let at = explanation.period.as_ref();
            (
                at.and_then(|at| at.rank).unwrap_or(i64::MAX),
                std::cmp::Reverse(at.and_then(|at| at.exposed_customers)),
                explanation.journey.clone(),
            )
        });
        if key_journeys.is_ok() && explanations.is_empty() {
            key_journeys = Err("`fct_key_journeys` has no row yet".to_owned());
        }
        let (settings, labels) = (Settings::of(pipeline), BTreeMap::new());
        let mut context = Self { pipeline, tables, settings, explanations, key_journeys, lineage, labels };
        context.labels = context.read_labels().await?;
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

    /// The period that the page is about, or why there is none.
    pub(crate) fn period(&self) -> Result<&KeyPeriod, &str> {
        match &self.key_journeys {
            Ok(known) => known.shown().ok_or("no period has figures yet"),
            Err(reason) => Err(reason),
        }
    }

    /// Explanations with figures of the period, by rank.
    pub(crate) fn in_period(&self) -> impl Iterator<Item = (&Explanation, &InPeriod)> {
        self.explanations.iter().filter_map(|explanation| Some((explanation, explanation.period.as_ref()?)))
    }
}
