//! One file a command.

pub(crate) mod init;
pub(crate) mod init_from;
pub(crate) mod sample;
pub(crate) mod check;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod test;
pub(crate) mod show;
pub(crate) mod query;
pub(crate) mod discover;
pub(crate) mod explain;
pub(crate) mod report;
pub(crate) mod lineage;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod export;
pub(crate) mod runs;
pub(crate) mod snapshot;
pub(crate) mod library;
pub(crate) mod vacuum;
pub(crate) mod completions;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use throughline_engine::{IntervalOptions, PrepareOptions, Prepared, SessionOptions, prepare};

use crate::arguments::{IntervalArguments, WorkspaceArguments};
use crate::exit::{Exit, print_findings};

/// The options that all commands share.
pub(crate) fn options(workspace: &WorkspaceArguments) -> Result<PrepareOptions, Exit> {
    Ok(PrepareOptions {
        project: workspace.project.clone(),
        pipeline: workspace.pipeline.clone(),
        warehouse: workspace.into.clone(),
        variables: workspace.variables.clone(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        as_of: match workspace.as_of.as_deref() {
            Some(text) => instant("--as-of", text)?,
            None => Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc().timestamp_micros(),
        },
        session: SessionOptions {
            memory_limit: workspace.memory_limit,
            partitions: workspace.partitions.map(usize::from),
            spill_folder: workspace.spill_folder.clone(),
        },
        offline: false,
        libraries: crate::built_in::LIBRARIES,
    })
}

/// Loads, opens, plans and type-checks, and prints the warnings.
pub(crate) async fn prepared(workspace: &WorkspaceArguments) -> Result<Prepared, Exit> {
    let prepared = prepare(options(workspace)?).await?;
    print_findings(&prepared.warnings);
    Ok(prepared)
}

/// What is to be rebuilt, as `--full-refresh` and `--start` say.
pub(crate) fn interval(arguments: &IntervalArguments) -> Result<IntervalOptions, Exit> {
    let start = arguments.start.as_deref().map(|text| instant("--start", text)).transpose()?;
    Ok(IntervalOptions { full_refresh: arguments.full_refresh, start })
}

/// Microseconds of an instant or a day (UTC).
pub(crate) fn instant(option: &str, text: &str) -> Result<i64, Exit> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let instant = || DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc());
    let zoneless = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok().map(|time| time.and_utc());
    match day().or_else(instant).or_else(zoneless) {
        Some(instant) => Ok(instant.timestamp_micros()),
        None => Err(Exit::refused(
            format!("`{option} {text}` is no instant"),
            "write a day such as 2026-10-01, or an instant such as 2026-10-01T06:00:00Z; both are UTC",
        )),
    }
}
