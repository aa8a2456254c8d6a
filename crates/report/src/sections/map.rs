//! The key-journey map: volume across, strength upwards, money as size, uncertainty as bars.

use throughline_engine::{EngineError, KEY_JOURNEYS, KeyPeriod};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, MapGroup, MapPoint};
use crate::context::Context;
use crate::explain::{InPeriod, is_of};
use crate::numbers::{interval, level, money, more_or_fewer, of_hundred, people, rounded, whole};
use crate::table::Table;
use crate::tier::Tier;
use crate::words::why_not;

const COLUMNS: [&str; 7] =
    ["journey", "period_kind", "period_start", "segment", "status", "exposed_customers", "adjusted_rate_ratio"];

/// What the marks of all segments together are called.
const ALL_SEGMENTS: &str = "all segments";
const ALL: &str = "all";

/// What the size of a mark stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Revenue,
    Churners,
}

impl Size {
    /// Revenue, where any is published.
    fn of(rows: &[InPeriod]) -> Self {
        let has_revenue = rows.iter().any(|at| at.excess_revenue.is_some());
        if has_revenue { Self::Revenue } else { Self::Churners }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Revenue => "a year's revenue of who left beyond like customers",
            Self::Churners => "who left beyond like customers",
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
    let period = match context.period() {
        Ok(period) => period,
        Err(reason) => return Ok(Err(reason.to_owned())),
    };
    let rows = match context.rows(KEY_JOURNEYS, &COLUMNS, &[]).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(Err(reason)),
    };
    let rows = in_order(rows.iter().filter(|row| is_of(row, period)).map(InPeriod::of).collect());
    let size = Size::of(&rows);
    let groups = groups(context, &rows, size);
    if groups.first().is_none_or(|group| group.name != ALL_SEGMENTS) {
        return Ok(Err(format!("in {} no journey has enough customers and leavers to be ranked", period.name)));
    }
    let picture = Picture {
        id: "key-journey-map".to_owned(),
        title: String::new(),
        summary: summary(groups.first(), &period.name),
        chart: Chart::Map {
            x_label: "customers on the journey".to_owned(),
            y_label: "times as often as like customers they leave".to_owned(),
            size_label: size.label().to_owned(),
            groups,
        },
    };
    let figure = Figure {
        id: "map-figure".to_owned(),
        title: "How many are on each journey, and how much more often they leave".to_owned(),
        note: note(context, &rows, period, size),
        pictures: vec![picture],
        table: table(context, &rows, &period.name),
    };
    Ok(Ok(vec![Block::Figure(figure)]))
}

/// All segments together first, then segment by segment, each by rank.
fn in_order(mut rows: Vec<InPeriod>) -> Vec<InPeriod> {
    rows.sort_by_key(|at| (at.segment != ALL, at.segment.clone(), at.rank.unwrap_or(i64::MAX), at.journey.clone()));
    rows
}

/// A group of marks for each segment that has any.
fn groups(context: &Context<'_>, rows: &[InPeriod], size: Size) -> Vec<MapGroup> {
    let mut groups: Vec<MapGroup> = Vec::new();
    for at in rows {
        let Some(point) = point(context, at, size) else { continue };
        let name = if at.segment == ALL { ALL_SEGMENTS } else { &at.segment };
        match groups.last_mut().filter(|group| group.name == name) {
            Some(group) => group.points.push(point),
            None => groups.push(MapGroup { name: name.to_owned(), points: vec![point] }),
        }
    }
    groups
}

