//! A life, day by day: the chance of leaving on each day from segment, tenure and what was lived through, and who does.
//!
//! Each morning the chance is what the days before have made of it; whoever leaves, does so at the first instant of the
//! day, so that nothing of the day is lived any more. A number for each day of each spell decides it: the same number,
//! held against the chance that the day would have had without one journey's effect, tells who left only because of it.

use crate::calendar::{DAY, Month, Time};
use crate::catalogue::{DAILY_LEAVING, DAILY_LOSS, Journey, LOSS_WHILE_MOVING, MOVED_AWAY_DAYS, tenure_factor};
use crate::chance::Chance;
use crate::dice::number_of_day;
use crate::effect::Lived;
use crate::excess::ExcessTally;
use crate::person::Person;
use crate::script::Instance;

/// What a morning decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The customer goes.
    Leaves,
    /// The company loses sight of the customer.
    Lost,
}

/// The days of one spell.
pub(crate) struct Risk<'a> {
    person: &'a Person,
    joined_at: Time,
    /// Whether journeys change the chance of leaving.
    effects: bool,
    /// What the spell's daily numbers are made from.
    seed: u64,
    /// Instances with an effect that is not over yet.
    acting: Vec<Lived>,
    /// Touchpoints of moving house.
    moving: Vec<Time>,
}

impl<'a> Risk<'a> {
    pub(crate) fn new(person: &'a Person, joined_at: Time, effects: bool, seed: u64) -> Self {
        Risk { person, joined_at, effects, seed, acting: Vec::new(), moving: Vec::new() }
    }

    /// Takes in an instance that begins in the month to come or in a later one.
    pub(crate) fn take(&mut self, instance: &Instance) {
        let plan = instance.journey.plan();
        if instance.journey == Journey::MovingHouse {
            self.moving.extend(&instance.members);
            self.moving.sort_unstable();
        }
        let acts = self.effects && (instance.multichannel || !plan.only_multichannel);
        if let Some(effect) = plan.effect.filter(|_| acts) {
            let weight = effect.weight(plan.experience_matters, instance.level);
            self.acting.push(Lived::new(instance.journey as usize, effect, weight, instance.members.clone()));
        }
    }

    /// Lives the days of a month from `from` on, until the month or the spell ends; says on which day what was decided.
    pub(crate) fn live(
        &mut self,
        month: (usize, Month),
        from: Time,
        tally: &mut ExcessTally,
    ) -> Option<(Time, Decision)> {
        let (index, month) = month;
        let first = month.from.max(from);
        self.acting.retain(|lived| !lived.is_gone(first));
        // On the day of joining nobody leaves.
        let mut day = first.max(self.joined_at + DAY);
        while day < month.to {
            let segment = self.person.segment_at(day);
            let chance = self.chance(segment, day);
            let number = number_of_day(self.seed, day);
            tally.day(index, segment, number, &chance);
            if number < chance.of_leaving {
                return Some((day, Decision::Leaves));
            }
            // Another number: who is lost has nothing to do with who would have left.
            if number_of_day(!self.seed, day) < self.chance_of_loss(day) {
                return Some((day, Decision::Lost));
            }
            day += DAY;
        }
        None
    }

    /// The chance of leaving on a day, and what it would be without each of the journeys that act on it.
    fn chance(&mut self, segment: usize, day: Time) -> Chance {
        let quiet = DAILY_LEAVING[segment] * tenure_factor((day - self.joined_at) as f64 / DAY as f64);
        let mut chance = Chance::without_journeys(quiet);
        for lived in &mut self.acting {
            if let Some((factor, days_since)) = lived.on(day) {
                chance.act(lived.journey, factor, days_since);
            }
        }
        chance.settle(quiet);
        chance
    }

