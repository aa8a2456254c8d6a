//! Answers to surveys on journeys: what the customer says of the whole, beside the friendly touchpoints.

use crate::calendar::{DAY, Time};
use crate::catalogue::{EXPERIENCE_SHARE, EXPERIENCE_STEP, Journey, JourneyPlan, MULTICHANNEL_PENALTY};
use crate::dice::daytime;
use crate::everyday::relationship;
use crate::satisfaction::kept;
use crate::script::{Instance, Script};
use crate::tables::Survey;

/// Share of the surveys after a journey that say which; the others only ask how it went.
const NAMED: f64 = 0.98;

/// The survey after a journey, when it is answered. Who was not known cannot be asked.
pub(crate) fn on_journey(script: &mut Script<'_>, instance: &Instance) {
    let plan = instance.journey.plan();
    if script.dice.chance(plan.response) && instance.anonymous.is_none() {
        let names_it = script.dice.chance(NAMED);
        ask(script, instance, instance.last_at(), names_it);
    }
}

/// The surveys of an onboarding: one on the journey while it runs, one after it, and the relationship at its
/// beginning and near its end.
pub(crate) fn on_onboarding(script: &mut Script<'_>, instance: &Instance, closing: Time) {
    let started = instance.started_at();
    if script.dice.chance(instance.journey.plan().response) {
        let pulse = started + script.dice.days(15.0, 40.0);
        if let Some(latest) = instance.members.iter().copied().filter(|at| *at <= pulse).max() {
            ask(script, instance, latest, true);
        }
    }
    on_journey(script, instance);
    // Who cancels the order is not asked how the relationship begins: it would be an answer at the end.
    let cancelled = instance.last_at() < closing.min(script.until) - DAY;
    let begins = script.dice.chance(0.45);
    if begins {
        let score = if script.dice.chance(0.5) { 8.0 } else { 9.0 };
        let at = daytime(started + script.dice.days(3.0, 18.0));
        if !cancelled {
            relationship(script, at, score);
        }
    }
    if script.dice.chance(if begins { 0.75 } else { 0.20 }) {
        let kept = kept(script.person.segment_at(started));
        let score = (8.5 * kept + script.dice.bell() * 0.8).round().clamp(0.0, 10.0);
        let at = daytime(closing - script.dice.days(2.0, 17.0));
        if !cancelled {
            relationship(script, at, score);
        }
    }
}

/// An answer that belongs to no instance: the customer was never on that journey.
pub(crate) fn on_a_journey_never_made(script: &mut Script<'_>, journey: Journey, at: Time) {
    let stray = Instance { journey, members: vec![daytime(at)], multichannel: false, level: 2, anonymous: None };
    ask(script, &stray, daytime(at), true);
}

/// Spread of the scores around what was experienced.
const SPREAD: f64 = 0.10;

/// What was experienced on 0..1, before anybody's mood.
fn experience(plan: &JourneyPlan, level: usize, multichannel: bool) -> f64 {
    let channels = if multichannel { MULTICHANNEL_PENALTY } else { 0.0 };
    plan.satisfaction + (2.0 - level as f64) * EXPERIENCE_STEP - channels
}

/// Points of a journey's scale above the lowest: its scores are 0..1 in steps of one over this.
fn points(plan: &JourneyPlan) -> f64 {
    plan.scale_max - scale_min(plan)
}

fn scale_min(plan: &JourneyPlan) -> f64 {
    if plan.scale_max > 5.0 { 0.0 } else { 1.0 }
}

/// The mean score that answers are expected to have, on 0..1: each experience in its share, moods as drawn by
/// [`Dice::bell`](crate::dice::Dice::bell), cut to the scale and rounded to its points.
pub(crate) fn expected_score(plan: &JourneyPlan, multichannel: bool) -> f64 {
    let points = points(plan);
    let of_level = |level: usize| {
        let mean = experience(plan, level, multichannel);
        // A score of at least k points needs an experience above the middle between k − 1 and k.
        let at_least = |k: u32| 1.0 - bell_below(((f64::from(k) - 0.5) / points - mean) / SPREAD);
        (1..=points as u32).map(at_least).sum::<f64>() / points
    };
    EXPERIENCE_SHARE.iter().enumerate().map(|(level, share)| share * of_level(level)).sum()
}

/// P(bell < x), the sum of twelve uniforms less six (Irwin 1927, Hall 1927): Σ (−1)^k·C(12, k)·(x + 6 − k)^12 / 12! over
/// k < x + 6.
fn bell_below(x: f64) -> f64 {
    const FACTORIAL: f64 = 479_001_600.0;
    if x > 0.0 {
        // The terms cancel the more, the more of them there are.
        return 1.0 - bell_below(-x);
    }
    let sum = x + 6.0;
    let (mut total, mut sign, mut choose) = (0.0, 1.0, 1.0);
    for k in 0..12 {
        let rest = sum - f64::from(k);
        if rest <= 0.0 {
            break;
        }
        let square = rest * rest;
        let fourth = square * square;
        total += sign * choose * fourth * fourth * fourth;
        (sign, choose) = (-sign, choose * f64::from(12 - k) / f64::from(k + 1));
    }
    total / FACTORIAL
}

fn ask(script: &mut Script<'_>, instance: &Instance, after: Time, names_it: bool) {
    let plan = instance.journey.plan();
    let experience = experience(plan, instance.level, instance.multichannel);
    let experienced = (experience + script.dice.bell() * SPREAD).clamp(0.0, 1.0);
    let expected = script.dice.chance(0.3).then(|| (0.80 + script.dice.bell() * 0.08).clamp(0.0, 1.0));
    let scale_min = scale_min(plan);
    let on_scale = |share: f64| scale_min + (share * points(plan)).round();
    let asked_at = after + script.dice.days(0.05, 2.0);
    let row = Survey {
        id: script.ids.next(),
        customer: Some(script.person.number),
        kind: "journey",
        journey: names_it.then_some(plan.name),
        ticket: None,
        asked_at,
        answered_at: asked_at + script.dice.between(DAY / 48, 5 * DAY),
        score: on_scale(experienced),
        scale_min,
        scale_max: plan.scale_max,
        expected_score: expected.map(on_scale),
    };
    script.rows.surveys.push(row);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    #[test]
    fn the_bell_is_that_of_the_dice() {
        assert!((bell_below(0.0) - 0.5).abs() < 1e-12 && bell_below(-6.0) == 0.0 && bell_below(6.0) == 1.0);
        let mut dice = Dice::new(1, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| dice.bell()).collect();
        for x in [-2.0, -0.7, 0.4, 1.5] {
            let share = draws.iter().filter(|draw| **draw < x).count() as f64 / 20_000.0;
            assert!((share - bell_below(x)).abs() < 0.012, "{x}: {share} against {}", bell_below(x));
        }
    }

    #[test]
    fn several_channels_cost_about_the_penalty() {
        let plan = Journey::TechnicalRepair.plan();
        let fall = expected_score(plan, false) - expected_score(plan, true);
        assert!((fall - MULTICHANNEL_PENALTY).abs() < 0.02, "{fall}");
    }
}
