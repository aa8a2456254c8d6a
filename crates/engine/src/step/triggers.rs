//! Triggers: after a run's tables are published, what newly fires is added to the log.
//!
//! A firing is a trigger and the values of its key. The log is a table that only grows; a firing that is in it is never
//! written again, however often a run is repeated. New firings are found against one version of the log and added as
//! the next one, in one atomic commit: when another run was faster, they are found again against the newer version.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::functions::expr_fn::{coalesce, concat_ws};
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::physical_plan::execute_stream_partitioned;
use throughline_config::Trigger;
use throughline_lake::{StagedTable, TableSpec};
use throughline_plan::{TRIGGER_LOG, planned_trigger};

use super::context::StepContext;
use super::firing_key::key_values;
use crate::columns::with_comments;
use crate::failure::EngineError;
use crate::instants::at;
use crate::record::events::Event;
use crate::record::step_record::{StepRecord, StepStatus, TriggerRecord};
use crate::record::usage::StepUsage;

/// How often the log is read again because another run was faster.
const ATTEMPTS: u32 = 5;

/// Relations of the session that only this module reads; no model's name begins with an underscore.
const FIRING: &str = "__firing";
const LOG: &str = "__trigger_log";
const ADDED: &str = "__added";

/// One row for each trigger and key that fires, those in the log left out. Of rows that share a key, one fires.
const NEW_FIRINGS: &str = r#"
SELECT "trigger", severity, route, "key", key_values, message, fired_at, table_name, table_version, condition
FROM (
    SELECT *, row_number() OVER (PARTITION BY "trigger", key_values ORDER BY route, message) AS place
    FROM __firing
) AS firing
LEFT ANTI JOIN __trigger_log AS log
    ON log."trigger" = firing."trigger" AND log.key_values = firing.key_values
WHERE place = 1
ORDER BY "trigger", key_values"#;

const HOLDING: &str = r#"SELECT "trigger", count(DISTINCT key_values) AS firings FROM __firing GROUP BY "trigger""#;
const FIRED: &str = r#"SELECT "trigger", count(*) AS firings FROM __added GROUP BY "trigger""#;

/// The log's columns with their comments.
const COMMENTS: [(&str, &str); 10] = [
    ("trigger", "The trigger that fired"),
    ("severity", "info, warning or critical"),
    ("route", "The team or role that has to act"),
    ("key", "Values of the trigger's key, for reading"),
    ("key_values", "The key's columns and values as JSON; a trigger fires once for each"),
    ("message", "What happened"),
    ("fired_at", "The as_of of the run that found it first"),
    ("table_name", "The table whose row fired"),
    ("table_version", "The version of that table"),
    ("condition", "The trigger's condition at that time"),
];

/// Evaluates the triggers on the tables that this run published, and adds what is new to the log. `None` when no
/// trigger reads one of them.
pub(crate) async fn fire_triggers(
    context: &StepContext,
    steps: &[StepRecord],
) -> Option<(StepRecord, Vec<TriggerRecord>)> {
    let published: HashMap<&str, u64> =
        steps.iter().filter_map(|step| Some((step.step.as_str(), step.version?))).collect();
    let version = |trigger: &'_ Trigger| published.get(trigger.table.as_str()).copied();
    let triggers = context.relations.prepared.plan.pipeline.triggers.values();
    let triggers: Vec<(&Trigger, u64)> = triggers.filter_map(|trigger| Some((trigger, version(trigger)?))).collect();
    if triggers.is_empty() {
        return None;
    }
    let mut record = StepRecord::new(TRIGGER_LOG, "log", "", StepStatus::Done);
    let mut found = Vec::new();
    // Readers still see the tables of the run before, and a firing is of no use if its row cannot be looked up.
    if let Some(step) = steps.iter().find(|step| step.status != StepStatus::Done) {
        record.status = StepStatus::NotRun;
        record.error = Some(format!("`{}` did not succeed", step.step));
    } else {
        let began = Instant::now();
        context.relations.observer.event(&Event::StepStarted { step: TRIGGER_LOG });
        let extended = tokio::select! {
            biased;
            extended = extend_log(context, &triggers, &mut record) => extended,
            () = context.commits.stopped() => Err(EngineError::Interrupted),
        };
        match extended {
            Ok(triggers) => found = triggers,
            Err(error) => record.fail(&error),
        }
        record.seconds = began.elapsed().as_secs_f64();
    }
    context.relations.observer.event(&Event::StepFinished { record: &record });
    Some((record, found))
}

