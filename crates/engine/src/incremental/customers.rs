//! Some customers, known by the hashes of their ids: those whose touchpoints a run matches.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::cast as cast_array;
use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::hash_utils::{QualityRandomState, RandomState, create_hashes};
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility, cast, create_udf};
use datafusion::prelude::{SessionContext, ident};
use throughline_plan::Plan;

use super::limits::deadline;
use crate::failure::EngineError;
use crate::instants::at;

/// The column that names a row's customer.
pub(super) const CUSTOMER: &str = "customer_id";

/// The same in every run: hashes of one run are compared with those of another.
const CUSTOMER_HASH_SEED: u64 = 0x7365_656e;

/// A set of customers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Customers(HashSet<u64, RandomState>);

impl FromIterator<u64> for Customers {
    fn from_iter<T: IntoIterator<Item = u64>>(hashes: T) -> Self {
        Self(hashes.into_iter().collect())
    }
}

impl Customers {
    /// True for a row of one of these customers. `data_type` is that of `customer_id`.
    pub(super) fn contain_row(self: &Arc<Self>, data_type: &DataType) -> Expr {
        let customers = Arc::clone(self);
        let contain = move |arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let hashes = customer_hashes(&arrays[0])?;
            let contained: BooleanArray = hashes.iter().map(|hash| Some(customers.0.contains(hash))).collect();
            Ok(ColumnarValue::Array(Arc::new(contained)))
        };
        let hashed = hashed_as(data_type);
        let types = vec![hashed.clone()];
        let name = "is_matched_customer";
        let function = create_udf(name, types, DataType::Boolean, Volatility::Immutable, Arc::new(contain));
        function.call(vec![cast(ident(CUSTOMER), hashed)])
    }

    /// These and the customers of instances that ended only because time passed: open in `rows`, and past a limit of
    /// their journey at the run's `as_of`.
    pub(super) async fn with_expired_instances(
        &self,
        rows: Arc<dyn TableProvider>,
        plan: &Plan,
        session: &SessionContext,
    ) -> Result<Self, EngineError> {
        let mut customers = self.clone();
        let Some(deadline) = deadline(plan) else { return Ok(customers) };
        let rows = session.read_table(rows)?;
        let is_over = session.parse_sql_expr(&deadline, rows.schema())?.lt(at(plan.parameters.as_of()));
        let is_open = session.parse_sql_expr("status = 'open'", rows.schema())?;
        for batch in rows.filter(is_open)?.filter(is_over)?.select(vec![ident(CUSTOMER)])?.collect().await? {
            customers.0.extend(customer_hashes(batch.column(0))?);
        }
        Ok(customers)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The hash of each customer's id.
pub(super) fn customer_hashes(customers: &ArrayRef) -> DataFusionResult<Vec<u64>> {
    let customers = cast_array(customers, &hashed_as(customers.data_type()))?;
    let mut hashes = vec![0; customers.len()];
    create_hashes([&customers], &QualityRandomState::with_seed(CUSTOMER_HASH_SEED), &mut hashes)?;
    Ok(hashes)
}

/// Texts have the same hash however they lie in memory.
fn hashed_as(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{RecordBatch, StringArray};

    use super::*;

    #[tokio::test]
    async fn rows_of_some_customers_are_found_by_their_ids() {
        let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None, Some("c")]));
        let wanted: ArrayRef = Arc::new(StringArray::from(vec!["a", "c", "z"]));
        let customers: Customers = customer_hashes(&wanted).expect("texts").into_iter().collect();
        let session = SessionContext::new();
        let batch = RecordBatch::try_from_iter([(CUSTOMER, ids)]).expect("one column");
        let rows = session.read_batch(batch).expect("rows");
        let found = rows.filter(Arc::new(customers).contain_row(&DataType::Utf8)).expect("a condition");
        assert_eq!(found.count().await.expect("counted"), 2);
    }

    #[test]
    fn an_id_is_the_same_customer_however_it_lies_in_memory() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec!["a", "an id that is longer than a view holds"]));
        let view = cast_array(&plain, &DataType::Utf8View).expect("texts");
        let large = cast_array(&plain, &DataType::LargeUtf8).expect("texts");
        let hashes = customer_hashes(&plain).expect("texts");
        assert_ne!(hashes[0], hashes[1]);
        assert_eq!(customer_hashes(&view).expect("texts"), hashes);
        assert_eq!(customer_hashes(&large).expect("texts"), hashes);
    }
}
