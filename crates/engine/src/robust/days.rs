//! The days of a period on the variants of a journey and off them, counted by the pipeline's own models.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, cast as as_type, ident, lit};
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{Duration, JourneyDefinition, Located, MatchRows, ModelKind, Pipeline, Timestamp, Variable};
use throughline_plan::{BEGINNING, Parameters, Plan};

use super::surroundings::Run;
use super::variants::Variant;
use crate::discover::keep_days;
use crate::discover::statement::{in_memory, register, register_rows, register_view};
use crate::failure::EngineError;
use crate::instants::at;
use crate::step::relation_cache::RelationCache;
use crate::workspace::definitions::journey_definitions;

/// The models that are computed for the variants.
pub(super) const COUNTED: [&str; 9] = [
    "journey_state",
    "eligible_stretch",
    "eligible_spell_stretch",
    "exposed_stretch",
    "fct_journey_risk",
    "journey_exposed_customers",
    "journey_joint_risk",
    "key_journey_stratum",
    "key_journey_mutual",
];
/// So many journeys have room in `journey_joint_risk`.
const MOST_JOURNEYS: usize = 124;

/// A month or quarter, and the journey that is judged in it.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) journey: String,
    pub(super) period_kind: String,
    pub(super) period_start: Timestamp,
    /// First instant of its first counted day, and first instant after its last.
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Scope {
    /// The rows of the period, over all segments.
    pub(super) fn is_of(&self) -> Expr {
        self.is_of_period().and(ident("segment").eq(lit("all")))
    }

    pub(super) fn is_of_period(&self) -> Expr {
        ident("period_kind").eq(lit(self.period_kind.as_str())).and(ident("period_start").eq(at(self.period_start)))
    }

    /// Stretches of days that touch the period.
    fn touches(&self) -> Expr {
        ident("from_day").lt(at(self.until)).and(ident("until_day").gt(at(self.from)))
    }
}

/// Rows of the variants. Each bears the journey's own name, and its variant's name where the kind of the period stands:
/// a variant is judged as if it were a period of its own.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) strata: Vec<RecordBatch>,
    pub(super) mutual: Vec<RecordBatch>,
    pub(super) exposed_customers: Vec<RecordBatch>,
}

/// Counts days; holds what is the same for every horizon.
pub(super) struct Days<'a> {
    run: &'a Run,
    scope: &'a Scope,
    session: SessionContext,
    /// The days on the other journeys, as published.
    exposed_to_others: Arc<dyn TableProvider>,
    /// Holds the memory of the touchpoints that are kept.
    _kept: RelationCache,
}

impl<'a> Days<'a> {
    pub(super) async fn open(run: &'a Run, scope: &'a Scope) -> Result<Self, EngineError> {
        let session = run.surroundings(&COUNTED, &[]).await?;
        keep_days(scope.from, scope.until, &session).await?;
        let months = session.table("counted_month").await?;
        let months = months.filter(ident("month").lt(at(scope.until)).and(ident("next_month").gt(at(scope.from))))?;
        register_rows("counted_month", months, &session).await?;

        run.published.register_table("exposed_stretch", &session).await?;
        let others = session.table("exposed_stretch").await?;
        let others = others.filter(ident("journey").not_eq(lit(scope.journey.as_str())).and(scope.touches()))?;
        register_rows("exposed_stretch", others, &session).await?;
        let exposed_to_others = session.table_provider("exposed_stretch").await?;

        // Matched once for each horizon.
        let cache = RelationCache::new(&session, run.prepared.session_options.memory_limit);
        if let Some(touchpoints) = touchpoints(run.plan()) {
            let (kept, _) = cache.keep_as_table(session.table(touchpoints).await?, &session).await?;
            if let Some(kept) = kept {
                register(touchpoints, kept, &session)?;
            }
        }
        Ok(Self { run, scope, session, exposed_to_others, _kept: cache })
    }

    /// Adds the variants of one horizon to `counted`.
    pub(super) async fn count(
        &self,
        horizon: Duration,
        variants: &[Variant],
        counted: &mut Counted,
    ) -> Result<(), EngineError> {
        let session = &self.session;
        let alone = self.pipeline(horizon, variants, false);
        let parameters = Parameters::new(&alone, self.run.plan().parameters.as_of()).with_interval(BEGINNING);
        let rows = async |name: &str| self.run.rows(name, &alone, &parameters, session).await;

        // The first stretch of an exposure that reaches into the period says so, wherever it lies itself.
        let ends = coalesce(vec![ident("exposed_until"), ident("until_day")]);
        let touches = ident("from_day").lt(at(self.scope.until)).and(ends.gt(at(self.scope.from)));
        let states = rows("journey_state").await?.filter(touches)?;
        register_rows("journey_state", states, session).await?;
        for name in ["eligible_stretch", "eligible_spell_stretch"] {
            register_view(name, rows(name).await?.into_unoptimized_plan(), session)?;
        }
        for name in ["exposed_stretch", "fct_journey_risk"] {
            register_rows(name, rows(name).await?, session).await?;
        }
        for (name, kept) in [
            ("key_journey_stratum", &mut counted.strata),
            ("journey_exposed_customers", &mut counted.exposed_customers),
        ] {
            let of_period = rows(name).await?.filter(self.scope.is_of())?;
            let read = of_period
                .with_column("period_kind", ident("journey"))?
                .with_column("journey", lit(self.scope.journey.as_str()))?;
            kept.extend(read.collect().await?);
        }

        let exposed = session.table_provider("exposed_stretch").await?;
        let others = self.run.plan().pipeline.journeys.len() - 1;
        for some in variants.chunks(MOST_JOURNEYS.saturating_sub(others).max(1)) {
            let cells = self.joint_cells(horizon, some, Arc::clone(&exposed)).await?;
            for variant in some {
                counted.mutual.extend(self.mutual(variant, &cells, &alone, &parameters).await?);
            }
        }
        Ok(())
    }

