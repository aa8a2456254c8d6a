//! The matcher's place in the plan: its operator for the planner, and its errors as findings in the YAML.

use arrow::datatypes::DataType;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use indexmap::IndexMap;
use throughline_config::{Diagnostic, Diagnostics, JourneyDefinition, Located, MatchRows, Place, closest};
use throughline_journeys::{DefinitionCounts, Field, MatchError, MatchErrorKind, OutputRows, Score, match_journeys};
use throughline_plan::{JourneyMatching, Parameters};

use crate::record::step_record::ConservationRow;

/// Plans `match:` models with the journeys crate's operator.
pub(crate) struct Matcher;

impl JourneyMatching for Matcher {
    fn matching(
        &self,
        input: LogicalPlan,
        rows: MatchRows,
        definitions: &IndexMap<String, JourneyDefinition>,
        parameters: &Parameters,
        state: &SessionState,
    ) -> Result<LogicalPlan, Diagnostics> {
        let variables = parameters.as_param_values();
        let by_known = input.schema().has_column_with_unqualified_name("known_at");
        let rows = match rows {
            MatchRows::Members => OutputRows::Members,
            MatchRows::KnownMembers => OutputRows::KnownMembers,
            MatchRows::Instances => OutputRows::Instances { satisfied: satisfied(&variables)? },
            MatchRows::States => OutputRows::States { horizon: horizon(&variables)?, by_known },
        };
        let journeys = definitions.values();
        match_journeys(input, journeys, parameters.as_of(), Some(&variables), rows, state).map_err(|errors| {
            let findings = errors.iter().map(|error| finding(error, definitions));
            Diagnostics(findings.collect())
        })
    }

    fn made_of(&self, column: &str, rows: MatchRows) -> &'static [&'static str] {
        match rows {
            MatchRows::Members | MatchRows::Instances => throughline_journeys::made_of(column),
            MatchRows::KnownMembers => throughline_journeys::known_made_of(column),
            MatchRows::States => throughline_journeys::state_made_of(column),
        }
    }
}

/// The pipeline's variable `satisfied`, or 4 of 5 (SEMANTICS 1).
fn satisfied(variables: &ParamValues) -> Result<Score, Diagnostics> {
    const FOUR_OF_FIVE: f64 = 0.75;
    let Ok(value) = variables.get_placeholders_with_values("$satisfied") else { return Ok(Score(FOUR_OF_FIVE)) };
    match value.value.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(Some(score))) if (0.0..=1.0).contains(&score) => Ok(Score(score)),
        _ => Err(Diagnostic::error("bad-value", "the variable `satisfied` is no score from 0 to 1")
            .help("write e.g. `satisfied: 0.75` under `variables:`")
            .into()),
    }
}

/// The pipeline's variable `exposure_horizon` in microseconds, or 90 days (SEMANTICS 5).
fn horizon(variables: &ParamValues) -> Result<i64, Diagnostics> {
    const DAY: i64 = 86_400_000_000;
    let value = variables.get_placeholders_with_values("$exposure_horizon").ok();
    let horizon = match value.map(|value| value.value) {
        None => return Ok(90 * DAY),
        Some(ScalarValue::IntervalMonthDayNano(Some(length))) => {
            i64::from(length.days).saturating_mul(DAY).saturating_add(length.nanoseconds / 1_000)
        }
        Some(_) => 0,
    };
    if horizon > 0 {
        return Ok(horizon);
    }
    Err(Diagnostic::error("bad-value", "the variable `exposure_horizon` is no length of time above zero")
        .help("write e.g. `exposure_horizon: 90 days` under `variables:`")
        .into())
}

fn finding(error: &MatchError, definitions: &IndexMap<String, JourneyDefinition>) -> Diagnostic {
    let (code, label, help) = words(&error.kind);
    let mut finding = Diagnostic::error(code, error.message.clone()).label(label);
    if let Some(place) = place(error, definitions) {
        finding = finding.at(place);
    }
    if help.is_empty() { finding } else { finding.help(help) }
}

