//! One membership spell, quarter by quarter: what happens, and at each landmark whether the customer leaves.

use crate::calendar::{DAY, Quarter, Time};
use crate::catalogue::{JOURNEYS, Journey};
use crate::dice::Dice;
use crate::everyday::{Bill, bill, everyday};
use crate::landmark::{Landmark, Observation, Tally, WINDOW_DAYS, chance_of_churn, exposures};
use crate::opinions;
use crate::person::Person;
use crate::script::{Instance, Script};
use crate::scripts;
use crate::tables::{Customer, Ids, Rows, Subscription};

/// Share of the new customers who order and are installed; the others carry a box home from a store.
const WITH_ONBOARDING: f64 = 0.60;
/// Chance that a spell ends within the sample because the customer moves away or dies.
const LOST: f64 = 0.012;

/// What a spell leaves behind besides its rows.
pub(crate) struct SpellEnd {
    pub(crate) churned_at: Option<Time>,
    pub(crate) lost_at: Option<Time>,
    /// Instances that started before the spell ended.
    pub(crate) instances: Vec<Instance>,
    /// First instant without rows.
    pub(crate) cut: Time,
}

/// The sample's calendar, shared by all spells.
pub(crate) struct Stage<'a> {
    pub(crate) quarters: &'a [Quarter],
    pub(crate) landmarks: &'a [Landmark],
    pub(crate) start: Time,
    pub(crate) end: Time,
}

/// Lives a spell from `joined_at` on; the tallies stand in the order of landmark, then journey.
pub(crate) fn live(
    stage: &Stage<'_>,
    person: &Person,
    joined_at: Time,
    dice: &mut Dice,
    ids: &mut Ids,
    tallies: &mut [[Tally; 8]],
) -> (Rows, SpellEnd) {
    let begin = joined_at.max(stage.start);
    let lost_at = dice.chance(LOST).then(|| begin + dice.between(1, ((stage.end - begin) / DAY).max(1)) * DAY);
    let lost_at = lost_at.filter(|at| *at < stage.end);
    let mut rows = Rows::default();
    let mut script = Script::new(dice, ids, &mut rows, person);
    let mut course = Course::begin(&mut script, stage, joined_at, begin);
    let mut churned_at = None;
    for quarter in stage.quarters.iter().filter(|quarter| quarter.to > begin) {
        if quarter.begin >= begin && joined_at < quarter.begin {
            if lost_at.is_some_and(|at| at < quarter.begin) {
                break;
            }
            churned_at = course.landmark(&mut script, joined_at, quarter.begin, lost_at, stage.landmarks, tallies);
        }
        course.quarter(&mut script, quarter.from.max(begin), quarter.to, stage.end);
        if churned_at.is_some() {
            break;
        }
    }
    let churned_at = churned_at.filter(|at| *at < stage.end && lost_at.is_none_or(|lost| *at < lost));
    let lost_at = lost_at.filter(|_| churned_at.is_none());
    let cut = churned_at.or(lost_at).unwrap_or(stage.end);
    register(&mut script, joined_at, churned_at, lost_at);
    let mut instances = course.instances;
    instances.retain(|instance| instance.started_at() < cut);
    (rows, SpellEnd { churned_at, lost_at, instances, cut })
}

/// What has been planned of a spell so far.
struct Course {
    instances: Vec<Instance>,
    /// Before this, the journey's last instance may still be open.
    free_from: [Time; 8],
    joined_at: Time,
    next_bill: Time,
}

impl Course {
    fn begin(script: &mut Script<'_>, stage: &Stage<'_>, joined_at: Time, begin: Time) -> Self {
        let mut course = Course { instances: Vec::new(), free_from: [begin; 8], joined_at, next_bill: Time::MAX };
        let between_bills = course.bill_interval(script);
        if joined_at < stage.start {
            course.next_bill = begin + (script.dice.unit() * between_bills as f64) as Time;
            return course;
        }
        // Two months are free for everybody, so a first bill says nothing about how the customer was installed.
        let issued = joined_at + script.dice.days(65.0, 72.0);
        let paid = issued + script.dice.days(12.0, 24.0);
        course.next_bill = issued + between_bills;
        course.instances.extend(bill(script, Bill { issued, paid: Some(paid) }, stage.end));
        if script.dice.chance(WITH_ONBOARDING)
            && let Some(instance) = scripts::onboarding(script, joined_at, paid, stage.end)
        {
            opinions::on_onboarding(script, &instance, paid);
            course.instances.push(instance);
        }
        course
    }

