//! One connection: its messages, one after the other, until it ends.
//!
//! The loop is our own rather than pgwire's, for four reasons. A message is refused by its length before it is read. An
//! error during the login ends the connection, where pgwire would go on to the first query. A client that is gone is
//! noticed while its query runs. And an endpoint that stops says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use datafusion_postgres::pgwire::api::auth::StartupHandler;
use datafusion_postgres::pgwire::api::{ClientInfo, NoopHandler, PgWireConnectionState};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError};
use datafusion_postgres::pgwire::messages::response::ReadyForQuery;
use datafusion_postgres::pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use datafusion_postgres::pgwire::tokio::server::{negotiate_tls, process_message};
use futures::{SinkExt, StreamExt};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::handler::{Extended, Handler, Parsed};
use super::login::{Login, Logins};
use super::session::Session;
use crate::event::{Event, Protocol};
use crate::failure::{Failure, sqlstate};
use crate::server::Shared;

/// From the first byte to the end of the login.
const LOGIN_TIME: Duration = Duration::from_secs(15);
/// Guessing passwords is slow.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);
/// The longest message before and after the login.
const LONGEST_OF_LOGIN: usize = 10_000;
const LONGEST: usize = 1024 * 1024;

/// Serves a connection to its end.
pub(super) async fn run(
    socket: TcpStream,
    peer: SocketAddr,
    full: bool,
    shared: &Arc<Shared>,
    logins: Arc<Logins>,
    handler: Arc<Handler>,
) {
    let connection = shared.next_connection();
    let Ok((socket, watched)) = twice(socket) else { return };
    let login = Arc::new(Login::new(connection, peer, full, Arc::clone(shared), Arc::clone(&logins)));
    let mut logged_in = false;
    let reason = tokio::select! {
        reason = converse(socket, &mut logged_in, shared, &logins, login, handler) => reason,
        // Whatever runs for a client that is gone is dropped, and with it the query.
        () = gone(&watched) => "the client is gone".to_owned(),
    };
    if logged_in {
        shared.observer.event(&Event::Disconnected { connection, protocol: Protocol::Postgres, reason: &reason });
    } else if !reason.is_empty() {
        shared.observer.event(&Event::Refused { protocol: Protocol::Postgres, peer, reason: &reason });
    }
}

/// Two handles of the socket: one to speak through, one to watch.
fn twice(socket: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let socket = socket.into_std()?;
    let watched = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, TcpStream::from_std(watched)?))
}

/// Comes back when the other side has closed the connection. Reads nothing.
async fn gone(socket: &TcpStream) {
    loop {
        match socket.ready(Interest::READABLE).await {
            Ok(ready) if ready.is_read_closed() || ready.is_error() => return,
            Ok(_) => {
                // Bytes have come, which are not for us: wait for the next change.
                let _ = socket.try_io(Interest::READABLE, || Err::<(), _>(std::io::ErrorKind::WouldBlock.into()));
            }
            Err(_) => return,
        }
    }
}

