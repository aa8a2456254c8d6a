//! What a search is told.

/// What a candidate must come to, and what is known of episodes beforehand.
#[derive(Debug, Clone, Copy)]
pub struct DiscoveryOptions {
    /// Touchpoints at or after this are not there yet (microseconds); episodes whose idle time has not passed before it
    /// are not over.
    pub as_of: i64,
    /// Episodes over with less are no candidate.
    pub minimum_episodes: usize,
    /// Whether each unit of the log is a case, and so an episode.
    pub units_are_cases: bool,
    /// The silence that ends an episode (microseconds); read from the gaps when it is not given.
    pub silence: Option<i64>,
}
