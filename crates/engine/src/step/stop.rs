//! Asking a run to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// Asks a run to stop: it ends its steps, removes what they staged, and records that it was interrupted. A commit that
/// is under way is finished first.
#[derive(Debug, Clone)]
pub struct StopSignal(Arc<watch::Sender<bool>>);

impl Default for StopSignal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl StopSignal {
    /// Requests the stop. Once is enough.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether a stop was requested.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when a stop is requested.
    pub(crate) async fn requested(&self) {
        let mut requests = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = requests.wait_for(|is_requested| *is_requested).await;
    }
}
