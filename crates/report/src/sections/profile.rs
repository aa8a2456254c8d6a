//! How soon after a touchpoint customers leave.

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, LinePoint, Scale, Series, Unit};
use crate::context::Context;
use crate::explain::Explanation;
use crate::numbers::{interval, more_or_fewer, whole};
use crate::table::Table;

pub(crate) fn section(context: &Context<'_>) -> Section {
    let blocks = match (context.period(), figure(context)) {
        (Err(reason), _) => vec![Block::missing(format!("Not available: {reason}."))],
        (Ok(_), Ok(figure)) => {
            let mut blocks = vec![Block::Figure(figure)];
            blocks.extend(avoidable(context));
            blocks
        }
        (Ok(_), Err(reason)) => vec![Block::missing(format!("Not available: {reason}."))],
    };
    Section::new("profile", "How soon they leave", blocks)
}

/// The bands of days of all journeys, and the lines that are drawn of them.
struct Bands {
    table: Table,
    /// The bands' names, in their order.
    ticks: Vec<String>,
    /// From the lowest lower limit to the highest upper one: all pictures share one scale.
    domain: [f64; 2],
    lines: Vec<Line>,
}

/// A journey's rate ratios, band by band.
struct Line {
    journey: String,
    label: String,
    points: Vec<LinePoint>,
}

impl Bands {
    fn of(context: &Context<'_>) -> Self {
        let table = Table::new(
            "Leaving by the days since the latest touchpoint of the journey",
            &["Journey", "Days since", "#Days of customers", "#Left", "#Times as often"],
        );
        let mut bands = Self { table, ticks: Vec::new(), domain: [1.0, 1.0], lines: Vec::new() };
        for explanation in &context.explanations {
            bands.add(explanation, context.label(&explanation.journey));
        }
        bands
    }

    fn add(&mut self, explanation: &Explanation, label: String) {
        let mut points = Vec::new();
        for (place, band) in explanation.profile.iter().enumerate() {
            if self.ticks.len() == place {
                self.ticks.push(band.days.clone());
            }
            let dash = || "–".to_owned();
            self.table.push(vec![
                label.clone(),
                band.days.replace('-', " to "),
                band.person_days.map_or_else(dash, whole),
                band.leavers.map_or_else(dash, whole),
                band.adjusted_rate_ratio.map_or_else(dash, |ratio| interval(ratio, 2)),
            ]);
            let is_place = self.ticks.get(place) == Some(&band.days);
            if let Some(ratio) = band.adjusted_rate_ratio.filter(|ratio| ratio.value > 0.0 && is_place) {
                self.domain[0] = self.domain[0].min(ratio.lower.unwrap_or(ratio.value));
                self.domain[1] = self.domain[1].max(ratio.upper.unwrap_or(ratio.value));
                points.push(LinePoint { series: 0, x: place, y: ratio.value, lower: ratio.lower, upper: ratio.upper });
            }
        }
        // Where nobody is ranked the interval is wider than the picture.
        if points.len() > 1 && explanation.period.as_ref().is_some_and(|at| at.status == "ok") {
            self.lines.push(Line { journey: explanation.journey.clone(), label, points });
        }
    }

    fn picture(&self, line: Line) -> Picture {
        let Line { journey, label, points } = line;
        let values: Vec<String> =
            points.iter().map(|point| format!("{} {:.2}", self.ticks[point.x], point.y)).collect();
        Picture {
            id: format!("profile-{journey}"),
            summary: format!("{label}, times as often as like customers, by days since: {}.", values.join(", ")),
            title: label,
            chart: Chart::Lines {
                x_label: "days since the latest touchpoint".to_owned(),
                y_label: "times as often".to_owned(),
                scale: Scale::Log,
                unit: Unit::Ratio,
                domain: self.domain,
                reference: Some(1.0),
                ticks: self.ticks.clone(),
                series: Series::named(&["times as often"]),
                points,
            },
        }
    }
}

fn figure(context: &Context<'_>) -> Result<Figure, String> {
    let mut bands = Bands::of(context);
    if bands.table.rows.is_empty() {
        let why = context.explanations.iter().find_map(|explanation| explanation.missing.get("profile"));
        return Err(why.cloned().unwrap_or_else(|| "nobody was on a journey in the period".to_owned()));
    }
    let lines = std::mem::take(&mut bands.lines);
    let period = context.period().map(|period| period.name.clone()).unwrap_or_default();
    Ok(Figure {
        id: "profile-figure".to_owned(),
        title: "How much more often they leave, by the days since their latest touchpoint".to_owned(),
        note: format!(
            "{period}, all segments, ranked journeys: how many times as often as like customers who are not on it, with \
             intervals, all on one scale. High at first and lower later: it does its harm at once, or to cancel is a step of \
             it. As high later: the harm lasts."
        ),
        pictures: lines.into_iter().map(|line| bands.picture(line)).collect(),
        table: bands.table,
    })
}

/// What going well would have saved.
fn avoidable(context: &Context<'_>) -> Vec<Block> {
    let Ok(period) = context.period() else { return Vec::new() };
    let mut table = Table::new(
        format!("In {}: who left beyond like customers whose run went well", period.name),
        &["Journey", "#Of those whose run did not go well"],
    );
    for (explanation, at) in context.in_period().filter(|(_, at)| at.status == "ok") {
        if let Some(avoidable) = at.avoidable_churners {
            table.push(vec![context.label(&explanation.journey), more_or_fewer(avoidable, "left")]);
        }
    }
    if table.rows.is_empty() {
        return Vec::new();
    }
    vec![
        Block::heading("What going well would save"),
        Block::text(
            "A run does not go well when it closes without being completed, when something in it is unresolved or when a \
             contact is repeated. So many more of those left than of like customers whose run went well: what could be avoided, \
             if how it goes is the cause.",
        ),
        Block::Table { table },
    ]
}
