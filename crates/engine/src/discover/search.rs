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
use datafusion::functions::crypto::expr_fn::md5;
use datafusion::functions::string::expr_fn::concat;
use datafusion::logical_expr::{cast, ident, lit, when};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use indexmap::IndexMap;
use throughline_config::{JourneyDefinition, ModelKind, Pipeline, Timestamp, Variable};
use throughline_journeys::discovery::{Candidate, DiscoveryOptions, Found, TouchpointLog, discover as search};
use throughline_plan::{Graph, Parameters, Plan};

use super::churn::{SideLinks, side_links};
use super::counting::count_all;
use super::definition::{free_names, journey_definition, yaml};
use super::membership::{
    CUSTOMERS, Period, complete_customers, judged_period, keep_days, register_memberships, with_defaults,
};
use super::result::{Coverage, Discovery, EverydayTopics, FoundJourney, FoundVariant, Likeness};
use super::tally::{Tally, Volume};
use crate::failure::EngineError;
use crate::instants::{at, rfc3339, time_type};
use crate::preview::compute::compute_relations;
use crate::read::published::Published;
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::{Prepared, prepare};

/// Begins the name of a pipeline's own definition, so that it differs from a candidate of the same name.
const TODAY: &str = "today/";
/// Overlap of members from which a candidate is called like a definition.
const LIKE: f64 = 0.1;
/// Overlap from which who could have been on the definition is who could have been on the candidate.
const RESEMBLES: f64 = 0.5;

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
    require_columns(plan, CUSTOMERS, &["customer_id", "joined_at", "churned_at", "segment"])?;
    let session = registered(&prepared, &[&relation, CUSTOMERS]).await?;
    let pipeline = with_defaults(&plan.pipeline);
    let as_of = plan.parameters.as_of();
    let parameters = Parameters::new(&pipeline, as_of);

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
    complete_customers(&session).await?;
    register_memberships(&prepared, &parameters, &session).await?;
    let period = judged_period(&parameters, &session).await?;
    let counted = count_all(&session, &relation, &definitions, found.candidates.len(), &parameters).await?;
    let (tally, touchpoints) = counted;
    let mut discovery = Discovery {
        as_of: rfc3339(as_of),
        relation: relation.clone(),
        touchpoints,
        searched_customers: log.0,
        searched_touchpoints: log.1,
        searched_all,
        period: period.as_ref().map(|period| period.judged.clone()),
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
    let (candidates, today) = all_names.split_at(names.len());
    discovery.candidates = found
        .candidates
        .iter()
        .enumerate()
        .map(|(index, candidate)| {
            let like = likeness(&tally, index, today);
            found_journey(&candidates[index], candidate, &tally.volumes[index], like, &pipeline)
        })
        .collect();
    if let Some(period) = &period {
        keep_days(period.from, period.until, &session).await?;
        let sides = Sides { relation: &relation, definitions: &definitions, period, pipeline: &pipeline };
        sides.judge(&mut discovery, names.len(), &parameters, &session).await?;
    }
    rank(&mut discovery.candidates);
    write_definitions(&mut discovery.candidates, &names, &found, how.key.as_deref(), &pipeline);
    Ok(discovery)
}

/// Writes each candidate as a definition in YAML. `names` are those of the patterns that were `found`, in their order.
fn write_definitions(
    candidates: &mut [FoundJourney],
    names: &[String],
    found: &Found,
    key: Option<&str>,
    pipeline: &Pipeline,
) {
    for journey in candidates {
        let Some(index) = names.iter().position(|name| *name == journey.name) else { continue };
        let eligible = eligible_of(journey, pipeline);
        journey.yaml = yaml(&journey.name, &found.candidates[index], key, eligible, &remarks(journey));
    }
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
            EngineError::refused_because(
                error.to_string(),
                "event and topic are codes; put free text into another column",
                error,
            )
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

fn found_journey(
    name: &str,
    candidate: &Candidate,
    volume: &Volume,
    like: Option<Likeness>,
    pipeline: &Pipeline,
) -> FoundJourney {
    let resembled = like.as_ref().filter(|like| like.overlap >= RESEMBLES);
    let limits = |definition: &JourneyDefinition| {
        [&definition.eligible, &definition.eligible_from, &definition.eligible_until].into_iter().any(Option::is_some)
    };
    let eligible_as = resembled
        .filter(|like| pipeline.journeys.get(&like.journey).is_some_and(limits))
        .map(|like| like.journey.clone());
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
        eligible_as,
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

/// The definition whose `eligible` says who could have been on a candidate.
fn eligible_of<'a>(journey: &FoundJourney, pipeline: &'a Pipeline) -> Option<&'a JourneyDefinition> {
    pipeline.journeys.get(journey.eligible_as.as_ref()?)
}

