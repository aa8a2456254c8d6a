//! Touchpoints in any order: spread over buckets by customer, then ordered bucket by bucket.
//!
//! One task a core reads the input's partitions, keeps of each touchpoint only what matching needs (about 50 bytes)
//! and puts whole blocks away. When all have come to the end of the input, each partition of the output takes its
//! share of the buckets.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, StringBuilder, StringViewArray, UInt32Array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, filter, interleave};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result, resources_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{BaselineMetrics, SpillMetrics};
use futures::future::{BoxFuture, Shared};
use futures::stream::select_all;
use futures::{FutureExt, StreamExt};

use crate::buckets::{Block, Buckets, HeldValues, Store, column, dealt_out, lock};
use crate::classes::SharedClasses;
use crate::customer_tables::{BUCKETS, CustomerTables, block_id_type, bucket_of, is_number};
use crate::customers::Customers;
use crate::ordered::{AmountColumns, compact_array};
use crate::prepare::{InputColumns, Preparation, Prepared};

/// Rows of a block in batches: long runs for each bucket, and yet small enough to be put together in the cache. Measured
/// at 20 million touchpoints: 4 to 128 batches differ by 6 %, 16 was best.
const BATCHES_IN_A_BLOCK: usize = 16;

/// Equal in every process, so that a customer's bucket never changes.
const HASH_SEED: u64 = 0x7468_726f_7567_686c;

/// What the output's partitions wait for.
pub(crate) type Collected = Shared<BoxFuture<'static, Result<Arc<Buckets>, Arc<DataFusionError>>>>;

/// The collection that the partitions of one execution share.
#[derive(Debug, Default)]
pub(crate) struct Collection(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    collected: Collected,
    classes: Arc<SharedClasses>,
    /// Partitions of this execution that have not asked for it yet.
    awaited: usize,
}

impl Collection {
    /// The collection under way, begun by the first of `partitions` to ask. After the last has asked, the next one
    /// begins anew: the plan is executed again, and nothing is held for longer than needed.
    pub(crate) fn join(
        &self,
        partitions: usize,
        begin: impl FnOnce() -> Result<(BoxFuture<'static, Result<Buckets>>, Arc<SharedClasses>)>,
    ) -> Result<(Collected, Arc<SharedClasses>)> {
        let mut running = lock(&self.0);
        let mut current = match running.take() {
            Some(current) => current,
            None => {
                let (collecting, classes) = begin()?;
                let collected = async move { collecting.await.map(Arc::new).map_err(Arc::new) };
                Running { collected: collected.boxed().shared(), classes, awaited: partitions }
            }
        };
        let joined = (current.collected.clone(), Arc::clone(&current.classes));
        current.awaited -= 1;
        *running = (current.awaited > 0).then_some(current);
        Ok(joined)
    }
}

/// Where the values of a touchpoint come from that only some outputs need.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BlockValues {
    /// What measures are made of.
    Amounts(AmountColumns),
    /// When it happened, which orders what became known at one time.
    Occurred(usize),
}

impl BlockValues {
    /// Which they are.
    fn held(self) -> HeldValues {
        match self {
            Self::Amounts(_) => HeldValues::Amounts,
            Self::Occurred(_) => HeldValues::Occurred,
        }
    }
}

/// Where the columns of a block come from.
#[derive(Clone)]
pub(crate) struct BlockColumns {
    pub(crate) input: InputColumns,
    pub(crate) values: BlockValues,
    /// The distinct further key columns.
    pub(crate) keys: Vec<usize>,
}

impl BlockColumns {
    /// The columns of a block (see [`crate::buckets::column`]).
    pub(crate) fn schema(&self, input: &Schema) -> SchemaRef {
        let kept = |column: usize| input.field(column).as_ref().clone();
        let id = |column: usize| {
            let field = kept(column);
            let data_type = block_id_type(field.data_type());
            field.with_data_type(data_type)
        };
        let mut fields = vec![
            Field::new("customer", DataType::UInt32, false),
            kept(self.input.time),
            id(self.input.touchpoint),
            Field::new("class", DataType::UInt32, false),
        ];
        match self.values {
            BlockValues::Amounts(_) => {
                fields.extend(["satisfaction", "cost"].map(|name| Field::new(name, DataType::Float64, true)));
            }
            BlockValues::Occurred(occurred) => fields.push(kept(occurred)),
        }
        fields.extend(self.keys.iter().enumerate().map(|(index, &column)| {
            let data_type = kept(column).data_type().clone();
            Field::new(format!("key {index}"), data_type, true)
        }));
        Arc::new(Schema::new(fields))
    }

