//! The columns of the joint model: which effects its cells can tell apart, and what has to be left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    joint_cells::{JointCells, JointState},
    linear_system::{Dependence, independent_columns},
    poisson_regression::{IndicatorRows, NoPoissonFit, PoissonFit, fit},
};

/// Levels and journeys beyond which a model is refused: its equations grow with their square.
pub const MOST_COLUMNS: usize = 1000;
/// A column of which less than this share is its own is a combination of the others.
const OWN_SHARE: f64 = 1e-9;

/// How a joint model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointStatus {
    /// The maximum of the likelihood was found.
    Ok,
    /// No days, or nobody left.
    Insufficient,
    /// More levels and journeys than [`MOST_COLUMNS`].
    TooManyLevels,
    /// Neither a maximum nor a reason why there is none.
    NotConverged,
}

impl JointStatus {
    /// The status as tables show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Insufficient => "insufficient",
            Self::TooManyLevels => "too_many_levels",
            Self::NotConverged => "not_converged",
        }
    }
}

/// What a joint model says of one journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectStatus {
    /// It has a ratio.
    Ok,
    /// No day of anybody was exposed.
    NobodyExposed,
    /// Nobody left in one of its states.
    NoLeavers,
    /// Its days are those of other journeys: the effect may be any of theirs.
    AsOtherJourneys,
    /// Its days are those of a segment, tenure band or month: nobody like its customers was unexposed.
    AsStrata,
    /// There is no model: no days, nobody left, too many levels, no convergence.
    NoModel,
    /// There is a model, and none of the above.
    NotEstimated,
}

impl EffectStatus {
    /// The status as tables show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NobodyExposed => "nobody_exposed",
            Self::NoLeavers => "no_leavers",
            Self::AsOtherJourneys => "as_other_journeys",
            Self::AsStrata => "as_strata",
            Self::NoModel => "no_model",
            Self::NotEstimated => "not_estimated",
        }
    }
}

/// Why a journey has no ratio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) status: EffectStatus,
    /// The journeys that it cannot be told apart from, by name.
    pub(crate) others: Vec<String>,
    /// The same in words.
    pub(crate) reason: String,
}

impl Missing {
    pub(crate) fn new(status: EffectStatus, reason: &str) -> Self {
        Self { status, others: vec![], reason: reason.to_owned() }
    }
}

/// One effect of the model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column<'a> {
    /// The rate of the reference levels without any journey.
    Intercept,
    /// A control, by its place, at a level that is not its reference.
    Level(usize, &'a str),
    /// Not eligible for a journey.
    NotEligible(&'a str),
    /// Exposed to a journey.
    Exposed(&'a str),
}

/// A cell that takes part in the fit.
#[derive(Debug, Clone)]
pub(crate) struct Cell<'a> {
    pub(crate) state: &'a JointState,
    pub(crate) leavers: f64,
    pub(crate) days: f64,
    /// Columns that are 1, the first of them the intercept.
    columns: Vec<usize>,
}

/// A fitted joint model.
#[derive(Debug)]
pub(crate) struct JointFit<'a> {
    /// All columns, dependent ones included.
    pub(crate) columns: Vec<Column<'a>>,
    /// The columns that are coefficients of `fit`, in its order.
    pub(crate) kept: Vec<usize>,
    /// How the other columns depend on those, among the cells of the fit.
    pub(crate) dependences: Vec<Dependence>,
    /// The same among all cells, before any was left out.
    pub(crate) all_dependences: Vec<Dependence>,
    /// The cells of the fit.
    pub(crate) cells: Vec<Cell<'a>>,
    /// Journeys of which one state has no leaver, with the reason.
    pub(crate) without_leavers: BTreeMap<&'a str, &'static str>,
    /// Levels of controls without leavers.
    pub(crate) left_out_levels: Vec<&'a str>,
    /// Person-days of the cells left out because a level or state of theirs has no leaver.
    pub(crate) left_out_days: f64,
    pub(crate) fit: PoissonFit,
}

