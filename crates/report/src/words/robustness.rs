//! Whether a journey's tier rests on the limits of its definition or on the horizon of exposure.

use std::collections::BTreeMap;

use throughline_engine::{RobustVariant, Robustness};

use crate::numbers::{day, fixed, level};

/// Days that a variant says, or none.
type DaysOf = fn(&RobustVariant) -> Option<f64>;

/// Where the tier is another one: in so many places one by one, in more by the horizon.
const FEW: usize = 3;

/// The journey, the period, and what was varied.
pub fn robustness_title(robustness: &Robustness) -> String {
    format!(
        "{} in {}, all segments, from the tables as of {}: more left than of like customers, if the journey is the cause, \
         in {} variants of its definition",
        robustness.journey,
        robustness.period,
        day(&robustness.as_of),
        robustness.variants.len()
    )
}

/// In how many variants the tier is kept, and where it is not; then how the variants were made.
pub fn robustness(robustness: &Robustness) -> Vec<String> {
    let mut sentences = vec![verdict(robustness)];
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in robustness.variants.iter().filter_map(|variant| variant.reason.as_deref()) {
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, variants) in reasons {
        sentences.push(format!("Not ranked in {}: {reason}.", number(variants)));
    }
    sentences.push(varied(robustness));
    sentences.push(format!(
        "Each variant is ranked beside what is published of the other journeys; q values are computed again among them. Who \
         could have been on the journey stays as it is. Brackets: {} intervals.",
        level(robustness.confidence)
    ));
    sentences
}

fn verdict(robustness: &Robustness) -> String {
    let of = format!("in {} of {}", robustness.keeps_tier, number(robustness.judged));
    let keeps = match &robustness.tier {
        Some(tier) => format!("It keeps its tier, {tier}, {of}"),
        None => format!(
            "It is not ranked ({}), and neither is it {of}",
            robustness.reason.as_deref().unwrap_or("no reason is given")
        ),
    };
    let mut elsewhere: BTreeMap<&str, Vec<&RobustVariant>> = BTreeMap::new();
    for variant in robustness.variants.iter().filter(|variant| variant.keeps_tier == Some(false)) {
        elsewhere.entry(variant.tier.as_deref().unwrap_or("not ranked")).or_default().push(variant);
    }
    let elsewhere: Vec<String> =
        elsewhere.iter().map(|(tier, variants)| format!("it is {tier} {}", places(variants, robustness))).collect();
    match elsewhere.as_slice() {
        [] => format!("{keeps}."),
        _ => format!("{keeps}; {}.", elsewhere.join("; ")),
    }
}

