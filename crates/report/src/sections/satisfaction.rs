//! How satisfaction goes along each journey: at its touchpoints, and with the company.

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, LinePoint, Scale, Series, Unit};
use crate::context::Context;
use crate::numbers::whole;
use crate::table::Table;

const COLUMNS: [&str; 7] = [
    "journey",
    "position_kind",
    "position",
    "touchpoint_responses",
    "touchpoint_satisfaction",
    "relationship_responses",
    "relationship_satisfaction",
];

/// A mean of fewer answers is left out of the picture, not of the table.
const FEWEST_ANSWERS: i64 = 10;

/// What [`WHOLE`] reads.
const WHOLE_COLUMNS: [&str; 6] = [
    "journey_responses",
    "journey_satisfaction",
    "satisfaction_gap",
    "gap_instances",
    "gap_touchpoint_satisfaction",
    "gap_journey_satisfaction",
];

/// Means over all quarters, each answer counted once, and of the gap each instance with both scores; decimals, so their
/// order does not matter.
const WHOLE: &str = "
SELECT
    journey,
    sum(journey_responses) AS responses,
    CAST(sum(CAST(journey_satisfaction * journey_responses AS DECIMAL(38, 12))) AS DOUBLE)
        / nullif(sum(journey_responses), 0) AS journey_score,
    sum(gap_instances) FILTER (WHERE satisfaction_gap IS NOT NULL) AS gap_instances,
    CAST(sum(CAST(gap_touchpoint_satisfaction * gap_instances AS DECIMAL(38, 12))) AS DOUBLE)
        / nullif(sum(gap_instances) FILTER (WHERE satisfaction_gap IS NOT NULL), 0) AS gap_touchpoints,
    CAST(sum(CAST(gap_journey_satisfaction * gap_instances AS DECIMAL(38, 12))) AS DOUBLE)
        / nullif(sum(gap_instances) FILTER (WHERE satisfaction_gap IS NOT NULL), 0) AS gap_journey
FROM fct_journey_performance
WHERE segment = 'all' AND period_kind = 'quarter'
GROUP BY journey";

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "Satisfaction along each journey";
    let missing = |reason: &str| {
        Section::new("satisfaction", title, vec![Block::missing(format!("It cannot be shown: {reason}."))])
    };
    let rows = context.rows("fct_journey_satisfaction_path", &COLUMNS, &[("position_kind", "tenth")]).await?;
    let mut rows = match rows {
        Ok(rows) => rows,
        Err(reason) => return Ok(missing(&reason)),
    };
    rows.sort_by_key(|row| (row.text("journey"), row.whole("position")));
    let whole_journeys = context.select("fct_journey_performance", &WHOLE_COLUMNS, WHOLE).await?.unwrap_or_default();
    if rows.is_empty() {
        return Ok(missing("nobody was asked inside a journey that is over"));
    }
    let mut journeys: Vec<String> = rows.iter().filter_map(|row| row.text("journey")).collect();
    journeys.dedup();
    journeys.sort_by_key(|journey| place(context, journey));
    let mut table = Table::new(
        "Satisfaction by tenth of the time elapsed",
        &["Journey", "#Tenth", "#Touchpoints", "#Answers", "#With the company", "#Answers"],
    );
    let mut pictures = Vec::new();
    let mut falls: Option<(f64, String)> = None;
    for journey in &journeys {
        let path: Vec<&Figures> = rows.iter().filter(|row| row.text("journey").as_deref() == Some(journey)).collect();
        let label = context.label(journey);
        for row in &path {
            table.push(cells(&label, row));
        }
        let of_all = whole_journeys.iter().find(|row| row.text("journey").as_deref() == Some(journey));
        if let Some((fall, sentence)) = of_all.and_then(|row| fall(&label, row))
            && falls.as_ref().is_none_or(|(deepest, _)| fall > *deepest)
        {
            falls = Some((fall, sentence));
        }
        pictures.extend(picture(journey, label, &path, of_all));
    }
    share_domain(&mut pictures);
    let mut blocks = Vec::new();
    blocks.extend(falls.map(|(_, text)| Block::Lead { text }));
    let note = format!(
        "All instances that are over as of {}; the time from start to end in tenths. Filled circles: mean score of the \
         touchpoints asked about there. Hollow squares: mean score of the relationship with the company, asked at that point. \
         The diamond at the end: the journey as a whole. Means of fewer than {FEWEST_ANSWERS} answers are in the table only.",
        context.as_of()
    );
    blocks.push(Block::Figure(Figure {
        id: "path-figure".to_owned(),
        title: "Touchpoints, relationship and journey, scores of 100".to_owned(),
        note,
        pictures,
        table,
    }));
    Ok(Section::new("satisfaction", title, blocks))
}

