//! Scores and the scales they are given on.

use super::super::column::{ColumnProfile, Holds};
use super::super::words::any;

/// The scale of a score.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    /// The lowest score that can be given.
    pub(crate) least: f64,
    /// The highest.
    pub(crate) most: f64,
    /// Whether both are among the values; otherwise the scale is a guess.
    pub(crate) is_seen: bool,
}

/// Whether a column is called like a score that customers give.
pub(super) fn is_called_score(called: &[String]) -> bool {
    const SCORES: &[&str] = &[
        "score",
        "rating",
        "rate",
        "csat",
        "nps",
        "ces",
        "satisfaction",
        "satisfied",
        "stars",
        "star",
        "grade",
        "rated",
        "review",
    ];
    const OTHERS: &[&str] = &[
        "risk",
        "credit",
        "lead",
        "fraud",
        "churn",
        "health",
        "propensity",
        "conversion",
        "tax",
        "discount",
        "interest",
        "exchange",
        "error",
        "count",
        "text",
        "id",
    ];
    any(called, SCORES) && !any(called, OTHERS)
}

/// The scale that the values of a score fit.
pub(super) fn scale(column: &ColumnProfile, called: &[String]) -> Option<Scale> {
    let (least, most, is_whole) = match column.holds {
        Holds::Whole(least, most) => (least as f64, most as f64, true),
        Holds::Number(least, most) => (least, most, false),
        _ => return None,
    };
    let scale = |from: f64, to: f64| {
        let fits = from <= least && most <= to;
        fits.then_some(Scale { least: from, most: to, is_seen: from == least && to == most })
    };
    if any(called, &["nps"]) {
        return scale(0.0, 10.0);
    }
    if !is_whole && let Some(share) = scale(0.0, 1.0) {
        return Some(share);
    }
    // The narrowest of the usual scales that holds all values.
    let usual = [(1.0, 5.0), (0.0, 5.0), (1.0, 7.0), (1.0, 10.0), (0.0, 10.0), (0.0, 100.0)];
    usual.into_iter().find_map(|(from, to)| scale(from, to))
}
