//! `throughline discover`: candidate journeys from the touchpoints alone, with their volume and their link to churn.
//!
//! Patterns are searched in the touchpoints of some customers, which fit into memory ([`throughline_journeys::discovery`]);
//! each pattern becomes a journey definition. One pass of the matcher over all touchpoints then counts the candidates and
//! the pipeline's own definitions side by side, so every figure is that of the definition that is printed, and SQL does
//! the rest. The pipeline's definitions are only compared with; the search does not use them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{JoinType, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::functions::crypto::expr_fn::md5;
use datafusion::functions::string::expr_fn::concat;
use datafusion::logical_expr::{LogicalPlan, cast, ident, lit, when};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use indexmap::IndexMap;
use throughline_config::{JourneyDefinition, MatchRows, ModelKind, Pipeline, Timestamp, Variable};
use throughline_journeys::discovery::{Candidate, DiscoveryOptions, Found, TouchpointLog, discover as search};
use throughline_journeys::match_counts;
use throughline_plan::{Graph, JourneyMatching, Parameters, Plan};
use tokio::task::JoinSet;

use super::churn::{Scope, churn_links, latest_landmark, register_exposure, with_defaults};
use super::definition::{free_names, journey_definition, yaml};
use super::landmark::Landmark;
use super::result::{
    ChurnLink, Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, LandmarkDays, Likeness,
};
use super::tally::{Tally, Volume};
use crate::failure::EngineError;
use crate::preview::compute::compute_relations;
use crate::read::published::Published;
use crate::session::instants::{at, rfc3339, time_type};
use crate::workspace::matching::Matcher;
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::{Prepared, prepare};

const CUSTOMERS: &str = "customers";
/// Begins the name of a pipeline's own definition, so that it differs from a candidate of the same name.
const TODAY: &str = "today/";
/// Overlap of members from which a candidate is called like a definition.
const LIKE: f64 = 0.1;

/// How to search.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    /// Patterns are searched in the touchpoints of at most so many customers.
    pub customers: usize,
    /// A pattern with fewer episodes is no candidate. Counts for all customers; when only some are searched, the limit is
    /// proportionally lower.
    pub minimum_episodes: usize,
    /// A column of the touchpoints that separates cases within a customer, such as `order_id`.
    pub key: Option<String>,
}

