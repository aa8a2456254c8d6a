//! Intake: a relation's rows held against its contract before anything reads them.
//!
//! Every row ends in exactly one of: kept, at or after `as_of`, set aside with a reason, or collapsed into an
//! identical copy. Two passes at most: one that gives each row its verdict, one that finds keys that several rows
//! share. Only the shared keys and their rows are held in memory, and their number is bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::arrow::compute::concat_batches;
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};
use throughline_config::Timestamp;
use throughline_lake::{ORIGIN_COLUMN, PROBLEM_COLUMN};
use throughline_plan::BrokenRule;

use crate::failure::EngineError;

const VERDICT: &str = "__verdict";
const COPIES: &str = "__copies";
const UNREADABLE: &str = "could not be read";
const LATER: &str = "at or after as_of";

/// More shared keys than this say that the declared key is none.
const MOST_SHARED_KEYS: usize = 1_000_000;

/// What the rows of a relation came to: `read` = `kept` + `after_as_of` + `collapsed` + the sum of `rejected`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeCounts {
    /// Rows read.
    pub read: u64,
    /// Rows that later steps see.
    pub kept: u64,
    /// Rows whose time is at or after `as_of`: not there yet.
    pub after_as_of: u64,
    /// Copies of a row beyond the first.
    pub collapsed: u64,
    /// Rows set aside, by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl IntakeCounts {
    /// All rows set aside.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// What rows are held against.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntakeRules {
    /// The contract, in the order written; the first broken rule is a row's reason.
    pub(crate) broken: Vec<BrokenRule>,
    /// Event time, cut at `as_of`.
    pub(crate) time_column: Option<String>,
    /// Identifies a row.
    pub(crate) key: Vec<String>,
}

/// A relation after its intake.
#[derive(Debug)]
pub(crate) struct Intake {
    /// The kept rows, without the hidden columns.
    pub(crate) kept: LogicalPlan,
    /// The rows set aside with `rejected_reason` (and `rejected_origin` for text formats), when there are any.
    pub(crate) rejected: Option<LogicalPlan>,
    /// What became of each row.
    pub(crate) counts: IntakeCounts,
}

/// Gives every row of `rows` its verdict.
pub(crate) async fn take_in(
    name: &str,
    rows: DataFrame,
    rules: &IntakeRules,
    as_of: Timestamp,
    session: &SessionContext,
) -> Result<Intake, EngineError> {
    let columns = visible_columns(&rows);
    let verdict = verdict(&rows, rules, as_of)?;
    let mut counts = count_verdicts(&rows, &verdict).await?;
    let passed = rows.clone().filter(verdict.clone().is_null())?;
    let set_aside = set_aside(&rows, &verdict, &columns)?;
    let any_rejected = counts.rejected_rows() > 0;

    let shared = match rules.key.is_empty() {
        true => None,
        false => SharedKeys::find(name, &passed, &rules.key).await?,
    };
    let kept = passed.clone().select(columns.clone())?;
    let (kept, rejected) = match shared {
        None => (kept, any_rejected.then_some(set_aside)),
        Some(shared) => {
            let copies = shared.copies(&passed, &columns, session).await?;
            counts.collapsed = copies.collapsed;
            if copies.contradicting_rows > 0 {
                counts.rejected.insert(contradiction(&rules.key), copies.contradicting_rows);
            }
            let rejected = match (any_rejected, copies.contradicting_rows > 0) {
                (_, true) => Some(set_aside.union_by_name(copies.contradicting(&rules.key, session)?)?),
                (true, false) => Some(set_aside),
                (false, false) => None,
            };
            let unshared = shared.without(&passed, session)?.select(columns.clone())?;
            (unshared.union(copies.single(session)?)?, rejected)
        }
    };
    counts.kept = counts.read - counts.after_as_of - counts.collapsed - counts.rejected_rows();
    Ok(Intake { kept: kept.into_unoptimized_plan(), rejected: rejected.map(DataFrame::into_unoptimized_plan), counts })
}

fn contradiction(key: &[String]) -> String {
    format!("contradicts another row with the same `{}`", key.join("`, `"))
}

fn has_column(rows: &DataFrame, name: &str) -> bool {
    rows.schema().fields().iter().any(|field| field.name() == name)
}

