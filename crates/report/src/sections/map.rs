//! The key-journey map: volume across, strength upwards, money as size, uncertainty as bars.

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, MapGroup, MapPoint};
use crate::context::{Context, landmark_name, verdict_of};
use crate::numbers::{interval, rounded, small, whole};
use crate::table::Table;
use crate::verdict::Verdict;

const COLUMNS: [&str; 6] = ["journey", "landmark", "segment", "status", "exposed", "adjusted_odds_ratio"];

/// What the marks of all segments together are called.
const ALL_SEGMENTS: &str = "all segments";

/// What the size of a mark stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Revenue,
    Churners,
}

impl Size {
    /// Revenue, where there is any to be told.
    fn of(rows: &[&Figures]) -> Self {
        let has_revenue = rows.iter().any(|row| row.number("excess_revenue").is_some());
        if has_revenue { Self::Revenue } else { Self::Churners }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Revenue => "revenue of the excess churners",
            Self::Churners => "excess churners",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Revenue => "what was billed to the excess churners in the exposure window",
            Self::Churners => "the excess churners",
        }
    }
}

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let blocks = match blocks(context).await? {
        Ok(blocks) => blocks,
        Err(reason) => vec![Block::missing(format!("There is no map: {reason}."))],
    };
    Ok(Section::new("map", "The key-journey map", blocks))
}

async fn blocks(context: &Context<'_>) -> Result<Result<Vec<Block>, String>, EngineError> {
    if let Some(reason) = &context.no_churn {
        return Ok(Err(reason.clone()));
    }
    let Some(landmark) = context.landmark() else { return Ok(Err("no landmark has matured yet".to_owned())) };
    let rows = match context.rows("fct_key_journeys", &COLUMNS, &[]).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(Err(reason)),
    };
    let rows = in_order(&rows, &landmark.landmark);
    let confidence = context.explanations.first().map_or(0.95, |explanation| explanation.confidence);
    let size = Size::of(&rows);
    let groups = groups(context, &rows, confidence, size);
    if groups.first().is_none_or(|group| group.name != ALL_SEGMENTS) {
        return Ok(Err(format!(
            "at landmark {} no journey has enough customers and churners in both arms",
            landmark.landmark
        )));
    }
    let at = landmark_name(landmark);
    let picture = Picture {
        id: "key-journey-map".to_owned(),
        title: String::new(),
        summary: summary(groups.first(), &at),
        chart: Chart::Map {
            x_label: "customers exposed to the journey".to_owned(),
            y_label: "odds of leaving, compared with like customers".to_owned(),
            size_label: size.label().to_owned(),
            groups,
        },
    };
    let figure = Figure {
        id: "map-figure".to_owned(),
        title: "Volume and churn link of each journey".to_owned(),
        note: note(context, &rows, &at, confidence, size),
        pictures: vec![picture],
        table: table(context, &rows, &at),
    };
    Ok(Ok(vec![Block::Figure(figure)]))
}

fn segment(row: &Figures) -> String {
    row.text("segment").unwrap_or_default()
}

/// The rows of a landmark: all segments together first, then segment by segment, each by priority.
fn in_order<'a>(rows: &'a [Figures], landmark: &str) -> Vec<&'a Figures> {
    let mut rows: Vec<&Figures> = rows.iter().filter(|row| row.day("landmark").as_deref() == Some(landmark)).collect();
    rows.sort_by_key(|row| {
        let rank = row.whole("priority_rank").unwrap_or(i64::MAX);
        (segment(row) != "all", segment(row), rank, row.text("journey"))
    });
    rows
}

/// A group of marks for each segment that has any.
fn groups(context: &Context<'_>, rows: &[&Figures], confidence: f64, size: Size) -> Vec<MapGroup> {
    let mut groups: Vec<MapGroup> = Vec::new();
    for row in rows {
        let Some(point) = point(context, row, confidence, size) else { continue };
        let name = match segment(row) {
            all if all == "all" => ALL_SEGMENTS.to_owned(),
            one => one,
        };
        match groups.last_mut().filter(|group| group.name == name) {
            Some(group) => group.points.push(point),
            None => groups.push(MapGroup { name, points: vec![point] }),
        }
    }
    groups
}

