//! Aggregate functions over rows that are strata or observations.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    common::{Result, ScalarValue, internal_err, plan_err},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

use super::{
    correlation::{CORRELATION, CorrelationAccumulator, correlation_type},
    joint::{JOINT_EXCESS, JOINT_RATE_RATIOS, Joint, JointAccumulator, joint_excess_type, joint_rate_ratios_type},
    observations::{
        AUC, AUC_DIFFERENCE, FIRTH_FIT, KAPLAN_MEIER_DIFFERENCE, LOGISTIC_FIT, auc_difference_type,
        auc_difference_value, auc_value, firth_fit_type, firth_fit_value, kaplan_meier_difference_type,
        kaplan_meier_difference_value, logistic_fit_type, logistic_fit_value,
    },
    parameters::{Description, Kind},
    person_time::{
        COCHRAN_Q, EXCESS_CHANGE, EXCESS_LEAVERS, EXCESS_REVENUE, MANTEL_HAENSZEL_RATES, cochran_q_type,
        cochran_q_value, excess_change_type, excess_change_value, excess_leavers_type, excess_leavers_value,
        excess_revenue_value, mantel_haenszel_rates_type, mantel_haenszel_rates_value,
    },
    rows::{Evaluate, RowCollector, large_list_of_floats},
    scores::{COMPARE_SCORES, FIRTH_TEST, ScoreAccumulator, ScoreFigure, compare_scores_type, firth_test_type},
    strata::{
        EXCESS_CHURNERS, MANTEL_HAENSZEL, excess_churners_type, excess_churners_value, mantel_haenszel_type,
        mantel_haenszel_value,
    },
    structs::estimate_type,
};
use crate::distributions::Confidence;

