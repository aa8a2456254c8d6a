//! The rows of an incremental step: those made again, and those that stay although their file is written anew.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, cast};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionContext, ident};
use throughline_config::{MatchRows, Model, Timestamp};
use throughline_lake::{SplitParts, StagedTable, TableParts};
use throughline_plan::{BEGINNING, ReplacedRows, Step, relation};

use super::carry::{Carried, carried, matched_again, open_since, settled_at};
use super::decide::{Increment, Increments};
use super::ledger::IncrementRecord;
use super::seen::Customers;
use super::window::{since, touchpoints_of};
use crate::expressions::{at, in_types_of, time_type};
use crate::failure::EngineError;
use crate::hold::Holding;
use crate::matching::Matcher;
use crate::prepare::Prepared;
use crate::run::rfc3339;
use crate::usage::StepUsage;

/// The hidden last column of staged rows: from when on nothing changes them.
const SETTLED_AT: &str = "__settled_at";

/// What a step writes and what stays.
pub(crate) struct Replacement {
    /// The rows to be written, the instant at which each is settled last.
    pub(crate) rows: LogicalPlan,
    /// The files that are reached, whose rows are made again or written anew, and those that stay.
    pub(crate) split: Option<SplitParts>,
    /// Instances carried over.
    carried: Option<Carried>,
    /// The rows of the files that are replaced: of those that are made again and those that are written anew.
    affected: Option<Arc<dyn TableProvider>>,
    /// True for rows of customers that are matched again; `None` when all are.
    touched: Option<Expr>,
    /// The rows that are made again, where there is room for them in memory.
    pub(crate) made_again: Option<MadeAgain>,
    /// What reading rows that are looked at more than once has cost.
    pub(crate) usage: StepUsage,
}

/// Rows that are made again, in memory: they are written, and tested.
pub(crate) struct MadeAgain {
    pub(crate) rows: Arc<dyn TableProvider>,
    /// How they were made.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
}

/// What the incremental steps of a run share.
pub(crate) struct Shared<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) increments: &'a Increments,
    pub(crate) holding: Option<&'a Holding>,
    /// The customers whose touchpoints differ from those that the step's table was made from, where that is known.
    pub(crate) changed: Option<Arc<Customers>>,
}

/// Plans the rows of an incremental step. `session` has its inputs under their names.
pub(crate) async fn replacement(
    shared: &Shared<'_>,
    step: &Step,
    model: &Model,
    increment: &Increment,
    session: &SessionContext,
) -> Result<Replacement, EngineError> {
    let mut making = Making { shared, step, model, increment, session, touched: None, usage: StepUsage::default() };
    making.touched = making.touched().await?;
    let (rows, carried) = match (&increment.replaced, increment.start) {
        (_, None) => (making.whole(session, BEGINNING).await?, None),
        (ReplacedRows::Interval { time_column }, Some(start)) => (making.interval(time_column, start).await?, None),
        (ReplacedRows::Members, Some(start)) => making.members(start).await?,
        (ReplacedRows::Instances { view, members }, Some(start)) => making.instances(view, members, start).await?,
    };
    let (mut affected, mut split) = (None, None);
    if let (Some(base), Some(start)) = (&increment.base, increment.start) {
        let parts = base.split_at(start);
        if parts.reached.number_of_files() > 0 {
            affected = Some(making.parts(&step.name, &parts.reached, start).await?);
        }
        split = Some(parts);
    }
    let made_again = making.made_again(&rows).await?;
    let rows = match &made_again {
        Some(made_again) => session.read_table(Arc::clone(&made_again.rows))?.into_unoptimized_plan(),
        None => rows,
    };
    let rows = match &affected {
        Some(affected) => making.with_rows_that_stay(rows, affected, carried.as_ref())?,
        None => rows,
    };
    let rows = making.settled(rows)?;
    let Making { touched, usage, .. } = making;
    Ok(Replacement { rows, split, carried, affected, touched, made_again, usage })
}

impl Replacement {
    /// The rows that are written, from memory where they are there.
    pub(crate) fn written(&self, staged: &StagedTable) -> Arc<dyn TableProvider> {
        match self.made_again {
            Some(_) => Arc::new(ViewTable::new(self.rows.clone(), None)),
            None => staged.provider(),
        }
    }

