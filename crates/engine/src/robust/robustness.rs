//! The variants of one journey in one period, judged and counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::{ident, lit};
use throughline_config::{Duration, Pipeline, Timestamp, Variable};

use super::days::{COUNTED, Counted, Days, Scope, touchpoints};
use super::judge::{JUDGING, OF_PERIODS, judge};
use super::result::{RobustVariant, Robustness};
use super::surroundings::{Run, lacks, missing};
use super::variants::{DAY, Variant, days, variants};
use crate::failure::EngineError;
use crate::read::figures::Figures;
use crate::read::key_periods::{KEY_JOURNEYS, KeyPeriod, KeyPeriods, PeriodState};
use crate::read::published::Published;
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::prepare;

/// Two computations of one figure differ by less than this, as a share of it.
const SAME: f64 = 1e-9;

/// Judges `journey` in `period`, or in the newest that is ranked, with its limits halved, kept and doubled and under
/// several horizons of exposure. Every figure is made by the pipeline's own models; the other journeys keep what is
/// published of them.
///
/// # Errors
/// Nothing is published, or not by today's definitions and sources; there is no such journey or period, or the period is
/// not whole; the pipeline lacks a model of key journeys.
pub async fn robustness(
    options: PrepareOptions,
    journey: &str,
    period: Option<&str>,
) -> Result<Robustness, EngineError> {
    let run = run_to_vary(options).await?;
    let plan = &run.prepared.plan;
    let Some(definition) = plan.pipeline.journeys.get(journey) else {
        let known = plan.pipeline.journeys.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(EngineError::refused(format!("no journey `{journey}`"), format!("defined are: {known}")));
    };
    let own_horizon = horizon(&plan.pipeline);
    let (scope, shown, published_row) = in_period(&run, journey, period).await?;

    let all = variants(definition, own_horizon);
    let known = |variant: &Variant| reaches_back(&run, variant.horizon) <= scope.from;
    let judged: Vec<Variant> = all.iter().filter(|variant| known(variant)).cloned().collect();
    let mut counted = Counted::default();
    let counting = Days::open(&run, &scope).await?;
    for of_horizon in judged.chunk_by(|left, right| left.horizon == right.horizon) {
        if let Some(first) = of_horizon.first() {
            counting.count(first.horizon, of_horizon, &mut counted).await?;
        }
    }
    drop(counting);
    let rows = judge(&run, &scope, &judged, counted).await?;
    agrees(&all, &rows, &published_row).map_err(|figure| {
        run_again(format!("the sources no longer give the published `{figure}` of {journey}: rows have changed since"))
    })?;

    let tier = published_row.text("tier");
    let variants: Vec<RobustVariant> = all
        .iter()
        .map(|variant| match rows.get(variant.name()) {
            Some(row) => robust_variant(variant, row, &tier),
            None => unknown(variant, &shown),
        })
        .collect();
    Ok(Robustness {
        journey: journey.to_owned(),
        period: shown.name,
        as_of: run.published.record.as_of.clone(),
        confidence: confidence(&plan.pipeline),
        within_days: definition.within.map(days),
        idle_days: definition.idle.map(days),
        exposure_horizon_days: days(own_horizon),
        rank: published_row.whole("rank"),
        reason: published_row.text("reason"),
        tier,
        judged: variants.iter().filter(|variant| variant.keeps_tier.is_some()).count(),
        keeps_tier: variants.iter().filter(|variant| variant.keeps_tier == Some(true)).count(),
        variants,
    })
}

/// The newest complete run, and today's plan as of the same instant, which has to be the plan that made it.
async fn run_to_vary(options: PrepareOptions) -> Result<Run, EngineError> {
    let newest = Published::open(options.clone()).await?;
    let as_of = newest.as_of().ok_or_else(|| run_again("the newest run does not say as of when it is"))?;
    let prepared = Arc::new(prepare(PrepareOptions { as_of, ..options }).await?);
    let plan = &prepared.plan;
    let needed = COUNTED.iter().chain(&JUDGING).chain(&OF_PERIODS).chain(&["membership_stretch", "counted_month"]);
    if let Some(model) = missing(plan, &needed.copied().collect::<Vec<_>>()) {
        return Err(lacks(plan, model));
    }
    if touchpoints(plan).is_none() {
        return Err(EngineError::refused(
            "`journey_state` is not made by the matcher, so other limits cannot be tried",
            "make it with `match: touchpoints` and `rows: states`, as pipelines/key_journeys.yaml does",
        ));
    }
    let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
    let published = published.filter(|published| published.as_of() == Some(as_of));
    let published = published.ok_or_else(|| run_again("another run has published since"))?;
    let is_of_today = |name: &str| {
        let fingerprint = plan.step(name).map(|step| step.fingerprint.as_str());
        published.record.steps.iter().any(|made| made.step == name && Some(made.fingerprint.as_str()) == fingerprint)
    };
    if !is_of_today(KEY_JOURNEYS) {
        return Err(run_again(format!("`{KEY_JOURNEYS}` was published by other definitions than today's")));
    }
    Ok(Run { prepared, published })
}

fn run_again(message: impl Into<String>) -> EngineError {
    EngineError::refused(message, "make the tables again: throughline run")
}

