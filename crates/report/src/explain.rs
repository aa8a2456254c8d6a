//! `throughline explain JOURNEY`: the published figures behind a journey's rank, gathered in one place.
//!
//! Everything is read from the tables of the last complete run; nothing is computed anew but sums of cells and the
//! scaled ranks that a priority is made of. What a pipeline does not publish, [`Explanation::missing`] names.

mod facts;

use std::collections::BTreeMap;

use throughline_config::{Pipeline, Variable, closest};
use throughline_engine::{EngineError, Figures, PrepareOptions, Published, PublishedTables};

pub use facts::{AtLandmark, Drivers, Explanation, NotMatured, Performance, Ranked, Stratum};

const KEY_JOURNEYS: &str = "fct_key_journeys";
const ALL: &str = "all";

/// Gathers what is published about `journey`.
///
/// # Errors
/// Nothing is published, the pipeline publishes no key journeys, or there is no such journey.
pub async fn explain(options: PrepareOptions, journey: &str) -> Result<Explanation, EngineError> {
    let (pipeline, published) = Published::open_with_pipeline(options).await?;
    let tables = PublishedTables::of(&published).await?;
    explain_from(&tables, &pipeline, journey).await
}

/// The same from tables that are open already.
///
/// # Errors
/// The pipeline publishes no key journeys, or there is no such journey.
pub async fn explain_from(
    tables: &PublishedTables<'_>,
    pipeline: &Pipeline,
    journey: &str,
) -> Result<Explanation, EngineError> {
    let published = tables.published();
    if !tables.has(KEY_JOURNEYS) {
        return Err(EngineError::refused(
            format!("`{KEY_JOURNEYS}` is not published in {}", published.record.pipeline),
            format!("make it first: throughline run --select +{KEY_JOURNEYS}"),
        ));
    }
    let reader = Reader { tables };
    let rows = tables.rows(KEY_JOURNEYS, &[("journey", journey), ("segment", ALL)]).await?.unwrap_or_default();
    if rows.is_empty() {
        return Err(reader.unknown(journey, pipeline).await?);
    }
    let mut missing = BTreeMap::new();
    let described = tables.rows("dim_journey", &[("journey", journey)]).await?;
    let described = described.and_then(|rows| rows.into_iter().next());
    let windows = tables.rows("landmark", &[]).await?.unwrap_or_default();
    let key = |row: &Figures| row.instant("landmark");
    let latest =
        rows.iter().filter(|row| row.text("status").as_deref() != Some("not_matured")).max_by_key(|row| key(row));
    let strata = match latest {
        Some(row) => reader.strata(journey, row, &mut missing).await?,
        None => Vec::new(),
    };
    let landmark = latest.map(|row| at_landmark(row, &windows, &strata, pipeline));
    if landmark.is_none() {
        missing.insert("churn".to_owned(), "no landmark has matured yet".to_owned());
    }
    let not_matured = rows
        .iter()
        .filter(|row| {
            row.text("status").as_deref() == Some("not_matured") && latest.is_none_or(|latest| key(row) > key(latest))
        })
        .map(|row| not_matured(row, &windows));
    let text = |name: &str| described.as_ref().and_then(|row| row.text(name));
    let mut explanation = Explanation {
        journey: journey.to_owned(),
        label: text("label"),
        owner: text("owner"),
        as_of: published.record.as_of.clone(),
        run_id: published.record.run_id.clone(),
        confidence: number(pipeline, "confidence", 0.95),
        minimum_arm: number(pipeline, "minimum_arm", 100.0) as i64,
        minimum_churners: number(pipeline, "minimum_churners", 10.0) as i64,
        eligible: text("eligible"),
        importance: described.as_ref().and_then(|row| row.whole("importance")),
        rationale: text("rationale"),
        landmark,
        not_matured: not_matured.collect(),
        ranking: match latest {
            Some(row) => reader.ranking(row).await?,
            None => Vec::new(),
        },
        strata: strata.into_iter().map(|(stratum, _, _)| stratum).collect(),
        performance: reader.performance(journey, &mut missing).await?,
        drivers: None,
        missing,
    };
    explanation.not_matured.sort_by(|left, right| left.landmark.cmp(&right.landmark));
    if let Some(row) = latest {
        explanation.drivers = reader.drivers(journey, row, &mut explanation.missing).await?;
    }
    Ok(explanation)
}

