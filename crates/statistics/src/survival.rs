//! Churn under censoring: survival curves of the exposed and the unexposed up to a horizon.

use crate::{distributions::Confidence, proportion::Estimate, stratified::ChiSquaredTest};

/// One customer's follow-up from the landmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FollowUp {
    /// Time until churn or until the follow-up ended otherwise, in the unit of the horizon; finite, at least 0.
    pub duration: f64,
    /// Whether it ended by churn.
    pub event: bool,
    /// Whether the customer was exposed.
    pub exposed: bool,
}

/// Two survival curves at the horizon; a part that is undefined is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalDifference {
    /// Share of the exposed who stay through `[0, horizon)`.
    pub exposed_survival: Option<f64>,
    /// Share of the unexposed who do.
    pub unexposed_survival: Option<f64>,
    /// Exposed less unexposed, negative when the exposed churn more; normal limits with Greenwood's variance.
    pub difference: Option<Estimate>,
    /// Log-rank test of equal curves within the horizon.
    pub log_rank: Option<ChiSquaredTest>,
}

/// Kaplan–Meier survival (1958) of both arms through `[0, horizon)` with Greenwood's variance (1926), and the log-rank
/// test (Mantel 1966) of the events in that window.
///
/// The window is half-open like every interval here: an event exactly at the horizon is outside. Without censoring the
/// difference is therefore the risk difference with its sign turned. A censoring at the time of an event counts as just
/// after it. Survival is `None` for an arm without customers, or when the last of them is lost before the horizon:
/// what happened in the rest of the window is not known then.
pub fn kaplan_meier_difference(follow_ups: &[FollowUp], horizon: f64, confidence: Confidence) -> SurvivalDifference {
    let mut follow_ups = follow_ups.to_vec();
    follow_ups.sort_by(|left, right| left.duration.total_cmp(&right.duration));

    let mut exposed = Arm::new(&follow_ups, true);
    let mut unexposed = Arm::new(&follow_ups, false);
    let mut log_rank = LogRank::default();
    for same_time in follow_ups.chunk_by(|left, right| left.duration == right.duration) {
        if same_time[0].duration >= horizon {
            break;
        }
        let (exposed_events, exposed_leaving) = events_and_leaving(same_time, true);
        let (unexposed_events, unexposed_leaving) = events_and_leaving(same_time, false);
        log_rank.add(exposed.at_risk, unexposed.at_risk, exposed_events, unexposed_events);
        exposed.step(exposed_events, exposed_leaving);
        unexposed.step(unexposed_events, unexposed_leaving);
    }

    let (exposed_survival, unexposed_survival) = (exposed.survival_at_horizon(), unexposed.survival_at_horizon());
    SurvivalDifference {
        exposed_survival,
        unexposed_survival,
        difference: exposed_survival.zip(unexposed_survival).and_then(|(exposed_survival, unexposed_survival)| {
            let difference = exposed_survival - unexposed_survival;
            let reach = confidence.z() * (exposed.variance() + unexposed.variance()).sqrt();
            Estimate::finite(difference, difference - reach, difference + reach)
        }),
        log_rank: log_rank.test(),
    }
}

/// Events, and customers no longer at risk afterwards, of one arm at one time.
fn events_and_leaving(same_time: &[FollowUp], exposed: bool) -> (u64, u64) {
    let arm = same_time.iter().filter(|follow_up| follow_up.exposed == exposed);
    arm.fold((0, 0), |(events, leaving), follow_up| (events + u64::from(follow_up.event), leaving + 1))
}

/// One survival curve on its way through time.
#[derive(Debug)]
struct Arm {
    at_risk: u64,
    survival: f64,
    /// Greenwood's Σ events/(at risk · survivors).
    hazard_variance: f64,
}

impl Arm {
    fn new(follow_ups: &[FollowUp], exposed: bool) -> Self {
        let at_risk = follow_ups.iter().filter(|follow_up| follow_up.exposed == exposed).count() as u64;
        Self { at_risk, survival: if at_risk > 0 { 1.0 } else { f64::NAN }, hazard_variance: 0.0 }
    }

    fn step(&mut self, events: u64, leaving: u64) {
        if events > 0 {
            let (at_risk, survivors) = (self.at_risk as f64, (self.at_risk - events) as f64);
            self.survival *= survivors / at_risk;
            if survivors > 0.0 {
                self.hazard_variance += events as f64 / at_risk / survivors;
            }
        }
        self.at_risk -= leaving;
    }

    fn survival_at_horizon(&self) -> Option<f64> {
        // Nobody left to survive is knowledge: the curve is at 0 and stays there.
        (self.at_risk > 0 || self.survival == 0.0).then_some(self.survival)
    }

    /// Greenwood's variance; 0 once nobody is left, the limit of the formula.
    fn variance(&self) -> f64 {
        self.survival * self.survival * self.hazard_variance
    }
}

/// Observed less expected events of the exposed, with the hypergeometric variance.
#[derive(Debug, Default)]
struct LogRank {
    deviation: f64,
    variance: f64,
}

impl LogRank {
    fn add(&mut self, exposed: u64, unexposed: u64, exposed_events: u64, unexposed_events: u64) {
        let events = (exposed_events + unexposed_events) as f64;
        if events == 0.0 {
            return;
        }
        let (exposed, unexposed) = (exposed as f64, unexposed as f64);
        let at_risk = exposed + unexposed;
        let share = exposed / at_risk;
        self.deviation += exposed_events as f64 - events * share;
        if at_risk > 1.0 {
            self.variance += events * share * (unexposed / at_risk) * (at_risk - events) / (at_risk - 1.0);
        }
    }

    fn test(&self) -> Option<ChiSquaredTest> {
        if self.variance <= 0.0 {
            return None;
        }
        ChiSquaredTest::new(self.deviation * self.deviation / self.variance, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow_up(duration: f64, event: bool, exposed: bool) -> FollowUp {
        FollowUp { duration, event, exposed }
    }

    fn difference(follow_ups: &[FollowUp]) -> SurvivalDifference {
        kaplan_meier_difference(follow_ups, 90.0, Confidence::new(0.95).unwrap())
    }

    #[test]
    fn an_event_at_the_horizon_is_outside_the_window() {
        let result = difference(&[
            follow_up(90.0, true, true),
            follow_up(10.0, true, true),
            follow_up(90.0, false, false),
            follow_up(91.0, true, false),
        ]);
        assert_eq!((result.exposed_survival, result.unexposed_survival), (Some(0.5), Some(1.0)));
        assert_eq!(result.difference.unwrap().estimate, -0.5);
    }

    #[test]
    fn a_curve_that_ends_before_the_horizon_is_unknown_there() {
        let lost =
            difference(&[follow_up(5.0, true, true), follow_up(30.0, false, true), follow_up(90.0, false, false)]);
        assert_eq!((lost.exposed_survival, lost.difference), (None, None));
        let gone =
            difference(&[follow_up(5.0, true, true), follow_up(30.0, true, true), follow_up(90.0, false, false)]);
        assert_eq!(gone.exposed_survival, Some(0.0));
    }

    #[test]
    fn an_empty_arm_or_no_event_has_no_test() {
        assert_eq!(difference(&[]).exposed_survival, None);
        let quiet = difference(&[follow_up(90.0, false, true), follow_up(90.0, false, false)]);
        assert_eq!(quiet.log_rank, None);
        assert_eq!(quiet.difference.unwrap().estimate, 0.0);
    }
}
