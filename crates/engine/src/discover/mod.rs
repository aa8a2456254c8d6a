//! `throughline discover`: candidate journeys from the touchpoints alone.
//!
//! Begin with `search`: it is the entry, and calls the others, in this order.
//!
//! - `options`: what a search is told.
//! - `touchpoints`: which relation and columns are read, of which customers, in one pass, and what is refused.
//! - `definition`: a pattern becomes a journey definition, for the matcher and as YAML.
//! - `counting`: one pass of the matcher over all touchpoints, by candidates and the pipeline's definitions; `tally`
//!   takes up its members: volumes, durations, customers, and what definitions share.
//! - `candidates`: a candidate with its figures, what it is like, and its rank.
//! - `membership`: the days that count, the period that is judged, and who could have been on a journey when.
//! - `sides`: who left, for candidates and definitions; `churn` computes the link, by person-time.
//! - `result`: what was found, as data.
//!
//! `statement` plans and runs the SQL that several of them need; `robust` uses it, too.

mod search;
mod options;
mod touchpoints;
mod definition;
mod counting;
mod tally;
mod candidates;
mod membership;
mod sides;
mod churn;
mod result;
pub(crate) mod statement;

pub(crate) use membership::keep_days;
pub use options::SearchOptions;
pub use result::{ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, JudgedPeriod, Likeness};
pub use search::discover;
