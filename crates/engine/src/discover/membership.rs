//! The days that count: memberships in stretches of days, who is eligible on which, and the period that is judged.

use std::sync::Arc;

use arrow::datatypes::DataType;
use chrono::DateTime;
use datafusion::functions::core::expr_fn::{coalesce, greatest, least};
use datafusion::logical_expr::{cast, ident, lit};
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{
    Duration, JourneyDefinition, Located, Materialization, Model, ModelKind, Pipeline, Timestamp, Variable,
};
use throughline_plan::{BEGINNING, Parameters, relation, select};

use super::result::JudgedPeriod;
use super::statement::{frame, planned, register, register_rows, register_view};
use crate::failure::EngineError;
use crate::instants::{at, instant, time_type};
use crate::read::figures::Figures;
use crate::read::published::Published;
use crate::workspace::definitions::journey_definitions;
use crate::workspace::matching::Matcher;
use crate::workspace::prepare::Prepared;

/// The pipelines' own SQL, so that a figure means the same here as in their tables.
const COUNTED_DAYS: &str = include_str!("../../../../sql/facts/counted_days.sql");
const COUNTED_MONTH: &str = include_str!("../../../../sql/facts/counted_month.sql");
const CUSTOMER_VERSION: &str = include_str!("../../../../sql/facts/customer_version.sql");
const MEMBERSHIP_STRETCH: &str = include_str!("../../../../sql/facts/membership_stretch.sql");
const KEY_JOURNEY_PERIOD: &str = include_str!("../../../../sql/facts/key_journey_period.sql");
/// The quarter to look at: the latest whole one, else the latest of which a day counts.
const JUDGED_PERIOD: &str = "
    SELECT *
    FROM key_journey_period
    WHERE period_kind = 'quarter' AND days_counted > 0
    ORDER BY is_running OR days_counted < days, period_start DESC
    LIMIT 1";

pub(crate) const CUSTOMERS: &str = "customers";
const DAY: i64 = 86_400_000_000;

