//! A batch of touchpoints before matching: which rows can be placed, and the class of each.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::Result;

use crate::classes::ClassCoder;
use crate::counters::{Counters, Sorted};

/// Where the columns the matcher reads stand in the input.
#[derive(Debug, Clone)]
pub(crate) struct InputColumns {
    pub(crate) customer: usize,
    pub(crate) touchpoint: usize,
    /// The time that limits and `as_of` are held against.
    pub(crate) time: usize,
    /// When it happened: the same unless touchpoints are matched as they became known.
    pub(crate) occurred: usize,
    /// The distinct sets of further key columns.
    pub(crate) key_sets: Vec<Vec<usize>>,
    /// For each definition its set; `None` when its key is the customer alone.
    pub(crate) set_of: Vec<Option<usize>>,
}

/// What is known of a batch's rows before matching.
pub(crate) struct Prepared {
    /// One a row.
    pub(crate) classes: Vec<u32>,
    /// The rows that can be placed and some definition has a use for.
    pub(crate) kept: BooleanBuffer,
}

/// Sorts out the rows that cannot be placed and counts every row it lets go of.
pub(crate) struct Preparation {
    pub(crate) columns: InputColumns,
    pub(crate) coder: ClassCoder,
    pub(crate) counters: Vec<Counters>,
    pub(crate) as_of: i64,
}

impl Preparation {
    /// Which rows are to be matched. All others have been counted when this returns.
    pub(crate) fn prepare(&mut self, batch: &RecordBatch) -> Result<Prepared> {
        let (classes, is_used) = self.coder.classes(batch)?;
        let times = batch.column(self.columns.time).as_primitive::<TimestampMicrosecondType>();
        let values = times.values();
        let before_as_of = BooleanBuffer::collect_bool(values.len(), |row| values[row] < self.as_of);
        let time = match self.columns.occurred == self.columns.time {
            true => valid(times),
            false => &valid(times) & &valid(batch.column(self.columns.occurred)),
        };
        let id = valid(batch.column(self.columns.touchpoint));
        let customer = valid(batch.column(self.columns.customer));

        let sorted = |key: &BooleanBuffer| {
            let with_id = key & &id;
            let with_time = &with_id & &time;
            let placed = &with_time & &before_as_of;
            Sorted {
                read: batch.num_rows(),
                null_key: batch.num_rows() - key.count_set_bits(),
                null_id: key.count_set_bits() - with_id.count_set_bits(),
                null_time: with_id.count_set_bits() - with_time.count_set_bits(),
                after_as_of: with_time.count_set_bits() - placed.count_set_bits(),
                idle: placed.count_set_bits() - (&placed & &is_used).count_set_bits(),
            }
        };
        let sets: Vec<Sorted> = self
            .columns
            .key_sets
            .iter()
            .map(|set| {
                let key = set.iter().fold(customer.clone(), |key, &column| &key & &valid(batch.column(column)));
                sorted(&key)
            })
            .collect();
        let without_set = sorted(&customer);
        for (counters, set) in self.counters.iter().zip(&self.columns.set_of) {
            counters.add_batch(set.map_or(&without_set, |set| &sets[set]));
        }

        let kept = &(&(&customer & &id) & &(&time & &before_as_of)) & &is_used;
        Ok(Prepared { classes, kept })
    }
}

fn valid(array: &dyn Array) -> BooleanBuffer {
    match array.logical_nulls() {
        Some(nulls) => nulls.into_inner(),
        None => BooleanBuffer::new_set(array.len()),
    }
}
