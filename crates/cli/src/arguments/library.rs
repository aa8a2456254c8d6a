//! Arguments of `throughline library`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(super) const LIBRARY_EXAMPLES: &str = "\
Examples:
  throughline library list                   what there is, what each model reads and is for
  throughline library show fct_journey       a model's SQL
  throughline library show touchpoints       the columns that the library asks of an input
  throughline library show variables         its variables with their defaults
  throughline library eject mart_planning    a copy in sql/mart_planning.sql that stands in its place, to be changed

In a workspace these are the libraries that its pipeline uses; elsewhere those that come with the program. A pipeline
leaves a model out with `fct_account: off` under `models:`.";

#[derive(Debug, Subcommand)]
pub(crate) enum LibraryCommand {
    /// Lists inputs and models: what each reads, what it is for, and what the pipeline makes of it.
    List,
    /// Prints a model's SQL, an input's columns, or the variables.
    Show(LibraryShowArguments),
    /// Copies a model into the workspace, where it stands in the place of the library's.
    Eject(LibraryEjectArguments),
}

#[derive(Debug, Args)]
pub(crate) struct LibraryShowArguments {
    /// A model, an input, or `variables`.
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct LibraryEjectArguments {
    /// A model that is made by SQL.
    pub(crate) name: String,
    /// The file in the workspace; `sql/NAME.sql` by default. Nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}
