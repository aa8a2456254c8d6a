//! How the rows of one snapshot differ from those of another.
//!
//! Rows are identified by the grain of their model; where a table has none, by all their columns. A value counts as
//! changed when it differs in any bit, and null equals null.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, Operator, binary_expr, cast, ident, lit, when};
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use super::journeys::{JourneyMove, moves};
use super::tables::{Table, Tables};
use crate::failure::EngineError;
use crate::read::snapshots::find;
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;
use crate::workspace::sessions::new_session;

/// What changed from one snapshot to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotDiff {
    /// The earlier snapshot.
    pub from: String,
    /// The later snapshot.
    pub to: String,
    /// The cut of the earlier one, RFC 3339.
    pub from_as_of: String,
    /// The cut of the later one.
    pub to_as_of: String,
    /// Whether definitions or SQL differ, not data alone.
    pub definitions_changed: bool,
    /// Every table of either, by name.
    pub tables: BTreeMap<String, TableDiff>,
    /// How each journey's rank and key figures moved; empty where the pipeline ranks no journeys.
    pub journeys: Vec<JourneyMove>,
}

/// What changed in a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDiff {
    /// Rows before; absent when the table was not there.
    pub rows_from: Option<u64>,
    /// Rows now; absent when the table is not there any more.
    pub rows_to: Option<u64>,
    /// Rows whose key is new.
    pub added: u64,
    /// Rows whose key is gone.
    pub removed: u64,
    /// Rows of the same key with other values; always 0 where only all columns together identify a row.
    pub changed: u64,
    /// Rows that differ in a column, by column; columns in which none differs are left out.
    pub columns: BTreeMap<String, u64>,
    /// Columns that are new.
    pub columns_added: Vec<String>,
    /// Columns that are gone.
    pub columns_removed: Vec<String>,
    /// Columns of another type; their values are compared as text.
    pub columns_retyped: Vec<String>,
    /// Whether its definition, or that of anything it reads, differs.
    pub definition_changed: bool,
}

impl SnapshotDiff {
    /// Whether both hold the same tables with the same columns and rows, whatever they were computed from.
    pub fn same_rows(&self) -> bool {
        self.tables.values().all(TableDiff::same_rows)
    }
}

impl TableDiff {
    /// Whether columns and rows are the same.
    pub fn same_rows(&self) -> bool {
        let counts = self.added + self.removed + self.changed;
        let columns = self.columns_added.len() + self.columns_removed.len() + self.columns_retyped.len();
        counts == 0 && columns == 0 && self.rows_from == self.rows_to
    }
}

/// Compares two snapshots of the workspace's pipeline; journeys in one period of both, or else in the newest of each.
///
/// # Errors
/// One of them is not there or damaged, or the later one has no such period.
pub async fn diff_snapshots(
    options: &PrepareOptions,
    from: &str,
    to: &str,
    period: Option<&str>,
) -> Result<SnapshotDiff, EngineError> {
    let (pipeline, warehouse, runtime) = locate(options)?;
    let from = find(&warehouse, &pipeline.name.value, from).await?;
    let to = find(&warehouse, &pipeline.name.value, to).await?;
    let session = new_session(&options.session, &runtime)?;
    compare(&session, &Tables::of_snapshot(&from), &Tables::of_snapshot(&to), period).await
}

pub(super) async fn compare(
    session: &SessionContext,
    from: &Tables,
    to: &Tables,
    period: Option<&str>,
) -> Result<SnapshotDiff, EngineError> {
    // Both sides of a join may be larger than the memory: sorted ones are merged and spill.
    let mut configuration = session.copied_config();
    configuration.options_mut().optimizer.prefer_hash_join = false;
    let state = datafusion::execution::SessionStateBuilder::new_from_existing(session.state())
        .with_config(configuration)
        .build();
    let session = SessionContext::new_with_state(state);
    let names: BTreeSet<&String> = from.tables.keys().chain(to.tables.keys()).collect();
    let mut tables = BTreeMap::new();
    for name in names {
        let compared = match (from.tables.get(name), to.tables.get(name)) {
            (Some(from), Some(to)) => compare_tables(&session, from, to).await?,
            (Some(from), None) => TableDiff { rows_from: Some(from.rows), removed: from.rows, ..TableDiff::default() },
            (None, Some(to)) => TableDiff { rows_to: Some(to.rows), added: to.rows, ..TableDiff::default() },
            (None, None) => continue,
        };
        tables.insert(name.clone(), compared);
    }
    Ok(SnapshotDiff {
        from: from.name.clone(),
        to: to.name.clone(),
        from_as_of: from.as_of.clone(),
        to_as_of: to.as_of.clone(),
        definitions_changed: from.fingerprint != to.fingerprint,
        tables,
        journeys: moves(&session, from, to, period).await?,
    })
}

