//! The command line, turned once into values the commands use.

mod run;
mod read;
mod serve;
mod snapshot;
mod export;
mod library;
mod log_format;
mod byte_size;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use byte_size::byte_size;
use export::EXPORT_EXAMPLES;
pub(crate) use export::ExportArguments;
use library::LIBRARY_EXAMPLES;
pub(crate) use library::{LibraryCommand, LibraryEjectArguments};
pub(crate) use log_format::LogFormat;
use read::{
    DISCOVER_EXAMPLES, DISCOVER_NOTES, EXPLAIN_EXAMPLES, LINEAGE_EXAMPLES, QUERY_EXAMPLES, REPORT_EXAMPLES,
    SHOW_EXAMPLES,
};
pub(crate) use read::{
    DiscoverArguments, DiscoveryFormat, ExplainArguments, ExplanationFormat, LineageArguments, LineageFormat,
    OutputArguments, OutputFormat, QueryArguments, ReportArguments, RowLimit, ShowArguments,
};
use run::{CHECK_EXAMPLES, PLAN_EXAMPLES, RUN_NOTES, TEST_EXAMPLES};
pub(crate) use run::{
    CheckArguments, IntervalArguments, PlanArguments, RunArguments, RunsArguments, RunsFormat, SelectionArguments,
    TestArguments, TestFormat,
};
use serve::SERVE_EXAMPLES;
pub(crate) use serve::ServeArguments;
use snapshot::SNAPSHOT_EXAMPLES;
pub(crate) use snapshot::{
    ReportFormat, SnapshotCommand, SnapshotCreateArguments, SnapshotDiffArguments, SnapshotExportArguments,
    SnapshotListArguments, SnapshotShowArguments, SnapshotVerifyArguments, VacuumArguments,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  throughline init first                                 a small workspace to begin with
  throughline sample --customers 2000 --out data/lake    a synthetic company's lake
  throughline check                                      is everything in order? reads no rows
  throughline run --as-of 2026-10-01                     make and publish every table
  throughline show fct_key_journeys --limit 10           look at a table
  throughline discover                                   candidate journeys from the touchpoints alone
  throughline explain onboarding                         why a journey is ranked where it is
  throughline report --out report.html                   a page for executives, operations and analysts
  throughline serve                                      the tables for BI tools, by SQL
  throughline export --powerbi                           what the figures mean, for Power BI
  throughline query \"SELECT journey, count(*) FROM fct_journey GROUP BY 1\" --format csv

Exit codes: 0 done · 1 a step failed, a rerun may help · 2 usage or configuration ·
3 a data test failed, nothing of that model was published · 4 another run holds the pipeline · 70 a bug in
throughline, please report it · 130 interrupted";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  throughline schema > .vscode/pipeline.schema.json
  throughline schema journeys > .vscode/journeys.schema.json

In a file:  # yaml-language-server: $schema=../.vscode/pipeline.schema.json";

/// Shows which customer journeys make customers leave: YAML-defined batch pipelines from raw touchpoints to
/// journey-level fact tables.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, styles = STYLES, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command that works in a workspace takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkspaceArguments {
    /// The workspace: the folder that holds `pipelines/`.
    #[arg(long, global = true, value_name = "DIR", default_value = ".", env = "THROUGHLINE_PROJECT")]
    pub(crate) project: PathBuf,
    /// The pipeline; by default the only one, or `key_journeys`.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Sets a variable of the pipeline, e.g. `--vars "exposure_horizon=60 days"`. Repeatable.
    #[arg(long = "vars", global = true, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) variables: Vec<(String, String)>,
    /// Cuts every source at this instant (UTC); by default 00:00 of today.
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) as_of: Option<String>,
    /// Another warehouse than the pipeline's, to be written by `run` and read by the others.
    #[arg(long, visible_alias = "warehouse", global = true, value_name = "WAREHOUSE")]
    pub(crate) into: Option<String>,
    /// Memory that operators may hold before they spill to disk, e.g. `2GiB`; unlimited by default.
    #[arg(long, global = true, value_name = "SIZE", value_parser = byte_size)]
    pub(crate) memory_limit: Option<usize>,
    /// Partitions worked on side by side; by default one a core.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) partitions: Option<u16>,
    /// Where spilled rows go; by default the system's temporary folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) spill_folder: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a new workspace with a small working pipeline, its data included; or one over your own data.
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArguments),
    /// Writes a synthetic pay-TV company's lake, with known truths planted in it.
    Sample(SampleArguments),
    /// Parses, plans and type-checks everything; reads schemas, no rows.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
    /// Says what a run would do, in which order and why.
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArguments),
    /// Makes, tests and publishes the tables.
    #[command(after_help = RUN_NOTES)]
    Run(RunArguments),
    /// Runs the pipeline's unit tests, which need no lake, and the data tests on what is published.
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArguments),
    /// Shows the rows of a published table, or of a view computed on the spot.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArguments),
    /// Asks the published tables a question in SQL.
    #[command(after_help = QUERY_EXAMPLES)]
    Query(QueryArguments),
    /// Finds candidate journeys in the touchpoints alone, ranked by volume and churn.
    #[command(long_about = DISCOVER_NOTES, after_help = DISCOVER_EXAMPLES)]
    Discover(DiscoverArguments),
    /// Says in plain words why a journey is ranked where it is.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),
    /// Writes one HTML page for executives, operations and analysts: offline, printable, small enough to mail.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArguments),
    /// Says where columns come from: which columns a column is made of, up to the sources.
    #[command(after_help = LINEAGE_EXAMPLES)]
    Lineage(LineageArguments),
    /// Prints the JSON Schema of pipeline, journey or test files, for YAML editors.
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema(SchemaArguments),
    /// Answers read-only SQL over the published tables, for BI tools.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArguments),
    /// Writes what the published tables and their figures mean for a BI tool: tables, joins, measures, other names.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArguments),
    /// Lists past runs and what failed in them; `throughline query` has them as `runs`, `run_steps` and `run_tests`.
    Runs(RunsArguments),
    /// Freezes quarters: makes, lists, shows, compares, copies and verifies snapshots.
    #[command(subcommand, after_help = SNAPSHOT_EXAMPLES)]
    Snapshot(SnapshotCommand),
    /// Shows the models that come with the program or from a folder, and copies one to be changed.
    #[command(subcommand, after_help = LIBRARY_EXAMPLES)]
    Library(LibraryCommand),
    /// Removes files that no reader needs any more, and sums up long logs.
    ///
    /// Kept are: the newest version of every table; every version that a run used or replaced within the retention, and
    /// those of the newest complete run however old it is; all snapshots; and every file younger than the retention,
    /// because a run that is under way may be about to publish it. Logs with twenty entries or more since their last
    /// checkpoint get one, so that tables with thousands of versions stay quick to open; it is read back and removed
    /// again if the table does not read as before. Entries of logs and records of runs are small and stay. Parts of
    /// uploads that a killed run left in a bucket are invisible here: let a lifecycle rule of the bucket expire them.
    Vacuum(VacuumArguments),
    /// Writes a completion script for a shell.
    Completions(CompletionsArguments),
}

