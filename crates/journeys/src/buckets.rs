//! Touchpoints spread over buckets by customer, in memory or spilled.
//!
//! A block is some hundred thousand rows in the order of their buckets; a spilled file holds one batch a bucket. So a
//! bucket is read from both as slices, and nothing is sorted before its bucket's turn. A block consists of groups of
//! buckets that stand by themselves in memory: a group whose buckets have all been read is let go.

use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType, UInt32Type};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::SpillFile;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::SpillMetrics;

use crate::customer_tables::{BUCKETS, CustomerTables};
use crate::customers::{Amounts, Customers, Ids};

/// Buckets that are let go together: fewer would make the parts of a block too small.
pub(crate) const BUCKETS_OF_A_GROUP: usize = 64;

/// The columns of a block, in this order; then the values that only some outputs need, then further key columns.
pub(crate) mod column {
    pub(crate) const CUSTOMER: usize = 0;
    pub(crate) const TIME: usize = 1;
    pub(crate) const TOUCHPOINT: usize = 2;
    pub(crate) const CLASS: usize = 3;
    pub(crate) const VALUES: usize = 4;
}

/// The values that blocks hold and only some outputs need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeldValues {
    /// Two columns: satisfaction and cost.
    Amounts,
    /// One column: when the touchpoint happened.
    Occurred,
}

impl HeldValues {
    /// Their number.
    fn columns(self) -> usize {
        match self {
            Self::Amounts => 2,
            Self::Occurred => 1,
        }
    }
}

/// Rows in the order of their buckets.
pub(crate) struct Block {
    /// The rows of each group of buckets; without rows once they have been let go.
    pub(crate) groups: Vec<RecordBatch>,
    /// For each bucket the row after its last, counted over the whole block.
    pub(crate) ends: Vec<u32>,
}

impl Block {
    /// The rows of each group of buckets, given each bucket's end.
    pub(crate) fn group_rows(ends: &[u32]) -> impl Iterator<Item = Range<usize>> {
        let mut from = 0;
        ends.chunks(BUCKETS_OF_A_GROUP).filter_map(<[u32]>::last).map(move |&end| {
            let rows = from..end as usize;
            from = rows.end;
            rows
        })
    }

    fn bucket(&self, bucket: usize) -> RecordBatch {
        let group = &self.groups[bucket / BUCKETS_OF_A_GROUP];
        let begin = |bucket: usize| bucket.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let first = begin(bucket - bucket % BUCKETS_OF_A_GROUP);
        match group.num_rows() {
            0 => group.clone(),
            _ => group.slice(begin(bucket) - first, begin(bucket + 1) - begin(bucket)),
        }
    }

    fn bytes(&self) -> usize {
        self.groups.iter().map(RecordBatch::get_array_memory_size).sum()
    }
}

/// What one collecting task has put away.
pub(crate) struct Store {
    schema: SchemaRef,
    blocks: Vec<Block>,
    /// Files of one batch a bucket.
    spilled: Vec<Arc<dyn SpillFile>>,
    /// Buckets of each group that have been read.
    read: [usize; BUCKETS / BUCKETS_OF_A_GROUP],
    reservation: MemoryReservation,
    disk: Arc<DiskManager>,
    metrics: SpillMetrics,
}

impl Store {
    pub(crate) fn new(
        schema: SchemaRef,
        reservation: MemoryReservation,
        disk: Arc<DiskManager>,
        metrics: SpillMetrics,
    ) -> Self {
        let read = [0; BUCKETS / BUCKETS_OF_A_GROUP];
        Self { schema, blocks: Vec::new(), spilled: Vec::new(), read, reservation, disk, metrics }
    }

    /// Puts a block away; without room for it, everything at hand is spilled.
    pub(crate) fn push(&mut self, block: Block) -> Result<()> {
        let has_room = self.reservation.try_grow(block.bytes()).is_ok();
        self.blocks.push(block);
        if has_room { Ok(()) } else { self.spill() }
    }

    /// No further blocks. Who has spilled spills the rest too: what follows needs the memory.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if self.spilled.is_empty() { Ok(()) } else { self.spill() }
    }

    pub(crate) fn spill(&mut self) -> Result<()> {
        if self.blocks.is_empty() {
            return Ok(());
        }
        let file = self.disk.create_tmp_file("matching journeys")?;
        let mut writer = FileWriter::try_new(file.open_writer()?, &self.schema)?;
        for bucket in 0..BUCKETS {
            let parts: Vec<RecordBatch> = self.blocks.iter().map(|block| block.bucket(bucket)).collect();
            let rows = concat_batches(&self.schema, &parts)?;
            self.metrics.spilled_rows.add(rows.num_rows());
            writer.write(&rows)?;
        }
        writer.into_inner()?.finish()?;
        self.metrics.spill_file_count.add(1);
        self.metrics.spilled_bytes.add(file.size().unwrap_or(0) as usize);
        self.spilled.push(file);
        self.blocks.clear();
        self.reservation.free();
        Ok(())
    }

    /// Adds a bucket's rows to `parts`; each bucket is read once.
    fn read(&mut self, bucket: usize, parts: &mut Vec<RecordBatch>) -> Result<()> {
        for file in &self.spilled {
            let Some(path) = file.path() else {
                return exec_err!("spilled touchpoints can only be read back from files of this machine");
            };
            let mut reader = FileReader::try_new(BufReader::new(File::open(path)?), None)?;
            reader.set_index(bucket)?;
            match reader.next() {
                Some(rows) => parts.push(rows?),
                None => return internal_err!("a spilled file has no bucket {bucket}"),
            }
        }
        parts.extend(self.blocks.iter().map(|block| block.bucket(bucket)));
        let group = bucket / BUCKETS_OF_A_GROUP;
        self.read[group] += 1;
        if self.read[group] == BUCKETS_OF_A_GROUP {
            let nothing = RecordBatch::new_empty(Arc::clone(&self.schema));
            self.blocks.iter_mut().for_each(|block| block.groups[group] = nothing.clone());
            self.reservation.resize(self.blocks.iter().map(Block::bytes).sum());
        }
        Ok(())
    }
}

