//! Aggregate functions over rows that are strata or observations.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    common::{Result, plan_err},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

use super::{
    correlation::{CORRELATION, CorrelationAccumulator, correlation_type},
    observations::{
        AUC, KAPLAN_MEIER_DIFFERENCE, LOGISTIC_FIT, auc_value, kaplan_meier_difference_type,
        kaplan_meier_difference_value, logistic_fit_type, logistic_fit_value,
    },
    parameters::{Description, Kind},
    rows::{Evaluate, RowCollector, large_list_of_floats},
    strata::{
        EXCESS_CHURNERS, MANTEL_HAENSZEL, excess_churners_type, excess_churners_value, mantel_haenszel_type,
        mantel_haenszel_value,
    },
};

/// The aggregate functions.
pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    [
        (&MANTEL_HAENSZEL, Aggregate::MantelHaenszel),
        (&EXCESS_CHURNERS, Aggregate::ExcessChurners),
        (&CORRELATION, Aggregate::Correlation),
        (&AUC, Aggregate::Auc),
        (&KAPLAN_MEIER_DIFFERENCE, Aggregate::KaplanMeierDifference),
        (&LOGISTIC_FIT, Aggregate::LogisticFit),
    ]
    .into_iter()
    .map(|(description, aggregate)| {
        Arc::new(AggregateUDF::new_from_impl(StatisticAggregate {
            description,
            aggregate,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: description.documentation(),
        }))
    })
    .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Aggregate {
    MantelHaenszel,
    ExcessChurners,
    Correlation,
    Auc,
    KaplanMeierDifference,
    LogisticFit,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StatisticAggregate {
    description: &'static Description,
    aggregate: Aggregate,
    signature: Signature,
    documentation: Documentation,
}

impl StatisticAggregate {
    /// The leading arguments that are columns of a row, and what turns collected rows into the result.
    fn evaluation(&self, args: &AccumulatorArgs) -> Result<(Option<usize>, Evaluate)> {
        let confidence = self.description.constant_confidence(args.exprs)?;
        let columns = self.description.parameters.len();
        Ok(match self.aggregate {
            Aggregate::MantelHaenszel => {
                (Some(columns), Box::new(move |rows, _| mantel_haenszel_value(rows, confidence)))
            }
            Aggregate::ExcessChurners => {
                (Some(columns), Box::new(move |rows, _| excess_churners_value(rows, confidence)))
            }
            Aggregate::KaplanMeierDifference => {
                let horizon = self.horizon(args)?;
                let value = move |rows: &[f64], _| kaplan_meier_difference_value(rows, horizon, confidence);
                (Some(columns - 1), Box::new(value))
            }
            Aggregate::LogisticFit => {
                let columns = args.expr_fields.iter().all(|field| !field.data_type().is_list());
                (columns.then_some(args.exprs.len()), Box::new(logistic_fit_value))
            }
            Aggregate::Auc | Aggregate::Correlation => (Some(columns), Box::new(|rows, _| Ok(auc_value(rows)))),
        })
    }

    fn horizon(&self, args: &AccumulatorArgs) -> Result<f64> {
        let position = self.description.parameters.len() - 1;
        let Some(argument) = args.exprs.get(position) else {
            return plan_err!("{}: `horizon` is missing; use {}", self.name(), self.description.syntax);
        };
        let horizon = self.description.constant("horizon", argument)?;
        if !(horizon > 0.0 && horizon.is_finite()) {
            return plan_err!("{}: `horizon` has to be above 0 and finite, got {horizon}", self.name());
        }
        Ok(horizon)
    }

    /// An outcome, then numbers or one list of numbers.
    fn coerce_regression(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [outcome, covariates @ ..] = types else {
            return plan_err!("wrong number of arguments: 0 given, use {}", self.description.syntax);
        };
        self.description.check_type("outcome", Kind::Flag, outcome)?;
        if let [DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _)] =
            covariates
        {
            self.description.check_type("list", Kind::NumberOrFlag, element.data_type())?;
            return Ok(vec![DataType::Float64, large_list_of_floats()]);
        }
        for (position, covariate) in covariates.iter().enumerate() {
            // Dummies are often booleans.
            self.description.check_type(&format!("x{}", position + 1), Kind::NumberOrFlag, covariate)?;
        }
        Ok(vec![DataType::Float64; types.len()])
    }
}

impl AggregateUDFImpl for StatisticAggregate {
    fn name(&self) -> &str {
        self.description.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match self.aggregate {
            Aggregate::LogisticFit => self.coerce_regression(types),
            _ => self.description.coerce(types),
        }
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(match self.aggregate {
            Aggregate::MantelHaenszel => mantel_haenszel_type(),
            Aggregate::ExcessChurners => excess_churners_type(),
            Aggregate::Correlation => correlation_type(),
            Aggregate::Auc => DataType::Float64,
            Aggregate::KaplanMeierDifference => kaplan_meier_difference_type(),
            Aggregate::LogisticFit => logistic_fit_type(),
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!(
                "{} counts every row and takes no DISTINCT; remove duplicates in a subquery",
                self.name()
            );
        }
        if self.aggregate == Aggregate::Correlation {
            let confidence = self.description.constant_confidence(args.exprs)?;
            return Ok(Box::new(CorrelationAccumulator::new(confidence)));
        }
        let (width, evaluate) = self.evaluation(&args)?;
        Ok(Box::new(RowCollector::new(self.description, width, evaluate)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(match self.aggregate {
            Aggregate::Correlation => CorrelationAccumulator::state_fields(args.name),
            _ => RowCollector::state_fields(args.name),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
