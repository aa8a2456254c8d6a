//! `throughline library show NAME`.

use throughline_config::{ColumnType, Duration, Input, Library, Model, ModelKind, Variable};

use super::known::{Known, made};
use super::list::{reads, state};
use crate::exit::Exit;
use crate::terminal::{fitted, framed, put, say};

/// What stands for the variables of a library.
const VARIABLES: &str = "variables";

/// Prints a model's SQL, an input's columns, or the variables.
pub(super) fn run(known: &Known, name: &str) -> Result<(), Exit> {
    if name == VARIABLES {
        let all: Vec<String> = known.libraries.iter().map(variables).collect();
        return put(&all.concat());
    }
    if let Some((library, input)) =
        known.libraries.iter().find_map(|library| Some((library, library.inputs.get(name)?)))
    {
        return put(&columns(library, input));
    }
    let Some((library, model)) = known.model(name) else { return Err(known.unknown(name)) };
    say(&format!("{name}: {}", model.description.as_deref().unwrap_or("a model without a description")));
    say(&format!("of the library {}: {}; reads {}", library.name.value, made(model), reads(model)?.join(", ")));
    if let Some(pipeline) = &known.pipeline {
        let own = pipeline.models.get(name).filter(|_| pipeline.replaced.contains_key(name)).map(made);
        let own = own.map(|own| format!(", by {own}")).unwrap_or_default();
        say(&format!("in the pipeline {}: {}{own}", pipeline.name.value, state(pipeline, name)));
    }
    match text(model) {
        Some(text) => put(&text),
        None => {
            say("it is made by the matcher from the journey definitions, not by SQL");
            Ok(())
        }
    }
}

fn text(model: &Model) -> Option<String> {
    match &model.kind {
        ModelKind::Sql(file) => Some(file.text.clone()),
        ModelKind::Union(files) => Some(files.iter().map(|file| file.text.as_str()).collect::<Vec<_>>().join("\n")),
        ModelKind::Match { .. } | ModelKind::Eligible { .. } => None,
    }
}

fn columns(library: &Library, input: &Input) -> String {
    let mut table = framed();
    table.set_header(["column", "type", "", "meaning"]);
    for (name, column) in &input.columns {
        let needed = match (column.required, &column.default, &column.without) {
            (true, ..) => "required".to_owned(),
            (false, Some(default), _) => format!("{default} without it"),
            (false, None, Some(without)) => format!("without it {without}"),
            (false, None, None) => "null without it".to_owned(),
        };
        let meaning = column.description.as_ref().or_else(|| library.dictionary.get(name));
        let meaning = meaning.cloned().unwrap_or_default();
        table.add_row([name.as_str(), word(column.data_type), &needed, &meaning]);
    }
    let description = input.description.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
    let without = match (&input.without, input.required) {
        (_, true) => "It has to be there.".to_owned(),
        (Some(without), false) => format!("Without it, {without}."),
        (None, false) => "It may be left out.".to_owned(),
    };
    format!(
        "{}, an input of the library {}{description}\n{without} Further columns are passed on.\n\n{}\n",
        input.name.value,
        library.name.value,
        fitted(table)
    )
}

fn word(data_type: ColumnType) -> &'static str {
    match data_type {
        ColumnType::String => "string",
        ColumnType::Int64 => "int64",
        ColumnType::Float64 => "float64",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp",
    }
}

/// As YAML, with the comments that the library's file has.
fn variables(library: &Library) -> String {
    let mut text = format!("# Variables of the library {}, with their defaults\nvariables:\n", library.name.value);
    for (name, variable) in &library.variables {
        let place = &variable.place;
        let line = place.file.text[place.span.end..].lines().next().unwrap_or_default();
        let comment = line.trim_start().strip_prefix('#').map(|comment| format!("  # {}", comment.trim()));
        text.push_str(&format!("  {name}: {}{}\n", value(&variable.value), comment.unwrap_or_default()));
    }
    text
}

fn value(variable: &Variable) -> String {
    const SECOND: i64 = 1_000_000;
    match variable {
        Variable::Duration(Duration(length)) if length % (86_400 * SECOND) == 0 => {
            format!("{} days", length / (86_400 * SECOND))
        }
        Variable::Duration(Duration(length)) => format!("{} seconds", length / SECOND),
        Variable::Timestamp(instant) => chrono::DateTime::from_timestamp_micros(*instant)
            .map_or_else(|| instant.to_string(), |instant| instant.to_rfc3339()),
        Variable::Integer(number) => number.to_string(),
        Variable::Float(number) => format!("{number:?}"),
        Variable::Boolean(truth) => truth.to_string(),
        Variable::Text(text) => text.clone(),
        Variable::Texts(texts) => format!("[{}]", texts.join(", ")),
    }
}
