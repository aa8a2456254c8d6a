//! Which rows of an incremental model a run has to replace, and how they are recognised.

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use throughline_config::{Diagnostic, Diagnostics, MatchRows, Materialization, Model, ModelKind, Pipeline};

use crate::condition::{column_named, schema_of};

/// Which rows of an incremental model new and late rows can have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplacedRows {
    /// Members of the instances that are matched again.
    Members,
    /// Instances that are matched again, and those whose last touchpoint lies within the model's reach.
    Instances {
        /// The view of instances that the model reads.
        view: String,
        /// The incremental model of members over the same touchpoints, in which open instances are found.
        members: String,
    },
    /// Rows whose time lies in what is rebuilt.
    Interval {
        /// The column of the time.
        time_column: String,
    },
}

/// How the rows of `model`, which reads `inputs`, are recognised; `None` for a model that is not incremental.
pub(crate) fn replaced_rows<'a>(
    model: &Model,
    pipeline: &Pipeline,
    mut inputs: impl Iterator<Item = &'a str>,
) -> Result<Option<ReplacedRows>, Diagnostics> {
    if !matches!(model.materialized, Materialization::Incremental(_)) {
        return Ok(None);
    }
    if matches!(model.kind, ModelKind::Match { .. }) {
        return Ok(Some(ReplacedRows::Members));
    }
    let is_view = |name: &str| pipeline.models.get(name).is_some_and(|model| !model.materialized.is_stored());
    let instances = inputs.find_map(|name| match &pipeline.models.get(name)?.kind {
        ModelKind::Match { input, rows: MatchRows::Instances } if is_view(name) => Some((name, input)),
        _ => None,
    });
    let Some((view, touchpoints)) = instances else {
        return match &model.time_column {
            Some(time) => Ok(Some(ReplacedRows::Interval { time_column: time.value.clone() })),
            None => Err(Diagnostic::error(
                "missing-key",
                format!("the incremental model `{}` has no `time_column`", model.name.value),
            )
            .at(model.name.place.clone())
            .help("name the time column since which its rows are rebuilt, or write `materialized: table`")
            .into()),
        };
    };
    let members = pipeline.models.values().find(|other| {
        let matches_the_same = matches!(
            &other.kind,
            ModelKind::Match { input, rows: MatchRows::Members } if input.value == touchpoints.value
        );
        matches_the_same && matches!(other.materialized, Materialization::Incremental(_))
    });
    match members {
        Some(members) => {
            Ok(Some(ReplacedRows::Instances { view: view.to_owned(), members: members.name.value.clone() }))
        }
        None => Err(Diagnostic::error(
            "no-members",
            format!("`{}` reads instances, and no incremental model keeps their touchpoints", model.name.value),
        )
        .at(model.name.place.clone())
        .help(format!(
            "open instances are carried over from their members: add a model with `match: {}` and `materialized: incremental`, or write `materialized: table` here",
            touchpoints.value
        ))
        .into()),
    }
}

/// Holds the columns of an incremental model against what replacing its rows needs.
pub(crate) fn check_replaced(
    replaced: &ReplacedRows,
    model: &Model,
    schema: &SchemaRef,
    schema_of_view: impl Fn(&str) -> Option<SchemaRef>,
) -> Result<(), Diagnostics> {
    match replaced {
        ReplacedRows::Members => Ok(()),
        ReplacedRows::Interval { .. } => {
            let Some(time) = &model.time_column else { return Ok(()) };
            let columns = schema_of(&model.name, schema)?;
            column_named(time, &columns)?;
            match schema.field_with_name(&time.value).ok().map(|field| field.data_type()) {
                Some(DataType::Timestamp(..)) => Ok(()),
                found => {
                    let found = found.map(ToString::to_string).unwrap_or_default();
                    let message =
                        format!("`{}` is {found}, and the time of an incremental model is a timestamp", time.value);
                    Err(Diagnostic::error("not-a-time", message).at(time.place.clone()).into())
                }
            }
        }
        ReplacedRows::Instances { view, .. } => {
            let Some(instances) = schema_of_view(view) else { return Ok(()) };
            let missing: Vec<&str> = instances
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .filter(|name| schema.field_with_name(name).is_err())
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            let message = format!(
                "the incremental model `{}` has not every column of `{view}`: {} {} missing",
                model.name.value,
                missing.join(", "),
                if missing.len() == 1 { "is" } else { "are" },
            );
            Err(Diagnostic::error("missing-column", message)
                .at(model.name.place.clone())
                .help("instances that are not matched again are read from this table, so it keeps their columns under the same names")
                .into())
        }
    }
}
