//! The link to churn of candidates and definitions, at one landmark, in SQL.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use throughline_config::{Duration, Located, Pipeline, SourceFile, Timestamp, Variable};
use throughline_plan::{Parameters, SqlText, select};

use super::landmark::Landmark;
use super::result::ChurnLink;
use super::tally::Tally;
use crate::failure::EngineError;
use crate::read::figures::Figures;

const LANDMARK: &str = include_str!("landmark.sql");
const CHURN_LINK: &str = include_str!("churn_link.sql");
const EXPOSURE: &str = "discovered_exposure";
const SCOPE: &str = "discovered_scope";

const DAY: i64 = 86_400_000_000;

/// A definition, or several together, whose link is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) name: String,
    /// q values are computed over the scopes of one kind.
    pub(crate) kind: &'static str,
    pub(crate) definitions: Vec<String>,
}

/// The pipeline's variables, with those of SEMANTICS 5 that it does not have at their defaults.
pub(crate) fn with_defaults(pipeline: &Pipeline) -> Pipeline {
    let mut pipeline = pipeline.clone();
    let days = |days: i64| Variable::Duration(Duration(days * DAY));
    for (name, value) in [
        ("exposure_window", days(90)),
        ("churn_horizon", days(90)),
        ("churn_gap", days(0)),
        ("churn_reporting_delay", days(0)),
        ("landmark_months", Variable::Integer(3)),
        ("minimum_arm", Variable::Integer(100)),
        ("minimum_churners", Variable::Integer(10)),
        ("confidence", Variable::Float(0.95)),
    ] {
        let place = pipeline.name.place.clone();
        pipeline.variables.entry(name.to_owned()).or_insert(Located { value, place });
    }
    pipeline
}

/// The latest landmark whose outcome is known; `None` when none has matured.
pub(crate) async fn latest_landmark(
    pipeline: &Pipeline,
    as_of: Timestamp,
    session: &SessionContext,
) -> Result<Option<Landmark>, EngineError> {
    let frame = planned("landmark", LANDMARK, &Parameters::new(pipeline, as_of), session).await?;
    let rows = Figures::of(&frame.collect().await?);
    let landmark = |row: &Figures| {
        Some(Landmark {
            at: row.whole("landmark")?,
            exposure_from: row.whole("exposure_from")?,
            outcome_from: row.whole("outcome_from")?,
            outcome_until: row.whole("outcome_until")?,
        })
    };
    Ok(rows.first().and_then(landmark))
}

/// Registers who is exposed to what, for [`churn_links`].
pub(crate) fn register_exposure(tally: &Tally, names: &[String], session: &SessionContext) -> Result<(), EngineError> {
    let batch = tally.exposure(names).map_err(DataFusionError::from)?;
    session.register_table(EXPOSURE, Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))?;
    Ok(())
}

/// The links of `scopes` at `landmark`, by name.
pub(crate) async fn churn_links(
    scopes: &[Scope],
    landmark: &Landmark,
    pipeline: &Pipeline,
    as_of: Timestamp,
    session: &SessionContext,
) -> Result<BTreeMap<String, ChurnLink>, EngineError> {
    let mut pipeline = pipeline.clone();
    for (name, instant) in
        [("landmark", landmark.at), ("outcome_from", landmark.outcome_from), ("outcome_until", landmark.outcome_until)]
    {
        let place = pipeline.name.place.clone();
        pipeline.variables.insert(name.to_owned(), Located { value: Variable::Timestamp(instant), place });
    }
    register_scopes(scopes, session)?;
    let frame = planned("churn_link", CHURN_LINK, &Parameters::new(&pipeline, as_of), session).await?;
    let rows = Figures::of(&frame.collect().await?);
    session.deregister_table(SCOPE)?;
    Ok(rows.iter().filter_map(|row| Some((row.text("scope")?, link(row)?))).collect())
}

fn register_scopes(scopes: &[Scope], session: &SessionContext) -> Result<(), EngineError> {
    let rows: Vec<(&str, &str, &str)> = scopes
        .iter()
        .flat_map(|scope| {
            scope.definitions.iter().map(|definition| (scope.name.as_str(), scope.kind, definition.as_str()))
        })
        .collect();
    let column = |pick: fn(&(&str, &str, &str)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(pick)))
    };
    let columns = [
        ("scope", column(|row| row.0.to_owned())),
        ("kind", column(|row| row.1.to_owned())),
        ("definition", column(|row| row.2.to_owned())),
    ];
    let batch = RecordBatch::try_from_iter(columns).map_err(DataFusionError::from)?;
    session.register_table(SCOPE, Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))?;
    Ok(())
}

fn link(row: &Figures) -> Option<ChurnLink> {
    Some(ChurnLink {
        reason: row.text("reason"),
        exposed: row.whole("exposed")?,
        unexposed: row.whole("unexposed")?,
        carried_over: row.whole("carried_over")?,
        exposed_churners: row.whole("exposed_churners")?,
        unexposed_churners: row.whole("unexposed_churners")?,
        churners: row.whole("churners")?,
        exposed_churn_rate: row.number("exposed_churn_rate"),
        unexposed_churn_rate: row.number("unexposed_churn_rate"),
        odds_ratio: row.number("odds_ratio"),
        adjusted_odds_ratio: row.estimate("adjusted_odds_ratio"),
        excess_churners: row.estimate("excess_churners"),
        p_value: row.number("p_value"),
        q_value: row.number("q_value"),
    })
}

/// A statement of this program with its parameters bound.
async fn planned(
    name: &str,
    text: &str,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<DataFrame, EngineError> {
    let file = Arc::new(SourceFile { path: PathBuf::from(format!("{name}.sql")), text: text.to_owned() });
    let plan = select(&SqlText::parse(&file)?, parameters, session).await?;
    Ok(DataFrame::new(session.state(), plan))
}
