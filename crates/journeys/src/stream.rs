//! One partition's pass: batches in, members out, one customer's members in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{BatchCoalescer, partition, take, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use arrow::row::{RowConverter, Rows, SortField};
use arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, Result, exec_err, internal_datafusion_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::{Stream, StreamExt};

use crate::bits::Bits;
use crate::counts::{Counters, Sorted};
use crate::gather::{Drain, OutputForm};
use crate::parameters::{Definition, MatchParameters};
use crate::rules::{Found, RowPlace, Rules};
use crate::scan::{Batch, Masks, Scan};

/// Where the columns the matcher reads stand in the input.
#[derive(Debug, Clone)]
pub(crate) struct InputColumns {
    pub(crate) customer: usize,
    pub(crate) touchpoint: usize,
    pub(crate) time: usize,
    /// The distinct sets of further key columns; the first is empty.
    pub(crate) key_sets: Vec<Vec<usize>>,
    /// For each definition its set.
    pub(crate) key_set_of: Vec<usize>,
}

/// What a partition's pass is given.
pub(crate) struct Setup {
    pub(crate) parameters: Arc<MatchParameters>,
    pub(crate) conditions: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) columns: InputColumns,
    pub(crate) input_schema: SchemaRef,
    pub(crate) form: OutputForm,
    pub(crate) counters: Vec<Counters>,
    pub(crate) baseline: BaselineMetrics,
    pub(crate) reservation: MemoryReservation,
    pub(crate) batch_size: usize,
}

/// The stream of one partition.
pub(crate) struct MatchStream {
    input: SendableRecordBatchStream,
    setup: Setup,
    scans: Vec<Scan>,
    converters: Vec<Option<RowConverter>>,
    found: Found,
    /// Members of the customer being read from the batches before the newest, and only those.
    held: Vec<RecordBatch>,
    held_bytes: usize,
    /// The customer being read, as an array of one row.
    customer: Option<ArrayRef>,
    /// The time of its last touchpoint before `as_of`.
    latest: i64,
    drain: Option<Drain>,
    output: BatchCoalescer,
    input_ended: bool,
    output_ended: bool,
}

impl MatchStream {
    pub(crate) fn new(input: SendableRecordBatchStream, setup: Setup) -> Result<Self> {
        let scans = setup
            .parameters
            .definitions
            .iter()
            .enumerate()
            .map(|(index, definition)| Scan::new(rules(index, definition), setup.columns.key_set_of[index] != 0))
            .collect();
        let converters = setup
            .columns
            .key_sets
            .iter()
            .map(|set| {
                let field = |&column: &usize| SortField::new(setup.input_schema.field(column).data_type().clone());
                (!set.is_empty()).then(|| RowConverter::new(set.iter().map(field).collect())).transpose()
            })
            .collect::<Result<_, _>>()?;
        let output = BatchCoalescer::new(Arc::clone(&setup.form.schema), setup.batch_size);
        Ok(Self {
            input,
            setup,
            scans,
            converters,
            found: Found::default(),
            held: Vec::new(),
            held_bytes: 0,
            customer: None,
            latest: i64::MIN,
            drain: None,
            output,
            input_ended: false,
            output_ended: false,
        })
    }