    /// What came of it, once it is staged.
    pub(crate) async fn record(
        &self,
        prepared: &Prepared,
        increment: &Increment,
        staged: &StagedTable,
        session: &SessionContext,
    ) -> Result<IncrementRecord, EngineError> {
        let ids = |frame: DataFrame, name: &str| frame.select(vec![ident("journey_id").alias(name)]);
        // Who is not matched again keeps the ids.
        let touched = |rows: DataFrame| match &self.touched {
            Some(touched) => rows.filter(touched.clone()),
            None => Ok(rows),
        };
        let replaced_ids = match (&increment.replaced, &self.affected) {
            (ReplacedRows::Instances { .. }, Some(affected)) => {
                let before = ids(touched(session.read_table(Arc::clone(affected))?)?, "before")?;
                let now = ids(touched(session.read_table(self.written(staged))?)?, "now")?;
                let gone = before.join(now, JoinType::LeftAnti, &["before"], &["now"], None)?;
                Some(gone.distinct()?.count().await? as u64)
            }
            _ => None,
        };
        Ok(IncrementRecord {
            from: increment.start.map(rfc3339),
            until: rfc3339(prepared.plan.parameters.as_of()),
            why: increment.why.clone(),
            carried: self.carried.as_ref().map(|carried| carried.number),
            written: staged.rows(),
            kept: staged.table_rows() - staged.rows(),
            replaced_ids,
        })
    }
}

struct Making<'a> {
    shared: &'a Shared<'a>,
    step: &'a Step,
    model: &'a Model,
    increment: &'a Increment,
    session: &'a SessionContext,
    /// True for rows of customers that are matched again; `None` when all are.
    touched: Option<Expr>,
    usage: StepUsage,
}

