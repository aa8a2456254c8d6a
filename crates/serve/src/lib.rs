//! Read-only SQL over what a pipeline has published, on PostgreSQL's wire and on Arrow Flight SQL.
//!
//! In: [`Publications`](throughline_engine::Publications) and [`ServeOptions`]. Out: two listening ports. What happens
//! is reported to an [`Observer`]; this crate prints nothing and writes nothing.
//!
//! The way of a query: a connection (`postgres`, `flight`) proves who it is, its SQL is planned against one edition,
//! the tables of one complete run, and `queries` runs the plan within the limits. An edition never changes; a newer run
//! becomes a new one, and queries that run keep theirs.
//!
//! Invariants: nothing but a query is ever planned, so nothing can be written, set for others, or opened by a path or a
//! URL. Rows are handed on as they come and held nowhere. No byte from a client reaches a parser before its length is
//! known to be small, and none but those of the login before the login. Whatever a client can make the endpoint spend
//! has a limit in [`Limits`], and a refusal names the limit, its value and the option that changes it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod options;
mod password;
mod guesses;
mod sockets;
mod tls;
mod server;
mod shared;
mod edition;
mod schemas;
mod catalogue;
mod objects;
mod functions;
mod texts;
mod postgres;
mod flight;
mod complexity;
mod planning;
mod interruptible;
mod queries;
mod stoppable;
mod event;
mod failure;

pub use event::{Event, Observer, Protocol, QueryReport};
pub use options::{Limits, ServeError, ServeOptions, TlsFiles};
pub use password::Password;
pub use server::Server;
