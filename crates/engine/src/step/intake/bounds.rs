//! Conditions that no row meets, by what the files' footers say of their values.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::DFSchemaRef;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::{StatisticsArgs, StatisticsContext};
use datafusion::prelude::SessionContext;

/// Number of nulls, least and greatest value of each column of a relation, as far as they are known exactly.
pub(super) struct Bounds {
    schema: DFSchemaRef,
    file_schema: SchemaRef,
    statistics: PrunableStatistics,
}

impl Bounds {
    /// Plans the relation and reads none of its rows.
    pub(super) async fn of(rows: &DataFrame) -> Result<Self, DataFusionError> {
        let plan = rows.clone().create_physical_plan().await?;
        let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new())?;
        let file_schema = plan.schema();
        Ok(Self {
            schema: Arc::new(rows.schema().clone()),
            statistics: PrunableStatistics::new(vec![statistics], Arc::clone(&file_schema)),
            file_schema,
        })
    }

    /// `false` when `condition` is true of no row, so that it need not be evaluated.
    pub(super) fn may_hold(&self, condition: &Expr, session: &SessionContext) -> bool {
        let pruned = || -> Result<Vec<bool>, DataFusionError> {
            let condition = session.create_physical_expr(condition.clone(), &self.schema)?;
            let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.file_schema));
            builder.try_build(condition)?.prune(&self.statistics)
        };
        pruned().map_or(true, |may_hold| may_hold != [false])
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch};
    use datafusion::logical_expr::lit;
    use datafusion::prelude::ident;

    use super::*;

    #[tokio::test]
    async fn only_what_no_row_can_meet_is_left_out() {
        let full = Arc::new(Int64Array::from(vec![1, 2])) as _;
        let with_null = Arc::new(Int64Array::from(vec![Some(1), None])) as _;
        let batch = RecordBatch::try_from_iter([("full", full), ("with_null", with_null)]).expect("columns");
        let session = SessionContext::new();
        let rows = session.read_batch(batch).expect("rows");
        let bounds = Bounds::of(&rows).await.expect("planned");
        let may_hold = |condition: Expr| bounds.may_hold(&condition, &session);
        assert!(!may_hold(ident("full").is_null()));
        assert!(may_hold(ident("with_null").is_null()));
        assert!(may_hold(ident("full").gt(lit(5_i64))), "the greatest value is not known");
        assert!(may_hold(ident("nobody").is_null()), "what cannot be planned may hold");

        let filtered = rows.filter(ident("with_null").is_null()).expect("filtered");
        let bounds = Bounds::of(&filtered).await.expect("planned");
        assert!(bounds.may_hold(&ident("with_null").is_null(), &session));
    }
}
