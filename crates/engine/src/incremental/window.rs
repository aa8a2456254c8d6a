//! Reading of a source only what an incremental run needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result as DataFusionResult, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use throughline_config::{Calendar, ModelKind, Source, Timestamp};
use throughline_plan::{Plan, ReplacedRows, Step};

use super::decide::{Increment, Increments, floor};
use crate::expressions::at;

/// For each source the day before which no step of the run needs its rows; sources that are read whole are not
/// there.
pub(crate) fn source_windows(plan: &Plan, steps: &[&Step], increments: &Increments) -> BTreeMap<String, Timestamp> {
    let mut windows: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
    for step in steps.iter().filter(|step| plan.is_table(&step.name)) {
        let increment = increments.get(&step.name);
        for (relation, since) in read_since(plan, &step.name, increment) {
            let merged = match windows.get(&relation) {
                Some(earlier) => earlier.zip(since).map(|(earlier, since)| earlier.min(since)),
                None => since,
            };
            windows.insert(relation, merged);
        }
    }
    // Whole days: what is seen of customers is compared by the day.
    let days = |(relation, since): (String, Option<Timestamp>)| Some((relation, floor(since?, Calendar::Day)));
    windows.into_iter().filter_map(days).collect()
}

/// The relations that a step reads, its views' included, each with the instant from which on it needs their rows.
fn read_since(plan: &Plan, step: &str, increment: Option<&Increment>) -> Vec<(String, Option<Timestamp>)> {
    let since = increment.and_then(|increment| increment.start);
    match increment.map(|increment| (&increment.replaced, increment)) {
        // Touchpoints are matched again from a later instant on than rows are made again; what the SQL reads besides
        // may look at any time.
        Some((ReplacedRows::Instances { view, .. }, increment)) => {
            let matched = plan.through_views([view.as_str()], None);
            let besides = plan.through_views([step], Some(view));
            let relations = matched.union(&besides);
            relations
                .map(|name| {
                    let only_matched = !besides.contains(name) || *name == view.as_str();
                    ((*name).to_owned(), increment.matched_from.filter(|_| only_matched))
                })
                .collect()
        }
        _ => plan.through_views([step], None).into_iter().map(|name| (name.to_owned(), since)).collect(),
    }
}

/// Whether a row of a source says something at `since` or later. Rows without a time pass: they are set aside, and told
/// by every run.
pub(crate) fn active_since(source: &Source, since: Timestamp, relation: Option<&TableReference>) -> Option<Expr> {
    let column = |name: &str| Expr::Column(Column::new(relation.cloned(), name));
    let active = source.active_at.iter().map(|time| column(&time.value).gt_eq(at(since))).reduce(Expr::or)?;
    Some(match &source.time_column {
        Some(time) => active.or(column(&time.value).is_null()),
        None => active,
    })
}

/// The same plan, in which every scan of a source with `active_at` reads only rows active at `since` or later.
pub(super) fn since(
    plan: LogicalPlan,
    sources: &[(&Source, Arc<dyn TableProvider>)],
    since: Timestamp,
) -> DataFusionResult<LogicalPlan> {
    let narrowed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let Ok(provider) = source_as_provider(&scan.source) else { return Ok(Transformed::no(node)) };
        let same = |other: &Arc<dyn TableProvider>| std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(&provider));
        let source = sources.iter().find(|(_, other)| same(other));
        let Some(active) = source.and_then(|(source, _)| active_since(source, since, Some(&scan.table_name))) else {
            return Ok(Transformed::no(node));
        };
        let filtered = LogicalPlanBuilder::from(node).filter(active)?.build()?;
        Ok(Transformed::yes(filtered))
    })?;
    Ok(narrowed.data)
}

/// The relation of touchpoints under a model's `match`.
pub(super) fn touchpoints_of<'a>(plan: &'a Plan, model: &str) -> Option<&'a str> {
    match &plan.pipeline.models.get(model)?.kind {
        ModelKind::Match { input, .. } => Some(&input.value),
        ModelKind::Sql(_) | ModelKind::Eligible { .. } => None,
    }
}