/// All touchpoints, each customer's in one bucket.
pub(crate) struct Buckets {
    pub(crate) schema: SchemaRef,
    pub(crate) values: HeldValues,
    pub(crate) stores: Vec<Mutex<Store>>,
    pub(crate) tables: Arc<CustomerTables>,
    /// What the tables take, held as long as they are.
    pub(crate) _table_memory: Arc<Mutex<MemoryReservation>>,
}

impl Buckets {
    /// The customers of a bucket, ordered; `None` when it is empty.
    pub(crate) fn customers(&self, bucket: usize) -> Result<Option<Customers>> {
        let mut parts = Vec::new();
        for store in &self.stores {
            lock(store).read(bucket, &mut parts)?;
        }
        let rows = concat_batches(&self.schema, &parts)?;
        drop(parts);
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let ids = self.tables.ids(bucket);
        ordered(rows, &ids, self.values).map(Some)
    }

    /// Makes room for a bucket that does not fit beside what is held.
    pub(crate) fn spill(&self) -> Result<()> {
        self.stores.iter().try_for_each(|store| lock(store).spill())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Deals rows out to `number` groups, of which `group_of` names one for each row: the rows group by group, in their
/// order within each, and for each group the place after its last.
pub(crate) fn dealt_out(group_of: impl Iterator<Item = usize> + Clone, number: usize) -> (Vec<u32>, Vec<u32>) {
    let mut next = vec![0_u32; number];
    group_of.clone().for_each(|group| next[group] += 1);
    let mut rows = 0;
    for number in &mut next {
        rows += std::mem::replace(number, rows);
    }
    let mut order = vec![0; rows as usize];
    for (row, group) in (0..).zip(group_of) {
        let place = &mut next[group];
        order[*place as usize] = row;
        *place += 1;
    }
    (order, next)
}

/// Orders a bucket: rows are dealt out to their customers, then each customer's are sorted, which they mostly are
/// already because touchpoints arrive about in the order of time.
fn ordered(rows: RecordBatch, ids: &ArrayRef, values: HeldValues) -> Result<Customers> {
    let codes = rows.column(column::CUSTOMER).as_primitive::<UInt32Type>().values().clone();
    let times = rows.column(column::TIME).as_primitive::<TimestampMicrosecondType>().values().clone();
    let touchpoints = Ids::new(rows.column(column::TOUCHPOINT))?;
    let value = |place: usize| rows.column(column::VALUES + place);
    let occurred = match values {
        HeldValues::Amounts => None,
        HeldValues::Occurred => Some(value(0).as_primitive::<TimestampMicrosecondType>().values().clone()),
    };
    // What became known at one time stands in the order in which it happened.
    let happened = |row: u32| occurred.as_ref().map_or(0, |occurred| occurred[row as usize]);

    // Customers by id, so that the output does not depend on who came first.
    let by_id = arrow::compute::sort_to_indices(ids, None, None)?;
    let mut place = vec![0; ids.len()];
    by_id.values().iter().enumerate().for_each(|(rank, &code)| place[code as usize] = rank);
    let (mut order, ends) = dealt_out(codes.iter().map(|&code| place[code as usize]), ids.len());
    debug_assert!(
        ends.iter().try_fold(0, |before, &end| (before < end).then_some(end)).is_some(),
        "a customer gets its number with a row that is put away"
    );
    let mut keyed: Vec<(i64, u32)> = Vec::new();
    let mut from = 0;
    for &end in &ends {
        let rows = &mut order[from..end as usize];
        from = end as usize;
        if rows.windows(2).all(|pair| times[pair[0] as usize] < times[pair[1] as usize]) {
            continue;
        }
        keyed.clear();
        keyed.extend(rows.iter().map(|&row| (times[row as usize], row)));
        keyed.sort_by(|left, right| {
            let by_time = left.0.cmp(&right.0).then_with(|| happened(left.1).cmp(&happened(right.1)));
            by_time.then_with(|| touchpoints.compare(left.1, right.1))
        });
        rows.iter_mut().zip(&keyed).for_each(|(row, &(_, sorted))| *row = sorted);
    }

    let amounts = match values {
        HeldValues::Amounts => {
            Some(Amounts { satisfaction: value(0).as_primitive().clone(), cost: value(1).as_primitive().clone() })
        }
        HeldValues::Occurred => None,
    };
    let keys: Vec<usize> = (column::VALUES + values.columns()..rows.num_columns()).collect();
    Ok(Customers {
        ids: arrow::compute::take(ids, &by_id, None)?,
        ends,
        order,
        times,
        classes: rows.column(column::CLASS).as_primitive::<UInt32Type>().values().clone(),
        touchpoints,
        amounts,
        columns: rows.project(&keys)?,
    })
}
