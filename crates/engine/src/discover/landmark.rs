//! The landmark at which churn is compared.

use throughline_config::Timestamp;

/// A landmark with its windows, microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Landmark {
    pub(crate) at: Timestamp,
    pub(crate) exposure_from: Timestamp,
    pub(crate) outcome_from: Timestamp,
    pub(crate) outcome_until: Timestamp,
}
