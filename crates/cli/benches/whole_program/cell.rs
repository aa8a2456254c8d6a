//! One row of the key journeys beside what is planted for it.

use serde_json::Value;

use crate::company::{Company, text};
use crate::excess::{kind, planted};

/// Every month and quarter that is counted whole, for all customers and for each segment.
const CELLS: &str = "
SELECT
    journey, period_kind, period, segment, status, tier, exposed_leavers, effective_leavers, p_value, q_value,
    excess_churners AS estimate, excess_churners_lower AS lower, excess_churners_upper AS upper,
    mutual_rate_ratio AS mutual, mutual_rate_ratio_lower AS mutual_lower, mutual_rate_ratio_upper AS mutual_upper
FROM fct_key_journeys
WHERE status NOT IN ('running', 'partial')
ORDER BY journey, period_kind, period, segment";

/// How days are parted into intervals. Only the first parts them into many and no two of its intervals share a day;
/// those of the others hold the same days again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Parting {
    MonthsAndSegments,
    Months,
    QuartersAndSegments,
    Quarters,
}

impl Parting {
    pub(crate) fn of(row: &Value) -> Self {
        match (text(&row["period_kind"]) == "month", text(&row["segment"]) == "all") {
            (true, false) => Self::MonthsAndSegments,
            (true, true) => Self::Months,
            (false, false) => Self::QuartersAndSegments,
            (false, true) => Self::Quarters,
        }
    }

    /// Whether no two intervals of a journey share a day.
    pub(crate) fn counts(self) -> bool {
        self == Self::MonthsAndSegments
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::MonthsAndSegments => "month and segment",
            Self::Months => "month",
            Self::QuartersAndSegments => "quarter and segment",
            Self::Quarters => "quarter",
        }
    }
}

/// The rows of a company, each with the kind of truth of its journey and with the excess churners that are planted
/// within 90 days of a touchpoint.
pub(crate) fn cells(company: &Company) -> Result<Vec<Value>, String> {
    let mut rows = company.query(CELLS)?;
    for row in &mut rows {
        let truth = planted(&company.truth, row);
        let segment = text(&row["segment"]);
        let excess = match segment {
            "all" => &truth["excess_churners_within_90_days"],
            _ => &truth["by_segment"][segment],
        };
        let (excess, kind) = (excess.clone(), kind(&company.truth, &row["journey"]).to_owned());
        row["planted"] = excess;
        row["kind"] = kind.into();
    }
    Ok(rows)
}

/// A number of a row.
pub(crate) fn number(row: &Value, name: &str) -> Option<f64> {
    row[name].as_f64()
}

/// Two limits of a row.
pub(crate) fn limits(row: &Value, lower: &str, upper: &str) -> Option<(f64, f64)> {
    number(row, lower).zip(number(row, upper))
}
