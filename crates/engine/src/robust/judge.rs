//! Tiers and ranks of the variants, by the pipeline's own models, beside the published figures of the other journeys.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;

use super::days::{Counted, Scope, with_rows};
use super::surroundings::Run;
use super::variants::Variant;
use crate::discover::statement::{in_memory, register, register_rows, register_view};
use crate::failure::EngineError;
use crate::read::figures::Figures;
use crate::read::key_periods::KEY_JOURNEYS;

/// The models that judge.
pub(super) const JUDGING: [&str; 2] = ["key_journey_figure", KEY_JOURNEYS];
/// The tables that the figures of a period are made of. The journey's own volume is not read from them.
pub(super) const OF_PERIODS: [&str; 5] = [
    "key_journey_period",
    "key_journey_volume",
    "journey_exposed_customers",
    "key_journey_stratum",
    "key_journey_mutual",
];
/// What no tier and no rank depends on.
const BESIDE: [&str; 2] = ["key_journey_goes_with", "key_journey_change"];

/// The journey's row of `fct_key_journeys` for each variant, by the variant's name. Each variant stands as a kind of
/// period of its own, in which the other journeys have what is published of them.
pub(super) async fn judge(
    run: &Run,
    scope: &Scope,
    variants: &[Variant],
    counted: Counted,
) -> Result<BTreeMap<String, Figures>, EngineError> {
    let session = run.surroundings(&JUDGING, &BESIDE).await?;
    register_names(variants, &session)?;
    let mut of_variants = BTreeMap::from([
        ("key_journey_stratum", counted.strata),
        ("key_journey_mutual", counted.mutual),
        ("journey_exposed_customers", counted.exposed_customers),
    ]);
    for name in OF_PERIODS {
        let others = others(name, scope, of_variants.contains_key(name), &session).await?;
        let rows = match of_variants.remove(name) {
            Some(batches) if !batches.is_empty() => {
                let planned = others.schema().as_arrow().clone();
                with_rows(others, session.read_table(Arc::new(in_memory(&planned, vec![batches])?))?)?
            }
            _ => others,
        };
        register_rows(name, rows, &session).await?;
    }
    for name in BESIDE {
        if let Some(step) = run.plan().step(name) {
            let nothing = MemTable::try_new(Arc::clone(&step.schema), vec![Vec::new()])?;
            register(name, Arc::new(nothing), &session)?;
        }
    }
    let plan = run.plan();
    let rows = async |name: &str| run.rows(name, &plan.pipeline, &plan.parameters, &session).await;
    register_view("key_journey_figure", rows("key_journey_figure").await?.into_unoptimized_plan(), &session)?;
    let judged = rows(KEY_JOURNEYS).await?;
    let judged = judged.filter(ident("journey").eq(lit(scope.journey.as_str())))?.collect().await?;
    Ok(Figures::of(&judged).into_iter().filter_map(|row| Some((row.text("period_kind")?, row))).collect())
}

/// The published rows of a period once for each variant: those of the other journeys where the journey's own are
/// `replaced`.
async fn others(name: &str, scope: &Scope, replaced: bool, session: &SessionContext) -> Result<DataFrame, EngineError> {
    let mut rows = session.table(name).await?;
    let has_segments = rows.schema().fields().iter().any(|field| field.name() == "segment");
    rows = rows.filter(if has_segments { scope.is_of() } else { scope.is_of_period() })?;
    if replaced {
        rows = rows.filter(ident("journey").not_eq(lit(scope.journey.as_str())))?;
    }
    let each = rows.join_on(session.table("variant").await?, JoinType::Inner, [])?;
    Ok(each.with_column("period_kind", ident("variant_name"))?.drop_columns(&["variant_name"])?)
}

fn register_names(variants: &[Variant], session: &SessionContext) -> Result<(), EngineError> {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(variants.iter().map(Variant::name)));
    let batch = RecordBatch::try_from_iter([("variant_name", names)]).map_err(DataFusionError::from)?;
    register("variant", Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?), session)
}