/// Searches the touchpoints of a workspace's pipeline.
///
/// # Errors
/// A pipeline without the relations `touchpoints` and `customers`, a key that is no column, a source that fails.
pub async fn discover(options: PrepareOptions, how: &SearchOptions) -> Result<Discovery, EngineError> {
    let prepared = Arc::new(prepare(options).await?);
    let plan = &prepared.plan;
    let relation = touchpoint_relation(plan)?;
    require_columns(plan, &relation, &["touchpoint_id", "customer_id", "occurred_at", "event"])?;
    require_columns(plan, CUSTOMERS, &["customer_id", "joined_at", "churned_at", "lost_at", "segment"])?;
    let session = registered(&prepared, &[&relation, CUSTOMERS]).await?;
    let pipeline = with_defaults(&plan.pipeline);
    let as_of = plan.parameters.as_of();

    let all_customers = session.table(CUSTOMERS).await?.select(vec![ident("customer_id")])?.distinct()?.count().await?;
    let searched_all = all_customers <= how.customers;
    let log = touchpoint_log(&session, &relation, as_of, how, searched_all).await?;
    let share = if searched_all { 1.0 } else { how.customers as f64 / all_customers as f64 };
    let minimum = ((how.minimum_episodes as f64 * share).ceil() as usize).max(1);
    let (found, log) = tokio::task::spawn_blocking(move || {
        let found = search(&log, &DiscoveryOptions { as_of, minimum_episodes: minimum });
        (found, (log.units(), log.touchpoints()))
    })
    .await
    .map_err(|error| EngineError::unexpected("the search ended abnormally", error))?;

    let names = free_names(&found.candidates, &pipeline);
    let definitions = definitions(&found, &names, how, &pipeline);
    let all_names: Vec<String> = definitions.keys().cloned().collect();
    let landmark = latest_landmark(&pipeline, as_of, &session).await?;
    let (tally, touchpoints) =
        tally(&session, &relation, &definitions, found.candidates.len(), landmark.as_ref(), &plan.parameters).await?;
    let mut discovery = Discovery {
        as_of: rfc3339(as_of),
        relation,
        touchpoints,
        searched_customers: log.0,
        searched_touchpoints: log.1,
        searched_all,
        landmark: landmark.as_ref().map(days),
        candidates: Vec::new(),
        everyday: everyday(&found),
        by_candidates: Coverage { journeys: names.len(), touchpoints: tally.covered[0], ..Coverage::default() },
        by_definitions: Coverage {
            journeys: plan.pipeline.journeys.len(),
            touchpoints: tally.covered[1],
            ..Coverage::default()
        },
        touchpoints_in_both: tally.covered[2],
        confidence: confidence(&pipeline),
    };
    discovery.candidates = found
        .candidates
        .iter()
        .enumerate()
        .map(|(index, candidate)| {
            let like = likeness(&tally, index, &all_names[found.candidates.len()..]);
            found_journey(&names[index], candidate, &tally.volumes[index], like)
        })
        .collect();
    if let Some(landmark) = &landmark {
        register_exposure(&tally, &all_names, &session)?;
        let links = Links { landmark, pipeline: &pipeline, as_of, session: &session };
        links.add(&mut discovery, &names, &all_names[names.len()..]).await?;
    }
    rank(&mut discovery.candidates);
    for journey in &mut discovery.candidates {
        let Some(index) = names.iter().position(|name| *name == journey.name) else { continue };
        journey.yaml = yaml(&journey.name, &found.candidates[index], how.key.as_deref(), &remarks(journey));
    }
    Ok(discovery)
}

/// The relation that the pipeline's matcher reads, or `touchpoints`.
fn touchpoint_relation(plan: &Plan) -> Result<String, EngineError> {
    let matched = plan.pipeline.models.values().find_map(|model| match &model.kind {
        ModelKind::Match { input, .. } => Some(input.value.clone()),
        _ => None,
    });
    let relation = matched.unwrap_or_else(|| "touchpoints".to_owned());
    for name in [relation.as_str(), CUSTOMERS] {
        if plan.step(name).is_none() {
            return Err(EngineError::refused(
                format!("the pipeline `{}` has no relation `{name}`", plan.pipeline.name.value),
                "discover reads the two standard relations: touchpoints (one row an interaction) and customers (one \
                 row a membership spell)",
            ));
        }
    }
    Ok(relation)
}

fn require_columns(plan: &Plan, relation: &str, columns: &[&str]) -> Result<(), EngineError> {
    let has = |name: &str| plan.step(relation).is_some_and(|step| step.schema.column_with_name(name).is_some());
    match columns.iter().find(|column| !has(column)) {
        None => Ok(()),
        Some(column) => Err(EngineError::refused(
            format!("`{relation}` has no column `{column}`"),
            format!("discover reads {} of `{relation}`", columns.join(", ")),
        )),
    }
}

/// A session with the relations and all they read, which keep their contracts as in a run.
async fn registered(prepared: &Arc<Prepared>, names: &[&str]) -> Result<SessionContext, EngineError> {
    let plan = &prepared.plan;
    let session = prepared.session()?;
    let published = Published::latest(&prepared.warehouse, &plan.pipeline.name).await?;
    let wanted: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for table in Graph::closure(names.iter().copied(), |step| plan.graph.inputs(step))
        .into_iter()
        .filter(|name| plan.is_table(name))
    {
        let there = match &published {
            Some(published) => published.register_table(table, &session).await?,
            None => false,
        };
        if !there {
            return Err(EngineError::refused(
                format!("`{table}` is read, but it is not published yet"),
                format!("make it first: throughline run --select +{table}"),
            ));
        }
    }
    compute_relations(prepared, &wanted, session).await
}

