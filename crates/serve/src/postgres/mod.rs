//! PostgreSQL's wire: takes connections, and ends them.

mod connection;
mod frame;
mod login;
mod session;
mod settings;
mod handler;
mod extended;
mod statement;
mod rewrite;
mod parameters;
mod cursor;

pub(crate) use statement::first_words;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::shared::Shared;

use handler::Handler;
use login::Logins;

/// Connections beyond the limit that are refused with a message at the same time; further ones are closed without one.
const TURNED_AWAY_AT_ONCE: usize = 32;
/// After an error of the system (too many open files) the next attempt waits.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Takes connections until the endpoint stops, and then lets those that work end their work.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(shared.options.limits.connections));
    let extra = Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE));
    let logins = Arc::new(Logins::new(&shared));
    let handler = Arc::new(Handler::new(Arc::clone(&shared)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shared.stopping() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, peer)) = accepted else {
            tokio::time::sleep(AFTER_ERROR).await;
            continue;
        };
        let (place, full) = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => (place, false),
            Err(_) => match Arc::clone(&extra).try_acquire_owned() {
                Ok(place) => (place, true),
                Err(_) => continue,
            },
        };
        let (shared, logins, handler) = (Arc::clone(&shared), Arc::clone(&logins), Arc::clone(&handler));
        connections.spawn(async move {
            connection::run(socket, peer, full, &shared, logins, handler).await;
            drop(place);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Those that are still at work after that are dropped with the set.
    let _ = tokio::time::timeout(shared.options.grace, all).await;
}
