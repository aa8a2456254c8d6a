//! Answers to surveys on journeys: what the customer says of the whole, beside the friendly touchpoints.

use crate::calendar::{DAY, Time};
use crate::catalogue::{EXPERIENCE_STEP, Journey, MULTICHANNEL_PENALTY};
use crate::dice::daytime;
use crate::everyday::relationship;
use crate::satisfaction::kept;
use crate::script::{Instance, Script};
use crate::tables::Survey;

/// Share of the surveys after a journey that say which; the others only ask how it went.
const NAMED: f64 = 0.98;

/// The survey after a journey, when it is answered.
pub(crate) fn on_journey(script: &mut Script<'_>, instance: &Instance) {
    let plan = instance.journey.plan();
    if script.dice.chance(plan.response) {
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
    let stray = Instance { journey, members: vec![daytime(at)], multichannel: false, level: 2 };
    ask(script, &stray, daytime(at), true);
}

fn ask(script: &mut Script<'_>, instance: &Instance, after: Time, names_it: bool) {
    let plan = instance.journey.plan();
    let channels = if instance.multichannel { MULTICHANNEL_PENALTY } else { 0.0 };
    let level = (2.0 - instance.level as f64) * EXPERIENCE_STEP;
    let experienced = (plan.satisfaction + level - channels + script.dice.bell() * 0.10).clamp(0.0, 1.0);
    let expected = script.dice.chance(0.3).then(|| (0.80 + script.dice.bell() * 0.08).clamp(0.0, 1.0));
    let scale_min = if plan.scale_max > 5.0 { 0.0 } else { 1.0 };
    let on_scale = |share: f64| scale_min + (share * (plan.scale_max - scale_min)).round();
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
