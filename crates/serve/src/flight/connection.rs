//! A connection that speaks Arrow Flight SQL: its socket, its place, and who is at the other end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::Connected;

use crate::event::{Event, Protocol};
use crate::shared::Shared;

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
            let _ = socket.set_nodelay(true);
            let peer = Peer { connection: shared.next_connection(), address: peer };
            let connection = Connection { socket, peer, shared: Arc::clone(&shared), _place: place };
            return Some((Ok(connection), (listener, places, shared)));
        }
    })
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) connection: u64,
    pub(super) address: SocketAddr,
}

/// A socket that gives its place back when it is closed.
pub(super) struct Connection {
    socket: TcpStream,
    peer: Peer,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Peer { connection, .. } = self.peer;
        let reason = "it was closed";
        self.shared.observer.event(&Event::Disconnected { connection, protocol: Protocol::Flight, reason });
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        let Peer { connection, address } = self.peer;
        self.shared.observer.event(&Event::Connected {
            connection,
            protocol: Protocol::Flight,
            peer: address,
            user: "",
        });
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
