//! Window functions: figures of a row among the rows of its partition.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{Result, cast::as_float64_array, exec_err},
    logical_expr::{
        Documentation, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
        function::{PartitionEvaluatorArgs, WindowUDFFieldArgs},
    },
    physical_plan::PhysicalExpr,
};

use super::parameters::{Description, Kind, Parameter};
use crate::false_discovery::benjamini_hochberg;

static BENJAMINI_HOCHBERG: Description = Description {
    name: "benjamini_hochberg",
    syntax: "benjamini_hochberg(p_value) OVER (PARTITION BY …)",
    text: "The q value of each row's test among the tests of its partition: the smallest share of false discoveries at \
           which it is still called one (Benjamini and Hochberg 1995). A null p value is a test that was not made: its q \
           value is null and it does not count. ORDER BY and frames change nothing. There is no control across \
           partitions.",
    example: "SELECT benjamini_hochberg(p_value) OVER (PARTITION BY period_kind, period_start, segment = 'all') FROM fct_key_journeys WHERE status = 'ok';",
    parameters: &[Parameter { name: "p_value", kind: Kind::Probability, meaning: "p value of the row's test" }],
    takes_level: false,
};

/// The window functions.
pub(crate) fn all() -> Vec<Arc<WindowUDF>> {
    vec![Arc::new(WindowUDF::new_from_impl(BenjaminiHochberg {
        signature: Signature::user_defined(Volatility::Immutable),
        documentation: BENJAMINI_HOCHBERG.documentation(),
    }))]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BenjaminiHochberg {
    signature: Signature,
    documentation: Documentation,
}

impl WindowUDFImpl for BenjaminiHochberg {
    fn name(&self) -> &str {
        BENJAMINI_HOCHBERG.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        BENJAMINI_HOCHBERG.coerce(types)
    }

    fn partition_evaluator(&self, _args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(WholePartition))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Float64, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    /// Every row of the partition decides about every other: a limit must not be pushed below.
    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

#[derive(Debug)]
struct WholePartition;

impl PartitionEvaluator for WholePartition {
    fn evaluate_all(&mut self, values: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        let [p_values] = values else {
            return exec_err!("benjamini_hochberg: expected 1 column, got {}", values.len());
        };
        let p_values: Vec<Option<f64>> = as_float64_array(p_values)?.iter().collect();
        for p_value in p_values.iter().flatten() {
            BENJAMINI_HOCHBERG.check_value("p_value", Kind::Probability, *p_value)?;
        }
        Ok(Arc::new(Float64Array::from(benjamini_hochberg(&p_values))))
    }
}
