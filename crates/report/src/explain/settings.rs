//! What of a pipeline the figures depend on: confidence, limits, and the currency of its money.

use serde::Serialize;

use throughline_config::{Pipeline, RowRule, Variable};

/// A day in microseconds.
const DAY: f64 = 86_400e6;

/// What of a pipeline the figures depend on.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// Confidence of the intervals.
    pub confidence: f64,
    /// A customer is on a journey for so many days after a touchpoint of it.
    pub exposure_horizon_days: f64,
    /// Fewer customers on it are insufficient.
    pub minimum_exposed: i64,
    /// Fewer who left while on it are insufficient.
    pub minimum_churners: i64,
    /// Fewer leavers to compare with are insufficient.
    pub minimum_compared: i64,
    /// Of the journeys called harmful or protective, the share that may be so by chance.
    pub false_discovery_rate: f64,
    /// Weight of the data in the priority.
    pub priority_weight: f64,
    /// The currency of money, where the pipeline names one.
    pub currency: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            confidence: 0.95,
            exposure_horizon_days: 90.0,
            minimum_exposed: 100,
            minimum_churners: 10,
            minimum_compared: 10,
            false_discovery_rate: 0.05,
            priority_weight: 0.7,
            currency: None,
        }
    }
}

impl Settings {
    /// The settings of a pipeline.
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        let variable = |name: &str| pipeline.variables.get(name).map(|variable| &variable.value);
        let number = |name: &str, otherwise: f64| match variable(name) {
            Some(Variable::Float(number)) => *number,
            Some(Variable::Integer(number)) => *number as f64,
            _ => otherwise,
        };
        let usual = Self::default();
        let whole = |name: &str, otherwise: i64| number(name, otherwise as f64) as i64;
        Self {
            confidence: number("confidence", usual.confidence),
            exposure_horizon_days: match variable("exposure_horizon") {
                Some(Variable::Duration(length)) => length.0 as f64 / DAY,
                _ => usual.exposure_horizon_days,
            },
            minimum_exposed: whole("minimum_exposed", usual.minimum_exposed),
            minimum_churners: whole("minimum_churners", usual.minimum_churners),
            minimum_compared: whole("minimum_compared", usual.minimum_compared),
            false_discovery_rate: number("false_discovery_rate", usual.false_discovery_rate),
            priority_weight: number("priority_weight", usual.priority_weight),
            currency: currency(pipeline),
        }
    }
}

/// The currency that the pipeline names: in a variable, or as the only one that a source's contract lets in.
fn currency(pipeline: &Pipeline) -> Option<String> {
    if let Some(Variable::Text(currency)) = pipeline.variables.get("currency").map(|variable| &variable.value) {
        return Some(currency.clone());
    }
    let rules = pipeline.sources.values().flat_map(|source| &source.contract);
    let mut accepted = rules.filter_map(|rule| match rule {
        RowRule::AcceptedValues { column, values } if column.value == "currency" => match values.as_slice() {
            [only] => Some(only),
            _ => None,
        },
        _ => None,
    });
    let first = accepted.next()?;
    accepted.all(|other| other == first).then(|| first.clone())
}