impl<'a> JointFit<'a> {
    /// Fits the rates of all cells.
    ///
    /// A level, a state of a journey or a combination of both in which nobody left has a rate of 0 and no finite
    /// coefficient: its cells leave the fit, which changes no other coefficient, and it is named.
    pub(crate) fn new(cells: &'a JointCells) -> Result<Self, JointStatus> {
        let all: Vec<(&JointState, f64, f64)> = cells
            .iter()
            .map(|(state, count)| (state, count.leavers.value(), count.days.value()))
            .filter(|(_, _, days)| *days > 0.0)
            .collect();
        let columns = columns(&all)?;
        let places: BTreeMap<&Column, usize> =
            columns.iter().enumerate().map(|(place, column)| (column, place)).collect();
        let mut used: Vec<Cell> = all
            .into_iter()
            .map(|(state, leavers, days)| Cell { state, leavers, days, columns: columns_of(state, &places) })
            .collect();
        drop(places);
        let all_days: f64 = used.iter().map(|cell| cell.days).sum();
        let all_dependences = independent_columns(&gram(&used, columns.len()), columns.len(), OWN_SHARE).1;

        let (mut without_leavers, mut left_out_levels) = (BTreeMap::new(), vec![]);
        leave_out_empty(&mut used, &mut without_leavers, &mut left_out_levels);
        // Each round leaves out at least one cell.
        loop {
            if !used.iter().any(|cell| cell.leavers > 0.0) {
                return Err(JointStatus::Insufficient);
            }
            let (kept, dependences) = independent_columns(&gram(&used, columns.len()), columns.len(), OWN_SHARE);
            match fit(&rows(&used, &kept), kept.len()) {
                Ok(fit) => {
                    return Ok(Self {
                        left_out_days: all_days - used.iter().map(|cell| cell.days).sum::<f64>(),
                        columns,
                        kept,
                        dependences,
                        all_dependences,
                        cells: used,
                        without_leavers,
                        left_out_levels,
                        fit,
                    });
                }
                Err(NoPoissonFit::NotConverged) => return Err(JointStatus::NotConverged),
                Err(NoPoissonFit::Separation(separated)) => {
                    let separated: BTreeSet<usize> = separated.into_iter().collect();
                    let mut index = 0;
                    used.retain(|_| {
                        index += 1;
                        !separated.contains(&(index - 1))
                    });
                }
            }
        }
    }

    /// The coefficient of an effect and its variance; `None` where the cells do not tell it from others.
    pub(crate) fn coefficient(&self, column: &Column) -> Option<(f64, f64)> {
        let place = self.columns.iter().position(|other| other == column)?;
        let involved = |dependence: &Dependence| involves(dependence, place);
        if self.dependences.iter().any(involved) {
            return None;
        }
        let coefficient = self.kept.iter().position(|kept| *kept == place)?;
        let variance = self.fit.covariance[coefficient * self.kept.len() + coefficient];
        Some((self.fit.coefficients[coefficient], variance))
    }

    /// Why the cells do not tell the effect of a journey from others.
    pub(crate) fn missing(&self, journey: &str) -> Missing {
        if let Some(reason) = self.without_leavers.get(journey) {
            return Missing::new(EffectStatus::NoLeavers, reason);
        }
        let Some(place) = self.columns.iter().position(|column| *column == Column::Exposed(journey)) else {
            return Missing::new(EffectStatus::NobodyExposed, "nobody was exposed");
        };
        let (others, where_left) = match (
            self.inseparable(&self.all_dependences, place, journey),
            self.inseparable(&self.dependences, place, journey),
        ) {
            (Some(others), _) => (others, ""),
            (None, Some(others)) => (others, " where anybody left"),
            (None, None) => return Missing::new(EffectStatus::NotEstimated, "not estimated"),
        };
        let (status, names) = if others.is_empty() {
            (EffectStatus::AsStrata, "segment, tenure and month".to_owned())
        } else {
            (EffectStatus::AsOtherJourneys, others.join(", "))
        };
        Missing { status, others, reason: format!("cannot be told apart from {names}{where_left}") }
    }

