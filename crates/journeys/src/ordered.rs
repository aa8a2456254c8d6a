//! Touchpoints that come in order: customer after customer, as many as make a batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, make_comparator};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{
    SortOptions, cast, concat, concat_batches, filter, filter_record_batch, partition, take_record_batch,
};
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::StreamExt;

use crate::customers::{Amounts, Customers, Ids};
use crate::prepare::{Preparation, Prepared};

/// Where the amounts stand in the input, when measures are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AmountColumns {
    pub(crate) satisfaction: usize,
    pub(crate) cost: usize,
}

/// Cuts a stream ordered by `(customer_id, occurred_at, touchpoint_id)` into complete customers.
pub(crate) struct OrderedCustomers {
    pub(crate) input: SendableRecordBatchStream,
    pub(crate) schema: SchemaRef,
    pub(crate) preparation: Preparation,
    pub(crate) amounts: Option<AmountColumns>,
    pub(crate) batch_size: usize,
    pub(crate) baseline: BaselineMetrics,
    pub(crate) reservation: MemoryReservation,
    /// Whether memory is limited, so that nothing may be kept that is not needed.
    pub(crate) is_limited: bool,
    pub(crate) held: Held,
}

/// Rows that wait for the end of their customer.
#[derive(Default)]
pub(crate) struct Held {
    rows: Vec<RecordBatch>,
    classes: Vec<ArrayRef>,
    number: usize,
    bytes: usize,
    /// Rows at which to look for complete customers again: a customer of very many rows is put together a few times.
    enough: usize,
    has_ended: bool,
}

