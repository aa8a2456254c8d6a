//! This landmark against the one before, and all of them side by side.

use std::collections::BTreeMap;

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, LinePoint, Scale, Series, Unit};
use crate::context::Context;
use crate::numbers::{interval, whole};
use crate::table::Table;

const COLUMNS: [&str; 9] = [
    "journey",
    "landmark",
    "segment",
    "status",
    "adjusted_odds_ratio",
    "excess_churners",
    "excess_churners_lower",
    "exposed",
    "priority_rank",
];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "Against the landmark before";
    let missing = |reason: &str| {
        Section::new("landmarks", title, vec![Block::missing(format!("There is nothing to compare: {reason}."))])
    };
    let rows = match context.rows("fct_key_journeys", &COLUMNS, &[("segment", "all")]).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(missing(&reason)),
    };
    // Journeys in the order of the ranking; of each its matured landmarks, oldest first.
    let mut histories: Vec<(String, Vec<&Figures>)> = Vec::new();
    for explanation in &context.explanations {
        let of_it = |row: &&Figures| row.text("journey").as_deref() == Some(&explanation.journey);
        let matured = |row: &&Figures| row.text("status").is_some_and(|status| status != "not_matured");
        let mut history: Vec<&Figures> = rows.iter().filter(of_it).filter(matured).collect();
        history.sort_by_key(|row| row.instant("landmark"));
        histories.push((explanation.journey.clone(), history));
    }
    let mut names: BTreeMap<i64, String> = BTreeMap::new();
    for (_, history) in &histories {
        names.extend(history.iter().filter_map(|row| Some((row.instant("landmark")?, period(row)))));
    }
    let places: Vec<i64> = names.keys().copied().collect();
    let [.., before, now] = places.as_slice() else {
        return Ok(missing("fewer than two landmarks have matured"));
    };
    let (before_name, now_name) = (names[before].clone(), names[now].clone());
    let mut blocks = vec![Block::text(format!(
        "Intervals that lie apart are a change to look into; where they overlap the difference may be chance. A journey \
         compared with itself is not adjusted for looking at several.{}",
        overlap(context)
    ))];
    blocks.push(Block::Figure(compared(context, &histories, (*before, &before_name), (*now, &now_name))));
    if places.len() > 2 {
        blocks.push(Block::Figure(over_time(context, &histories, &names)));
    }
    Ok(Section::new("landmarks", &format!("{now_name} against {before_name}"), blocks))
}