    /// The columns of a batch as they wait for their block: the customer by its id, everything else as it will be.
    fn of(&self, batch: &RecordBatch, classes: Vec<u32>) -> Result<Vec<ArrayRef>> {
        let InputColumns { customer, time, touchpoint, .. } = self.input;
        let number = |column: usize| cast(batch.column(column), &DataType::Float64);
        let mut columns = vec![
            plain_id(batch.column(customer))?,
            Arc::clone(batch.column(time)),
            plain_id(batch.column(touchpoint))?,
            Arc::new(UInt32Array::from(classes)),
        ];
        match self.values {
            BlockValues::Amounts(AmountColumns { satisfaction, cost }) => {
                columns.extend([number(satisfaction)?, number(cost)?]);
            }
            BlockValues::Occurred(occurred) => columns.push(Arc::clone(batch.column(occurred))),
        }
        columns.extend(self.keys.iter().map(|&key| Arc::clone(batch.column(key))));
        Ok(columns)
    }
}

/// Ids without a dictionary, and with offsets of 32 bits.
fn plain_id(ids: &ArrayRef) -> Result<ArrayRef> {
    Ok(match ids.data_type() {
        DataType::Dictionary(_, values) if is_number(values) => cast(ids, &DataType::Int64)?,
        DataType::Dictionary(..) | DataType::LargeUtf8 => cast(ids, &DataType::Utf8)?,
        _ => Arc::clone(ids),
    })
}

/// What every collecting task is given.
pub(crate) struct Collecting {
    pub(crate) input: Arc<dyn ExecutionPlan>,
    pub(crate) context: Arc<TaskContext>,
    pub(crate) columns: BlockColumns,
    /// One a task.
    pub(crate) preparations: Vec<(Preparation, BaselineMetrics, SpillMetrics)>,
}