/// The relation's own columns, under their own names.
fn visible_columns(rows: &DataFrame) -> Vec<Expr> {
    let columns = rows
        .schema()
        .columns()
        .into_iter()
        .filter(|column| column.name != PROBLEM_COLUMN && column.name != ORIGIN_COLUMN);
    columns
        .map(|column| {
            let name = column.name.clone();
            Expr::Column(column).alias(name)
        })
        .collect()
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The reason a row is not kept, null for a row that is. Rules about the time itself come before the cut, so that a
/// time in 2199 is malformed, and the others after it, so that a row that is not there yet is not judged.
fn verdict(rows: &DataFrame, rules: &IntakeRules, as_of: Timestamp) -> Result<Expr, EngineError> {
    let mut cases: Vec<(Expr, String)> = Vec::new();
    if has_column(rows, PROBLEM_COLUMN) {
        cases.push((named(PROBLEM_COLUMN).is_not_null(), UNREADABLE.to_owned()));
    }
    let about_time = |rule: &&BrokenRule| {
        let columns = rule.broken.column_refs();
        rules.time_column.as_ref().is_some_and(|time| columns.iter().any(|column| &column.name == time))
    };
    if let Some(time) = &rules.time_column {
        cases.push((named(time).is_null(), format!("`{time}` is null")));
        let of_time = rules.broken.iter().filter(about_time);
        cases.extend(of_time.map(|rule| (rule.broken.clone(), rule.reason.clone())));
        let cut = lit(ScalarValue::TimestampMicrosecond(Some(as_of), Some("UTC".into())));
        cases.push((named(time).gt_eq(cut), LATER.to_owned()));
    }
    for column in &rules.key {
        cases.push((named(column).is_null(), format!("`{column}` is null")));
    }
    let others = rules.broken.iter().filter(|rule| !about_time(rule));
    cases.extend(others.map(|rule| (rule.broken.clone(), rule.reason.clone())));

    let none = lit(ScalarValue::Utf8(None));
    let mut cases = cases.into_iter();
    let Some((condition, reason)) = cases.next() else { return Ok(none) };
    let mut case = when(condition, lit(reason));
    for (condition, reason) in cases {
        case = case.when(condition, lit(reason));
    }
    Ok(case.otherwise(none)?)
}

async fn count_verdicts(rows: &DataFrame, verdict: &Expr) -> Result<IntakeCounts, EngineError> {
    let verdicts = rows.clone().select(vec![verdict.clone().alias(VERDICT)])?;
    let batches = verdicts.aggregate(vec![named(VERDICT)], vec![count(lit(1_i64)).alias(COPIES)])?.collect().await?;
    let mut counts = IntakeCounts::default();
    for batch in &batches {
        let reasons = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)
            .map_err(datafusion::error::DataFusionError::from)?;
        let reasons = reasons.as_string::<i32>();
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let number = u64::try_from(numbers.value(row)).unwrap_or(0);
            counts.read += number;
            if reasons.is_null(row) {
                continue;
            }
            match reasons.value(row) {
                LATER => counts.after_as_of += number,
                reason => *counts.rejected.entry(reason.to_owned()).or_default() += number,
            }
        }
    }
    Ok(counts)
}

/// Rows with a reason other than the cut, hidden columns turned into visible ones.
fn set_aside(rows: &DataFrame, verdict: &Expr, columns: &[Expr]) -> Result<DataFrame, EngineError> {
    let reason = match has_column(rows, PROBLEM_COLUMN) {
        true => when(named(PROBLEM_COLUMN).is_not_null(), named(PROBLEM_COLUMN)).otherwise(verdict.clone())?,
        false => verdict.clone(),
    };
    let mut shown = columns.to_vec();
    shown.push(reason.alias("rejected_reason"));
    if has_column(rows, ORIGIN_COLUMN) {
        shown.push(named(ORIGIN_COLUMN).alias("rejected_origin"));
    }
    let is_rejected = verdict.clone().is_not_null().and(verdict.clone().not_eq(lit(LATER)));
    Ok(rows.clone().filter(is_rejected)?.select(shown)?)
}

/// Keys that more than one row has.
struct SharedKeys {
    key: Vec<String>,
    batch: RecordBatch,
}

impl SharedKeys {
    async fn find(name: &str, passed: &DataFrame, key: &[String]) -> Result<Option<Self>, EngineError> {
        let columns: Vec<Expr> = key.iter().map(|column| named(column)).collect();
        let shared = passed
            .clone()
            .aggregate(columns.clone(), vec![count(lit(1_i64)).alias(COPIES)])?
            .filter(named(COPIES).gt(lit(1_i64)))?
            .select(key.iter().map(|column| named(column).alias(format!("__key_{column}"))).collect::<Vec<_>>())?
            .limit(0, Some(MOST_SHARED_KEYS + 1))?;
        let schema: SchemaRef = Arc::new(shared.schema().as_arrow().clone());
        let batches = shared.collect().await?;
        let batch = concat_batches(&schema, &batches).map_err(datafusion::error::DataFusionError::from)?;
        if batch.num_rows() > MOST_SHARED_KEYS {
            return Err(EngineError::refused(
                format!(
                    "`{}` is no key of `{name}`: more than {MOST_SHARED_KEYS} values occur in several rows",
                    key.join(", ")
                ),
                format!("name the columns that identify a row under `key:` of `{name}`, or leave `key:` out"),
            ));
        }
        Ok((batch.num_rows() > 0).then(|| Self { key: key.to_vec(), batch }))
    }

