//! `throughline serve`, spoken to by clients.

mod clients;
mod connections;
mod endpoint;
mod flight;
mod fuzz;
mod guessing;
mod hostile_parameters;
mod limits;
mod login;
mod planning;
mod queries;
mod refusals;
mod stopping;
