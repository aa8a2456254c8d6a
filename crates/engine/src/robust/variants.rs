//! The variants of a definition: its limits halved, kept and doubled, under each horizon of exposure.

use throughline_config::{Duration, JourneyDefinition};

pub(super) const DAY: i64 = 86_400_000_000;
/// A limit times each of these.
const FACTORS: [f64; 3] = [0.5, 1.0, 2.0];
/// Horizons of exposure, days; the pipeline's own joins them.
const HORIZONS: [i64; 4] = [30, 60, 90, 180];

/// A definition with other limits, and a horizon of exposure.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    /// The definition, under a name that no journey can have.
    pub(super) definition: JourneyDefinition,
    pub(super) horizon: Duration,
    /// Whether limits and horizon are the pipeline's own.
    pub(super) is_own: bool,
}

impl Variant {
    pub(super) fn name(&self) -> &str {
        &self.definition.name.value
    }
}

/// All variants, horizon by horizon. A limit that the definition does not have is not varied.
pub(super) fn variants(own: &JourneyDefinition, own_horizon: Duration) -> Vec<Variant> {
    let mut horizons: Vec<Duration> = HORIZONS.iter().map(|days| Duration(days * DAY)).collect();
    horizons.push(own_horizon);
    horizons.sort();
    horizons.dedup();
    let mut variants = Vec::new();
    for horizon in horizons {
        for within in lengths(own.within) {
            for idle in lengths(own.idle) {
                let mut definition = JourneyDefinition { within, idle, ..own.clone() };
                definition.name.value = format!("{}/{}", own.name.value, variants.len() + 1);
                let is_own = horizon == own_horizon && within == own.within && idle == own.idle;
                variants.push(Variant { definition, horizon, is_own });
            }
        }
    }
    variants
}

fn lengths(own: Option<Duration>) -> Vec<Option<Duration>> {
    let Some(Duration(own)) = own else { return vec![None] };
    // A limit is longer than nothing.
    FACTORS.iter().map(|factor| Some(Duration(((own as f64 * factor) as i64).max(1)))).collect()
}

pub(super) fn days(Duration(length): Duration) -> f64 {
    length as f64 / DAY as f64
}

#[cfg(test)]
mod tests {
    use throughline_config::journey_definitions;

    use super::*;

    fn variants_of(limits: &str, horizon: i64) -> Vec<Variant> {
        let text = format!("asking:\n  label: Asking\n  starts: event = 'asked'\n{limits}");
        let definitions = journey_definitions(&text).expect("a definition");
        variants(&definitions[0], Duration(horizon * DAY))
    }

    #[test]
    fn limits_that_are_there_are_halved_and_doubled() {
        let all = variants_of("  within: 45 days\n  idle: 14 days\n", 90);
        assert_eq!(all.len(), 36);
        let own: Vec<&Variant> = all.iter().filter(|variant| variant.is_own).collect();
        assert_eq!(own.len(), 1, "one variant is the definition itself");
        assert_eq!((own[0].definition.within, own[0].horizon), (Some(Duration(45 * DAY)), Duration(90 * DAY)));
        let first = &all[0].definition;
        assert_eq!((first.within.map(days), first.idle.map(days)), (Some(22.5), Some(7.0)));
        let mut names: Vec<&str> = all.iter().map(Variant::name).collect();
        names.dedup();
        assert_eq!((names.len(), names[0]), (36, "asking/1"));
    }

    #[test]
    fn what_has_no_limit_is_not_varied_by_it() {
        assert_eq!(variants_of("  idle: 14 days\n", 90).len(), 12);
        assert_eq!(variants_of("", 60).len(), 4);
    }

    #[test]
    fn the_pipelines_own_horizon_is_always_among_them() {
        let all = variants_of("", 45);
        let horizons: Vec<f64> = all.iter().map(|variant| days(variant.horizon)).collect();
        assert_eq!(horizons, [30.0, 45.0, 60.0, 90.0, 180.0]);
        assert!(all[1].is_own);
    }
}
