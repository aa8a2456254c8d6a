//! One step: read or make the rows, stage them, test them, publish them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{TableProvider, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream_partitioned};
use datafusion::prelude::{SessionContext, ident};
use throughline_config::{Freshness, ModelKind, Place, Severity, Timestamp};
use throughline_journeys::match_counts;
use throughline_lake::{CommitDetails, SortColumn, SplitParts, StagedTable, TableSpec, Warehouse};
use throughline_plan::{BrokenRule, PlannedTest, Step, StepKind, relation, row_rule};

use crate::event::{Event, Observer, Silent};
use crate::expressions::{at, in_types_of};
use crate::failure::EngineError;
use crate::gate::Gate;
use crate::hold::Holding;
use crate::incremental::{Increment, Increments, Seen, Shared, active_since, replacement};
use crate::intake::{Intake, IntakeRules, all_differ, take_in};
use crate::matching::{Matcher, conservation};
use crate::prepare::Prepared;
use crate::run::{STUCK_AFTER, TICK, rfc3339};
use crate::run_record::{StepRecord, StepStatus, TestRecord};
use crate::usage::StepUsage;

/// Steps from which on touchpoints are kept instead of being made for each.
const MANY_READERS: usize = 3;

/// What the steps of one run share.
pub(crate) struct Execution {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) session: SessionContext,
    pub(crate) run_id: String,
    pub(crate) observer: Arc<dyn Observer>,
    /// The warehouse, as the run writes to it.
    pub(crate) warehouse: Warehouse,
    /// Whether rows set aside are published; `show` only looks.
    pub(crate) publishes: bool,
    /// What every commit passes.
    pub(crate) gate: Gate,
    /// What is made again of incremental models.
    pub(crate) increments: Increments,
    /// For each relation that is not read whole the instant from which on it is.
    pub(crate) windows: BTreeMap<String, Timestamp>,
    /// Relations kept in memory; none where relations are only looked at.
    pub(crate) holding: Option<Holding>,
    /// The tables of the last complete run, with their versions.
    pub(crate) published: BTreeMap<String, u64>,
    /// What this run has seen of each view of touchpoints.
    pub(crate) seen: Mutex<BTreeMap<String, Seen>>,
}

impl Execution {
    /// For looking at relations: everything is read whole and nothing is published.
    pub(crate) fn looking(prepared: &Arc<Prepared>, session: SessionContext) -> Self {
        Self {
            prepared: Arc::clone(prepared),
            session,
            run_id: String::new(),
            observer: Arc::new(Silent),
            warehouse: prepared.warehouse.clone(),
            publishes: false,
            gate: Gate::default(),
            increments: Increments::default(),
            windows: BTreeMap::new(),
            holding: None,
            published: BTreeMap::new(),
            seen: Mutex::default(),
        }
    }

    /// Runs one step to its end; what went wrong stands in the record.
    pub(crate) async fn step(&self, name: &str) -> StepRecord {
        let began = Instant::now();
        self.observer.event(&Event::StepStarted { step: name });
        let mut record = self.blank(name, StepStatus::Done);
        let outcome = match self.prepared.plan.step(name) {
            Some(step) => tokio::select! {
                biased;
                outcome = self.carry_out(step, &mut record) => outcome,
                () = self.gate.stopped() => Err(EngineError::interrupted()),
            },
            None => Err(EngineError::failed(format!("`{name}` is no step of the plan"), "")),
        };
        if let Err(error) = outcome {
            record.status = match error {
                EngineError::Interrupted => StepStatus::NotRun,
                _ => StepStatus::Failed,
            };
            record.held = matches!(error, EngineError::Held { .. });
            record.help = error.help().map(str::to_owned);
            record.error = Some(error.to_string());
        }
        record.seconds = began.elapsed().as_secs_f64();
        record
    }

    /// The record of a step that did not run.
    pub(crate) fn not_run(&self, name: &str, why: &str) -> StepRecord {
        StepRecord { error: Some(why.to_owned()), ..self.blank(name, StepStatus::NotRun) }
    }

