//! Which way lineage is followed.

use std::collections::BTreeSet;

use throughline_plan::{ColumnOf, Influence, Lineage};

/// Which way to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Upstream,
    Downstream,
}

impl Direction {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }

    /// The columns one step away.
    pub(super) fn next(self, lineage: &Lineage, of: &ColumnOf) -> Vec<(ColumnOf, BTreeSet<Influence>)> {
        match self {
            Self::Upstream => lineage.inputs(of).map(|(column, how)| (column.clone(), how.clone())).collect(),
            Self::Downstream => lineage.outputs(of).map(|(column, how)| (column, how.clone())).collect(),
        }
    }
}
