//! The data of charts, as the page's script draws them (`page/charts.js`).

use serde::Serialize;

use crate::tier::Tier;

/// One chart.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Chart {
    /// Volume across, a ratio upwards on a logarithmic axis.
    Map {
        x_label: String,
        y_label: String,
        size_label: String,
        /// The first is shown; with several there is something to choose.
        groups: Vec<MapGroup>,
    },
    /// A row a thing, with one or more estimates and their intervals on one axis.
    Intervals {
        x_label: String,
        scale: Scale,
        unit: Unit,
        /// The line of no difference.
        reference: Option<f64>,
        series: Vec<Series>,
        rows: Vec<IntervalRow>,
    },
    /// A row a thing, from zero to its value.
    Bars { x_label: String, unit: Unit, rows: Vec<Bar> },
    /// Values along something, one line a series.
    Lines {
        x_label: String,
        y_label: String,
        scale: Scale,
        unit: Unit,
        /// Lowest and highest value shown, the same for pictures side by side.
        domain: [f64; 2],
        reference: Option<f64>,
        /// Names of the places along.
        ticks: Vec<String>,
        series: Vec<Series>,
        points: Vec<LinePoint>,
    },
}

/// The axis.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scale {
    Linear,
    Log,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// `1.41`.
    Ratio,
    /// `47 %` of 0.47.
    Percent,
    /// `47` of 0.47: a score out of 100.
    Score,
    /// `18.2`.
    Number,
}

/// Journeys of one segment.
#[derive(Debug, Serialize)]
pub(crate) struct MapGroup {
    pub(crate) name: String,
    pub(crate) points: Vec<MapPoint>,
}

/// A journey on the map.
#[derive(Debug, Serialize)]
pub(crate) struct MapPoint {
    pub(crate) label: String,
    pub(crate) rank: Option<i64>,
    pub(crate) x: i64,
    pub(crate) y: f64,
    pub(crate) lower: Option<f64>,
    pub(crate) upper: Option<f64>,
    pub(crate) size: f64,
    pub(crate) tier: Tier,
    /// Shown when pointed at.
    pub(crate) details: String,
}

/// A series' name; its place gives it shape and colour.
#[derive(Debug, Serialize)]
pub(crate) struct Series {
    pub(crate) name: String,
}

impl Series {
    pub(crate) fn named(names: &[&str]) -> Vec<Self> {
        names.iter().map(|name| Self { name: (*name).to_owned() }).collect()
    }
}

/// A row of intervals.
#[derive(Debug, Serialize)]
pub(crate) struct IntervalRow {
    pub(crate) label: String,
    pub(crate) marks: Vec<IntervalMark>,
}

/// An estimate of a series.
#[derive(Debug, Serialize)]
pub(crate) struct IntervalMark {
    pub(crate) series: usize,
    pub(crate) value: f64,
    pub(crate) lower: Option<f64>,
    pub(crate) upper: Option<f64>,
    /// Written beside it; empty for nothing.
    pub(crate) text: String,
}

/// A bar.
#[derive(Debug, Serialize)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) target: Option<f64>,
    pub(crate) text: String,
}

/// A point of a line.
#[derive(Debug, Serialize)]
pub(crate) struct LinePoint {
    pub(crate) series: usize,
    pub(crate) x: usize,
    pub(crate) y: f64,
    pub(crate) lower: Option<f64>,
    pub(crate) upper: Option<f64>,
}
