//! Crude beside adjusted odds ratios of every journey.

use throughline_engine::Estimate;

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, Scale, Series, Unit};
use crate::context::{Context, landmark_name};
use crate::explain::AtLandmark;
use crate::numbers::{interval, percent_interval, small, whole};
use crate::table::Table;

const HEAD: [&str; 14] = [
    "Journey",
    "Status",
    "#Exposed",
    "#Left",
    "#Unexposed",
    "#Left",
    "#Left out",
    "#Odds ratio, crude",
    "#Adjusted",
    "#Excess churners",
    "#p",
    "#q",
    "#Homogeneity p",
    "Flags",
];

pub(crate) fn section(context: &Context<'_>) -> Section {
    let title = "Every interval";
    let reason = match (&context.no_churn, context.landmark()) {
        (Some(reason), _) => reason.as_str(),
        (None, None) => "no landmark has matured yet",
        (None, Some(_)) => {
            return Section::new("intervals", title, vec![Block::Figure(figure(context))]);
        }
    };
    Section::new("intervals", title, vec![Block::missing(format!("There are none: {reason}."))])
}

fn figure(context: &Context<'_>) -> Figure {
    let mut table = Table::new("Who was compared, and how it came out", &HEAD);
    let mut rows = Vec::new();
    for (explanation, at) in context.matured() {
        let label = context.label(&explanation.journey);
        table.push(cells(&label, at));
        let marks = marks(at);
        if !marks.is_empty() && at.status == "ok" {
            rows.push(IntervalRow { label, marks });
        }
    }
    let at = context.landmark().map(landmark_name).unwrap_or_default();
    let confidence = context.explanations.first().map_or(0.95, |explanation| explanation.confidence) * 100.0;
    Figure {
        id: "intervals-figure".to_owned(),
        title: "Odds ratios, crude and adjusted".to_owned(),
        note: format!(
            "Landmark {at}, all segments, {confidence:.0} % intervals (crude: Wald; adjusted: Mantel-Haenszel with Robins, \
             Breslow and Greenland's variance; rates: Wilson). p: Cochran-Mantel-Haenszel. q: Benjamini-Hochberg over the \
             journeys of this landmark with status ok; no control across landmarks or segments. Homogeneity: Breslow-Day."
        ),
        pictures: if rows.is_empty() { Vec::new() } else { vec![picture(rows, &at)] },
        table,
    }
}

fn cells(label: &str, at: &AtLandmark) -> Vec<String> {
    let dash = || "–".to_owned();
    let share = |rate: Option<Estimate>| rate.map_or_else(dash, percent_interval);
    vec![
        label.to_owned(),
        at.reason.clone().unwrap_or_else(|| at.status.clone()),
        whole(at.exposed),
        share(at.exposed_churn_rate),
        whole(at.unexposed),
        share(at.unexposed_churn_rate),
        format!("{} carried over, {} censored", whole(at.carried_over), whole(at.censored)),
        at.odds_ratio.map_or_else(dash, |odds| interval(odds, 2)),
        at.adjusted_odds_ratio.map_or_else(dash, |odds| interval(odds, 2)),
        at.excess_churners.map_or_else(dash, |excess| interval(excess, 1)),
        at.p_value.map_or_else(dash, small),
        at.q_value.map_or_else(dash, small),
        at.homogeneity_p_value.map_or_else(dash, small),
        at.flags.join(", ").replace('_', " "),
    ]
}

/// The crude odds ratio and the adjusted one, which has its number beside it.
fn marks(at: &AtLandmark) -> Vec<IntervalMark> {
    let both = [at.odds_ratio, at.adjusted_odds_ratio].into_iter().enumerate();
    let marks = both.filter_map(|(series, odds)| {
        let odds = odds.filter(|odds| odds.value > 0.0)?;
        let text = if series == 1 { format!("{:.2}", odds.value) } else { String::new() };
        Some(IntervalMark { series, value: odds.value, lower: odds.lower, upper: odds.upper, text })
    });
    marks.collect()
}

fn picture(rows: Vec<IntervalRow>, at: &str) -> Picture {
    let told: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{} {:.2}", row.label, row.marks.last()?.value))).collect();
    Picture {
        id: "intervals-picture".to_owned(),
        title: String::new(),
        summary: format!("Adjusted odds ratios at landmark {at}: {}.", told.join(", ")),
        chart: Chart::Intervals {
            x_label: "odds ratio of leaving".to_owned(),
            scale: Scale::Log,
            unit: Unit::Ratio,
            reference: Some(1.0),
            series: Series::named(&["crude", "adjusted for segment and tenure"]),
            rows,
        },
    }
}
