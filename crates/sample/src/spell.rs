//! One membership spell, quarter by quarter: what happens, and at each landmark whether the customer leaves.

use crate::calendar::{DAY, Quarter, Time};
use crate::catalogue::{JOURNEYS, Journey, SEGMENTS, UNKNOWN, UPGRADE_PRICE};
use crate::dice::Dice;
use crate::everyday::{BILL_INTERVAL, Bill, bill, everyday};
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
    /// Whether the register counted the customer to another segment before the spell ended.
    pub(crate) moved: bool,
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
    /// Whether journeys change the chance of churn.
    pub(crate) effects: bool,
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
            churned_at = course.landmark(&mut script, stage, quarter.begin, lost_at, tallies);
        }
        course.quarter(&mut script, quarter.from.max(begin), quarter.to, stage.end);
        if churned_at.is_some() {
            break;
        }
    }
    let churned_at = churned_at.filter(|at| *at < stage.end && lost_at.is_none_or(|lost| *at < lost));
    let lost_at = lost_at.filter(|_| churned_at.is_none());
    let cut = churned_at.or(lost_at).unwrap_or(stage.end);
    let moved = person.moved.filter(|(at, _)| *at < cut);
    register(&mut script, joined_at, moved, churned_at, lost_at);
    subscriptions(&mut script, joined_at, &course.upgrades, churned_at.or(lost_at));
    let mut instances = course.instances;
    instances.retain(|instance| instance.started_at() < cut);
    (rows, SpellEnd { churned_at, lost_at, moved: moved.is_some(), instances, cut })
}

/// What has been planned of a spell so far.
struct Course {
    instances: Vec<Instance>,
    /// Before this, the journey's last instance may still be open.
    free_from: [Time; 8],
    joined_at: Time,
    next_bill: Time,
    /// When larger plans came into use.
    upgrades: Vec<Time>,
}

impl Course {
    fn begin(script: &mut Script<'_>, stage: &Stage<'_>, joined_at: Time, begin: Time) -> Self {
        let mut course = Course {
            instances: Vec::new(),
            free_from: [begin; 8],
            joined_at,
            next_bill: Time::MAX,
            upgrades: Vec::new(),
        };
        let between_bills = course.bill_interval(script);
        if joined_at < stage.start {
            course.next_bill = begin + (script.dice.unit() * between_bills as f64) as Time;
            return course;
        }
        // Two months are free for everybody, so a first bill says nothing about how the customer was installed.
        let issued = joined_at + script.dice.days(65.0, 72.0);
        let paid = issued + script.dice.days(12.0, 24.0);
        course.next_bill = issued + between_bills;
        course.instances.extend(bill(script, Bill { issued, paid: Some(paid), monthly_extra: 0.0 }, stage.end));
        if script.dice.chance(WITH_ONBOARDING)
            && let Some(instance) = scripts::onboarding(script, joined_at, paid, stage.end)
        {
            opinions::on_onboarding(script, &instance, paid);
            course.instances.push(instance);
        }
        course
    }

    fn bill_interval(&self, script: &Script<'_>) -> Time {
        if script.person.annual { 365 * DAY } else { BILL_INTERVAL }
    }

    /// Draws the churn of the 90 days after a landmark.
    fn landmark(
        &mut self,
        script: &mut Script<'_>,
        stage: &Stage<'_>,
        at: Time,
        lost_at: Option<Time>,
        tallies: &mut [[Tally; 8]],
    ) -> Option<Time> {
        let joined_at = self.joined_at;
        let outcome_end = at + WINDOW_DAYS * DAY;
        let censored = lost_at.is_some_and(|lost| lost < outcome_end);
        let exposures = exposures(&self.instances, joined_at, at, stage.effects);
        let segment = script.person.segment_at(at);
        let chance = chance_of_churn(segment, joined_at, at, &exposures);
        // At midnight, so that no touchpoint is cut in two; never at the landmark itself.
        let churned_at =
            (!censored && script.dice.chance(chance)).then(|| at + script.dice.between(1, WINDOW_DAYS - 1) * DAY);
        if let Some(index) = stage.landmarks.iter().position(|landmark| landmark.at == at) {
            let seen = Observation {
                segment,
                tenure_days: (at - joined_at).div_euclid(DAY),
                chance,
                churned: churned_at.is_some(),
                censored,
                upgrade_revenue: self.upgrade_revenue(script, at, chance),
            };
            for (tally, exposure) in tallies[index].iter_mut().zip(exposures) {
                tally.count(exposure, &seen);
            }
        }
        churned_at
    }

