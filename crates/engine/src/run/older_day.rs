//! A run as of a day before the one that is published: a scheduler repeats a past day, or catches up on several.
//!
//! Published tables hold all days up to their own `as_of`, so an older day is contained in them when they are made from
//! the same definitions. Then there is nothing to do. What is not contained is refused: replacing newer tables by older
//! ones is for a person to decide.

use chrono::{DateTime, Utc};
use throughline_config::Timestamp;
use throughline_plan::{Plan, Step, StepKind};

use crate::failure::EngineError;
use crate::incremental::{IntervalOptions, history_begins};
use crate::instants::rfc3339;
use crate::read::published::Published;
use crate::record::run_record::RunStatus;
use crate::record::stored::read_record;
use crate::workspace::prepare::Prepared;

/// What a run of these steps would say of its day when there is nothing to do for it: see [`RunOutcome::Contained`].
///
/// # Errors
/// Those with which the run would be refused because of its day; or the run records cannot be read.
///
/// [`RunOutcome::Contained`]: crate::RunOutcome::Contained
pub async fn contained_day(
    prepared: &Prepared,
    steps: &[&Step],
    interval: IntervalOptions,
) -> Result<Option<String>, EngineError> {
    match Published::latest(&prepared.warehouse, &prepared.plan.pipeline.name).await? {
        Some(published) if published_ahead(prepared, &published, Utc::now()).await?.is_none() => {
            contained(prepared, steps, &published, interval).await
        }
        Some(_) => Ok(None),
        None => Ok(None),
    }
}

/// A warning when the published tables are as of an instant that is still to come, by a clock that was ahead or because
/// somebody asked for it. Such tables hold no day, so any run replaces them.
///
/// This machine's clock may be the wrong one, and behind. So it is believed only where an earlier complete run lies in
/// the past by it, and not after the day of this run.
///
/// # Errors
/// The run records cannot be read.
pub(super) async fn published_ahead(
    prepared: &Prepared,
    published: &Published,
    now: DateTime<Utc>,
) -> Result<Option<String>, EngineError> {
    let (as_of, now) = (prepared.plan.parameters.as_of(), now.timestamp_micros());
    let is_ahead = |recorded: &str| is_before(now, recorded);
    if !is_ahead(&published.record.as_of) || !is_before(as_of, &published.record.as_of) {
        return Ok(None);
    }
    let (mut ahead, mut believed) = (0, false);
    for run_id in prepared.warehouse.run_ids().await? {
        let Some(record) = read_record(&prepared.warehouse, &run_id).await? else { continue };
        if record.pipeline != published.record.pipeline || record.status != RunStatus::Done {
            continue;
        }
        if !is_ahead(&record.as_of) {
            believed = !is_before(as_of, &record.as_of);
            break;
        }
        ahead += 1;
        // The first run of all, and nothing to hold the clock against.
        believed = ahead == 1;
    }
    Ok(believed.then(|| {
        format!(
            "the published tables are as of {}, which is still to come: they were made under a clock that was ahead, \
             or with `--allow-future`. They are replaced",
            published.record.as_of
        )
    }))
}

/// Whether the day of a run is contained in what is published, in words; `None` when it is no older day.
///
/// # Errors
/// It is older and not contained: refused. Or a ledger cannot be read.
pub(super) async fn contained(
    prepared: &Prepared,
    steps: &[&Step],
    published: &Published,
    interval: IntervalOptions,
) -> Result<Option<String>, EngineError> {
    let plan = &prepared.plan;
    if interval.full_refresh || !is_before(plan.parameters.as_of(), &published.record.as_of) {
        return Ok(None);
    }
    if interval.start.is_some() {
        return Err(refused(plan, published, "`--start` asks for rows to be rebuilt"));
    }
    for step in steps.iter().filter(|step| step.kind == StepKind::Table) {
        if let Some(why) = why_not_contained(prepared, step, published).await? {
            return Err(refused(plan, published, &why));
        }
    }
    Ok(Some(format!(
        "nothing to do: {} is contained in the published tables, which are as of {}. Rows that have come since are \
         taken in by the next run as of that day or later. `--into WAREHOUSE` makes the tables of the older day in \
         another warehouse, `--full-refresh` in the place of the newer ones",
        rfc3339(plan.parameters.as_of()),
        published.record.as_of,
    )))
}

/// Why the table of a step does not hold the day of the run.
async fn why_not_contained(
    prepared: &Prepared,
    step: &Step,
    published: &Published,
) -> Result<Option<String>, EngineError> {
    let (name, as_of) = (&step.name, prepared.plan.parameters.as_of());
    let Some(made_by) = published.record.made_by(name) else {
        return Ok(Some(match published.record.tables.contains_key(name) {
            true => format!("as of when `{name}` is was not noted by the version that published it"),
            false => format!("`{name}` is not published yet"),
        }));
    };
    if !is_at_or_before(as_of, &made_by.as_of) {
        return Ok(Some(format!("`{name}` is only as of {}", made_by.as_of)));
    }
    if made_by.fingerprint != step.fingerprint {
        return Ok(Some(format!("the definition of `{name}`, or of what it reads, has changed since")));
    }
    if step.replaced.is_none() {
        return Ok(None);
    }
    let begins = history_begins(&prepared.warehouse, name).await?.filter(|begins| *begins > as_of);
    Ok(begins.map(|begins| format!("the history of `{name}` begins on {}", rfc3339(begins))))
}

fn refused(plan: &Plan, published: &Published, why: &str) -> EngineError {
    EngineError::refused(
        format!(
            "the published tables are as of {}, this run would be as of {}, and {why}",
            published.record.as_of,
            rfc3339(plan.parameters.as_of())
        ),
        "leave `--as-of` out; make the older day in another warehouse with `--into WAREHOUSE`; or replace newer \
         tables by older ones with `--full-refresh`",
    )
}

/// Whether an instant lies before one of a record; false where that cannot be read.
fn is_before(instant: Timestamp, recorded: &str) -> bool {
    micros(recorded).is_some_and(|recorded| instant < recorded)
}

fn is_at_or_before(instant: Timestamp, recorded: &str) -> bool {
    micros(recorded).is_some_and(|recorded| instant <= recorded)
}

fn micros(recorded: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(recorded).ok().map(|recorded| recorded.timestamp_micros())
}
