//! Scalar functions that read what an aggregate returned, for tools that cannot look into a struct or a list.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, new_null_array},
    compute::{concat, nullif},
    datatypes::{DataType, Float64Type},
};
use datafusion::{
    common::{
        Result,
        cast::{as_float64_array, as_list_array, as_string_array, as_struct_array},
        exec_err, plan_err,
    },
    logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

use super::{
    joint::{effect_type, joint_rate_ratios_type},
    parameters::{Description, Kind, Parameter},
};

const FIGURE: &[Parameter] = &[Parameter { name: "figure", kind: Kind::Figure, meaning: "A figure with its interval" }];

static POINT_ESTIMATE: Description = Description {
    name: "point_estimate",
    syntax: "point_estimate(figure)",
    text: "The estimate of a figure with its interval, as a plain number. Null when the figure is.",
    example: "SELECT point_estimate(excess_leavers(a, n1, c, n0)) FROM stratum;",
    parameters: FIGURE,
    takes_level: false,
};
static LOWER_LIMIT: Description = Description {
    name: "lower_limit",
    syntax: "lower_limit(figure)",
    text: "The lower limit of a figure with its interval, as a plain number. Null when the figure is.",
    example: "SELECT lower_limit(excess_leavers(a, n1, c, n0)) FROM stratum;",
    parameters: FIGURE,
    takes_level: false,
};
static UPPER_LIMIT: Description = Description {
    name: "upper_limit",
    syntax: "upper_limit(figure)",
    text: "The upper limit of a figure with its interval, as a plain number. Null when the figure is.",
    example: "SELECT upper_limit(excess_leavers(a, n1, c, n0)) FROM stratum;",
    parameters: FIGURE,
    takes_level: false,
};
static JOURNEY_EFFECT: Description = Description {
    name: "journey_effect",
    syntax: "journey_effect(model, journey)",
    text: "One journey's effect in a result of joint_rate_ratios, as struct{journey, estimate, lower, upper, log_se, \
           p_value, leavers, person_days, reason}. Null when the model has no such journey.",
    example: "SELECT lower_limit(journey_effect(model, 'onboarding')) FROM period_model;",
    parameters: &[
        Parameter { name: "model", kind: Kind::Figure, meaning: "A result of joint_rate_ratios" },
        Parameter { name: "journey", kind: Kind::Name, meaning: "Name of a journey" },
    ],
    takes_level: false,
};
static LINEAR_PREDICTOR: Description = Description {
    name: "linear_predictor",
    syntax: "linear_predictor(coefficients, covariates)",
    text: "The intercept plus each covariate times its coefficient, the score that a logistic_fit gives a row. A null \
           coefficient, that of a covariate that is the same in every row, adds nothing. Null when a list or a covariate \
           is null; lists that do not fit each other are an error.",
    example: "SELECT linear_predictor(fit['coefficients'], covariates) FROM fitted JOIN observation USING (journey);",
    parameters: &[
        Parameter { name: "coefficients", kind: Kind::Numbers, meaning: "Intercept, then one for each covariate" },
        Parameter { name: "covariates", kind: Kind::Numbers, meaning: "Covariates of the row" },
    ],
    takes_level: false,
};

/// The readers.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    [
        (&POINT_ESTIMATE, Reader::Field("estimate")),
        (&LOWER_LIMIT, Reader::Field("lower")),
        (&UPPER_LIMIT, Reader::Field("upper")),
        (&JOURNEY_EFFECT, Reader::Effect),
        (&LINEAR_PREDICTOR, Reader::LinearPredictor),
    ]
    .into_iter()
    .map(|(description, reader)| {
        Arc::new(ScalarUDF::new_from_impl(ReaderFunction {
            description,
            reader,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: description.documentation(),
        }))
    })
    .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    Field(&'static str),
    Effect,
    LinearPredictor,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ReaderFunction {
    description: &'static Description,
    reader: Reader,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for ReaderFunction {
    fn name(&self) -> &str {
        self.description.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let coerced = self.description.coerce(types)?;
        match (self.reader, types) {
            (Reader::Field(name), [DataType::Struct(fields)]) => {
                if !fields.iter().any(|field| field.name() == name && *field.data_type() == DataType::Float64) {
                    return plan_err!("{}: the figure has no field `{name}`", self.name());
                }
                Ok(types.to_vec())
            }
            (Reader::Effect, [model, _]) => {
                if *model != joint_rate_ratios_type() && !model.is_null() {
                    return plan_err!("{}: `model` is no result of joint_rate_ratios", self.name());
                }
                Ok(vec![joint_rate_ratios_type(), DataType::Utf8])
            }
            _ => Ok(coerced),
        }
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(match self.reader {
            Reader::Effect => effect_type(),
            Reader::Field(_) | Reader::LinearPredictor => DataType::Float64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<ArrayRef> =
            args.args.iter().map(|argument| argument.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let result = match (self.reader, arrays.as_slice()) {
            (Reader::Field(_), [figure]) if figure.data_type().is_null() => {
                new_null_array(&DataType::Float64, args.number_rows)
            }
            (Reader::Field(name), [figure]) => field(figure, name)?,
            (Reader::Effect, [models, journeys]) => effects(models, journeys)?,
            (Reader::LinearPredictor, [coefficients, covariates]) => linear_predictors(coefficients, covariates)?,
            _ => return exec_err!("{}: use {}", self.name(), self.description.syntax),
        };
        Ok(ColumnarValue::Array(result))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// A field of each struct; null where the struct is.
fn field(figure: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let figure = as_struct_array(figure)?;
    let Some(values) = figure.column_by_name(name) else {
        return exec_err!("the figure has no field `{name}`");
    };
    if figure.null_count() == 0 {
        return Ok(Arc::clone(values));
    }
    Ok(nullif(values, &arrow::compute::is_null(figure)?)?)
}

/// The effect of each row's journey in the row's model.
fn effects(models: &ArrayRef, journeys: &ArrayRef) -> Result<ArrayRef> {
    let models = as_struct_array(models)?;
    let journeys = as_string_array(journeys)?;
    let Some(lists) = models.column_by_name("effects") else {
        return exec_err!("journey_effect: the model has no effects");
    };
    let lists = as_list_array(lists)?;
    let none = new_null_array(&effect_type(), 1);
    let mut rows: Vec<ArrayRef> = Vec::with_capacity(journeys.len());
    for row in 0..journeys.len() {
        let found = if models.is_null(row) || lists.is_null(row) || journeys.is_null(row) {
            None
        } else {
            let effects = lists.value(row);
            let names = as_string_array(as_struct_array(&effects)?.column(0))?;
            let place = (0..names.len()).find(|place| names.value(*place) == journeys.value(row));
            place.map(|place| effects.slice(place, 1))
        };
        rows.push(found.unwrap_or_else(|| Arc::clone(&none)));
    }
    if rows.is_empty() {
        return Ok(new_null_array(&effect_type(), 0));
    }
    Ok(concat(&rows.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?)
}

/// One score for each row.
fn linear_predictors(coefficients: &ArrayRef, covariates: &ArrayRef) -> Result<ArrayRef> {
    let (coefficients, covariates) = (as_list_array(coefficients)?, as_list_array(covariates)?);
    let mut scores = Vec::with_capacity(coefficients.len());
    for row in 0..coefficients.len() {
        if coefficients.is_null(row) || covariates.is_null(row) {
            scores.push(None);
            continue;
        }
        let (weights, values) = (coefficients.value(row), covariates.value(row));
        let (weights, values) = (as_float64_array(&weights)?, values.as_primitive::<Float64Type>());
        if weights.len() != values.len() + 1 {
            return exec_err!(
                "linear_predictor: {} coefficients do not fit {} covariates; the first is the intercept",
                weights.len(),
                values.len()
            );
        }
        if values.null_count() > 0 || weights.is_null(0) {
            scores.push(None);
            continue;
        }
        let terms = weights.iter().skip(1).zip(values.values());
        let score =
            terms.fold(weights.value(0), |sum, (weight, value)| sum + weight.map_or(0.0, |weight| weight * value));
        scores.push(Some(score));
    }
    Ok(Arc::new(Float64Array::from(scores)))
}
