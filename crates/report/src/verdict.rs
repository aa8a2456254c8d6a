//! What is to be said of a journey and churn.

use serde::Serialize;

/// Whether a journey is linked to churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Linked to more churn beyond chance.
    More,
    /// Linked to less.
    Fewer,
    /// It may be chance.
    Chance,
    /// Not ranked.
    Unranked,
}
