//! Journey definitions (`journeys:`).

use crate::{Duration, Located};

/// A journey definition (SEMANTICS 2).
#[derive(Debug, Clone)]
pub struct JourneyDefinition {
    /// Name: `snake_case`, the prefix of `journey_id`.
    pub name: Located<String>,
    /// For people.
    pub label: String,
    /// The function that answers for it.
    pub owner: Option<String>,
    /// What the customer is trying to do.
    pub description: Option<String>,
    /// Opens an instance.
    pub starts: Located<String>,
    /// Closes it as completed.
    pub ends: Option<Located<String>>,
    /// Closes it as abandoned.
    pub abandons: Option<Located<String>>,
    /// Which other touchpoints belong; all when absent.
    pub includes: Option<Located<String>>,
    /// Limit from the first touchpoint, strict.
    pub within: Option<Duration>,
    /// Limit between two members, strict.
    pub idle: Option<Duration>,
    /// What a second start does to an open instance.
    pub on_restart: OnRestart,
    /// Always contains `customer_id`; `[customer_id]` by default.
    pub key: Vec<Located<String>>,
    /// Who could have been on it: a condition over the customer's columns.
    pub eligible: Option<Located<String>>,
    /// From which instant on: over the customer's columns; a null is never.
    pub eligible_from: Option<Located<String>>,
    /// Until which instant: over the customer's columns; a null has no end.
    pub eligible_until: Option<Located<String>>,
    /// Expert judgement, 1 to 5.
    pub importance: Option<u8>,
    /// Why that importance.
    pub rationale: Option<String>,
}

/// What a touchpoint that starts a journey does when one is already open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnRestart {
    /// It is a member like any other.
    Absorb,
    /// The open instance closes as restarted and a new one opens.
    Split,
}
