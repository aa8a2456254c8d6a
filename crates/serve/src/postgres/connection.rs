//! One connection: its messages, one after the other, until it ends.
//!
//! The loop is our own rather than pgwire's, for four reasons. A message is refused by its length before it is read,
//! and by what is wrong inside of it before it is taken apart. An error during the login ends the connection, where
//! pgwire would go on to the first query. A client that is gone is noticed while its query runs. And an endpoint that
//! stops says so.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures::SinkExt;
use pgwire::api::auth::StartupHandler;
use pgwire::api::{ClientInfo, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use pgwire::messages::{DecodeContext, PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{MaybeTls, PgWireMessageServerCodec, negotiate_tls, process_message};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::codec::Framed;

use super::extended::{Extended, Parsed};
use super::frame;
use super::handler::Handler;
use super::login::{Login, Logins};
use super::session::Session;
use crate::event::{Event, Protocol};
use crate::failure::{Failure, sqlstate};
use crate::shared::Shared;
use crate::sockets;

/// A login that is refused for another reason than its password is answered so late.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);
/// The longest message before and after the login.
const LONGEST_OF_LOGIN: usize = 10_000;
const LONGEST: usize = 1024 * 1024;
/// Why a connection ended whose client closed it while its query ran.
const GONE: &str = "the client is gone";
/// Bytes read at a time.
const CHUNK: usize = 8 * 1024;

/// A client's end of the wire.
type Client = Framed<MaybeTls, PgWireMessageServerCodec<Parsed>>;

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
    sockets::prepare(&socket);
    let login_by = Instant::now() + shared.options.limits.login_timeout;
    let Ok((socket, watched)) = twice(socket) else { return };
    let login = Arc::new(Login::new(connection, peer, full, Arc::clone(shared), Arc::clone(&logins)));
    let (logged_in, reason) = match negotiated(socket, shared, login_by).await {
        Err(reason) => (false, reason),
        Ok(client) => {
            let mut conversation = Conversation {
                client,
                watched: &watched,
                shared,
                logins: &logins,
                login,
                handler,
                forget: Forget { logins: Arc::clone(&logins), key: None },
                login_by,
                logged_in: false,
                answers_to_login: 0,
                keepalive: Duration::ZERO,
                chunk: vec![0; CHUNK],
            };
            let reason = conversation.hold().await;
            (conversation.logged_in, reason)
        }
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

/// The client's end of the wire, once it is settled whether it is encrypted; or the reason why it is not.
async fn negotiated(socket: TcpStream, shared: &Shared, login_by: Instant) -> Result<Client, String> {
    let acceptor = shared.tls.as_ref().map(|tls| tls.acceptor.clone());
    let negotiated = tokio::select! {
        negotiated = negotiate_tls::<Parsed>(socket, acceptor) => negotiated,
        () = sleep_until(login_by) => return Err("no login in time".into()),
        () = shared.stopping() => return Err(String::new()),
    };
    match negotiated {
        Ok(Some(client)) => Ok(client),
        Ok(None) => Err("it wants TLS, which is not set up here".into()),
        Err(error) => Err(format!("TLS: {error}")),
    }
}

/// A connection whose messages are taken and answered. It breaks off with the reason why it ended, which is empty for a
/// client that left before its login.
struct Conversation<'a> {
    client: Client,
    /// The same socket, to see that the client is gone while its query runs.
    watched: &'a TcpStream,
    shared: &'a Shared,
    logins: &'a Logins,
    login: Arc<Login>,
    handler: Arc<Handler>,
    forget: Forget,
    login_by: Instant,
    logged_in: bool,
    /// Messages with a password, or with a step of its proof.
    answers_to_login: usize,
    /// The client's own setting that the socket has.
    keepalive: Duration,
    chunk: Vec<u8>,
}

impl Conversation<'_> {
    /// Takes messages and answers them until the connection ends; the reason why it did.
    async fn hold(&mut self) -> String {
        loop {
            if let ControlFlow::Break(reason) = self.next_turn().await {
                return reason;
            }
        }
    }

    /// One message and its answer.
    async fn next_turn(&mut self) -> ControlFlow<String> {
        match self.next_message().await? {
            PgWireFrontendMessage::Terminate(_) => ControlFlow::Break("it was closed".into()),
            PgWireFrontendMessage::CancelRequest(request) => {
                self.logins.cancel(&request);
                ControlFlow::Break(String::new())
            }
            message @ (PgWireFrontendMessage::Startup(_) | PgWireFrontendMessage::PasswordMessageFamily(_))
                if !self.logged_in =>
            {
                self.log_in(message).await
            }
            _ if !self.logged_in => {
                let early = Failure::new(sqlstate::PROTOCOL_VIOLATION, "the login comes first");
                let _ = self.client.send(error(early.fatal().into())).await;
                ControlFlow::Break("a message before the login".into())
            }
            message => self.answer(message).await,
        }
    }

    /// Waits for the next message, as long as there may be one.
    async fn next_message(&mut self) -> ControlFlow<String, PgWireFrontendMessage> {
        let (shared, login_by, logged_in) = (self.shared, self.login_by, self.logged_in);
        let (idle, idle_code) = self.idle();
        let idle_until = Instant::now() + idle;
        let received = tokio::select! {
            biased;
            () = shared.stopping() => {
                let stopping = Failure::new(sqlstate::SHUTTING_DOWN, "the endpoint is stopping");
                let _ = self.client.send(error(stopping.fatal().into())).await;
                return ControlFlow::Break("the endpoint is stopping".into());
            }
            () = sleep_until(login_by), if !logged_in => return ControlFlow::Break("no login in time".into()),
            () = sleep_until(idle_until), if logged_in => {
                let reason = format!("the connection was idle for {} s", idle.as_secs_f64());
                let hint = "connect again; the endpoint's --idle-timeout and the client's idle_session_timeout and \
                            idle_in_transaction_session_timeout say for how long it may be";
                let _ = self.client.send(error(Failure::new(idle_code, &reason).hint(hint).fatal().into())).await;
                return ControlFlow::Break(reason);
            }
            received = self.received() => received,
        };
        match received {
            None if self.logged_in => ControlFlow::Break("it was closed".into()),
            None => ControlFlow::Break(String::new()),
            Some(Ok(message)) => ControlFlow::Continue(message),
            Some(Err(PgWireError::IoError(problem))) => ControlFlow::Break(format!("it broke: {problem}")),
            Some(Err(problem)) => {
                let info = ErrorInfo::from(problem);
                let reason = info.message.clone();
                let _ = self.client.send(error(info)).await;
                ControlFlow::Break(reason)
            }
        }
    }

    /// How long the client may say nothing now, and the code with which it is told that this was too long. Its own
    /// settings can only shorten the endpoint's time.
    fn idle(&mut self) -> (Duration, &'static str) {
        let most = self.shared.options.limits.idle_timeout;
        let Some(session) = self.client.session_extensions().get::<Session>() else {
            return (most, sqlstate::IDLE_SESSION);
        };
        let settings = session.settings();
        if settings.keepalive() != self.keepalive {
            self.keepalive = settings.keepalive();
            sockets::keep_alive(self.watched, self.keepalive);
        }
        let in_transaction = self.client.transaction_status() != TransactionStatus::Idle;
        let code = if in_transaction { sqlstate::IDLE_TRANSACTION } else { sqlstate::IDLE_SESSION };
        (settings.idle_timeout(in_transaction).map_or(most, |own| own.min(most)), code)
    }

    /// Reads until a message is whole; `None` when the client has closed the connection.
    async fn received(&mut self) -> Option<PgWireResult<PgWireFrontendMessage>> {
        loop {
            if let Some(message) = self.whole_message().transpose() {
                return Some(message);
            }
            match self.client.get_mut().read(&mut self.chunk).await {
                Ok(0) => return None,
                Ok(read) => self.client.read_buffer_mut().extend_from_slice(&self.chunk[..read]),
                Err(problem) => return Some(Err(PgWireError::IoError(problem))),
            }
        }
    }

    /// Takes a message out of what was read, once all of it is there.
    fn whole_message(&mut self) -> PgWireResult<Option<PgWireFrontendMessage>> {
        let longest = if self.logged_in { LONGEST } else { LONGEST_OF_LOGIN };
        let first = matches!(self.client.state(), PgWireConnectionState::AwaitingStartup);
        let buffer = self.client.read_buffer();
        let Some(whole) = frame::announced(buffer, first) else { return Ok(None) };
        if whole > longest {
            let message = format!("a message may have {longest} bytes at most");
            return Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, message).fatal());
        }
        if whole > buffer.len() {
            return Ok(None);
        }
        if !frame::is_sound(&buffer[..whole], first, self.answers_to_login == 0) {
            let message = "a message is not what it says it is";
            return Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, message).fatal());
        }
        let mut context = DecodeContext::new(self.client.protocol_version());
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = first;
        PgWireFrontendMessage::decode(self.client.read_buffer_mut(), &context)
    }

    /// A step of the login.
    async fn log_in(&mut self, message: PgWireFrontendMessage) -> ControlFlow<String> {
        self.answers_to_login += usize::from(matches!(message, PgWireFrontendMessage::PasswordMessageFamily(_)));
        if let Err(problem) = self.login.on_startup(&mut self.client, message).await {
            let info = ErrorInfo::from(problem);
            let reason = info.message.clone();
            // A wrong password has waited already.
            if ![sqlstate::TOO_MANY_CONNECTIONS, sqlstate::WRONG_PASSWORD].contains(&info.code.as_str()) {
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
            let _ = self.client.send(error(info)).await;
            let _ = self.client.close().await;
            return ControlFlow::Break(reason);
        }
        self.logged_in = self.client.session_extensions().get::<Session>().is_some();
        if self.logged_in {
            self.forget.key = Some(self.client.pid_and_secret_key());
        }
        ControlFlow::Continue(())
    }

    /// Answers a message of a client that is logged in.
    async fn answer(&mut self, message: PgWireFrontendMessage) -> ControlFlow<String> {
        let extended = message.is_extended_query();
        let nothing = Arc::new(NoopHandler);
        let (simple, prepared) = (Arc::clone(&self.handler), Arc::new(Extended(Arc::clone(&self.handler))));
        let login = Arc::clone(&self.login);
        let answered = process_message(message, &mut self.client, login, simple, prepared, nothing.clone(), nothing);
        // Only now is it watched: a request to cancel comes from a client that closes right behind it.
        let answered = tokio::select! {
            biased;
            answered = answered => answered,
            // Whatever runs for a client that is gone is dropped, and with it the query.
            () = gone(self.watched) => return ControlFlow::Break(GONE.into()),
        };
        match answered {
            Ok(()) => ControlFlow::Continue(()),
            Err(PgWireError::IoError(problem)) => ControlFlow::Break(format!("it broke: {problem}")),
            Err(problem) => self.report(ErrorInfo::from(problem), extended).await,
        }
    }

    /// Sends the client a failure and, unless that ends the connection, that it may go on.
    async fn report(&mut self, info: ErrorInfo, extended: bool) -> ControlFlow<String> {
        let fatal = info.is_fatal().then(|| info.message.clone());
        let status = self.client.transaction_status().to_error_state();
        self.client.set_transaction_status(status);
        let mut sent = self.client.feed(error(info)).await;
        if fatal.is_none() && extended {
            self.client.set_state(PgWireConnectionState::AwaitingSync);
        } else if fatal.is_none() {
            self.client.set_state(PgWireConnectionState::ReadyForQuery);
            let ready = PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(status));
            sent = sent.and(self.client.feed(ready).await);
        }
        if let Err(problem) = sent.and(self.client.flush().await) {
            return ControlFlow::Break(format!("it broke: {problem}"));
        }
        fatal.map_or(ControlFlow::Continue(()), ControlFlow::Break)
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
