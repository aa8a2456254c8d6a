//! Whose touchpoints have changed since a table was made.
//!
//! Matching begins again at an instant, but few customers have anything new since then. So a run keeps a number for each
//! customer: the sum of the hashes of those touchpoints that the next run will look at again. The next run computes the
//! same sums, with the touchpoints that came since among them: a customer whose sum is the same was matched from the
//! same rows before, and keeps what came of them. Nothing has to be known of the SQL that makes the touchpoints: a login
//! that claims old events, an answer that changes a touchpoint, a contradiction, all show in the rows.
//!
//! Rows that come late make matching begin earlier than the next run would. So the sums of the last days before that are
//! kept apart, a day each, and those of days that a run does not read are handed on.
//!
//! The sums lie in a table of their own; the ledger of a matched table names the version that it was made with. Without
//! it, or when matching begins further back than the sums do, everybody is matched again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
use throughline_config::{Calendar, Timestamp};
use throughline_lake::{ROW_HASH_SEED, row_hashes};
use throughline_plan::{Plan, Step};

use super::carry::deadline;
use super::decide::{Increment, floor};
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

/// Before the instant from which on the next run matches again, sums of so much time are kept for rows that come late.
const KEPT_FOR_LATE_ROWS: Timestamp = 7 * 86_400_000_000;

/// The sums that a table was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeenSums {
    /// The version of their table.
    pub(super) version: u64,
    /// Touchpoints from here on are in them, those before `next` by the day.
    pub(super) since: Timestamp,
    /// From where on the next run matches again when nothing comes late: from here on there is one sum for each customer.
    pub(super) next: Timestamp,
}

impl SeenSums {
    /// From where on touchpoints are compared when they are matched again from `from`; `None` where the sums do not
    /// reach.
    pub(super) fn compared_from(&self, from: Timestamp) -> Option<Timestamp> {
        if from >= self.next {
            return Some(self.next);
        }
        Some(midnight(from)).filter(|day| *day >= self.since)
    }
}

/// Sums of touchpoints by the time from which on they are; each reaches to the next.
#[derive(Debug, Default)]
struct Tally(BTreeMap<Timestamp, Sums>);

impl Tally {
    /// Tells apart touchpoints before and after each of these instants, and none before the first.
    fn divided(at: impl IntoIterator<Item = Timestamp>) -> Self {
        Self(at.into_iter().map(|since| (since, Sums::default())).collect())
    }

    fn add(&mut self, other: Self) {
        for (since, sums) in other.0 {
            let own = self.0.entry(since).or_default();
            sums.into_iter().for_each(|(customer, sum)| add(own, customer, sum));
        }
    }

    /// What the next run needs: the sums from `next` on, and the days before it since `kept_from`. Those since `own_from`
    /// are these, earlier ones the `newest` that were kept so far, where they go on without a gap. Also since when.
    fn kept(
        mut self,
        own_from: Timestamp,
        next: Timestamp,
        kept_from: Timestamp,
        newest: Option<(SeenSums, Self)>,
    ) -> (Self, Timestamp) {
        let mut kept = Self::default();
        while let Some((since, sums)) = self.0.pop_last().filter(|(since, _)| *since >= own_from) {
            let day = if since >= next { next } else { midnight(since) };
            kept.add(Self(BTreeMap::from([(day, sums)])));
        }
        let Some((seen, mut before)) = newest.filter(|(seen, _)| seen.since < own_from && own_from <= seen.next) else {
            return (kept, own_from);
        };
        let since = seen.since.max(kept_from);
        before.0.retain(|day, _| (since..own_from).contains(day));
        kept.add(before);
        (kept, since.min(own_from))
    }

    /// Over all touchpoints from `from` on, at which this one was divided.
    fn from(&self, from: Timestamp) -> Sums {
        let mut later = self.0.range(from..).map(|(_, sums)| sums);
        let mut all = later.next_back().cloned().unwrap_or_default();
        later.flatten().for_each(|(customer, sum)| add(&mut all, *customer, *sum));
        all
    }
}