    fn bill_interval(&self, script: &Script<'_>) -> Time {
        if script.person.annual { 365 * DAY } else { 30 * DAY + 10 * DAY / 24 }
    }

    /// Draws the churn of the 90 days after a landmark.
    fn landmark(
        &mut self,
        script: &mut Script<'_>,
        joined_at: Time,
        at: Time,
        lost_at: Option<Time>,
        landmarks: &[Landmark],
        tallies: &mut [[Tally; 8]],
    ) -> Option<Time> {
        let outcome_end = at + WINDOW_DAYS * DAY;
        let censored = lost_at.is_some_and(|lost| lost < outcome_end);
        let exposures = exposures(&self.instances, joined_at, at);
        let segment = script.person.segment;
        let chance = chance_of_churn(segment, joined_at, at, &exposures);
        // At midnight, so that no touchpoint is cut in two; never at the landmark itself.
        let churned_at =
            (!censored && script.dice.chance(chance)).then(|| at + script.dice.between(1, WINDOW_DAYS - 1) * DAY);
        if let Some(index) = landmarks.iter().position(|landmark| landmark.at == at) {
            let seen = Observation {
                segment,
                tenure_days: (at - joined_at).div_euclid(DAY),
                chance,
                churned: churned_at.is_some(),
                censored,
            };
            for (tally, exposure) in tallies[index].iter_mut().zip(exposures) {
                tally.count(exposure, &seen);
            }
        }
        churned_at
    }

    /// Everything that happens in `from..to`, in three parts of about a month.
    fn quarter(&mut self, script: &mut Script<'_>, from: Time, to: Time, end: Time) {
        script.until = end;
        while self.next_bill < to {
            let drawn = Bill::draw(script, self.next_bill);
            self.next_bill += self.bill_interval(script);
            if let Some(instance) = bill(script, drawn, end) {
                opinions::on_journey(script, &instance);
                self.instances.push(instance);
            }
        }
        for part in 0..3 {
            let (low, high) = (from + (to - from) * part / 3, from + (to - from) * (part + 1) / 3);
            everyday(script, low, high);
            for plan in &JOURNEYS {
                let rate = plan.rate[script.person.segment] * (high - low) as f64 / (WINDOW_DAYS * DAY) as f64;
                if script.dice.chance(rate) {
                    let at = low + script.dice.days(0.0, (high - low) as f64 / DAY as f64);
                    self.start(script, plan.journey, at, end);
                }
            }
        }
    }

    fn start(&mut self, script: &mut Script<'_>, journey: Journey, at: Time, end: Time) {
        let free = &mut self.free_from[journey as usize];
        let too_early = journey == Journey::ContractRenewal && at < self.joined_at + 366 * DAY;
        if at < *free || too_early {
            return;
        }
        for instance in scripts::run(script, journey, at, end) {
            *free = (*free).max(instance.last_at() + (journey.plan().idle_days + 2) * DAY);
            opinions::on_journey(script, &instance);
            self.instances.push(instance);
        }
    }
}

/// The register's rows of the spell.
fn register(script: &mut Script<'_>, joined_at: Time, churned_at: Option<Time>, lost_at: Option<Time>) {
    let person = script.person;
    let churn_reason = churned_at.map(|_| script.dice.pick(&["price", "competitor", "service", "no_use", "other"]));
    let lost_reason = lost_at.map(|_| script.dice.pick(&["moved_away", "moved_away", "died"]));
    script.rows.customers.push(Customer {
        customer: Some(person.number),
        joined_at,
        churned_at,
        churn_reason,
        lost_at,
        lost_reason,
        segment: person.segment_name(),
        region: person.region,
        acquisition_channel: person.acquisition_channel,
        birth_year: person.birth_year,
    });
    script.rows.subscriptions.push(Subscription {
        id: script.ids.next(),
        customer: Some(person.number),
        product: script.dice.pick(&["tv", "tv_internet", "tv_sports"]),
        plan: if person.annual { "annual" } else { "monthly" },
        monthly_price: person.monthly_price,
        started_at: joined_at,
        ended_at: churned_at.or(lost_at),
    });
}
