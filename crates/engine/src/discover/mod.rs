//! `throughline discover`: candidate journeys from the touchpoints alone.

mod churn;
mod counting;
mod definition;
mod membership;
mod result;
mod search;
mod statement;
mod tally;

pub use result::{ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, JudgedPeriod, Likeness};
pub use search::{SearchOptions, discover};
