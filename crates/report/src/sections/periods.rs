//! This period against the one before, why each journey's excess changed, and all periods side by side.

use std::collections::BTreeMap;

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, LinePoint, Scale, Series, Unit};
use crate::context::Context;
use crate::explain::{InPeriod, KeyJourneys};
use crate::numbers::{interval, people, signed, whole};
use crate::table::Table;
use crate::words::why_not;

/// A journey's periods of one length, oldest first.
type History = (String, Vec<InPeriod>);

pub(crate) fn section(context: &Context<'_>) -> Section {
    match blocks(context) {
        Ok((title, blocks)) => Section::new("periods", &title, blocks),
        Err(reason) => {
            let missing = Block::missing(format!("There is nothing to compare: {reason}."));
            Section::new("periods", "Against the period before", vec![missing])
        }
    }
}

fn blocks(context: &Context<'_>) -> Result<(String, Vec<Block>), String> {
    let period = context.period()?;
    let known = context.key_journeys.as_ref().map_err(Clone::clone)?;
    let Some(before) = known.periods().before(period) else {
        return Err(format!("{} is the first {} with figures", period.name, period.kind));
    };
    let histories = histories(context, known, &period.kind);
    let places: BTreeMap<&str, usize> = known
        .periods()
        .of_kind(&period.kind)
        .enumerate()
        .map(|(place, period)| (period.name.as_str(), place))
        .collect();
    let mut blocks = vec![Block::text(
        "Intervals that lie apart are a change to look into; where they overlap the difference may be chance. A journey \
         compared with itself is not adjusted for looking at several.",
    )];
    blocks.push(Block::Figure(compared(context, &histories, &before.name, &period.name)));
    blocks.extend(changes(context, &before.name));
    if places.len() > 2 {
        blocks.push(Block::Figure(over_time(context, &histories, &places, &period.kind)));
    }
    Ok((format!("{} against {}", period.name, before.name), blocks))
}

/// Journeys in the order of the ranking; of each its periods, oldest first.
fn histories(context: &Context<'_>, known: &KeyJourneys, kind: &str) -> Vec<History> {
    let of = |journey: &str| -> Vec<InPeriod> {
        known.periods().of_kind(kind).filter_map(|period| known.in_period(journey, period)).collect()
    };
    let journeys = context.explanations.iter().map(|explanation| &explanation.journey);
    journeys.map(|journey| (journey.clone(), of(journey))).collect()
}