/// What a run has seen of a view of touchpoints.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    sums: SeenSums,
    /// By the version of the sums that they are compared with, and from where on, who differs.
    changed: BTreeMap<(u64, Timestamp), Arc<Customers>>,
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
        let window = self.windows.get(&view.name).copied();
        let name = sums_table(&view.name);
        let mut before: BTreeMap<u64, (SeenSums, Tally)> = BTreeMap::new();
        let mut compared: BTreeSet<(u64, Timestamp)> = BTreeSet::new();
        for (seen, from) in readers().filter_map(|increment| increment.seen) {
            if window.is_some_and(|window| from < window) {
                continue;
            }
            if !before.contains_key(&seen.version)
                && let Some(sums) = self.kept_sums(&name, seen.version).await
            {
                before.insert(seen.version, (seen, sums));
            }
            if before.contains_key(&seen.version) {
                compared.insert((seen.version, from));
            }
        }
        // The first day that is read as a whole, of those that are kept.
        let read_from = window.map_or(Timestamp::MIN, day_from);
        let kept_from = day_from(next.saturating_sub(KEPT_FOR_LATE_ROWS)).min(next);
        let own_from = read_from.max(kept_from).min(next);
        let days = std::iter::successors(Some(own_from), |day| Some(day_from(day + 1))).take_while(|day| *day < next);
        let divided = days.chain([next]).chain(compared.iter().map(|(_, from)| *from));
        let (now, usage) = self.sums(touchpoints, Tally::divided(divided)).await?;
        record.usage.add_usage(usage);
        let changed = compared.into_iter().filter_map(|(version, from)| {
            let (_, then) = before.get(&version)?;
            Some(((version, from), Arc::new(differing(&then.from(from), &now.from(from)))))
        });
        let changed = changed.collect();
        let (kept, since) = now.kept(own_from, next, kept_from, before.pop_last().map(|(_, newest)| newest));
        let rows = self.session.read_table(table_of(&kept)?)?.into_unoptimized_plan();
        let description = format!("What was seen of each customer's {}, for telling what has changed since", view.name);
        let (staged, _, _) = self.stage(&name, &description, &rows, &view.name, None).await?;
        let committed = self.publish(&staged, &self.commit_details(&view.fingerprint)).await?;
        let seen = Seen { sums: SeenSums { version: committed.version, since, next }, changed };
        self.seen().insert(view.name.clone(), seen);
        Ok(())
    }

    /// The customers whose touchpoints differ from those that a table was made from; `None` when that is not known.
    pub(crate) fn changed_customers(&self, increment: &Increment) -> Option<Arc<Customers>> {
        let seen = self.seen();
        let (sums, from) = increment.seen?;
        seen.get(increment.touchpoints.as_ref()?)?.changed.get(&(sums.version, from)).cloned()
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

    /// The sums over the touchpoints, as `divided` tells them apart.
    async fn sums(&self, touchpoints: LogicalPlan, divided: Tally) -> Result<(Tally, StepUsage), EngineError> {
        let Some(earliest) = divided.0.keys().next().copied() else { return Ok((divided, StepUsage::default())) };
        let narrowed = since(touchpoints, &self.prepared.opened_sources(), earliest)?;
        let rows = DataFrame::new(self.session.state(), narrowed).filter(ident(TIME).gt_eq(at(earliest)))?;
        let plan = rows.create_physical_plan().await?;
        let mut tasks = JoinSet::new();
        for rows in execute_stream_partitioned(Arc::clone(&plan), self.session.task_ctx())? {
            tasks.spawn(summed(rows, divided.0.keys().copied().collect()));
        }
        let mut sums = divided;
        while let Some(partition) = tasks.join_next().await {
            sums.add(partition.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
        }
        Ok((sums, StepUsage::of(&plan)))
    }

    /// Sums as an earlier run kept them; `None` when they are not there any more.
    async fn kept_sums(&self, table: &str, version: u64) -> Option<Tally> {
        let table = self.prepared.warehouse.table_at(table, version).await.ok()??;
        let batches = self.session.read_table(table.provider).ok()?.collect().await.ok()?;
        let mut tally = Tally::default();
        for batch in &batches {
            let column = |place: usize| batch.columns().get(place)?.as_primitive_opt::<Int64Type>();
            let (since, customers, of_rows) = (column(0)?, column(1)?, column(2)?);
            for ((since, customer), sum) in since.values().iter().zip(customers.values()).zip(of_rows.values()) {
                add(tally.0.entry(*since).or_default(), customer.cast_unsigned(), sum.cast_unsigned());
            }
        }
        Some(tally)
    }
}

/// The table in which a view's sums are kept.
pub(crate) fn sums_table(view: &str) -> String {
    format!("{view}__seen")
}

fn table_of(tally: &Tally) -> DataFusionResult<Arc<dyn TableProvider>> {
    let column = |name: &str| Field::new(name, DataType::Int64, false);
    let schema = Arc::new(Schema::new(vec![column("since"), column("customer_hash"), column("touchpoints_sum")]));
    // In one order, so that equal sums make equal files.
    let rows = |(since, sums): (&Timestamp, &Sums)| {
        let mut pairs: Vec<(u64, u64)> = sums.iter().map(|(customer, sum)| (*customer, *sum)).collect();
        pairs.sort_unstable();
        let times = Int64Array::from_iter_values(std::iter::repeat_n(*since, pairs.len()));
        let customers = Int64Array::from_iter_values(pairs.iter().map(|(customer, _)| customer.cast_signed()));
        let of_rows = Int64Array::from_iter_values(pairs.iter().map(|(_, sum)| sum.cast_signed()));
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(times), Arc::new(customers), Arc::new(of_rows)])
    };
    let batches = tally.0.iter().map(rows).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
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