/// The aggregate functions.
pub(crate) fn all() -> Vec<Arc<AggregateUDF>> {
    [
        (&MANTEL_HAENSZEL, Aggregate::MantelHaenszel),
        (&EXCESS_CHURNERS, Aggregate::ExcessChurners),
        (&CORRELATION, Aggregate::Correlation),
        (&AUC, Aggregate::Auc),
        (&AUC_DIFFERENCE, Aggregate::AucDifference),
        (&KAPLAN_MEIER_DIFFERENCE, Aggregate::KaplanMeierDifference),
        (&LOGISTIC_FIT, Aggregate::LogisticFit),
        (&FIRTH_FIT, Aggregate::FirthFit),
        (&FIRTH_TEST, Aggregate::FirthTest),
        (&COMPARE_SCORES, Aggregate::CompareScores),
        (&MANTEL_HAENSZEL_RATES, Aggregate::MantelHaenszelRates),
        (&EXCESS_LEAVERS, Aggregate::ExcessLeavers),
        (&EXCESS_REVENUE, Aggregate::ExcessRevenue),
        (&EXCESS_CHANGE, Aggregate::ExcessChange),
        (&COCHRAN_Q, Aggregate::CochranQ),
        (&JOINT_RATE_RATIOS, Aggregate::JointRateRatios),
        (&JOINT_EXCESS, Aggregate::JointExcess),
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
    AucDifference,
    KaplanMeierDifference,
    LogisticFit,
    FirthFit,
    FirthTest,
    CompareScores,
    MantelHaenszelRates,
    ExcessLeavers,
    ExcessRevenue,
    ExcessChange,
    CochranQ,
    JointRateRatios,
    JointExcess,
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
        // Figures whose arguments are all columns.
        let of_rows = |value: fn(&[f64], Confidence) -> Result<ScalarValue>| -> (Option<usize>, Evaluate) {
            (Some(columns), Box::new(move |rows, _| value(rows, confidence)))
        };
        Ok(match self.aggregate {
            Aggregate::MantelHaenszel => of_rows(mantel_haenszel_value),
            Aggregate::ExcessChurners => of_rows(excess_churners_value),
            Aggregate::AucDifference => of_rows(auc_difference_value),
            Aggregate::MantelHaenszelRates => of_rows(mantel_haenszel_rates_value),
            Aggregate::ExcessLeavers => of_rows(excess_leavers_value),
            Aggregate::ExcessRevenue => of_rows(excess_revenue_value),
            Aggregate::ExcessChange => of_rows(excess_change_value),
            Aggregate::CochranQ => of_rows(|rows, _| cochran_q_value(rows)),
            Aggregate::Auc => of_rows(|rows, _| Ok(auc_value(rows))),
            Aggregate::KaplanMeierDifference => {
                let horizon = self.horizon(args)?;
                let value = move |rows: &[f64], _| kaplan_meier_difference_value(rows, horizon, confidence);
                (Some(columns - 1), Box::new(value))
            }
            Aggregate::LogisticFit | Aggregate::FirthFit => {
                let columns = args.expr_fields.iter().all(|field| !field.data_type().is_list());
                let penalized = self.aggregate == Aggregate::FirthFit;
                let value = if penalized { firth_fit_value } else { logistic_fit_value };
                (columns.then_some(args.exprs.len()), Box::new(value))
            }
            Aggregate::Correlation
            | Aggregate::JointRateRatios
            | Aggregate::JointExcess
            | Aggregate::FirthTest
            | Aggregate::CompareScores => {
                return internal_err!("{} keeps no rows", self.name());
            }
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
            Aggregate::LogisticFit | Aggregate::FirthFit => self.coerce_regression(types),
            _ => self.description.coerce(types),
        }
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(match self.aggregate {
            Aggregate::MantelHaenszel => mantel_haenszel_type(),
            Aggregate::ExcessChurners => excess_churners_type(),
            Aggregate::Correlation => correlation_type(),
            Aggregate::Auc => DataType::Float64,
            Aggregate::AucDifference => auc_difference_type(),
            Aggregate::MantelHaenszelRates => mantel_haenszel_rates_type(),
            Aggregate::ExcessLeavers => excess_leavers_type(),
            Aggregate::ExcessRevenue => estimate_type(),
            Aggregate::ExcessChange => excess_change_type(),
            Aggregate::CochranQ => cochran_q_type(),
            Aggregate::JointRateRatios => joint_rate_ratios_type(),
            Aggregate::JointExcess => joint_excess_type(),
            Aggregate::KaplanMeierDifference => kaplan_meier_difference_type(),
            Aggregate::LogisticFit => logistic_fit_type(),
            Aggregate::FirthFit => firth_fit_type(),
            Aggregate::FirthTest => firth_test_type(),
            Aggregate::CompareScores => compare_scores_type(),
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!(
                "{} counts every row and takes no DISTINCT; remove duplicates in a subquery",
                self.name()
            );
        }
        let confidence = self.description.constant_confidence(args.exprs)?;
        let joint = |joint: Joint| Box::new(JointAccumulator::new(self.description, joint, confidence));
        let scores = |figure: ScoreFigure| Box::new(ScoreAccumulator::new(self.description, figure, confidence));
        Ok(match self.aggregate {
            Aggregate::Correlation => Box::new(CorrelationAccumulator::new(confidence)),
            Aggregate::JointRateRatios => joint(Joint::RateRatios),
            Aggregate::JointExcess => joint(Joint::Excess),
            Aggregate::FirthTest => scores(ScoreFigure::FirthTest),
            Aggregate::CompareScores => scores(ScoreFigure::Comparison),
            _ => {
                let (width, evaluate) = self.evaluation(&args)?;
                Box::new(RowCollector::new(self.description, width, evaluate))
            }
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(match self.aggregate {
            Aggregate::Correlation => CorrelationAccumulator::state_fields(args.name),
            Aggregate::JointRateRatios | Aggregate::JointExcess => JointAccumulator::state_fields(args.name),
            Aggregate::FirthTest | Aggregate::CompareScores => ScoreAccumulator::state_fields(args.name),
            _ => RowCollector::state_fields(args.name),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
