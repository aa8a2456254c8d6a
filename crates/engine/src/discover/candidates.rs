//! A candidate with its figures: what it is like, where it ranks, and what is noted in its definition.

use throughline_config::{JourneyDefinition, Pipeline};
use throughline_journeys::discovery::Candidate;

use super::result::{FoundJourney, FoundVariant, Likeness};
use super::tally::{Tally, Volume};

/// Begins the name of a pipeline's own definition, so that it differs from a candidate of the same name.
pub(crate) const TODAY: &str = "today/";
/// Overlap of members from which a candidate is called like a definition.
const LIKE: f64 = 0.1;
/// Overlap from which who could have been on the definition is who could have been on the candidate.
const RESEMBLES: f64 = 0.5;

pub(crate) fn found_journey(
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
        end_event: candidate.end_events.first().cloned().unwrap_or_default(),
        end_events: candidate.end_events.clone(),
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
pub(crate) fn likeness(tally: &Tally, candidate: usize, today: &[String]) -> Option<Likeness> {
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
pub(crate) fn eligible_of<'a>(journey: &FoundJourney, pipeline: &'a Pipeline) -> Option<&'a JourneyDefinition> {
    pipeline.journeys.get(journey.eligible_as.as_ref()?)
}

/// Harmful ones first, by the lower limit of their excess; unclear ones by the upper limit, because not seen is not
/// none; protective ones; then those that are not ranked, by volume (SEMANTICS 5).
pub(crate) fn rank(candidates: &mut [FoundJourney]) {
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
pub(crate) fn remarks(journey: &FoundJourney) -> Vec<String> {
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