/// The touchpoints of the customers who are searched: all, or those whose ids have the smallest digests, the same on every day.
async fn touchpoint_log(
    session: &SessionContext,
    relation: &str,
    as_of: Timestamp,
    how: &SearchOptions,
    all: bool,
) -> Result<TouchpointLog, EngineError> {
    let touchpoints = session.table(relation).await?;
    let has = |name: &str| touchpoints.schema().fields().iter().any(|field| field.name() == name);
    let text = |name: &str| match has(name) {
        true => cast(ident(name), DataType::Utf8),
        false => lit(ScalarValue::Utf8(None)),
    };
    let customer = cast(ident("customer_id"), DataType::Utf8);
    let unit = match how.key.as_deref() {
        None => customer,
        // A null in the key makes a null of the whole, and such a row belongs to no instance.
        Some(key) if has(key) => {
            when(ident(key).is_not_null(), concat(vec![customer, lit("/"), cast(ident(key), DataType::Utf8)])).end()?
        }
        Some(key) => {
            return Err(EngineError::refused(
                format!("`{relation}` has no column `{key}`"),
                format!("`throughline show {relation} --limit 0` lists its columns"),
            ));
        }
    };
    let mut rows = touchpoints.clone().filter(ident("occurred_at").lt(at(as_of)))?;
    if !all {
        let chosen = session
            .table(CUSTOMERS)
            .await?
            .select(vec![ident("customer_id").alias("searched_customer")])?
            .distinct()?
            .sort(vec![md5(cast(ident("searched_customer"), DataType::Utf8)).sort(true, false)])?
            .limit(0, Some(how.customers))?;
        rows = chosen.join(rows, JoinType::RightSemi, &["searched_customer"], &["customer_id"], None)?;
    }
    let ordered = rows
        .select(vec![
            unit.alias("unit"),
            cast(ident("occurred_at"), time_type()).alias("occurred_at"),
            text("channel").alias("channel"),
            text("event").alias("event"),
            text("topic").alias("topic"),
            ident("touchpoint_id"),
        ])?
        .filter(ident("unit").is_not_null())?
        .sort(["unit", "occurred_at", "touchpoint_id"].map(|name| ident(name).sort(true, false)).to_vec())?;
    let mut stream = ordered.execute_stream().await?;
    let mut log = TouchpointLog::default();
    while let Some(batch) = stream.next().await {
        log.push(&batch?).map_err(|error| {
            EngineError::refused(error.to_string(), "event and topic are codes; put free text into another column")
        })?;
    }
    Ok(log)
}

/// Candidates first, then the pipeline's definitions under names of their own.
fn definitions(
    found: &Found,
    names: &[String],
    how: &SearchOptions,
    pipeline: &Pipeline,
) -> IndexMap<String, JourneyDefinition> {
    let candidates = names
        .iter()
        .zip(&found.candidates)
        .map(|(name, candidate)| (name.clone(), journey_definition(name, candidate, how.key.as_deref())));
    let today = pipeline.journeys.values().map(|journey| {
        let mut journey = journey.clone();
        journey.name.value.insert_str(0, TODAY);
        (journey.name.value.clone(), journey)
    });
    candidates.chain(today).collect()
}