    /// The record of a step whose task ended without one.
    pub(crate) fn lost(&self, name: &str) -> StepRecord {
        let error = "the step ended abnormally; this is a bug in throughline";
        StepRecord { error: Some(error.to_owned()), ..self.blank(name, StepStatus::Failed) }
    }

    pub(crate) fn blank(&self, name: &str, status: StepStatus) -> StepRecord {
        let step = self.prepared.plan.step(name);
        let kind = match step.map(|step| step.kind) {
            Some(StepKind::Source) => "source",
            Some(StepKind::Seed) => "seed",
            Some(StepKind::View) => "view",
            Some(StepKind::Table) => "table",
            None => "unknown",
        };
        StepRecord {
            step: name.to_owned(),
            kind: kind.to_owned(),
            status,
            error: None,
            help: None,
            fingerprint: step.map(|step| step.fingerprint.clone()).unwrap_or_default(),
            seconds: 0.0,
            rows: None,
            bytes: None,
            files: None,
            version: None,
            rejected_version: None,
            intake: None,
            conservation: Vec::new(),
            increment: None,
            tests: Vec::new(),
            usage: StepUsage::default(),
            made_from: BTreeMap::new(),
            reused_from: None,
            done_again: None,
            held: false,
        }
    }

    async fn carry_out(&self, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
        match step.kind {
            StepKind::Source | StepKind::Seed => self.source(step, record).await,
            StepKind::View => self.view(step, record).await,
            StepKind::Table => self.table(step, record).await,
        }
    }

    /// Holds a source's rows against its contract and registers those that keep it.
    async fn source(&self, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
        let plan = &self.prepared.plan;
        let (Some(source), Some(open)) = (plan.pipeline.sources.get(&step.name), self.prepared.sources.get(&step.name))
        else {
            return Err(EngineError::failed(format!("the source `{}` was not opened", step.name), ""));
        };
        let mut rows = self.session.read_table(Arc::clone(&open.provider))?;
        let window = self.windows.get(&step.name).and_then(|since| Some((active_since(source, *since, None)?, *since)));
        if let Some((active, _)) = &window {
            rows = rows.filter(active.clone())?;
        }
        let mut rules = IntakeRules {
            broken: Vec::new(),
            time_column: source.time_column.as_ref().map(|column| column.value.clone()),
            key: source.key.iter().map(|column| column.value.clone()).collect(),
        };
        for rule in &source.contract {
            rules.broken.extend(row_rule(rule, rows.schema(), &plan.parameters, &self.session.state())?);
        }
        // Where touchpoints themselves do not fit, it is from sources in memory that they are best made again.
        let is_kept = !self.windows.is_empty();
        let intake = self.intake(&step.name, rows, &rules, is_kept, record).await?;
        let not_read = window.map(|(active, _)| Expr::IsNotTrue(Box::new(active)));
        self.admit(step, intake, not_read, record).await?;
        match &source.freshness {
            Some(freshness) => self.hold_fresh(&step.name, freshness, record).await,
            None => Ok(()),
        }
    }

    /// Whether touchpoints are worth being kept: an increment's are few, and making them for each of many steps is dear.
    fn is_read_often(&self, touchpoints: &str) -> bool {
        let steps = &self.prepared.plan.steps;
        let readers = steps.iter().filter(|step| step.inputs.iter().any(|input| input == touchpoints)).count();
        !self.windows.is_empty() || readers >= MANY_READERS
    }

    /// Gives every row its verdict, and keeps the rows in memory where asked and there is room.
    async fn intake(
        &self,
        name: &str,
        rows: DataFrame,
        rules: &IntakeRules,
        is_kept: bool,
        record: &mut StepRecord,
    ) -> Result<Intake, EngineError> {
        let keep = is_kept.then_some(async |rows: DataFrame| self.held(rows, record).await);
        take_in(name, rows, rules, self.prepared.plan.parameters.as_of(), &self.session, keep).await
    }