    /// Person-days and leavers of the period by the state of the other journeys, as published, and of the variants.
    async fn joint_cells(
        &self,
        horizon: Duration,
        variants: &[Variant],
        exposed: Arc<dyn TableProvider>,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        let session = &self.session;
        let together = self.pipeline(horizon, variants, true);
        let parameters = Parameters::new(&together, self.run.plan().parameters.as_of()).with_interval(BEGINNING);
        let names = variants.iter().map(|variant| lit(variant.name())).collect();
        let to_variants = session.read_table(exposed)?.filter(ident("journey").in_list(names, false))?;
        let to_all = with_rows(to_variants, session.read_table(Arc::clone(&self.exposed_to_others))?)?;
        register_view("exposed_stretch", to_all.into_unoptimized_plan(), session)?;
        register("dim_journey", Arc::new(journey_definitions(&together)?), session)?;
        let eligible = self.run.rows("eligible_stretch", &together, &parameters, session).await?;
        register_view("eligible_stretch", eligible.into_unoptimized_plan(), session)?;
        let cells = self.run.rows("journey_joint_risk", &together, &parameters, session).await?;
        Ok(cells.collect().await?)
    }

    /// A variant's rate ratio with the exposures to all other journeys held fixed.
    async fn mutual(
        &self,
        variant: &Variant,
        cells: &[RecordBatch],
        pipeline: &Pipeline,
        parameters: &Parameters,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        let Some(first) = cells.first() else { return Ok(Vec::new()) };
        let cells = cells.iter().map(|batch| alone(batch, variant.name(), &self.scope.journey));
        let cells: Vec<RecordBatch> = cells.collect::<Result<_, _>>()?;
        register("journey_joint_risk", Arc::new(in_memory(&first.schema(), vec![cells])?), &self.session)?;
        let read = self.run.rows("key_journey_mutual", pipeline, parameters, &self.session).await?;
        let of_variant = self.scope.is_of().and(ident("journey").eq(lit(self.scope.journey.as_str())));
        Ok(read.filter(of_variant)?.with_column("period_kind", lit(variant.name()))?.collect().await?)
    }

    /// The pipeline with the variants in place of their journey, with or without the others, and their horizon.
    fn pipeline(&self, horizon: Duration, variants: &[Variant], with_others: bool) -> Pipeline {
        let own = &self.run.plan().pipeline;
        let mut pipeline = Pipeline::clone(own);
        let value = Located { value: Variable::Duration(horizon), place: own.name.place.clone() };
        pipeline.variables.insert("exposure_horizon".to_owned(), value);
        let is_kept = |name: &String| with_others && *name != self.scope.journey;
        let others = own.journeys.iter().filter(|(name, _)| is_kept(name));
        let mut journeys: IndexMap<String, JourneyDefinition> =
            others.map(|(name, definition)| (name.clone(), definition.clone())).collect();
        journeys.extend(variants.iter().map(|variant| (variant.name().to_owned(), variant.definition.clone())));
        pipeline.journeys = journeys;
        pipeline
    }
}

/// The relation whose touchpoints are matched to states; `None` where the pipeline makes its states otherwise.
pub(super) fn touchpoints(plan: &Plan) -> Option<&str> {
    match &plan.pipeline.models.get("journey_state")?.kind {
        ModelKind::Match { input, rows: MatchRows::States } => Some(&input.value),
        _ => None,
    }
}

/// Rows and more rows with the same columns, of which only the types may differ.
pub(super) fn with_rows(rows: DataFrame, more: DataFrame) -> Result<DataFrame, DataFusionError> {
    let columns = rows.schema().fields().iter().map(|field| {
        let name = field.name().as_str();
        as_type(ident(name), field.data_type().clone()).alias(name)
    });
    let more = more.select(columns.collect::<Vec<_>>())?;
    rows.union(more)
}

/// Cells in which one variant bears the journey's name and the other variants are forgotten.
fn alone(cells: &RecordBatch, variant: &str, journey: &str) -> Result<RecordBatch, DataFusionError> {
    let of_variants = format!("{journey}/");
    let named = |names: &str| -> String {
        let names = names.split(',').filter_map(|name| match name {
            _ if name == variant => Some(journey),
            _ if name.starts_with(&of_variants) => None,
            _ => Some(name),
        });
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.join(",")
    };
    let schema = cells.schema();
    let columns = schema.fields().iter().zip(cells.columns());
    let columns = columns.map(|(field, column)| -> Result<(Field, ArrayRef), DataFusionError> {
        if !["exposed", "not_eligible"].contains(&field.name().as_str()) {
            return Ok((field.as_ref().clone(), Arc::clone(column)));
        }
        let lists = cast(column, &DataType::Utf8)?;
        let lists: StringArray = lists.as_string::<i32>().iter().map(|names| names.map(named)).collect();
        Ok((field.as_ref().clone().with_data_type(DataType::Utf8), Arc::new(lists) as ArrayRef))
    });
    let (fields, columns): (Vec<_>, Vec<_>) = columns.collect::<Result<Vec<_>, DataFusionError>>()?.into_iter().unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
