//! Who leaves: exposure at a landmark, the planted chance of churn, and the tally of both (SEMANTICS 5).

use crate::calendar::{DAY, Quarter, Span, Time};
use crate::catalogue::{BANDS, EXPERIENCE_ODDS, JOURNEYS, Journey, SEGMENTS, band, churn_probability};
use crate::script::Instance;

/// Exposure and outcome window, in days.
pub(crate) const WINDOW_DAYS: i64 = 90;

/// A matured landmark, as the pipeline sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Landmark {
    pub(crate) at: Time,
}

/// The quarter ends that are matured landmarks: exposure window after the start, outcome window before the end.
pub(crate) fn matured(span: Span, quarters: &[Quarter]) -> Vec<Landmark> {
    let inside = |at: &Time| at - WINDOW_DAYS * DAY >= span.start && at + WINDOW_DAYS * DAY <= span.end;
    quarters.iter().map(|quarter| quarter.begin).filter(inside).map(|at| Landmark { at }).collect()
}

/// How a customer stands to one journey at a landmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Exposure {
    NotEligible,
    Unexposed,
    /// Members in the window, but no start in it.
    CarriedOver,
    Exposed {
        multichannel: bool,
        /// Factor on the odds of churn.
        odds: f64,
    },
}

/// Exposure to every journey, in the order of [`JOURNEYS`]; without `effects` every odds ratio is 1.
pub(crate) fn exposures(instances: &[Instance], joined_at: Time, landmark: Time, effects: bool) -> [Exposure; 8] {
    let from = landmark - WINDOW_DAYS * DAY;
    JOURNEYS.each_ref().map(|plan| {
        let eligible = match plan.journey {
            Journey::Onboarding => joined_at >= from,
            Journey::ContractRenewal => joined_at < landmark - 365 * DAY,
            _ => true,
        };
        if !eligible {
            return Exposure::NotEligible;
        }
        let own = || instances.iter().filter(|instance| instance.journey == plan.journey);
        let started = || own().filter(|instance| (from..landmark).contains(&instance.started_at()));
        let Some(latest) = started().max_by_key(|instance| instance.started_at()) else {
            let touched = own().any(|instance| instance.members.iter().any(|at| (from..landmark).contains(at)));
            return if touched { Exposure::CarriedOver } else { Exposure::Unexposed };
        };
        let multichannel = started().any(|instance| instance.multichannel);
        let odds = if multichannel { plan.multichannel_odds_ratio } else { plan.odds_ratio };
        let experience = if plan.experience_matters { EXPERIENCE_ODDS[latest.level] } else { 1.0 };
        Exposure::Exposed { multichannel, odds: if effects { odds * experience } else { 1.0 } }
    })
}

/// Planted chance of churn within the outcome window.
pub(crate) fn chance_of_churn(segment: usize, joined_at: Time, landmark: Time, exposures: &[Exposure; 8]) -> f64 {
    let factor: f64 = exposures
        .iter()
        .map(|exposure| match exposure {
            Exposure::Exposed { odds, .. } => *odds,
            _ => 1.0,
        })
        .product();
    churn_probability(segment, band((landmark - joined_at).div_euclid(DAY)), factor)
}

/// A two-by-two table as drawn, and as expected from the planted chances.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cell {
    /// Exposed churned, exposed stayed, unexposed churned, unexposed stayed.
    pub(crate) drawn: [u64; 4],
    /// The same, each customer counted with its chance.
    pub(crate) expected: [f64; 4],
}

impl Cell {
    fn add(&mut self, exposed: bool, churned: bool, chance: f64) {
        let arm = if exposed { 0 } else { 2 };
        self.drawn[arm + usize::from(!churned)] += 1;
        self.expected[arm] += chance;
        self.expected[arm + 1] += 1.0 - chance;
    }
}

/// One journey at one landmark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// By segment, then tenure band.
    pub(crate) cells: [[Cell; BANDS.len()]; SEGMENTS.len()],
    pub(crate) carried_over: u64,
    pub(crate) censored: u64,
    /// Customers with a single-channel and with a multi-channel instance, each against nobody.
    pub(crate) by_channels: [Cell; 2],
    /// Exposed customers, and what their upgrades in the window are expected to add to their bills after it.
    pub(crate) upgrade_revenue: (u64, f64),
}

/// One customer at a landmark, with what came of it.
pub(crate) struct Observation {
    pub(crate) segment: usize,
    pub(crate) tenure_days: i64,
    pub(crate) chance: f64,
    pub(crate) churned: bool,
    /// Lost within the outcome window without churn.
    pub(crate) censored: bool,
    /// What upgrades in the exposure window are expected to add to the bills of the outcome window.
    pub(crate) upgrade_revenue: f64,
}

impl Tally {
    pub(crate) fn count(&mut self, exposure: Exposure, seen: &Observation) {
        let exposed = match exposure {
            Exposure::NotEligible => return,
            Exposure::CarriedOver => {
                self.carried_over += 1;
                return;
            }
            Exposure::Unexposed => None,
            Exposure::Exposed { multichannel, .. } => Some(multichannel),
        };
        if seen.censored {
            self.censored += 1;
            return;
        }
        self.cells[seen.segment][band(seen.tenure_days)].add(exposed.is_some(), seen.churned, seen.chance);
        if let Some(multichannel) = exposed {
            self.by_channels[usize::from(multichannel)].add(true, seen.churned, seen.chance);
            self.upgrade_revenue.0 += 1;
            self.upgrade_revenue.1 += seen.upgrade_revenue;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(journey: Journey, members: &[i64]) -> Instance {
        Instance { journey, members: members.iter().map(|day| day * DAY).collect(), multichannel: false, level: 2 }
    }

    #[test]
    fn the_window_decides_between_exposed_carried_over_and_unexposed() {
        let landmark = 1_000 * DAY;
        let of = |members: &[i64]| exposures(&[instance(Journey::MovingHouse, members)], 0, landmark, true)[3];
        assert_eq!(of(&[910, 950]), Exposure::Exposed { multichannel: false, odds: 3.5 * EXPERIENCE_ODDS[2] });
        assert_eq!(of(&[909, 950]), Exposure::CarriedOver);
        assert_eq!(of(&[800, 909]), Exposure::Unexposed);
        assert_eq!(of(&[1_000]), Exposure::Unexposed);
    }

    #[test]
    fn onboarding_is_for_those_who_joined_in_the_window() {
        let landmark = 1_000 * DAY;
        assert_eq!(exposures(&[], 909 * DAY, landmark, true)[0], Exposure::NotEligible);
        assert_eq!(exposures(&[], 910 * DAY, landmark, true)[0], Exposure::Unexposed);
    }
}
