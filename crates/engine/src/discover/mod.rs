//! `throughline discover`: candidate journeys from the touchpoints alone.
//!
//! Begin with `search`: it is the entry, and calls the others.
//!
//! - `membership`: the days that count, the period that is judged, and who could have been on a journey when.
//! - `definition`: a pattern becomes a journey definition, for the matcher and as YAML.
//! - `counting`: one pass of the matcher over all touchpoints, by candidates and the pipeline's definitions; `tally`
//!   takes up its members: volumes, durations, and what definitions share.
//! - `churn`: the link to leaving, by person-time.
//! - `result`: what was found, as data.
//!
//! `statement` plans and runs the SQL that several of them need; `robust` uses it, too.

mod search;
mod membership;
mod definition;
mod counting;
mod tally;
mod churn;
mod result;
pub(crate) mod statement;

pub(crate) use membership::keep_days;
pub use result::{ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, JudgedPeriod, Likeness};
pub use search::{SearchOptions, discover};
