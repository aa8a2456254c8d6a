//! `throughline discover`: candidate journeys from the touchpoints alone.

mod churn;
mod definition;
mod landmark;
mod result;
mod search;
mod tally;

pub use result::{ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, LandmarkDays, Likeness};
pub use search::{SearchOptions, discover};
