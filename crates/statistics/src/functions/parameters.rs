//! What a function takes: names, kinds and checks of its arguments, and the documentation made from them.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Schema},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    logical_expr::{ColumnarValue, DocSection, Documentation},
    physical_plan::PhysicalExpr,
};

use crate::{distributions::Confidence, proportion::is_count};

/// Confidence level of the intervals when a query names none.
pub(crate) const DEFAULT_LEVEL: f64 = 0.95;

const SECTION: DocSection =
    DocSection { include: true, label: "Key Journey Statistics", description: Some("Volume and churn correlation") };

/// What values an argument takes. Numbers arrive as Float64; booleans only where a flag is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Any finite number.
    Number,
    /// Any finite number, or true and false as 1 and 0.
    NumberOrFlag,
    /// A number of customers or trials: finite, at least 0.
    Count,
    /// True or false, 1 or 0.
    Flag,
    /// A number or an infinity, but an order: not NaN.
    Score,
    /// A time span: finite, at least 0.
    Duration,
    /// A probability, 0 and 1 included.
    Probability,
    /// A number above 0.
    Positive,
    /// A name.
    Name,
    /// A list of names.
    Names,
    /// A list of numbers.
    Numbers,
    /// A struct that another function returned.
    Figure,
}

impl Kind {
    fn accepts(self, data_type: &DataType) -> bool {
        match self {
            Self::Name => return data_type.is_string() || data_type.is_null(),
            Self::Names | Self::Numbers => return data_type.is_list() || data_type.is_null(),
            Self::Figure => return matches!(data_type, DataType::Struct(_)) || data_type.is_null(),
            _ => {}
        }
        data_type.is_numeric() || data_type.is_null() || (self.takes_flags() && *data_type == DataType::Boolean)
    }

    /// The type that values of the type `given` are cast to.
    fn coerced(self, given: &DataType) -> DataType {
        match self {
            Self::Name => DataType::Utf8,
            Self::Names => list_of_names(),
            Self::Numbers => DataType::new_list(DataType::Float64, true),
            Self::Figure => given.clone(),
            _ => DataType::Float64,
        }
    }

    fn takes_flags(self) -> bool {
        matches!(self, Self::Flag | Self::NumberOrFlag)
    }

    fn contains(self, value: f64) -> bool {
        match self {
            Self::Number | Self::NumberOrFlag => value.is_finite(),
            Self::Count | Self::Duration => is_count(value),
            Self::Flag => value == 0.0 || value == 1.0,
            Self::Score => !value.is_nan(),
            Self::Probability => (0.0..=1.0).contains(&value),
            Self::Positive => value > 0.0 && value.is_finite(),
            // No number is one.
            Self::Name | Self::Names | Self::Numbers | Self::Figure => false,
        }
    }

    fn expectation(self) -> &'static str {
        match self {
            Self::Number | Self::NumberOrFlag => "a finite number",
            Self::Count => "a count, finite and at least 0",
            Self::Flag => "true or false, 1 or 0",
            Self::Score => "a number",
            Self::Duration => "a time span, finite and at least 0",
            Self::Probability => "a probability from 0 to 1",
            Self::Positive => "a number above 0, finite",
            Self::Name => "a name",
            Self::Names => "a list of names",
            Self::Numbers => "a list of numbers",
            Self::Figure => "a figure that a function of this library returned",
        }
    }
}

/// The type of a list of names.
pub(crate) fn list_of_names() -> DataType {
    DataType::new_list(DataType::Utf8, true)
}

/// One argument of a function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) meaning: &'static str,
}

/// A function as its users see it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Description {
    pub(crate) name: &'static str,
    /// How to call it, e.g. `wilson(successes, trials[, level])`.
    pub(crate) syntax: &'static str,
    /// What it returns, in which unit, where the formula comes from and what happens at the edges.
    pub(crate) text: &'static str,
    pub(crate) example: &'static str,
    /// The arguments that every call has, in order.
    pub(crate) parameters: &'static [Parameter],
    /// Whether a confidence level may follow them.
    pub(crate) takes_level: bool,
}

impl Description {
    pub(crate) fn documentation(&self) -> Documentation {
        let mut builder = Documentation::builder(SECTION, self.text, self.syntax)
            .with_sql_example(format!("```sql\n{}\n```", self.example));
        for parameter in self.parameters {
            let argument = format!("{}: {}.", parameter.meaning, parameter.kind.expectation());
            builder = builder.with_argument(parameter.name, argument);
        }
        if self.takes_level {
            builder = builder.with_argument(
                "level",
                "Confidence level of the interval, strictly between 0 and 1; 0.95 when left out.",
            );
        }
        builder.build()
    }

    /// The types that the arguments are cast to: Float64 for every number.
    ///
    /// # Errors
    /// A plan error for a wrong number of arguments or for one of another kind.
    pub(crate) fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let required = self.parameters.len();
        if types.len() != required && !(self.takes_level && types.len() == required + 1) {
            return plan_err!("wrong number of arguments: {} given, use {}", types.len(), self.syntax);
        }
        let mut coerced = Vec::with_capacity(types.len());
        for (position, data_type) in types.iter().enumerate() {
            let (name, kind) = match self.parameters.get(position) {
                Some(parameter) => (parameter.name, parameter.kind),
                None => ("level", Kind::Number),
            };
            self.check_type(name, kind, data_type)?;
            coerced.push(kind.coerced(data_type));
        }
        Ok(coerced)
    }

    /// # Errors
    /// A plan error when values of `data_type` cannot be what the argument `name` takes.
    pub(crate) fn check_type(&self, name: &str, kind: Kind, data_type: &DataType) -> Result<()> {
        if kind.accepts(data_type) {
            return Ok(());
        }
        plan_err!("{}: `{name}` is {data_type}, it has to be {}; use {}", self.name, kind.expectation(), self.syntax)
    }

    /// # Errors
    /// An execution error that names the argument and the value when the value is none that the argument takes.
    pub(crate) fn check_value(&self, name: &str, kind: Kind, value: f64) -> Result<()> {
        if kind.contains(value) {
            return Ok(());
        }
        exec_err!("{}: `{name}` has to be {}, got {value}", self.name, kind.expectation())
    }

    /// # Errors
    /// An execution error for a level that is not strictly between 0 and 1.
    pub(crate) fn confidence(&self, level: f64) -> Result<Confidence> {
        match Confidence::new(level) {
            Some(confidence) => Ok(confidence),
            None => exec_err!("{}: `level` has to lie strictly between 0 and 1, got {level}", self.name),
        }
    }

    /// The confidence level of an aggregate call.
    ///
    /// # Errors
    /// A plan error when the level is no constant, an execution error when it is not strictly between 0 and 1.
    pub(crate) fn constant_confidence(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> Result<Confidence> {
        match arguments.get(self.parameters.len()) {
            Some(level) if self.takes_level => self.confidence(self.constant("level", level)?),
            _ => self.confidence(DEFAULT_LEVEL),
        }
    }

    /// The value of an argument that is the same for all rows.
    ///
    /// # Errors
    /// A plan error when it depends on the rows or is null.
    pub(crate) fn constant(&self, name: &str, argument: &Arc<dyn PhysicalExpr>) -> Result<f64> {
        let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        match argument.evaluate(&no_rows) {
            Ok(ColumnarValue::Scalar(value)) => match value.cast_to(&DataType::Float64)? {
                ScalarValue::Float64(Some(value)) => Ok(value),
                _ => plan_err!("{}: `{name}` must not be null", self.name),
            },
            _ => plan_err!("{}: `{name}` has to be a constant, got {argument}", self.name),
        }
    }
}