/// The period with its days, and what is published of the journey in it.
async fn in_period(run: &Run, journey: &str, period: Option<&str>) -> Result<(Scope, KeyPeriod, Figures), EngineError> {
    let session = run.prepared.session()?;
    for name in [KEY_JOURNEYS, "key_journey_period"] {
        run.published.register_table(name, &session).await?;
    }
    let of_all = session.table(KEY_JOURNEYS).await?.filter(ident("segment").eq(lit("all")))?;
    let rows = Figures::of(&of_all.collect().await?);
    let periods = KeyPeriods::of(&rows);
    let shown = match period {
        Some(name) => Some(periods.named(name)?),
        None => periods.shown(),
    };
    let shown = shown.ok_or_else(|| {
        EngineError::refused("no period has figures yet", "a quarter is ranked when its last day is counted")
    })?;
    if matches!(shown.state, PeriodState::Running | PeriodState::Partial) {
        let ranked = ["quarter", "month"].into_iter().flat_map(|kind| periods.of_kind(kind));
        let ranked = ranked.filter(|period| period.state == PeriodState::Ranked).map(|period| period.name.as_str());
        let ranked = ranked.collect::<Vec<_>>().join(", ");
        let ranked = if ranked.is_empty() { "none yet".to_owned() } else { ranked };
        return Err(EngineError::refused(
            format!("not all days of {} are counted, so nothing is ranked in it", shown.name),
            format!("name a period that is ranked, with --period: {ranked}"),
        ));
    }
    let is_shown = |row: &&Figures| {
        row.instant("period_start") == Some(shown.start) && row.text("period_kind").as_ref() == Some(&shown.kind)
    };
    let row = rows.iter().filter(is_shown).find(|row| row.text("journey").as_deref() == Some(journey));
    let row = row.ok_or_else(|| {
        EngineError::refused(
            format!("there are no figures of {journey} in {}", shown.name),
            format!("its periods: throughline query \"SELECT period FROM {KEY_JOURNEYS} WHERE journey = '{journey}'\""),
        )
    })?;
    let days = Figures::of(&session.table("key_journey_period").await?.collect().await?);
    let days = days.iter().find(is_shown).and_then(|row| row.instant("first_day").zip(row.instant("last_day")));
    let (first, last) = days.ok_or_else(|| EngineError::internal(format!("{} has no days", shown.name)))?;
    let scope = Scope {
        journey: journey.to_owned(),
        period_kind: shown.kind.clone(),
        period_start: shown.start,
        from: first,
        until: last + DAY,
    };
    Ok((scope, shown.clone(), row.clone()))
}

/// The first instant at which states under a horizon are known (SEMANTICS 5).
fn reaches_back(run: &Run, Duration(horizon): Duration) -> Timestamp {
    run.plan().pipeline.start.value.saturating_add(horizon)
}

/// The variant that is the definition itself has the published figures; the first column that differs.
fn agrees(variants: &[Variant], rows: &BTreeMap<String, Figures>, published: &Figures) -> Result<(), &'static str> {
    let own = variants.iter().find(|variant| variant.is_own).and_then(|variant| rows.get(variant.name()));
    let Some(own) = own else { return Err("row") };
    for name in ["status", "tier", "rank", "exposed_customers", "exposed_days", "exposed_leavers", "unexposed_leavers"]
    {
        if own.text(name) != published.text(name) {
            return Err(name);
        }
    }
    for name in ["excess_churners", "excess_churners_lower", "excess_churners_upper", "mutual_rate_ratio", "q_value"] {
        let is_same = match (own.number(name), published.number(name)) {
            (Some(own), Some(published)) => (own - published).abs() <= SAME * published.abs().max(1.0),
            (own, published) => own == published,
        };
        if !is_same {
            return Err(name);
        }
    }
    Ok(())
}

fn robust_variant(variant: &Variant, row: &Figures, published_tier: &Option<String>) -> RobustVariant {
    let tier = row.text("tier");
    RobustVariant {
        status: row.text("status").unwrap_or_default(),
        reason: row.text("reason"),
        rank: row.whole("rank"),
        exposed_customers: row.whole("exposed_customers"),
        exposed_leavers: row.whole("exposed_leavers"),
        excess_churners: row.estimate("excess_churners"),
        mutual_rate_ratio: row.estimate("mutual_rate_ratio"),
        q_value: row.number("q_value"),
        keeps_tier: Some(tier == *published_tier),
        tier,
        ..nothing_of(variant)
    }
}

fn unknown(variant: &Variant, period: &KeyPeriod) -> RobustVariant {
    let reason = format!("of the first days of {} it is not known who was on it in the time before", period.name);
    RobustVariant { status: "unknown".to_owned(), reason: Some(reason), ..nothing_of(variant) }
}

fn nothing_of(variant: &Variant) -> RobustVariant {
    RobustVariant {
        within_days: variant.definition.within.map(days),
        idle_days: variant.definition.idle.map(days),
        exposure_horizon_days: days(variant.horizon),
        is_published: variant.is_own,
        status: String::new(),
        reason: None,
        tier: None,
        rank: None,
        exposed_customers: None,
        exposed_leavers: None,
        excess_churners: None,
        mutual_rate_ratio: None,
        q_value: None,
        keeps_tier: None,
    }
}

fn horizon(pipeline: &Pipeline) -> Duration {
    match pipeline.variables.get("exposure_horizon").map(|variable| &variable.value) {
        Some(Variable::Duration(horizon)) => *horizon,
        _ => Duration(90 * DAY),
    }
}

fn confidence(pipeline: &Pipeline) -> f64 {
    match pipeline.variables.get("confidence").map(|variable| &variable.value) {
        Some(Variable::Float(confidence)) => *confidence,
        _ => 0.95,
    }
}
