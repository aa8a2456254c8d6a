//! `throughline explain JOURNEY`: the published figures behind a journey's rank, gathered in one place.
//!
//! Everything is read from the tables of the last complete run; nothing is computed. What a pipeline does not
//! publish, [`Explanation::missing`] names.

mod facts;
mod beside;
mod settings;
mod key_journeys;

use std::collections::BTreeMap;

use throughline_config::{Pipeline, closest};
use throughline_engine::{EngineError, Figures, KEY_JOURNEYS, KeyPeriod, PrepareOptions, Published, PublishedTables};

pub use beside::{Drivers, Performance};
pub use facts::{Explanation, InPeriod, Ranked, SinceTouchpoint, Together};
pub(crate) use key_journeys::{KeyJourneys, TOGETHER, is_of, together};
pub use settings::Settings;

const ALL: &str = "all";

/// Gathers what is published about `journey`, in `period` or else in the newest period that is ranked.
///
/// # Errors
/// Nothing is published, the pipeline publishes no key journeys, or there is no such journey or period.
pub async fn explain(options: PrepareOptions, journey: &str, period: Option<&str>) -> Result<Explanation, EngineError> {
    let (pipeline, published) = Published::open_with_pipeline(options).await?;
    let tables = PublishedTables::of(&published).await?;
    explain_from(&tables, &pipeline, journey, period).await
}

/// The same from tables that are open already.
///
/// # Errors
/// The pipeline publishes no key journeys, or there is no such journey or period.
pub async fn explain_from(
    tables: &PublishedTables<'_>,
    pipeline: &Pipeline,
    journey: &str,
    period: Option<&str>,
) -> Result<Explanation, EngineError> {
    if !tables.has(KEY_JOURNEYS) {
        return Err(EngineError::refused(
            format!("`{KEY_JOURNEYS}` is not published in {}", tables.published().record.pipeline),
            format!("make it first: throughline run --select +{KEY_JOURNEYS}"),
        ));
    }
    let known = match KeyJourneys::read(tables, period).await? {
        Ok(known) => known,
        Err(reason) => return Err(EngineError::refused(reason, "its rows: throughline show fct_key_journeys")),
    };
    if !known.journeys().iter().any(|other| other == journey) {
        return Err(unknown(tables, &known, journey, pipeline));
    }
    explanation(tables, pipeline, &known, journey).await
}

fn unknown(tables: &PublishedTables<'_>, known: &KeyJourneys, journey: &str, pipeline: &Pipeline) -> EngineError {
    if pipeline.journeys.contains_key(journey) {
        return EngineError::refused(
            format!(
                "the journey `{journey}` is defined, but the tables as of {} do not have it",
                tables.published().record.as_of
            ),
            "make the tables again: throughline run",
        );
    }
    let known = known.journeys();
    let near = closest(journey, known.iter().map(String::as_str));
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    EngineError::refused(format!("no journey `{journey}`"), format!("{near}published: {}", known.join(", ")))
}

/// What is published about a journey of the table.
pub(crate) async fn explanation(
    tables: &PublishedTables<'_>,
    pipeline: &Pipeline,
    known: &KeyJourneys,
    journey: &str,
) -> Result<Explanation, EngineError> {
    let mut reader = Reader { tables, missing: BTreeMap::new() };
    for input in pipeline.inputs.values().filter(|input| !input.given) {
        reader.missing.extend(input.without.clone().map(|without| (input.words(), without)));
    }
    let described = tables.rows("dim_journey", &[("journey", journey)]).await?;
    let described = described.and_then(|rows| rows.into_iter().next());
    let text = |name: &str| described.as_ref().and_then(|row| row.text(name));
    let record = &tables.published().record;
    let mut explanation = Explanation {
        journey: journey.to_owned(),
        label: text("label"),
        owner: text("owner"),
        as_of: record.as_of.clone(),
        run_id: record.run_id.clone(),
        settings: Settings::of(pipeline),
        eligible: text("eligible"),
        eligible_from: text("eligible_from"),
        eligible_until: text("eligible_until"),
        importance: described.as_ref().and_then(|row| row.whole("importance")),
        rationale: text("rationale"),
        performance: reader.performance(journey).await?,
        drivers: reader.drivers(journey).await?,
        ..Explanation::default()
    };
    let Some(period) = known.shown() else {
        reader.missing.insert("churn".to_owned(), "no period has figures yet".to_owned());
        return Ok(Explanation { missing: reader.missing, ..explanation });
    };
    explanation.period = known.in_period(journey, period);
    if explanation.period.is_none() {
        reader.missing.insert("churn".to_owned(), format!("there are no figures of it in {}", period.name));
    }
    if explanation.period.as_ref().is_none_or(|at| at.status != "ok") {
        explanation.last_ranked = known.last_ranked(journey, period).map(Box::new);
    }
    explanation.running = known.running(journey, period);
    explanation.segments = reader.segments(journey, period).await?;
    explanation.profile = reader.profile(journey, period).await?;
    explanation.together = together(tables, period).await?;
    explanation.ranking = known.ranking(period);
    Ok(Explanation { missing: reader.missing, ..explanation })
}