    /// A relation as it is kept in memory for all who read it, if there is room.
    pub(crate) async fn held(
        &self,
        rows: DataFrame,
        record: &mut StepRecord,
    ) -> Result<Option<DataFrame>, EngineError> {
        let Some(holding) = &self.holding else { return Ok(None) };
        let (held, usage) = holding.held(rows, &self.session).await?;
        record.usage.add_usage(usage);
        Ok(held)
    }

    /// Compares the newest kept row's time with `as_of`: too old is a warning or an error, as the source says. Each limit
    /// is a test in the record.
    async fn hold_fresh(&self, name: &str, freshness: &Freshness, record: &mut StepRecord) -> Result<(), EngineError> {
        let column = freshness.column.value.as_str();
        let rows = self.session.table(name).await?;
        let newest = rows.aggregate(vec![], vec![max(ident(column))])?.collect().await?;
        let newest = newest.first().map(newest_instant).transpose()?.flatten();
        let as_of = self.prepared.plan.parameters.as_of();
        let (age, shown) = match newest {
            Some(instant) => (as_of.saturating_sub(instant), format!("its newest `{column}` is {}", rfc3339(instant))),
            None => (i64::MAX, "it has no row".to_owned()),
        };
        let over = |limit: Option<throughline_config::Duration>| limit.is_some_and(|limit| age > limit.0);
        for (severity, limit) in [("warning", freshness.warn_after), ("error", freshness.error_after)] {
            let Some(throughline_config::Duration(longest)) = limit else { continue };
            record.tests.push(TestRecord {
                test: format!("newest `{column}` at most {} days before as_of", longest as f64 / 86_400e6),
                severity: severity.to_owned(),
                passed: !over(limit),
                count: i64::from(over(limit)),
                place: shown_place(&freshness.column.place),
            });
        }
        let message = format!("the source `{name}` is stale as of {}: {shown}", rfc3339(as_of));
        if over(freshness.error_after) {
            return Err(EngineError::failed(message, "see whether its system still delivers, or raise `error_after`"));
        }
        if over(freshness.warn_after) {
            self.observer.event(&Event::Warning { message: &message });
        }
        Ok(())
    }

    /// Registers the kept rows under the relation's name and publishes those set aside, beside those of the rows that
    /// this run did not read.
    async fn admit(
        &self,
        step: &Step,
        intake: Intake,
        not_read: Option<Expr>,
        record: &mut StepRecord,
    ) -> Result<(), EngineError> {
        self.register(&step.name, Arc::new(ViewTable::new(intake.kept, None)))?;
        record.rows = Some(intake.counts.kept);
        record.usage.add_usage(intake.usage);
        record.intake = Some(intake.counts);
        if !self.publishes {
            return Ok(());
        }
        let name = format!("{}__rejected", step.name);
        let earlier = match not_read {
            Some(not_read) => self.rejected_before(&name, not_read, intake.rejected.is_none()).await?,
            None => None,
        };
        let rejected = match (intake.rejected, earlier) {
            (Some(rejected), Some(earlier)) => {
                let rejected = DataFrame::new(self.session.state(), rejected);
                let columns = in_types_of(rejected.schema());
                Some(rejected.union(earlier.select(columns)?)?.into_unoptimized_plan())
            }
            (Some(rejected), None) => Some(rejected),
            (None, Some(earlier)) => Some(earlier.into_unoptimized_plan()),
            (None, None) => None,
        };
        if let Some(rejected) = rejected {
            let description = format!("Rows of {} that were set aside, each with the reason", step.name);
            // They are few, and every file has its price.
            let rows = self.session.state().create_physical_plan(&rejected).await?;
            let rows = Arc::new(CoalescePartitionsExec::new(rows));
            let (staged, usage) = self.stage_plan(&name, &description, rows, &step.name, None).await?;
            let committed = self.publish(&staged, &self.commit_details(&step.fingerprint)).await?;
            record.rejected_version = Some(committed.version);
            record.usage.add_usage(usage);
        }
        Ok(())
    }

