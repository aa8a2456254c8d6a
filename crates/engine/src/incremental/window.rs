//! What an incremental run reads of its sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result as DataFusionResult, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use throughline_config::{ModelKind, Source, Timestamp};
use throughline_plan::{Plan, ReplacedRows, Step};

use super::calendar::midnight_before;
use super::rebuild::{Rebuild, Rebuilds};
use crate::instants::at;

/// For each source and view the midnight before which no step of the run needs its rows; those that are read whole are
/// left out.
pub(crate) fn source_windows(plan: &Plan, steps: &[&Step], rebuilds: &Rebuilds) -> BTreeMap<String, Timestamp> {
    let mut windows: BTreeMap<String, Option<Timestamp>> = BTreeMap::new();
    for step in steps.iter().filter(|step| plan.is_table(&step.name)) {
        let rebuild = rebuilds.get(&step.name);
        for (relation, since) in read_since(plan, &step.name, rebuild) {
            let merged = match windows.get(&relation) {
                Some(earlier) => earlier.zip(since).map(|(earlier, since)| earlier.min(since)),
                None => since,
            };
            windows.insert(relation, merged);
        }
    }
    // Whole days, because customers' digests are kept by the day.
    let days = |(relation, since): (String, Option<Timestamp>)| Some((relation, midnight_before(since?)));
    windows.into_iter().filter_map(days).collect()
}

/// The relations that a step reads, its views' included, each with the instant since which it needs their rows.
fn read_since(plan: &Plan, step: &str, rebuild: Option<&Rebuild>) -> Vec<(String, Option<Timestamp>)> {
    let since = rebuild.and_then(|rebuild| rebuild.since);
    match rebuild.map(|rebuild| (&rebuild.replaced, rebuild)) {
        // Touchpoints are matched since a later instant than rows are rebuilt; whatever else the SQL reads, it may read
        // for the whole time.
        Some((ReplacedRows::Instances { view, .. }, rebuild)) => {
            let matched = plan.through_views([view.as_str()], None);
            let besides = plan.through_views([step], Some(view));
            let relations = matched.union(&besides);
            relations
                .map(|name| {
                    let only_matched = !besides.contains(name) || *name == view.as_str();
                    ((*name).to_owned(), rebuild.changed_since.filter(|_| only_matched))
                })
                .collect()
        }
        _ => plan.through_views([step], None).into_iter().map(|name| (name.to_owned(), since)).collect(),
    }
}

/// True for a row of a source that is active at `since` or later. Rows without a time pass: every run sets them aside
/// and counts them.
pub(crate) fn active_since(source: &Source, since: Timestamp, relation: Option<&TableReference>) -> Option<Expr> {
    let column = |name: &str| Expr::Column(Column::new(relation.cloned(), name));
    let active = source.active_at.iter().map(|time| column(&time.value).gt_eq(at(since))).reduce(Expr::or)?;
    Some(match &source.time_column {
        Some(time) => active.or(column(&time.value).is_null()),
        None => active,
    })
}

/// The same plan, in which every scan of a source with `active_at` reads only rows active at `since` or later.
pub(crate) fn active_sources_since(
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
        ModelKind::Sql(_) | ModelKind::Union(_) | ModelKind::Eligible { .. } => None,
    }
}