/// Landmarks closer together than their windows share customers.
fn overlap(context: &Context<'_>) -> &'static str {
    match context.pipeline.variables.get("landmark_months").map(|variable| &variable.value) {
        Some(throughline_config::Variable::Integer(months)) if *months < 3 => {
            " These landmarks are closer together than their windows are long, so neighbours share customers: the same finding \
             at two of them is not two findings."
        }
        _ => "",
    }
}

fn period(row: &Figures) -> String {
    row.text("landmark_period").or_else(|| row.day("landmark")).unwrap_or_default()
}

fn compared(
    context: &Context<'_>,
    histories: &[(String, Vec<&Figures>)],
    (before, before_name): (i64, &str),
    (now, now_name): (i64, &str),
) -> Figure {
    let mut rows = Vec::new();
    let mut apart = Vec::new();
    let mut table = Table::new(
        format!("Each journey at {now_name} and at {before_name}"),
        &["Journey", "Landmark", "#Rank", "#Exposed", "#Odds ratio", "#Excess churners", "Why not"],
    );
    for (journey, history) in histories {
        let label = context.label(journey);
        let mut marks = Vec::new();
        for (series, at) in [before, now].into_iter().enumerate() {
            let Some(row) = history.iter().find(|row| row.instant("landmark") == Some(at)) else { continue };
            marks.extend(mark(series, row));
            table.push(cells(&label, row));
        }
        if let [before, now] = marks.as_slice()
            && lie_apart(before, now)
        {
            apart.push(label.clone());
        }
        if !marks.is_empty() {
            rows.push(IntervalRow { label, marks });
        }
    }
    let finding = match apart.as_slice() {
        [] => "No journey's intervals lie apart.".to_owned(),
        apart => format!("Intervals lie apart for {}.", apart.join(", ")),
    };
    let picture = Picture {
        id: "compared".to_owned(),
        title: String::new(),
        summary: format!("Adjusted odds ratios of {} journeys at {before_name} and {now_name}. {finding}", rows.len()),
        chart: Chart::Intervals {
            x_label: "adjusted odds ratio of leaving".to_owned(),
            scale: Scale::Log,
            unit: Unit::Ratio,
            reference: Some(1.0),
            series: Series::named(&[before_name, now_name]),
            rows,
        },
    };
    Figure {
        id: "compared-figure".to_owned(),
        title: format!("Odds of leaving at {now_name} and at {before_name}"),
        note: format!(
            "Adjusted odds ratio with its interval, all segments; right of 1 more customers leave than among like customers. \
             {finding} Exposed customers and excess churners of both are in the table."
        ),
        pictures: vec![picture],
        table,
    }
}

fn is_ok(row: &Figures) -> bool {
    row.text("status").as_deref() == Some("ok")
}

/// The odds ratio of a row; the later one has its number beside it.
fn mark(series: usize, row: &Figures) -> Option<IntervalMark> {
    let odds = row.estimate("adjusted_odds_ratio").filter(|odds| is_ok(row) && odds.value > 0.0)?;
    let text = if series == 1 { format!("{:.2}", odds.value) } else { String::new() };
    Some(IntervalMark { series, value: odds.value, lower: odds.lower, upper: odds.upper, text })
}

fn cells(label: &str, row: &Figures) -> Vec<String> {
    let dash = || "–".to_owned();
    vec![
        label.to_owned(),
        period(row),
        row.whole("priority_rank").map_or_else(dash, whole),
        row.whole("exposed").map_or_else(dash, whole),
        row.estimate("adjusted_odds_ratio").map_or_else(dash, |odds| interval(odds, 2)),
        row.estimate("excess_churners").map_or_else(dash, |excess| interval(excess, 0)),
        if is_ok(row) { String::new() } else { row.text("reason").unwrap_or_default() },
    ]
}

/// Whether two intervals share no value.
fn lie_apart(before: &IntervalMark, now: &IntervalMark) -> bool {
    match (before.lower, before.upper, now.lower, now.upper) {
        (Some(low), Some(high), Some(lower), Some(upper)) => lower > high || upper < low,
        _ => false,
    }
}

fn over_time(context: &Context<'_>, histories: &[(String, Vec<&Figures>)], names: &BTreeMap<i64, String>) -> Figure {
    let places: Vec<i64> = names.keys().copied().collect();
    let ticks: Vec<String> = names.values().cloned().collect();
    let first_and_last = [ticks.first(), ticks.last()].into_iter().flatten().cloned().collect::<Vec<_>>().join(" to ");
    let mut table = Table::new(
        "Each journey at every matured landmark",
        &["Journey", "Landmark", "#Exposed", "#Excess churners", "#Odds ratio"],
    );
    let mut domain = [1.0_f64, 1.0_f64];
    let mut drawn = Vec::new();
    for (journey, history) in histories {
        let label = context.label(journey);
        let mut points = Vec::new();
        for row in history {
            let Some(place) = row.instant("landmark").and_then(|at| places.iter().position(|place| *place == at))
            else {
                continue;
            };
            let (excess, odds) = (row.estimate("excess_churners"), row.estimate("adjusted_odds_ratio"));
            let dash = || "–".to_owned();
            table.push(vec![
                label.clone(),
                period(row),
                row.whole("exposed").map_or_else(dash, whole),
                excess.map_or_else(dash, |excess| interval(excess, 0)),
                odds.map_or_else(dash, |odds| interval(odds, 2)),
            ]);
            if let Some(odds) = odds.filter(|odds| odds.value > 0.0 && is_ok(row)) {
                let (lower, upper) = (odds.lower, odds.upper);
                domain[0] = domain[0].min(lower.unwrap_or(odds.value));
                domain[1] = domain[1].max(upper.unwrap_or(odds.value));
                points.push(LinePoint { series: 0, x: place, y: odds.value, lower, upper });
            }
        }
        if !points.is_empty() {
            drawn.push((journey, label, points));
        }
    }
    let pictures = drawn.into_iter().map(|(journey, label, points)| {
        let values: Vec<String> = points.iter().map(|point| format!("{} {:.2}", ticks[point.x], point.y)).collect();
        Picture {
            id: format!("time-{journey}"),
            summary: format!("Adjusted odds ratio of leaving after {label} at each landmark: {}.", values.join(", ")),
            title: label,
            chart: Chart::Lines {
                x_label: String::new(),
                y_label: "adjusted odds ratio".to_owned(),
                scale: Scale::Log,
                unit: Unit::Ratio,
                domain,
                reference: Some(1.0),
                ticks: ticks.clone(),
                series: Series::named(&["adjusted odds ratio"]),
                points,
            },
        }
    });
    Figure {
        id: "over-time-figure".to_owned(),
        title: "Odds of leaving at every landmark".to_owned(),
        note: format!(
            "{first_and_last}, all segments: adjusted odds ratio with its interval, all on one scale; above 1 more customers left \
             than among like customers. Landmarks at which a journey had too few customers are left out."
        ),
        pictures: pictures.collect(),
        table,
    }
}