    /// The next batch of output, as soon as there is one.
    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        loop {
            if let Some(batch) = self.output.next_completed_batch() {
                return Poll::Ready(Some(Ok(batch)));
            }
            if self.output_ended {
                return Poll::Ready(None);
            }
            let step = if self.drain.is_some() {
                self.timed(Self::gather)
            } else if self.input_ended {
                self.output_ended = true;
                self.setup.reservation.free();
                self.output.finish_buffered_batch().map_err(DataFusionError::from)
            } else {
                match ready!(self.input.poll_next_unpin(context)) {
                    Some(Ok(batch)) => self.timed(|stream| stream.read(batch)),
                    Some(Err(error)) => Err(error),
                    None => {
                        self.input_ended = true;
                        self.timed(Self::finish)
                    }
                }
            };
            if let Err(error) = step {
                (self.drain, self.output_ended) = (None, true);
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn timed<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let elapsed = self.setup.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        work(self)
    }

    /// Hands at most one batch's worth of rows to the output.
    fn gather(&mut self) -> Result<()> {
        let Some(drain) = &mut self.drain else { return Ok(()) };
        match drain.next_slice(self.setup.batch_size, &self.setup.form)? {
            Some(batch) => self.output.push_batch(batch)?,
            None => {
                self.drain = None;
                self.account()?;
            }
        }
        Ok(())
    }

    /// Applies every definition to a batch and turns over the customers it completes.
    fn read(&mut self, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let customers = batch.column(self.setup.columns.customer);
        let run_ends: Vec<usize> = partition(&[Arc::clone(customers)])?.ranges().iter().map(|run| run.end).collect();
        let first_customer = self.begin_customer(customers)?;
        let mut known = (self.found.members.len(), self.found.instances.len());
        let times = batch.column(self.setup.columns.time).as_primitive::<TimestampMicrosecondType>();
        let view = Batch {
            times: times.values(),
            chunk: self.held.len() as u32,
            run_ends: &run_ends,
            first_customer,
            as_of: self.setup.parameters.as_of,
        };
        self.apply_definitions(&batch, &view)?;

        let last_customer = first_customer + run_ends.len() as u32 - 1;
        self.customer = Some(last_value(customers)?);
        if last_customer > 0 {
            let mut sources = self.release_held();
            sources.push(batch.clone());
            self.turn_over(last_customer, sources)?;
            self.found.instances.iter_mut().for_each(|instance| instance.customer = 0);
            known = (0, 0);
        }
        self.hold_members(&batch, known)?;
        self.account()
    }

    /// No further touchpoints: every customer is complete.
    fn finish(&mut self) -> Result<()> {
        let as_of = self.setup.parameters.as_of;
        self.scans.iter_mut().for_each(|scan| scan.settle(as_of, &mut self.found));
        let sources = self.release_held();
        self.turn_over(u32::MAX, sources)?;
        self.account()
    }

    /// Ordinal of the batch's first customer: 0 when it is the one being read or none is, else 1, and the one that
    /// was being read has had its last touchpoint.
    fn begin_customer(&mut self, customers: &ArrayRef) -> Result<u32> {
        let Some(reading) = &self.customer else { return Ok(0) };
        if not_distinct(reading, &customers.slice(0, 1))?.value(0) {
            return Ok(0);
        }
        let as_of = self.setup.parameters.as_of;
        self.scans.iter_mut().for_each(|scan| scan.settle(as_of, &mut self.found));
        Ok(1)
    }

    fn apply_definitions(&mut self, batch: &RecordBatch, view: &Batch<'_>) -> Result<()> {
        let masks = self.condition_masks(batch)?;
        let sets = self.key_sets(batch, view)?;
        if let Some(base) = sets.first() {
            check_order(view, &base.valid, &mut self.latest)?;
        }
        for (index, definition) in self.setup.parameters.definitions.iter().enumerate() {
            let set = &sets[self.setup.columns.key_set_of[index]];
            let before = self.found.members.len();
            self.scans[index].read(view, &definition_masks(definition, &masks, set), &mut self.found);
            self.setup.counters[index].add_batch(&set.rows, self.found.members.len() - before);
        }
        Ok(())
    }

    /// Where each distinct condition is true; null counts as false.
    fn condition_masks(&self, batch: &RecordBatch) -> Result<Vec<Bits>> {
        self.setup
            .conditions
            .iter()
            .map(|condition| {
                let value = condition
                    .evaluate(batch)
                    .and_then(|value| value.into_array(batch.num_rows()))
                    .map_err(|error| error.context(format!("while evaluating the journey condition {condition}")))?;
                let value = value
                    .as_boolean_opt()
                    .ok_or_else(|| internal_datafusion_err!("the condition {condition} is not boolean"))?;
                Ok(true_rows(value))
            })
            .collect()
    }

    /// For each set of key columns the rows that can be placed, and the encoded further key.
    fn key_sets(&self, batch: &RecordBatch, view: &Batch<'_>) -> Result<Vec<KeySet>> {
        let columns = &self.setup.columns;
        let rows = batch.num_rows();
        let not_null = |column: usize| match batch.column(column).logical_nulls() {
            Some(nulls) => Bits::from(nulls.inner()),
            None => Bits::filled(rows, true),
        };
        let customer = not_null(columns.customer);
        let id = not_null(columns.touchpoint);
        let time = not_null(columns.time);
        let before_as_of = Bits::from_rows(rows, |row| view.times[row] < view.as_of);
        let mut sets = Vec::with_capacity(columns.key_sets.len());
        for (set, converter) in columns.key_sets.iter().zip(&self.converters) {
            let key = set.iter().fold(customer.clone(), |key, column| key.and(&not_null(*column)));
            let keys = match converter {
                Some(converter) => {
                    let values: Vec<ArrayRef> = set.iter().map(|column| Arc::clone(batch.column(*column))).collect();
                    Some(Arc::new(converter.convert_columns(&values)?))
                }
                None => None,
            };
            let with_id = key.clone().and(&id);
            let with_time = with_id.clone().and(&time);
            let valid = with_time.clone().and(&before_as_of);
            let sorted = Sorted {
                read: rows,
                null_key: rows - key.count(),
                null_id: key.and_not(&id).count(),
                null_time: with_id.and_not(&time).count(),
                after_as_of: with_time.and_not(&before_as_of).count(),
                valid: valid.count(),
            };
            sets.push(KeySet { rows: sorted, valid, keys });
        }
        Ok(sets)
    }

    /// Prepares the output of all customers below `complete`.
    fn turn_over(&mut self, complete: u32, sources: Vec<RecordBatch>) -> Result<()> {
        let Setup { form, counters, .. } = &self.setup;
        self.drain = Drain::take(&mut self.found, complete, sources, form, &mut self.scans, counters)?;
        Ok(())
    }

    fn release_held(&mut self) -> Vec<RecordBatch> {
        self.held_bytes = 0;
        std::mem::take(&mut self.held)
    }

    /// Copies the members of the customer being read out of the newest batch, so that the batch can go. Members and
    /// instances from the positions `known` on lie in that batch, all before them in those already held.
    fn hold_members(&mut self, batch: &RecordBatch, known: (usize, usize)) -> Result<()> {
        let members = &mut self.found.members[known.0..];
        if members.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<u32> = members.iter().map(|member| member.place.row).collect();
        rows.sort_unstable();
        rows.dedup();
        let mut new_row = vec![0; batch.num_rows()];
        rows.iter().zip(0..).for_each(|(row, new)| new_row[*row as usize] = new);
        let chunk = self.held.len() as u32;
        let firsts = self.found.instances[known.1..].iter_mut().map(|instance| &mut instance.first);
        for place in members.iter_mut().map(|member| &mut member.place).chain(firsts) {
            *place = RowPlace { chunk, row: new_row[place.row as usize] };
        }
        let copy = compact(&take_record_batch(batch, &UInt32Array::from(rows))?)?;
        self.held_bytes += copy.get_array_memory_size();
        self.held.push(copy);
        Ok(())
    }

    /// Reserves what is held, and says which customer is too large when it cannot.
    fn account(&mut self) -> Result<()> {
        let scans: usize = self.scans.iter().map(Scan::size).sum();
        let total = self.held_bytes + scans + self.found.size() + self.drain.as_ref().map_or(0, Drain::size);
        self.setup.reservation.try_resize(total).map_err(|error| {
            let customer = self.customer.as_ref().map_or_else(String::new, |customer| {
                array_value_to_string(customer, 0).unwrap_or_default()
            });
            error.context(format!(
                "the journeys of one customer must fit in memory, and those of customer `{customer}` need {total} bytes so far; \
                 raise the memory limit, or keep such a customer out of the touchpoints"
            ))
        })
    }
}

impl Stream for MatchStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.poll_output(context);
        self.setup.baseline.record_poll(polled)
    }
}

