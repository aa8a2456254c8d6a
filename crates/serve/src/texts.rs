//! Bounds on functions that make long texts out of short ones.
//!
//! What they make is in no memory budget, so each is asked beforehand how long its texts can become. A batch of rows
//! for which that is too much is taken in halves. While a query is planned, the same bytes count as constants.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::length::length;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use crate::failure::{Failure, sqlstate};
use crate::planning;

/// Bytes that one call may make for a batch of rows.
const LONGEST_TEXTS: usize = 64 * 1024 * 1024;
/// Pairs of letters that one call of `levenshtein` may compare for a batch of rows.
const MOST_PAIRS: usize = 1 << 30;
/// Bytes of a value that is no text, once it is one.
const OF_OTHERS: usize = 40;

/// How long texts become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// The first, so many times as the second says.
    Repeated,
    /// As many letters as the second says.
    Padded,
    /// The first, with the third wherever the second was.
    Replaced,
    /// The first, with the third wherever a pattern fits, and what the third takes from there.
    ReplacedByPattern,
    /// All together.
    Joined,
    /// All together, and the first between any two.
    JoinedBy,
    /// The first, each letter so many times as long at most.
    Same(usize),
    /// No text, but work for each pair of letters.
    Compared,
}

const FUNCTIONS: [(&str, Growth); 25] = [
    ("repeat", Growth::Repeated),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::ReplacedByPattern),
    ("concat", Growth::Joined),
    ("overlay", Growth::Joined),
    ("concat_ws", Growth::JoinedBy),
    ("translate", Growth::Same(4)),
    ("upper", Growth::Same(3)),
    ("lower", Growth::Same(3)),
    ("initcap", Growth::Same(3)),
    ("encode", Growth::Same(2)),
    ("decode", Growth::Same(1)),
    ("reverse", Growth::Same(1)),
    ("btrim", Growth::Same(1)),
    ("ltrim", Growth::Same(1)),
    ("rtrim", Growth::Same(1)),
    ("left", Growth::Same(1)),
    ("right", Growth::Same(1)),
    ("substr", Growth::Same(1)),
    ("substr_index", Growth::Same(1)),
    ("split_part", Growth::Same(1)),
    ("string_to_array", Growth::Same(24)),
    ("levenshtein", Growth::Compared),
];

/// Puts bounds on those of a session.
pub(crate) fn bound(session: &SessionContext) {
    for (name, growth) in FUNCTIONS {
        if let Ok(inner) = session.udf(name) {
            session.register_udf(ScalarUDF::from(Bounded { inner, growth }));
        }
    }
}

/// A function that refuses to make more than [`LONGEST_TEXTS`].
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        self.inner.schema_name(arguments)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        planning::go_on()?;
        let needed = self.needed(&arguments)?;
        let most = if self.growth == Growth::Compared { MOST_PAIRS } else { LONGEST_TEXTS };
        if needed <= most {
            planning::make(if self.growth == Growth::Compared { 0 } else { needed })?;
            return self.inner.invoke_with_args(arguments);
        }
        let rows = arguments.number_rows;
        let divides = arguments.args.iter().any(|argument| matches!(argument, ColumnarValue::Array(_)));
        if rows < 2 || !divides {
            return Err(self.too_much());
        }
        let (first, second) = (self.part(&arguments, 0, rows / 2)?, self.part(&arguments, rows / 2, rows - rows / 2)?);
        if first.get_buffer_memory_size().saturating_add(second.get_buffer_memory_size()) > LONGEST_TEXTS {
            return Err(self.too_much());
        }
        Ok(ColumnarValue::Array(concat(&[first.as_ref(), second.as_ref()])?))
    }
}

impl Bounded {
    fn too_much(&self) -> DataFusionError {
        let message = match self.growth {
            Growth::Compared => format!("{}() would compare more than {MOST_PAIRS} pairs of letters", self.name()),
            _ => format!("{}() would make more than {} MiB of text", self.name(), LONGEST_TEXTS >> 20),
        };
        let failure = Failure::new(sqlstate::TOO_LONG, message);
        DataFusionError::External(Box::new(failure.hint("make shorter texts, or take fewer rows at once")))
    }

    /// The answer for some of the rows.
    fn part(&self, arguments: &ScalarFunctionArgs, from: usize, rows: usize) -> Result<ArrayRef> {
        let args = arguments.args.iter().map(|argument| match argument {
            ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
            ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
        });
        let part = ScalarFunctionArgs {
            args: args.collect(),
            arg_fields: arguments.arg_fields.clone(),
            number_rows: rows,
            return_field: Arc::clone(&arguments.return_field),
            config_options: Arc::clone(&arguments.config_options),
        };
        self.invoke_with_args(part)?.into_array(rows)
    }