/// What links are computed with.
struct Sides<'a> {
    relation: &'a str,
    definitions: &'a IndexMap<String, JourneyDefinition>,
    period: &'a Period,
    pipeline: &'a Pipeline,
}

impl Sides<'_> {
    /// Adds each candidate's link, and those of all and of the harmful ones of each side taken together.
    async fn judge(
        &self,
        discovery: &mut Discovery,
        candidates: usize,
        parameters: &Parameters,
        session: &SessionContext,
    ) -> Result<(), EngineError> {
        let links = async |journeys: IndexMap<String, JourneyDefinition>| {
            side_links(journeys, self.relation, self.period, self.pipeline, parameters, session).await
        };
        let mut found = IndexMap::new();
        for (journey, (name, definition)) in discovery.candidates.iter().zip(self.definitions) {
            let mut definition = definition.clone();
            if let Some(like) = eligible_of(journey, self.pipeline) {
                definition.eligible = like.eligible.clone();
                definition.eligible_from = like.eligible_from.clone();
                definition.eligible_until = like.eligible_until.clone();
            }
            found.insert(name.clone(), definition);
        }
        let today = self.definitions.iter().skip(candidates);
        let today = today.map(|(name, definition)| (name.clone(), definition.clone())).collect();
        let mut found = links(found).await?;
        for journey in &mut discovery.candidates {
            journey.churn = found.single.remove(&journey.name);
        }
        add(&mut discovery.by_candidates, found);
        add(&mut discovery.by_definitions, links(today).await?);
        Ok(())
    }
}

fn add(coverage: &mut Coverage, links: SideLinks) {
    let plain = links.harmful.iter().map(|name| name.trim_start_matches(TODAY).to_owned());
    coverage.harmful = plain.collect();
    coverage.any = links.any;
    coverage.harmful_together = links.harmful_together;
}

/// Harmful ones first, by the lower limit of their excess; unclear ones by the upper limit, because not seen is not
/// none; protective ones; then those that are not ranked, by volume (SEMANTICS 5).
fn rank(candidates: &mut [FoundJourney]) {
    let place = |journey: &FoundJourney| -> (u8, f64) {
        let Some(link) = &journey.churn else { return (3, 0.0) };
        let excess = link.excess_churners;
        let lower = excess.and_then(|excess| excess.lower).unwrap_or(f64::NEG_INFINITY);
        let upper = excess.and_then(|excess| excess.upper).unwrap_or(f64::NEG_INFINITY);
        match link.tier.as_deref() {
            Some("harmful") => (0, lower),
            Some("unclear") => (1, upper),
            Some(_) => (2, upper),
            None => (3, 0.0),
        }
    };
    candidates.sort_by(|left, right| {
        let ((left_tier, left_limit), (right_tier, right_limit)) = (place(left), place(right));
        (left_tier.cmp(&right_tier))
            .then(right_limit.total_cmp(&left_limit))
            .then(right.episodes.cmp(&left.episodes))
            .then(left.name.cmp(&right.name))
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
    if let Some(definition) = &journey.eligible_as {
        remarks.push(format!("Who could have been on it is who could have been on {definition}"));
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

fn confidence(pipeline: &Pipeline) -> f64 {
    match pipeline.variables.get("confidence").map(|variable| &variable.value) {
        Some(Variable::Float(confidence)) => *confidence,
        _ => 0.95,
    }
}
