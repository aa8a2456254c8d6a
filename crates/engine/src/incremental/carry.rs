//! Matching that begins in the middle: instances that were open then are carried over from their members.
//!
//! What a definition makes of a customer's touchpoints from an instant on depends on what came before only by the
//! instance that is open at that instant. It is the last one that began before, and its members stand in the table of
//! members: put before the touchpoints that follow, they lead the matcher to the same instance. They count for their own
//! journey alone, so each carries its journey's name.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{JoinType, Result as DataFusionResult, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, cast, lit};
use datafusion::prelude::{SessionContext, ident};
use indexmap::IndexMap;
use throughline_config::{Duration, JourneyDefinition, Located, MatchRows, OnRestart, Timestamp};
use throughline_lake::TableParts;
use throughline_plan::{BEGINNING, JourneyMatching, Plan};

use crate::expressions::{at, in_types_of};
use crate::failure::EngineError;
use crate::matching::Matcher;

/// The journey for which a touchpoint is carried over; null for a touchpoint of the time that is matched again.
const CARRIED_FOR: &str = "__carried_for";

/// Instances that go on, by id.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    /// One column, `journey_id`.
    pub(super) ids: Arc<MemTable>,
    pub(super) number: u64,
}

/// The instances that were open at `from`, found in the members that are published: of each journey and key the last
/// one that began before, unless it was settled before. `unsettled` are the members in files that may hold one settled at
/// `from` or later, `settled` the other files. Only rows that are `touched` are matched again, where it is known which.
/// `session` is the caller's own.
pub(super) async fn carried(
    unsettled: &Arc<dyn TableProvider>,
    settled: &TableParts,
    touched: Option<&Expr>,
    plan: &Plan,
    from: Timestamp,
    session: &SessionContext,
) -> Result<Carried, EngineError> {
    const MEMBERS: &str = "__members";
    // A restarted instance's row does not say when it ended. The one that took its place may be settled already, and then
    // lies in another file; of a journey without restarts none begins before the one that is open is settled.
    let restarts = || plan.pipeline.journeys.values().filter(|journey| journey.on_restart == OnRestart::Split);
    let mut members = session.read_table(Arc::clone(unsettled))?;
    if restarts().next().is_some() {
        let recent = settled.split_at(silent_since(restarts(), from)).reached;
        if recent.number_of_files() > 0 {
            let columns = in_types_of(members.schema());
            let recent = session.read_table(recent.provider())?;
            let of_restarts = format!("step = 1 AND journey IN ({})", names(restarts()));
            let of_restarts = session.parse_sql_expr(&of_restarts, recent.schema())?;
            members = members.union(recent.filter(of_restarts)?.select(columns)?)?;
        }
    }
    if let Some(touched) = touched {
        members = members.filter(touched.clone())?;
    }
    session.register_table(MEMBERS, members.into_view())?;
    let found = session.sql(&still_open(plan, from, MEMBERS)).await?.collect().await?;
    let schema = Arc::new(Schema::new(vec![Field::new("journey_id", DataType::Utf8View, true)]));
    let number = found.iter().map(|batch| batch.num_rows() as u64).sum();
    let rows = found.iter().map(|batch| {
        let ids = arrow::compute::cast(batch.column(0), &DataType::Utf8View)?;
        RecordBatch::try_new(Arc::clone(&schema), vec![ids])
    });
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
    Ok(Carried { ids: Arc::new(MemTable::try_new(schema, vec![rows])?), number })
}

/// Names of journeys are plain words and instants are numbers; nobody's text gets into this SQL.
fn still_open(plan: &Plan, from: Timestamp, members: &str) -> String {
    let journeys = &plan.pipeline.journeys;
    let mut further: Vec<&str> = journeys.values().flat_map(further_key).collect();
    further.sort_unstable();
    further.dedup();
    let further = further.iter().map(|column| {
        let with = journeys.values().filter(|journey| further_key(journey).any(|key| key == *column));
        format!(", CASE WHEN journey IN ({}) THEN \"{column}\" END", names(with))
    });
    let key: String = further.collect();
    format!(
        "SELECT journey_id FROM (
            SELECT journey_id, {settled} AS settled_at, row_number() OVER (
                PARTITION BY journey, customer_id{key} ORDER BY started_at DESC, touchpoint_id DESC
            ) AS place
            FROM {members}
            WHERE step = 1 AND started_at < {from}
        ) AS latest
        WHERE place = 1 AND coalesce(settled_at >= {from}, TRUE)",
        settled = settled_at(plan),
        from = instant(from),
    )
}

/// No instance that is open at `from` had its last member before this instant: none stays open for longer than its
/// journey's limits allow.
pub(super) fn open_since(plan: &Plan, from: Timestamp) -> Timestamp {
    silent_since(plan.pipeline.journeys.values(), from)
}

/// The same for instances of some journeys.
fn silent_since<'a>(journeys: impl Iterator<Item = &'a JourneyDefinition>, from: Timestamp) -> Timestamp {
    let limits: Option<Vec<Timestamp>> = journeys.map(longest_silence).collect();
    match limits {
        Some(limits) => from.saturating_sub(limits.into_iter().max().unwrap_or(0)),
        None => BEGINNING,
    }
}