/// Pictures side by side have one scale: from a tenth below the lowest score to 1.
fn share_domain(pictures: &mut [Picture]) {
    let mut lowest = 1.0_f64;
    for picture in pictures.iter() {
        if let Chart::Lines { points, .. } = &picture.chart {
            lowest = points.iter().map(|point| point.y).fold(lowest, f64::min);
        }
    }
    for picture in pictures {
        if let Chart::Lines { domain, .. } = &mut picture.chart {
            domain[0] = ((lowest * 10.0).floor() / 10.0 - 0.1).max(0.0);
        }
    }
}

fn place(context: &Context<'_>, journey: &str) -> (usize, String) {
    let place = context.explanations.iter().position(|explanation| explanation.journey == journey);
    (place.unwrap_or(usize::MAX), journey.to_owned())
}

/// The gap of the instances in which both were asked: the quarters have left out those with too few of them.
fn fall(label: &str, row: &Figures) -> Option<(f64, String)> {
    let (touchpoints, journey) = (row.number("gap_touchpoints")?, row.number("gap_journey")?);
    let instances = row.whole("gap_instances")?;
    (touchpoints > journey).then(|| {
        let text = format!(
            "{label}: where both were asked, in {} instances, the touchpoints score {:.0} of 100 and the journey as a whole \
             {:.0}, the widest gap of all.",
            whole(instances),
            touchpoints * 100.0,
            journey * 100.0
        );
        (touchpoints - journey, text)
    })
}

fn cells(label: &str, row: &Figures) -> Vec<String> {
    let score = |name: &str| row.number(name).map_or_else(|| "–".to_owned(), |score| format!("{:.1}", score * 100.0));
    let answers = |name: &str| row.whole(name).map_or_else(|| "–".to_owned(), whole);
    vec![
        label.to_owned(),
        answers("position"),
        score("touchpoint_satisfaction"),
        answers("touchpoint_responses"),
        score("relationship_satisfaction"),
        answers("relationship_responses"),
    ]
}

fn picture(journey: &str, label: String, path: &[&Figures], of_all: Option<&Figures>) -> Option<Picture> {
    let mut points = Vec::new();
    for (series, name) in ["touchpoint", "relationship"].into_iter().enumerate() {
        for row in path {
            let answers = row.whole(&format!("{name}_responses")).unwrap_or(0);
            let (Some(y), Some(x)) = (row.number(&format!("{name}_satisfaction")), row.whole("position")) else {
                continue;
            };
            if answers >= FEWEST_ANSWERS {
                points.push(LinePoint { series, x: usize::try_from(x - 1).ok()?.min(9), y, lower: None, upper: None });
            }
        }
    }
    let as_a_whole = of_all
        .filter(|row| row.whole("responses").is_some_and(|answers| answers >= FEWEST_ANSWERS))
        .and_then(|row| row.number("journey_score"));
    points.extend(as_a_whole.map(|y| LinePoint { series: 2, x: 10, y, lower: None, upper: None }));
    if points.is_empty() {
        return None;
    }
    let ends = |series: usize| {
        let mut of_it = points.iter().filter(|point| point.series == series).map(|point| point.y * 100.0);
        let first = of_it.next()?;
        Some(match of_it.next_back() {
            Some(last) => format!("from {first:.0} to {last:.0}"),
            None => format!("{first:.0}"),
        })
    };
    let part = |name: &str, series: usize| ends(series).map(|text| format!("{name} {text}"));
    let parts = [part("touchpoints", 0), part("relationship", 1), part("the journey as a whole", 2)];
    let summary = format!("{label}, scores of 100: {}.", parts.into_iter().flatten().collect::<Vec<_>>().join("; "));
    let mut ticks: Vec<String> = (1..=10).map(|tenth| tenth.to_string()).collect();
    ticks.push("all".to_owned());
    Some(Picture {
        id: format!("path-{journey}"),
        title: label,
        summary,
        chart: Chart::Lines {
            x_label: "tenth of the journey".to_owned(),
            y_label: "score".to_owned(),
            scale: Scale::Linear,
            unit: Unit::Score,
            domain: [0.0, 1.0],
            reference: None,
            ticks,
            series: Series::named(&["touchpoints", "relationship", "journey"]),
            points,
        },
    })
}