/// What of the run's tables an explanation is made of.
struct Reader<'a> {
    tables: &'a PublishedTables<'a>,
}

impl Reader<'_> {
    async fn unknown(&self, journey: &str, pipeline: &Pipeline) -> Result<EngineError, EngineError> {
        let rows = self.tables.rows(KEY_JOURNEYS, &[("segment", ALL)]).await?.unwrap_or_default();
        let mut known: Vec<String> = rows.iter().filter_map(|row| row.text("journey")).collect();
        known.sort();
        known.dedup();
        if pipeline.journeys.contains_key(journey) {
            return Ok(EngineError::refused(
                format!(
                    "the journey `{journey}` is defined, but the tables as of {} do not have it",
                    self.tables.published().record.as_of
                ),
                "make them anew: throughline run",
            ));
        }
        let near = closest(journey, known.iter().map(String::as_str));
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        Ok(EngineError::refused(format!("no journey `{journey}`"), format!("{near}published: {}", known.join(", "))))
    }

    /// The cells of a row's landmark, with the churners of the first seven days of either arm.
    async fn strata(
        &self,
        journey: &str,
        row: &Figures,
        missing: &mut BTreeMap<String, String>,
    ) -> Result<Vec<(Stratum, i64, i64)>, EngineError> {
        let Some(rows) = self.tables.rows("fct_key_journeys_stratum", &[("journey", journey)]).await? else {
            missing.insert("strata".to_owned(), "the pipeline publishes no fct_key_journeys_stratum".to_owned());
            return Ok(Vec::new());
        };
        let at = row.instant("landmark");
        let whole = |row: &Figures, name: &str| row.whole(name).unwrap_or(0);
        let strata = rows.iter().filter(|row| row.instant("landmark") == at).filter_map(|row| {
            let stratum = Stratum {
                segment: row.text("segment")?,
                tenure_band: row.text("tenure_band")?,
                exposed: whole(row, "exposed"),
                exposed_churners: whole(row, "a"),
                unexposed: whole(row, "unexposed"),
                unexposed_churners: whole(row, "c"),
            };
            Some((stratum, whole(row, "a_first_7_days"), whole(row, "c_first_7_days")))
        });
        let mut strata: Vec<(Stratum, i64, i64)> = strata.collect();
        strata.sort_by(|(left, ..), (right, ..)| {
            let key = |stratum: &Stratum| {
                (std::cmp::Reverse(stratum.exposed), stratum.segment.clone(), stratum.tenure_band.clone())
            };
            key(left).cmp(&key(right))
        });
        Ok(strata)
    }

    async fn ranking(&self, row: &Figures) -> Result<Vec<Ranked>, EngineError> {
        let at = row.instant("landmark");
        let rows = self.tables.rows(KEY_JOURNEYS, &[("segment", ALL), ("status", "ok")]).await?.unwrap_or_default();
        let ranked = rows.iter().filter(|row| row.instant("landmark") == at).filter_map(|row| {
            Some(Ranked {
                journey: row.text("journey")?,
                data_rank: row.number("data_rank"),
                expert_rank: row.number("expert_rank"),
                priority_rank: row.whole("priority_rank"),
                excess_churners_lower: row.number("excess_churners_lower"),
            })
        });
        let mut ranked: Vec<Ranked> = ranked.collect();
        ranked.sort_by(|left, right| (left.priority_rank, &left.journey).cmp(&(right.priority_rank, &right.journey)));
        Ok(ranked)
    }

    async fn performance(
        &self,
        journey: &str,
        missing: &mut BTreeMap<String, String>,
    ) -> Result<Vec<Performance>, EngineError> {
        let values = [("journey", journey), ("segment", ALL), ("period_kind", "quarter")];
        let Some(mut rows) = self.tables.rows("fct_journey_performance", &values).await? else {
            missing.insert("performance".to_owned(), "the pipeline publishes no fct_journey_performance".to_owned());
            return Ok(Vec::new());
        };
        rows.sort_by_key(|row| std::cmp::Reverse(row.instant("period_start")));
        if rows.is_empty() {
            missing.insert("performance".to_owned(), "no instance has started yet".to_owned());
        }
        let over = rows.iter().position(|row| row.text("maturity").as_deref() == Some("mature"));
        if over.is_none() && !rows.is_empty() {
            missing.insert("completion".to_owned(), "in no quarter is every instance over".to_owned());
        }
        let mut places = vec![0];
        places.extend(over.filter(|place| *place > 0));
        Ok(places.iter().filter_map(|&place| performance(rows.get(place)?)).collect())
    }

    async fn drivers(
        &self,
        journey: &str,
        row: &Figures,
        missing: &mut BTreeMap<String, String>,
    ) -> Result<Option<Drivers>, EngineError> {
        let Some(rows) = self.tables.rows("fct_journey_drivers", &[("journey", journey)]).await? else {
            missing.insert("drivers".to_owned(), "the pipeline publishes no fct_journey_drivers".to_owned());
            return Ok(None);
        };
        let at = row.instant("landmark");
        Ok(rows.iter().find(|row| row.instant("landmark") == at).and_then(|row| {
            Some(Drivers {
                landmark: row.day("landmark")?,
                status: row.text("status")?,
                reason: row.text("reason"),
                responders: row.whole("responders"),
                churners: row.whole("churners"),
                touchpoint_r2: row.number("touchpoint_r2"),
                journey_r2: row.number("journey_r2"),
                touchpoint_auc: row.number("touchpoint_auc"),
                journey_auc: row.number("journey_auc"),
                journey_beyond_touchpoint_p_value: row.number("journey_beyond_touchpoint_p_value"),
                touchpoint_beyond_journey_p_value: row.number("touchpoint_beyond_journey_p_value"),
                verdict: row.text("verdict"),
            })
        }))
    }
}

