//! The command line, turned once into values the commands use.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  throughline sample --customers 2000 --out data/lake    a synthetic company's lake
  throughline check                                      is everything in order? reads no rows
  throughline run --as-of 2026-10-01                     make and publish every table
  throughline show fct_key_journeys --limit 10           look at a table
  throughline discover                                   candidate journeys from the touchpoints alone
  throughline explain onboarding                         why a journey is ranked where it is
  throughline serve                                      the tables for BI tools, by SQL
  throughline query \"SELECT journey, count(*) FROM fct_journey GROUP BY 1\" --format csv

Exit codes: 0 done · 1 a step failed, a rerun may help · 2 usage or configuration, nothing ran ·
3 a data test failed, nothing of that model was published · 130 interrupted";

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
#[derive(Debug, Args)]
pub(crate) struct WorkspaceArguments {
    /// The workspace: the folder that holds `pipelines/`.
    #[arg(long, global = true, value_name = "DIR", default_value = ".", env = "THROUGHLINE_PROJECT")]
    pub(crate) project: PathBuf,
    /// The pipeline; by default the only one, or `key_journeys`.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Sets a variable of the pipeline, e.g. `--vars "exposure_window=60 days"`. Repeatable.
    #[arg(long = "vars", global = true, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) variables: Vec<(String, String)>,
    /// Cuts every source at this instant (UTC); by default 00:00 of today.
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) as_of: Option<String>,
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
    /// Writes a synthetic pay-TV company's lake, with known truths planted in it.
    Sample(SampleArguments),
    /// Parses, plans and type-checks everything; reads schemas, no rows.
    Check,
    /// Says what a run would do, in which order and why.
    Plan(SelectionArguments),
    /// Makes, tests and publishes the tables.
    Run(RunArguments),
    /// Shows the rows of a published table, or of a view computed on the spot.
    Show(ShowArguments),
    /// Asks the published tables a question in SQL.
    Query(QueryArguments),
    /// Finds candidate journeys in the touchpoints alone, ranked by volume and churn.
    Discover(DiscoverArguments),
    /// Says in plain words why a journey is ranked where it is.
    Explain(ExplainArguments),
    /// Answers read-only SQL over the published tables, for BI tools.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArguments),
    /// Lists past runs.
    Runs(RunsArguments),
    /// Writes a completion script for a shell.
    Completions(CompletionsArguments),
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

#[derive(Debug, Args, Default)]
pub(crate) struct SelectionArguments {
    /// Only these models: `m`, `+m` with all it reads, `m+` with all that read it, `tag:t`, `path:sql/marts`.
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) select: Vec<String>,
    /// All but these.
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) exclude: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// Accepts an `--as-of` before the published one, and so replaces newer tables by older ones.
    #[arg(long)]
    pub(crate) full_refresh: bool,
    /// Steps that run side by side.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// Stops at the first step that fails, instead of finishing those that do not depend on it.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// How the run tells what happens: bars on a terminal and plain lines elsewhere, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Table,
    Csv,
    Json,
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// How rows are written; `json` is one object a line.
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) format: OutputFormat,
    /// A file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// A model, source or seed.
    pub(crate) model: String,
    /// The most rows shown; 0 shows the columns and their comments, `--limit all` everything.
    #[arg(long, default_value = "20", value_parser = row_limit, value_name = "N|all")]
    pub(crate) limit: RowLimit,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// At most so many rows; `None` is all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowLimit(pub(crate) Option<usize>);

#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// One SELECT over the published tables; `-` reads it from standard input.
    #[arg(allow_hyphen_values = true)]
    pub(crate) sql: String,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiscoveryFormat {
    Table,
    Json,
    Yaml,
}

