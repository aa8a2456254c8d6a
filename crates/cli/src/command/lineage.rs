//! `throughline lineage`.

mod relations;
mod columns;
mod direction;

use throughline_config::closest;
use throughline_plan::{ColumnOf, Plan};

use crate::arguments::{LineageArguments, WorkspaceArguments};
use crate::command::prepared;
use crate::exit::Exit;
use crate::terminal::put;

use direction::Direction;

/// Traces a column, a relation, or shows which relation reads which.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &LineageArguments) -> Result<(), Exit> {
    let prepared = prepared(workspace).await?;
    let plan = &prepared.plan;
    let Some(of) = arguments.of.as_deref() else {
        return put(&relations::all(plan, arguments.format));
    };
    let (relation, column) = match of.split_once('.') {
        Some((relation, column)) => (relation, Some(column)),
        None => (of, None),
    };
    check(plan, relation, column)?;
    let lineage = prepared.lineage().await?;
    let direction = if arguments.downstream { Direction::Downstream } else { Direction::Upstream };
    match column {
        Some(column) => {
            let column = ColumnOf { relation: relation.to_owned(), column: column.to_owned() };
            put(&columns::of_column(&lineage, &column, direction, arguments.format))
        }
        None => put(&columns::of_relation(plan, &lineage, relation, direction, arguments.format)),
    }
}

fn check(plan: &Plan, relation: &str, column: Option<&str>) -> Result<(), Exit> {
    let Some(step) = plan.step(relation) else {
        let known = plan.steps.iter().map(|step| step.name.as_str());
        let near = closest(relation, known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        return Err(Exit::refused(
            format!("no model, source or seed `{relation}`"),
            format!("{near}`throughline lineage` lists them"),
        ));
    };
    let Some(column) = column else { return Ok(()) };
    let known = || step.schema.fields().iter().map(|field| field.name().as_str());
    if known().any(|known| known == column) {
        return Ok(());
    }
    let near = closest(column, known()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Err(Exit::refused(
        format!("no column `{column}` in `{relation}`"),
        format!("{near}`throughline show {relation} --limit 0` lists them"),
    ))
}
