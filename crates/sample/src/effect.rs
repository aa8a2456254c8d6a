//! How a journey changes the daily chance of leaving over the days that follow it: a shape in continuous days.

use crate::calendar::{DAY, Time};

/// From when on an effect's days are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// The instance's first touchpoint.
    Start,
    /// Its latest touchpoint so far: each further one renews the effect.
    Latest,
}

/// An effect that grows, stays and fades away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    /// Factor on the daily chance of leaving while the effect is full, for an ordinary experience of the journey.
    pub(crate) factor: f64,
    pub(crate) since: Since,
    /// Days in which it grows from none to full.
    pub(crate) grows: f64,
    /// Day until which it is full.
    pub(crate) full_until: f64,
    /// Day from which on nothing is left of it; between the two it fades evenly.
    pub(crate) gone_at: f64,
}

/// Weight of an effect by experience level, best to worst. Weighed by how often each level occurs, their mean is one:
/// the factor is what all customers show together.
pub(crate) const HARM_BY_EXPERIENCE: [f64; 5] = [0.0, 0.4, 0.9, 1.5, 2.45];
/// The same where a journey keeps customers: it does so the more, the better it goes.
pub(crate) const GOOD_BY_EXPERIENCE: [f64; 5] = [1.6, 1.3, 1.0, 0.7, 0.4];

impl Effect {
    /// Share of the effect that acts `days` after what it is counted from: 0 to 1.
    pub(crate) fn strength(&self, days: f64) -> f64 {
        match days {
            d if d < 0.0 => 0.0,
            d if d < self.grows => d / self.grows,
            d if d < self.full_until => 1.0,
            d if d < self.gone_at => (self.gone_at - d) / (self.gone_at - self.full_until),
            _ => 0.0,
        }
    }

    /// Factor on the daily chance of leaving, `days` after what the effect is counted from.
    pub(crate) fn factor_at(&self, days: f64, weight: f64) -> f64 {
        1.0 + (self.factor - 1.0) * weight * self.strength(days)
    }

    /// The weight of an experience level.
    pub(crate) fn weight(&self, experience_matters: bool, level: usize) -> f64 {
        match experience_matters {
            false => 1.0,
            true if self.factor < 1.0 => GOOD_BY_EXPERIENCE[level],
            true => HARM_BY_EXPERIENCE[level],
        }
    }

    /// In a planner's words.
    pub(crate) fn in_words(&self) -> String {
        let since = match self.since {
            Since::Start => "its first touchpoint",
            Since::Latest => "its latest touchpoint",
        };
        let grows = if self.grows > 0.0 { format!(", reached over {} days", self.grows) } else { String::new() };
        format!(
            "daily chance of leaving × {}{grows}, until day {} after {since}, then fading, gone on day {}",
            self.factor, self.full_until, self.gone_at
        )
    }
}

/// An instance on its way through a customer's life, with the effect it has.
#[derive(Debug, Clone)]
pub(crate) struct Lived {
    /// Index of its journey.
    pub(crate) journey: usize,
    effect: Effect,
    weight: f64,
    /// Times of its touchpoints, in order.
    touchpoints: Vec<Time>,
    /// How many of them are over.
    over: usize,
}

impl Lived {
    pub(crate) fn new(journey: usize, effect: Effect, weight: f64, touchpoints: Vec<Time>) -> Self {
        Lived { journey, effect, weight, touchpoints, over: 0 }
    }

    /// The factor it puts on the chance of leaving on the day that begins at `day`, and how many days ago its latest
    /// touchpoint was; `None` before its first. Days have to be asked for in order.
    pub(crate) fn on(&mut self, day: Time) -> Option<(f64, f64)> {
        while self.touchpoints.get(self.over).is_some_and(|at| *at < day) {
            self.over += 1;
        }
        let latest = *self.touchpoints.get(self.over.checked_sub(1)?)?;
        let days_since = |at: Time| (day - at) as f64 / DAY as f64;
        let counted_from = match self.effect.since {
            Since::Start => self.touchpoints.first().copied().unwrap_or(latest),
            Since::Latest => latest,
        };
        Some((self.effect.factor_at(days_since(counted_from), self.weight), days_since(latest)))
    }

    /// Whether nothing of the effect is left on `day` or later.
    pub(crate) fn is_gone(&self, day: Time) -> bool {
        let counted_from = match self.effect.since {
            Since::Start => self.touchpoints.first(),
            Since::Latest => self.touchpoints.last(),
        };
        counted_from.is_none_or(|at| (day - at) as f64 / DAY as f64 >= self.effect.gone_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFECT: Effect = Effect { factor: 3.0, since: Since::Latest, grows: 2.0, full_until: 10.0, gone_at: 20.0 };

    #[test]
    fn an_effect_grows_stays_and_fades() {
        let strengths = [-0.1, 0.0, 1.0, 2.0, 9.9, 10.0, 15.0, 19.0, 20.0, 90.0].map(|day| EFFECT.strength(day));
        assert_eq!(strengths, [0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.1, 0.0, 0.0]);
        assert_eq!([5.0, 15.0, 30.0].map(|day| EFFECT.factor_at(day, 1.0)), [3.0, 2.0, 1.0]);
        assert_eq!(EFFECT.factor_at(5.0, 0.5), 2.0);
    }

    #[test]
    fn each_touchpoint_renews_an_effect_counted_from_the_latest() {
        let mut lived = Lived::new(0, EFFECT, 1.0, vec![DAY / 2, 30 * DAY]);
        assert_eq!(lived.on(0), None);
        assert_eq!(lived.on(5 * DAY), Some((3.0, 4.5)));
        assert_eq!(lived.on(30 * DAY), Some((1.0, 29.5)), "what happens on a day acts from the next one on");
        assert_eq!(lived.on(33 * DAY), Some((3.0, 3.0)));
        assert!(!lived.is_gone(49 * DAY) && lived.is_gone(50 * DAY));
    }

    #[test]
    fn an_effect_counted_from_the_start_is_not_renewed() {
        let effect = Effect { since: Since::Start, ..EFFECT };
        let mut lived = Lived::new(0, effect, 1.0, vec![0, 18 * DAY]);
        assert_eq!(lived.on(25 * DAY), Some((1.0, 7.0)));
        assert!(lived.is_gone(20 * DAY));
    }
}
