//! A connection that speaks Arrow Flight SQL: its socket, its place, and who is at the other end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tonic::transport::server::Connected;

use crate::event::{Event, Protocol};
use crate::shared::Shared;
use crate::sockets;

/// After an error of the system (too many open files) the next attempt waits.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Connections as they come, as many at a time as there are places.
pub(super) fn incoming(listener: TcpListener, shared: Arc<Shared>) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(shared.options.limits.connections));
    futures::stream::unfold((listener, places, shared), |(listener, places, shared)| async move {
        loop {
            let Ok((socket, peer)) = listener.accept().await else {
                tokio::time::sleep(AFTER_ERROR).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                // There is no way to say so before the client has spoken.
                let reason = "too many connections";
                shared.observer.event(&Event::Refused { protocol: Protocol::Flight, peer, reason });
                continue;
            };
            sockets::prepare(&socket);
            let activity = Arc::new(Activity::new(shared.options.limits.login_timeout));
            let peer = Peer { connection: shared.next_connection(), address: peer, activity };
            let clock = Box::pin(tokio::time::sleep_until(peer.activity.until()));
            let connection = Connection { socket, peer, clock, shared: Arc::clone(&shared), _place: place };
            return Some((Ok(connection), (listener, places, shared)));
        }
    })
}

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) connection: u64,
    pub(super) address: SocketAddr,
    pub(super) activity: Arc<Activity>,
}

/// Until when a connection may say nothing. It is known by calls rather than by bytes, since clients and libraries
/// answer each other's questions whether they live.
#[derive(Debug)]
pub(super) struct Activity(Mutex<(Instant, bool)>);

impl Activity {
    fn new(login: Duration) -> Self {
        Self(Mutex::new((Instant::now() + login, false)))
    }

    fn state(&self) -> MutexGuard<'_, (Instant, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self) -> Instant {
        self.state().0
    }

    /// A call was let in, which may be silent for so long.
    pub(super) fn for_another(&self, time: Duration) {
        *self.state() = (Instant::now() + time, true);
    }

    /// Why the connection ends that did nothing for so long.
    fn reason(&self) -> &'static str {
        if self.state().1 { "it was idle" } else { "no login in time" }
    }
}

/// A socket that ends when it was idle for too long, and gives its place back when it is closed.
pub(super) struct Connection {
    socket: TcpStream,
    peer: Peer,
    clock: Pin<Box<Sleep>>,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// Whether it was idle for too long. Wakes the task when that may be so.
    fn was_idle(&mut self, context: &mut Context<'_>) -> bool {
        while self.clock.as_mut().poll(context).is_ready() {
            let until = self.peer.activity.until();
            if Instant::now() >= until {
                return true;
            }
            self.clock.as_mut().reset(until);
        }
        false
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let connection = self.peer.connection;
        let idle = Instant::now() >= self.peer.activity.until();
        let reason = if idle { self.peer.activity.reason() } else { "it was closed" };
        self.shared.observer.event(&Event::Disconnected { connection, protocol: Protocol::Flight, reason });
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.shared.observer.event(&Event::Connected {
            connection: self.peer.connection,
            protocol: Protocol::Flight,
            peer: self.peer.address,
            user: "",
        });
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.was_idle(context) {
            let problem = io::Error::new(io::ErrorKind::TimedOut, self.peer.activity.reason());
            return Poll::Ready(Err(problem));
        }
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
