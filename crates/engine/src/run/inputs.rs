//! What a run reads and does not make: tables of the last complete run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use datafusion::prelude::SessionContext;
use throughline_plan::{Plan, Step};

use crate::failure::EngineError;
use crate::instants::rfc3339;
use crate::read::published::Published;
use crate::workspace::prepare::Prepared;

/// The last complete run, and a session in which its tables that this run reads and does not make are registered.
pub(crate) struct Inputs {
    pub(crate) published: Option<Published>,
    pub(crate) session: SessionContext,
}

impl Inputs {
    /// Refuses a run whose inputs are not there, before anything is written. Opens no table.
    ///
    /// # Errors
    /// Tables as of a later instant are published; or a table is read that is neither made nor published.
    pub(crate) async fn check(prepared: &Prepared, steps: &[&Step], full_refresh: bool) -> Result<(), EngineError> {
        Self::latest(prepared, steps, full_refresh).await.map(|_| ())
    }

    /// Opens them, once the run holds its pipeline: until then another run may publish newer tables.
    ///
    /// # Errors
    /// Those of [`Self::check`], and tables that cannot be read.
    pub(crate) async fn open(prepared: &Prepared, steps: &[&Step], full_refresh: bool) -> Result<Self, EngineError> {
        let published = Self::latest(prepared, steps, full_refresh).await?;
        let session = prepared.session()?;
        if let Some(published) = &published {
            for name in unselected(&prepared.plan, steps) {
                published.register_table(name, &session).await?;
            }
        }
        Ok(Self { published, session })
    }

    async fn latest(
        prepared: &Prepared,
        steps: &[&Step],
        full_refresh: bool,
    ) -> Result<Option<Published>, EngineError> {
        let plan = &prepared.plan;
        let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
        if let Some(published) = published.as_ref().filter(|_| !full_refresh) {
            refuse_older_cut(plan, published)?;
        }
        let is_published = |name: &str| published.as_ref().is_some_and(|run| run.record.tables.contains_key(name));
        match unselected(plan, steps).into_iter().find(|name| !is_published(name)) {
            None => Ok(published),
            Some(name) => Err(EngineError::refused(
                format!("`{name}` is read by the selected models, but it is neither selected nor published"),
                format!("select it too (`--select +…`), or run it first: throughline run --select +{name}"),
            )),
        }
    }

    /// The tables of the last complete run, with their versions.
    pub(crate) fn tables(&self) -> BTreeMap<String, u64> {
        self.published.as_ref().map(|published| published.record.tables.clone()).unwrap_or_default()
    }
}

fn refuse_older_cut(plan: &Plan, published: &Published) -> Result<(), EngineError> {
    let as_of = rfc3339(plan.parameters.as_of());
    let is_earlier = DateTime::parse_from_rfc3339(&published.record.as_of)
        .is_ok_and(|newest| newest.timestamp_micros() > plan.parameters.as_of());
    if is_earlier {
        return Err(EngineError::refused(
            format!("the published tables are as of {}, this run would be as of {as_of}", published.record.as_of),
            "leave `--as-of` out, or replace newer tables by older ones with `--full-refresh`",
        ));
    }
    Ok(())
}

/// Relations of the plan that the steps read and do not make.
fn unselected<'a>(plan: &Plan, steps: &[&'a Step]) -> Vec<&'a str> {
    let made: BTreeSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let read: BTreeSet<&str> = steps.iter().flat_map(|step| step.inputs.iter().map(String::as_str)).collect();
    read.difference(&made).copied().filter(|name| plan.step(name).is_some()).collect()
}