/// How to read the map, and which journeys are not on it and why.
fn note(context: &Context<'_>, rows: &[InPeriod], period: &KeyPeriod, size: Size) -> String {
    let mut note = format!(
        "{}. Across: customers who were on the journey. Upwards: how many times as often they leave as customers of the same \
         segment who have been customers for about as long, in the same month, with {} intervals; at 1 they leave as often. \
         Size: {}, if the journey is the cause. A filled mark is harmful or protective beyond chance, a hollow one is unclear. \
         Numbers are ranks, as in the list below.",
        period.name,
        level(context.settings.confidence),
        size.label()
    );
    if rows.iter().any(|at| at.segment != ALL && matches!(at.tier, Tier::Harmful | Tier::Protective)) {
        note.push_str(" Of marks by segment, those that stand out among the many tend to overstate.");
    }
    let unranked: Vec<String> = rows
        .iter()
        .filter(|at| at.segment == ALL && at.status != "ok")
        .map(|at| format!("{} ({})", context.label(&at.journey), why_not(&context.settings, at)))
        .collect();
    if !unranked.is_empty() {
        note.push_str(&format!(" Not on it: {}.", unranked.join(", ")));
    }
    note
}

fn point(context: &Context<'_>, at: &InPeriod, size: Size) -> Option<MapPoint> {
    let ratio = at.adjusted_rate_ratio.filter(|ratio| at.status == "ok" && ratio.value > 0.0)?;
    let customers = at.exposed_customers?;
    let left = at.exposed_leavers.map(|left| format!(", {} left", whole(left))).unwrap_or_default();
    let currency = context.settings.currency.as_deref();
    let details = [
        Some(at.tier.word().to_owned()),
        Some(format!("{} customers on it{left}", whole(customers))),
        Some(format!("{} times as often as like customers", interval(ratio, 2))),
        at.excess_churners.map(|excess| more_or_fewer(excess, "left")),
        at.excess_revenue.map(|revenue| format!("revenue a year {}", money(revenue, currency))),
    ];
    let sized = match size {
        Size::Revenue => at.excess_revenue,
        Size::Churners => at.excess_churners,
    };
    Some(MapPoint {
        label: context.label(&at.journey),
        rank: at.rank,
        x: customers,
        y: ratio.value,
        lower: ratio.lower,
        upper: ratio.upper,
        size: sized.map_or(0.0, |sized| sized.value.abs()),
        tier: at.tier,
        details: details.into_iter().flatten().collect::<Vec<_>>().join("\n"),
    })
}

fn summary(group: Option<&MapGroup>, period: &str) -> String {
    let points = group.map(|group| group.points.as_slice()).unwrap_or_default();
    let named = |wanted: Tier| {
        let names: Vec<String> = points
            .iter()
            .filter(|point| point.tier == wanted)
            .map(|point| format!("{} ({:.2})", point.label, point.y))
            .collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    format!(
        "Scatter plot of {} journeys in {period}: customers on them, and how many times as often these leave as like customers. \
         Harmful: {}. Protective: {}. Unclear: {}.",
        points.len(),
        named(Tier::Harmful),
        named(Tier::Protective),
        named(Tier::Unclear)
    )
}

fn table(context: &Context<'_>, rows: &[InPeriod], period: &str) -> Table {
    let mut table = Table::new(
        format!("Key journeys in {period}; left: of 100 customers within 90 days"),
        &[
            "Journey",
            "Segment",
            "Tier",
            "#Rank",
            "#Customers on it",
            "#Left",
            "#Like customers",
            "#Times as often",
            "#Left beyond that",
            "#Smallest seen",
            "#Revenue a year",
            "Why not",
        ],
    );
    let currency = context.settings.currency.as_deref();
    let dash = || "–".to_owned();
    for at in rows {
        let rate = |rate: Option<throughline_engine::Estimate>| rate.map_or_else(dash, |rate| of_hundred(rate.value));
        table.push(vec![
            context.label(&at.journey),
            at.segment.clone(),
            at.tier.word().to_owned(),
            at.rank.map_or_else(dash, whole),
            at.exposed_customers.map_or_else(dash, whole),
            rate(at.exposed_churn_rate),
            rate(at.like_churn_rate),
            at.adjusted_rate_ratio.map_or_else(dash, |ratio| interval(ratio, 2)),
            at.excess_churners.map_or_else(dash, people),
            at.smallest_detectable_excess.map_or_else(dash, rounded),
            at.excess_revenue.map_or_else(dash, |revenue| money(revenue, currency)),
            if at.status == "ok" { String::new() } else { why_not(&context.settings, at) },
        ]);
    }
    table
}