    /// Bytes that the answer has at most; for `levenshtein` the pairs it compares.
    fn needed(&self, arguments: &ScalarFunctionArgs) -> Result<usize> {
        let args = &arguments.args;
        let scalars = args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if scalars { 1 } else { arguments.number_rows };
        let lengths: Vec<Sizes> = args.iter().map(Sizes::lengths).collect();
        let length = |argument: usize, row: usize| lengths.get(argument).map_or(0, |sizes| sizes.of(row));
        let numbers = match (self.growth, args.get(1)) {
            (Growth::Repeated | Growth::Padded, Some(second)) => Sizes::numbers(second)?,
            _ => Sizes::All(0),
        };
        let of_row = |row: usize| -> usize {
            let together = lengths.iter().fold(0_usize, |sum, sizes| sum.saturating_add(sizes.of(row)));
            match self.growth {
                Growth::Repeated => length(0, row).saturating_mul(numbers.of(row)),
                Growth::Padded => numbers.of(row).saturating_mul(4),
                Growth::Replaced => replaced(args, row, length(0, row), length(1, row), length(2, row)),
                Growth::ReplacedByPattern => {
                    let references = references(args.get(2), row);
                    let text = length(0, row);
                    (text + 1).saturating_mul(length(2, row) + 1).saturating_add(text.saturating_mul(references))
                }
                Growth::Joined => together,
                Growth::JoinedBy => together.saturating_add(length(0, row).saturating_mul(lengths.len())),
                Growth::Same(factor) => length(0, row).saturating_mul(factor),
                Growth::Compared => length(0, row).saturating_mul(length(1, row)),
            }
        };
        Ok((0..rows).fold(0_usize, |sum, row| sum.saturating_add(of_row(row))))
    }
}

/// Bytes of a text after a replacement: an upper bound, and where that is much, the exact number.
fn replaced(args: &[ColumnarValue], row: usize, text: usize, from: usize, to: usize) -> usize {
    if from > 0 && to <= from {
        return text;
    }
    let bound = (text / from.max(1) + 1).saturating_mul(to).saturating_add(text);
    if bound <= LONGEST_TEXTS / 1_024 {
        return bound;
    }
    match (text_of(args.first(), row), text_of(args.get(1), row)) {
        (Some(whole), Some(sought)) if !sought.is_empty() => {
            whole.matches(sought.as_str()).count().saturating_mul(to).saturating_add(text)
        }
        _ => bound,
    }
}

/// How often a replacement takes something from the text it replaces (`\\1`, `$1`).
fn references(replacement: Option<&ColumnarValue>, row: usize) -> usize {
    text_of(replacement, row).map_or(0, |text| text.matches(['\\', '$']).count())
}

fn text_of(argument: Option<&ColumnarValue>, row: usize) -> Option<String> {
    let value = match argument? {
        ColumnarValue::Scalar(value) => value.clone(),
        ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row).ok()?,
    };
    value.try_as_str().flatten().map(str::to_owned)
}

/// A size for each row, or one for all.
enum Sizes {
    All(usize),
    Each(Vec<usize>),
}

impl Sizes {
    fn of(&self, row: usize) -> usize {
        match self {
            Self::All(size) => *size,
            Self::Each(sizes) => sizes.get(row).copied().unwrap_or(0),
        }
    }

    /// Bytes of texts.
    fn lengths(argument: &ColumnarValue) -> Self {
        match argument {
            ColumnarValue::Scalar(value) => match value {
                ScalarValue::Binary(bytes) | ScalarValue::LargeBinary(bytes) | ScalarValue::BinaryView(bytes) => {
                    Self::All(bytes.as_ref().map_or(0, Vec::len))
                }
                other => Self::All(other.try_as_str().map_or(OF_OTHERS, |text| text.map_or(0, str::len))),
            },
            ColumnarValue::Array(array) => {
                let lengths = length(array.as_ref()).and_then(|lengths| cast(&lengths, &DataType::Int64));
                match lengths {
                    Ok(lengths) => Self::whole(&lengths),
                    Err(_) => Self::All(OF_OTHERS),
                }
            }
        }
    }

    /// Numbers; those below zero are zero.
    fn numbers(argument: &ColumnarValue) -> Result<Self> {
        match argument {
            ColumnarValue::Scalar(value) => match value.cast_to(&DataType::Int64)? {
                ScalarValue::Int64(Some(number)) => Ok(Self::All(usize::try_from(number).unwrap_or(0))),
                _ => Ok(Self::All(0)),
            },
            ColumnarValue::Array(array) => Ok(Self::whole(&cast(array, &DataType::Int64)?)),
        }
    }

    fn whole(numbers: &ArrayRef) -> Self {
        let numbers = numbers.as_primitive::<Int64Type>().iter();
        Self::Each(numbers.map(|number| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0)).collect())
    }
}
