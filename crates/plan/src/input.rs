//! What a library asks of a relation, held against its columns.
//!
//! A model may leave optional columns out: they are added as nulls, or as copies of the column that the library names.
//! Its types may be narrower than those that are asked for; they are cast where no value is lost.

use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, col, lit};
use throughline_config::{ColumnType, Diagnostic, Diagnostics, Input, InputColumn, Pipeline, Place, Source};

use crate::error_place::{TextOrigin, diagnose};
use crate::sql_text::SqlText;

/// Where a column is written that is not what is asked for.
pub(crate) enum Written<'a> {
    /// In a SELECT.
    Sql(&'a SqlText),
    /// Somewhere else: the model's name is to blame.
    Model(&'a Place),
}

impl Written<'_> {
    fn column(&self, name: &str) -> Place {
        match self {
            Self::Sql(sql) => sql.output_column(name).unwrap_or_else(|| self.whole()),
            Self::Model(place) => (*place).clone(),
        }
    }

    fn whole(&self) -> Place {
        match self {
            Self::Sql(sql) => TextOrigin::File(sql.file.clone()).whole(),
            Self::Model(place) => (*place).clone(),
        }
    }
}

/// The rows of a model with the columns and types that a library asks for; as they are where `name` is no input.
pub(crate) fn as_asked_for(
    rows: LogicalPlan,
    name: &str,
    pipeline: &Pipeline,
    written: &Written<'_>,
) -> Result<LogicalPlan, Diagnostics> {
    let Some(input) = pipeline.inputs.get(name) else { return Ok(rows) };
    let schema: SchemaRef = rows.schema().as_arrow().clone().into();
    let mut findings = Diagnostics::default();
    let mut changed = false;
    let mut columns: Vec<Expr> = Vec::new();
    for (qualifier, field) in rows.schema().iter() {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let asked = input.columns.get(field.name());
        match asked.map(|asked| (asked, fit(field.data_type(), asked.data_type))) {
            None | Some((_, Fit::AsItIs)) => columns.push(column),
            Some((asked, Fit::Cast)) => {
                changed = true;
                columns.push(cast(column, data_type(asked.data_type)).alias(field.name()));
            }
            Some((asked, Fit::Not)) => {
                findings.push(mistyped(input, asked, field.data_type(), pipeline).at(written.column(field.name())));
            }
        }
    }
    for asked in input.columns.values().filter(|asked| schema.field_with_name(&asked.name).is_err()) {
        if asked.required {
            findings.push(missing(input, asked, pipeline).at(written.whole()));
            continue;
        }
        changed = true;
        let value = match asked.default.as_deref().filter(|default| schema.field_with_name(default).is_ok()) {
            Some(default) => cast(col(Column::from_name(default)), data_type(asked.data_type)),
            None => cast(lit(ScalarValue::Null), data_type(asked.data_type)),
        };
        columns.push(value.alias(&asked.name.value));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    if !changed {
        return Ok(rows);
    }
    let projected = LogicalPlanBuilder::from(rows).project(columns).and_then(LogicalPlanBuilder::build);
    projected.map_err(|error| diagnose(&error, &TextOrigin::Value(input.name.clone())))
}

/// A source or seed that is an input has every column that is asked for: nothing stands between it and its readers.
pub(crate) fn source_as_asked_for(source: &Source, schema: &SchemaRef, pipeline: &Pipeline) -> Diagnostics {
    let mut findings = Diagnostics::default();
    let Some(input) = pipeline.inputs.get(&source.name.value) else { return findings };
    for asked in input.columns.values() {
        let declared = source.columns.get(&asked.name.value).map(|column| &column.data_type.place);
        let help = format!("or make a model of it: read it under another name in `{}: {{ sql: … }}`", input.name.value);
        match schema.field_with_name(&asked.name).map(|field| (field, fit(field.data_type(), asked.data_type))) {
            Ok((_, Fit::AsItIs)) => {}
            Ok((field, _)) => {
                let finding = mistyped(input, asked, field.data_type(), pipeline);
                findings.push(finding.at(declared.unwrap_or(&source.name.place).clone()).help(help));
            }
            Err(_) => findings.push(missing(input, asked, pipeline).at(source.name.place.clone()).help(help)),
        }
    }
    findings
}

enum Fit {
    AsItIs,
    Cast,
    Not,
}

fn fit(found: &DataType, asked: ColumnType) -> Fit {
    let is_text = matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let loses_nothing = match asked {
        ColumnType::String if is_text => return Fit::AsItIs,
        ColumnType::String => found.is_integer(),
        ColumnType::Int64 => found.is_integer() && *found != DataType::UInt64,
        ColumnType::Float64 => found.is_numeric(),
        ColumnType::Timestamp => matches!(found, DataType::Timestamp(..)),
        ColumnType::Boolean | ColumnType::Date => false,
    };
    match *found == data_type(asked) {
        true => Fit::AsItIs,
        false if loses_nothing || *found == DataType::Null => Fit::Cast,
        false => Fit::Not,
    }
}

fn data_type(asked: ColumnType) -> DataType {
    match asked {
        ColumnType::String => DataType::Utf8,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

fn word(asked: ColumnType) -> &'static str {
    match asked {
        ColumnType::String => "a text",
        ColumnType::Int64 => "a whole number",
        ColumnType::Float64 => "a number (double)",
        ColumnType::Boolean => "true or false",
        ColumnType::Date => "a date",
        ColumnType::Timestamp => "a timestamp",
    }
}

/// How a column gets the type, by way of an SQL expression over `from`.
fn cure(asked: ColumnType, from: &str) -> String {
    match asked {
        ColumnType::String => format!("CAST({from} AS VARCHAR)"),
        ColumnType::Int64 => format!("CAST({from} AS BIGINT)"),
        ColumnType::Float64 => format!("CAST({from} AS DOUBLE)"),
        ColumnType::Boolean => format!("CAST({from} AS BOOLEAN)"),
        ColumnType::Date => format!("CAST({from} AS DATE)"),
        ColumnType::Timestamp => format!("arrow_cast({from}, 'Timestamp(Microsecond, Some(\"UTC\"))')"),
    }
}

fn missing(input: &Input, asked: &InputColumn, pipeline: &Pipeline) -> Diagnostic {
    let (name, column) = (&input.name.value, &asked.name.value);
    let message = format!("`{name}` has no column `{column}`, which the library {} asks for", input.library);
    let label = format!("`… AS {column}`, {}, is missing", word(asked.data_type));
    explained(Diagnostic::error("input-column", message).label(label), asked, pipeline)
        .help(format!("where nobody knows it: `{} AS {column}`", cure(asked.data_type, "NULL")))
}

fn mistyped(input: &Input, asked: &InputColumn, found: &DataType, pipeline: &Pipeline) -> Diagnostic {
    let (name, column) = (&input.name.value, &asked.name.value);
    let wanted = word(asked.data_type);
    let message = format!("column `{column}` of `{name}` is {found}; the library {} asks for {wanted}", input.library);
    explained(Diagnostic::error("input-type", message), asked, pipeline)
        .help(format!("write e.g. `{} AS {column}`", cure(asked.data_type, "…")))
}

/// With what the column means: why it is asked for.
fn explained(finding: Diagnostic, asked: &InputColumn, pipeline: &Pipeline) -> Diagnostic {
    let column = &asked.name.value;
    match asked.description.as_ref().or_else(|| pipeline.dictionary.get(column)) {
        Some(meaning) => finding.help(format!("{column}: {meaning}")),
        None => finding,
    }
}