async fn compare_tables(session: &SessionContext, from: &Table, to: &Table) -> Result<TableDiff, EngineError> {
    let mut diff = TableDiff {
        rows_from: Some(from.rows),
        rows_to: Some(to.rows),
        definition_changed: from.fingerprint != to.fingerprint,
        ..TableDiff::default()
    };
    let mut common = Vec::new();
    for field in to.schema.fields() {
        match from.schema.field_with_name(field.name()) {
            Ok(before) => {
                if before.data_type() != field.data_type() {
                    diff.columns_retyped.push(field.name().clone());
                }
                common.push(field.name().clone());
            }
            Err(_) => diff.columns_added.push(field.name().clone()),
        }
    }
    let gone = from.schema.fields().iter().filter(|field| to.schema.field_with_name(field.name()).is_err());
    diff.columns_removed = gone.map(|field| field.name().clone()).collect();
    if from.files.is_some() && from.files == to.files {
        return Ok(diff);
    }
    let retyped: BTreeSet<&String> = diff.columns_retyped.iter().collect();
    let column = |name: &String| match retyped.contains(name) {
        true => cast(ident(name), DataType::Utf8),
        false => ident(name),
    };
    let keyed = !to.grain.is_empty() && from.grain == to.grain && to.grain.iter().all(|key| common.contains(key));
    let before = session.read_table(Arc::clone(&from.provider))?;
    let now = session.read_table(Arc::clone(&to.provider))?;
    let counts = if keyed {
        let key = |name: &String| to.grain.contains(name);
        let (keys, values): (Vec<String>, Vec<String>) = common.into_iter().partition(key);
        let side = |frame: DataFrame, letter: &str| {
            let named = |kind: &str, names: &[String]| -> Vec<Expr> {
                let named = names.iter().enumerate();
                named.map(|(index, name)| column(name).alias(format!("{letter}_{kind}{index}"))).collect()
            };
            let mut columns = named("key", &keys);
            columns.extend(named("value", &values));
            columns.push(lit(true).alias(format!("{letter}_there")));
            frame.select(columns)
        };
        let counts = by_key(session, side(before, "from")?, side(now, "to")?, keys.len(), values.len()).await?;
        diff.changed = counts[2];
        let changed = values.into_iter().zip(&counts[3..]).filter(|(_, rows)| **rows > 0);
        diff.columns = changed.map(|(name, rows)| (name, *rows)).collect();
        counts
    } else {
        let columns: Vec<Expr> = common.iter().map(|name| column(name).alias(name)).collect();
        by_all_columns(before.select(columns.clone())?, now.select(columns)?, &common).await?
    };
    (diff.added, diff.removed) = (counts[0], counts[1]);
    Ok(diff)
}

/// Rows added, removed and changed, then the rows that differ in each value.
async fn by_key(
    session: &SessionContext,
    from: DataFrame,
    to: DataFrame,
    keys: usize,
    values: usize,
) -> Result<Vec<u64>, EngineError> {
    let columns = |letter: &str| -> Vec<Column> {
        (0..keys).map(|index| Column::from_name(format!("{letter}_key{index}"))).collect()
    };
    let joined = LogicalPlanBuilder::from(from.into_unoptimized_plan())
        .join_detailed(
            to.into_unoptimized_plan(),
            JoinType::Full,
            (columns("from"), columns("to")),
            None,
            NullEquality::NullEqualsNull,
        )?
        .build()?;
    let differs = |index: usize| {
        binary_expr(ident(format!("from_value{index}")), Operator::IsDistinctFrom, ident(format!("to_value{index}")))
    };
    let both = || ident("from_there").and(ident("to_there"));
    let any = (0..values).map(differs).reduce(Expr::or).unwrap_or_else(|| lit(false));
    let mut counted = vec![ident("from_there").is_null(), ident("to_there").is_null(), both().and(any)];
    counted.extend((0..values).map(|index| both().and(differs(index))));
    let counted = counted
        .into_iter()
        .enumerate()
        .map(|(index, condition)| Ok(count(when(condition, lit(1_i64)).end()?).alias(format!("n{index}"))));
    let counted = counted.collect::<Result<Vec<Expr>, datafusion::error::DataFusionError>>()?;
    numbers(DataFrame::new(session.state(), joined).aggregate(vec![], counted)?).await
}

/// Rows added and removed, where rows are equal in all columns.
async fn by_all_columns(from: DataFrame, to: DataFrame, columns: &[String]) -> Result<Vec<u64>, EngineError> {
    let marked = |frame: DataFrame, before: i64, now: i64| {
        let mut all: Vec<Expr> =
            columns.iter().enumerate().map(|(i, name)| ident(name).alias(format!("c{i}"))).collect();
        all.extend([lit(before).alias("before"), lit(now).alias("now")]);
        frame.select(all)
    };
    let rows = marked(from, 1, 0)?.union(marked(to, 0, 1)?)?;
    let group = (0..columns.len()).map(|index| ident(format!("c{index}"))).collect();
    let counted = vec![sum(ident("before")).alias("before"), sum(ident("now")).alias("now")];
    let grouped = rows.aggregate(group, counted)?;
    let more = |left: &str, right: &str| {
        let surplus = ident(left) - ident(right);
        when(ident(left).gt(ident(right)), surplus).otherwise(lit(0_i64)).map(sum)
    };
    let surplus = vec![more("now", "before")?.alias("added"), more("before", "now")?.alias("removed")];
    numbers(grouped.aggregate(vec![], surplus)?).await
}

/// The numbers of a query's one row; a sum over nothing is 0.
async fn numbers(query: DataFrame) -> Result<Vec<u64>, EngineError> {
    let batches = query.collect().await?;
    let Some(row) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Err(EngineError::internal("a comparison of two snapshots gave no row"));
    };
    let number = |column: &arrow::array::ArrayRef| {
        let column = column.as_primitive_opt::<Int64Type>()?;
        Some(if column.is_valid(0) { u64::try_from(column.value(0)).unwrap_or(0) } else { 0 })
    };
    let numbers: Option<Vec<u64>> = row.columns().iter().map(number).collect();
    numbers.ok_or_else(|| EngineError::internal("a comparison of two snapshots gave no numbers"))
}
