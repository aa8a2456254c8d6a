//! Arguments of snapshots and of upkeep.

use clap::{Args, Subcommand, ValueEnum};

use super::log_format::LogFormat;
use super::read::row_limit;
use super::{OutputArguments, RowLimit};

pub(super) const SNAPSHOT_EXAMPLES: &str = "\
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
    /// How progress is printed: bars on a terminal and plain lines elsewhere, or one JSON object a line.
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
    /// The folder that becomes the copy: a path, or a URL such as `s3://bucket/prefix` or `az://container/prefix`.
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
    /// Accepts less than 168 h. Readers that began longer ago than the retention lose files under their hands and fail.
    /// No run of any pipeline in the warehouse and no snapshot in the making may be under way: exit code 4 names it.
    /// The published tables stay whole.
    #[arg(long)]
    pub(crate) force: bool,
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
    fn a_retention_has_a_unit() {
        assert_eq!(hours_or_days("168h"), Ok(chrono::TimeDelta::days(7)));
        assert_eq!(hours_or_days("7 days"), Ok(chrono::TimeDelta::days(7)));
        for text in ["168", "h", "-1h", "99999999999d", "1 week"] {
            assert!(hours_or_days(text).is_err(), "{text}");
        }
    }
}
