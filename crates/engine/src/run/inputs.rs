//! What a run reads and does not make: tables of the last complete run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use throughline_plan::{Plan, Step};

use super::older_day::{contained, published_ahead};
use crate::failure::EngineError;
use crate::incremental::IntervalOptions;
use crate::instants::rfc3339;
use crate::read::published::Published;
use crate::workspace::prepare::Prepared;

/// The last complete run, and a session in which its tables that this run reads and does not make are registered.
pub(crate) struct Inputs {
    pub(crate) published: Option<Published>,
    pub(crate) session: SessionContext,
    /// What a person should know of it.
    pub(crate) warning: Option<String>,
}

/// What a run finds of its inputs.
pub(crate) enum Found<T> {
    /// They are there.
    Inputs(T),
    /// The run has nothing to do, in words: its day is contained in what is published.
    Contained(String),
}

impl Inputs {
    /// Refuses a run whose inputs are not there, before anything is written. Opens no table.
    ///
    /// # Errors
    /// The published tables are as of a later instant and do not contain this one; or a table is read that is not made
    /// and not published, or published as of another instant.
    pub(crate) async fn check(
        prepared: &Prepared,
        steps: &[&Step],
        interval: IntervalOptions,
    ) -> Result<Found<()>, EngineError> {
        Ok(match Self::latest(prepared, steps, interval).await? {
            Found::Inputs(_) => Found::Inputs(()),
            Found::Contained(message) => Found::Contained(message),
        })
    }

    /// Opens them, once the run holds its pipeline: until then another run may publish newer tables.
    ///
    /// # Errors
    /// Those of [`Self::check`], and tables that cannot be read.
    pub(crate) async fn open(
        prepared: &Prepared,
        steps: &[&Step],
        interval: IntervalOptions,
    ) -> Result<Found<Self>, EngineError> {
        let (published, warning) = match Self::latest(prepared, steps, interval).await? {
            Found::Inputs(latest) => latest,
            Found::Contained(message) => return Ok(Found::Contained(message)),
        };
        let session = prepared.session()?;
        if let Some(published) = &published {
            for name in unselected(&prepared.plan, steps) {
                published.register_table(name, &session).await?;
            }
        }
        Ok(Found::Inputs(Self { published, session, warning }))
    }

    /// The last complete run, and what is odd about it.
    async fn latest(
        prepared: &Prepared,
        steps: &[&Step],
        interval: IntervalOptions,
    ) -> Result<Found<(Option<Published>, Option<String>)>, EngineError> {
        let plan = &prepared.plan;
        let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
        let warning = match &published {
            Some(published) => published_ahead(prepared, published, Utc::now()).await?,
            None => None,
        };
        if let (Some(published), None) = (&published, &warning)
            && let Some(message) = contained(prepared, steps, published, interval).await?
        {
            return Ok(Found::Contained(message));
        }
        let is_published = |name: &str| published.as_ref().is_some_and(|run| run.record.tables.contains_key(name));
        if let Some(name) = unselected(plan, steps).into_iter().find(|name| !is_published(name)) {
            return Err(EngineError::refused(
                format!("`{name}` is read by the selected models, but it is neither selected nor published"),
                format!("select it too (`--select +…`), or run it first: throughline run --select +{name}"),
            ));
        }
        if let Some(published) = &published {
            refuse_another_cut(plan, steps, published)?;
        }
        Ok(Found::Inputs((published, warning)))
    }

    /// The tables of the last complete run, with their versions.
    pub(crate) fn tables(&self) -> BTreeMap<String, u64> {
        self.published.as_ref().map(|published| published.record.tables.clone()).unwrap_or_default()
    }
}

/// Refuses a table made from rows of two days: what it reads and the run does not make has to be as of the run's.
fn refuse_another_cut(plan: &Plan, steps: &[&Step], published: &Published) -> Result<(), EngineError> {
    let as_of = plan.parameters.as_of();
    for name in unselected(plan, steps) {
        let Some(made_by) = published.record.made_by(name) else { continue };
        let other = DateTime::parse_from_rfc3339(&made_by.as_of).is_ok_and(|made| made.timestamp_micros() != as_of);
        if other {
            return Err(EngineError::refused(
                format!(
                    "`{name}` is read by the selected models and is as of {}, this run would be as of {}",
                    made_by.as_of,
                    rfc3339(as_of)
                ),
                format!("select it too (`--select +…`), or run as of its day: `--as-of {}`", made_by.as_of),
            ));
        }
    }
    Ok(())
}

/// Relations of the plan that the steps read and do not make.
fn unselected<'a>(plan: &Plan, steps: &[&'a Step]) -> Vec<&'a str> {
    let made: BTreeSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let read: BTreeSet<&str> = steps.iter().flat_map(|step| step.inputs.iter().map(String::as_str)).collect();
    read.difference(&made).copied().filter(|name| plan.step(name).is_some()).collect()
}
