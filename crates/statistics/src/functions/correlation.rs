//! The aggregate `correlation`.

use std::{mem::size_of_val, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, Field, FieldRef, Float64Type},
};
use datafusion::{
    common::{
        Result, ScalarValue,
        cast::{as_boolean_array, as_float64_array, as_int64_array, as_large_list_array},
        exec_err,
    },
    logical_expr::Accumulator,
};

use super::{
    parameters::{Description, Kind, Parameter},
    rows::{large_list, large_list_of_floats},
    structs::{estimate_columns, integer, struct_type, struct_value},
};
use crate::{correlation::CorrelationSums, distributions::Confidence, exact_sum::ExactSum};

pub(crate) static CORRELATION: Description = Description {
    name: "correlation",
    syntax: "correlation(x, y[, level])",
    text: "Over rows that are observations: Pearson's correlation, -1..1, with the interval of Fisher's z (1921), as \
           struct{estimate, lower, upper, n}. Null below two rows, when x or y does not vary, or for values beyond 1e100; \
           limits are -1 and 1 for two or three rows. Rows with a null are skipped. Sums are exact: independent of the \
           order of the rows to the last bit.",
    example: "SELECT correlation(satisfaction, churned)['estimate'] FROM answers;",
    // A flag is as good a column as a number: the correlation of two flags is phi.
    parameters: &[
        Parameter { name: "x", kind: Kind::NumberOrFlag, meaning: "First column" },
        Parameter { name: "y", kind: Kind::NumberOrFlag, meaning: "Second column" },
    ],
    takes_level: true,
};

const SUMS: [&str; 5] = ["x", "y", "xx", "xy", "yy"];

pub(crate) fn correlation_type() -> DataType {
    struct_type(&[
        ("estimate", DataType::Float64),
        ("lower", DataType::Float64),
        ("upper", DataType::Float64),
        ("n", DataType::Int64),
    ])
}

/// Keeps five exact sums, whatever the number of rows.
#[derive(Debug)]
pub(crate) struct CorrelationAccumulator {
    confidence: Confidence,
    sums: CorrelationSums,
}

impl CorrelationAccumulator {
    pub(crate) fn new(confidence: Confidence) -> Self {
        Self { confidence, sums: CorrelationSums::default() }
    }

    /// The fields of the partial state: rows, whether a value was too large, and the parts of each sum.
    pub(crate) fn state_fields(name: &str) -> Vec<FieldRef> {
        let mut fields = vec![
            Arc::new(Field::new(format!("{name}[n]"), DataType::Int64, true)),
            Arc::new(Field::new(format!("{name}[overflowed]"), DataType::Boolean, true)),
        ];
        fields.extend(SUMS.map(|sum| Arc::new(Field::new(format!("{name}[{sum}]"), large_list_of_floats(), true))));
        fields
    }
}

impl Accumulator for CorrelationAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [x, y, ..] = values else {
            return exec_err!("correlation: expected 2 columns, got {}", values.len());
        };
        let (x, y) = (as_float64_array(x)?, as_float64_array(y)?);
        for row in 0..x.len() {
            if x.is_null(row) || y.is_null(row) {
                continue;
            }
            CORRELATION.check_value("x", Kind::NumberOrFlag, x.value(row))?;
            CORRELATION.check_value("y", Kind::NumberOrFlag, y.value(row))?;
            self.sums.add(x.value(row), y.value(row));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut columns: Vec<ArrayRef> = estimate_columns(self.sums.estimate(self.confidence)).to_vec();
        columns.push(integer(Some(self.sums.n)));
        struct_value(&correlation_type(), columns)
    }

    fn size(&self) -> usize {
        let parts: usize = self.sums.sums.iter().map(|sum| size_of_val(sum.parts())).sum();
        size_of_val(self) + parts
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state =
            vec![ScalarValue::Int64(i64::try_from(self.sums.n).ok()), ScalarValue::Boolean(Some(self.sums.overflowed))];
        state.extend(self.sums.sums.iter().map(|sum| large_list(sum.parts().to_vec())));
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [n, overflowed, sums @ ..] = states else {
            return exec_err!("correlation: expected a partial state of 7 columns, got {}", states.len());
        };
        let (n, overflowed) = (as_int64_array(n)?, as_boolean_array(overflowed)?);
        for state in 0..n.len() {
            if n.is_null(state) {
                continue;
            }
            let mut other = CorrelationSums {
                n: u64::try_from(n.value(state)).unwrap_or(0),
                overflowed: overflowed.is_valid(state) && overflowed.value(state),
                ..CorrelationSums::default()
            };
            for (sum, parts) in other.sums.iter_mut().zip(sums) {
                let parts = as_large_list_array(parts)?.value(state);
                *sum = ExactSum::from_parts(parts.as_primitive::<Float64Type>().values().iter().copied());
            }
            self.sums.merge(&other);
        }
        Ok(())
    }
}
