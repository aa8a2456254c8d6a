//! `throughline discover`: candidate journeys from the touchpoints alone.

mod churn;
mod counting;
mod definition;
mod membership;
mod result;
mod search;
pub(crate) mod statement;
mod tally;

pub(crate) use membership::keep_days;
pub use result::{ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, JudgedPeriod, Likeness};
pub use search::{SearchOptions, discover};