/// How long after its last member an instance can still be open.
fn longest_silence(journey: &JourneyDefinition) -> Option<Timestamp> {
    [journey.within, journey.idle].into_iter().flatten().map(|limit| limit.0).min()
}

/// The instant from which on nothing can change an instance any more, over the columns of members and instances: null
/// while it is open, and where a restart may have come at any time.
pub(super) fn settled_at(plan: &Plan) -> String {
    let otherwise = deadline(plan).map(|deadline| format!(" ELSE {deadline}")).unwrap_or_default();
    format!(
        "CASE WHEN status = 'open' THEN NULL WHEN status IN ('completed', 'abandoned') THEN ended_at{otherwise} END"
    )
}

/// The instant after which an instance is no longer open without another touchpoint; null for journeys without limits,
/// `None` when no journey has any.
pub(super) fn deadline(plan: &Plan) -> Option<String> {
    let deadlines: String = plan
        .pipeline
        .journeys
        .values()
        .filter_map(|journey| {
            let after = |column: &str, limit: Duration| format!("{column} + INTERVAL '{} microseconds'", limit.0);
            let deadline = match (journey.within, journey.idle) {
                (Some(within), Some(idle)) => {
                    format!("least({}, {})", after("started_at", within), after("last_at", idle))
                }
                (Some(within), None) => after("started_at", within),
                (None, Some(idle)) => after("last_at", idle),
                (None, None) => return None,
            };
            Some(format!(" WHEN '{}' THEN {deadline}", journey.name.value))
        })
        .collect();
    (!deadlines.is_empty()).then(|| format!("CASE journey{deadlines} END"))
}

/// Matches from `from` on: the touchpoints since then, all or those that are `touched`, after the members of the
/// instances carried over, which are among `members`.
pub(super) fn matched_again(
    touchpoints: LogicalPlan,
    members: Option<(Arc<dyn TableProvider>, &Carried)>,
    touched: Option<&Expr>,
    rows: MatchRows,
    from: Timestamp,
    plan: &Plan,
    session: &SessionContext,
) -> Result<LogicalPlan, EngineError> {
    let state = session.state();
    let columns = in_types_of(touchpoints.schema());
    let select = |frame: DataFrame, carried_for: Expr| -> DataFusionResult<DataFrame> {
        frame.select(columns.iter().cloned().chain([carried_for.alias(CARRIED_FOR)]).collect::<Vec<_>>())
    };
    let mut since = DataFrame::new(state.clone(), touchpoints).filter(ident("occurred_at").gt_eq(at(from)))?;
    if let Some(touched) = touched {
        since = since.filter(touched.clone())?;
    }
    let mut input = select(since, lit(ScalarValue::Utf8(None)))?;
    if let Some((unsettled, carried)) = members {
        let ids =
            session.read_table(Arc::clone(&carried.ids) as _)?.select(vec![ident("journey_id").alias("carried_id")])?;
        let going_on = session.read_table(unsettled)?.filter(ident("occurred_at").lt(at(from)))?.join(
            ids,
            JoinType::LeftSemi,
            &["journey_id"],
            &["carried_id"],
            None,
        )?;
        let journey = cast(ident("journey"), DataType::Utf8);
        input = input.union(select(going_on, journey)?)?;
    }
    let definitions: IndexMap<String, JourneyDefinition> =
        plan.pipeline.journeys.iter().map(|(name, journey)| (name.clone(), of_its_own(journey))).collect();
    let matched = Matcher.matching(input.into_unoptimized_plan(), rows, &definitions, &plan.parameters, &state)?;
    let kept = matched.schema().columns().into_iter().filter(|column| column.name != CARRIED_FOR);
    let kept: Vec<Expr> = kept.map(Expr::Column).collect();
    Ok(DataFrame::new(state, matched).select(kept)?.into_unoptimized_plan())
}

/// The definition whose conditions hold of no touchpoint that is carried over for another journey.
fn of_its_own(journey: &JourneyDefinition) -> JourneyDefinition {
    let own = format!("({CARRIED_FOR} IS NULL OR {CARRIED_FOR} = '{}')", journey.name.value);
    let guarded = |condition: &Located<String>| Located {
        value: format!("({}\n) AND {own}", condition.value),
        place: condition.place.clone(),
    };
    JourneyDefinition {
        starts: guarded(&journey.starts),
        ends: journey.ends.as_ref().map(guarded),
        abandons: journey.abandons.as_ref().map(guarded),
        includes: Some(match &journey.includes {
            Some(condition) => guarded(condition),
            None => Located { value: own, place: journey.name.place.clone() },
        }),
        ..journey.clone()
    }
}

fn further_key(journey: &JourneyDefinition) -> impl Iterator<Item = &str> {
    journey.key.iter().map(|column| column.value.as_str()).filter(|column| *column != "customer_id")
}

fn names<'a>(journeys: impl Iterator<Item = &'a JourneyDefinition>) -> String {
    journeys.map(|journey| format!("'{}'", journey.name.value)).collect::<Vec<_>>().join(", ")
}

/// An instant as SQL.
fn instant(instant: Timestamp) -> String {
    format!("arrow_cast({instant}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}