    fn table(&self, session: &SessionContext) -> Result<DataFrame, EngineError> {
        memory_frame(&self.batch, session)
    }

    /// Rows whose key no other row has. The shared keys are the join's build side, so the rows stream past them.
    fn without(&self, passed: &DataFrame, session: &SessionContext) -> Result<DataFrame, EngineError> {
        self.joined(passed, JoinType::RightAnti, session)
    }

    fn joined(&self, passed: &DataFrame, kind: JoinType, session: &SessionContext) -> Result<DataFrame, EngineError> {
        let left: Vec<String> = self.key.iter().map(|column| format!("__key_{column}")).collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let right: Vec<&str> = self.key.iter().map(String::as_str).collect();
        Ok(self.table(session)?.join(passed.clone(), kind, &left, &right, None)?)
    }

    /// The different rows under the shared keys, each with the number of its copies.
    async fn copies(
        &self,
        passed: &DataFrame,
        columns: &[Expr],
        session: &SessionContext,
    ) -> Result<Copies, EngineError> {
        let rows = self.joined(passed, JoinType::RightSemi, session)?.select(columns.to_vec())?;
        let all: Vec<Expr> = rows.schema().columns().into_iter().map(Expr::Column).collect();
        let names: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
        let variants = rows.aggregate(all, vec![count(lit(1_i64)).alias(COPIES)])?;
        let mut shown: Vec<Expr> = variants
            .schema()
            .columns()
            .into_iter()
            .map(|column| {
                let name = column.name.clone();
                Expr::Column(column).alias(name)
            })
            .collect();
        let per_key = datafusion::functions_aggregate::count::count_udaf();
        let partition: Vec<Expr> = self.key.iter().map(|column| named(column)).collect();
        let variants_of_key = datafusion::logical_expr::ExprFunctionExt::partition_by(
            Expr::from(datafusion::logical_expr::expr::WindowFunction::new(per_key, vec![lit(1_i64)])),
            partition,
        )
        .build()?;
        shown.push(variants_of_key.alias(VERDICT));
        let variants = variants.window(vec![])?.select(shown)?;
        let schema: SchemaRef = Arc::new(variants.schema().as_arrow().clone());
        let batch =
            concat_batches(&schema, &variants.collect().await?).map_err(datafusion::error::DataFusionError::from)?;
        Ok(Copies::of(batch, names))
    }
}

/// The different rows under shared keys: `__copies` of each, and `__verdict`, the number of different rows of its key.
struct Copies {
    batch: RecordBatch,
    names: Vec<String>,
    collapsed: u64,
    contradicting_rows: u64,
}

impl Copies {
    fn of(batch: RecordBatch, names: Vec<String>) -> Self {
        let last = batch.num_columns();
        let (mut collapsed, mut contradicting_rows) = (0, 0);
        if last >= 2 {
            let copies = batch.column(last - 2).as_primitive::<Int64Type>();
            let variants = batch.column(last - 1).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let number = u64::try_from(copies.value(row)).unwrap_or(0);
                collapsed += number.saturating_sub(1);
                contradicting_rows += u64::from(variants.value(row) != 1);
            }
        }
        Self { batch, names, collapsed, contradicting_rows }
    }

    fn columns(&self) -> Vec<Expr> {
        self.names.iter().map(|name| named(name)).collect()
    }

    /// One row for each key whose copies are identical.
    fn single(&self, session: &SessionContext) -> Result<DataFrame, EngineError> {
        let frame = memory_frame(&self.batch, session)?;
        Ok(frame.filter(named(VERDICT).eq(lit(1_i64)))?.select(self.columns())?)
    }

    /// Rows whose copies contradict each other, with the reason. Identical ones among them stand once.
    fn contradicting(&self, key: &[String], session: &SessionContext) -> Result<DataFrame, EngineError> {
        let frame = memory_frame(&self.batch, session)?.filter(named(VERDICT).gt(lit(1_i64)))?;
        let mut shown = self.columns();
        shown.push(lit(contradiction(key)).alias("rejected_reason"));
        Ok(frame.select(shown)?)
    }
}

fn memory_frame(batch: &RecordBatch, session: &SessionContext) -> Result<DataFrame, EngineError> {
    let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?;
    let source = datafusion::datasource::provider_as_source(Arc::new(table));
    let plan = LogicalPlanBuilder::scan("__memory", source, None)?.build()?;
    Ok(DataFrame::new(session.state(), plan))
}
