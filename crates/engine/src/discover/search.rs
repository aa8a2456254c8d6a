//! `throughline discover`: candidate journeys from the touchpoints alone, with their volume and their link to churn.
//!
//! Patterns are searched in the touchpoints of some customers, which fit into memory ([`throughline_journeys::discovery`]);
//! each pattern becomes a journey definition. One pass of the matcher over all touchpoints then counts the candidates and
//! the pipeline's own definitions side by side, so every figure is that of the definition that is printed. Where the
//! pipeline has customers, SQL says who left. Its definitions are only compared with; the search does not use them.

use std::sync::Arc;

use indexmap::IndexMap;
use throughline_config::{JourneyDefinition, Pipeline, Variable};
use throughline_journeys::discovery::{Candidate, DiscoveryOptions, Found, discover as search};
use throughline_plan::Parameters;

use super::candidates::{TODAY, eligible_of, found_journey, likeness, rank, remarks};
use super::counting::count_all;
use super::definition::{free_names, journey_definition, yaml};
use super::membership::{complete_customers, judged_period, keep_days, register_memberships, with_defaults};
use super::options::SearchOptions;
use super::result::{Coverage, Discovery, EverydayTopics, FoundJourney};
use super::sides::Sides;
use super::tally::Tally;
use super::touchpoints::{Searched, Touchpoints};
use crate::failure::EngineError;
use crate::instants::rfc3339;
use crate::read::published::Published;
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::prepare;

/// Searches the touchpoints of a workspace's pipeline.
///
/// # Errors
/// A pipeline without the relation `touchpoints`, a key that is no column, touchpoints in which no journey can be, a
/// source that fails.
pub async fn discover(options: PrepareOptions, how: &SearchOptions) -> Result<Discovery, EngineError> {
    let prepared = Arc::new(prepare(as_of_newest_run(options, how).await?).await?);
    let touchpoints = Touchpoints::open(&prepared, how).await?;
    let searched = touchpoints.searched(how).await?;
    let mut discovery = empty(&touchpoints, &searched, how, &prepared.plan.pipeline);
    let found = patterns(searched, how, &touchpoints).await?;
    discovery.tried = found.tried.clone();
    discovery.everyday = everyday(&found);

    let pipeline = with_defaults(&prepared.plan.pipeline);
    let parameters = Parameters::new(&pipeline, touchpoints.as_of);
    let names = free_names(&found.candidates, &pipeline);
    let definitions = definitions(&found, &names, how, &pipeline);
    let (session, relation) = (&touchpoints.session, touchpoints.relation.as_str());
    let tally = count_all(session, relation, &definitions, names.len(), &parameters).await?;
    take_counts(&mut discovery, &tally, &found, &definitions, &pipeline);
    if touchpoints.without_leaving.is_none() {
        complete_customers(session).await?;
        register_memberships(&prepared, &parameters, session).await?;
        let period = judged_period(&parameters, session).await?;
        discovery.period = period.as_ref().map(|period| period.told.clone());
        if let Some(period) = &period {
            keep_days(period.from, period.until, session).await?;
            let sides = Sides { relation, definitions: &definitions, period, pipeline: &pipeline };
            sides.judge(&mut discovery, names.len(), &parameters, session).await?;
        }
    }
    rank(&mut discovery.candidates);
    for journey in &mut discovery.candidates {
        let Some(index) = names.iter().position(|name| *name == journey.name) else { continue };
        let eligible_as = eligible_of(journey, &pipeline);
        let (candidate, key) = (&found.candidates[index], how.key.as_deref());
        journey.yaml = yaml(&journey.name, candidate, key, eligible_as, &remarks(journey));
    }
    Ok(discovery)
}

/// The options, with the cut of the newest published run when that is asked for and there is one.
async fn as_of_newest_run(options: PrepareOptions, how: &SearchOptions) -> Result<PrepareOptions, EngineError> {
    if !how.as_of_newest_run {
        return Ok(options);
    }
    let (pipeline, warehouse, _) = locate(&options)?;
    let published = Published::latest(&warehouse, &pipeline.name).await?;
    let as_of = published.and_then(|published| published.as_of()).unwrap_or(options.as_of);
    Ok(PrepareOptions { as_of, ..options })
}

/// The result before anything is found.
fn empty(touchpoints: &Touchpoints, searched: &Searched, how: &SearchOptions, pipeline: &Pipeline) -> Discovery {
    Discovery {
        as_of: rfc3339(touchpoints.as_of),
        relation: touchpoints.relation.clone(),
        touchpoints: touchpoints.number,
        customers: touchpoints.customers as u64,
        searched_customers: searched.customers,
        searched_cases: how.key.is_some().then(|| searched.log.units()),
        searched_touchpoints: searched.log.touchpoints(),
        searched_all: searched.all,
        tried: Vec::new(),
        without_leaving: touchpoints.without_leaving.clone(),
        period: None,
        candidates: Vec::new(),
        everyday: Vec::new(),
        by_candidates: Coverage::default(),
        by_definitions: Coverage { journeys: pipeline.journeys.len(), ..Coverage::default() },
        touchpoints_in_both: 0,
        confidence: confidence(pipeline),
    }
}

/// The patterns of what is searched. Leaves the asynchronous tasks alone for as long as it computes.
async fn patterns(searched: Searched, how: &SearchOptions, of: &Touchpoints) -> Result<Found, EngineError> {
    let share = if searched.all { 1.0 } else { searched.customers as f64 / of.customers as f64 };
    let options = DiscoveryOptions {
        as_of: of.as_of,
        minimum_episodes: ((how.minimum_episodes as f64 * share).ceil() as usize).max(1),
        units_are_cases: how.key.is_some(),
        silence: how.silence.map(|silence| silence.0),
    };
    let mut log = searched.log;
    let found = tokio::task::spawn_blocking(move || search(&mut log, &options)).await;
    found.map_err(|error| EngineError::unexpected("the search ended abnormally", error))
}

/// Puts what the matcher counted beside what was found. `definitions` are the candidates, then the pipeline's own.
fn take_counts(
    discovery: &mut Discovery,
    tally: &Tally,
    found: &Found,
    definitions: &IndexMap<String, JourneyDefinition>,
    pipeline: &Pipeline,
) {
    let names: Vec<String> = definitions.keys().cloned().collect();
    let (candidates, today) = names.split_at(found.candidates.len());
    let journey = |(index, candidate): (usize, &Candidate)| -> FoundJourney {
        let like = likeness(tally, index, today);
        found_journey(&candidates[index], candidate, &tally.volumes[index], like, pipeline)
    };
    discovery.candidates = found.candidates.iter().enumerate().map(journey).collect();
    discovery.by_candidates.journeys = candidates.len();
    for (side, place) in [(&mut discovery.by_candidates, 0), (&mut discovery.by_definitions, 1)] {
        side.touchpoints = tally.covered[place];
        side.customers = tally.covered_customers[place];
    }
    discovery.touchpoints_in_both = tally.covered[2];
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
