//! Days, months and quarters, in UTC.

use chrono::{DateTime, Datelike, NaiveDate};
use throughline_config::{Calendar, Timestamp};

/// Microseconds of a day.
pub(super) const DAY: Timestamp = 86_400_000_000;

/// The last boundary of the calendar at or before an instant.
pub(super) fn floor(instant: Timestamp, calendar: Calendar) -> Timestamp {
    let Some(date) = DateTime::from_timestamp_micros(instant).map(|time| time.date_naive()) else { return instant };
    let first = match calendar {
        Calendar::Instant => return instant,
        Calendar::Day => Some(date),
        Calendar::Month => NaiveDate::from_ymd_opt(date.year(), date.month(), 1),
        Calendar::Quarter => NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1),
    };
    let midnight = first.and_then(|first| first.and_hms_opt(0, 0, 0));
    midnight.map_or(instant, |midnight| midnight.and_utc().timestamp_micros())
}

/// The last midnight at or before an instant.
pub(super) fn midnight_before(instant: Timestamp) -> Timestamp {
    floor(instant, Calendar::Day)
}

/// The first midnight at or after an instant.
pub(super) fn midnight_after(instant: Timestamp) -> Timestamp {
    let midnight = midnight_before(instant);
    if midnight == instant { instant } else { midnight.saturating_add(DAY) }
}

/// A length of time in days, or in hours where it is no whole number of them.
pub(super) fn in_days(length: Timestamp) -> String {
    match length % DAY {
        0 => format!("{} day{}", length / DAY, if length == DAY { "" } else { "s" }),
        _ => format!("{:.1} hours", length as f64 / 3.6e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_micros()).unwrap_or(0)
    }

    #[test]
    fn intervals_begin_at_boundaries_of_the_calendar() {
        let third_of_may = instant("2026-05-03T10:20:30Z");
        assert_eq!(floor(third_of_may, Calendar::Instant), third_of_may);
        assert_eq!(floor(third_of_may, Calendar::Day), instant("2026-05-03T00:00:00Z"));
        assert_eq!(floor(third_of_may, Calendar::Month), instant("2026-05-01T00:00:00Z"));
        assert_eq!(floor(third_of_may, Calendar::Quarter), instant("2026-04-01T00:00:00Z"));
        assert_eq!(floor(instant("1969-12-31T23:00:00Z"), Calendar::Quarter), instant("1969-10-01T00:00:00Z"));
    }

    #[test]
    fn midnight_itself_is_before_and_after_itself() {
        let midnight = instant("2026-05-03T00:00:00Z");
        assert_eq!((midnight_before(midnight), midnight_after(midnight)), (midnight, midnight));
        assert_eq!(midnight_before(midnight + 1), midnight);
        assert_eq!(midnight_after(midnight + 1), midnight + DAY);
        assert_eq!(midnight_after(midnight - 1), midnight);
    }

    #[test]
    fn lengths_are_whole_days_or_hours() {
        assert_eq!([in_days(DAY), in_days(7 * DAY), in_days(DAY / 16)], ["1 day", "7 days", "1.5 hours"]);
    }
}
