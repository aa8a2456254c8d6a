//! Which relation reads which.

use serde_json::json;
use throughline_plan::{Plan, StepKind};

use crate::arguments::LineageFormat;
use crate::terminal::{fitted, framed};

/// Every relation with what it reads, in running order.
pub(super) fn all(plan: &Plan, format: LineageFormat) -> String {
    match format {
        LineageFormat::Text => {
            let mut table = framed();
            table.set_header(["relation", "kind", "reads"]);
            for step in &plan.steps {
                table.add_row([step.name.as_str(), kind(step.kind), &step.inputs.join(", ")]);
            }
            format!("{}\n", fitted(table))
        }
        LineageFormat::Json => {
            let relations = plan
                .steps
                .iter()
                .map(|step| json!({ "relation": step.name, "kind": kind(step.kind), "reads": step.inputs }));
            format!("{}\n", json!({ "relations": relations.collect::<Vec<_>>() }))
        }
        LineageFormat::Mermaid => {
            let mut text = "flowchart LR\n".to_owned();
            for step in &plan.steps {
                let (open, close) = match step.kind {
                    StepKind::Source | StepKind::Seed => ("[(", ")]"),
                    StepKind::View => ("([", "])"),
                    StepKind::Table => ("[", "]"),
                };
                text.push_str(&format!("  {0}{open}\"{0}\"{close}\n", step.name));
            }
            for step in &plan.steps {
                for input in &step.inputs {
                    text.push_str(&format!("  {input} --> {}\n", step.name));
                }
            }
            text
        }
    }
}

fn kind(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Source => "source",
        StepKind::Seed => "seed",
        StepKind::View => "view",
        StepKind::Table => "table",
    }
}
