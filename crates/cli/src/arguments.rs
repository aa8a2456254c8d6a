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
  throughline init first                                 a small workspace to begin with
  throughline sample --customers 2000 --out data/lake    a synthetic company's lake
  throughline check                                      is everything in order? reads no rows
  throughline run --as-of 2026-10-01                     make and publish every table
  throughline show fct_key_journeys --limit 10           look at a table
  throughline discover                                   candidate journeys from the touchpoints alone
  throughline explain onboarding                         why a journey is ranked where it is
  throughline serve                                      the tables for BI tools, by SQL
  throughline report --out report.html                   a page for executives, operations and analysts
  throughline query \"SELECT journey, count(*) FROM fct_journey GROUP BY 1\" --format csv

Exit codes: 0 done · 1 a step failed, a rerun may help · 2 usage or configuration, nothing ran ·
3 a data test failed, nothing of that model was published · 4 another run holds the pipeline · 130 interrupted";

const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  throughline snapshot create 2026-Q3                    freeze a quarter, as of the first instant after it
  throughline snapshot create 2026-Q3 --revise           once more, as 2026-Q3.r2, if later data changes its rows
  throughline snapshot diff 2026-Q2 2026-Q3              what changed, and how each journey's rank moved
  throughline snapshot show 2026-Q3 mart_planning        a table of it
  throughline query --snapshot 2026-Q3 \"SELECT …\"      a question to it
  throughline snapshot export 2026-Q3 s3://planning/2026-Q3
  throughline snapshot verify ./2026-Q3                  a copy, byte by byte; exit code 1 when it does not hold

A snapshot holds every published table but the log of triggers, as plain Parquet with a manifest in
<warehouse>/_snapshots/<name>. It never changes; data that arrives later makes a revision.";

const RUN_NOTES: &str = "\
--log-format json writes one object a line to standard error. Each has `time` (RFC 3339, UTC), `level` (info, warning,
error), `event` and, from the start of the run on, `run_id`:
  run_started    steps: what will run, in order
  step_started   step
  step_finished  step, status (done, failed, tests_failed, not_run), seconds, record: all that `runs --format json` has of it
  warning        message
  run_finished   status, seconds

OpenLineage: without --openlineage, OPENLINEAGE_URL (with OPENLINEAGE_ENDPOINT, by default api/v1/lineage) says where to
post. OPENLINEAGE_API_KEY is sent as bearer token; OPENLINEAGE_NAMESPACE names the jobs' namespace (default);
OPENLINEAGE_PARENT_ID=namespace/job/run-id names the run that started this one; OPENLINEAGE_DISABLED=true turns it off.
Events that cannot be delivered are told in a warning and never make a run fail.";

const LINEAGE_EXAMPLES: &str = "\
Examples:
  throughline lineage fct_journey.cost                     what a column is made of, up to the sources
  throughline lineage customer_register.churned_at --downstream
  throughline lineage fct_journey                          each column's origins, one step back
  throughline lineage                                      which relation reads which
  throughline lineage mart_planning.label --format mermaid | pbcopy

Direct: identity, transformation, aggregation. Indirect: conditional and window (which value is taken), filter, join,
group_by and sort (which rows there are).";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  throughline schema > .vscode/pipeline.schema.json
  throughline schema journeys > .vscode/journeys.schema.json

In a file:  # yaml-language-server: $schema=../.vscode/pipeline.schema.json";

const TEST_EXAMPLES: &str = "\
Examples:
  throughline test --unit                       unit tests only: what a CI job runs, without any lake
  throughline test --data --select fct_journey+  data tests of a model and all that read it
  throughline test --format json                one JSON object a test

Unit tests stand in the files that the pipeline names under `unit_tests:`:

  a_paid_bill_is_two_touchpoints:
    model: touchpoints
    as_of: 2026-02-01
    given:                       # rows of what the model reads; columns left out are null, relations left out empty
      invoices:
        - { invoice_id: i1, customer_id: ann, issued_at: 2026-01-05, paid_at: 2026-01-20 }
    expect:                      # columns left out are not compared; `{ ordered: true, rows: [...] }` minds the order
      - { touchpoint_id: invoice-i1-issued, event: bill_issued, channel: mail }
      - { touchpoint_id: invoice-i1-paid, event: bill_paid, channel: web }