    /// Rows set aside by the last complete run among those that this run does not read; `None` when there are none, as
    /// far as it is `asked`.
    async fn rejected_before(&self, name: &str, not_read: Expr, asked: bool) -> Result<Option<DataFrame>, EngineError> {
        let Some(version) = self.published.get(name) else { return Ok(None) };
        let Some(table) = self.prepared.warehouse.table_at(name, *version).await? else { return Ok(None) };
        let rows = self.session.read_table(table.provider)?.filter(not_read)?;
        let any = !asked || rows.clone().limit(0, Some(1))?.count().await? > 0;
        Ok(any.then_some(rows))
    }

    /// Registers a view. The input of the matcher is held against the matcher's own contract first: no null in key,
    /// id or time, and no two touchpoints under one id. Then its tests run, before anything reads it.
    async fn view(&self, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
        let rows = self.logical_plan(step).await?;
        let matched = self
            .prepared
            .plan
            .pipeline
            .models
            .values()
            .any(|model| matches!(&model.kind, ModelKind::Match { input, .. } if input.value == step.name));
        if !matched {
            self.register(&step.name, Arc::new(ViewTable::new(rows, None)))?;
            return self.test_view(step, record).await;
        }
        let mut frame = self.session.execute_logical_plan(rows).await?;
        let occurred_at = || ident("occurred_at");
        let window = self.windows.get(&step.name);
        let window = window.map(|since| occurred_at().gt_eq(at(*since)).or(occurred_at().is_null()));
        if let Some(window) = &window {
            frame = frame.filter(window.clone())?;
        }
        let null = |column: &str| BrokenRule { broken: ident(column).is_null(), reason: format!("`{column}` is null") };
        let rules = IntakeRules {
            broken: vec![null("customer_id")],
            time_column: Some("occurred_at".to_owned()),
            key: vec!["touchpoint_id".to_owned()],
        };
        let intake = self.intake(&step.name, frame, &rules, self.is_read_often(&step.name), record).await?;
        let touchpoints = intake.kept.clone();
        self.admit(step, intake, window.map(|window| Expr::IsNotTrue(Box::new(window))), record).await?;
        self.look_at_customers(step, touchpoints, record).await?;
        self.test_view(step, record).await
    }

    /// Makes a table: staged, tested, committed; discarded when a test of severity error fails.
    async fn table(&self, step: &Step, record: &mut StepRecord) -> Result<(), EngineError> {
        let plan = &self.prepared.plan;
        let Some(model) = plan.pipeline.models.get(&step.name) else {
            return Err(EngineError::failed(format!("`{}` is no model", step.name), ""));
        };
        let rows;
        let mut replaces = None;
        match self.increments.get(&step.name) {
            Some(increment) => {
                let shared = Shared {
                    prepared: &self.prepared,
                    increments: &self.increments,
                    holding: self.holding.as_ref(),
                    changed: self.changed_customers(increment),
                };
                let made = replacement(&shared, step, model, increment, &self.session).await?;
                record.usage.add_usage(made.usage);
                rows = made.rows.clone();
                replaces = Some((increment, made));
            }
            None => rows = self.logical_plan(step).await?,
        }
        let layout = replaces.as_ref().map(|(increment, made)| (*increment, made.split.clone()));
        let description = model.description.clone().unwrap_or_default();
        let (staged, usage, executed) = self.stage(&step.name, &description, &rows, &step.name, layout).await?;
        record.usage.add_usage(usage);
        let made = replaces.as_ref().map(|(_, made)| made);
        let matched = made.and_then(|made| made.made_again.as_ref()).map_or(&executed, |made_again| &made_again.plan);
        record.conservation = match_counts(matched.as_ref()).iter().map(conservation).collect();
        record.rows = Some(staged.table_rows());
        record.bytes = Some(staged.bytes());
        record.files = Some(staged.files() as u64);
        let increment = async {
            let Some((increment, made)) = &replaces else { return Ok(None) };
            made.record(&self.prepared, increment, &staged, &self.session).await.map(Some)
        };
        let (increment, passes) = futures::try_join!(increment, self.table_passes(model, &staged, made, record))?;
        record.increment = increment;
        if !passes {
            self.session.deregister_table(step.name.as_str())?;
            staged.discard().await?;
            record.status = StepStatus::TestsFailed;
            return Ok(());
        }
        let details = CommitDetails { ledger: self.ledger(&step.name), ..self.commit_details(&step.fingerprint) };
        let committed = self.publish(&staged, &details).await?;
        record.version = Some(committed.version);
        Ok(())
    }

