//! One connection: its messages, one after the other, until it ends.
//!
//! The loop is our own rather than pgwire's, for four reasons. A message is refused by its length before it is read, and
//! by what is wrong inside of it before it is taken apart. An
//! error during the login ends the connection, where pgwire would go on to the first query. A client that is gone is
//! noticed while its query runs. And an endpoint that stops says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::SinkExt;
use pgwire::api::auth::StartupHandler;
use pgwire::api::{ClientInfo, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::response::ReadyForQuery;
use pgwire::messages::{DecodeContext, PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{negotiate_tls, process_message};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;

use super::extended::{Extended, Parsed};
use super::frame;
use super::handler::Handler;
use super::login::{Login, Logins};
use super::session::Session;
use crate::event::{Event, Protocol};
use crate::failure::{Failure, sqlstate};
use crate::shared::Shared;

/// From the first byte to the end of the login.
const LOGIN_TIME: Duration = Duration::from_secs(15);
/// Guessing passwords is slow.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);
/// The longest message before and after the login.
const LONGEST_OF_LOGIN: usize = 10_000;
const LONGEST: usize = 1024 * 1024;
/// Why a connection ended whose client closed it while its query ran.
const GONE: &str = "the client is gone";
/// Bytes read at a time.
const CHUNK: usize = 8 * 1024;

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
    let reason = converse(socket, &watched, &mut logged_in, shared, &logins, login, handler).await;
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
    watched: &TcpStream,
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
    let mut answers_to_login = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let longest = if *logged_in { LONGEST } else { LONGEST_OF_LOGIN };
        let next = async {
            loop {
                let first = matches!(client.state(), PgWireConnectionState::AwaitingStartup);
                let buffer = client.read_buffer();
                let whole = frame::announced(buffer, first);
                if whole.is_some_and(|whole| whole > longest) {
                    let message = format!("a message may have {longest} bytes at most");
                    return Some(Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, message).fatal()));
                }
                if let Some(whole) = whole.filter(|whole| *whole <= buffer.len()) {
                    if !frame::is_sound(&buffer[..whole], first, answers_to_login == 0) {
                        let message = "a message is not what it says it is";
                        return Some(Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, message).fatal()));
                    }
                    let mut context = DecodeContext::new(client.protocol_version());
                    context.awaiting_frontend_ssl = false;
                    context.awaiting_frontend_startup = first;
                    if let Some(decoded) = PgWireFrontendMessage::decode(client.read_buffer_mut(), &context).transpose()
                    {
                        return Some(decoded);
                    }
                }
                match client.get_mut().read(&mut chunk).await {
                    Ok(0) => return None,
                    Ok(read) => client.read_buffer_mut().extend_from_slice(&chunk[..read]),
                    Err(problem) => return Some(Err(PgWireError::IoError(problem))),
                }
            }
        };
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
                answers_to_login += usize::from(matches!(message, PgWireFrontendMessage::PasswordMessageFamily(_)));
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
                // Only now is it watched: a request to cancel comes from a client that closes right behind it.
                let answered = tokio::select! {
                    biased;
                    answered = answered => answered,
                    // Whatever runs for a client that is gone is dropped, and with it the query.
                    () = gone(watched) => return GONE.into(),
                };
                let Err(problem) = answered else { continue };
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

/// When the connection is gone, nobody can cancel what it runs.
struct Forget {
    logins: Arc<Logins>,
    key: Option<(i32, pgwire::messages::startup::SecretKey)>,
}

impl Drop for Forget {
    fn drop(&mut self) {
        if let Some((process, key)) = &self.key {
            self.logins.forget(*process, key);
        }
    }
}