/// A quarter with its counted days.
#[derive(Debug, Clone)]
pub(crate) struct Period {
    pub(crate) told: JudgedPeriod,
    /// First instant of its first counted day, and first instant after its last.
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Period {
    pub(crate) fn is_whole(&self) -> bool {
        self.told.status == "whole"
    }
}

/// The pipeline's variables, with those of SEMANTICS 5 that it does not have at their defaults.
pub(crate) fn with_defaults(pipeline: &Pipeline) -> Pipeline {
    let mut pipeline = pipeline.clone();
    let days = |days: i64| Variable::Duration(Duration(days * DAY));
    for (name, value) in [
        ("exposure_horizon", days(90)),
        ("churn_reporting_delay", days(0)),
        ("minimum_exposed", Variable::Integer(100)),
        ("minimum_churners", Variable::Integer(10)),
        ("minimum_compared", Variable::Integer(10)),
        ("false_discovery_rate", Variable::Float(0.05)),
        ("confidence", Variable::Float(0.95)),
    ] {
        let place = pipeline.name.place.clone();
        pipeline.variables.entry(name.to_owned()).or_insert(Located { value, place });
    }
    pipeline
}

/// What a company need not tell: without it nobody gives notice, nobody is lost from sight, and attributes hold as long
/// as their spell. No segment is 'unknown' (SEMANTICS 1).
pub(crate) async fn complete_customers(session: &SessionContext) -> Result<(), EngineError> {
    let mut customers = session.table(CUSTOMERS).await?;
    let has = |name: &str| customers.schema().fields().iter().any(|field| field.name() == name);
    let missing: Vec<&str> = ["notice_at", "lost_at", "valid_from"].into_iter().filter(|name| !has(name)).collect();
    for name in missing {
        let value = match name {
            "valid_from" => cast(ident("joined_at"), time_type()),
            _ => lit(instant(None)),
        };
        customers = customers.with_column(name, value)?;
    }
    let segment = coalesce(vec![cast(ident("segment"), DataType::Utf8), lit("unknown")]);
    customers = customers.with_column("segment", segment)?;
    register_view(CUSTOMERS, customers.into_unoptimized_plan(), session)
}

/// Registers the days and months that count, `customer_version` and `membership_stretch`: as published, where the
/// newest run made them of the same definition for the same cut, else by the pipeline's own SQL, else by this program's.
pub(crate) async fn register_memberships(
    prepared: &Prepared,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<(), EngineError> {
    let plan = &prepared.plan;
    let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
    let published = published.filter(|published| published.as_of() == Some(parameters.as_of()));
    let parameters = parameters.with_interval(BEGINNING);
    // With each name the SQL that is part of this program: for a pipeline that has no model of that name, or one whose
    // model reads a relation that is not registered here.
    for (name, brought) in [
        ("counted_days", COUNTED_DAYS),
        ("counted_month", COUNTED_MONTH),
        ("customer_version", CUSTOMER_VERSION),
        ("membership_stretch", MEMBERSHIP_STRETCH),
    ] {
        let step = plan.step(name);
        if let (Some(published), Some(step)) = (&published, step) {
            let is_of_today =
                published.record.steps.iter().any(|made| made.step == name && made.fingerprint == step.fingerprint);
            if is_of_today && published.register_table(name, session).await? {
                continue;
            }
        }
        let mut own = step.and_then(|step| step.sql.as_ref());
        for input in step.into_iter().flat_map(|step| &step.inputs) {
            if !session.table_exist(input.as_str())? {
                own = None;
            }
        }
        let rows = match own {
            Some(sql) => select(sql, &parameters, session).await?,
            None => planned(name, brought, &parameters, session).await?,
        };
        register_view(name, rows, session)?;
    }
    Ok(())
}

/// Takes the days outside of a period from `membership_stretch`; what is made of it is then that of the period.
pub(crate) async fn keep_days(from: Timestamp, until: Timestamp, session: &SessionContext) -> Result<(), EngineError> {
    let (from, until) = (at(from), at(until));
    let stretches = session.table("membership_stretch").await?;
    let within = stretches
        .filter(ident("from_day").lt(until.clone()).and(ident("until_day").gt(from.clone())))?
        .with_column("from_day", greatest(vec![ident("from_day"), from]))?
        .with_column("until_day", least(vec![ident("until_day"), until]))?;
    register_rows("membership_stretch", within, session).await
}

/// Registers for these journeys `dim_journey`, and `eligible_stretch`: who could have been on each, when.
pub(crate) async fn register_eligible(
    journeys: IndexMap<String, JourneyDefinition>,
    pipeline: &Pipeline,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<(), EngineError> {
    let name = "eligible_stretch";
    let model = Model {
        name: here(name, pipeline),
        kind: ModelKind::Eligible { input: here("membership_stretch", pipeline) },
        materialized: Materialization::View,
        time_column: None,
        grain: Vec::new(),
        tests: Vec::new(),
        tags: Vec::new(),
        owner: None,
        description: None,
        columns: IndexMap::new(),
    };
    let pipeline = Pipeline { journeys, ..pipeline.clone() };
    let definitions = Arc::new(journey_definitions(&pipeline)?);
    register("dim_journey", definitions, session)?;
    let rows = relation(&model, None, &pipeline, parameters, session, &Matcher).await?;
    register_view(name, rows, session)
}

/// A name that stands in no file; errors point at the pipeline's name.
fn here(name: &str, pipeline: &Pipeline) -> Located<String> {
    Located { value: name.to_owned(), place: pipeline.name.place.clone() }
}

/// The period to judge; `None` when no day counts yet.
pub(crate) async fn judged_period(
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<Option<Period>, EngineError> {
    let whole = parameters.with_interval(BEGINNING);
    let periods = planned("key_journey_period", KEY_JOURNEY_PERIOD, &whole, session).await?;
    register_view("key_journey_period", periods, session)?;
    let rows = frame("judged_period", JUDGED_PERIOD, parameters, session).await?.collect().await?;
    Ok(Figures::of(&rows).first().and_then(period))
}

fn period(row: &Figures) -> Option<Period> {
    let (first, last) = (row.instant("first_day")?, row.instant("last_day")?);
    let day = |at: Timestamp| DateTime::from_timestamp_micros(at).map(|at| at.format("%Y-%m-%d").to_string());
    let status = match (row.text("is_running")?.as_str(), row.whole("days_counted") < row.whole("days")) {
        ("true", _) => "running",
        (_, true) => "partial",
        (_, false) => "whole",
    };
    let told = JudgedPeriod {
        period: row.text("period")?,
        first_day: day(first)?,
        last_day: day(last)?,
        status: status.to_owned(),
    };
    Some(Period { told, from: first, until: last + DAY })
}
