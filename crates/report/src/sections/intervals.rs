//! Crude, adjusted and mutually adjusted rate ratios of every journey.

use throughline_engine::Estimate;

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, Scale, Series, Unit};
use crate::context::Context;
use crate::explain::InPeriod;
use crate::numbers::{fixed, interval, level, people, percent_interval, small, whole};
use crate::table::Table;

const HEAD: [&str; 17] = [
    "Journey",
    "Status",
    "#Customers exposed",
    "#Person-days exposed",
    "#Left",
    "#Rate in 90 days",
    "#Of like unexposed",
    "#Left out",
    "#Rate ratio, crude",
    "#Adjusted",
    "#Mutually adjusted",
    "#Excess churners",
    "#E-value (limit)",
    "#p",
    "#q",
    "#Homogeneity p",
    "Flags",
];

pub(crate) fn section(context: &Context<'_>) -> Section {
    let block = match context.period() {
        Ok(period) => Block::Figure(figure(context, &period.name)),
        Err(reason) => Block::missing(format!("There are none: {reason}.")),
    };
    Section::new("intervals", "Every interval", vec![block])
}

fn figure(context: &Context<'_>, period: &str) -> Figure {
    let mut table = Table::new("Who was compared, and how it came out", &HEAD);
    let mut rows = Vec::new();
    for (explanation, at) in context.in_period() {
        let label = context.label(&explanation.journey);
        table.push(cells(&label, at));
        let marks = marks(at);
        if !marks.is_empty() && at.status == "ok" {
            rows.push(IntervalRow { label, marks });
        }
    }
    Figure {
        id: "intervals-figure".to_owned(),
        title: "Rate ratios: crude, adjusted, mutually adjusted".to_owned(),
        note: format!(
            "{period}, all segments, {} intervals (crude: Wald; adjusted for segment × tenure × month: Mantel-Haenszel for \
             person-time with Greenland and Robins' variance; mutually adjusted for the other journeys: Poisson regression; \
             rates: exact Poisson; excess: MOVER). Where crude and adjusted are on different sides of 1, the adjusted one \
             decides: it is of like customers. p: the level at which the excess's interval just holds 0. q: \
             Benjamini-Hochberg over the journeys of this period with status ok; no control across periods or segments. \
             Homogeneity: Cochran's Q over the segments.",
            level(context.settings.confidence)
        ),
        pictures: if rows.is_empty() { Vec::new() } else { vec![picture(rows, period)] },
        table,
    }
}

fn cells(label: &str, at: &InPeriod) -> Vec<String> {
    let dash = || "–".to_owned();
    let count = |number: Option<i64>| number.map_or_else(dash, whole);
    let share = |rate: Option<Estimate>| rate.map_or_else(dash, percent_interval);
    let ratio = |ratio: Option<Estimate>| ratio.map_or_else(dash, |ratio| interval(ratio, 2));
    vec![
        label.to_owned(),
        at.reason.clone().unwrap_or_else(|| at.status.clone()),
        count(at.exposed_customers),
        count(at.exposed_days),
        count(at.exposed_leavers),
        share(at.exposed_churn_rate),
        share(at.like_churn_rate),
        format!("{} days, {} left", count(at.left_out_days), count(at.left_out_leavers)),
        ratio(at.rate_ratio),
        ratio(at.adjusted_rate_ratio),
        match (at.mutual_rate_ratio, &at.mutual_reason) {
            (None, Some(reason)) => reason.clone(),
            (mutual, _) => ratio(mutual),
        },
        at.excess_churners.map_or_else(dash, people),
        match (at.e_value, at.e_value_limit) {
            (Some(value), Some(limit)) => format!("{} ({})", fixed(value, 2), fixed(limit, 2)),
            (Some(value), None) => fixed(value, 2),
            (None, _) => dash(),
        },
        at.p_value.map_or_else(dash, small),
        at.q_value.map_or_else(dash, small),
        at.homogeneity_p_value.map_or_else(dash, small),
        at.flags.join(", ").replace('_', " "),
    ]
}

/// The adjusted ratio has its number beside it.
fn marks(at: &InPeriod) -> Vec<IntervalMark> {
    let all = [at.rate_ratio, at.adjusted_rate_ratio, at.mutual_rate_ratio].into_iter().enumerate();
    let marks = all.filter_map(|(series, ratio)| {
        let ratio = ratio.filter(|ratio| ratio.value > 0.0)?;
        let text = if series == 1 { format!("{:.2}", ratio.value) } else { String::new() };
        Some(IntervalMark { series, value: ratio.value, lower: ratio.lower, upper: ratio.upper, text })
    });
    marks.collect()
}

fn picture(rows: Vec<IntervalRow>, period: &str) -> Picture {
    let adjusted = |row: &IntervalRow| row.marks.iter().find(|mark| mark.series == 1).map(|mark| mark.value);
    let listed: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{} {:.2}", row.label, adjusted(row)?))).collect();
    Picture {
        id: "intervals-picture".to_owned(),
        title: String::new(),
        summary: format!("Adjusted rate ratios in {period}: {}.", listed.join(", ")),
        chart: Chart::Intervals {
            x_label: "rate ratio of leaving".to_owned(),
            scale: Scale::Log,
            unit: Unit::Ratio,
            reference: Some(1.0),
            series: Series::named(&["crude", "adjusted for segment, tenure and month", "for the other journeys too"]),
            rows,
        },
    }
}
