//! Scalar functions: one figure a row from numbers of that row.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, Float64Array},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{Result, ScalarValue, cast::as_float64_array, plan_err},
    logical_expr::{
        ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
    },
};

use super::{
    parameters::{DEFAULT_LEVEL, Description},
    readers, scalar_counts,
    scalar_figure::Figure,
    scalar_rates,
    structs::{estimate_array, estimate_type, test_array, test_type},
};
use crate::{distributions::Confidence, proportion::Estimate};

/// The scalar functions.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let figures = scalar_counts::figures().into_iter().chain(scalar_rates::figures());
    figures
        .map(|(description, figure)| Arc::new(ScalarUDF::new_from_impl(FigureFunction::new(description, figure))))
        .chain(readers::all())
        .collect()
}

#[derive(Debug)]
struct FigureFunction {
    description: &'static Description,
    figure: Figure,
    signature: Signature,
    documentation: Documentation,
}

// The name decides everything else about a function of this crate.
impl PartialEq for FigureFunction {
    fn eq(&self, other: &Self) -> bool {
        self.description == other.description
    }
}
impl Eq for FigureFunction {}
impl std::hash::Hash for FigureFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.description.hash(state);
    }
}

impl FigureFunction {
    fn new(description: &'static Description, figure: Figure) -> Self {
        Self {
            description,
            figure,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: description.documentation(),
        }
    }

    /// One estimate a row, `None` where an argument is null or the figure is undefined.
    fn estimates(
        &self,
        rows: usize,
        arguments: &[&Float64Array],
        figure: fn(&[f64], Confidence) -> Option<Estimate>,
    ) -> Result<ArrayRef> {
        let required = self.description.parameters.len();
        let mut confidence = self.description.confidence(DEFAULT_LEVEL)?;
        let mut estimates = Vec::with_capacity(rows);
        let mut values = Vec::with_capacity(arguments.len());
        for row in 0..rows {
            if !read_row(arguments, row, &mut values) {
                estimates.push(None);
                continue;
            }
            if let Some(&level) = values.get(required)
                && level != confidence.level()
            {
                confidence = self.description.confidence(level)?;
            }
            estimates.push(figure(&values[..required], confidence));
        }
        estimate_array(&estimates)
    }
}

impl ScalarUDFImpl for FigureFunction {
    fn name(&self) -> &str {
        self.description.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.description.coerce(types)
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(match self.figure {
            Figure::Estimate(_) => estimate_type(),
            Figure::Number(_) => DataType::Float64,
            Figure::Test(_) => test_type(),
        })
    }

    /// Refuses a constant level outside (0, 1) before any row is read.
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        if self.description.takes_level
            && let Some(Some(level)) = args.scalar_arguments.get(self.description.parameters.len())
            && let Ok(ScalarValue::Float64(Some(level))) = level.cast_to(&DataType::Float64)
            && Confidence::new(level).is_none()
        {
            return plan_err!("{}: `level` has to lie strictly between 0 and 1, got {level}", self.name());
        }
        Ok(Arc::new(Field::new(self.name(), self.return_type(&[])?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays: Vec<ArrayRef> =
            args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let arguments: Vec<&Float64Array> =
            arrays.iter().map(|array| as_float64_array(array)).collect::<Result<Vec<_>>>()?;
        let mut values = Vec::with_capacity(arguments.len());
        let result: ArrayRef = match self.figure {
            Figure::Estimate(figure) => self.estimates(rows, &arguments, figure)?,
            Figure::Number(figure) => Arc::new(
                (0..rows)
                    .map(|row| read_row(&arguments, row, &mut values).then(|| figure(&values)).flatten())
                    .collect::<Float64Array>(),
            ),
            Figure::Test(figure) => {
                let tests: Vec<_> = (0..rows)
                    .map(|row| read_row(&arguments, row, &mut values).then(|| figure(&values)).flatten())
                    .collect();
                test_array(&tests)?
            }
        };
        Ok(ColumnarValue::Array(result))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// Fills `values` with the arguments of a row; false when one of them is null.
fn read_row(arguments: &[&Float64Array], row: usize, values: &mut Vec<f64>) -> bool {
    values.clear();
    for argument in arguments {
        if argument.is_null(row) {
            return false;
        }
        values.push(argument.value(row));
    }
    true
}