async fn summed(mut rows: SendableRecordBatchStream, divided: Vec<Timestamp>) -> DataFusionResult<Tally> {
    let mut sums = vec![Sums::default(); divided.len()];
    while let Some(batch) = rows.try_next().await? {
        let (Some(customers), Some(times)) = (batch.column_by_name(CUSTOMER), batch.column_by_name(TIME)) else {
            return Err(DataFusionError::Internal("touchpoints without customer or time".to_owned()));
        };
        let customers = customer_hashes(customers)?;
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        let hashes = row_hashes(&batch)?;
        for ((customer, hash), time) in customers.into_iter().zip(hashes).zip(times) {
            let begun = divided.partition_point(|since| since <= time);
            if let Some(sums) = begun.checked_sub(1).and_then(|last| sums.get_mut(last)) {
                add(sums, customer, hash);
            }
        }
    }
    Ok(Tally(divided.into_iter().zip(sums).collect()))
}

/// The last midnight at or before an instant.
fn midnight(instant: Timestamp) -> Timestamp {
    floor(instant, Calendar::Day)
}

/// The first midnight at or after an instant.
fn day_from(instant: Timestamp) -> Timestamp {
    const DAY: Timestamp = 86_400_000_000;
    let midnight = midnight(instant);
    if midnight == instant { instant } else { midnight.saturating_add(DAY) }
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

    const DAY: Timestamp = 86_400_000_000;

    /// One customer's sum from each day on.
    fn tally(days: &[(Timestamp, u64)]) -> Tally {
        Tally(days.iter().map(|(day, sum)| (day * DAY, [(1, *sum)].into_iter().collect())).collect())
    }

    #[test]
    fn touchpoints_are_compared_from_where_the_sums_are_divided() {
        let seen = SeenSums { version: 3, since: 10 * DAY, next: 17 * DAY + 5 };
        assert_eq!(seen.compared_from(18 * DAY), Some(17 * DAY + 5));
        assert_eq!(seen.compared_from(17 * DAY + 4), Some(17 * DAY));
        assert_eq!(seen.compared_from(12 * DAY + 1), Some(12 * DAY));
        assert_eq!(seen.compared_from(10 * DAY), Some(10 * DAY));
        assert_eq!(seen.compared_from(10 * DAY - 1), None);
    }

    #[test]
    fn sums_add_up_from_a_day_on() {
        let sums = tally(&[(1, 5), (2, 6), (4, 7)]);
        assert_eq!(sums.from(DAY)[&1], 18);
        assert_eq!(sums.from(2 * DAY)[&1], 13);
        assert_eq!(sums.from(3 * DAY)[&1], 7);
        assert!(sums.from(5 * DAY).is_empty());
    }

    #[test]
    fn days_that_were_not_read_are_handed_on() {
        let days = |tally: &Tally| tally.0.iter().map(|(day, sums)| (day / DAY, sums[&1])).collect::<Vec<_>>();
        let before =
            || (SeenSums { version: 1, since: 2 * DAY, next: 9 * DAY }, tally(&[(2, 1), (5, 2), (8, 3), (9, 4)]));
        let now = || tally(&[(8, 30), (9, 40), (10, 50), (11, 60)]);
        let (kept, since) = now().kept(8 * DAY, 10 * DAY, 3 * DAY, Some(before()));
        assert_eq!((days(&kept), since / DAY), (vec![(5, 2), (8, 30), (9, 40), (10, 110)], 3));
        // Between what was kept and what is read lie days of which nothing is known.
        let (kept, since) = now().kept(10 * DAY, 10 * DAY, 3 * DAY, Some(before()));
        assert_eq!((days(&kept), since / DAY), (vec![(10, 110)], 10));
        let (kept, since) = now().kept(8 * DAY, 10 * DAY, 3 * DAY, None);
        assert_eq!((days(&kept), since / DAY), (vec![(8, 30), (9, 40), (10, 110)], 8));
    }

    #[test]
    fn who_is_new_changed_or_gone_differs() {
        let sums = |pairs: &[(u64, u64)]| pairs.iter().copied().collect::<Sums>();
        let changed = differing(&sums(&[(1, 5), (2, 6), (3, 7)]), &sums(&[(1, 5), (2, 9), (4, 7)]));
        assert_eq!(changed, Customers([2, 3, 4].into_iter().collect()));
    }
}