    fn chance_of_loss(&self, day: Time) -> f64 {
        let over = self.moving.partition_point(|at| *at < day);
        let moving = over
            .checked_sub(1)
            .is_some_and(|latest| (day - self.moving[latest]) as f64 / (DAY as f64) < MOVED_AWAY_DAYS);
        if moving { DAILY_LOSS * LOSS_WHILE_MOVING } else { DAILY_LOSS }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::calendar::Span;
    use crate::dice::Dice;

    fn months() -> Vec<Month> {
        Span::before(NaiveDate::from_ymd_opt(2026, 10, 1).expect("a day"), 3).expect("a span").months()
    }

    fn instance(journey: Journey, members: &[Time], multichannel: bool) -> Instance {
        Instance { journey, members: members.to_vec(), multichannel, level: 2, anonymous: None }
    }

    /// The chance on each day of the quarter after `instances`.
    fn chances(instances: &[Instance], joined_at: Time, effects: bool) -> Vec<Chance> {
        let mut person = Person::draw(1, &mut Dice::new(1, 0));
        person.segment = 0;
        let mut risk = Risk::new(&person, joined_at, effects, 7);
        instances.iter().for_each(|instance| risk.take(instance));
        let (from, to) = (months()[0].from, months()[2].to);
        (from..to).step_by(DAY as usize).map(|day| risk.chance(0, day)).collect()
    }

    #[test]
    fn an_acute_effect_raises_the_chance_and_fades() {
        let begin = months()[0].from;
        let dispute = instance(Journey::BillingDispute, &[begin + DAY / 2], false);
        let (with, quiet) = (chances(std::slice::from_ref(&dispute), 0, true), chances(&[], 0, true));
        let ratio = |day: usize| with[day].of_leaving / quiet[day].of_leaving;
        let full = 1.0 + 2.6 * 0.9;
        assert!((ratio(0) - 1.0).abs() < 1e-12, "not before the first touchpoint");
        assert!((ratio(1) - full).abs() < 1e-12 && (ratio(17) - full).abs() < 1e-12, "{}", ratio(17));
        assert!(ratio(30) < full && ratio(30) > 1.0 && (ratio(47) - 1.0).abs() < 1e-12);
        let acts = with[5].of_journey(Journey::BillingDispute as usize).expect("it acts");
        assert!((acts.without - quiet[5].of_leaving).abs() < 1e-15 && (acts.days_since - 4.5).abs() < 1e-12);
        let none = chances(&[dispute], 0, false);
        assert!(none.iter().zip(&quiet).all(|(none, quiet)| none.of_leaving == quiet.of_leaving));
    }

    #[test]
    fn two_journeys_multiply_and_each_is_taken_away_alone() {
        let begin = months()[0].from;
        let repair = instance(Journey::TechnicalRepair, &[begin + DAY / 2], false);
        let dispute = instance(Journey::BillingDispute, &[begin + DAY / 2], false);
        let both = chances(&[repair.clone(), dispute.clone()], 0, true);
        let (repair, dispute) = (chances(&[repair], 0, true), chances(&[dispute], 0, true));
        let without = |journey: Journey| both[9].of_journey(journey as usize).expect("it acts").without;
        assert!((without(Journey::BillingDispute) - repair[9].of_leaving).abs() < 1e-15);
        assert!((without(Journey::TechnicalRepair) - dispute[9].of_leaving).abs() < 1e-15);
        assert!(both[9].of_leaving > repair[9].of_leaving.max(dispute[9].of_leaving));
    }

    #[test]
    fn finding_help_matters_over_several_channels_only() {
        let begin = months()[0].from;
        let acts = |multichannel: bool| {
            let days = chances(&[instance(Journey::FindingHelp, &[begin], multichannel)], 0, true);
            days[3].of_journey(Journey::FindingHelp as usize).is_some()
        };
        assert!(acts(true) && !acts(false));
    }

    #[test]
    fn who_moves_is_lost_more_easily() {
        let person = Person::draw(1, &mut Dice::new(1, 0));
        let mut risk = Risk::new(&person, 0, true, 7);
        risk.take(&instance(Journey::MovingHouse, &[100 * DAY + 1, 110 * DAY + 1], true));
        let raised: Vec<Time> = (90..180).filter(|day| risk.chance_of_loss(day * DAY) > DAILY_LOSS).collect();
        assert_eq!((raised.first(), raised.last(), raised.len()), (Some(&101), Some(&165), 65));
    }

    #[test]
    fn the_share_that_leaves_is_what_the_chances_say() {
        let month = months()[0];
        let mut tally = ExcessTally::new(1);
        let (mut left, mut expected) = (0_u32, 0.0);
        for seed in 0..40_000 {
            let mut person = Person::draw(1, &mut Dice::new(1, 0));
            person.segment = 0;
            let mut risk = Risk::new(&person, month.from - 400 * DAY, true, seed);
            risk.take(&instance(Journey::TechnicalRepair, &[month.from - DAY], true));
            let days = (month.from..month.to).step_by(DAY as usize);
            let stays: f64 = days.map(|day| 1.0 - risk.chance(0, day).of_leaving).product();
            expected += 1.0 - stays;
            left += u32::from(matches!(risk.live((0, month), 0, &mut tally), Some((_, Decision::Leaves))));
        }
        assert!((f64::from(left) - expected).abs() < 4.0 * expected.sqrt(), "{left} left, {expected:.0} expected");
    }
}
