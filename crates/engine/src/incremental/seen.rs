//! Whose touchpoints have changed since a table was made.
//!
//! Matching begins again at an instant, but few customers have anything new since then. So a run keeps a number for each
//! customer: the sum of the hashes of those touchpoints that the next run will look at again. The next run computes the
//! same sums, with the touchpoints that came since among them: a customer whose sum is the same was matched from the
//! same rows before, and keeps what came of them. Nothing has to be known of the SQL that makes the touchpoints: a login
//! that claims old events, an answer that changes a touchpoint, a contradiction, all show in the rows.
//!
//! The sums lie in a table of their own; the ledger of a matched table names the version that it was made with. Without
//! it, or when matching begins further back than the sums do, everybody is matched again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::cast as cast_array;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use datafusion::common::hash_utils::{QualityRandomState, RandomState, create_hashes};
use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan, Volatility, cast, create_udf};
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::prelude::{SessionContext, ident};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use throughline_config::Timestamp;
use throughline_lake::{ROW_HASH_SEED, row_hashes};
use throughline_plan::{Plan, Step};

use super::carry::deadline;
use super::decide::Increment;
use super::window::since;
use crate::expressions::at;
use crate::failure::EngineError;
use crate::publish::Execution;
use crate::run_record::StepRecord;
use crate::usage::StepUsage;

/// The columns by which a touchpoint is counted in; its hash is over all columns.
const CUSTOMER: &str = "customer_id";
const TIME: &str = "occurred_at";

/// By the hash of the customer, the sum of the hashes of the touchpoints. Customers whose hashes meet share a sum and are
/// matched again together.
type Sums = HashMap<u64, u64, RandomState>;

/// The sums that a table was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeenSums {
    /// The version of their table.
    pub(super) version: u64,
    /// Touchpoints from here on are in them.
    pub(super) since: Timestamp,
}

/// What a run has seen of a view of touchpoints.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    sums: SeenSums,
    /// By the version of the sums that they are compared with, who differs.
    changed: BTreeMap<u64, Arc<Customers>>,
}

/// Some customers, known by their hashes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Customers(HashSet<u64, RandomState>);

impl Customers {
    /// True for a row of one of these customers. `data_type` is that of `customer_id`.
    pub(super) fn hold(self: &Arc<Self>, data_type: &DataType) -> Expr {
        let customers = Arc::clone(self);
        let is_one = move |arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let hashes = customer_hashes(&arrays[0])?;
            let are: BooleanArray = hashes.iter().map(|hash| Some(customers.0.contains(hash))).collect();
            Ok(ColumnarValue::Array(Arc::new(are)))
        };
        let read_as = hashed_as(data_type);
        let function = create_udf(
            "matched_again",
            vec![read_as.clone()],
            DataType::Boolean,
            Volatility::Immutable,
            Arc::new(is_one),
        );
        function.call(vec![cast(ident(CUSTOMER), read_as)])
    }

    /// These and the customers whose instances only time has ended: open in `rows`, past their journey's limits now.
    pub(super) async fn with_expired(
        &self,
        rows: Arc<dyn TableProvider>,
        plan: &Plan,
        session: &SessionContext,
    ) -> Result<Self, EngineError> {
        let mut customers = self.clone();
        let Some(deadline) = deadline(plan) else { return Ok(customers) };
        let rows = session.read_table(rows)?;
        let over = session.parse_sql_expr(&deadline, rows.schema())?.lt(at(plan.parameters.as_of()));
        let is_open = session.parse_sql_expr("status = 'open'", rows.schema())?;
        for batch in rows.filter(is_open)?.filter(over)?.select(vec![ident(CUSTOMER)])?.collect().await? {
            customers.0.extend(customer_hashes(batch.column(0))?);
        }
        Ok(customers)
    }
}