impl RecordBatchStream for MatchStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.setup.form.schema)
    }
}

/// The rows of a batch that definitions with the same key can place.
struct KeySet {
    rows: Sorted,
    valid: Bits,
    keys: Option<Arc<Rows>>,
}

fn rules(index: usize, definition: &Definition) -> Rules {
    Rules {
        definition: index as u32,
        within: definition.within.unwrap_or(i64::MAX),
        idle: definition.idle.unwrap_or(i64::MAX),
        split: definition.split,
    }
}

fn definition_masks<'a>(definition: &Definition, masks: &'a [Bits], set: &KeySet) -> Masks<'a> {
    let ends = definition.ends.map(|condition| &masks[condition]);
    let abandons = definition.abandons.map(|condition| &masks[condition]);
    let starts = &masks[definition.starts];
    let relevant = match definition.includes {
        Some(condition) => {
            let others = [ends, abandons].into_iter().flatten();
            others.fold(masks[condition].clone().or(starts), Bits::or).and(&set.valid)
        }
        None => set.valid.clone(),
    };
    Masks { starts: starts.clone().and(&set.valid), ends, abandons, relevant, keys: set.keys.clone() }
}

fn true_rows(value: &BooleanArray) -> Bits {
    let values = Bits::from(value.values());
    match value.nulls() {
        Some(nulls) => values.and(&Bits::from(nulls.inner())),
        None => values,
    }
}

/// Refuses an input whose times run backwards within a customer: files that declare an order they do not have would
/// give wrong instances without a word. `latest` is the time of the last touchpoint of the customer being read.
fn check_order(view: &Batch<'_>, valid: &Bits, latest: &mut i64) -> Result<()> {
    let mut from = 0;
    for (run, &end) in view.run_ends.iter().enumerate() {
        if view.first_customer as usize + run > 0 {
            *latest = i64::MIN;
        }
        for row in (from..end).filter(|row| valid.get(*row)) {
            if view.times[row] < *latest {
                return exec_err!(
                    "the touchpoints of a customer are not in the order of occurred_at although their source declares so"
                );
            }
            *latest = view.times[row];
        }
        from = end;
    }
    Ok(())
}

/// The last row as an array of its own, which does not keep the batch alive.
fn last_value(column: &ArrayRef) -> Result<ArrayRef> {
    let last = UInt32Array::from(vec![column.len() as u32 - 1]);
    Ok(compact_array(&take(column, &last, None)?))
}

fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact_array).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Views refer to the buffers of the batch they were taken from; a copy of the few texts lets those go.
fn compact_array(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => Arc::clone(array),
    }
}