impl OrderedCustomers {
    /// The next complete customers; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Customers>> {
        self.held.enough = self.held.enough.max(self.batch_size);
        loop {
            while !self.held.has_ended && self.held.number < self.held.enough {
                match self.input.next().await {
                    Some(batch) => self.hold(&batch?)?,
                    None => self.held.has_ended = true,
                }
            }
            if self.held.number == 0 {
                self.reservation.free();
                return Ok(None);
            }
            let elapsed = self.baseline.elapsed_compute().clone();
            let _timer = elapsed.timer();
            if let Some(customers) = self.complete()? {
                return Ok(Some(customers));
            }
        }
    }

    fn hold(&mut self, batch: &RecordBatch) -> Result<()> {
        let elapsed = self.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        let Prepared { classes, kept } = self.preparation.prepare(batch)?;
        let (number, classes) = (kept.count_set_bits(), UInt32Array::from(classes));
        let kept = BooleanArray::new(kept, None);
        if number > 0 {
            let rows = filter_record_batch(batch, &kept)?;
            // Views keep whole buffers alive: those of a batch for few of its rows, those of a sort for every batch.
            let are_few = number * 2 < batch.num_rows();
            let rows = if are_few || self.is_limited { compact(&rows)? } else { rows };
            self.held.push(rows, filter(&classes, &kept)?);
            self.account()?;
        }
        Ok(())
    }

    /// Takes the customers that are complete from those held; none when all rows are one customer's that goes on.
    fn complete(&mut self) -> Result<Option<Customers>> {
        let rows = concat_batches(&self.schema, &self.held.rows)?;
        let classes: Vec<&dyn Array> = self.held.classes.iter().map(AsRef::as_ref).collect();
        let classes = concat(&classes)?;
        let ids = rows.column(self.preparation.columns.customer);
        let mut ends: Vec<u32> =
            partition(std::slice::from_ref(ids))?.ranges().iter().map(|run| run.end as u32).collect();
        let has_ended = std::mem::take(&mut self.held).has_ended;
        self.held.has_ended = has_ended;
        if !has_ended {
            let last = ends.pop();
            debug_assert_eq!(last, Some(rows.num_rows() as u32));
            let from = ends.last().map_or(0, |&end| end as usize);
            let rest = rows.num_rows() - from;
            self.held.push(compact(&rows.slice(from, rest))?, classes.slice(from, rest));
            self.held.enough = self.batch_size.max(2 * rest);
            self.account()?;
        }
        let Some(&end) = ends.last() else { return Ok(None) };
        let (rows, classes) = (rows.slice(0, end as usize), classes.slice(0, end as usize));
        self.check_order(&rows, &ends)?;
        Ok(Some(self.customers(rows, &classes, ends)?))
    }

    fn customers(&self, rows: RecordBatch, classes: &ArrayRef, ends: Vec<u32>) -> Result<Customers> {
        let columns = &self.preparation.columns;
        let firsts = std::iter::once(0).chain(ends.iter().copied()).take(ends.len());
        let firsts = UInt32Array::from_iter_values(firsts);
        let number = |column: usize| {
            Ok::<_, arrow::error::ArrowError>(cast(rows.column(column), &DataType::Float64)?.as_primitive().clone())
        };
        let amounts = self.amounts.map(|amounts| {
            Ok::<_, arrow::error::ArrowError>(Amounts {
                satisfaction: number(amounts.satisfaction)?,
                cost: number(amounts.cost)?,
            })
        });
        Ok(Customers {
            ids: arrow::compute::take(rows.column(columns.customer), &firsts, None)?,
            order: (0..rows.num_rows() as u32).collect(),
            times: times(rows.column(columns.time)),
            classes: classes.as_primitive::<arrow::datatypes::UInt32Type>().values().clone(),
            touchpoints: Ids::new(rows.column(columns.touchpoint))?,
            amounts: amounts.transpose()?,
            columns: rows,
            ends,
        })
    }

    /// Refuses rows that run backwards: files that declare an order they do not have would give wrong instances
    /// without a word.
    fn check_order(&self, rows: &RecordBatch, ends: &[u32]) -> Result<()> {
        let ids = rows.column(self.preparation.columns.customer);
        let times = times(rows.column(self.preparation.columns.time));
        let compare = make_comparator(ids, ids, SortOptions::default())?;
        let mut from = 0;
        for &end in ends {
            let end = end as usize;
            if from > 0 && compare(from - 1, from).is_gt() {
                return exec_err!(
                    "the touchpoints are not in the order of customer_id although their source declares so"
                );
            }
            if times[from..end].windows(2).any(|pair| pair[0] > pair[1]) {
                let order = rows.schema_ref().field(self.preparation.columns.time).name();
                return exec_err!(
                    "the touchpoints of a customer are not in the order of {order} although their source declares so"
                );
            }
            from = end;
        }
        Ok(())
    }

    /// Reserves what is held, and says which customer is too large when it cannot.
    fn account(&mut self) -> Result<()> {
        let bytes = self.held.bytes;
        self.reservation.try_resize(bytes).map_err(|error| {
            let rows = self.held.rows.last();
            let customer = rows.and_then(|rows| {
                let ids = rows.column(self.preparation.columns.customer);
                array_value_to_string(ids, ids.len() - 1).ok()
            });
            too_large(error, &customer.unwrap_or_default(), bytes)
        })
    }
}

impl Held {
    fn push(&mut self, rows: RecordBatch, classes: ArrayRef) {
        self.number += rows.num_rows();
        self.bytes += rows.get_array_memory_size() + classes.get_array_memory_size();
        self.rows.push(rows);
        self.classes.push(classes);
    }
}

fn times(array: &ArrayRef) -> ScalarBuffer<i64> {
    array.as_primitive::<TimestampMicrosecondType>().values().clone()
}

/// The way out when a customer does not fit.
pub(crate) fn too_large(
    error: datafusion::common::DataFusionError,
    customer: &str,
    bytes: usize,
) -> datafusion::common::DataFusionError {
    error.context(format!(
        "the journeys of one customer must fit in memory, and those of customer `{customer}` need {bytes} bytes so far; \
         raise the memory limit, or keep such a customer out of the touchpoints"
    ))
}

/// A copy that does not keep the batch alive from which the rows were taken.
fn compact(rows: &RecordBatch) -> Result<RecordBatch> {
    let all = UInt32Array::from_iter_values(0..rows.num_rows() as u32);
    let rows = take_record_batch(rows, &all)?;
    let columns = rows.columns().iter().map(compact_array).collect();
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

/// Views refer to the buffers of the batch they were taken from; a copy of the few texts lets those go.
pub(crate) fn compact_array(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => Arc::clone(array),
    }
}
