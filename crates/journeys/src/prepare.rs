//! A batch of touchpoints before matching: which rows can be placed, and the class of each.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::Result;

use crate::classes::ClassCoder;
use crate::counts::{Counters, Sorted};

/// Where the columns the matcher reads stand in the input.
#[derive(Debug, Clone)]
pub(crate) struct InputColumns {
    pub(crate) customer: usize,
    pub(crate) touchpoint: usize,
    pub(crate) time: usize,
    /// The distinct sets of further key columns.
    pub(crate) key_sets: Vec<Vec<usize>>,
    /// For each definition its set; `None` when its key is the customer alone.
    pub(crate) set_of: Vec<Option<usize>>,
}

/// Touchpoints that some definition has a use for, with their classes.
pub(crate) struct Prepared {
    /// All columns of the input, or those of [`Preparation::needed`].
    pub(crate) rows: RecordBatch,
    pub(crate) classes: UInt32Array,
}

/// Sorts out the rows that cannot be placed and counts every row it lets go of.
pub(crate) struct Preparation {
    pub(crate) columns: InputColumns,
    pub(crate) coder: ClassCoder,
    pub(crate) counters: Vec<Counters>,
    pub(crate) as_of: i64,
    /// The columns that are handed on besides the classes; all when absent.
    pub(crate) needed: Option<Vec<usize>>,
}

impl Preparation {
    /// The rows to be matched. All others have been counted when this returns.
    pub(crate) fn prepare(&mut self, batch: &RecordBatch) -> Result<Prepared> {
        let (classes, is_used) = self.coder.classes(batch)?;
        let times = batch.column(self.columns.time).as_primitive::<TimestampMicrosecondType>();
        let values = times.values();
        let before_as_of = BooleanBuffer::collect_bool(values.len(), |row| values[row] < self.as_of);
        let time = valid(times);
        let id = valid(batch.column(self.columns.touchpoint));
        let customer = valid(batch.column(self.columns.customer));
        let is_used = is_used.values();

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
                idle: placed.count_set_bits() - (&placed & is_used).count_set_bits(),
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

        let kept = &(&(&customer & &id) & &(&time & &before_as_of)) & is_used;
        let classes = UInt32Array::from(classes);
        let rows = match &self.needed {
            Some(needed) => batch.project(needed)?,
            None => batch.clone(),
        };
        if kept.count_set_bits() == batch.num_rows() {
            return Ok(Prepared { rows, classes });
        }
        let kept = BooleanArray::new(kept, None);
        Ok(Prepared {
            rows: filter_record_batch(&rows, &kept)?,
            classes: filter(&classes, &kept)?.as_primitive().clone(),
        })
    }
}

fn valid(array: &dyn Array) -> BooleanBuffer {
    match array.logical_nulls() {
        Some(nulls) => nulls.into_inner(),
        None => BooleanBuffer::new_set(array.len()),
    }
}