impl Execution {
    /// Compares what this run sees of the touchpoints of a view with what the tables matched from it were made with, and
    /// keeps it for the next run. `touchpoints` are the view's rows.
    pub(crate) async fn look_at_customers(
        &self,
        view: &Step,
        touchpoints: LogicalPlan,
        record: &mut StepRecord,
    ) -> Result<(), EngineError> {
        let readers = || self.increments.matched_from(&view.name);
        let next = readers().map(|increment| increment.next_matched_from).min();
        let Some(next) = next.filter(|_| self.publishes) else { return Ok(()) };
        let reads = |from: Timestamp| self.windows.get(&view.name).is_none_or(|window| *window <= from);
        let name = sums_table(&view.name);
        let mut before: Vec<(SeenSums, Sums)> = Vec::new();
        for seen in readers().filter_map(|increment| increment.seen).filter(|seen| reads(seen.since)) {
            if before.iter().all(|(known, _)| *known != seen)
                && let Some(sums) = self.kept_sums(&name, seen.version).await
            {
                before.push((seen, sums));
            }
        }
        let from: Vec<Timestamp> = before.iter().map(|(seen, _)| seen.since).chain([next]).collect();
        let (mut sums, usage) = self.sums(touchpoints, &from).await?;
        record.usage.add_usage(usage);
        let kept = sums.pop().unwrap_or_default();
        let changed = before.into_iter().zip(&sums).map(|((seen, then), now)| (seen.version, differing(&then, now)));
        let changed = changed.map(|(version, customers)| (version, Arc::new(customers))).collect();
        let rows = self.session.read_table(table_of(&kept)?)?.into_unoptimized_plan();
        let description = format!("What was seen of each customer's {}, for telling what has changed since", view.name);
        let (staged, _, _) = self.stage(&name, &description, &rows, &view.name, None).await?;
        let committed = self.publish(&staged, &self.commit_details(&view.fingerprint)).await?;
        let seen = Seen { sums: SeenSums { version: committed.version, since: next }, changed };
        self.seen().insert(view.name.clone(), seen);
        Ok(())
    }

    /// The customers whose touchpoints differ from those that a table was made from; `None` when that is not known.
    pub(crate) fn changed_customers(&self, increment: &Increment) -> Option<Arc<Customers>> {
        let seen = self.seen();
        seen.get(increment.touchpoints.as_ref()?)?.changed.get(&increment.seen?.version).cloned()
    }