async fn extend_log(
    context: &StepContext,
    triggers: &[(&Trigger, u64)],
    record: &mut StepRecord,
) -> Result<Vec<TriggerRecord>, EngineError> {
    let firing = firing(context, triggers).await?;
    let schema: SchemaRef = Arc::new(firing.schema().as_arrow().clone());
    context.relations.register(FIRING, firing.into_view())?;
    let mut faster = None;
    for _ in 0..ATTEMPTS {
        let log = context.warehouse.table(TRIGGER_LOG).await?;
        let seen = log.as_ref().map(|log| log.version);
        match log {
            Some(log) => context.relations.register(LOG, log.provider)?,
            None => context
                .relations
                .register(LOG, Arc::new(datafusion::datasource::empty::EmptyTable::new(Arc::clone(&schema))))?,
        }
        let staged = stage_new_firings(context, record).await?;
        if staged.replaces() != seen {
            staged.discard().await?;
            continue;
        }
        record.rows = Some(staged.rows());
        let found = counts(context, triggers, &staged).await?;
        if let (0, Some(version)) = (staged.rows(), seen) {
            staged.discard().await?;
            record.version = Some(version);
            return Ok(found);
        }
        match context.publish(&staged, &context.commit_details(&record.fingerprint)).await {
            Ok(committed) => {
                record.bytes = Some(staged.bytes());
                record.files = Some(staged.files() as u64);
                record.version = Some(committed.version);
                return Ok(found);
            }
            // Another run was faster; the staged rows are gone already.
            Err(held @ EngineError::Held { .. }) => faster = Some(held),
            Err(error) => return Err(error),
        }
    }
    Err(faster.unwrap_or_else(|| EngineError::Held {
        message: format!("other runs were faster {ATTEMPTS} times in adding to `{TRIGGER_LOG}`; nothing was added"),
        help: "run again when they have ended".to_owned(),
        source: None,
    }))
}

/// One row for each row that fires, of all triggers side by side.
async fn firing(context: &StepContext, triggers: &[(&Trigger, u64)]) -> Result<DataFrame, EngineError> {
    let plan = &context.relations.prepared.plan;
    let as_of = at(plan.parameters.as_of());
    let mut all: Option<DataFrame> = None;
    for (trigger, version) in triggers {
        let table = context.relations.session.table(trigger.table.value.as_str()).await?;
        let planned = planned_trigger(trigger, table.schema(), &plan.parameters, &context.relations.session.state())?;
        let key = planned.key.iter().map(|(_, value)| coalesce(vec![text(value.clone()), lit("unknown")]));
        let columns = [
            text(lit(trigger.name.value.clone())),
            text(lit(trigger.severity.word())),
            text(planned.route),
            text(concat_ws(lit("/"), key.collect())),
            key_values(&planned.key, table.schema())?,
            text(planned.message),
            as_of.clone(),
            text(lit(trigger.table.value.clone())),
            lit(i64::try_from(*version).unwrap_or(i64::MAX)),
            text(lit(trigger.condition.value.trim().to_owned())),
        ];
        let columns = columns.into_iter().zip(COMMENTS).map(|(column, (name, _))| column.alias(name));
        let rows = table.filter(planned.condition)?.select(columns.collect::<Vec<Expr>>())?;
        all = Some(match all {
            Some(all) => all.union(rows)?,
            None => rows,
        });
    }
    all.ok_or_else(|| EngineError::internal("there is no trigger to evaluate"))
}

async fn stage_new_firings(context: &StepContext, record: &mut StepRecord) -> Result<StagedTable, EngineError> {
    let rows = context.relations.session.sql(NEW_FIRINGS).await?.into_optimized_plan()?;
    let physical = context.relations.session.state().create_physical_plan(&rows).await?;
    let spec = TableSpec {
        name: TRIGGER_LOG.to_owned(),
        schema: with_comments(&physical.schema(), comment),
        description: Some("One row a firing of a trigger; a log that only grows".to_owned()),
        order: Vec::new(),
    };
    let streams = execute_stream_partitioned(Arc::clone(&physical), context.relations.session.task_ctx())?;
    let staged = context.warehouse.stage_addition(spec, streams).await?;
    record.usage.add_usage(StepUsage::of(&physical));
    Ok(staged)
}

async fn counts(
    context: &StepContext,
    triggers: &[(&Trigger, u64)],
    staged: &StagedTable,
) -> Result<Vec<TriggerRecord>, EngineError> {
    let holding = counts_by_name(context.relations.session.sql(HOLDING).await?).await?;
    context.relations.register(ADDED, staged.provider())?;
    let fired = counts_by_name(context.relations.session.sql(FIRED).await?).await?;
    let count =
        |counts: &BTreeMap<String, u64>, trigger: &Trigger| counts.get(&trigger.name.value).copied().unwrap_or(0);
    Ok(triggers
        .iter()
        .map(|(trigger, _)| TriggerRecord {
            trigger: trigger.name.value.clone(),
            severity: trigger.severity.word().to_owned(),
            holding: count(&holding, trigger),
            fired: count(&fired, trigger),
        })
        .collect())
}

fn text(value: Expr) -> Expr {
    cast(value, DataType::Utf8)
}

fn comment(column: &str) -> Option<&'static str> {
    COMMENTS.iter().find(|(name, _)| *name == column).map(|(_, comment)| *comment)
}

/// The numbers of a query for names and numbers.
async fn counts_by_name(query: DataFrame) -> Result<BTreeMap<String, u64>, EngineError> {
    let mut counts = BTreeMap::new();
    for batch in query.collect().await? {
        let names =
            arrow::compute::cast(batch.column(0), &DataType::Utf8).map_err(datafusion::error::DataFusionError::from)?;
        let (names, numbers) = (names.as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        for row in 0..names.len() {
            counts.insert(names.value(row).to_owned(), u64::try_from(numbers.value(row)).unwrap_or(0));
        }
    }
    Ok(counts)
}