/// How to read the map, and which journeys are not on it and why.
fn note(context: &Context<'_>, rows: &[&Figures], at: &str, confidence: f64, size: Size) -> String {
    let mut note = format!(
        "Landmark {at}. Across: customers who started the journey in the window before it. Upwards: their odds of leaving in \
         the window after it against customers of the same segment and tenure who were not on it, with {:.0} % intervals; 1 \
         is no difference. Size: {}. A filled mark is a link beyond chance, a hollow one may be chance. Numbers \
         are ranks, as in the list below.",
        confidence * 100.0,
        size.explanation()
    );
    let unranked: Vec<String> = rows
        .iter()
        .filter(|row| segment(row) == "all" && row.text("status").as_deref() != Some("ok"))
        .filter_map(|row| {
            let reason = row.text("reason").or_else(|| row.text("status"))?;
            Some(format!("{} ({reason})", context.label(&row.text("journey")?)))
        })
        .collect();
    if !unranked.is_empty() {
        note.push_str(&format!(" Not on it: {}.", unranked.join(", ")));
    }
    note
}

fn point(context: &Context<'_>, row: &Figures, confidence: f64, size: Size) -> Option<MapPoint> {
    let status = row.text("status")?;
    let odds = row.estimate("adjusted_odds_ratio").filter(|odds| status == "ok" && odds.value > 0.0)?;
    let verdict = verdict_of(&status, row.number("q_value"), Some(odds.value.ln()), confidence);
    let label = context.label(&row.text("journey")?);
    let excess = row.estimate("excess_churners");
    let revenue = row.number("excess_revenue");
    let left = row.whole("a").map(|left| format!(", {} left", whole(left))).unwrap_or_default();
    let told = [
        Some(format!("{} exposed{left}", whole(row.whole("exposed")?))),
        Some(format!("odds ratio {}", interval(odds, 2))),
        excess.map(|excess| format!("excess churners {}", interval(excess, 0))),
        revenue.map(|revenue| format!("their revenue {}", rounded(revenue))),
        row.number("q_value").map(|q| format!("q {}", small(q))),
    ];
    Some(MapPoint {
        label,
        rank: row.whole("priority_rank"),
        x: row.whole("exposed")?,
        y: odds.value,
        lower: odds.lower,
        upper: odds.upper,
        size: match size {
            Size::Revenue => revenue,
            Size::Churners => excess.map(|excess| excess.value),
        }
        .map_or(0.0, f64::abs),
        verdict,
        told: told.into_iter().flatten().collect::<Vec<_>>().join("\n"),
    })
}

fn summary(group: Option<&MapGroup>, at: &str) -> String {
    let points = group.map(|group| group.points.as_slice()).unwrap_or_default();
    let named = |wanted: Verdict| {
        let names: Vec<String> = points
            .iter()
            .filter(|point| point.verdict == wanted)
            .map(|point| format!("{} ({:.2})", point.label, point.y))
            .collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    format!(
        "Scatter plot of {} journeys at landmark {at}: customers exposed and adjusted odds ratio of leaving. More leave: {}. \
         Fewer leave: {}. May be chance: {}.",
        points.len(),
        named(Verdict::More),
        named(Verdict::Fewer),
        named(Verdict::Chance)
    )
}

fn table(context: &Context<'_>, rows: &[&Figures], at: &str) -> Table {
    let mut table = Table::new(
        format!("Key journeys at landmark {at}"),
        &[
            "Journey",
            "Segment",
            "#Rank",
            "#Exposed",
            "#Left",
            "#Odds ratio",
            "#Excess churners",
            "#Revenue",
            "#q",
            "Why not",
        ],
    );
    for row in rows {
        let dash = || "–".to_owned();
        let estimate = |name: &str, decimals| row.estimate(name).map_or_else(dash, |found| interval(found, decimals));
        table.push(vec![
            context.label(&row.text("journey").unwrap_or_default()),
            row.text("segment").unwrap_or_default(),
            row.whole("priority_rank").map_or_else(dash, whole),
            row.whole("exposed").map_or_else(dash, whole),
            row.whole("a").map_or_else(dash, whole),
            estimate("adjusted_odds_ratio", 2),
            estimate("excess_churners", 0),
            row.number("excess_revenue").map_or_else(dash, rounded),
            row.number("q_value").map_or_else(dash, small),
            if row.text("status").as_deref() == Some("ok") {
                String::new()
            } else {
                row.text("reason").unwrap_or_default()
            },
        ]);
    }
    table
}