    async fn logical_plan(&self, step: &Step) -> Result<LogicalPlan, EngineError> {
        let plan = &self.prepared.plan;
        let Some(model) = plan.pipeline.models.get(&step.name) else {
            return Err(EngineError::failed(format!("`{}` is no model", step.name), ""));
        };
        let sql = step.sql.as_deref();
        Ok(relation(model, sql, &plan.pipeline, &plan.parameters, &self.session, &Matcher).await?)
    }

    pub(crate) fn register(&self, name: &str, table: Arc<dyn TableProvider>) -> Result<(), EngineError> {
        self.session.deregister_table(name)?;
        self.session.register_table(name, table)?;
        Ok(())
    }

    /// Executes `rows` into staged files of `table`, telling progress as `step`.
    pub(crate) async fn stage(
        &self,
        table: &str,
        description: &str,
        rows: &LogicalPlan,
        step: &str,
        replaces: Option<(&Increment, Option<SplitParts>)>,
    ) -> Result<(StagedTable, StepUsage, Arc<dyn ExecutionPlan>), EngineError> {
        let physical = self.session.state().create_physical_plan(rows).await?;
        let (staged, usage) = self.stage_plan(table, description, Arc::clone(&physical), step, replaces).await?;
        Ok((staged, usage, physical))
    }

    /// Like [`Self::stage`], for rows that are planned already.
    async fn stage_plan(
        &self,
        table: &str,
        description: &str,
        physical: Arc<dyn ExecutionPlan>,
        step: &str,
        replaces: Option<(&Increment, Option<SplitParts>)>,
    ) -> Result<(StagedTable, StepUsage), EngineError> {
        let mut schema = self.commented(table, &physical.schema());
        if replaces.is_some() {
            // The last column says when a row is settled; it is not stored.
            let stored: Vec<usize> = (0..schema.fields().len().saturating_sub(1)).collect();
            schema = Arc::new(schema.project(&stored).map_err(DataFusionError::from)?);
        }
        let spec = TableSpec {
            name: table.to_owned(),
            description: Some(description.to_owned()).filter(|text| !text.is_empty()),
            schema,
            order: if replaces.is_some() { Vec::new() } else { sort_order(&physical) },
        };
        let context: Arc<TaskContext> = self.session.task_ctx();
        let streams = execute_stream_partitioned(Arc::clone(&physical), context)?;
        let warehouse = &self.warehouse;
        let staging = async {
            match replaces {
                Some((increment, split)) => warehouse.stage_parts(spec, streams, increment.layout, split).await,
                None => warehouse.stage(spec, streams).await,
            }
        };
        let staged = tokio::select! {
            staged = staging => staged?,
            stuck = self.tell_progress(step, &physical) => return Err(stuck),
        };
        Ok((staged, StepUsage::of(&physical)))
    }

