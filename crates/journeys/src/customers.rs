//! Complete customers and their touchpoints in order: what the rules are applied to at a time.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::buffer::ScalarBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;

/// Ids of touchpoints, one a row.
#[derive(Debug)]
pub(crate) enum Ids {
    Text(StringArray),
    Number(ScalarBuffer<i64>),
}

impl Ids {
    /// Ids of any accepted type.
    pub(crate) fn new(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Int64 => Self::Number(array.as_primitive::<Int64Type>().values().clone()),
            _ => Self::Text(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()),
        })
    }

    /// In the order of SEMANTICS 1: numbers by value, texts by their bytes.
    pub(crate) fn compare(&self, left: u32, right: u32) -> Ordering {
        let (left, right) = (left as usize, right as usize);
        match self {
            Self::Text(ids) => ids.value(left).cmp(ids.value(right)),
            Self::Number(ids) => ids[left].cmp(&ids[right]),
        }
    }

    /// In the order of the texts, as in `journey_id`.
    pub(crate) fn compare_texts(&self, left: u32, right: u32) -> Ordering {
        match self {
            Self::Text(_) => self.compare(left, right),
            Self::Number(ids) => ids[left as usize].to_string().cmp(&ids[right as usize].to_string()),
        }
    }

    /// Appends the text of an id.
    pub(crate) fn write(&self, row: u32, text: &mut String) {
        use std::fmt::Write;
        match self {
            Self::Text(ids) => text.push_str(ids.value(row as usize)),
            // Writing to a string cannot fail.
            Self::Number(ids) => drop(write!(text, "{}", ids[row as usize])),
        }
    }
}

/// What the measures read of a row besides its class; null where there is no value.
#[derive(Debug)]
pub(crate) struct Amounts {
    pub(crate) satisfaction: Float64Array,
    pub(crate) cost: Float64Array,
}

/// Touchpoints of complete customers, without those that no definition has a use for.
#[derive(Debug)]
pub(crate) struct Customers {
    /// One value a customer, in their order.
    pub(crate) ids: ArrayRef,
    /// For each customer the position in `order` after its last row.
    pub(crate) ends: Vec<u32>,
    /// Rows by customer, then by time and `touchpoint_id`.
    pub(crate) order: Vec<u32>,
    /// Microseconds since 1970 UTC, by row.
    pub(crate) times: ScalarBuffer<i64>,
    /// By row.
    pub(crate) classes: ScalarBuffer<u32>,
    /// By row.
    pub(crate) touchpoints: Ids,
    /// By row; only where measures are asked for.
    pub(crate) amounts: Option<Amounts>,
    /// Further columns by row: all columns of the input, or those of the keys.
    pub(crate) columns: RecordBatch,
}

impl Customers {
    /// Touchpoints held.
    pub(crate) fn rows(&self) -> usize {
        self.order.len()
    }

    /// Bytes held, about.
    pub(crate) fn size(&self) -> usize {
        let ids = match &self.touchpoints {
            Ids::Text(ids) => ids.get_array_memory_size(),
            Ids::Number(ids) => ids.inner().len(),
        };
        let amounts = self.amounts.as_ref().map_or(0, |_| 2 * size_of::<f64>() * self.rows());
        let own = size_of::<u32>() * (self.order.len() + self.classes.len() + self.ends.len());
        own + self.times.inner().len() + ids + amounts + self.columns.get_array_memory_size()
    }

    /// The rows of a customer.
    pub(crate) fn rows_of(&self, customer: usize) -> &[u32] {
        let from = if customer == 0 { 0 } else { self.ends[customer - 1] };
        &self.order[from as usize..self.ends[customer] as usize]
    }
}

/// The values of one set of further key columns.
pub(crate) struct KeySet {
    /// Positions in [`Customers::columns`].
    columns: Vec<usize>,
    converter: RowConverter,
}

/// A set's values by row.
pub(crate) struct Keys {
    pub(crate) values: Rows,
    /// Rows without a null in the key; all when absent.
    pub(crate) valid: Option<arrow::buffer::NullBuffer>,
}

impl KeySet {
    pub(crate) fn new(columns: Vec<usize>, schema: &arrow::datatypes::Schema) -> Result<Self> {
        let fields = columns.iter().map(|&column| SortField::new(schema.field(column).data_type().clone()));
        Ok(Self { converter: RowConverter::new(fields.collect())?, columns })
    }

    pub(crate) fn keys(&self, columns: &RecordBatch) -> Result<Keys> {
        let arrays: Vec<ArrayRef> = self.columns.iter().map(|&column| columns.column(column).clone()).collect();
        let valid = arrays.iter().fold(None, |valid, array| {
            arrow::buffer::NullBuffer::union(valid.as_ref(), array.logical_nulls().as_ref())
        });
        Ok(Keys { values: self.converter.convert_columns(&arrays)?, valid })
    }
}
