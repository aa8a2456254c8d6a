//! The variants of a journey side by side: a row for each pair of limits, a column for each horizon.

use throughline_engine::{Estimate, RobustVariant, Robustness};
use throughline_report::words::length;
use throughline_report::{decimals_of, fixed};

use crate::terminal::{fitted, framed};

/// Excess, rank, and a mark where the tier is another one than the published.
pub(crate) fn robustness_table(robustness: &Robustness) -> String {
    let mut horizons: Vec<f64> = robustness.variants.iter().map(|variant| variant.exposure_horizon_days).collect();
    horizons.dedup();
    let mut limits: Vec<(Option<f64>, Option<f64>)> = robustness.variants.iter().map(limits_of).collect();
    limits.truncate(robustness.variants.len() / horizons.len().max(1));

    let mut table = framed();
    let named = ["within", "idle"].into_iter().zip([robustness.within_days, robustness.idle_days]);
    let named: Vec<&str> = named.filter_map(|(name, own)| own.map(|_| name)).collect();
    let corner = if named.is_empty() { "no limits".to_owned() } else { format!("{}, days", named.join(" / ")) };
    let columns = horizons.iter().map(|days| format!("H {} d", length(*days)));
    table.set_header(std::iter::once(corner).chain(columns));
    for (place, row) in limits.iter().enumerate() {
        let of_row = robustness.variants.iter().skip(place).step_by(limits.len().max(1));
        table.add_row(std::iter::once(name(*row)).chain(of_row.map(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = fitted(table);
    let marks = marks(robustness);
    if !marks.is_empty() {
        text.push_str(&format!("\n#: rank · {}", marks.join(" · ")));
    }
    text
}

fn limits_of(variant: &RobustVariant) -> (Option<f64>, Option<f64>) {
    (variant.within_days, variant.idle_days)
}

fn name((within, idle): (Option<f64>, Option<f64>)) -> String {
    let lengths: Vec<String> = [within, idle].into_iter().flatten().map(length).collect();
    if lengths.is_empty() { "as defined".to_owned() } else { lengths.join(" / ") }
}

/// `59 [28, 89] #1`, with `?`, `!`, `+` or `×` for another tier, `=` where it is published.
fn cell(variant: &RobustVariant) -> String {
    let excess = variant.excess_churners.map_or_else(|| "·".to_owned(), interval);
    let rank = variant.rank.map(|rank| format!(" #{rank}")).unwrap_or_default();
    let mark = match variant.keeps_tier {
        Some(false) => format!(" {}", mark(variant.tier.as_deref()).0),
        _ => String::new(),
    };
    let published = if variant.is_published { " =" } else { "" };
    format!("{excess}{rank}{mark}{published}")
}

fn interval(excess: Estimate) -> String {
    let decimals = decimals_of(excess);
    let written = |number: f64| fixed(number, decimals);
    match (excess.lower, excess.upper) {
        (Some(lower), Some(upper)) => {
            format!("{} [{}, {}]", written(excess.value), written(lower), written(upper))
        }
        _ => written(excess.value),
    }
}

/// The sign of a tier, and its word.
fn mark(tier: Option<&str>) -> (&'static str, &'static str) {
    match tier {
        Some("harmful") => ("!", "harmful"),
        Some("unclear") => ("?", "unclear"),
        Some("protective") => ("+", "protective"),
        _ => ("×", "not ranked"),
    }
}

fn marks(robustness: &Robustness) -> Vec<String> {
    let mut marks = vec!["=: as published".to_owned()];
    let others = robustness.variants.iter().filter(|variant| variant.keeps_tier == Some(false));
    for variant in others {
        let (sign, word) = mark(variant.tier.as_deref());
        let said = format!("{sign}: {word}");
        if !marks.contains(&said) {
            marks.push(said);
        }
    }
    marks
}
