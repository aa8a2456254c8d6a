//! Plans the rows that an incremental step writes: those it rebuilds, and those that stay although their file is
//! replaced.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, cast};
use datafusion::prelude::{SessionContext, ident};
use throughline_config::{MatchRows, Model, Timestamp};
use throughline_lake::{SplitParts, TableParts};
use throughline_plan::{BEGINNING, ReplacedRows, Step, relation};

use super::carry::{FoundOpenInstances, OpenInstances, find_open_instances, match_since};
use super::customers::Customers;
use super::limits::{open_since, settled_at};
use super::rebuild::{Rebuild, Rebuilds};
use super::replacement::{RebuiltRows, Replacement};
use super::window::{active_sources_since, touchpoints_of};
use crate::columns::in_types_of;
use crate::failure::EngineError;
use crate::instants::{at, time_type};
use crate::record::usage::StepUsage;
use crate::step::relation_cache::RelationCache;
use crate::workspace::matching::Matcher;
use crate::workspace::prepare::Prepared;

/// The hidden last column of staged rows: the instant after which nothing changes them.
const SETTLED_AT: &str = "__settled_at";

/// What the incremental steps of a run share.
pub(crate) struct Shared<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) rebuilds: &'a Rebuilds,
    pub(crate) cache: Option<&'a RelationCache>,
    pub(crate) open_instances: &'a FoundOpenInstances,
    /// The customers whose touchpoints differ from those that the step's table was made from, where that is known.
    pub(crate) changed: Option<Arc<Customers>>,
}

/// Plans the rows of an incremental step. `session` has its inputs under their names.
pub(crate) async fn plan_replacement(
    shared: &Shared<'_>,
    step: &Step,
    model: &Model,
    rebuild: &Rebuild,
    session: &SessionContext,
) -> Result<Replacement, EngineError> {
    let usage = StepUsage::default();
    let mut planning = Planning { shared, step, model, rebuild, session, is_matched: None, usage };
    planning.is_matched = planning.matched_customers().await?;
    let (rows, open) = match (&rebuild.replaced, rebuild.since) {
        (_, None) => (planning.model_rows(session, BEGINNING).await?, None),
        (ReplacedRows::Interval { time_column }, Some(since)) => (planning.interval(time_column, since).await?, None),
        (ReplacedRows::Members, Some(since)) => planning.members(since).await?,
        (ReplacedRows::Instances { view, members }, Some(since)) => planning.instances(view, members, since).await?,
    };
    let (mut old_rows, mut files) = (None, None);
    if let (Some(base), Some(since)) = (&rebuild.base, rebuild.since) {
        let split = base.split_at(since);
        if split.reached.number_of_files() > 0 {
            old_rows = Some(planning.files(&step.name, &split.reached, since).await?);
        }
        files = Some(split);
    }
    let rebuilt = planning.keep_rebuilt(&rows).await?;
    let rows = match &rebuilt {
        Some(rebuilt) => session.read_table(Arc::clone(&rebuilt.rows))?.into_unoptimized_plan(),
        None => rows,
    };
    let rows = match &old_rows {
        Some(old_rows) => planning.with_rows_that_stay(rows, old_rows, open.as_ref())?,
        None => rows,
    };
    let rows = planning.with_settled_at(rows)?;
    let Planning { is_matched, usage, .. } = planning;
    Ok(Replacement { rows, layout: rebuild.layout, files, rebuilt, usage, open_instances: open, old_rows, is_matched })
}

struct Planning<'a> {
    shared: &'a Shared<'a>,
    step: &'a Step,
    model: &'a Model,
    rebuild: &'a Rebuild,
    session: &'a SessionContext,
    /// True for rows of customers who are matched; `None` when all are.
    is_matched: Option<Expr>,
    usage: StepUsage,
}

