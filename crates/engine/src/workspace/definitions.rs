//! The relation `journey_definitions`: the YAML's definitions as rows, for `dim_journey` and expert judgement.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use throughline_config::{Duration, JourneyDefinition, Located, OnRestart, Pipeline};
use throughline_plan::JOURNEY_DEFINITIONS;

use crate::failure::EngineError;
use crate::workspace::sessions::{SessionOptions, new_session};

/// A session with functions and the pipeline's journey definitions.
pub(crate) fn session_with_definitions(
    options: &SessionOptions,
    runtime: &Arc<RuntimeEnv>,
    pipeline: &Pipeline,
) -> Result<SessionContext, EngineError> {
    let session = new_session(options, runtime)?;
    session.register_table(JOURNEY_DEFINITIONS, Arc::new(journey_definitions(pipeline)?))?;
    Ok(session)
}

/// One row a definition, in the pipeline's order; times in seconds.
pub(crate) fn journey_definitions(pipeline: &Pipeline) -> Result<MemTable, DataFusionError> {
    let journeys: Vec<&JourneyDefinition> = pipeline.journeys.values().collect();
    let text = |value: &dyn Fn(&JourneyDefinition) -> Option<String>| -> ArrayRef {
        Arc::new(journeys.iter().map(|journey| value(journey)).collect::<StringArray>())
    };
    let condition = |located: &Option<Located<String>>| located.as_ref().map(|located| located.value.clone());
    let seconds = |limit: &dyn Fn(&JourneyDefinition) -> Option<Duration>| -> ArrayRef {
        let values = journeys.iter().map(|journey| limit(journey).map(|Duration(micros)| micros as f64 / 1e6));
        Arc::new(values.collect::<Float64Array>())
    };
    let on_restart = |journey: &JourneyDefinition| match journey.on_restart {
        OnRestart::Absorb => "absorb",
        OnRestart::Split => "split",
    };
    let importance: Int64Array = journeys.iter().map(|journey| journey.importance.map(i64::from)).collect();
    let columns: Vec<(&str, DataType, ArrayRef)> = vec![
        ("journey", DataType::Utf8, text(&|journey| Some(journey.name.value.clone()))),
        ("label", DataType::Utf8, text(&|journey| Some(journey.label.clone()))),
        ("owner", DataType::Utf8, text(&|journey| journey.owner.clone())),
        ("description", DataType::Utf8, text(&|journey| journey.description.clone())),
        ("starts", DataType::Utf8, text(&|journey| Some(journey.starts.value.clone()))),
        ("ends", DataType::Utf8, text(&|journey| condition(&journey.ends))),
        ("abandons", DataType::Utf8, text(&|journey| condition(&journey.abandons))),
        ("includes", DataType::Utf8, text(&|journey| condition(&journey.includes))),
        ("within_s", DataType::Float64, seconds(&|journey| journey.within)),
        ("idle_s", DataType::Float64, seconds(&|journey| journey.idle)),
        ("on_restart", DataType::Utf8, text(&|journey| Some(on_restart(journey).to_owned()))),
        ("eligible", DataType::Utf8, text(&|journey| condition(&journey.eligible))),
        ("eligible_from", DataType::Utf8, text(&|journey| condition(&journey.eligible_from))),
        ("eligible_until", DataType::Utf8, text(&|journey| condition(&journey.eligible_until))),
        ("importance", DataType::Int64, Arc::new(importance)),
        ("rationale", DataType::Utf8, text(&|journey| journey.rationale.clone())),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, data_type, _)| Field::new(*name, data_type.clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    MemTable::try_new(schema, vec![vec![batch]])
}
