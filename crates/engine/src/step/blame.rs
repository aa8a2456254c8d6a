//! Whose SQL it is that cannot be computed. A view is computed where it is read, so the step that fails may only read
//! the view in which the mistake is.

use std::collections::BTreeSet;

use futures::StreamExt;
use throughline_plan::{SqlText, Step, StepKind};

use super::relations::Relations;
use crate::failure::EngineError;

/// The error with the model and the line that it comes from, where they are found: the first view among those that the
/// step reads which fails in the same way by itself, or the step.
pub(crate) async fn blamed(relations: &Relations, step: &Step, error: EngineError) -> EngineError {
    let Some(message) = error.uncastable_value() else { return error };
    for view in views_read(relations, step) {
        if fails_alike(relations, &view.name, &message).await {
            return in_model(view, &message, error);
        }
    }
    in_model(step, &message, error)
}

/// The views that a step reads, by way of other views too, each after those that it reads itself.
fn views_read<'a>(relations: &'a Relations, step: &Step) -> Vec<&'a Step> {
    let steps = &relations.prepared.plan.steps;
    let mut wanted: BTreeSet<&str> = step.inputs.iter().map(String::as_str).collect();
    let mut views = Vec::new();
    for candidate in steps.iter().rev().filter(|candidate| candidate.kind == StepKind::View) {
        if wanted.contains(candidate.name.as_str()) {
            wanted.extend(candidate.inputs.iter().map(String::as_str));
            views.push(candidate);
        }
    }
    views.reverse();
    views
}

/// Whether computing all rows of a relation ends with an error that says the same.
async fn fails_alike(relations: &Relations, relation: &str, message: &str) -> bool {
    let rows = async {
        let mut rows = relations.session.table(relation).await?.execute_stream().await?;
        while let Some(batch) = rows.next().await {
            batch?;
        }
        Ok::<_, EngineError>(())
    };
    rows.await.is_err_and(|error| error.uncastable_value().is_some_and(|own| own == message))
}

fn in_model(step: &Step, message: &str, error: EngineError) -> EngineError {
    let Some(sql) = &step.sql else { return error };
    let (model, place) = (step.name.clone(), place(sql, message));
    EngineError::Model { model, place, message: message.to_owned(), source: Box::new(error) }
}

/// The file, with the lines of the casts that may have failed.
fn place(sql: &SqlText, message: &str) -> String {
    let file = sql.file.path.display().to_string();
    let mut lines: Vec<String> =
        sql.casts_that_fail(message).iter().map(|place| place.line_and_column().0.to_string()).collect();
    lines.dedup();
    match lines.as_slice() {
        [] => file,
        [one] => format!("{file}:{one}"),
        several => format!("{file}, line {}", several.join(" or ")),
    }
}