    /// Tells progress until the step ends; returns only when the plan is stuck. Operators that wait for each other's
    /// memory can block for good (seen with DataFusion 55 where an exchange spills below a join), and a nightly run
    /// that fails is better than one that never ends.
    async fn tell_progress(&self, step: &str, physical: &Arc<dyn ExecutionPlan>) -> EngineError {
        let mut activity = StepUsage::activity(physical);
        let mut active = Instant::now();
        while active.elapsed() < STUCK_AFTER {
            tokio::time::sleep(TICK).await;
            let rows = StepUsage::of(physical).rows_read;
            self.observer.event(&Event::StepProgress { step, rows });
            let now = StepUsage::activity(physical);
            if now != activity {
                (activity, active) = (now, Instant::now());
            }
        }
        EngineError::failed(
            format!("no operator of `{step}` has done anything for {} minutes", STUCK_AFTER.as_secs() / 60),
            "under a memory limit, operators can wait for each other for good: raise --memory-limit or lower --partitions",
        )
    }

    /// The schema with each column's comment, which readers of the table see.
    fn commented(&self, table: &str, schema: &SchemaRef) -> SchemaRef {
        let fields = schema.fields().iter().map(|field| {
            let own = match field.name().as_str() {
                "rejected_reason" => Some("Why the row was set aside"),
                "rejected_origin" => Some("File and line the row was read from"),
                _ => None,
            };
            let comment = own.or_else(|| self.prepared.plan.column_comment(table, field.name()));
            let metadata = comment.map(|comment| HashMap::from([("comment".to_owned(), comment.to_owned())]));
            field.as_ref().clone().with_metadata(metadata.unwrap_or_default())
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    pub(crate) async fn test(&self, test: &PlannedTest) -> Result<TestRecord, EngineError> {
        let count = match &test.keys {
            Some(keys) if all_differ(keys.clone(), &self.session).await? => 0,
            _ => self.offending(test).await?,
        };
        Ok(test_record(test, count))
    }

    async fn offending(&self, test: &PlannedTest) -> Result<i64, EngineError> {
        let batches = self.session.execute_logical_plan(test.query.clone()).await?.collect().await?;
        let count = batches
            .iter()
            .find(|batch| batch.num_rows() > 0)
            .and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>().map(|numbers| numbers.value(0)));
        count.ok_or_else(|| EngineError::failed(format!("the test `{}` returned no number", test.name), ""))
    }

    pub(crate) fn commit_details(&self, fingerprint: &str) -> CommitDetails {
        CommitDetails {
            run_id: self.run_id.clone(),
            pipeline: self.prepared.plan.pipeline.name.value.clone(),
            as_of: Some(self.prepared.plan.parameters.as_of()),
            fingerprint: fingerprint.to_owned(),
            ledger: None,
            extra: serde_json::Map::new(),
        }
    }
}

/// What came of a test that counted so many rows.
pub(crate) fn test_record(test: &PlannedTest, count: i64) -> TestRecord {
    TestRecord {
        test: test.name.clone(),
        severity: if test.severity == Severity::Error { "error" } else { "warning" }.to_owned(),
        passed: test.passes.contains(&count),
        count,
        place: shown_place(&test.place),
    }
}

fn shown_place(place: &Place) -> String {
    let (line, column) = place.line_and_column();
    format!("{}:{line}:{column}", place.file.path.display())
}

/// Microseconds of the one time in a batch of one row, whatever its unit or zone; a date is its midnight.
fn newest_instant(batch: &RecordBatch) -> Result<Option<i64>, EngineError> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let instants = arrow::compute::cast(batch.column(0), &time).map_err(DataFusionError::from)?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>();
    Ok((instants.len() == 1 && instants.is_valid(0)).then(|| instants.value(0)))
}

/// The order that each partition's rows have, as far as it is one of plain columns.
fn sort_order(physical: &Arc<dyn ExecutionPlan>) -> Vec<SortColumn> {
    let Some(ordering) = physical.output_ordering() else { return Vec::new() };
    let schema = physical.schema();
    let column = |sort: &datafusion::physical_expr::PhysicalSortExpr| {
        let column = sort.expr.downcast_ref::<Column>()?;
        Some(SortColumn {
            name: schema.field(column.index()).name().clone(),
            descending: sort.options.descending,
            nulls_first: sort.options.nulls_first,
        })
    };
    ordering.iter().map_while(column).collect()
}
