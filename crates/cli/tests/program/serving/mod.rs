//! `throughline serve`, spoken to by clients.

mod clients;
mod endpoint;
mod flight;
mod fuzz;
mod limits;
mod login;
mod queries;
mod refusals;
mod stopping;
