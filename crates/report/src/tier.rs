//! What a journey does to leaving, as far as that is known.

use serde::Serialize;
use throughline_engine::Figures;

/// The tier of a journey in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// More leave than of like customers, beyond chance.
    Harmful,
    /// It may be chance, or goes with other journeys. Not seen is not none.
    Unclear,
    /// Fewer leave, beyond chance.
    Protective,
    /// The period is not over, or too few customers were on it or left.
    #[default]
    Unranked,
}

impl Tier {
    pub(crate) fn of(row: &Figures) -> Self {
        match (row.text("status").as_deref(), row.text("tier").as_deref()) {
            (Some("ok"), Some("harmful")) => Self::Harmful,
            (Some("ok"), Some("protective")) => Self::Protective,
            (Some("ok"), _) => Self::Unclear,
            _ => Self::Unranked,
        }
    }

    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Harmful => "harmful",
            Self::Unclear => "unclear",
            Self::Protective => "protective",
            Self::Unranked => "not ranked",
        }
    }
}
