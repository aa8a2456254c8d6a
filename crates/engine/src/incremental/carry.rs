//! Matching since an instant: instances that are open then are carried in by their members.
//!
//! How a definition matches a customer's touchpoints since an instant depends on earlier touchpoints only through the
//! instance that is open at that instant. It is the last one that began before, and its members are in the table of
//! members: put before the touchpoints that follow, they bring the matcher to the same instance. They count for their
//! own journey alone, so each is marked with its journey's name.

use std::collections::BTreeMap;
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
use throughline_config::{JourneyDefinition, Located, MatchRows, OnRestart, Timestamp};
use throughline_lake::TableParts;
use throughline_plan::{JourneyMatching, Plan};
use tokio::sync::Mutex;

use super::limits::{last_member_since, settled_at};
use crate::columns::in_types_of;
use crate::failure::EngineError;
use crate::instants::at;
use crate::workspace::matching::Matcher;

/// The journey whose open instance a member brings in; null for a touchpoint of the time that is matched.
const OPEN_FOR: &str = "__open_for";

/// By the table of members, its version and the instant since which touchpoints are matched, and the version of the
/// digests that say which customers are matched: none when all are.
type OpenAt = (String, u64, Timestamp, Option<u64>);

/// The open instances that the steps of a run have found so far: members and instances both need them.
#[derive(Debug, Default)]
pub(crate) struct FoundOpenInstances(Mutex<BTreeMap<OpenAt, OpenInstances>>);

impl FoundOpenInstances {
    /// Those of a table and an instant; the first step that asks awaits `find`.
    pub(super) async fn get(
        &self,
        (table, version, since): (&str, u64, Timestamp),
        digests: Option<u64>,
        find: impl Future<Output = Result<OpenInstances, EngineError>>,
    ) -> Result<OpenInstances, EngineError> {
        let mut known = self.0.lock().await;
        let key = (table.to_owned(), version, since, digests);
        if let Some(found) = known.get(&key) {
            return Ok(found.clone());
        }
        let found = find.await?;
        known.insert(key, found.clone());
        Ok(found)
    }
}

/// Instances that were open at the instant since which touchpoints are matched.
#[derive(Debug, Clone)]
pub(crate) struct OpenInstances {
    /// One column, `journey_id`.
    pub(super) ids: Arc<MemTable>,
    pub(super) number: u64,
}

/// The instances that were open at `since`, found in the published members: of each journey and key the last one that
/// began before, unless it was settled before. `unsettled` are the members in files that may hold one settled at
/// `since` or later, `settled` the other files. `is_matched` is true for rows of customers who are matched, where it is
/// known who is. `session` is the caller's own.
pub(super) async fn find_open_instances(
    unsettled: &Arc<dyn TableProvider>,
    settled: &TableParts,
    is_matched: Option<&Expr>,
    plan: &Plan,
    since: Timestamp,
    session: &SessionContext,
) -> Result<OpenInstances, EngineError> {
    const MEMBERS: &str = "__members";
    // A restarted instance's row does not say when it ended. The one that took its place may be settled already, and
    // then lies in another file; of a journey without restarts none begins before the one that is open is settled.
    let restarts = || plan.pipeline.journeys.values().filter(|journey| journey.on_restart == OnRestart::Split);
    let mut members = session.read_table(Arc::clone(unsettled))?;
    if restarts().next().is_some() {
        let recent = settled.split_at(last_member_since(restarts(), since)).reached;
        if recent.number_of_files() > 0 {
            let columns = in_types_of(members.schema());
            let recent = session.read_table(recent.provider())?;
            let of_restarts = format!("step = 1 AND journey IN ({})", names(restarts()));
            let of_restarts = session.parse_sql_expr(&of_restarts, recent.schema())?;
            members = members.union(recent.filter(of_restarts)?.select(columns)?)?;
        }
    }
    if let Some(is_matched) = is_matched {
        members = members.filter(is_matched.clone())?;
    }
    session.register_table(MEMBERS, members.into_view())?;
    let found = session.sql(&still_open(plan, since, MEMBERS)).await?.collect().await?;
    let schema = Arc::new(Schema::new(vec![Field::new("journey_id", DataType::Utf8View, true)]));
    let number = found.iter().map(|batch| batch.num_rows() as u64).sum();
    let rows = found.iter().map(|batch| {
        let ids = arrow::compute::cast(batch.column(0), &DataType::Utf8View)?;
        RecordBatch::try_new(Arc::clone(&schema), vec![ids])
    });
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
    Ok(OpenInstances { ids: Arc::new(MemTable::try_new(schema, vec![rows])?), number })
}

/// Names of journeys are plain words and instants are numbers; nobody's text gets into this SQL.
fn still_open(plan: &Plan, since: Timestamp, members: &str) -> String {
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
            WHERE step = 1 AND started_at < {since}
        ) AS latest
        WHERE place = 1 AND coalesce(settled_at >= {since}, TRUE)",
        settled = settled_at(plan),
        since = instant(since),
    )
}

/// Matches touchpoints since an instant: all, or those for which `is_matched` is true. Before them come the members of
/// the open instances, which are among `members`.
pub(super) fn match_since(
    touchpoints: LogicalPlan,
    members: Option<(Arc<dyn TableProvider>, &OpenInstances)>,
    is_matched: Option<&Expr>,
    rows: MatchRows,
    since: Timestamp,
    plan: &Plan,
    session: &SessionContext,
) -> Result<LogicalPlan, EngineError> {
    let state = session.state();
    let columns = in_types_of(touchpoints.schema());
    let select = |frame: DataFrame, open_for: Expr| -> DataFusionResult<DataFrame> {
        frame.select(columns.iter().cloned().chain([open_for.alias(OPEN_FOR)]).collect::<Vec<_>>())
    };
    let mut recent = DataFrame::new(state.clone(), touchpoints).filter(ident("occurred_at").gt_eq(at(since)))?;
    if let Some(is_matched) = is_matched {
        recent = recent.filter(is_matched.clone())?;
    }
    let mut input = select(recent, lit(ScalarValue::Utf8(None)))?;
    if let Some((unsettled, open)) = members {
        let ids = session.read_table(Arc::clone(&open.ids) as _)?.select(vec![ident("journey_id").alias("open_id")])?;
        let of_open = session.read_table(unsettled)?.filter(ident("occurred_at").lt(at(since)))?.join(
            ids,
            JoinType::LeftSemi,
            &["journey_id"],
            &["open_id"],
            None,
        )?;
        let journey = cast(ident("journey"), DataType::Utf8);
        input = input.union(select(of_open, journey)?)?;
    }
    let definitions: IndexMap<String, JourneyDefinition> =
        plan.pipeline.journeys.iter().map(|(name, journey)| (name.clone(), of_its_own(journey))).collect();
    let matched = Matcher.matching(input.into_unoptimized_plan(), rows, &definitions, &plan.parameters, &state)?;
    let kept = matched.schema().columns().into_iter().filter(|column| column.name != OPEN_FOR);
    let kept: Vec<Expr> = kept.map(Expr::Column).collect();
    Ok(DataFrame::new(state, matched).select(kept)?.into_unoptimized_plan())
}

/// The definition with conditions that are true of no member of another journey's open instance.
fn of_its_own(journey: &JourneyDefinition) -> JourneyDefinition {
    let own = format!("({OPEN_FOR} IS NULL OR {OPEN_FOR} = '{}')", journey.name.value);
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
