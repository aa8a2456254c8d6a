//! Numbers and days as people read them.

pub(crate) use throughline_report::count;

/// `3.4 MB`, in powers of a thousand.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else if value < 10.0 {
        format!("{value:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
    }
}

/// `2026-10-01` of midnight UTC, any other instant as it is.
pub(crate) fn day(instant: &str) -> &str {
    instant.strip_suffix("T00:00:00Z").unwrap_or(instant)
}

/// `0.42 s`, `12.3 s`, `4 min 05 s`.
pub(crate) fn seconds(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2} s")
    } else if value < 120.0 {
        format!("{value:.1} s")
    } else {
        format!("{} min {:02} s", (value / 60.0).floor(), (value % 60.0).floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(3_449_000), "3.4 MB");
        assert_eq!(bytes(999_600), "1.0 MB");
        assert_eq!(seconds(0.417), "0.42 s");
        assert_eq!(seconds(245.0), "4 min 05 s");
        assert_eq!(day("2026-10-01T00:00:00Z"), "2026-10-01");
        assert_eq!(day("2026-10-01T06:00:00Z"), "2026-10-01T06:00:00Z");
    }
}