/// One pass of the matcher over all touchpoints, and how many there are.
async fn tally(
    session: &SessionContext,
    relation: &str,
    definitions: &IndexMap<String, JourneyDefinition>,
    candidates: usize,
    landmark: Option<&Landmark>,
    parameters: &Parameters,
) -> Result<(Tally, u64), EngineError> {
    let names: Vec<String> = definitions.keys().cloned().collect();
    let mut whole = Tally::new(&names, candidates, landmark);
    if definitions.is_empty() {
        let touchpoints = session.table(relation).await?.count().await?;
        return Ok((whole, touchpoints as u64));
    }
    let state = session.state();
    let input: LogicalPlan = session.table(relation).await?.into_unoptimized_plan();
    let knows = input.schema().fields().iter().any(|field| field.name() == "known_at");
    let matched = Matcher.matching(input, MatchRows::Members, definitions, parameters, &state)?;
    let known_at = if knows { "known_at" } else { "occurred_at" };
    let frame = DataFrame::new(state, matched).select(vec![
        ident("journey"),
        cast(ident("customer_id"), DataType::Utf8).alias("customer"),
        cast(ident("step"), DataType::Int64).alias("step_number"),
        ident("started_at"),
        ident("last_at"),
        ident("status"),
        cast(ident("touchpoint_id"), DataType::Utf8).alias("touchpoint"),
        ident("occurred_at"),
        cast(ident(known_at), time_type()).alias("known"),
    ])?;
    let physical: Arc<dyn ExecutionPlan> = frame.create_physical_plan().await?;
    let mut partitions: JoinSet<Result<Tally, EngineError>> = JoinSet::new();
    for mut stream in execute_stream_partitioned(Arc::clone(&physical), session.task_ctx())? {
        let mut part = Tally::new(&names, candidates, landmark);
        partitions.spawn(async move {
            while let Some(batch) = stream.next().await {
                part.add(&batch?).map_err(datafusion::error::DataFusionError::from)?;
            }
            Ok(part)
        });
    }
    while let Some(part) = partitions.join_next().await {
        let part = part.map_err(|error| EngineError::unexpected("counting ended abnormally", error))??;
        whole.merge(part);
    }
    let read = match_counts(physical.as_ref()).iter().map(|counts| counts.counts.read).max().unwrap_or(0);
    Ok((whole, read))
}

fn found_journey(name: &str, candidate: &Candidate, volume: &Volume, like: Option<Likeness>) -> FoundJourney {
    let over = volume.instances - volume.with_status("open");
    let completed = volume.with_status("completed");
    FoundJourney {
        name: name.to_owned(),
        topics: candidate.topics.clone(),
        start_events: candidate.start_events.clone(),
        end_event: candidate.end_event.clone(),
        stopping_share: candidate.stopping_share,
        abandon_events: candidate.abandon_events.clone(),
        yaml: String::new(),
        episodes: volume.instances,
        customers: volume.customers,
        by_status: volume.by_status.clone(),
        completed_share: (over > 0).then(|| completed as f64 / over as f64),
        median_duration_s: volume.median_duration(),
        members: volume.members,
        variants: candidate
            .variants
            .iter()
            .map(|variant| FoundVariant {
                events: variant.events.clone(),
                share: variant.episodes as f64 / candidate.episodes.max(1) as f64,
            })
            .collect(),
        different_variants: candidate.different_variants,
        milestones: candidate.milestones.clone(),
        churn: None,
        like,
    }
}

/// The definition of today that shares most with a candidate, if it is worth a word.
fn likeness(tally: &Tally, candidate: usize, today: &[String]) -> Option<Likeness> {
    let members = tally.volumes[candidate].members;
    let first = tally.shared.len();
    let of = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let likeness = tally.shared[candidate].iter().zip(today).enumerate().map(|(index, (&shared, name))| {
        let other = tally.volumes[first + index].members;
        Likeness {
            journey: name.trim_start_matches(TODAY).to_owned(),
            of_candidate: of(shared, members),
            of_journey: of(shared, other),
            overlap: of(shared, members + other - shared),
        }
    });
    likeness.filter(|like| like.overlap >= LIKE).max_by(|left, right| left.overlap.total_cmp(&right.overlap))
}

/// What links are computed with.
struct Links<'a> {
    landmark: &'a Landmark,
    pipeline: &'a Pipeline,
    as_of: Timestamp,
    session: &'a SessionContext,
}

