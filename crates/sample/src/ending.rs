//! How a spell ends, and what the register and the subscriptions hold of it.

use crate::calendar::Time;
use crate::catalogue::{SEGMENTS, UNKNOWN, UPGRADE_PRICE};
use crate::script::Script;
use crate::tables::{Customer, Subscription};

/// What ended a spell within the sample. Whatever lies at or after the sample's end is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Notice, where it was given.
    pub(crate) notice_at: Option<Time>,
    pub(crate) churned_at: Option<Time>,
    pub(crate) lost_at: Option<Time>,
    end: Time,
}

impl Ending {
    /// Still there when the sample ends.
    pub(crate) fn none(end: Time) -> Self {
        Ending { notice_at: None, churned_at: None, lost_at: None, end }
    }

    /// Left at `left_at`: for good, or by notice of so long.
    pub(crate) fn left(left_at: Time, notice: Option<Time>, end: Time) -> Self {
        let known = |at: Time| Some(at).filter(|at| *at < end);
        match notice {
            Some(length) => {
                Ending { notice_at: known(left_at), churned_at: known(left_at + length), ..Ending::none(end) }
            }
            None => Ending { churned_at: known(left_at), ..Ending::none(end) },
        }
    }

    pub(crate) fn lost(at: Time, end: Time) -> Self {
        Ending { lost_at: Some(at).filter(|at| *at < end), ..Ending::none(end) }
    }

    /// Whether the customer left, by notice or at once.
    pub(crate) fn is_leaving(&self) -> bool {
        self.notice_at.or(self.churned_at).is_some()
    }

    /// The first instant at which nothing is lived any more.
    pub(crate) fn lived_until(&self) -> Time {
        self.notice_at.or(self.churned_at).or(self.lost_at).unwrap_or(self.end)
    }

    /// The first instant without bills.
    pub(crate) fn billed_until(&self) -> Time {
        self.churned_at.or(self.lost_at).unwrap_or(self.end)
    }
}

/// The register's rows of the spell: one, or two where the segment changed.
pub(crate) fn register(script: &mut Script<'_>, joined_at: Time, moved: Option<(Time, usize)>, ending: &Ending) {
    let person = script.person;
    let leaves = ending.churned_at.map(|_| script.dice.pick(&["price", "competitor", "service", "no_use", "other"]));
    let lost = ending.lost_at.map(|_| script.dice.pick(&["moved_away", "moved_away", "died"]));
    for (valid_from, segment) in std::iter::once((joined_at, person.segment)).chain(moved) {
        script.rows.customers.push(Customer {
            customer: Some(person.number),
            joined_at,
            notice_at: ending.notice_at,
            churned_at: ending.churned_at,
            churn_reason: leaves,
            lost_at: ending.lost_at,
            lost_reason: lost,
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
pub(crate) fn subscriptions(script: &mut Script<'_>, joined_at: Time, upgrades: &[Time], ending: &Ending) {
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
            ended_at: ending.churned_at.or(ending.lost_at),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notice_ends_what_is_lived_and_bills_go_on() {
        let ending = Ending::left(100, Some(20), 1_000);
        assert_eq!((ending.notice_at, ending.churned_at), (Some(100), Some(120)));
        assert_eq!((ending.lived_until(), ending.billed_until()), (100, 120));
        let at_once = Ending::left(100, None, 1_000);
        assert_eq!((at_once.notice_at, at_once.lived_until(), at_once.billed_until()), (None, 100, 100));
    }

    #[test]
    fn what_lies_after_the_sample_is_not_known() {
        let ending = Ending::left(990, Some(20), 1_000);
        assert_eq!((ending.notice_at, ending.churned_at, ending.billed_until()), (Some(990), None, 1_000));
        assert!(ending.is_leaving());
        assert_eq!(Ending::left(1_003, None, 1_000), Ending::none(1_000));
        assert_eq!(Ending::lost(400, 1_000).lived_until(), 400);
    }
}
