//! Arrow Flight SQL: takes connections, and ends them.

mod login;
mod service;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::Connected;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::event::{Event, Protocol};
use crate::server::Shared;

use service::Service;

/// Calls of one connection at the same time.
const CALLS_AT_ONCE: usize = 32;
/// The longest message a client may send: SQL, or parameters.
const LONGEST: usize = 1024 * 1024;
/// A silent client is asked so often whether it is still there, and given so long to say so.
const STILL_THERE: Duration = Duration::from_secs(20);
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Takes connections until the endpoint stops, and then lets those that work end their work.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let service = FlightServiceServer::new(Service::new(Arc::clone(&shared))).max_decoding_message_size(LONGEST);
    let mut builder = Server::builder()
        .concurrency_limit_per_connection(CALLS_AT_ONCE)
        .http2_keepalive_interval(Some(STILL_THERE))
        .http2_keepalive_timeout(Some(STILL_THERE));
    if let Some(tls) = &shared.tls {
        let identity = Identity::from_pem(&tls.certificate, &tls.key);
        // The same files have been read before, so this does not fail.
        builder = match builder.tls_config(ServerTlsConfig::new().identity(identity)) {
            Ok(builder) => builder,
            Err(error) => {
                let message = format!("Flight SQL cannot use the certificate: {error}");
                shared.observer.event(&Event::NotRefreshed { message: &message });
                return;
            }
        };
    }
    let stopping = Arc::clone(&shared);
    let ended = async {
        stopping.stopping().await;
        tokio::time::sleep(shared.options.grace).await;
    };
    let until = Arc::clone(&shared);
    let server = builder
        .add_service(service)
        .serve_with_incoming_shutdown(incoming(listener, Arc::clone(&shared)), async move { until.stopping().await });
    tokio::select! {
        // It ends when all connections have; what is left after the grace is dropped.
        _ = server => {}
        () = ended => {}
    }
}

fn incoming(listener: TcpListener, shared: Arc<Shared>) -> impl Stream<Item = io::Result<Connection>> {
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
struct Connection {
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
