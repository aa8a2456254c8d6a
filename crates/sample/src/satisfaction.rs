//! What the answers say, counted while they are written: friendly touchpoints, and a relationship that cools over
//! onboarding.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalogue::{KEY_SEGMENT, SEGMENTS};
use crate::script::Instance;
use crate::tables::{Rows, Survey};

/// Answers on one kind of touchpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TouchpointTruth {
    /// The channel.
    pub channel: String,
    /// The event word.
    pub event: String,
    /// Answers.
    pub answers: u64,
    /// Answers of 4 or 5 of 5.
    pub satisfied: u64,
}

/// Answers by channel and event.
#[derive(Debug, Default)]
pub(crate) struct RatingTally(BTreeMap<(&'static str, &'static str), (u64, u64)>);

/// Most unsatisfied answers of a kind of touchpoint, of all its answers in a block.
const UNSATISFIED: f64 = 0.09;
/// The rating an answer gets when its kind has its share of unsatisfied ones.
const SATISFIED: i32 = 4;

/// The answers of a block by kind, so that none falls below nine of ten satisfied, however small the sample.
#[derive(Default)]
struct Kinds<'a>(BTreeMap<(&'static str, &'static str), Vec<&'a mut i32>>);

impl<'a> Kinds<'a> {
    fn add(&mut self, channel: &'static str, event: &'static str, rating: Option<&'a mut i32>) {
        if let Some(rating) = rating {
            self.0.entry((channel, event)).or_default().push(rating);
        }
    }
}

impl RatingTally {
    /// Lifts what would push a kind of touchpoint below the planted share, and counts.
    pub(crate) fn settle(&mut self, rows: &mut Rows) {
        let mut kinds = Kinds::default();
        for row in &mut rows.calls {
            kinds.add("phone", row.disposition, row.rating.as_mut());
        }
        for row in &mut rows.visits {
            kinds.add("field", row.outcome, row.rating.as_mut());
        }
        for row in &mut rows.messages {
            kinds.add(row.medium, row.template, row.rating.as_mut());
        }
        for (kind, ratings) in kinds.0 {
            let mut allowed = (ratings.len() as f64 * UNSATISFIED) as u64;
            let (answers, satisfied) = self.0.entry(kind).or_default();
            *answers += ratings.len() as u64;
            for rating in ratings {
                if *rating < SATISFIED && allowed > 0 {
                    allowed -= 1;
                } else {
                    *rating = SATISFIED.max(*rating);
                    *satisfied += 1;
                }
            }
        }
        self.settle_tickets(rows);
    }

    /// The same for surveys about tickets, together: they are few.
    fn settle_tickets(&mut self, rows: &mut Rows) {
        let about_tickets = |answer: &&mut Survey| answer.ticket.is_some();
        let all = rows.surveys.iter().filter(|answer| answer.ticket.is_some()).count();
        let mut allowed = (all as f64 * UNSATISFIED) as u64;
        let (answers, satisfied) = self.0.entry(("email", "ticket_closed")).or_default();
        *answers += all as u64;
        for answer in rows.surveys.iter_mut().filter(about_tickets) {
            if answer.score < f64::from(SATISFIED) && allowed > 0 {
                allowed -= 1;
            } else {
                answer.score = answer.score.max(f64::from(SATISFIED));
                *satisfied += 1;
            }
        }
    }

    pub(crate) fn truth(&self) -> Vec<TouchpointTruth> {
        let row = |((channel, event), (answers, satisfied)): (&(&str, &str), &(u64, u64))| TouchpointTruth {
            channel: (*channel).to_owned(),
            event: (*event).to_owned(),
            answers: *answers,
            satisfied: *satisfied,
        };
        self.0.iter().map(row).collect()
    }
}

/// Relationship satisfaction at the beginning and the end of onboarding, on 0..1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnboardingTruth {
    /// Segment; `unknown` stands for null.
    pub segment: String,
    /// Whether the fall is planted in this segment.
    pub key_segment: bool,
    /// The planted change, end / start − 1.
    pub planted_change: f64,
    /// Answers in the first third of finished instances.
    pub start_answers: u64,
    /// Their mean.
    pub start_satisfaction: Option<f64>,
    /// Answers in the last third.
    pub end_answers: u64,
    /// Their mean.
    pub end_satisfaction: Option<f64>,
}

/// Share of the first satisfaction that is left at the end of onboarding.
pub(crate) fn kept(segment: usize) -> f64 {
    if KEY_SEGMENT[segment] { 0.60 } else { 0.92 }
}

/// Sums of the scores by segment: number and sum at the start, number and sum at the end.
#[derive(Debug, Default)]
pub(crate) struct OnboardingTally([[(u64, f64); 2]; SEGMENTS.len()]);

impl OnboardingTally {
    pub(crate) fn count(&mut self, segment: usize, instance: &Instance, answers: &[Survey]) {
        let (from, to) = (instance.started_at(), instance.last_at());
        let third = (to - from) / 3;
        for answer in answers.iter().filter(|answer| answer.kind == "relationship") {
            let at = answer.answered_at;
            let part = match at {
                at if at < from || at > to => continue,
                at if at <= from + third => 0,
                at if at >= to - third => 1,
                _ => continue,
            };
            let (number, sum) = &mut self.0[segment][part];
            *number += 1;
            *sum += (answer.score - answer.scale_min) / (answer.scale_max - answer.scale_min);
        }
    }

    pub(crate) fn truth(&self) -> Vec<OnboardingTruth> {
        let mean = |(number, sum): (u64, f64)| (number > 0).then(|| sum / number as f64);
        let row = |(segment, [start, end]): (usize, &[(u64, f64); 2])| OnboardingTruth {
            segment: SEGMENTS[segment].0.to_owned(),
            key_segment: KEY_SEGMENT[segment],
            planted_change: kept(segment) - 1.0,
            start_answers: start.0,
            start_satisfaction: mean(*start),
            end_answers: end.0,
            end_satisfaction: mean(*end),
        };
        self.0.iter().enumerate().map(row).collect()
    }
}
