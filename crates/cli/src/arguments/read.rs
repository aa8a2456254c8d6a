//! Arguments of the commands that read what is published, or what the touchpoints hold.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const SHOW_EXAMPLES: &str = "\
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

pub(super) const QUERY_EXAMPLES: &str = "\
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

pub(super) const DISCOVER_EXAMPLES: &str = "\
Examples:
  throughline discover --top 5                           the strongest candidates
  throughline discover --yaml > pipelines/journeys/found.yaml
  throughline discover --key order_id                    each of a customer's orders is one episode
  throughline discover --silence 14 days                 an episode ends when nothing comes for so long";

pub(super) const DISCOVER_NOTES: &str = "\
Finds candidate journeys in the touchpoints alone, ranked by volume and churn.

It reads the relation `touchpoints` (touchpoint_id, customer_id, occurred_at and event; channel and topic where there \
are any), cuts each customer's touchpoints into episodes, and looks for events that open most of them, more often than \
if they came in any order, and for events after which they stop. What an episode is:

  --key COLUMN       each case is one, whatever the gaps in it
  --silence LENGTH   it ends with a longer silence
  neither            with topics, each topic's own silence is read from its gaps (where the hazard of a next contact
                     changes); without topics, one silence for all (where a mixture of two log-normal distributions
                     parts short gaps from long ones), or the whole customer when no gap separates episodes; where
                     journeys overlap too much for that, events that follow one another more regularly than by chance

What was tried, and what no journey was found in, is said below the candidates. Who left is said where the pipeline \
has a relation `customers` too. It looks as of the newest published run, or as of today before there is one; `--as-of` \
says otherwise.";

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
    /// A column of the touchpoints that separates a customer's cases, e.g. `order_id`: each case is one episode; rows
    /// without it are left out.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,
    /// A longer silence ends an episode, e.g. `14 days` or `30 minutes`; read from the gaps when it is not given.
    #[arg(long, value_names = ["NUMBER", "UNIT"], num_args = 1..=2, conflicts_with = "key")]
    pub(crate) silence: Option<Vec<String>>,
}

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  throughline explain onboarding
  throughline explain onboarding --period 2026-07        in a month; without it, in the newest quarter that is ranked
  throughline explain onboarding --robust                does its tier rest on the limits of its definition?
  throughline explain onboarding --format json           the facts behind the words";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplanationFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The journey, by the name of its definition.
    pub(crate) journey: String,
    /// A quarter (2026-Q3) or month (2026-07); without it, the newest quarter that is ranked.
    #[arg(long, value_name = "PERIOD")]
    pub(crate) period: Option<String>,
    /// As it stood in a snapshot.
    #[arg(long, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
    /// Instead: tier, rank and excess with `within` and `idle` halved, kept and doubled, and a customer counted as on the
    /// journey for 30, 60, 90 and 180 days after a touchpoint of it. Reads the sources.
    #[arg(long, conflicts_with = "snapshot")]
    pub(crate) robust: bool,
    /// Words, or the same facts as one JSON object.
    #[arg(long, value_enum, default_value_t = ExplanationFormat::Text)]
    pub(crate) format: ExplanationFormat,
}

pub(super) const LINEAGE_EXAMPLES: &str = "\
Examples:
  throughline lineage fct_journey.cost                     what a column is made of, up to the sources
  throughline lineage customer_register.churned_at --downstream
  throughline lineage fct_journey                          each column's origins, one step back
  throughline lineage                                      which relation reads which
  throughline lineage mart_planning.label --format mermaid | pbcopy

Direct: identity, transformation, aggregation. Indirect: conditional and window (which value is taken), filter, join,
group_by and sort (which rows there are).";

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

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  throughline report                                     report.html in this folder
  throughline report --out /srv/www/journeys.html        somewhere else; replaced as a whole
  throughline report --period 2026-Q2                    the key journeys of an earlier quarter, or of a month
  throughline report --out - | gzip > report.html.gz     to standard output";

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The file; one that is there is replaced. `-` is standard output.
    #[arg(long, short, default_value = "report.html", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The quarter (2026-Q3) or month (2026-07) whose key journeys are shown; without it, the newest that is ranked.
    #[arg(long, value_name = "PERIOD")]
    pub(crate) period: Option<String>,
    /// The page of a snapshot, as it was then.
    #[arg(long, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
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

pub(super) fn row_limit(text: &str) -> Result<RowLimit, String> {
    if text == "all" {
        return Ok(RowLimit(None));
    }
    text.parse().map(|rows| RowLimit(Some(rows))).map_err(|_| "write a number, or `all`".to_owned())
}