/// Takes messages and answers them. Gives the reason why the connection ended; empty for a client that left before its
/// login.
async fn converse(
    socket: TcpStream,
    logged_in: &mut bool,
    shared: &Arc<Shared>,
    logins: &Arc<Logins>,
    login: Arc<Login>,
    handler: Arc<Handler>,
) -> String {
    let too_slow = tokio::time::sleep(LOGIN_TIME);
    tokio::pin!(too_slow);
    let acceptor = shared.tls.as_ref().map(|tls| tls.acceptor.clone());
    let negotiated = tokio::select! {
        negotiated = negotiate_tls::<Parsed>(socket, acceptor) => negotiated,
        () = &mut too_slow => return "no login in time".into(),
        () = shared.stopping() => return String::new(),
    };
    let mut client = match negotiated {
        Ok(Some(client)) => client,
        Ok(None) => return "it wants TLS, which is not set up here".into(),
        Err(error) => return format!("TLS: {error}"),
    };
    let mut forget = Forget { logins: Arc::clone(logins), key: None };
    loop {
        let longest = if *logged_in { LONGEST } else { LONGEST_OF_LOGIN };
        let begins_with_length = matches!(client.state(), PgWireConnectionState::AwaitingStartup);
        let next = std::future::poll_fn(|context| match client.poll_next_unpin(context) {
            Poll::Pending if announced(client.read_buffer(), begins_with_length) > longest => {
                let message = format!("a message may have {longest} bytes at most");
                Poll::Ready(Some(Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, message).fatal())))
            }
            other => other,
        });
        let message = tokio::select! {
            biased;
            () = shared.stopping() => {
                let stopping = Failure::new(sqlstate::SHUTTING_DOWN, "the endpoint is stopping");
                let _ = client.send(error(stopping.fatal().into())).await;
                return "the endpoint is stopping".into();
            }
            () = &mut too_slow, if !*logged_in => return "no login in time".into(),
            message = next => message,
        };
        let message = match message {
            None => return if *logged_in { "it was closed".into() } else { String::new() },
            Some(Ok(message)) => message,
            Some(Err(PgWireError::IoError(problem))) => return format!("it broke: {problem}"),
            Some(Err(problem)) => {
                let info = ErrorInfo::from(problem);
                let reason = info.message.clone();
                let _ = client.send(error(info)).await;
                return reason;
            }
        };
        match message {
            PgWireFrontendMessage::Terminate(_) => return "it was closed".into(),
            PgWireFrontendMessage::CancelRequest(request) => {
                logins.cancel(&request);
                return String::new();
            }
            PgWireFrontendMessage::Startup(_) | PgWireFrontendMessage::PasswordMessageFamily(_) if !*logged_in => {
                if let Err(problem) = login.on_startup(&mut client, message).await {
                    let info = ErrorInfo::from(problem);
                    let reason = info.message.clone();
                    if info.code != sqlstate::TOO_MANY_CONNECTIONS {
                        tokio::time::sleep(AFTER_REFUSAL).await;
                    }
                    let _ = client.send(error(info)).await;
                    let _ = client.close().await;
                    return reason;
                }
                *logged_in = client.session_extensions().get::<Session>().is_some();
                if *logged_in {
                    forget.key = Some(client.pid_and_secret_key());
                }
            }
            _ if !*logged_in => {
                let early = Failure::new(sqlstate::PROTOCOL_VIOLATION, "the login comes first");
                let _ = client.send(error(early.fatal().into())).await;
                return "a message before the login".into();
            }
            message => {
                let extended = message.is_extended_query();
                let nothing = Arc::new(NoopHandler);
                let (simple, prepared) = (Arc::clone(&handler), Arc::new(Extended(Arc::clone(&handler))));
                let answered = process_message(
                    message,
                    &mut client,
                    Arc::clone(&login),
                    simple,
                    prepared,
                    nothing.clone(),
                    nothing,
                );
                let Err(problem) = answered.await else { continue };
                if let PgWireError::IoError(problem) = problem {
                    return format!("it broke: {problem}");
                }
                let info = ErrorInfo::from(problem);
                let fatal = info.is_fatal().then(|| info.message.clone());
                let status = client.transaction_status().to_error_state();
                client.set_transaction_status(status);
                let mut sent = client.feed(error(info)).await;
                if fatal.is_none() && extended {
                    client.set_state(PgWireConnectionState::AwaitingSync);
                } else if fatal.is_none() {
                    client.set_state(PgWireConnectionState::ReadyForQuery);
                    sent = sent.and(client.feed(PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(status))).await);
                }
                if let Err(problem) = sent.and(client.flush().await) {
                    return format!("it broke: {problem}");
                }
                if let Some(reason) = fatal {
                    return reason;
                }
            }
        }
    }
}

fn error(info: ErrorInfo) -> PgWireBackendMessage {
    PgWireBackendMessage::ErrorResponse(info.into())
}

/// How many bytes the message will have that begins in the buffer: what its length says, or what has come of it already.
fn announced(buffer: &[u8], begins_with_length: bool) -> usize {
    let start = if begins_with_length { 0 } else { 1 };
    let length = buffer.get(start..start + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    buffer.len().max(usize::try_from(length).unwrap_or(usize::MAX))
}

/// When the connection is gone, nobody can cancel what it runs.
struct Forget {
    logins: Arc<Logins>,
    key: Option<(i32, datafusion_postgres::pgwire::messages::startup::SecretKey)>,
}

impl Drop for Forget {
    fn drop(&mut self) {
        if let Some((process, key)) = &self.key {
            self.logins.forget(*process, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::announced;

    #[test]
    fn a_message_is_judged_by_what_it_says_of_itself() {
        assert_eq!(announced(b"", true), 0);
        assert_eq!(announced(b"Q\x00\x00", false), 3);
        assert_eq!(announced(b"Q\x7f\xff\xff\xff", false), 0x7fff_ffff);
        assert_eq!(announced(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", true), 8);
        assert_eq!(announced(&[b'x'; 50], false), 0x7878_7878);
    }
}