/// `with within 22.5 days and H 30 days` where that says which variants they are, else how many by horizon.
fn places(variants: &[&RobustVariant], robustness: &Robustness) -> String {
    let judged: Vec<&RobustVariant> =
        robustness.variants.iter().filter(|variant| variant.keeps_tier.is_some()).collect();
    let by: [(&str, DaysOf); 3] = [
        ("within", |variant| variant.within_days),
        ("idle", |variant| variant.idle_days),
        ("H", |variant| Some(variant.exposure_horizon_days)),
    ];
    let values = |of: &[&RobustVariant], value: fn(&RobustVariant) -> Option<f64>| {
        let mut values: Vec<f64> = of.iter().filter_map(|variant| value(variant)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let chosen = by.map(|(name, value)| (name, value, values(variants, value), values(judged.as_slice(), value)));
    let meant = judged.iter().filter(|variant| {
        chosen.iter().all(|(_, value, chosen, _)| value(variant).is_none_or(|value| chosen.contains(&value)))
    });
    if meant.count() == variants.len() {
        let narrowed = chosen.iter().filter(|(_, _, chosen, all)| chosen.len() < all.len());
        let narrowed: Vec<String> = narrowed
            .map(|(name, _, chosen, _)| {
                let days: Vec<String> = chosen.iter().map(|days| length(*days)).collect();
                format!("{name} {} days", days.join(" or "))
            })
            .collect();
        return if narrowed.is_empty() {
            "in all others".to_owned()
        } else {
            format!("with {}", narrowed.join(" and "))
        };
    }
    if variants.len() <= FEW {
        let one = |variant: &&RobustVariant| {
            let limits = by.iter().filter_map(|(name, value)| Some(format!("{name} {}", length(value(variant)?))));
            limits.collect::<Vec<_>>().join(", ")
        };
        return format!("with {}", variants.iter().map(one).collect::<Vec<_>>().join(", and with "));
    }
    let horizons = values(variants, by[2].1).into_iter().map(|horizon| {
        let at = |of: &[&RobustVariant]| of.iter().filter(|variant| variant.exposure_horizon_days == horizon).count();
        format!("in {} of {} with H {} days", at(variants), at(judged.as_slice()), length(horizon))
    });
    horizons.collect::<Vec<_>>().join(", ")
}

/// What was varied, and what could not be.
fn varied(robustness: &Robustness) -> String {
    let limit = |name: &str, own: Option<f64>| own.map(|days| format!("`{name}` ({} days)", length(days)));
    let limits: Vec<String> =
        [limit("within", robustness.within_days), limit("idle", robustness.idle_days)].into_iter().flatten().collect();
    let lacking = match (robustness.within_days, robustness.idle_days) {
        (None, None) => "The definition has neither `within` nor `idle`, so only the horizon is varied; ".to_owned(),
        _ => format!(
            "{} of the definition halved, kept and doubled{}; ",
            limits.join(" and "),
            if limits.len() < 2 { ", as it has no other limit" } else { "" }
        ),
    };
    let own = length(robustness.exposure_horizon_days);
    format!(
        "{lacking}H is the horizon: for how many days after a touchpoint a customer counts as on the journey, {own} days in \
         the published figures."
    )
}

fn number(variants: usize) -> String {
    format!("{variants} variant{}", if variants == 1 { "" } else { "s" })
}

/// Days, with a fraction where there is one.
pub fn length(days: f64) -> String {
    let text = fixed(days, 2);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two limits and two horizons; `tier` says what each variant is.
    fn robustness_of(tier: fn(f64, f64, f64) -> Option<&'static str>) -> Robustness {
        let mut variants = Vec::new();
        for horizon in [30.0, 90.0] {
            for within in [22.5, 45.0] {
                for idle in [7.0, 14.0] {
                    let tier = tier(within, idle, horizon);
                    variants.push(RobustVariant {
                        within_days: Some(within),
                        idle_days: Some(idle),
                        exposure_horizon_days: horizon,
                        is_published: (within, idle, horizon) == (45.0, 14.0, 90.0),
                        status: if tier.is_some() { "ok" } else { "insufficient" }.to_owned(),
                        reason: None,
                        tier: tier.map(str::to_owned),
                        rank: None,
                        exposed_customers: None,
                        exposed_leavers: None,
                        excess_churners: None,
                        mutual_rate_ratio: None,
                        q_value: None,
                        keeps_tier: Some(tier == Some("harmful")),
                    });
                }
            }
        }
        Robustness {
            journey: "repairing".to_owned(),
            period: "2026-Q3".to_owned(),
            as_of: "2026-10-01T00:00:00Z".to_owned(),
            confidence: 0.9,
            within_days: Some(45.0),
            idle_days: Some(14.0),
            exposure_horizon_days: 90.0,
            tier: Some("harmful".to_owned()),
            rank: Some(1),
            reason: None,
            judged: variants.len(),
            keeps_tier: variants.iter().filter(|variant| variant.keeps_tier == Some(true)).count(),
            variants,
        }
    }

    fn first_sentence(tier: fn(f64, f64, f64) -> Option<&'static str>) -> String {
        robustness(&robustness_of(tier)).swap_remove(0)
    }

    #[test]
    fn where_the_tier_is_another_one_is_said_in_few_words() {
        assert_eq!(first_sentence(|_, _, _| Some("harmful")), "It keeps its tier, harmful, in 8 of 8 variants.");
        assert_eq!(
            first_sentence(|_, _, horizon| if horizon < 90.0 { Some("unclear") } else { Some("harmful") }),
            "It keeps its tier, harmful, in 4 of 8 variants; it is unclear with H 30 days."
        );
        assert_eq!(
            first_sentence(|within, idle, horizon| {
                let is_short = within < 45.0 || idle < 14.0;
                if is_short && horizon < 90.0 { None } else { Some("harmful") }
            }),
            "It keeps its tier, harmful, in 5 of 8 variants; it is not ranked with within 22.5, idle 7, H 30, and with \
             within 22.5, idle 14, H 30, and with within 45, idle 7, H 30."
        );
        assert_eq!(
            first_sentence(|within, idle, horizon| {
                if idle < 14.0 || (within < 45.0 && horizon < 90.0) { Some("unclear") } else { Some("harmful") }
            }),
            "It keeps its tier, harmful, in 3 of 8 variants; it is unclear in 3 of 4 with H 30 days, in 2 of 4 with H 90 \
             days."
        );
    }

    #[test]
    fn the_sentences_say_how_the_variants_were_made() {
        let mut judged = robustness_of(|_, _, _| Some("harmful"));
        let sentences = robustness(&judged).join(" ");
        assert!(
            sentences.contains("`within` (45 days) and `idle` (14 days) of the definition halved, kept and doubled; H")
        );
        assert!(sentences.contains("90 % intervals"), "{sentences}");
        (judged.within_days, judged.idle_days) = (None, None);
        assert!(robustness(&judged).join(" ").contains("neither `within` nor `idle`"));
    }
}
