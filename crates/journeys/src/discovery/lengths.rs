//! Lengths of time in microseconds, and how people write them.

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// `12.3 days`, `5.2 hours`, `40 minutes`, as people read it.
pub(crate) fn length(micros: i64) -> String {
    let of = |unit: i64| micros as f64 / unit as f64;
    match micros {
        micros if micros >= 2 * DAY => format!("{:.1} days", of(DAY)),
        micros if micros >= 2 * HOUR => format!("{:.1} hours", of(HOUR)),
        micros if micros >= 2 * MINUTE => format!("{:.0} minutes", of(MINUTE)),
        _ => format!("{:.0} seconds", of(SECOND)),
    }
}

/// `micros` and a tenth, rounded up to a length that people write: minutes and hours below a day, days and weeks,
/// months beyond.
pub(crate) fn round_up(micros: i64) -> i64 {
    const SHORT: [i64; 14] = [1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 180, 360, 720, 1_080];
    const DAYS: [i64; 24] =
        [1, 2, 3, 4, 5, 6, 7, 10, 14, 17, 21, 25, 30, 35, 40, 45, 60, 75, 90, 120, 180, 270, 365, 730];
    let wanted = micros.saturating_add(micros / 10);
    let minutes = SHORT.iter().map(|minutes| minutes * MINUTE);
    let days = DAYS.iter().map(|days| days * DAY);
    minutes.chain(days).find(|limit| *limit >= wanted).unwrap_or((wanted / DAY + 1) * DAY)
}
