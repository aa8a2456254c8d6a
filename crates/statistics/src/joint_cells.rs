//! Leavers and person-days by the state of every journey at once: what the joint model of a period is fitted to.

use std::collections::BTreeMap;

use crate::exact_sum::ExactSum;

/// What the days of a cell have in common. Journeys neither exposed nor not eligible are unexposed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct JointState {
    /// Segment, tenure band, month: one level of each control.
    pub controls: Vec<String>,
    /// Journeys exposed to, sorted, each once.
    pub exposed: Vec<String>,
    /// Journeys not eligible for, sorted, each once.
    pub not_eligible: Vec<String>,
}

impl JointState {
    /// The state with its journeys in order. `None` when a journey is both exposed and not eligible.
    pub fn new(controls: Vec<String>, mut exposed: Vec<String>, mut not_eligible: Vec<String>) -> Option<Self> {
        for journeys in [&mut exposed, &mut not_eligible] {
            journeys.sort_unstable();
            journeys.dedup();
        }
        let both = exposed.iter().any(|journey| not_eligible.binary_search(journey).is_ok());
        (!both).then_some(Self { controls, exposed, not_eligible })
    }
}

/// Leavers and person-days, exact, so that no order or split of the rows shows in the sums.
#[derive(Debug, Clone, Default)]
pub struct JointCount {
    /// Leavers.
    pub leavers: ExactSum,
    /// Person-days.
    pub days: ExactSum,
}

/// The cells by their state.
#[derive(Debug, Clone, Default)]
pub struct JointCells {
    cells: BTreeMap<JointState, JointCount>,
}

impl JointCells {
    /// Adds leavers and person-days, finite and at least 0, of one state.
    pub fn add(&mut self, state: JointState, leavers: f64, days: f64) {
        let count = self.cells.entry(state).or_default();
        count.leavers.add(leavers);
        count.days.add(days);
    }

    /// Adds all of a state's count.
    pub fn add_count(&mut self, state: JointState, other: &JointCount) {
        let count = self.cells.entry(state).or_default();
        count.leavers.merge(&other.leavers);
        count.days.merge(&other.days);
    }

    /// The cells in order of their states.
    pub fn iter(&self) -> impl Iterator<Item = (&JointState, &JointCount)> {
        self.cells.iter()
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The number of controls of the first cell.
    pub fn controls(&self) -> Option<usize> {
        self.cells.keys().next().map(|state| state.controls.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_one_cell_however_its_journeys_are_listed() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut cells = JointCells::default();
        for exposed in [["a", "b"], ["b", "a"]] {
            let state = JointState::new(list(&["home"]), list(&exposed), list(&["c", "c"])).unwrap();
            cells.add(state, 1.0, 0.1);
        }
        let (state, count) = cells.iter().next().unwrap();
        assert_eq!((cells.len(), &state.not_eligible, count.leavers.value()), (1, &list(&["c"]), 2.0));
        assert_eq!(JointState::new(vec![], list(&["a"]), list(&["a"])), None);
    }
}