impl Planning<'_> {
    /// True for customers whose touchpoints have changed, or of whose instances one ended because time passed.
    async fn matched_customers(&mut self) -> Result<Option<Expr>, EngineError> {
        let (Some(changed), Some(base), Some(since)) = (&self.shared.changed, &self.rebuild.base, self.rebuild.since)
        else {
            return Ok(None);
        };
        let recent = self.files(&self.step.name, &base.split_at(since).reached, since).await?;
        let customers = changed.with_expired_instances(recent, &self.shared.prepared.plan, self.session).await?;
        let customer = self.step.schema.field_with_name("customer_id").map_err(DataFusionError::from)?;
        Ok(Some(Arc::new(customers).contain_row(customer.data_type())))
    }

    /// True for rows of customers who are not matched.
    fn is_unmatched(&self) -> Option<Expr> {
        self.is_matched.clone().map(|is_matched| !is_matched)
    }

    /// The rows of files of a table, those that may hold one settled at `since` or later.
    async fn files(
        &mut self,
        table: &str,
        files: &TableParts,
        since: Timestamp,
    ) -> Result<Arc<dyn TableProvider>, EngineError> {
        let Some(cache) = self.shared.cache else { return Ok(files.provider()) };
        let (rows, usage) = cache.files(table, files, since, self.session).await?;
        self.usage.add_usage(usage);
        Ok(rows)
    }

    /// The rebuilt rows of a table that keeps others, in memory.
    async fn keep_rebuilt(&mut self, rows: &LogicalPlan) -> Result<Option<RebuiltRows>, EngineError> {
        let (Some(cache), Some(_)) = (self.shared.cache, &self.rebuild.base) else { return Ok(None) };
        let (table, plan) = cache.keep_as_table(self.frame(rows.clone()), self.session).await?;
        self.usage.add_usage(StepUsage::of(&plan));
        Ok(table.map(|rows| RebuiltRows { rows, plan }))
    }

    /// The model's rows with `$interval_start` bound to an instant.
    async fn model_rows(&self, session: &SessionContext, start: Timestamp) -> Result<LogicalPlan, EngineError> {
        let plan = &self.shared.prepared.plan;
        let parameters = plan.parameters.with_interval(start);
        let sql = self.step.sql.as_deref();
        Ok(relation(self.model, sql, &plan.pipeline, &parameters, session, &Matcher).await?)
    }

    async fn interval(&self, time_column: &str, since: Timestamp) -> Result<LogicalPlan, EngineError> {
        let rows = self.model_rows(self.session, since).await?;
        let rows = active_sources_since(rows, &self.shared.prepared.opened_sources(), since)?;
        let time = || ident(time_column);
        let is_rebuilt = time().gt_eq(at(since)).or(time().is_null());
        Ok(self.frame(rows).filter(is_rebuilt)?.into_unoptimized_plan())
    }

    async fn members(&mut self, since: Timestamp) -> Result<(LogicalPlan, Option<OpenInstances>), EngineError> {
        let Some(touchpoints) = touchpoints_of(&self.shared.prepared.plan, &self.step.name) else {
            return Err(EngineError::internal(format!("`{}` matches no relation", self.step.name)));
        };
        let members = self.rebuild.base.as_ref().map(|base| (self.step.name.as_str(), base));
        self.matched(touchpoints, MatchRows::Members, members, since).await
    }

    /// Touchpoints matched since an instant, after the members of the instances that were open then.
    async fn matched(
        &mut self,
        touchpoints: &str,
        rows: MatchRows,
        members: Option<(&str, &TableParts)>,
        since: Timestamp,
    ) -> Result<(LogicalPlan, Option<OpenInstances>), EngineError> {
        let prepared = self.shared.prepared;
        let touchpoints = self.session.table(touchpoints).await?.into_unoptimized_plan();
        let touchpoints = active_sources_since(touchpoints, &prepared.opened_sources(), since)?;
        let Some((table, members)) = members else {
            let matched = match_since(touchpoints, None, None, rows, since, &prepared.plan, self.session)?;
            return Ok((matched, None));
        };
        let SplitParts { reached, settled } = members.split_at(since);
        let unsettled = self.files(table, &reached, since).await?;
        let session = prepared.session()?;
        let is_matched = self.is_matched.as_ref();
        // Tables with the same version of digests were made by one run, so of both the same customers are matched.
        let digests = is_matched.and(self.rebuild.digests).map(|(kept, _)| kept.version);
        let find = find_open_instances(&unsettled, &settled, is_matched, &prepared.plan, since, &session);
        let open = self.shared.open_instances.get((table, members.version, since), digests, find).await?;
        let before = Some((unsettled, &open));
        let matched = match_since(touchpoints, before, is_matched, rows, since, &prepared.plan, self.session)?;
        Ok((matched, Some(open)))
    }

    /// The model's SQL over the instances that are matched, and those that may have changed only through what the SQL
    /// joins to them. The other instances of its view are not computed.
    async fn instances(
        &mut self,
        view: &str,
        members: &str,
        since: Timestamp,
    ) -> Result<(LogicalPlan, Option<OpenInstances>), EngineError> {
        let prepared = self.shared.prepared;
        let plan = &prepared.plan;
        let matched_since = self.rebuild.changed_since.unwrap_or(since);
        let Some(touchpoints) = touchpoints_of(plan, view) else {
            return Err(EngineError::internal(format!("`{view}` matches no relation")));
        };
        // Where the history begins at an instant, no instance is open then. What was a member before the matching is
        // the same before and after the step that rebuilds the members, which reads the same version of them.
        let published = match (&self.rebuild.base, self.shared.rebuilds.get(members)) {
            (None, _) => None,
            (Some(_), Some(Rebuild { base: Some(base), .. })) => Some(base.clone()),
            (Some(_), _) => prepared.warehouse.table_parts(members).await?,
        };
        let published = published.as_ref().map(|files| (members, files));
        let (matched, open) = self.matched(touchpoints, MatchRows::Instances, published, matched_since).await?;
        let mut instances = self.frame(matched);
        if let (Some(base), Some(open)) = (&self.rebuild.base, &open) {
            let columns = in_types_of(instances.schema());
            let recent = self.files(&self.step.name, &base.split_at(since).reached, since).await?;
            let began_before = ident("started_at").lt(at(matched_since));
            let is_unmatched = either(began_before, self.is_unmatched());
            let unmatched = self.session.read_table(recent)?;
            let unmatched = unmatched.filter(is_unmatched.and(ident("last_at").gt_eq(at(since))))?;
            instances = instances.union(self.without(unmatched, open)?.select(columns)?)?;
        }
        let session = prepared.session()?;
        for input in &self.step.inputs {
            let provider: Arc<dyn TableProvider> = match input.as_str() == view {
                true => Arc::new(ViewTable::new(instances.clone().into_unoptimized_plan(), None)),
                false => self.session.table_provider(input.as_str()).await?,
            };
            session.deregister_table(input.as_str())?;
            session.register_table(input.as_str(), provider)?;
        }
        // The SQL may limit what it joins to the instances by their last touchpoints.
        let interval_start = since.min(open_since(plan, matched_since));
        Ok((self.model_rows(&session, interval_start).await?, open))
    }

    /// The rebuilt rows, and those rows of the replaced files that stay as they are.
    fn with_rows_that_stay(
        &self,
        rows: LogicalPlan,
        old_rows: &Arc<dyn TableProvider>,
        open: Option<&OpenInstances>,
    ) -> Result<LogicalPlan, EngineError> {
        let old = self.session.read_table(Arc::clone(old_rows))?;
        let Some(since) = self.rebuild.since else { return Ok(rows) };
        let before = |column: &str, instant: Timestamp| ident(column).lt(at(instant));
        let stays = match &self.rebuild.replaced {
            ReplacedRows::Interval { time_column } => old.filter(before(time_column, since))?,
            ReplacedRows::Members => old.filter(either(before("started_at", since), self.is_unmatched()))?,
            ReplacedRows::Instances { .. } => {
                let matched_since = self.rebuild.changed_since.unwrap_or(since);
                let is_unmatched = either(before("started_at", matched_since), self.is_unmatched());
                old.filter(is_unmatched.and(before("last_at", since)))?
            }
        };
        let stays = match open {
            Some(open) => self.without(stays, open)?,
            None => stays,
        };
        let new = self.frame(rows);
        let columns = in_types_of(new.schema());
        Ok(new.union(stays.select(columns)?)?.into_unoptimized_plan())
    }

    /// The rows of other instances than those that were open: these are matched.
    fn without(&self, rows: DataFrame, open: &OpenInstances) -> Result<DataFrame, EngineError> {
        let ids = self.session.read_table(Arc::clone(&open.ids) as _)?;
        let ids = ids.select(vec![ident("journey_id").alias("open_id")])?;
        Ok(rows.join(ids, JoinType::LeftAnti, &["journey_id"], &["open_id"], None)?)
    }

    /// The rows in the order of the model's columns, and when each is settled.
    fn with_settled_at(&self, rows: LogicalPlan) -> Result<LogicalPlan, EngineError> {
        let rows = self.frame(rows);
        let settled = match &self.rebuild.replaced {
            ReplacedRows::Interval { time_column } => ident(time_column),
            ReplacedRows::Members | ReplacedRows::Instances { .. } => {
                self.session.parse_sql_expr(&settled_at(&self.shared.prepared.plan), rows.schema())?
            }
        };
        let columns = self.step.schema.fields().iter().map(|field| ident(field.name()).alias(field.name()));
        let columns = columns.chain([cast(settled, time_type()).alias(SETTLED_AT)]);
        Ok(rows.select(columns.collect::<Vec<_>>())?.into_unoptimized_plan())
    }

    fn frame(&self, plan: LogicalPlan) -> DataFrame {
        DataFrame::new(self.session.state(), plan)
    }
}

/// True when one of two conditions is, the second of which may be absent.
fn either(one: Expr, other: Option<Expr>) -> Expr {
    match other {
        Some(other) => one.or(other),
        None => one,
    }
}