#[derive(Debug, Args)]
pub(crate) struct DiscoverArguments {
    /// A ranking to read, one JSON object, or journey definitions to paste into a file of `pipelines/journeys/`.
    #[arg(long, value_enum, default_value_t = DiscoveryFormat::Table)]
    pub(crate) format: DiscoveryFormat,
    /// The same as `--format yaml`.
    #[arg(long, conflicts_with = "format")]
    pub(crate) yaml: bool,
    /// Only the first so many candidates of the ranking.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: Option<u32>,
    /// Fewer episodes are no candidate.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) minimum_episodes: u32,
    /// Patterns are looked for in the sequences of at most so many customers; figures are those of all.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) customers: u32,
    /// A column of the touchpoints that tells a customer's cases apart, e.g. `order_id`; rows without it are left out.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplanationFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The journey, by the name of its definition.
    pub(crate) journey: String,
    /// Words, or the same facts as one JSON object.
    #[arg(long, value_enum, default_value_t = ExplanationFormat::Text)]
    pub(crate) format: ExplanationFormat,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  throughline serve                                      for this machine only
  psql \"host=127.0.0.1 port=5433 dbname=throughline\"
  THROUGHLINE_PASSWORD=… throughline serve --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem

Other addresses than this machine's loopback need a password (in THROUGHLINE_PASSWORD, or --password-file)
and TLS. Nothing can be written; a newer run is served as soon as it is complete. Stops on Ctrl-C (exit 130)
or SIGTERM (exit 0) after the queries that run.";

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The address to listen on.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", value_parser = ip_address)]
    pub(crate) host: IpAddr,
    /// PostgreSQL's wire; 0 takes a free port, `off` leaves it out.
    #[arg(long, value_name = "PORT|off", default_value = "5433", value_parser = port)]
    pub(crate) port: Port,
    /// Arrow Flight SQL; 0 takes a free port, `off` leaves it out.
    #[arg(long, value_name = "PORT|off", default_value = "5434", value_parser = port)]
    pub(crate) flight_port: Port,
    /// Who may log in, when there is a password.
    #[arg(long, value_name = "NAME", default_value = "throughline")]
    pub(crate) user: String,
    /// A file that holds the password, instead of THROUGHLINE_PASSWORD in the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// A certificate chain (PEM); connections have to be encrypted then.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A query that takes longer is canceled.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) query_timeout: Duration,
    /// How long a query waits for a place when others run.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) queue_timeout: Duration,
    /// Queries that run at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_queries: u16,
    /// Connections of each protocol.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_connections: u16,
    /// How the endpoint tells what happens: plain lines, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// A port; `None` is off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port(pub(crate) Option<u16>);

#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    /// The newest so many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    pub(crate) shell: Shell,
}

fn ip_address(text: &str) -> Result<IpAddr, String> {
    let text = if text == "localhost" { "127.0.0.1" } else { text };
    text.parse().map_err(|_| "write an IP address, such as 127.0.0.1, ::1 or 0.0.0.0".to_owned())
}

fn port(text: &str) -> Result<Port, String> {
    if text == "off" {
        return Ok(Port(None));
    }
    text.parse().map(|port| Port(Some(port))).map_err(|_| "write a number up to 65535, or `off`".to_owned())
}

/// `500ms`, `60s`, `5min`, or plain seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: Option<u64> = number.parse().ok().filter(|number| (1..=1_000_000_000).contains(number));
    match (number, unit.trim()) {
        (Some(number), "ms") => Ok(Duration::from_millis(number)),
        (Some(number), "" | "s") => Ok(Duration::from_secs(number)),
        (Some(number), "min") => Ok(Duration::from_secs(number * 60)),
        _ => Err("write a time above zero, e.g. 500ms, 60s or 5min".to_owned()),
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

fn row_limit(text: &str) -> Result<RowLimit, String> {
    if text == "all" {
        return Ok(RowLimit(None));
    }
    text.parse().map(|rows| RowLimit(Some(rows))).map_err(|_| "write a number, or `all`".to_owned())
}

/// `512MiB`, `2GB`, `1.5GiB`, or plain bytes.
fn byte_size(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        other => return Err(format!("`{other}` is no unit; write e.g. 512MiB or 2GB")),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number * factor < 9e15 => Ok((number * factor) as usize),
        _ => Err("write a size above zero, e.g. 512MiB".to_owned()),
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

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(byte_size("512MiB"), Ok(536_870_912));
        assert_eq!(byte_size("2gb"), Ok(2_000_000_000));
        assert_eq!(byte_size("1.5GiB"), Ok(1_610_612_736));
        assert!(byte_size("0").is_err());
        assert!(byte_size("5 bananas").is_err());
    }
}