    /// The other journeys that a column depends on; none of them when it depends on controls alone, `None` when on
    /// nothing.
    fn inseparable(&self, dependences: &[Dependence], place: usize, journey: &str) -> Option<Vec<String>> {
        let involved: Vec<&Dependence> = dependences.iter().filter(|dependence| involves(dependence, place)).collect();
        let columns = involved
            .iter()
            .flat_map(|dependence| dependence.of.iter().map(|(column, _)| *column).chain([dependence.column]));
        let names: BTreeSet<&str> = columns
            .filter_map(|column| match self.columns[column] {
                Column::NotEligible(other) | Column::Exposed(other) if other != journey => Some(other),
                _ => None,
            })
            .collect();
        (!involved.is_empty()).then(|| names.into_iter().map(str::to_owned).collect())
    }

    /// Coefficients and indicators of a cell among those of the fit, without the exposures that `removed` names.
    pub(crate) fn kept_columns(&self, cell: &Cell, removed: impl Fn(&Column) -> bool) -> Vec<usize> {
        let remaining = cell.columns.iter().filter(|place| !removed(&self.columns[**place]));
        remaining.filter_map(|place| self.kept.binary_search(place).ok()).collect()
    }

    /// Whether the sum of the effects `named` is told apart from others in every cell.
    pub(crate) fn tells(&self, named: impl Fn(&Column) -> bool) -> bool {
        let effects: Vec<usize> = (0..self.columns.len()).filter(|place| named(&self.columns[*place])).collect();
        self.cells.iter().all(|cell| {
            self.dependences.iter().all(|dependence| {
                let moved = effects.iter().filter(|place| cell.columns.contains(place)).fold(0.0, |sum, place| {
                    let share =
                        dependence.of.iter().find(|(column, _)| column == place).map_or(0.0, |(_, share)| *share);
                    sum + if dependence.column == *place { 1.0 } else { -share }
                });
                moved.abs() < OWN_SHARE.sqrt()
            })
        })
    }
}

fn involves(dependence: &Dependence, place: usize) -> bool {
    dependence.column == place || dependence.of.iter().any(|(column, _)| *column == place)
}

/// The columns in the order in which a dependence gives up the later one: controls before journeys.
fn columns<'a>(cells: &[(&'a JointState, f64, f64)]) -> Result<Vec<Column<'a>>, JointStatus> {
    let mut levels: BTreeMap<(usize, &str), f64> = BTreeMap::new();
    let (mut exposed, mut not_eligible) = (BTreeSet::new(), BTreeSet::new());
    for (state, leavers, _) in cells {
        for (place, level) in state.controls.iter().enumerate() {
            *levels.entry((place, level.as_str())).or_default() += leavers;
        }
        exposed.extend(state.exposed.iter().map(String::as_str));
        not_eligible.extend(state.not_eligible.iter().map(String::as_str));
    }
    // The level with most leavers: others are then compared with a rate that is well known.
    let mut references: BTreeMap<usize, (&str, f64)> = BTreeMap::new();
    for ((place, level), leavers) in &levels {
        let reference = references.entry(*place).or_insert((*level, *leavers));
        if *leavers > reference.1 {
            *reference = (*level, *leavers);
        }
    }
    let is_reference = |place: usize, level: &str| references.get(&place).is_some_and(|reference| reference.0 == level);
    let mut columns = vec![Column::Intercept];
    columns.extend(
        levels
            .keys()
            .filter(|(place, level)| !is_reference(*place, level))
            .map(|(place, level)| Column::Level(*place, level)),
    );
    // Being not eligible for a journey that nobody was exposed to says nothing.
    columns.extend(not_eligible.intersection(&exposed).map(|journey| Column::NotEligible(journey)));
    columns.extend(exposed.iter().map(|journey| Column::Exposed(journey)));
    if columns.len() > MOST_COLUMNS { Err(JointStatus::TooManyLevels) } else { Ok(columns) }
}

