//! One membership spell, month by month: what happens, then day by day whether the customer leaves.

use crate::calendar::{DAY, Month, Time};
use crate::catalogue::{
    ASK_BEFORE_LEAVING, EXCHANGED_AFTER_REPAIR, GIVE_NOTICE, JOURNEY_COUNT, JOURNEYS, Journey, UPGRADE_PRICE,
};
use crate::dice::Dice;
use crate::ending::{Ending, register, subscriptions};
use crate::everyday::{BILL_INTERVAL, Bill, bill, everyday};
use crate::excess::ExcessTally;
use crate::opinions;
use crate::person::Person;
use crate::risk::{Decision, Risk};
use crate::script::{Instance, Script};
use crate::scripts;
use crate::tables::{Ids, Rows};

/// Share of the new customers who order and are installed; the others carry a box home from a store.
const WITH_ONBOARDING: f64 = 0.60;

/// What a spell leaves behind besides its rows.
pub(crate) struct SpellEnd {
    pub(crate) ending: Ending,
    /// Whether the register counted the customer to another segment when the spell ended.
    pub(crate) moved: bool,
    /// Instances that started before the customer left, and are known whose they are.
    pub(crate) instances: Vec<Instance>,
}

/// The sample's calendar, shared by all spells.
pub(crate) struct Stage<'a> {
    pub(crate) months: &'a [Month],
    pub(crate) start: Time,
    pub(crate) end: Time,
    /// Whether journeys change the chance of leaving.
    pub(crate) effects: bool,
}

impl Stage<'_> {
    /// The month that holds an instant.
    pub(crate) fn month_of(&self, time: Time) -> Option<usize> {
        self.months.iter().position(|month| (month.from..month.to).contains(&time))
    }
}

/// Lives a spell from `joined_at` on.
pub(crate) fn live(
    stage: &Stage<'_>,
    person: &Person,
    joined_at: Time,
    dice: &mut Dice,
    ids: &mut Ids,
    tally: &mut ExcessTally,
) -> (Rows, SpellEnd) {
    let begin = joined_at.max(stage.start);
    let mut rows = Rows::default();
    let mut risk = Risk::new(person, joined_at, stage.effects, dice.bits());
    let mut script = Script::new(dice, ids, &mut rows, person);
    let mut course = Course::begin(&mut script, stage, joined_at, begin);
    let mut ending = Ending::none(stage.end);
    let mut decided = false;
    for (index, month) in stage.months.iter().enumerate().filter(|(_, month)| month.to > begin) {
        // Who has given notice gets bills until the end; of what else is written after it, nothing is kept.
        if month.from >= ending.billed_until() {
            break;
        }
        course.month(&mut script, month.from.max(begin), month.to, stage.end);
        course.hand_over(&mut risk);
        if decided {
            continue;
        }
        match risk.live((index, *month), begin, tally) {
            Some((day, Decision::Leaves)) => ending = course.leave(&mut script, stage, day),
            Some((day, Decision::Lost)) => ending = Ending::lost(day, stage.end),
            None => continue,
        }
        decided = true;
    }
    let moved = person.moved.filter(|(at, _)| *at <= ending.lived_until());
    register(&mut script, joined_at, moved, &ending);
    subscriptions(&mut script, joined_at, &course.upgrades, &ending);
    let lived_until = ending.lived_until();
    let mut instances = course.instances;
    instances.retain(|instance| match instance.journey {
        Journey::PayingABill => instance.started_at() < ending.billed_until(),
        _ => instance.started_at() < lived_until && rows.know(instance.anonymous, instance.started_at(), lived_until),
    });
    (rows, SpellEnd { ending, moved: moved.is_some(), instances })
}

/// What has been planned of a spell so far.
struct Course {
    instances: Vec<Instance>,
    /// How many of them the risk knows.
    handed_over: usize,
    /// Before this, the journey's last instance may still be open.
    free_from: [Time; JOURNEY_COUNT],
    joined_at: Time,
    next_bill: Time,
    /// When the channels change next.
    next_lineup: Time,
    /// When larger plans came into use.
    upgrades: Vec<Time>,
}

impl Course {
    fn begin(script: &mut Script<'_>, stage: &Stage<'_>, joined_at: Time, begin: Time) -> Self {
        let first_lineup = begin + script.dice.days(0.0, LINEUP_INTERVAL.1);
        let mut course = Course {
            instances: Vec::new(),
            handed_over: 0,
            free_from: [begin; JOURNEY_COUNT],
            joined_at,
            next_bill: Time::MAX,
            next_lineup: if script.person.television { first_lineup } else { Time::MAX },
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

    /// Everything that begins in `from..to`.
    fn month(&mut self, script: &mut Script<'_>, from: Time, to: Time, end: Time) {
        script.until = end;
        while self.next_bill < to {
            // What is bought in a month is billed from the next one on.
            let mut drawn = Bill::draw(script, self.next_bill);
            drawn.monthly_extra = self.upgrades.len() as f64 * UPGRADE_PRICE;
            self.next_bill += self.bill_interval(script);
            if let Some(instance) = bill(script, drawn, end) {
                opinions::on_journey(script, &instance);
                self.instances.push(instance);
            }
        }
        let welcomed = self.instances.iter().find(|instance| instance.journey == Journey::Onboarding);
        everyday(script, from, to, welcomed);
        while self.next_lineup < to {
            let at = self.next_lineup;
            self.next_lineup += script.dice.days(LINEUP_INTERVAL.0, LINEUP_INTERVAL.1);
            self.start(script, Journey::ChannelChanges, at, end);
        }
        for plan in &JOURNEYS {
            let rate = plan.rate[script.person.segment_at(from)] * (to - from) as f64 / (90 * DAY) as f64;
            if script.dice.chance(rate) {
                let at = from + script.dice.days(0.0, (to - from) as f64 / DAY as f64);
                self.start(script, plan.journey, at, end);
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
        if journey == Journey::TechnicalRepair && script.dice.chance(EXCHANGED_AFTER_REPAIR) {
            let ordered = at + script.dice.days(1.0, 5.0);
            self.start(script, Journey::EquipmentExchange, ordered, end);
        }
    }

    /// Tells the risk of the instances that are new.
    fn hand_over(&mut self, risk: &mut Risk<'_>) {
        self.instances[self.handed_over..].iter().for_each(|instance| risk.take(instance));
        self.handed_over = self.instances.len();
    }

    /// Leaves on the day on which it was decided, or, after asking about the contract, some days later.
    fn leave(&mut self, script: &mut Script<'_>, stage: &Stage<'_>, decided: Time) -> Ending {
        let mut left_at = decided;
        let asks = stage.effects && script.dice.chance(ASK_BEFORE_LEAVING);
        if asks && decided >= self.free_from[Journey::ContractQuestions as usize] {
            let at = decided + script.dice.days(0.0, 1.0);
            self.instances.extend(scripts::cancellation(script, at, stage.end));
            left_at += script.dice.between(2, 6) * DAY;
        }
        let notice = script.dice.chance(GIVE_NOTICE).then(|| script.dice.between(16, 47) * DAY);
        Ending::left(left_at, notice, stage.end)
    }
}

/// Days between two changes of the channels.
const LINEUP_INTERVAL: (f64, f64) = (76.0, 88.0);
