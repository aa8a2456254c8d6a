//! How often something happened, with its uncertainty.

/// A share of trials.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    pub(crate) hits: u32,
    pub(crate) trials: u32,
}

impl Share {
    pub(crate) fn count(&mut self, hit: bool) {
        self.trials += 1;
        self.hits += u32::from(hit);
    }

    pub(crate) fn add(&mut self, other: Share) {
        self.hits += other.hits;
        self.trials += other.trials;
    }

    /// The share itself; 0 without a trial.
    pub(crate) fn of_all(self) -> f64 {
        f64::from(self.hits) / f64::from(self.trials.max(1))
    }

    /// The 95 % interval of Wilson (1927); `None` without a trial.
    pub(crate) fn interval(self) -> Option<(f64, f64)> {
        const Z: f64 = 1.959_963_984_540_054;
        let (hits, trials) = (f64::from(self.hits), f64::from(self.trials));
        if self.trials == 0 {
            return None;
        }
        let centre = (hits + Z * Z / 2.0) / (trials + Z * Z);
        let reach = Z / (trials + Z * Z) * (hits * (trials - hits) / trials + Z * Z / 4.0).sqrt();
        Some((centre - reach, centre + reach))
    }

    /// `95.0 % (92.1 to 96.9)`.
    pub(crate) fn shown(self) -> String {
        match self.interval() {
            Some((lower, upper)) => {
                let share = 100.0 * f64::from(self.hits) / f64::from(self.trials);
                format!("{share:.1} % ({:.1} to {:.1})", 100.0 * lower, 100.0 * upper)
            }
            None => "none".to_owned(),
        }
    }
}
