//! Instants and calendar quarters, in microseconds since 1970-01-01 00:00 UTC.

use chrono::{DateTime, Datelike, Months, NaiveDate};

/// Microseconds since 1970-01-01 00:00 UTC.
pub(crate) type Time = i64;

pub(crate) const SECOND: Time = 1_000_000;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;
pub(crate) const DAY: Time = 24 * HOUR;

/// The first instant of a day.
pub(crate) fn midnight(date: NaiveDate) -> Time {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()
}

/// The day that holds an instant, as `2026-10-01`.
pub(crate) fn day_text(time: Time) -> String {
    DateTime::from_timestamp_micros(time).map_or_else(|| time.to_string(), |at| at.date_naive().to_string())
}

/// What one file of a table of events holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Month(i32, u32),
    Day(NaiveDate),
}

impl Delivery {
    /// The file's name without its ending: `2026-05` or `2026-09-30`.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Month(year, month) => format!("{year}-{month:02}"),
            Self::Day(day) => day.to_string(),
        }
    }
}

/// The span a sample covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: Time,
    pub(crate) end: Time,
}

impl Span {
    /// The `months` before `end`; `None` when the calendar does not reach that far.
    pub(crate) fn before(end: NaiveDate, months: u32) -> Option<Span> {
        let start = end.checked_sub_months(Months::new(months))?;
        Some(Span { start: midnight(start), end: midnight(end) })
    }

    /// The delivery that holds an instant: its day in the last two months, and before them its month, as in a lake whose
    /// daily files are put together once they are old. What lies outside the span counts to its first or last delivery.
    pub(crate) fn delivery(self, time: Time) -> Delivery {
        let at = |time| DateTime::from_timestamp_micros(time).unwrap_or_default();
        let (end, day) = (at(self.end), at(time.clamp(self.start, self.end - 1)).date_naive());
        let by_day_from = end.checked_sub_months(Months::new(2)).unwrap_or(end).date_naive();
        if day < by_day_from { Delivery::Month(day.year(), day.month()) } else { Delivery::Day(day) }
    }

    /// Calendar quarters that touch the span, cut to it.
    pub(crate) fn quarters(self) -> Vec<Quarter> {
        let mut quarters = Vec::new();
        let mut begin = quarter_start(self.start);
        while let Some((from, next)) = begin.and_then(|from| Some((from, from.checked_add_months(Months::new(3))?))) {
            if midnight(from) >= self.end {
                break;
            }
            quarters.push(Quarter {
                begin: midnight(from),
                from: midnight(from).max(self.start),
                to: midnight(next).min(self.end),
            });
            begin = Some(next);
        }
        quarters
    }
}

/// A calendar quarter; `from..to` is its part inside the span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quarter {
    pub(crate) begin: Time,
    pub(crate) from: Time,
    pub(crate) to: Time,
}

fn quarter_start(time: Time) -> Option<NaiveDate> {
    let day = DateTime::from_timestamp_micros(time)?.date_naive();
    NaiveDate::from_ymd_opt(day.year(), (day.month0() / 3) * 3 + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_years_are_eight_quarters() {
        let span = Span::before(NaiveDate::from_ymd_opt(2026, 10, 1).expect("a day"), 24).expect("a span");
        let quarters = span.quarters();
        assert_eq!(quarters.len(), 8);
        assert_eq!(day_text(quarters[0].begin), "2024-10-01");
        assert_eq!(day_text(quarters[7].begin), "2026-07-01");
        assert_eq!(quarters[7].to, span.end);
    }

    #[test]
    fn a_span_may_begin_inside_a_quarter() {
        let span = Span::before(NaiveDate::from_ymd_opt(2026, 6, 15).expect("a day"), 1).expect("a span");
        let quarters = span.quarters();
        assert_eq!(quarters.len(), 1);
        assert_eq!(day_text(quarters[0].begin), "2026-04-01");
        assert_eq!(day_text(quarters[0].from), "2026-05-15");
        assert_eq!(day_text(quarters[0].to), "2026-06-15");
    }
}