fn at_landmark(row: &Figures, windows: &[Figures], strata: &[(Stratum, i64, i64)], pipeline: &Pipeline) -> AtLandmark {
    let window = window(row, windows);
    let day = |name: &str| window.and_then(|window| window.day(name));
    let whole = |name: &str| row.whole(name).unwrap_or(0);
    let flags = row.text("flags").unwrap_or_default();
    let early = |pick: fn(&(Stratum, i64, i64)) -> i64| (!strata.is_empty()).then(|| strata.iter().map(pick).sum());
    AtLandmark {
        landmark: row.day("landmark").unwrap_or_default(),
        period: row.text("landmark_period"),
        exposure_from: day("exposure_from"),
        outcome_from: day("outcome_from"),
        outcome_until: day("outcome_until"),
        status: row.text("status").unwrap_or_default(),
        reason: row.text("reason"),
        flags: flags.split(", ").filter(|flag| !flag.is_empty()).map(str::to_owned).collect(),
        instances: row.whole("instances"),
        customers: row.whole("customers"),
        eligible: row.whole("eligible"),
        exposed: whole("exposed"),
        unexposed: whole("unexposed"),
        carried_over: whole("carried_over"),
        censored: whole("censored"),
        exposed_churners: whole("a"),
        unexposed_churners: whole("c"),
        exposed_churners_first_7_days: early(|(_, exposed, _)| *exposed),
        unexposed_churners_first_7_days: early(|(_, _, unexposed)| *unexposed),
        exposed_in_empty_margins: row.whole("exposed_in_empty_margins"),
        sparse_exposed: row.whole("sparse_exposed"),
        exposed_churn_rate: row.estimate("exposed_churn_rate"),
        unexposed_churn_rate: row.estimate("unexposed_churn_rate"),
        risk_difference: row.estimate("risk_difference"),
        survival_difference: row.estimate("survival_difference"),
        log_rank_p_value: row.number("log_rank_p_value"),
        odds_ratio: row.estimate("odds_ratio"),
        adjusted_odds_ratio: row.estimate("adjusted_odds_ratio"),
        excess_churners: row.estimate("excess_churners"),
        attributable_share: row.number("attributable_share"),
        excess_revenue: row.number("excess_revenue"),
        p_value: row.number("p_value"),
        q_value: row.number("q_value"),
        homogeneity_p_value: row.number("homogeneity_p_value"),
        data_rank: row.number("data_rank"),
        expert_rank: row.number("expert_rank"),
        priority: row.number("priority"),
        priority_rank: row.whole("priority_rank"),
        agreement: row.text("agreement"),
        priority_weight: number(pipeline, "priority_weight", 0.7),
    }
}

