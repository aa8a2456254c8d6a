//! The link to leaving of candidates and definitions in one period, by person-time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{cast, ident, lit, try_cast};
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{JourneyDefinition, Located, MatchRows, Pipeline, Variable};
use throughline_plan::{BEGINNING, JourneyMatching, Parameters};

use super::membership::{Period, register_eligible};
use super::result::ChurnLink;
use super::statement::{frame, register, register_rows, register_view};
use crate::failure::EngineError;
use crate::read::figures::Figures;
use crate::workspace::matching::Matcher;

/// The pipelines' own SQL, so that a figure means the same here as in their tables.
const ELIGIBLE_SPELL_STRETCH: &str = include_str!("../../../../sql/facts/eligible_spell_stretch.sql");
const EXPOSED_STRETCH: &str = include_str!("../../../../sql/facts/exposed_stretch.sql");
const JOURNEY_JOINT_RISK: &str = include_str!("../../../../sql/facts/journey_joint_risk.sql");
/// The cells of the period, with their journeys in lists; null where there are none.
const JOINT_CELL: &str = "
    SELECT
        segment,
        tenure_band,
        CAST(month AS VARCHAR) AS month,
        string_to_array(nullif(exposed, ''), ',') AS exposed,
        string_to_array(nullif(not_eligible, ''), ',') AS not_eligible,
        CAST(person_days AS DOUBLE) AS person_days,
        CAST(churned AS DOUBLE) AS churned
    FROM journey_joint_risk";
/// Who had a day on a journey of the scope while eligible for that journey.
const EXPOSED_CUSTOMER: &str = "
    SELECT
        discovered_scope.scope,
        count(DISTINCT exposed_stretch.customer_id) AS exposed_customers
    FROM exposed_stretch
    INNER JOIN discovered_scope ON discovered_scope.journey = exposed_stretch.journey
    GROUP BY discovered_scope.scope";
const CHURN_LINK: &str = include_str!("churn_link.sql");

/// A journey, or several taken as one.
struct Scope {
    name: String,
    journeys: Vec<String>,
    is_single: bool,
}

/// What is found of a side.
#[derive(Default)]
pub(crate) struct SideLinks {
    /// By journey.
    pub(crate) single: BTreeMap<String, ChurnLink>,
    pub(crate) harmful: Vec<String>,
    /// All taken as one.
    pub(crate) any: Option<ChurnLink>,
    /// The harmful ones taken as one.
    pub(crate) harmful_together: Option<ChurnLink>,
}