/// What of the run's tables an explanation is made of.
struct Reader<'a> {
    tables: &'a PublishedTables<'a>,
    missing: BTreeMap<String, String>,
}

impl Reader<'_> {
    /// Rows of a table that a pipeline may lack; without it, the reason is kept under `what`.
    async fn rows(
        &mut self,
        what: &str,
        table: &str,
        values: &[(&str, &str)],
    ) -> Result<Option<Vec<Figures>>, EngineError> {
        let needed: Vec<&str> = values.iter().map(|(column, _)| *column).collect();
        let reason = if !self.tables.has(table) {
            format!("the pipeline publishes no {table}")
        } else {
            let lacking = self.tables.lacking(table, &needed).await?;
            if lacking.is_empty() {
                return self.tables.rows(table, values).await;
            }
            format!("{table} has no column {}", lacking.join(", "))
        };
        self.missing.insert(what.to_owned(), reason);
        Ok(None)
    }

    /// The journey's figures of each segment, by name.
    async fn segments(&mut self, journey: &str, period: &KeyPeriod) -> Result<Vec<InPeriod>, EngineError> {
        let rows = self.rows("segments", KEY_JOURNEYS, &[("journey", journey)]).await?.unwrap_or_default();
        let of_segments = rows.iter().filter(|row| is_of(row, period) && row.text("segment").as_deref() != Some(ALL));
        let mut segments: Vec<InPeriod> = of_segments.map(InPeriod::of).collect();
        segments.sort_by(|left, right| left.segment.cmp(&right.segment));
        Ok(segments)
    }

    async fn profile(&mut self, journey: &str, period: &KeyPeriod) -> Result<Vec<SinceTouchpoint>, EngineError> {
        let values = [("journey", journey), ("segment", ALL)];
        let rows = self.rows("profile", "fct_key_journeys_profile", &values).await?.unwrap_or_default();
        let bands = rows.iter().filter(|row| is_of(row, period)).filter_map(|row| {
            Some(SinceTouchpoint {
                days: row.text("since_touchpoint")?,
                person_days: row.whole("person_days"),
                leavers: row.whole("leavers"),
                adjusted_rate_ratio: row.estimate("adjusted_rate_ratio"),
                reason: row.text("reason"),
            })
        });
        let mut bands: Vec<SinceTouchpoint> = bands.collect();
        bands.sort_by_key(|band| {
            let first = band.days.split('-').next().and_then(|days| days.trim().parse::<u32>().ok());
            (first.unwrap_or(u32::MAX), band.days.clone())
        });
        Ok(bands)
    }

    async fn performance(&mut self, journey: &str) -> Result<Vec<Performance>, EngineError> {
        let values = [("journey", journey), ("segment", ALL), ("period_kind", "quarter")];
        let Some(mut rows) = self.rows("performance", "fct_journey_performance", &values).await? else {
            return Ok(Vec::new());
        };
        rows.sort_by_key(|row| std::cmp::Reverse(row.instant("period_start")));
        if rows.is_empty() {
            self.missing.insert("performance".to_owned(), "no instance has started yet".to_owned());
        }
        let over = rows.iter().position(|row| row.text("maturity").as_deref() == Some("mature"));
        if over.is_none() && !rows.is_empty() {
            self.missing.insert("completion".to_owned(), "in no quarter is every instance over".to_owned());
        }
        let mut places = vec![0];
        places.extend(over.filter(|place| *place > 0));
        Ok(places.iter().filter_map(|&place| Performance::of(rows.get(place)?)).collect())
    }

    /// The newest landmark, and the newest at which the models could be fitted, where that is an earlier one.
    async fn drivers(&mut self, journey: &str) -> Result<Vec<Drivers>, EngineError> {
        let Some(mut rows) = self.rows("drivers", "fct_journey_drivers", &[("journey", journey)]).await? else {
            return Ok(Vec::new());
        };
        rows.retain(|row| row.text("status").as_deref() != Some("not_matured"));
        rows.sort_by_key(|row| std::cmp::Reverse(row.instant("landmark")));
        if rows.is_empty() {
            let reason = "nobody's leaving after a quarter's end is known yet".to_owned();
            self.missing.insert("drivers".to_owned(), reason);
        }
        let fitted = rows.iter().position(|row| row.text("status").as_deref() == Some("ok"));
        let mut places = vec![0];
        places.extend(fitted.filter(|place| *place > 0));
        Ok(places.iter().filter_map(|&place| Drivers::of(rows.get(place)?)).collect())
    }
}
