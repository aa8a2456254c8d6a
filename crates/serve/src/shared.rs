//! What every connection needs: the options, the newest edition, and the signal that the endpoint stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::edition::Edition;
use crate::event::Observer;
use crate::guesses::Guesses;
use crate::options::ServeOptions;
use crate::queries::Queries;
use crate::tls::Tls;

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) options: ServeOptions,
    pub(crate) tls: Option<Tls>,
    pub(crate) queries: Queries,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) guesses: Guesses,
    edition: watch::Receiver<Arc<Edition>>,
    stopping: watch::Receiver<bool>,
    connections: AtomicU64,
}

impl Shared {
    /// With no connections yet. What is served changes by `edition`, and the endpoint stops by `stopping`.
    pub(crate) fn new(
        options: ServeOptions,
        tls: Option<Tls>,
        queries: Queries,
        observer: Arc<dyn Observer>,
        edition: watch::Receiver<Arc<Edition>>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let guesses = Guesses::new(options.limits.wrong_passwords, options.limits.lockout);
        Self { options, tls, queries, observer, guesses, edition, stopping, connections: AtomicU64::new(0) }
    }

    /// What a statement that begins now sees.
    pub(crate) fn edition(&self) -> Arc<Edition> {
        Arc::clone(&self.edition.borrow())
    }

    /// The number of a new connection.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Comes back when the endpoint is to stop.
    pub(crate) async fn stopping(&self) {
        let mut stopping = self.stopping.clone();
        // An error says that the server itself is gone, which is a stop too.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}