impl Collecting {
    /// Reads the input to its end.
    pub(crate) async fn run(self) -> Result<Buckets> {
        let Self { input, context, columns, preparations } = self;
        let input_schema = input.schema();
        let schema = columns.schema(&input_schema);
        let customers = input_schema.field(columns.input.customer).data_type();
        let tables = Arc::new(CustomerTables::new(is_number(customers)));
        let pool = context.memory_pool();
        let table_memory = Arc::new(Mutex::new(MemoryConsumer::new("MatchJourneys customers").register(pool)));
        let partitions = input.properties().partitioning.partition_count();
        let number_of_tasks = preparations.len();

        let mut tasks = JoinSet::new();
        for (number, (preparation, baseline, spill)) in preparations.into_iter().enumerate() {
            let consumer = MemoryConsumer::new(format!("MatchJourneys[{number}]")).with_can_spill(true);
            let disk = Arc::clone(&context.runtime_env().disk_manager);
            let mut collector = Collector {
                block_rows: context.session_config().batch_size() * BATCHES_IN_A_BLOCK,
                columns: columns.clone(),
                schema: Arc::clone(&schema),
                preparation,
                pending: Vec::new(),
                kept: Vec::new(),
                tables: Arc::clone(&tables),
                table_memory: Arc::clone(&table_memory),
                pool: Arc::clone(pool),
                store: Store::new(Arc::clone(&schema), consumer.register(pool), disk, spill),
            };
            // All partitions are read side by side: an exchange below hands on to none of them while one is full.
            let own = (number..partitions).step_by(number_of_tasks);
            let streams = own.map(|partition| input.execute(partition, Arc::clone(&context)));
            let mut rows = select_all(streams.collect::<Result<Vec<_>>>()?);
            tasks.spawn(async move {
                while let Some(batch) = rows.next().await {
                    let batch = batch?;
                    let _timer = baseline.elapsed_compute().timer();
                    collector.add(&batch)?;
                }
                let _timer = baseline.elapsed_compute().timer();
                collector.finish()
            });
        }
        let mut stores = Vec::new();
        while let Some(done) = tasks.join_next().await {
            stores.push(done.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
        }
        let stores = stores.into_iter().map(Mutex::new).collect();
        Ok(Buckets { schema, values: columns.values.held(), stores, tables, _table_memory: table_memory })
    }
}

/// One task's rows on their way into blocks.
struct Collector {
    block_rows: usize,
    columns: BlockColumns,
    schema: SchemaRef,
    preparation: Preparation,
    /// Batches that wait; at least half of their rows are kept.
    pending: Vec<Vec<ArrayRef>>,
    /// Those of their rows that go into the block.
    kept: Vec<KeptRow>,
    tables: Arc<CustomerTables>,
    table_memory: Arc<Mutex<MemoryReservation>>,
    pool: Arc<dyn MemoryPool>,
    store: Store,
}

/// A row of a pending batch.
struct KeptRow {
    /// Of its customer.
    hash: u64,
    batch: u32,
    row: u32,
}

impl Collector {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let Prepared { classes, mut kept } = self.preparation.prepare(batch)?;
        let number = kept.count_set_bits();
        if number == 0 {
            return Ok(());
        }
        let mut columns = self.columns.of(batch, classes)?;
        if number * 2 < batch.num_rows() {
            // Few rows do not keep the others waiting with them.
            let is_kept = BooleanArray::new(std::mem::replace(&mut kept, BooleanBuffer::new_set(number)), None);
            for column in &mut columns {
                *column = compact_array(&filter(column, &is_kept)?);
            }
        }
        let mut hashes = vec![0; kept.len()];
        create_hashes([&columns[column::CUSTOMER]], &RandomState::with_seed(HASH_SEED), &mut hashes)?;
        let batch = self.pending.len() as u32;
        self.kept.extend(kept.set_indices().map(|row| KeptRow { hash: hashes[row], batch, row: row as u32 }));
        self.pending.push(columns);
        if self.kept.len() >= self.block_rows { self.put_away() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Store> {
        if !self.pending.is_empty() {
            self.put_away()?;
        }
        self.store.finish()?;
        Ok(self.store)
    }

    /// Makes a block of what is pending: each value is moved once, from where it was read to its place.
    fn put_away(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let kept = std::mem::take(&mut self.kept);
        let (order, ends) = dealt_out(kept.iter().map(|row| bucket_of(row.hash)), BUCKETS);
        let hashes: Vec<u64> = order.iter().map(|&row| kept[row as usize].hash).collect();
        let places: Vec<(usize, usize)> = order
            .iter()
            .map(|&row| &kept[row as usize])
            .map(|KeptRow { batch, row, .. }| (*batch as usize, *row as usize))
            .collect();
        let column = |index: usize| pending.iter().map(|columns| columns[index].as_ref()).collect::<Vec<&dyn Array>>();

        let customers = interleave(&column(column::CUSTOMER), &places)?;
        let codes = self.tables.codes(&customers, &hashes, &ends)?;
        drop(customers);
        let further: Vec<Vec<&dyn Array>> = (1..self.schema.fields().len()).map(column).collect();
        let group = |rows: Range<usize>| {
            let places = &places[rows.clone()];
            // Copied, so that the group can be let go by itself.
            let codes = UInt32Array::from_iter_values(codes[rows].iter().copied());
            let mut columns: Vec<ArrayRef> = vec![Arc::new(codes)];
            for (index, arrays) in (1..).zip(&further) {
                let texts = if index == column::TOUCHPOINT { plain_texts(arrays, places) } else { None };
                columns.push(match texts {
                    Some(texts) => Arc::new(texts),
                    None => compact_array(&interleave(arrays, places)?),
                });
            }
            Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
        };
        let groups = Block::group_rows(&ends).map(group).collect::<Result<_>>()?;
        self.account_customers()?;
        self.store.push(Block { groups, ends })
    }

    /// Reserves what the customers' ids take. They stay in memory, so blocks give way to them: this task's now, those
    /// of the others as soon as they ask for more.
    fn account_customers(&mut self) -> Result<()> {
        let bytes = self.tables.size();
        let memory = lock(&self.table_memory);
        if memory.try_resize(bytes).is_ok() {
            return Ok(());
        }
        self.store.spill()?;
        if let MemoryLimit::Finite(limit) = self.pool.memory_limit()
            && bytes > limit
        {
            return resources_err!(
                "the ids of all customers must fit in memory, and {bytes} bytes of them are more than the limit of \
                 {limit}; raise the memory limit"
            );
        }
        memory.resize(bytes);
        Ok(())
    }
}

/// Texts of views one after the other, so that the pages they were read from are let go; `None` for other types.
fn plain_texts(arrays: &[&dyn Array], places: &[(usize, usize)]) -> Option<StringArray> {
    let arrays: Vec<&StringViewArray> = arrays.iter().map(|array| array.as_string_view_opt()).collect::<Option<_>>()?;
    let length = |&(array, row): &(usize, usize)| arrays[array].views()[row] as u32 as usize;
    let mut texts = StringBuilder::with_capacity(places.len(), places.iter().map(length).sum());
    for &(array, row) in places {
        texts.append_value(arrays[array].value(row));
    }
    Some(texts.finish())
}

/// One output partition's share of the buckets, in their order.
pub(crate) struct BucketCustomers {
    pub(crate) collected: Collected,
    pub(crate) buckets: std::ops::Range<usize>,
}

impl BucketCustomers {
    /// The buckets of one of `partitions`.
    pub(crate) fn share(collected: Collected, partition: usize, partitions: usize) -> Self {
        Self { collected, buckets: partition * BUCKETS / partitions..(partition + 1) * BUCKETS / partitions }
    }

    /// The customers of the next bucket that has any, and all buckets, for whoever needs room.
    pub(crate) async fn next(&mut self) -> Result<Option<(Customers, Arc<Buckets>)>> {
        let all = self.collected.clone().await.map_err(DataFusionError::Shared)?;
        for bucket in self.buckets.by_ref() {
            // A partition that computes without a pause keeps the one that was woken beside it from another core.
            tokio::task::yield_now().await;
            if let Some(customers) = all.customers(bucket)? {
                return Ok(Some((customers, all)));
            }
        }
        Ok(None)
    }
}
