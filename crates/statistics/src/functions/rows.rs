//! Aggregates that look at all their rows together: their partial state is the rows themselves.
//!
//! The figures need a second pass (Breslow–Day after the pooled odds ratio), an order (ranks, times) or many passes
//! (logistic regression). The rows are few, strata or answers, and keeping them makes a merge exact: each figure puts
//! them into one order before it adds anything, so the same rows give the same bits however they were split.

use std::{mem::size_of_val, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, LargeListArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, FieldRef, Float64Type},
};
use datafusion::{
    common::{
        Result, ScalarValue,
        cast::{as_float64_array, as_int64_array, as_large_list_array},
        exec_err,
    },
    logical_expr::Accumulator,
};

use super::parameters::{Description, Kind};

/// Turns the collected rows (row-major, of the given width) into the result.
pub(crate) type Evaluate = Box<dyn Fn(&[f64], usize) -> Result<ScalarValue> + Send + Sync>;

/// Collects rows in which no value is null and checks every value.
pub(crate) struct RowCollector {
    description: &'static Description,
    evaluate: Evaluate,
    /// Values of a row; not known before the first row when the covariates come as a list.
    width: Option<usize>,
    rows: Vec<f64>,
}

impl std::fmt::Debug for RowCollector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.description.name;
        formatter.debug_struct("RowCollector").field("function", &name).field("values", &self.rows.len()).finish()
    }
}

impl RowCollector {
    /// `width` is the number of leading arguments that are columns; `None` when the second argument is a list.
    pub(crate) fn new(description: &'static Description, width: Option<usize>, evaluate: Evaluate) -> Self {
        Self { description, evaluate, width, rows: vec![] }
    }

    /// The fields of the partial state: all values of all rows, and the values of a row.
    pub(crate) fn state_fields(name: &str) -> Vec<FieldRef> {
        vec![
            Arc::new(Field::new(format!("{name}[rows]"), large_list_of_floats(), true)),
            Arc::new(Field::new(format!("{name}[width]"), DataType::Int64, true)),
        ]
    }

    fn parameter(&self, position: usize) -> (&'static str, Kind) {
        match self.description.parameters.get(position) {
            Some(parameter) => (parameter.name, parameter.kind),
            None => ("covariates", Kind::Number),
        }
    }

    /// Takes the values on from `start` as a row, after a check of each.
    fn check_row_from(&mut self, start: usize) -> Result<()> {
        for (position, value) in self.rows[start..].iter().enumerate() {
            let (name, kind) = self.parameter(position);
            self.description.check_value(name, kind, *value)?;
        }
        Ok(())
    }

    fn update_columns(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let columns: Vec<&Float64Array> =
            columns.iter().map(|column| as_float64_array(column)).collect::<Result<Vec<_>>>()?;
        let rows = columns.first().map_or(0, |column| column.len());
        for row in 0..rows {
            if columns.iter().any(|column| column.is_null(row)) {
                continue;
            }
            let start = self.rows.len();
            self.rows.extend(columns.iter().map(|column| column.value(row)));
            self.check_row_from(start)?;
        }
        Ok(())
    }

    fn update_list(&mut self, outcomes: &ArrayRef, lists: &ArrayRef) -> Result<()> {
        let outcomes = as_float64_array(outcomes)?;
        let lists = as_large_list_array(lists)?;
        for row in 0..outcomes.len() {
            if outcomes.is_null(row) || lists.is_null(row) {
                continue;
            }
            let covariates = lists.value(row);
            let covariates = covariates.as_primitive::<Float64Type>();
            // Before the check for nulls: a list of another length is a mistake wherever it stands.
            self.set_width(1 + covariates.len())?;
            if covariates.null_count() > 0 {
                continue;
            }
            let start = self.rows.len();
            self.rows.push(outcomes.value(row));
            self.rows.extend_from_slice(covariates.values());
            self.check_row_from(start)?;
        }
        Ok(())
    }

    fn set_width(&mut self, width: usize) -> Result<()> {
        match self.width {
            Some(known) if known != width => exec_err!(
                "{}: every row needs the same number of covariates, found lists of {} and of {}",
                self.description.name,
                known - 1,
                width - 1
            ),
            _ => {
                self.width = Some(width);
                Ok(())
            }
        }
    }
}

impl Accumulator for RowCollector {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values {
            [outcomes, lists, ..] if matches!(lists.data_type(), DataType::LargeList(_)) => {
                self.update_list(outcomes, lists)
            }
            // Arguments after the columns are constants, read when the accumulator was made.
            _ => self.update_columns(&values[..self.width.unwrap_or(values.len()).min(values.len())]),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        (self.evaluate)(&self.rows, self.width.unwrap_or(1))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let width = self.width.and_then(|width| i64::try_from(width).ok());
        Ok(vec![large_list(self.rows.clone()), ScalarValue::Int64(width)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [rows, widths] = states else {
            return exec_err!("{}: expected a partial state of 2 columns, got {}", self.description.name, states.len());
        };
        let (rows, widths) = (as_large_list_array(rows)?, as_int64_array(widths)?);
        for state in 0..rows.len() {
            if widths.is_valid(state) {
                self.set_width(usize::try_from(widths.value(state)).unwrap_or(0).max(1))?;
            }
            if rows.is_valid(state) {
                self.rows.extend_from_slice(rows.value(state).as_primitive::<Float64Type>().values());
            }
        }
        Ok(())
    }
}

/// The type of a list that holds more values than a 32-bit offset can count.
pub(crate) fn large_list_of_floats() -> DataType {
    DataType::LargeList(Arc::new(Field::new_list_field(DataType::Float64, true)))
}

/// One list value.
pub(crate) fn large_list(values: Vec<f64>) -> ScalarValue {
    let field = Arc::new(Field::new_list_field(DataType::Float64, true));
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    ScalarValue::LargeList(Arc::new(LargeListArray::new(field, offsets, Arc::new(Float64Array::from(values)), None)))
}
