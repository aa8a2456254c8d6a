//! What a search is told.

use throughline_config::Duration;

/// How to search.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    /// Patterns are searched in the touchpoints of at most so many customers.
    pub customers: usize,
    /// A pattern with fewer episodes is no candidate. Counts for all customers; when only some are searched, the limit is
    /// proportionally lower.
    pub minimum_episodes: usize,
    /// A column of the touchpoints that separates cases within a customer, such as `order_id`; each is an episode.
    pub key: Option<String>,
    /// The silence that ends an episode; read from the gaps between touchpoints when it is not given.
    pub silence: Option<Duration>,
    /// Looks as of the newest published run, where there is one, and not as of the options of the workspace.
    pub as_of_newest_run: bool,
}
