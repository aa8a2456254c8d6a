//! What both ports ask of the system for each of their sockets.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// A silent client is asked so often whether it is still there, unless its own setting says otherwise.
pub(crate) const STILL_THERE: Duration = Duration::from_secs(60);

/// Sends small answers at once, and finds out about clients that are gone without a word.
pub(crate) fn prepare(socket: &TcpStream) {
    // A system that cannot do either serves without it.
    let _ = socket.set_nodelay(true);
    keep_alive(socket, STILL_THERE);
}

/// Asks a client that was silent for so long whether it is still there.
pub(crate) fn keep_alive(socket: &TcpStream, idle: Duration) {
    let idle = if idle.is_zero() { STILL_THERE } else { idle };
    let _ = SockRef::from(socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(idle));
}