/// The code, the words beside the caret, and the way out.
fn words(kind: &MatchErrorKind) -> (&'static str, String, String) {
    let none = String::new;
    match kind {
        MatchErrorKind::Syntax => ("syntax", none(), "write one SQL condition over the touchpoint's columns".to_owned()),
        MatchErrorKind::UnknownColumn { name, candidates } => {
            let near = closest(name, candidates.iter().map(String::as_str));
            let label = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
            ("unknown-column", label, format!("columns here: {}", candidates.join(", ")))
        }
        MatchErrorKind::NotBoolean { .. } => {
            ("not-boolean", none(), "compare it with something, as in `event = 'order_placed'`".to_owned())
        }
        MatchErrorKind::NotOfTheTouchpoint => {
            ("not-of-the-touchpoint", none(), "a condition looks at one touchpoint and nothing else".to_owned())
        }
        MatchErrorKind::UnknownVariable { .. } => {
            ("unknown-parameter", none(), "declare it under `variables:` of the pipeline".to_owned())
        }
        MatchErrorKind::Invalid => ("type-check", none(), none()),
        MatchErrorKind::MissingColumn { .. } | MatchErrorKind::ColumnType { .. } => (
            "matcher-input",
            none(),
            "the relation under `match:` needs customer_id and touchpoint_id (text or int64) and occurred_at (timestamp in microseconds, UTC), with `ordered_by: known_at` known_at too; of any other time SQL makes one by `arrow_cast(the_time, 'Timestamp(Microsecond, Some(\"UTC\"))')`".to_owned(),
        ),
        MatchErrorKind::MissingMeasured { .. } | MatchErrorKind::MeasuredType { .. } => (
            "matcher-input",
            none(),
            "instances are measured by channel, function and topic (text), resolved (boolean), satisfaction and cost (numbers), states by channel, topic and resolved; a source that has none of them says so, as in `CAST(NULL AS DOUBLE) AS cost`".to_owned(),
        ),
        MatchErrorKind::ColumnClash { name } => {
            ("column-clash", none(), format!("name the input's `{name}` otherwise; the matcher adds a column of that name"))
        }
    }
}

fn place(error: &MatchError, definitions: &IndexMap<String, JourneyDefinition>) -> Option<Place> {
    let definition = definitions.get(error.definition.as_ref()?)?;
    let text: &Located<String> = match error.field? {
        Field::Starts => &definition.starts,
        Field::Ends => definition.ends.as_ref()?,
        Field::Abandons => definition.abandons.as_ref()?,
        Field::Includes => definition.includes.as_ref()?,
        Field::Key => match &error.kind {
            MatchErrorKind::UnknownColumn { name, .. } | MatchErrorKind::MissingColumn { name } => {
                definition.key.iter().find(|column| &column.value == name)?
            }
            _ => definition.key.first()?,
        },
    };
    Some(match &error.span {
        Some(span) => text.place_within(span.clone()),
        None => text.place.clone(),
    })
}

/// The matcher's counts as a row of the run record.
pub(crate) fn conservation(definition: &DefinitionCounts) -> ConservationRow {
    let counts = &definition.counts;
    let named = |pairs: &[(&str, u64)]| {
        pairs.iter().filter(|(_, number)| *number > 0).map(|(name, number)| ((*name).to_owned(), *number)).collect()
    };
    ConservationRow {
        journey: definition.journey.clone(),
        read: counts.read,
        members: counts.members,
        non_members: counts.non_members,
        set_aside: named(&[
            ("null key", counts.set_aside.null_key),
            ("null touchpoint_id", counts.set_aside.null_id),
            ("null occurred_at", counts.set_aside.null_time),
        ]),
        after_as_of: counts.after_as_of,
        instances: named(&[
            ("completed", counts.instances.completed),
            ("abandoned", counts.instances.abandoned),
            ("expired", counts.instances.expired),
            ("restarted", counts.instances.restarted),
            ("open", counts.instances.open),
        ]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn satisfied_by(value: ScalarValue) -> Option<f64> {
        let variables = HashMap::from([("satisfied".to_owned(), value.into())]);
        satisfied(&ParamValues::Map(variables)).ok().map(|score| score.0)
    }

    #[test]
    fn a_satisfied_score_is_a_number_from_0_to_1() {
        assert_eq!(satisfied(&ParamValues::Map(HashMap::new())).ok().map(|score| score.0), Some(0.75));
        assert_eq!(satisfied_by(ScalarValue::Float64(Some(0.9))), Some(0.9));
        assert_eq!(satisfied_by(ScalarValue::Int64(Some(1))), Some(1.0));
        assert_eq!(satisfied_by(ScalarValue::from("0.5")), Some(0.5));
        for wrong in [ScalarValue::from("high"), ScalarValue::Float64(Some(4.0)), ScalarValue::Float64(None)] {
            assert_eq!(satisfied_by(wrong.clone()), None, "{wrong}");
        }
    }
}
