//! Instants and calendar months, in microseconds since 1970-01-01 00:00 UTC.

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

    /// Calendar months that touch the span, cut to it.
    pub(crate) fn months(self) -> Vec<Month> {
        let mut months = Vec::new();
        let mut first = date(self.start).and_then(|day| day.with_day(1));
        while let Some((from, next)) = first.and_then(|from| Some((from, from.checked_add_months(Months::new(1))?))) {
            if midnight(from) >= self.end {
                break;
            }
            months.push(Month { from: midnight(from).max(self.start), to: midnight(next).min(self.end) });
            first = Some(next);
        }
        months
    }
}

/// The part of a calendar month that lies in the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

impl Month {
    /// `2026-05`.
    pub(crate) fn name(self) -> String {
        date(self.from).map_or_else(String::new, |day| format!("{}-{:02}", day.year(), day.month()))
    }

    /// The quarter it belongs to: `2026-Q2`.
    pub(crate) fn quarter(self) -> String {
        date(self.from).map_or_else(String::new, |day| format!("{}-Q{}", day.year(), day.month0() / 3 + 1))
    }
}

fn date(time: Time) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(time).map(|at| at.date_naive())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn months(end: (i32, u32, u32), months: u32) -> Vec<Month> {
        let end = NaiveDate::from_ymd_opt(end.0, end.1, end.2).expect("a day");
        Span::before(end, months).expect("a span").months()
    }

    #[test]
    fn two_years_are_twenty_four_months_of_eight_quarters() {
        let months = months((2026, 10, 1), 24);
        assert_eq!(months.len(), 24);
        assert_eq!((months[0].name(), months[0].quarter()), ("2024-10".to_owned(), "2024-Q4".to_owned()));
        assert_eq!((months[23].name(), months[23].quarter()), ("2026-09".to_owned(), "2026-Q3".to_owned()));
        assert!(months.windows(2).all(|pair| pair[0].to == pair[1].from));
    }

    #[test]
    fn a_span_may_begin_inside_a_month() {
        let months = months((2026, 6, 15), 1);
        let days: Vec<(String, String)> =
            months.iter().map(|month| (day_text(month.from), day_text(month.to))).collect();
        let day = |text: &str| text.to_owned();
        assert_eq!(days, [(day("2026-05-15"), day("2026-06-01")), (day("2026-06-01"), day("2026-06-15"))]);
    }
}
