//! Arguments of the commands that make tables and test them, and of those that show what a run does or did.

use clap::{Args, ValueEnum};

use super::log_format::LogFormat;

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  throughline plan                                       all of it
  throughline plan --select +fct_journey                 one table and everything it is made of";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  throughline check              before a run: also that the files have the columns that are declared or read
  throughline check --offline    in CI, without a lake and without credentials: `columns:` of the sources are taken at
                                 their word, so every source has to declare them";

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Opens no source: takes its columns from its `columns:`. Whether the files have them is not checked.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) interval: IntervalArguments,
}

/// Which models are meant.
#[derive(Debug, Args, Default)]
pub(crate) struct SelectionArguments {
    /// Only these models: `m`, `+m` with all it reads, `m+` with all that read it, `tag:t`, `path:sql/marts`.
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) select: Vec<String>,
    /// All but these.
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) exclude: Vec<String>,
}

/// What is to be rebuilt whatever the ledgers of incremental models say.
#[derive(Debug, Args)]
pub(crate) struct IntervalArguments {
    /// Rebuilds the whole history, also of incremental models, and accepts an `--as-of` before the published one.
    #[arg(long)]
    pub(crate) full_refresh: bool,
    /// Rebuilds incremental models since this instant at least; their history begins there when there is none yet.
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
}

pub(super) const RUN_NOTES: &str = "\
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
Events that cannot be delivered cause a warning and never make a run fail.";

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) interval: IntervalArguments,
    /// Up to this instant: another word for `--as-of`.
    #[arg(long, value_name = "TIME", conflicts_with = "as_of")]
    pub(crate) end: Option<String>,
    /// Steps that run side by side.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// Stops at the first step that fails, instead of finishing those that do not depend on it.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Goes on after the last good step of the last run, however that ended. A step is taken over only when everything
    /// it was made from is the same: `--as-of`, definitions, files of sources, tables, the program.
    #[arg(long)]
    pub(crate) retry: bool,
    /// Accepts an `--as-of` that is still to come. Limits of journeys then count as passed that have not passed.
    #[arg(long, env = "THROUGHLINE_ALLOW_FUTURE")]
    pub(crate) allow_future: bool,
    /// In an object store: seconds after which the next run takes over from one that was killed and is not heard of.
    #[arg(
        long,
        value_name = "N",
        env = "THROUGHLINE_LEASE_SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(2..=3600)
    )]
    pub(crate) lease_seconds: u64,
    /// How progress is printed: bars on a terminal and plain lines elsewhere, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Reports to OpenLineage what ran, read and wrote: `file:PATH` (one event a line) or `http://host:port`.
    #[arg(long, value_name = "TARGET")]
    pub(crate) openlineage: Option<String>,
}

pub(super) const TEST_EXAMPLES: &str = "\
Examples:
  throughline test --unit                       unit tests only: what a CI job runs, without any lake
  throughline test --data --select fct_journey+  data tests of a model and all that read it
  throughline test --format json                one JSON object a test

Unit tests are in the files that the pipeline names under `unit_tests:`:

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
2 nothing is published, or a test is written wrong · 3 a test failed (severity error) · 70 a bug in throughline";

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
