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

/// A share as customers of 100, `8.1`; with one more decimal where it is small.
pub fn of_hundred(share: f64) -> String {
    let of_hundred = share * 100.0;
    if of_hundred == 0.0 {
        return "0".to_owned();
    }
    fixed(of_hundred, if of_hundred.abs() < 0.95 { 2 } else { 1 })
}

/// `95 %`, `99.9 %`.
pub fn level(confidence: f64) -> String {
    let percent = fixed(confidence * 100.0, 3);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// Customers with thousands apart; those fewer than ten, and limits of them, with a decimal.
fn customers(number: f64, decimals: usize) -> String {
    if decimals == 0 { rounded(number) } else { fixed(number, decimals) }
}

/// How many decimals a number of customers and its limits are written with: none but where all are small.
pub fn decimals_of(estimate: Estimate) -> usize {
    let numbers = [Some(estimate.value), estimate.lower, estimate.upper];
    usize::from(numbers.into_iter().flatten().all(|number| number.abs() < 9.95))
}

/// `59 more (28 to 89)`, `24 fewer (10 to 40)`, `about as many (between 5 fewer and 7 more)`; `when` stands before the
/// bracket. The words never have another sign than the figure that is shown.
pub fn more_or_fewer(excess: Estimate, when: &str) -> String {
    let decimals = decimals_of(excess);
    let size = |number: f64| customers(number.abs(), decimals);
    let sign = |number: f64| {
        if size(number) == size(0.0) {
            0
        } else if number < 0.0 {
            -1
        } else {
            1
        }
    };
    let word = |number: f64| match sign(number) {
        0 => "none".to_owned(),
        1 => format!("{} more", size(number)),
        _ => format!("{} fewer", size(number)),
    };
    let value = if sign(excess.value) == 0 { "about as many".to_owned() } else { word(excess.value) };
    let when = if when.is_empty() { String::new() } else { format!(" {when}") };
    let limits = match (excess.lower, excess.upper) {
        (Some(lower), Some(upper)) if sign(excess.value) > 0 && sign(lower) >= 0 => {
            format!("({} to {})", size(lower), size(upper))
        }
        (Some(lower), Some(upper)) if sign(excess.value) < 0 && sign(upper) <= 0 => {
            format!("({} to {})", size(upper), size(lower))
        }
        (Some(lower), Some(upper)) => format!("(between {} and {})", word(lower), word(upper)),
        _ => "(no interval)".to_owned(),
    };
    format!("{value}{when} {limits}")
}

/// `23 (12 to 37)`, `1.3 (-1.2 to 6.4)`.
pub(crate) fn people(excess: Estimate) -> String {
    interval(excess, decimals_of(excess))
}

/// `+12 (-30 to +54)`.
pub fn signed(change: Estimate) -> String {
    let decimals = decimals_of(change);
    let signed = |number: f64| {
        let text = customers(number, decimals);
        if number > 0.0 && text != customers(0.0, decimals) { format!("+{text}") } else { text }
    };
    match (change.lower, change.upper) {
        (Some(lower), Some(upper)) => format!("{} ({} to {})", signed(change.value), signed(lower), signed(upper)),
        _ => signed(change.value),
    }
}

/// `EUR 12,300 (5,800 to 18,700)`; with a sign where less is lost than of like customers.
pub(crate) fn money(amount: Estimate, currency: Option<&str>) -> String {
    let currency = currency.map(|currency| format!("{currency} ")).unwrap_or_default();
    match (amount.lower, amount.upper) {
        (Some(lower), Some(upper)) => {
            format!("{currency}{} ({} to {})", rounded(amount.value), rounded(lower), rounded(upper))
        }
        _ => format!("{currency}{}", rounded(amount.value)),
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
        assert_eq!(
            (of_hundred(0.0812), of_hundred(0.0042), of_hundred(0.0)),
            ("8.1".into(), "0.42".into(), "0".into())
        );
        assert_eq!((level(0.95), level(0.999), level(0.9)), ("95 %".into(), "99.9 %".into(), "90 %".into()));
        assert_eq!(days(7_200.0), "2 hours");
        assert_eq!(days(864_000.0), "10 days");
    }

    fn estimate(value: f64, lower: f64, upper: f64) -> Estimate {
        Estimate { value, lower: Some(lower), upper: Some(upper) }
    }

    #[test]
    fn an_excess_has_the_sign_of_its_figure() {
        let said = |value, lower, upper| more_or_fewer(estimate(value, lower, upper), "in the quarter");
        assert_eq!(said(59.2, 27.9, 89.4), "59 more in the quarter (28 to 89)");
        assert_eq!(said(-24.0, -40.2, -9.7), "24 fewer in the quarter (10 to 40)");
        assert_eq!(said(12.0, -5.4, 1_229.0), "12 more in the quarter (between 5 fewer and 1,229 more)");
        assert_eq!(said(-12.0, -29.0, 5.0), "12 fewer in the quarter (between 29 fewer and 5 more)");
        assert_eq!(said(0.3, -20.0, 21.0), "about as many in the quarter (between 20 fewer and 21 more)");
        assert_eq!(said(-0.3, -20.0, -0.1), "about as many in the quarter (between 20 fewer and none)");
        assert_eq!(said(2.25, 0.31, 5.0), "2.3 more in the quarter (0.3 to 5.0)");
        assert_eq!(more_or_fewer(Estimate { value: 3.0, lower: None, upper: None }, ""), "3.0 more (no interval)");
    }

    #[test]
    fn a_change_has_a_sign() {
        assert_eq!(signed(estimate(12.0, -30.0, 54.0)), "+12 (-30 to +54)");
        assert_eq!(signed(estimate(-0.01, -2.0, 2.0)), "0.0 (-2.0 to +2.0)");
    }
}