    /// What the upgrades of the exposure window are expected to add to the bills of the outcome window; who leaves, does
    /// so on any day of it.
    fn upgrade_revenue(&self, script: &Script<'_>, at: Time, chance: f64) -> f64 {
        let window = at - WINDOW_DAYS * DAY..at;
        let upgrades = self.upgrades.iter().filter(|upgrade| window.contains(upgrade)).count();
        let interval = self.bill_interval(script);
        let bills = (0..).map(|bill| self.next_bill.saturating_add(bill * interval) - at);
        let still_there = |after: Time| 1.0 - chance * (after / DAY) as f64 / (WINDOW_DAYS - 1) as f64;
        let expected: f64 = bills.take_while(|after| *after < WINDOW_DAYS * DAY).map(still_there).sum();
        upgrades as f64 * UPGRADE_PRICE * script.person.months_billed() * expected
    }

    /// Everything that happens in `from..to`, in three parts of about a month.
    fn quarter(&mut self, script: &mut Script<'_>, from: Time, to: Time, end: Time) {
        script.until = end;
        while self.next_bill < to {
            // What is bought in a quarter is billed from the next one on.
            let mut drawn = Bill::draw(script, self.next_bill);
            drawn.monthly_extra = self.upgrades.len() as f64 * UPGRADE_PRICE;
            self.next_bill += self.bill_interval(script);
            if let Some(instance) = bill(script, drawn, end) {
                opinions::on_journey(script, &instance);
                self.instances.push(instance);
            }
        }
        for part in 0..3 {
            let (low, high) = (from + (to - from) * part / 3, from + (to - from) * (part + 1) / 3);
            let welcomed = self.instances.iter().find(|instance| instance.journey == Journey::Onboarding);
            everyday(script, low, high, welcomed);
            for plan in &JOURNEYS {
                let rate = plan.rate[script.person.segment_at(low)] * (high - low) as f64 / (WINDOW_DAYS * DAY) as f64;
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
        self.upgrades.extend(script.upgraded_at.take());
    }
}

/// The register's rows of the spell: one, or two where the segment changed.
fn register(
    script: &mut Script<'_>,
    joined_at: Time,
    moved: Option<(Time, usize)>,
    churned_at: Option<Time>,
    lost_at: Option<Time>,
) {
    let person = script.person;
    let churn_reason = churned_at.map(|_| script.dice.pick(&["price", "competitor", "service", "no_use", "other"]));
    let lost_reason = lost_at.map(|_| script.dice.pick(&["moved_away", "moved_away", "died"]));
    for (valid_from, segment) in std::iter::once((joined_at, person.segment)).chain(moved) {
        script.rows.customers.push(Customer {
            customer: Some(person.number),
            joined_at,
            notice_at: None,
            churned_at,
            churn_reason,
            lost_at,
            lost_reason,
            valid_from,
            // One segment of the catalogue stands for a null.
            segment: (segment != UNKNOWN).then(|| SEGMENTS[segment].0),
            region: person.region,
            acquisition_channel: person.acquisition_channel,
            birth_year: person.birth_year,
        });
    }
}

/// What was taken out on joining, and with each upgrade.
fn subscriptions(script: &mut Script<'_>, joined_at: Time, upgrades: &[Time], ended_at: Option<Time>) {
    let person = script.person;
    let plan = if person.annual { "annual" } else { "monthly" };
    let first = (joined_at, script.dice.pick(&["tv", "tv_internet", "tv_sports"]), person.monthly_price);
    for (started_at, product, monthly_price) in
        std::iter::once(first).chain(upgrades.iter().map(|at| (*at, "larger_plan", UPGRADE_PRICE)))
    {
        script.rows.subscriptions.push(Subscription {
            id: script.ids.next(),
            customer: Some(person.number),
            product,
            plan,
            monthly_price,
            started_at,
            ended_at,
        });
    }
}
