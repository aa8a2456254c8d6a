//! Lengths of time in microseconds, and how people write them.

pub(crate) const MINUTE: i64 = 60_000_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Days as people read them.
pub(crate) fn days(micros: i64) -> f64 {
    micros as f64 / DAY as f64
}

/// `micros` and a tenth, rounded up to a length that people write: days and weeks, months beyond.
pub(crate) fn round_up(micros: i64) -> i64 {
    const DAYS: [i64; 24] =
        [1, 2, 3, 4, 5, 6, 7, 10, 14, 17, 21, 25, 30, 35, 40, 45, 60, 75, 90, 120, 180, 270, 365, 730];
    let wanted = micros.saturating_add(micros / 10);
    DAYS.iter().map(|days| days * DAY).find(|limit| *limit >= wanted).unwrap_or((wanted / DAY + 1) * DAY)
}
