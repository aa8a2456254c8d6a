//! One pass of the matcher over all touchpoints, by candidates and the pipeline's definitions side by side.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, cast, ident};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use indexmap::IndexMap;
use throughline_config::{JourneyDefinition, MatchRows};
use throughline_plan::{JourneyMatching, Parameters};
use tokio::task::JoinSet;

use super::tally::Tally;
use crate::failure::EngineError;
use crate::workspace::matching::Matcher;

/// The counts of `definitions`, of which the first are `candidates`.
pub(crate) async fn count_all(
    session: &SessionContext,
    relation: &str,
    definitions: &IndexMap<String, JourneyDefinition>,
    candidates: usize,
    parameters: &Parameters,
) -> Result<Tally, EngineError> {
    let names: Vec<String> = definitions.keys().cloned().collect();
    let mut whole = Tally::new(&names, candidates);
    if definitions.is_empty() {
        return Ok(whole);
    }
    let state = session.state();
    let input: LogicalPlan = session.table(relation).await?.into_unoptimized_plan();
    let matched = Matcher.matching(input, MatchRows::Members, definitions, parameters, &state)?;
    let frame = DataFrame::new(state, matched).select(vec![
        ident("journey"),
        cast(ident("customer_id"), DataType::Utf8).alias("customer"),
        cast(ident("step"), DataType::Int64).alias("step_number"),
        ident("started_at"),
        ident("last_at"),
        ident("status"),
        cast(ident("touchpoint_id"), DataType::Utf8).alias("touchpoint"),
    ])?;
    let physical: Arc<dyn ExecutionPlan> = frame.create_physical_plan().await?;
    let mut partitions: JoinSet<Result<Tally, EngineError>> = JoinSet::new();
    for mut stream in execute_stream_partitioned(physical, session.task_ctx())? {
        let mut part = Tally::new(&names, candidates);
        partitions.spawn(async move {
            while let Some(batch) = stream.next().await {
                part.add(&batch?).map_err(DataFusionError::from)?;
            }
            Ok(part)
        });
    }
    while let Some(part) = partitions.join_next().await {
        let part = part.map_err(|error| EngineError::unexpected("counting ended abnormally", error))??;
        whole.merge(part);
    }
    Ok(whole)
}
