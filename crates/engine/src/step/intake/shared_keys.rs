//! Keys that several rows have: copies of one row collapse, rows that contradict each other are set aside.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::arrow::compute::concat_batches;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};
use datafusion::prelude::{SessionContext, ident};

use crate::failure::EngineError;

const COPIES: &str = "__copies";
const VARIANTS: &str = "__variants";

/// More shared keys than this say that the declared key is none.
pub(super) const MOST_SHARED_KEYS: usize = 1_000_000;

/// Says that a key identifies nothing.
pub(super) fn no_key(name: &str, key: &[String]) -> EngineError {
    EngineError::refused(
        format!(
            "`{}` is no key of `{name}`: more than {MOST_SHARED_KEYS} values occur in several rows",
            key.join(", ")
        ),
        format!("name the columns that identify a row under `key:` of `{name}`, or leave `key:` out"),
    )
}

/// The reason for which rows of one key that differ are set aside.
pub(super) fn contradiction(key: &[String]) -> String {
    format!("contradicts another row with the same `{}`", key.join("`, `"))
}

/// Keys that more than one row has.
pub(super) struct SharedKeys {
    key: Vec<String>,
    batch: RecordBatch,
}

impl SharedKeys {
    /// The keys that several of the `suspect` rows have; `suspect` holds key columns only.
    pub(super) async fn among(name: &str, suspect: DataFrame, key: &[String]) -> Result<Option<Self>, EngineError> {
        let columns: Vec<Expr> = key.iter().map(ident).collect();
        let shared = suspect
            .aggregate(columns, vec![count(lit(1_i64)).alias(COPIES)])?
            .filter(ident(COPIES).gt(lit(1_i64)))?
            .select(key.iter().map(|column| ident(column).alias(format!("__key_{column}"))).collect::<Vec<_>>())?
            .limit(0, Some(MOST_SHARED_KEYS + 1))?;
        let schema: SchemaRef = Arc::new(shared.schema().as_arrow().clone());
        let batches = shared.collect().await?;
        let batch = concat_batches(&schema, &batches).map_err(DataFusionError::from)?;
        if batch.num_rows() > MOST_SHARED_KEYS {
            return Err(no_key(name, key));
        }
        Ok((batch.num_rows() > 0).then(|| Self { key: key.to_vec(), batch }))
    }

    fn table(&self, session: &SessionContext) -> Result<DataFrame, EngineError> {
        memory_frame(&self.batch, session)
    }

    /// Rows whose key no other row has. The shared keys are the join's build side, so the rows stream past them.
    pub(super) fn without(&self, passed: &DataFrame, session: &SessionContext) -> Result<DataFrame, EngineError> {
        self.joined(passed, JoinType::RightAnti, session)
    }

    fn joined(&self, passed: &DataFrame, kind: JoinType, session: &SessionContext) -> Result<DataFrame, EngineError> {
        let left: Vec<String> = self.key.iter().map(|column| format!("__key_{column}")).collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let right: Vec<&str> = self.key.iter().map(String::as_str).collect();
        Ok(self.table(session)?.join(passed.clone(), kind, &left, &right, None)?)
    }

    /// The different rows under the shared keys, each with the number of its copies.
    pub(super) async fn copies(
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
        let partition: Vec<Expr> = self.key.iter().map(ident).collect();
        let variants_of_key = datafusion::logical_expr::ExprFunctionExt::partition_by(
            Expr::from(datafusion::logical_expr::expr::WindowFunction::new(per_key, vec![lit(1_i64)])),
            partition,
        )
        .build()?;
        shown.push(variants_of_key.alias(VARIANTS));
        let variants = variants.window(vec![])?.select(shown)?;
        let schema: SchemaRef = Arc::new(variants.schema().as_arrow().clone());
        let batch = concat_batches(&schema, &variants.collect().await?).map_err(DataFusionError::from)?;
        Ok(Copies::of(batch, names))
    }
}

/// The different rows under shared keys: `__copies` of each, and `__variants`, the number of different rows of its key.
pub(super) struct Copies {
    batch: RecordBatch,
    names: Vec<String>,
    pub(super) collapsed: u64,
    pub(super) contradicting_rows: u64,
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
        self.names.iter().map(ident).collect()
    }

    /// One row for each key whose copies are identical.
    pub(super) fn single(&self, session: &SessionContext) -> Result<DataFrame, EngineError> {
        let frame = memory_frame(&self.batch, session)?;
        Ok(frame.filter(ident(VARIANTS).eq(lit(1_i64)))?.select(self.columns())?)
    }

    /// Rows whose copies contradict each other, with the reason. Identical ones among them appear once.
    pub(super) fn contradicting(&self, key: &[String], session: &SessionContext) -> Result<DataFrame, EngineError> {
        let frame = memory_frame(&self.batch, session)?.filter(ident(VARIANTS).gt(lit(1_i64)))?;
        let mut shown = self.columns();
        shown.push(lit(contradiction(key)).alias("rejected_reason"));
        Ok(frame.select(shown)?)
    }
}

pub(super) fn memory_frame(batch: &RecordBatch, session: &SessionContext) -> Result<DataFrame, EngineError> {
    let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?;
    let source = datafusion::datasource::provider_as_source(Arc::new(table));
    let plan = LogicalPlanBuilder::scan("__memory", source, None)?.build()?;
    Ok(DataFrame::new(session.state(), plan))
}
