//! Scalar functions: one figure a row from counts or log-likelihoods of that row.

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
    parameters::{DEFAULT_LEVEL, Description, Kind, Parameter},
    structs::{estimate_array, estimate_type, test_array, test_type},
};
use crate::{
    distributions::{Confidence, normal_quantile},
    logistic::likelihood_ratio_test,
    proportion::{Estimate, wilson},
    two_by_two::{Cells, odds_ratio, phi, risk_difference, risk_ratio},
};

const CELLS: &[Parameter] = &[
    Parameter { name: "a", kind: Kind::Count, meaning: "Exposed customers who churned" },
    Parameter { name: "b", kind: Kind::Count, meaning: "Exposed customers who stayed" },
    Parameter { name: "c", kind: Kind::Count, meaning: "Unexposed customers who churned" },
    Parameter { name: "d", kind: Kind::Count, meaning: "Unexposed customers who stayed" },
];

static WILSON: Description = Description {
    name: "wilson",
    syntax: "wilson(successes, trials[, level])",
    text: "A proportion in 0..1 with its score interval, as struct{estimate, lower, upper} (Wilson 1927). Null without \
           trials, with more successes than trials, or for values that are no counts.",
    example: "SELECT wilson(12, 80)['lower'];",
    parameters: &[
        Parameter { name: "successes", kind: Kind::Count, meaning: "Trials with the outcome" },
        Parameter { name: "trials", kind: Kind::Count, meaning: "All trials" },
    ],
    takes_level: true,
};
static RISK_DIFFERENCE: Description = Description {
    name: "risk_difference",
    syntax: "risk_difference(a, b, c, d[, level])",
    text: "Churn rate of the exposed less that of the unexposed, in shares (-1..1), with the hybrid score interval, as \
           struct{estimate, lower, upper} (Newcombe 1998, method 10). Null when an arm is empty.",
    example: "SELECT risk_difference(30, 70, 20, 180);",
    parameters: CELLS,
    takes_level: true,
};
static PHI: Description = Description {
    name: "phi",
    syntax: "phi(a, b, c, d[, level])",
    text: "Correlation of exposure and churn, -1..1, as struct{estimate, lower, upper}: Pearson's correlation of the two \
           0/1 columns. Limits are those of risk_difference times √(n1·n0/(m1·(N−m1))), the factor that turns the risk \
           difference into phi; they may reach beyond ±1. Null when a margin is empty.",
    example: "SELECT phi(30, 70, 20, 180)['estimate'];",
    parameters: CELLS,
    takes_level: true,
};
static ODDS_RATIO: Description = Description {
    name: "odds_ratio",
    syntax: "odds_ratio(a, b, c, d[, level])",
    text: "Odds of churn of the exposed over those of the unexposed with the Wald interval on the log scale, as \
           struct{estimate, lower, upper} (Woolf 1955). Null when a cell is empty.",
    example: "SELECT odds_ratio(30, 70, 20, 180);",
    parameters: CELLS,
    takes_level: true,
};
static RISK_RATIO: Description = Description {
    name: "risk_ratio",
    syntax: "risk_ratio(a, b, c, d[, level])",
    text: "Churn rate of the exposed over that of the unexposed with the Wald interval on the log scale, as \
           struct{estimate, lower, upper} (Katz 1978). Null when nobody churned in one of the arms.",
    example: "SELECT risk_ratio(30, 70, 20, 180);",
    parameters: CELLS,
    takes_level: true,
};
static NORMAL_QUANTILE: Description = Description {
    name: "normal_quantile",
    syntax: "normal_quantile(p)",
    text: "The p-quantile of the standard normal distribution (Wichura 1988, AS 241). Null outside (0, 1).",
    example: "SELECT normal_quantile(0.975);",
    parameters: &[Parameter { name: "p", kind: Kind::Probability, meaning: "Probability below the quantile" }],
    takes_level: false,
};
static LIKELIHOOD_RATIO_TEST: Description = Description {
    name: "likelihood_ratio_test",
    syntax: "likelihood_ratio_test(ll_small, ll_big, df)",
    text: "Twice the gain in log-likelihood of the bigger of two nested models fitted to the same rows, with its χ² tail \
           probability, as struct{statistic, p_value} (Wilks 1938). Null when the bigger model fits worse, or unless df \
           is a whole number from 1 to 100000.",
    example: "SELECT likelihood_ratio_test(-120.5, -117.2, 2)['p_value'];",
    parameters: &[
        Parameter { name: "ll_small", kind: Kind::Number, meaning: "Log-likelihood of the smaller model" },
        Parameter { name: "ll_big", kind: Kind::Number, meaning: "Log-likelihood of the bigger model" },
        Parameter { name: "df", kind: Kind::Count, meaning: "Coefficients that only the bigger model has" },
    ],
    takes_level: false,
};

/// The scalar functions.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    [
        (&WILSON, Figure::Wilson),
        (&RISK_DIFFERENCE, Figure::Table(risk_difference)),
        (&PHI, Figure::Table(phi)),
        (&ODDS_RATIO, Figure::Table(odds_ratio)),
        (&RISK_RATIO, Figure::Table(risk_ratio)),
        (&NORMAL_QUANTILE, Figure::NormalQuantile),
        (&LIKELIHOOD_RATIO_TEST, Figure::LikelihoodRatio),
    ]
    .into_iter()
    .map(|(description, figure)| Arc::new(ScalarUDF::new_from_impl(FigureFunction::new(description, figure))))
    .collect()
}

/// What a row's arguments are turned into.
#[derive(Debug, Clone, Copy)]
enum Figure {
    Wilson,
    Table(fn(&Cells, Confidence) -> Option<Estimate>),
    NormalQuantile,
    LikelihoodRatio,
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
        figure: impl Fn(&[f64], Confidence) -> Option<Estimate>,
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
            Figure::Wilson | Figure::Table(_) => estimate_type(),
            Figure::NormalQuantile => DataType::Float64,
            Figure::LikelihoodRatio => test_type(),
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
            Figure::Wilson => self.estimates(rows, &arguments, |row, confidence| wilson(row[0], row[1], confidence))?,
            Figure::Table(figure) => self.estimates(rows, &arguments, |row, confidence| {
                figure(&Cells::new(row[0], row[1], row[2], row[3])?, confidence)
            })?,
            Figure::NormalQuantile => Arc::new(
                (0..rows)
                    .map(|row| read_row(&arguments, row, &mut values).then(|| normal_quantile(values[0])).flatten())
                    .collect::<Float64Array>(),
            ),
            Figure::LikelihoodRatio => {
                let tests: Vec<_> = (0..rows)
                    .map(|row| {
                        if !read_row(&arguments, row, &mut values) {
                            return None;
                        }
                        likelihood_ratio_test(values[0], values[1], whole_number(values[2])?)
                    })
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

/// A count without a fraction that every float up to it can hold.
fn whole_number(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value)).then_some(value as u64)
}