const INIT_EXAMPLES: &str = "\
Examples:
  throughline init first && cd first && throughline run    from nothing to ranked journeys
  throughline init .                                       in this folder
  throughline init mine --from data/calls.csv data/crm/    over your own data: what it finds, what it guesses, what to
                                                           decide next; also s3://bucket/prefix and Delta tables";

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The folder; made where it is not there. Nothing in it is overwritten.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Looks at these files, folders or addresses (CSV, JSON lines, Parquet, Delta) and writes a workspace over them.
    ///
    /// At most 200,000 rows of a table are looked at. What is not clear stands in the files as a comment and a
    /// question.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) from: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SampleArguments {
    /// Customers ever; about 75 touchpoints each.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) customers: u64,
    /// Months of history.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(6..=120))]
    pub(crate) months: u32,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Let no journey change the chance of churn: whatever is found then is chance.
    #[arg(long)]
    pub(crate) no_effects: bool,
    /// The folder to write; an older sample there is replaced.
    #[arg(long, default_value = "data/lake", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A file of `pipelines/`.
    Pipeline,
    /// A file of journey definitions.
    Journeys,
    /// A file of unit tests.
    Tests,
    /// A file of sources.
    Sources,
    /// A library's `library.yaml`.
    Library,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// The kind of file.
    #[arg(value_enum, default_value_t = SchemaOf::Pipeline)]
    pub(crate) of: SchemaOf,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    pub(crate) shell: Shell,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