fn window<'a>(row: &Figures, windows: &'a [Figures]) -> Option<&'a Figures> {
    windows.iter().find(|window| window.instant("landmark") == row.instant("landmark"))
}

fn not_matured(row: &Figures, windows: &[Figures]) -> NotMatured {
    NotMatured {
        landmark: row.day("landmark").unwrap_or_default(),
        outcome_until: window(row, windows).and_then(|window| window.day("outcome_until")),
        exposed: row.whole("exposed"),
        reason: row.text("reason"),
    }
}

fn performance(row: &Figures) -> Option<Performance> {
    Some(Performance {
        period: row.text("period")?,
        instances: row.whole("instances")?,
        completed: row.whole("completed"),
        abandoned: row.whole("abandoned"),
        expired: row.whole("expired"),
        restarted: row.whole("restarted"),
        open: row.whole("open"),
        completion_rate: row.estimate("completion_rate"),
        completion_rate_target: row.number("completion_rate_target"),
        maturity_reason: row.text("maturity_reason"),
        measured_instances: row.whole("measured_instances"),
        measured_completed: row.whole("measured_completed"),
        duration_p50_s: row.number("duration_p50_s"),
        duration_p50_s_target: row.number("duration_p50_s_target"),
        duration_p90_s: row.number("duration_p90_s"),
        contacts_per_instance: row.number("contacts_per_instance"),
        contacts: row.whole("contacts"),
        repeat_contact_rate: row.number("repeat_contact_rate"),
        touchpoint_satisfaction: row.number("touchpoint_satisfaction"),
        touchpoint_responses: row.whole("touchpoint_responses"),
        journey_satisfaction: row.number("journey_satisfaction"),
        journey_responses: row.whole("journey_responses"),
        journey_satisfaction_target: row.number("journey_satisfaction_target"),
        satisfaction_gap: row.estimate("satisfaction_gap"),
        gap_instances: row.whole("gap_instances"),
        gap_touchpoint_satisfaction: row.number("gap_touchpoint_satisfaction"),
        gap_journey_satisfaction: row.number("gap_journey_satisfaction"),
        all_satisfied_instances: row.whole("all_satisfied_instances"),
        touchpoint_answered_instances: row.whole("touchpoint_answered_instances"),
        journey_satisfied_instances: row.whole("journey_satisfied_instances"),
        journey_answered_instances: row.whole("journey_answered_instances"),
    })
}

/// A variable of the pipeline as a number.
fn number(pipeline: &Pipeline, name: &str, otherwise: f64) -> f64 {
    match pipeline.variables.get(name).map(|variable| &variable.value) {
        Some(Variable::Float(number)) => *number,
        Some(Variable::Integer(number)) => *number as f64,
        _ => otherwise,
    }
}
