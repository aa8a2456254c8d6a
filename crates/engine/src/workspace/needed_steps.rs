//! Which steps of a plan a selection of models needs.

use std::collections::BTreeSet;

use throughline_plan::{Graph, Plan, Step};

/// The selected models and every source, seed and view they need, in the plan's order.
pub fn needed_steps<'a>(plan: &'a Plan, selected: &BTreeSet<String>) -> Vec<&'a Step> {
    let models = plan.steps.iter().map(|step| step.name.as_str()).filter(|name| selected.contains(*name));
    let needed = Graph::closure(models, |name| {
        plan.graph.inputs(name).filter(|input| !plan.is_table(input) || selected.contains(*input))
    });
    plan.steps.iter().filter(|step| needed.contains(step.name.as_str())).collect()
}
