//! Files whose bounds say that no row of theirs passes a scan's filters, so that they are not opened.
//!
//! The Parquet reader asks the same of each file by itself, at the cost of planning a predicate for every file of a
//! source that has one for each day; and it trusts exact bounds only, while those in a Delta log are rounded.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion_datasource::PartitionedFile;

/// For each file whether it may hold a row that passes all filters.
pub(super) fn may_pass(
    filters: &[Expr],
    files: &[&PartitionedFile],
    schema: &SchemaRef,
    state: &dyn Session,
) -> Result<Vec<bool>> {
    let Some(filter) = conjunction(filters.iter().map(unqualified)) else { return Ok(vec![true; files.len()]) };
    let columns = DFSchema::try_from(Arc::clone(schema))?;
    let filter = state.create_physical_expr(filter, &columns)?;
    let predicate = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).try_build(filter)?;
    predicate.prune(&Bounds { files, schema })
}

/// The filter over the table's own columns, whatever name the table has in a query.
fn unqualified(filter: &Expr) -> Expr {
    datafusion::logical_expr::expr_rewriter::unnormalize_col(filter.clone())
}

struct Bounds<'a> {
    files: &'a [&'a PartitionedFile],
    schema: &'a SchemaRef,
}

impl Bounds<'_> {
    fn of(&self, column: &Column, bound: impl Fn(&ColumnStatistics) -> &Precision<ScalarValue>) -> Option<ArrayRef> {
        let (index, field) = self.schema.column_with_name(&column.name)?;
        let none = ScalarValue::try_from(field.data_type()).ok()?;
        let of_file = |file: &&PartitionedFile| {
            let known = bound(file.statistics.as_ref()?.column_statistics.get(index)?).get_value()?;
            (known.data_type() == *field.data_type()).then(|| known.clone())
        };
        ScalarValue::iter_to_array(self.files.iter().map(|file| of_file(file).unwrap_or_else(|| none.clone()))).ok()
    }
}

impl PruningStatistics for Bounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |statistics| &statistics.min_value)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |statistics| &statistics.max_value)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (index, _) = self.schema.column_with_name(&column.name)?;
        let nulls =
            self.files.iter().map(|file| exact(&file.statistics.as_ref()?.column_statistics.get(index)?.null_count));
        Some(Arc::new(nulls.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.files.iter().map(|file| exact(&file.statistics.as_ref()?.num_rows));
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

fn exact(number: &Precision<usize>) -> Option<u64> {
    match number {
        Precision::Exact(number) => Some(*number as u64),
        Precision::Inexact(_) | Precision::Absent => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::Statistics;
    use datafusion::logical_expr::lit;
    use datafusion::prelude::{SessionContext, col};

    use super::*;

    #[test]
    fn a_file_is_left_out_when_its_bounds_rule_its_rows_out() {
        let schema = Arc::new(Schema::new(vec![Field::new("day", DataType::Int64, true)]));
        let file = |bounds: Option<(i64, i64)>| {
            let mut statistics = Statistics::new_unknown(&schema);
            if let Some((least, greatest)) = bounds {
                statistics.column_statistics[0].min_value = Precision::Inexact(ScalarValue::from(least));
                statistics.column_statistics[0].max_value = Precision::Inexact(ScalarValue::from(greatest));
            }
            PartitionedFile::new("file", 1).with_statistics(Arc::new(statistics))
        };
        let files = [file(Some((1, 4))), file(Some((3, 5))), file(None)];
        let files: Vec<&PartitionedFile> = files.iter().collect();
        let state = SessionContext::new().state();
        let may_pass = |filters: &[Expr]| may_pass(filters, &files, &schema, &state).expect("a plain filter");
        assert_eq!(may_pass(&[col("table.day").gt_eq(lit(5_i64))]), [false, true, true]);
        assert_eq!(may_pass(&[col("day").gt_eq(lit(5_i64)).or(col("day").is_null())]), [true, true, true]);
        assert_eq!(may_pass(&[]), [true, true, true]);
    }
}