impl Links<'_> {
    /// Each candidate's and definition's link, then that of all and of the linked ones of each side taken together.
    async fn add(&self, discovery: &mut Discovery, names: &[String], today: &[String]) -> Result<(), EngineError> {
        let single = |names: &[String], kind: &'static str| -> Vec<Scope> {
            let scopes = names.iter().map(|name| Scope { name: name.clone(), kind, definitions: vec![name.clone()] });
            scopes.collect()
        };
        let mut scopes = single(names, "candidate");
        scopes.extend(single(today, "definition"));
        let links = churn_links(&scopes, self.landmark, self.pipeline, self.as_of, self.session).await?;
        for journey in &mut discovery.candidates {
            journey.churn = links.get(&journey.name).cloned();
        }
        let limit = 1.0 - discovery.confidence;
        let linked = |names: &[String]| -> Vec<String> {
            let is_linked = |link: &ChurnLink| {
                link.q_value.is_some_and(|q| q < limit) && link.adjusted_odds_ratio.is_some_and(|odds| odds.value > 1.0)
            };
            names.iter().filter(|name| links.get(*name).is_some_and(is_linked)).cloned().collect()
        };
        let sets = [
            ("any candidate", names.to_vec()),
            ("any definition", today.to_vec()),
            ("linked candidates", linked(names)),
            ("linked definitions", linked(today)),
        ];
        let together: Vec<Scope> = sets
            .iter()
            .map(|(name, definitions)| Scope {
                name: (*name).to_owned(),
                kind: "together",
                definitions: definitions.clone(),
            })
            .collect();
        let mut together = churn_links(&together, self.landmark, self.pipeline, self.as_of, self.session).await?;
        discovery.by_candidates.any = together.remove(sets[0].0);
        discovery.by_definitions.any = together.remove(sets[1].0);
        discovery.by_candidates.linked_together = together.remove(sets[2].0);
        discovery.by_definitions.linked_together = together.remove(sets[3].0);
        let plain = |names: &[String]| names.iter().map(|name| name.trim_start_matches(TODAY).to_owned()).collect();
        discovery.by_candidates.linked = plain(&sets[2].1);
        discovery.by_definitions.linked = plain(&sets[3].1);
        Ok(())
    }
}

/// By the lower limit of excess churners, highest first; those withheld come after, by volume.
fn rank(candidates: &mut [FoundJourney]) {
    let lower = |journey: &FoundJourney| {
        let link = journey.churn.as_ref().filter(|link| link.reason.is_none())?;
        link.excess_churners.and_then(|excess| excess.lower)
    };
    candidates.sort_by(|left, right| {
        let by_lower = match (lower(left), lower(right)) {
            (Some(left), Some(right)) => right.total_cmp(&left),
            (left, right) => right.is_some().cmp(&left.is_some()),
        };
        by_lower.then(right.episodes.cmp(&left.episodes)).then(left.name.cmp(&right.name))
    });
}

/// What a reader of the pasted definition wants to know.
fn remarks(journey: &FoundJourney) -> Vec<String> {
    let mut remarks = vec![format!(
        "Found by throughline discover: {} instances of {} customers{}",
        journey.episodes,
        journey.customers,
        journey
            .completed_share
            .map(|share| format!(", {:.0} % of those over completed", share * 100.0))
            .unwrap_or_default(),
    )];
    if let Some(like) = &journey.like {
        remarks.push(format!(
            "Like {}: {:.0} % of its members are members of that, {:.0} % the other way round",
            like.journey,
            like.of_candidate * 100.0,
            like.of_journey * 100.0
        ));
    }
    remarks
}

fn everyday(found: &Found) -> Vec<EverydayTopics> {
    let topics = found.everyday.iter().map(|everyday| EverydayTopics {
        topics: everyday.topics.clone(),
        touchpoints: everyday.touchpoints,
        reason: everyday.reason.clone(),
    });
    topics.collect()
}

fn days(landmark: &Landmark) -> LandmarkDays {
    let day = |instant: Timestamp| rfc3339(instant).chars().take(10).collect();
    LandmarkDays {
        landmark: day(landmark.at),
        exposure_from: day(landmark.exposure_from),
        outcome_from: day(landmark.outcome_from),
        outcome_until: day(landmark.outcome_until),
    }
}

fn confidence(pipeline: &Pipeline) -> f64 {
    match pipeline.variables.get("confidence").map(|variable| &variable.value) {
        Some(Variable::Float(confidence)) => *confidence,
        _ => 0.95,
    }
}