    /// What the ledger of a model says once this run has published it.
    pub(crate) fn ledger(&self, model: &str) -> Option<String> {
        let increment = self.increments.get(model)?;
        let view = increment.touchpoints.as_ref();
        Some(increment.ledger_with(view.and_then(|view| Some(self.seen().get(view)?.sums))))
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For each of these instants, the sums over the touchpoints from it on.
    async fn sums(&self, touchpoints: LogicalPlan, from: &[Timestamp]) -> Result<(Vec<Sums>, StepUsage), EngineError> {
        let Some(earliest) = from.iter().copied().min() else { return Ok((Vec::new(), StepUsage::default())) };
        let narrowed = since(touchpoints, &self.prepared.opened_sources(), earliest)?;
        let rows = DataFrame::new(self.session.state(), narrowed).filter(ident(TIME).gt_eq(at(earliest)))?;
        let plan = rows.create_physical_plan().await?;
        let mut tasks = JoinSet::new();
        for rows in execute_stream_partitioned(Arc::clone(&plan), self.session.task_ctx())? {
            tasks.spawn(summed(rows, from.to_vec()));
        }
        let mut sums = vec![Sums::default(); from.len()];
        while let Some(partition) = tasks.join_next().await {
            let partition = partition.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            for (sums, partition) in sums.iter_mut().zip(partition) {
                partition.into_iter().for_each(|(customer, sum)| add(sums, customer, sum));
            }
        }
        Ok((sums, StepUsage::of(&plan)))
    }

    /// Sums as an earlier run kept them; `None` when they are not there any more.
    async fn kept_sums(&self, table: &str, version: u64) -> Option<Sums> {
        let table = self.prepared.warehouse.table_at(table, version).await.ok()??;
        let batches = self.session.read_table(table.provider).ok()?.collect().await.ok()?;
        let mut sums = Sums::default();
        for batch in &batches {
            let column = |place: usize| batch.columns().get(place)?.as_primitive_opt::<Int64Type>();
            let (customers, of_rows) = (column(0)?, column(1)?);
            let pairs = customers.values().iter().zip(of_rows.values());
            pairs.for_each(|(customer, sum)| add(&mut sums, customer.cast_unsigned(), sum.cast_unsigned()));
        }
        Some(sums)
    }
}

/// The table in which a view's sums are kept.
pub(crate) fn sums_table(view: &str) -> String {
    format!("{view}__seen")
}

fn table_of(sums: &Sums) -> DataFusionResult<Arc<dyn TableProvider>> {
    let column = |name: &str| Field::new(name, DataType::Int64, false);
    let schema = Arc::new(Schema::new(vec![column("customer_hash"), column("touchpoints_sum")]));
    // In one order, so that equal sums make equal files.
    let mut pairs: Vec<(u64, u64)> = sums.iter().map(|(customer, sum)| (*customer, *sum)).collect();
    pairs.sort_unstable();
    let customers = Int64Array::from_iter_values(pairs.iter().map(|(customer, _)| customer.cast_signed()));
    let of_rows = Int64Array::from_iter_values(pairs.iter().map(|(_, sum)| sum.cast_signed()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(customers), Arc::new(of_rows)])?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

fn differing(then: &Sums, now: &Sums) -> Customers {
    let changed = now.iter().filter(|(customer, sum)| then.get(*customer) != Some(*sum));
    let gone = then.iter().filter(|(customer, _)| !now.contains_key(*customer));
    Customers(changed.chain(gone).map(|(customer, _)| *customer).collect())
}

/// Sums add up in any order, so that partitions and batches do not matter.
fn add(sums: &mut Sums, customer: u64, hash: u64) {
    let sum = sums.entry(customer).or_default();
    *sum = sum.wrapping_add(hash);
}

async fn summed(mut rows: SendableRecordBatchStream, from: Vec<Timestamp>) -> DataFusionResult<Vec<Sums>> {
    let mut sums = vec![Sums::default(); from.len()];
    while let Some(batch) = rows.try_next().await? {
        let (Some(customers), Some(times)) = (batch.column_by_name(CUSTOMER), batch.column_by_name(TIME)) else {
            return Err(DataFusionError::Internal("touchpoints without customer or time".to_owned()));
        };
        let customers = customer_hashes(customers)?;
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        let hashes = row_hashes(&batch)?;
        for ((customer, hash), time) in customers.into_iter().zip(hashes).zip(times) {
            for (sums, _) in sums.iter_mut().zip(&from).filter(|(_, from)| time >= from) {
                add(sums, customer, hash);
            }
        }
    }
    Ok(sums)
}

fn customer_hashes(customers: &ArrayRef) -> DataFusionResult<Vec<u64>> {
    let customers = cast_array(customers, &hashed_as(customers.data_type()))?;
    let mut hashes = vec![0; customers.len()];
    create_hashes([&customers], &QualityRandomState::with_seed(ROW_HASH_SEED), &mut hashes)?;
    Ok(hashes)
}

/// Texts hash alike however they lie in memory.
fn hashed_as(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_new_changed_or_gone_differs() {
        let sums = |pairs: &[(u64, u64)]| pairs.iter().copied().collect::<Sums>();
        let changed = differing(&sums(&[(1, 5), (2, 6), (3, 7)]), &sums(&[(1, 5), (2, 9), (4, 7)]));
        assert_eq!(changed, Customers([2, 3, 4].into_iter().collect()));
    }
}