/// Counts person-days and leavers of the period by candidates, or by the pipeline's definitions, and judges them. Those
/// of one side are compared with each other.
pub(crate) async fn side_links(
    journeys: IndexMap<String, JourneyDefinition>,
    relation: &str,
    period: &Period,
    pipeline: &Pipeline,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<SideLinks, EngineError> {
    let names: Vec<String> = journeys.keys().cloned().collect();
    if names.is_empty() {
        return Ok(SideLinks::default());
    }
    register_states(&journeys, relation, parameters, session).await?;
    register_eligible(journeys, pipeline, parameters, session).await?;
    for (name, text) in [
        ("eligible_spell_stretch", ELIGIBLE_SPELL_STRETCH),
        ("exposed_stretch", EXPOSED_STRETCH),
        ("journey_joint_risk", JOURNEY_JOINT_RISK),
    ] {
        let rows = frame(name, text, &parameters.with_interval(BEGINNING), session).await?;
        register_rows(name, rows, session).await?;
    }
    let lists = frame("joint_cell", JOINT_CELL, parameters, session).await?;
    register_rows("joint_cell", lists, session).await?;

    let parameters = with_period(pipeline, parameters, period);
    let single = |name: &String| Scope { name: name.clone(), journeys: vec![name.clone()], is_single: true };
    let single = links(&names.iter().map(single).collect::<Vec<_>>(), period, &parameters, session).await?;
    let is_harmful =
        |name: &&String| single.get(*name).is_some_and(|link: &ChurnLink| link.tier.as_deref() == Some("harmful"));
    let harmful: Vec<String> = names.iter().filter(is_harmful).cloned().collect();
    let several = |name: &str, journeys: &[String]| Scope {
        name: name.to_owned(),
        journeys: journeys.to_vec(),
        is_single: false,
    };
    let together = [several("any", &names), several("harmful", &harmful)];
    let mut together = links(&together, period, &parameters, session).await?;
    Ok(SideLinks { single, harmful, any: together.remove("any"), harmful_together: together.remove("harmful") })
}

/// Registers `journey_state`: the days on which customers are exposed, by touchpoints matched as they became known. A
/// company that does not tell channels, topics or what was resolved has no good runs and no bad ones, which plays no
/// part in what is told here.
async fn register_states(
    journeys: &IndexMap<String, JourneyDefinition>,
    relation: &str,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<(), EngineError> {
    let mut touchpoints = session.table(relation).await?;
    for (name, data_type) in [("channel", DataType::Utf8), ("topic", DataType::Utf8), ("resolved", DataType::Boolean)] {
        if !touchpoints.schema().fields().iter().any(|field| field.name() == name) {
            touchpoints = touchpoints.with_column(name, cast(lit(ScalarValue::Null), data_type))?;
        }
    }
    let input = touchpoints.into_unoptimized_plan();
    let matched = Matcher.matching(input, MatchRows::States, journeys, parameters, &session.state())?;
    let stretches = session.table("membership_stretch").await?;
    let id_type = stretches.schema().field_with_unqualified_name("customer_id")?.data_type().clone();
    // Ids of the two relations may be of two types.
    let states =
        DataFrame::new(session.state(), matched).with_column("customer_id", try_cast(ident("customer_id"), id_type))?;
    register_view("journey_state", states.into_unoptimized_plan(), session)
}

fn with_period(pipeline: &Pipeline, parameters: &Parameters, period: &Period) -> Parameters {
    let mut pipeline = pipeline.clone();
    let is_whole = Located { value: Variable::Boolean(period.is_whole()), place: pipeline.name.place.clone() };
    pipeline.variables.insert("period_is_whole".to_owned(), is_whole);
    Parameters::new(&pipeline, parameters.as_of())
}

/// The links of scopes, by name.
async fn links(
    scopes: &[Scope],
    period: &Period,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<BTreeMap<String, ChurnLink>, EngineError> {
    register_scopes(scopes, session)?;
    let exposed = frame("exposed_customer", EXPOSED_CUSTOMER, parameters, session).await?;
    register_rows("exposed_customer", exposed, session).await?;
    let rows = frame("churn_link", CHURN_LINK, parameters, session).await?.collect().await?;
    Ok(Figures::of(&rows).iter().filter_map(|row| Some((row.text("scope")?, link(row, period)?))).collect())
}

fn register_scopes(scopes: &[Scope], session: &SessionContext) -> Result<(), EngineError> {
    let rows: Vec<(&Scope, &String)> =
        scopes.iter().flat_map(|scope| scope.journeys.iter().map(move |journey| (scope, journey))).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("scope", Arc::new(StringArray::from_iter_values(rows.iter().map(|(scope, _)| scope.name.as_str())))),
        ("journey", Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, journey)| journey.as_str())))),
        ("is_single", Arc::new(BooleanArray::from_iter(rows.iter().map(|(scope, _)| Some(scope.is_single))))),
    ];
    let batch = RecordBatch::try_from_iter(columns).map_err(DataFusionError::from)?;
    register("discovered_scope", Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?), session)
}

fn link(row: &Figures, period: &Period) -> Option<ChurnLink> {
    let (status, reason) = match (row.text("reason"), period.told.status.as_str()) {
        (Some(reason), _) => ("insufficient", Some(reason)),
        (None, "running") => ("running", Some(format!("{} is not over", period.told.period))),
        (None, "partial") => {
            ("partial", Some(format!("of {} only the days since {} count", period.told.period, period.told.first_day)))
        }
        (None, _) => ("ok", None),
    };
    Some(ChurnLink {
        status: status.to_owned(),
        reason,
        tier: row.text("tier"),
        exposed_customers: row.whole("exposed_customers")?,
        exposed_days: row.whole("exposed_days")?,
        unexposed_days: row.whole("unexposed_days")?,
        exposed_leavers: row.whole("exposed_leavers")?,
        unexposed_leavers: row.whole("unexposed_leavers")?,
        left_out_days: row.whole("left_out_days")?,
        left_out_leavers: row.whole("left_out_leavers")?,
        leavers: row.whole("leavers")?,
        effective_leavers: row.number("effective_leavers"),
        exposed_churn_rate: row.estimate("exposed_churn_rate"),
        unexposed_churn_rate: row.estimate("unexposed_churn_rate"),
        like_churn_rate: row.estimate("like_churn_rate"),
        rate_ratio: row.estimate("rate_ratio"),
        adjusted_rate_ratio: row.estimate("adjusted_rate_ratio"),
        mutual_rate_ratio: row.estimate("mutual_rate_ratio"),
        mutual_reason: row.text("mutual_reason"),
        excess_churners: row.estimate("excess_churners"),
        smallest_detectable_excess: row.number("smallest_detectable_excess"),
        p_value: row.number("p_value"),
        q_value: row.number("q_value"),
        mutual_q_value: row.number("mutual_q_value"),
        goes_with_others: row.boolean("goes_with_others").unwrap_or(false),
    })
}
