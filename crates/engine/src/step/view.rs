//! Views: registered under their names, and computed where they are read.

use std::sync::Arc;

use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::ident;
use throughline_plan::{BrokenRule, Step};

use super::intake::IntakeRules;
use super::rejected::SetAside;
use super::relations::Relations;
use super::source::register_passing;
use crate::failure::EngineError;
use crate::instants::at;
use crate::record::step_record::StepRecord;

/// So many readers make it worth keeping touchpoints in memory.
const MANY_READERS: usize = 3;

/// Touchpoints that the matcher reads, after their intake.
pub(crate) struct Touchpoints {
    pub(crate) rows: LogicalPlan,
    pub(crate) set_aside: SetAside,
}

/// Registers a view. What the matcher reads is first held against the matcher's own contract: no null in customer, id
/// or time, and no two touchpoints with one id.
pub(crate) async fn register_view(
    relations: &Relations,
    step: &Step,
    record: &mut StepRecord,
) -> Result<Option<Touchpoints>, EngineError> {
    let name = step.name.as_str();
    let rows = relations.model_rows(step).await?;
    if !relations.is_matched(name) {
        relations.register(name, Arc::new(ViewTable::new(rows, None)))?;
        return Ok(None);
    }
    let mut rows = relations.session.execute_logical_plan(rows).await?;
    let occurred_at = || ident("occurred_at");
    let window = relations.windows.get(name);
    let window = window.map(|since| occurred_at().gt_eq(at(*since)).or(occurred_at().is_null()));
    if let Some(window) = &window {
        rows = rows.filter(window.clone())?;
    }
    let null = |column: &str| BrokenRule { broken: ident(column).is_null(), reason: format!("`{column}` is null") };
    let rules = IntakeRules {
        broken: vec![null("customer_id")],
        time_column: Some("occurred_at".to_owned()),
        key: vec!["touchpoint_id".to_owned()],
    };
    let in_memory = is_read_often(relations, name);
    let (rows, set_aside) = register_passing(relations, name, rows, &rules, in_memory, record).await?;
    let not_read = window.map(|window| Expr::IsNotTrue(Box::new(window)));
    Ok(Some(Touchpoints { rows, set_aside: SetAside { not_read, ..set_aside } }))
}

/// Whether touchpoints are worth keeping: an increment's are few, and computing them for each of many steps is costly.
fn is_read_often(relations: &Relations, touchpoints: &str) -> bool {
    let steps = &relations.prepared.plan.steps;
    let readers = steps.iter().filter(|step| step.inputs.iter().any(|input| input == touchpoints)).count();
    !relations.windows.is_empty() || readers >= MANY_READERS
}