impl Making<'_> {
    /// Customers whose touchpoints have changed, or whose instances time has ended.
    async fn touched(&mut self) -> Result<Option<Expr>, EngineError> {
        let (Some(changed), Some(base), Some(start)) =
            (&self.shared.changed, &self.increment.base, self.increment.start)
        else {
            return Ok(None);
        };
        let recent = self.parts(&self.step.name, &base.split_at(start).reached, start).await?;
        let customers = changed.with_expired(recent, &self.shared.prepared.plan, self.session).await?;
        let customer = self.step.schema.field_with_name("customer_id").map_err(DataFusionError::from)?;
        Ok(Some(Arc::new(customers).hold(customer.data_type())))
    }

    /// True for rows of customers that are not matched again.
    fn untouched(&self) -> Option<Expr> {
        self.touched.clone().map(|touched| !touched)
    }

    /// The rows of files that may hold one settled at `since` or later.
    async fn parts(
        &mut self,
        table: &str,
        recent: &TableParts,
        since: Timestamp,
    ) -> Result<Arc<dyn TableProvider>, EngineError> {
        let Some(holding) = self.shared.holding else { return Ok(recent.provider()) };
        let (rows, usage) = holding.parts(table, recent, since, self.session).await?;
        self.usage.add_usage(usage);
        Ok(rows)
    }

    /// The new rows of a table that keeps others, in memory.
    async fn made_again(&mut self, rows: &LogicalPlan) -> Result<Option<MadeAgain>, EngineError> {
        let (Some(holding), Some(_)) = (self.shared.holding, &self.increment.base) else { return Ok(None) };
        let (table, plan) = holding.table(self.frame(rows.clone()), self.session).await?;
        self.usage.add_usage(StepUsage::of(&plan));
        Ok(table.map(|rows| MadeAgain { rows, plan }))
    }

    /// The model's rows with `$interval_start` bound to an instant.
    async fn whole(&self, session: &SessionContext, start: Timestamp) -> Result<LogicalPlan, EngineError> {
        let plan = &self.shared.prepared.plan;
        let parameters = plan.parameters.with_interval(start);
        let sql = self.step.sql.as_deref();
        Ok(relation(self.model, sql, &plan.pipeline, &parameters, session, &Matcher).await?)
    }

    async fn interval(&self, time_column: &str, start: Timestamp) -> Result<LogicalPlan, EngineError> {
        let rows = since(self.whole(self.session, start).await?, &self.shared.prepared.opened_sources(), start)?;
        let time = || ident(time_column);
        let made_again = time().gt_eq(at(start)).or(time().is_null());
        Ok(self.frame(rows).filter(made_again)?.into_unoptimized_plan())
    }

    async fn members(&mut self, start: Timestamp) -> Result<(LogicalPlan, Option<Carried>), EngineError> {
        let plan = &self.shared.prepared.plan;
        let Some(touchpoints) = touchpoints_of(plan, &self.step.name) else {
            return Err(EngineError::failed(format!("`{}` matches nothing", self.step.name), ""));
        };
        let members = self.increment.base.as_ref().map(|base| (self.step.name.as_str(), base));
        self.matched(touchpoints, MatchRows::Members, members, start).await
    }

    async fn matched(
        &mut self,
        touchpoints: &str,
        rows: MatchRows,
        members: Option<(&str, &TableParts)>,
        from: Timestamp,
    ) -> Result<(LogicalPlan, Option<Carried>), EngineError> {
        let prepared = self.shared.prepared;
        let touchpoints = self.session.table(touchpoints).await?.into_unoptimized_plan();
        let touchpoints = since(touchpoints, &prepared.opened_sources(), from)?;
        let Some((table, members)) = members else {
            let matched = matched_again(touchpoints, None, None, rows, from, &prepared.plan, self.session)?;
            return Ok((matched, None));
        };
        let SplitParts { reached, settled } = members.split_at(from);
        let unsettled = self.parts(table, &reached, from).await?;
        let session = prepared.session()?;
        let touched = self.touched.as_ref();
        let going_on = carried(&unsettled, &settled, touched, &prepared.plan, from, &session);
        // Tables that were made with the same sums were made by one run: of both the same customers are touched.
        let seen = touched.and(self.increment.seen).map(|(seen, _)| seen.version);
        let going_on = match self.shared.holding {
            Some(holding) => holding.carried((table, members.version, from), seen, going_on).await?,
            None => going_on.await?,
        };
        let before = Some((unsettled, &going_on));
        let matched = matched_again(touchpoints, before, touched, rows, from, &prepared.plan, self.session)?;
        Ok((matched, Some(going_on)))
    }

    /// The model's SQL over the instances that are matched again and those that only what is joined to them can have
    /// changed: the rest of what the view would hold is not made.
    async fn instances(
        &mut self,
        view: &str,
        members: &str,
        start: Timestamp,
    ) -> Result<(LogicalPlan, Option<Carried>), EngineError> {
        let prepared = self.shared.prepared;
        let plan = &prepared.plan;
        let from = self.increment.matched_from.unwrap_or(start);
        let Some(touchpoints) = touchpoints_of(plan, view) else {
            return Err(EngineError::failed(format!("`{view}` matches nothing"), ""));
        };
        // Where the history begins in the middle, nothing is carried over. What was a member before `from` is the same
        // before and after the members' own step, whose look at them is shared.
        let published = match (&self.increment.base, self.shared.increments.get(members)) {
            (None, _) => None,
            (Some(_), Some(Increment { base: Some(base), .. })) => Some(base.clone()),
            (Some(_), _) => prepared.warehouse.table_parts(members).await?,
        };
        let published = published.as_ref().map(|parts| (members, parts));
        let (matched, going_on) = self.matched(touchpoints, MatchRows::Instances, published, from).await?;
        let mut instances = self.frame(matched);
        if let (Some(base), Some(going_on)) = (&self.increment.base, &going_on) {
            let columns = in_types_of(instances.schema());
            let recent = self.parts(&self.step.name, &base.split_at(start).reached, start).await?;
            let unmatched = self.session.read_table(recent)?;
            let is_unmatched = either(ident("started_at").lt(at(from)), self.untouched());
            let unmatched = unmatched.filter(is_unmatched.and(ident("last_at").gt_eq(at(start))))?;
            instances = instances.union(self.without(unmatched, going_on)?.select(columns)?)?;
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
        // What the SQL joins to the instances it may bound by their last touchpoints.
        let interval_start = start.min(open_since(plan, from));
        Ok((self.whole(&session, interval_start).await?, going_on))
    }

    /// Beside the new rows those of the affected files that nothing replaces.
    fn with_rows_that_stay(
        &self,
        rows: LogicalPlan,
        affected: &Arc<dyn TableProvider>,
        carried: Option<&Carried>,
    ) -> Result<LogicalPlan, EngineError> {
        let old = self.session.read_table(Arc::clone(affected))?;
        let Some(start) = self.increment.start else { return Ok(rows) };
        let before = |column: &str, instant: Timestamp| ident(column).lt(at(instant));
        let stays = match &self.increment.replaced {
            ReplacedRows::Interval { time_column } => old.filter(before(time_column, start))?,
            ReplacedRows::Members => old.filter(either(before("started_at", start), self.untouched()))?,
            ReplacedRows::Instances { .. } => {
                let from = self.increment.matched_from.unwrap_or(start);
                old.filter(either(before("started_at", from), self.untouched()).and(before("last_at", start)))?
            }
        };
        let stays = match carried {
            Some(carried) => self.without(stays, carried)?,
            None => stays,
        };
        let new = self.frame(rows);
        let columns = in_types_of(new.schema());
        Ok(new.union(stays.select(columns)?)?.into_unoptimized_plan())
    }

    fn without(&self, rows: DataFrame, carried: &Carried) -> Result<DataFrame, EngineError> {
        let ids = self.session.read_table(Arc::clone(&carried.ids) as _)?;
        let ids = ids.select(vec![ident("journey_id").alias("carried_id")])?;
        Ok(rows.join(ids, JoinType::LeftAnti, &["journey_id"], &["carried_id"], None)?)
    }

    /// The rows in the order of the model's columns, and when each is settled.
    fn settled(&self, rows: LogicalPlan) -> Result<LogicalPlan, EngineError> {
        let rows = self.frame(rows);
        let settled = match &self.increment.replaced {
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
