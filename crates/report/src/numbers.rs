//! Numbers as people read them, in the terminal and on the page.

use throughline_engine::Estimate;

/// `12,345,678`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same with a sign where it is negative.
pub(crate) fn whole(number: i64) -> String {
    let text = count(number.unsigned_abs());
    if number < 0 { format!("-{text}") } else { text }
}

/// With so many decimals, halves away from zero where there are none; what rounds to nothing has no sign.
pub fn fixed(number: f64, decimals: usize) -> String {
    let number = if decimals == 0 { number.round() } else { number };
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|sign| matches!(sign, '0' | '.')) => digits.to_owned(),
        _ => text,
    }
}

/// Without a fraction.
pub(crate) fn rounded(number: f64) -> String {
    whole(number.round() as i64)
}

/// A p or q value.
pub(crate) fn small(p: f64) -> String {
    if p < 0.0005 { "below 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Value and limits times `factor`.
pub(crate) fn scaled_by(estimate: Estimate, factor: f64) -> Estimate {
    Estimate {
        value: estimate.value * factor,
        lower: estimate.lower.map(|lower| lower * factor),
        upper: estimate.upper.map(|upper| upper * factor),
    }
}

/// `1.41 (1.20 to 1.65)`.
pub(crate) fn interval(estimate: Estimate, decimals: usize) -> String {
    let value = fixed(estimate.value, decimals);
    match (estimate.lower, estimate.upper) {
        (Some(lower), Some(upper)) => format!("{value} ({} to {})", fixed(lower, decimals), fixed(upper, decimals)),
        _ => value,
    }
}

/// `8.1 %, 7.1 to 9.2`.
pub(crate) fn percent_interval(estimate: Estimate) -> String {
    let share = scaled_by(estimate, 100.0);
    match (share.lower, share.upper) {
        (Some(lower), Some(upper)) => format!("{:.1} %, {lower:.1} to {upper:.1}", share.value),
        _ => format!("{:.1} %", share.value),
    }
}

/// The day of an RFC 3339 instant.
pub(crate) fn day(instant: &str) -> &str {
    instant.get(..10).unwrap_or(instant)
}

/// A length of time, in hours up to two days, in days beyond.
pub(crate) fn days(seconds: f64) -> String {
    if seconds < 172_800.0 {
        format!("{:.0} hours", seconds / 3_600.0)
    } else {
        format!("{:.0} days", seconds / 86_400.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(whole(-1_000), "-1,000");
        assert_eq!(rounded(-0.4), "0");
        assert_eq!((fixed(-0.04, 1), fixed(-0.06, 1), fixed(-10.2, 0)), ("0.0".into(), "-0.1".into(), "-10".into()));
        assert_eq!((fixed(6.5, 0), rounded(6.5)), ("7".into(), "7".into()));
        assert_eq!(small(0.0004), "below 0.001");
        assert_eq!(interval(Estimate { value: 1.4, lower: Some(1.0), upper: Some(2.0) }, 1), "1.4 (1.0 to 2.0)");
        assert_eq!(days(7_200.0), "2 hours");
        assert_eq!(days(864_000.0), "10 days");
    }
}