Data tests are the `grain` and `tests` of each model. Exit codes: 0 all passed · 1 a view could not be computed ·
2 nothing is published, or a test is written wrong · 3 a test failed (severity error)";

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
    /// Writes a new workspace with a small working pipeline, its data included.
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArguments),
    /// Writes a synthetic pay-TV company's lake, with known truths planted in it.
    Sample(SampleArguments),
    /// Parses, plans and type-checks everything; reads schemas, no rows.
    Check,
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
    #[command(after_help = DISCOVER_EXAMPLES)]
    Discover(DiscoverArguments),
    /// Says in plain words why a journey is ranked where it is.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),
    /// Answers read-only SQL over the published tables, for BI tools.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArguments),
    /// Writes one HTML page for executives, operations and analysts: offline, printable, small enough to mail.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArguments),
    /// Says where columns come from: which columns a column is made of, up to the sources.
    #[command(after_help = LINEAGE_EXAMPLES)]
    Lineage(LineageArguments),
    /// Prints the JSON Schema of pipeline, journey or test files, for YAML editors.
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema(SchemaArguments),
    /// Lists past runs and what failed in them; `throughline query` has them as `runs`, `run_steps` and `run_tests`.
    Runs(RunsArguments),
    /// Freezes quarters: makes, lists, shows, compares, copies and verifies snapshots.
    #[command(subcommand, after_help = SNAPSHOT_EXAMPLES)]
    Snapshot(SnapshotCommand),
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
  throughline init .                                       in this folder";

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The folder; made where it is not there. Nothing in it is overwritten.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
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

const PLAN_EXAMPLES: &str = "\
Examples:
  throughline plan                                       all of it
  throughline plan --select +fct_journey                 one table and everything it is made of";

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// As if the whole history were to be made again.
    #[arg(long)]
    pub(crate) full_refresh: bool,
    /// As if incremental models were to be made again from this instant on.
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// Makes the whole history again, also of incremental models, and accepts an `--as-of` before the published one.
    #[arg(long)]
    pub(crate) full_refresh: bool,
    /// Makes incremental models again from this instant on at least; their history begins there when there is none yet.
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// Up to this instant: another word for `--as-of`.
    #[arg(long, value_name = "TIME", conflicts_with = "as_of")]
    pub(crate) end: Option<String>,
    /// Steps that run side by side.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// Stops at the first step that fails, instead of finishing those that do not depend on it.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Goes on after the last good step of the last run, however that ended. A step is taken over only when everything it
    /// was made from is the same: `--as-of`, definitions, files of sources, tables, the program.
    #[arg(long)]
    pub(crate) retry: bool,
    /// In an object store: seconds after which the next run takes over from one that was killed and is not heard of.
    #[arg(
        long,
        value_name = "N",
        env = "THROUGHLINE_LEASE_SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(2..=3600)
    )]
    pub(crate) lease_seconds: u64,
    /// How the run tells what happens: bars on a terminal and plain lines elsewhere, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Tells OpenLineage what ran, read and wrote: `file:PATH` (one event a line) or `http://host:port`.
    #[arg(long, value_name = "TARGET")]
    pub(crate) openlineage: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// Only the unit tests; opens neither lake nor warehouse.
    #[arg(long)]
    pub(crate) unit: bool,
    /// Only the data tests.
    #[arg(long, conflicts_with = "unit")]
    pub(crate) data: bool,
    /// Tables to read, or one JSON object a test.
    #[arg(long, value_enum, default_value_t = TestFormat::Table)]
    pub(crate) format: TestFormat,
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

const SHOW_EXAMPLES: &str = "\
Examples:
  throughline show fct_key_journeys --limit 5            the first rows, then the ranking
  throughline show fct_key_journeys --limit 0            its columns and what they mean
  throughline show calls__rejected                       rows that were set aside, with the reason
  throughline show fct_journey --limit all --format parquet --output fct_journey.parquet";

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// A model, source or seed.
    pub(crate) model: String,
    /// The table as it is in a snapshot.
    #[arg(long, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
    /// The most rows shown; 0 shows the columns and their comments, `--limit all` everything.
    #[arg(long, default_value = "20", value_parser = row_limit, value_name = "N|all")]
    pub(crate) limit: RowLimit,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// At most so many rows; `None` is all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowLimit(pub(crate) Option<usize>);

const QUERY_EXAMPLES: &str = "\
Examples:
  throughline query \"SELECT journey, count(*) AS instances FROM fct_journey GROUP BY journey\"
  throughline query - --format csv < question.sql";

#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// One SELECT over the published tables; `-` reads it from standard input.
    #[arg(allow_hyphen_values = true)]
    pub(crate) sql: String,
    /// Asks the tables of a snapshot instead.
    #[arg(long, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiscoveryFormat {
    Table,
    Json,
    Yaml,
}

const DISCOVER_EXAMPLES: &str = "\
Examples:
  throughline discover --top 5                           the strongest candidates
  throughline discover --yaml > pipelines/journeys/found.yaml
  throughline discover --key order_id                    a customer's orders told apart";

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

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  throughline explain onboarding
  throughline explain onboarding --format json           the facts behind the words";

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The journey, by the name of its definition.
    pub(crate) journey: String,
    /// As it stood in a snapshot.
    #[arg(long, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineageFormat {
    Text,
    Mermaid,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct LineageArguments {
    /// A model, source or seed, or a column of one: `fct_journey.cost`; without it, which relation reads which.
    #[arg(value_name = "MODEL[.COLUMN]")]
    pub(crate) of: Option<String>,
    /// What is made of it, instead of what it is made of.
    #[arg(long)]
    pub(crate) downstream: bool,
    /// A tree, a diagram for Markdown, or one JSON object.
    #[arg(long, value_enum, default_value_t = LineageFormat::Text)]
    pub(crate) format: LineageFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A file of `pipelines/`.
    Pipeline,
    /// A file of journey definitions.
    Journeys,
    /// A file of unit tests.
    Tests,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// The kind of file.
    #[arg(value_enum, default_value_t = SchemaOf::Pipeline)]
    pub(crate) of: SchemaOf,
}

