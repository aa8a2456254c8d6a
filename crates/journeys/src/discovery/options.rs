//! What a search is told.

/// What a candidate must come to.
#[derive(Debug, Clone, Copy)]
pub struct DiscoveryOptions {
    /// Touchpoints at or after this are not there yet (microseconds); episodes whose idle time has not passed before it
    /// are not over.
    pub as_of: i64,
    /// Episodes over with less are no candidate.
    pub minimum_episodes: usize,
}