fn columns_of(state: &JointState, places: &BTreeMap<&Column, usize>) -> Vec<usize> {
    let levels = state.controls.iter().enumerate().map(|(place, level)| Column::Level(place, level));
    let not_eligible = state.not_eligible.iter().map(|journey| Column::NotEligible(journey));
    let exposed = state.exposed.iter().map(|journey| Column::Exposed(journey));
    std::iter::once(Column::Intercept)
        .chain(levels)
        .chain(not_eligible)
        .chain(exposed)
        .filter_map(|column| places.get(&column).copied())
        .collect()
}

/// Leaves out the cells of every level, and of every state of a journey, in which nobody left.
fn leave_out_empty<'a>(
    cells: &mut Vec<Cell<'a>>,
    without_leavers: &mut BTreeMap<&'a str, &'static str>,
    left_out_levels: &mut Vec<&'a str>,
) {
    loop {
        let (mut levels, mut states) = (BTreeMap::new(), BTreeMap::new());
        let journeys: BTreeSet<&'a str> =
            cells.iter().flat_map(|cell| &cell.state.exposed).map(String::as_str).collect();
        for cell in cells.iter() {
            for (place, level) in cell.state.controls.iter().enumerate() {
                *levels.entry((place, level.as_str())).or_insert(0.0) += cell.leavers;
            }
            for journey in &journeys {
                *states.entry((*journey, state_of(cell, journey))).or_insert(0.0) += cell.leavers;
            }
        }
        levels.retain(|_, leavers| *leavers == 0.0);
        states.retain(|_, leavers| *leavers == 0.0);
        // When nobody left at all there is nothing to fit, and nothing to name.
        if (levels.is_empty() && states.is_empty()) || cells.iter().all(|cell| cell.leavers == 0.0) {
            return;
        }
        left_out_levels.extend(levels.keys().map(|(_, level)| *level));
        for (journey, state) in states.keys() {
            match state {
                State::Exposed => without_leavers.insert(*journey, "nobody left while exposed"),
                State::Unexposed => without_leavers.insert(*journey, "nobody left while eligible and not exposed"),
                State::NotEligible => None,
            };
        }
        cells.retain(|cell| {
            let level = |(place, level): (usize, &'a String)| levels.contains_key(&(place, level.as_str()));
            let state = |journey: &&str| states.contains_key(&(*journey, state_of(cell, journey)));
            !cell.state.controls.iter().enumerate().any(level) && !journeys.iter().any(state)
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Exposed,
    Unexposed,
    NotEligible,
}

fn state_of(cell: &Cell, journey: &str) -> State {
    let among = |journeys: &[String]| journeys.binary_search_by(|other| other.as_str().cmp(journey)).is_ok();
    if among(&cell.state.exposed) {
        State::Exposed
    } else if among(&cell.state.not_eligible) {
        State::NotEligible
    } else {
        State::Unexposed
    }
}

fn gram(cells: &[Cell], width: usize) -> Vec<f64> {
    let all: Vec<usize> = (0..width).collect();
    rows(cells, &all).gram(width)
}

/// The cells as rows of the columns `kept`.
fn rows(cells: &[Cell], kept: &[usize]) -> IndicatorRows {
    let mut rows = IndicatorRows::default();
    for cell in cells {
        // Columns are dropped from the end of the order, so kept ones are sorted.
        let places = cell.columns.iter().filter_map(|column| kept.binary_search(column).ok());
        rows.push(places, cell.leavers, cell.days);
    }
    rows
}
