//! Signals that ask the program to end: Ctrl-C and, where there is such a thing, SIGTERM.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How the program is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By a person, with Ctrl-C.
    Interrupt,
    /// By what manages the process, with SIGTERM.
    #[cfg(unix)]
    Terminate,
}

/// Hears every such signal from its making on.
pub(crate) struct Interruptions {
    #[cfg(unix)]
    signals: Option<(Signal, Signal)>,
}

impl Interruptions {
    pub(crate) fn new() -> Self {
        Self {
            // Without a handler a signal ends the process by itself.
            #[cfg(unix)]
            signals: signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok()),
        }
    }

    /// The next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Asked {
        let Some((interrupt, terminate)) = &mut self.signals else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => Asked::Interrupt,
            _ = terminate.recv() => Asked::Terminate,
        }
    }

    /// The next one.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Asked {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Asked::Interrupt
    }
}
