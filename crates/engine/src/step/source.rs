//! Sources: rows held against their contract, under the source's name.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{Expr, LogicalPlan};
use throughline_plan::{Step, row_rule};

use super::intake::{IntakeRules, take_in};
use super::rejected::SetAside;
use super::relations::Relations;
use crate::failure::EngineError;
use crate::incremental::active_since;
use crate::record::step_record::StepRecord;

/// Holds a source's rows against its contract and registers those that pass.
pub(crate) async fn read_source(
    relations: &Relations,
    step: &Step,
    record: &mut StepRecord,
) -> Result<SetAside, EngineError> {
    let name = step.name.as_str();
    let plan = &relations.prepared.plan;
    let (Some(source), Some(open)) = (plan.pipeline.sources.get(name), relations.prepared.sources.get(name)) else {
        return Err(EngineError::internal(format!("the source `{name}` was not opened")));
    };
    let mut rows = relations.session.read_table(Arc::clone(&open.provider))?;
    let since = relations.windows.get(name);
    let active = since.and_then(|since| active_since(source, *since, None));
    if let Some(active) = &active {
        rows = rows.filter(active.clone())?;
    }
    let mut rules = IntakeRules {
        broken: Vec::new(),
        time_column: source.time_column.as_ref().map(|column| column.value.clone()),
        key: source.key.iter().map(|column| column.value.clone()).collect(),
    };
    for rule in &source.contract {
        rules.broken.extend(row_rule(rule, rows.schema(), &plan.parameters, &relations.session.state())?);
    }
    // Where there is no room for touchpoints themselves, they are best computed from sources in memory.
    let in_memory = !relations.windows.is_empty();
    let (_, set_aside) = register_passing(relations, name, rows, &rules, in_memory, record).await?;
    Ok(SetAside { not_read: active.map(|active| Expr::IsNotTrue(Box::new(active))), ..set_aside })
}

/// Judges every row by the rules and registers those that pass under the relation's name; where `in_memory` asks for it
/// and there is room, all rows are held in memory for their readers. Also returns the rows that pass.
pub(crate) async fn register_passing(
    relations: &Relations,
    name: &str,
    rows: DataFrame,
    rules: &IntakeRules,
    in_memory: bool,
    record: &mut StepRecord,
) -> Result<(LogicalPlan, SetAside), EngineError> {
    let usage = &mut record.usage;
    let hold = in_memory.then_some(async |rows: DataFrame| relations.hold_in_memory(rows, usage).await);
    let as_of = relations.prepared.plan.parameters.as_of();
    let intake = take_in(name, rows, rules, as_of, &relations.session, hold).await?;
    relations.register(name, Arc::new(ViewTable::new(intake.kept.clone(), None)))?;
    record.rows = Some(intake.counts.kept);
    record.usage.add_usage(intake.usage);
    record.intake = Some(intake.counts);
    Ok((intake.kept, SetAside { rejected: intake.rejected, not_read: None }))
}