fn compared(context: &Context<'_>, histories: &[History], before: &str, now: &str) -> Figure {
    let mut rows = Vec::new();
    let mut apart = Vec::new();
    let mut table = Table::new(
        format!("Each journey in {now} and in {before}"),
        &["Journey", "Period", "Tier", "#Rank", "#Customers on it", "#Times as often", "#Left beyond that", "Why not"],
    );
    for (journey, history) in histories {
        let label = context.label(journey);
        let mut marks = Vec::new();
        for (series, name) in [before, now].into_iter().enumerate() {
            let Some(at) = history.iter().find(|at| at.period == name) else { continue };
            marks.extend(mark(series, at));
            table.push(cells(context, &label, at));
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
        summary: format!(
            "How many times as often as like customers those on {} journeys left in {before} and in {now}. {finding}",
            rows.len()
        ),
        chart: Chart::Intervals {
            x_label: "times as often as like customers they leave".to_owned(),
            scale: Scale::Log,
            unit: Unit::Ratio,
            reference: Some(1.0),
            series: Series::named(&[before, now]),
            rows,
        },
    };
    Figure {
        id: "compared-figure".to_owned(),
        title: format!("How much more often they leave, in {now} and in {before}"),
        note: format!(
            "With intervals, all segments; right of 1 more customers leave than of like customers. {finding} How many were on \
             each journey and how many left beyond that is in the table."
        ),
        pictures: if marks_of(&picture) == 0 { Vec::new() } else { vec![picture] },
        table,
    }
}

fn marks_of(picture: &Picture) -> usize {
    match &picture.chart {
        Chart::Intervals { rows, .. } => rows.len(),
        _ => 0,
    }
}

/// The ratio of a ranked row; the later one has its number beside it.
fn mark(series: usize, at: &InPeriod) -> Option<IntervalMark> {
    let ratio = at.adjusted_rate_ratio.filter(|ratio| at.status == "ok" && ratio.value > 0.0)?;
    let text = if series == 1 { format!("{:.2}", ratio.value) } else { String::new() };
    Some(IntervalMark { series, value: ratio.value, lower: ratio.lower, upper: ratio.upper, text })
}

fn cells(context: &Context<'_>, label: &str, at: &InPeriod) -> Vec<String> {
    let dash = || "–".to_owned();
    vec![
        label.to_owned(),
        at.period.clone(),
        at.tier.word().to_owned(),
        at.rank.map_or_else(dash, whole),
        at.exposed_customers.map_or_else(dash, whole),
        at.adjusted_rate_ratio.map_or_else(dash, |ratio| interval(ratio, 2)),
        at.excess_churners.map_or_else(dash, people),
        if at.status == "ok" { String::new() } else { why_not(&context.settings, at) },
    ]
}

/// Whether two intervals share no value.
fn lie_apart(before: &IntervalMark, now: &IntervalMark) -> bool {
    match (before.lower, before.upper, now.lower, now.upper) {
        (Some(low), Some(high), Some(lower), Some(upper)) => lower > high || upper < low,
        _ => false,
    }
}

/// Why each excess is another than before.
fn changes(context: &Context<'_>, before: &str) -> Vec<Block> {
    let mut table = Table::new(
        format!("How many more or fewer left beyond like customers than in {before}, and why"),
        &[
            "Journey",
            "#Rank before",
            "#Rank",
            "#Change",
            "#More or fewer were on it",
            "#They were others",
            "#Those on it leave more or less often",
            "#Like customers do",
        ],
    );
    let dash = || "–".to_owned();
    for (explanation, at) in context.in_period() {
        let Some(change) = &at.change else { continue };
        let part = |part: Option<throughline_engine::Estimate>| part.map_or_else(dash, signed);
        table.push(vec![
            context.label(&explanation.journey),
            at.rank_before.map_or_else(dash, whole),
            at.rank.map_or_else(dash, whole),
            part(change.total),
            part(change.volume),
            part(change.mix),
            part(change.exposed_rate),
            part(change.unexposed_rate),
        ]);
    }
    if table.rows.is_empty() {
        return Vec::new();
    }
    vec![
        Block::heading("Why ranks moved"),
        Block::text(
            "The parts add up to the change; one whose interval holds 0 may be chance. Others: of other segments, longer or \
             shorter customers, in other months.",
        ),
        Block::Table { table },
    ]
}

fn over_time(context: &Context<'_>, histories: &[History], places: &BTreeMap<&str, usize>, kind: &str) -> Figure {
    let mut ticks: Vec<String> = vec![String::new(); places.len()];
    for (name, place) in places {
        ticks[*place] = (*name).to_owned();
    }
    let first_and_last = [ticks.first(), ticks.last()].into_iter().flatten().cloned().collect::<Vec<_>>().join(" to ");
    let mut table = Table::new(
        format!("Each journey in every {kind}"),
        &["Journey", "Period", "Tier", "#Customers on it", "#Left beyond that", "#Times as often"],
    );
    let mut domain = [1.0_f64, 1.0_f64];
    let mut drawn = Vec::new();
    for (journey, history) in histories {
        let label = context.label(journey);
        let mut points = Vec::new();
        for at in history {
            let Some(place) = places.get(at.period.as_str()) else { continue };
            let dash = || "–".to_owned();
            table.push(vec![
                label.clone(),
                at.period.clone(),
                at.tier.word().to_owned(),
                at.exposed_customers.map_or_else(dash, whole),
                at.excess_churners.map_or_else(dash, people),
                at.adjusted_rate_ratio.map_or_else(dash, |ratio| interval(ratio, 2)),
            ]);
            if let Some(ratio) = at.adjusted_rate_ratio.filter(|ratio| ratio.value > 0.0 && at.status == "ok") {
                let (lower, upper) = (ratio.lower, ratio.upper);
                domain[0] = domain[0].min(lower.unwrap_or(ratio.value));
                domain[1] = domain[1].max(upper.unwrap_or(ratio.value));
                points.push(LinePoint { series: 0, x: *place, y: ratio.value, lower, upper });
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
            summary: format!("{label}, times as often as like customers they left: {}.", values.join(", ")),
            title: label,
            chart: Chart::Lines {
                x_label: String::new(),
                y_label: "times as often".to_owned(),
                scale: Scale::Log,
                unit: Unit::Ratio,
                domain,
                reference: Some(1.0),
                ticks: ticks.clone(),
                series: Series::named(&["times as often"]),
                points,
            },
        }
    });
    Figure {
        id: "over-time-figure".to_owned(),
        title: format!("How much more often they leave, in every {kind}"),
        note: format!(
            "{first_and_last}, all segments: how many times as often as like customers those on each journey left, with \
             intervals, all on one scale; above 1 more left. A {kind} in which a journey is not ranked is left out."
        ),
        pictures: pictures.collect(),
        table,
    }
}