const REPORT_EXAMPLES: &str = "\
Examples:
  throughline report                                     report.html in this folder
  throughline report --out /srv/www/journeys.html        somewhere else; replaced as a whole
  throughline report --out - | gzip > report.html.gz     to standard output";

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The file; one that is there is replaced. `-` is standard output.
    #[arg(long, short, default_value = "report.html", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The page of a snapshot, as it was then.
    #[arg(long, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    /// The newest so many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// A table and what failed, or each run's whole record as one JSON object a line.
    #[arg(long, value_enum, default_value_t = RunsFormat::Table)]
    pub(crate) format: RunsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunsFormat {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Computes a quarter (2026-Q3), month (2026-09) or year (2026) and freezes its tables.
    Create(SnapshotCreateArguments),
    /// Lists the snapshots.
    List(SnapshotListArguments),
    /// Shows what a snapshot holds, or the rows of one of its tables.
    Show(SnapshotShowArguments),
    /// Compares two snapshots: rows by table, and each journey's rank and key figures.
    Diff(SnapshotDiffArguments),
    /// Copies a snapshot to a folder or a bucket, where it verifies itself.
    Export(SnapshotExportArguments),
    /// Holds every byte of a snapshot, or of a copy of one, against its manifest.
    Verify(SnapshotVerifyArguments),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotCreateArguments {
    /// The period: 2026-Q3, 2026-09 or 2026.
    pub(crate) name: String,
    /// Publishes a revision when the data gives other rows than the snapshot that is there; that one stays as it is.
    #[arg(long)]
    pub(crate) revise: bool,
    /// Steps that run side by side.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// How it tells what happens: bars on a terminal and plain lines elsewhere, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotListArguments {
    /// Reads every byte of each, not sizes alone.
    #[arg(long)]
    pub(crate) verify: bool,
    /// A table to read, or one JSON array.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotShowArguments {
    /// The snapshot.
    pub(crate) name: String,
    /// One of its tables; without it, what the snapshot holds and was made from.
    pub(crate) table: Option<String>,
    /// The most rows shown; 0 shows the columns and their comments, `--limit all` everything.
    #[arg(long, default_value = "20", value_parser = row_limit, value_name = "N|all")]
    pub(crate) limit: RowLimit,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotDiffArguments {
    /// The snapshot compared with.
    pub(crate) from: String,
    /// The snapshot compared.
    pub(crate) to: String,
    /// Tables to read, or one JSON object.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotExportArguments {
    /// The snapshot.
    pub(crate) name: String,
    /// The folder that becomes the copy: a path or `s3://bucket/prefix`.
    pub(crate) place: String,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotVerifyArguments {
    /// Names of snapshots, or places of copies: `./2026-Q3`, `/mnt/planning/2026-Q3`, `s3://bucket/2026-Q3`. Without
    /// one, all snapshots of the warehouse.
    #[arg(value_name = "NAME|PLACE")]
    pub(crate) snapshots: Vec<String>,
    /// Lines to read, or one JSON object a snapshot.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct VacuumArguments {
    /// Lists what would be removed, and removes nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long files stay that only older versions name, or none yet: `168h`, `14d`.
    #[arg(long, default_value = "168h", value_name = "TIME", value_parser = hours_or_days)]
    pub(crate) retention: chrono::TimeDelta,
    /// Accepts less than 168 h. Readers and runs that began longer ago than the retention lose files under their hands
    /// and fail; the published tables stay whole.
    #[arg(long)]
    pub(crate) force: bool,
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

/// `168h`, `14d`, `7 days`.
fn hours_or_days(text: &str) -> Result<chrono::TimeDelta, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let hours = match unit.trim() {
        "h" | "hour" | "hours" => 1,
        "d" | "day" | "days" => 24,
        _ => return Err("write hours or days, e.g. 168h or 14d".to_owned()),
    };
    let hours = number.parse::<i64>().ok().and_then(|number| number.checked_mul(hours));
    // A hundred years and more are a slip of the hand.
    let hours = hours.filter(|hours| *hours < 876_600).ok_or_else(|| "write e.g. 168h or 14d".to_owned())?;
    Ok(chrono::TimeDelta::hours(hours))
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
    fn a_retention_has_a_unit() {
        assert_eq!(hours_or_days("168h"), Ok(chrono::TimeDelta::days(7)));
        assert_eq!(hours_or_days("7 days"), Ok(chrono::TimeDelta::days(7)));
        for text in ["168", "h", "-1h", "99999999999d", "1 week"] {
            assert!(hours_or_days(text).is_err(), "{text}");
        }
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
