//! Column-level lineage: which columns of which relations a model's columns and rows come from.
//!
//! The words are OpenLineage's (column lineage facet 1-2-0). *Direct*: the value is made of the column, as it is
//! (identity), computed from it, or aggregated over it. *Indirect*: the column decides which value is taken or which
//! rows there are: conditions, windows, filters, joins, groupings, orders.

mod trace;
mod influence;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{Diagnostics, JourneyDefinition, Located, MatchRows, Model, ModelKind, Pipeline};

use crate::condition::{condition, schema_of};
use crate::error_place::{TextOrigin, diagnose};
use crate::parameters::BEGINNING;
use crate::relation::{JourneyMatching, relation};
use crate::step::{Plan, Step};

pub use influence::{ColumnLineage, ColumnOf, Influence, Influences};

/// The lineage of every model of a plan.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    /// Models by name, in running order.
    pub models: IndexMap<String, ColumnLineage>,
}

impl Lineage {
    /// What a column is directly made of, one step back; nothing for a column of a source.
    pub fn inputs<'a>(
        &'a self,
        of: &ColumnOf,
    ) -> impl Iterator<Item = (&'a ColumnOf, &'a BTreeSet<Influence>)> + use<'a> {
        let model = self.models.get(&of.relation);
        model.and_then(|model| model.columns.get(&of.column)).into_iter().flatten()
    }

    /// Which columns are made of, or chosen by, a column, one step on.
    pub fn outputs<'a>(&'a self, of: &'a ColumnOf) -> impl Iterator<Item = (ColumnOf, &'a BTreeSet<Influence>)> {
        self.models.iter().flat_map(move |(relation, model)| {
            model.columns.iter().filter_map(move |(column, influences)| {
                let influence = influences.get(of)?;
                Some((ColumnOf { relation: relation.clone(), column: column.clone() }, influence))
            })
        })
    }
}

/// Traces every model of `plan`. `session` holds functions and `journey_definitions`, and none of the plan's relations.
///
/// # Errors
/// None that planning has not reported already.
pub async fn lineage(
    plan: &Plan,
    session: &SessionContext,
    matching: &dyn JourneyMatching,
) -> Result<Lineage, Diagnostics> {
    let pipeline = &plan.pipeline;
    let parameters = plan.parameters.with_interval(BEGINNING);
    for step in &plan.steps {
        let table = Arc::new(EmptyTable::new(Arc::clone(&step.schema)));
        let origin = || TextOrigin::Value(pipeline.name.clone());
        session.register_table(step.name.as_str(), table).map_err(|error| diagnose(&error, &origin()))?;
    }
    let known = |name: &str| name == crate::JOURNEY_DEFINITIONS || plan.step(name).is_some();
    let mut models = IndexMap::new();
    for step in &plan.steps {
        let Some(model) = pipeline.models.get(&step.name) else { continue };
        let traced = match &model.kind {
            ModelKind::Match { input, rows } => matched(plan, step, model, input, *rows, session, matching)?,
            _ => {
                let rows = relation(model, step.sql.as_deref(), pipeline, &parameters, session, matching).await?;
                trace::trace(&rows, &known)
            }
        };
        models.insert(step.name.clone(), traced);
    }
    Ok(Lineage { models })
}

/// The matcher is no SQL: what its columns are made of it says itself.
fn matched(
    plan: &Plan,
    step: &Step,
    model: &Model,
    input: &Located<String>,
    rows: MatchRows,
    session: &SessionContext,
    matching: &dyn JourneyMatching,
) -> Result<ColumnLineage, Diagnostics> {
    let Some(touchpoints) = plan.step(input) else { return Ok(ColumnLineage::default()) };
    let column = |name: &str| ColumnOf { relation: input.value.clone(), column: name.to_owned() };
    let has = |name: &str| touchpoints.schema.field_with_name(name).is_ok();
    let keys: BTreeSet<&str> =
        plan.pipeline.journeys.values().flat_map(|journey| &journey.key).map(|key| key.as_str()).collect();
    let columns = step.schema.fields().iter().map(|field| {
        let name = field.name().as_str();
        let carried = match rows {
            MatchRows::Members => has(name),
            MatchRows::Instances => keys.contains(name),
        };
        let influences: Influences = if carried {
            Influences::from([(column(name), BTreeSet::from([Influence::Identity]))])
        } else {
            let made_of = matching.made_of(name).iter().filter(|name| has(name));
            made_of.map(|name| (column(name), BTreeSet::from([Influence::Aggregation]))).collect()
        };
        (field.name().clone(), influences)
    });
    let columns = columns.collect();
    let mut deciding = Influences::new();
    let mut decides = |name: &str, influence| {
        deciding.entry(column(name)).or_default().insert(influence);
    };
    keys.iter().for_each(|key| decides(key, Influence::GroupBy));
    ["occurred_at", "touchpoint_id"].iter().for_each(|name| decides(name, Influence::Sort));
    let schema = schema_of(&model.name, &touchpoints.schema)?;
    for text in conditions(&plan.pipeline) {
        let condition = condition(text, &schema, &plan.parameters, &session.state())?;
        condition.column_refs().into_iter().for_each(|read| decides(&read.name, Influence::Filter));
    }
    Ok(ColumnLineage { columns, rows: deciding })
}

fn conditions(pipeline: &Pipeline) -> impl Iterator<Item = &Located<String>> {
    pipeline.journeys.values().flat_map(|journey: &JourneyDefinition| {
        let further = [&journey.ends, &journey.abandons, &journey.includes];
        std::iter::once(&journey.starts).chain(further.into_iter().flatten())
    })
}
