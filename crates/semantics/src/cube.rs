//! Cube's data model (its reference of cubes, joins, dimensions and measures): a YAML file a table.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cube_yaml::{document, literal};
use crate::exported::{Connection, ExportedFile};
use crate::model::{Aggregate, AggregateOf, Column, ColumnKind, Figure, FigureKind, Join, SemanticModel, Table};
use crate::sql;

/// A file a table, and the variables of the environment that tell Cube of the endpoint.
pub(crate) fn files(model: &SemanticModel, connection: &Connection) -> (Vec<ExportedFile>, Vec<String>) {
    let mut notes = Vec::new();
    let mut files: Vec<ExportedFile> = model
        .tables
        .iter()
        .map(|table| {
            let cubes = json!({ "cubes": [cube(model, table, connection, &mut notes)] });
            ExportedFile::new(format!("model/cubes/{}.yml", table.name), document(&cubes))
        })
        .collect();
    let Connection { host, port, database, user, .. } = connection;
    let environment = format!(
        "# The password belongs into CUBEJS_DB_PASS, where the endpoint asks for one.\nCUBEJS_DB_TYPE=postgres\n\
         CUBEJS_DB_HOST={host}\nCUBEJS_DB_PORT={port}\nCUBEJS_DB_NAME={database}\nCUBEJS_DB_USER={user}\n"
    );
    files.push(ExportedFile::new("cube.env", environment));
    (files, notes)
}

fn cube(model: &SemanticModel, table: &Table, connection: &Connection, notes: &mut Vec<String>) -> Value {
    let mut cube = Map::new();
    cube.insert("name".to_owned(), json!(table.name));
    let name = [&connection.schema, &table.name].map(|part| literal(&sql::identifier(part))).join(".");
    cube.insert("sql_table".to_owned(), json!(name));
    describe(&mut cube, table.description.as_deref(), &table.synonyms, Map::new());
    let joins = joins(model, table, notes);
    if !joins.is_empty() {
        cube.insert("joins".to_owned(), json!(joins));
    }
    // Dimensions and measures of a cube share one set of names. Measures keep theirs.
    let mut names: BTreeSet<String> = table.figures.iter().map(|figure| figure.name.clone()).collect();
    let columns = table.columns.iter().filter(|column| column.kind != ColumnKind::Other);
    let mut dimensions: Vec<Value> = columns.map(|column| dimension(table, column, &mut names)).collect();
    dimensions.extend(row_key(table));
    cube.insert("dimensions".to_owned(), json!(dimensions));
    let measures = measures(table, model.confidence);
    if !measures.is_empty() {
        cube.insert("measures".to_owned(), json!(measures));
    }
    Value::Object(cube)
}

fn describe(
    object: &mut Map<String, Value>,
    description: Option<&str>,
    synonyms: &[String],
    mut meta: Map<String, Value>,
) {
    if let Some(description) = description {
        object.insert("description".to_owned(), json!(literal(description)));
    }
    if !synonyms.is_empty() {
        let synonyms: Vec<String> = synonyms.iter().map(|word| literal(word)).collect();
        meta.insert("synonyms".to_owned(), json!(synonyms));
    }
    if !meta.is_empty() {
        object.insert("meta".to_owned(), Value::Object(meta));
    }
}

fn own(column: &str) -> String {
    format!("{{CUBE}}.{}", literal(&sql::identifier(column)))
}

/// Joins to each table once. Cube asks for a key of the table that joins.
fn joins(model: &SemanticModel, table: &Table, notes: &mut Vec<String>) -> Vec<Value> {
    let mut joins: Vec<Value> = Vec::new();
    let mut joined = BTreeSet::new();
    for join in model.joins_from(&table.name) {
        let by = join.from_columns.join(", ");
        if table.key.is_empty() && table.unique.is_empty() {
            notes.push(format!("Cube joins no table without a grain: {} to {} is left out", join.from, join.to));
        } else if joined.insert(&join.to) {
            joins.push(join_of(join));
        } else {
            notes.push(format!("Cube joins {} to {} once; by {by} it does not", join.from, join.to));
        }
    }
    joins
}

/// The key of a table that has none, made of columns that are unique together.
fn row_key(table: &Table) -> Option<Value> {
    if table.unique.is_empty() {
        return None;
    }
    let parts: Vec<String> =
        table.unique.iter().map(|column| format!("COALESCE(CAST({} AS VARCHAR), '')", own(column))).collect();
    Some(json!({
        "name": "row__key",
        "sql": parts.join(" || '|' || "),
        "type": "string",
        "primary_key": true,
        "public": false,
    }))
}

fn join_of(join: &Join) -> Value {
    let pairs = join.from_columns.iter().zip(&join.to_columns);
    let conditions: Vec<String> =
        pairs.map(|(from, to)| format!("{} = {{{}}}.{}", own(from), join.to, literal(&sql::identifier(to)))).collect();
    json!({ "name": join.to, "relationship": "many_to_one", "sql": conditions.join(" AND ") })
}

fn dimension(table: &Table, column: &Column, names: &mut BTreeSet<String>) -> Value {
    let mut dimension = Map::new();
    let name = member_name(&column.name, names);
    dimension.insert("name".to_owned(), json!(name));
    dimension.insert("sql".to_owned(), json!(own(&column.name)));
    let kind = match column.kind {
        ColumnKind::Integer | ColumnKind::Decimal | ColumnKind::Float => "number",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date | ColumnKind::Instant | ColumnKind::DateTime => "time",
        ColumnKind::Text | ColumnKind::Other => "string",
    };
    dimension.insert("type".to_owned(), json!(kind));
    if name != column.name {
        dimension.insert("title".to_owned(), json!(literal(&column.name)));
    }
    if table.key.contains(&column.name) {
        dimension.insert("primary_key".to_owned(), json!(true));
        // A key's columns are hidden unless said otherwise.
        dimension.insert("public".to_owned(), json!(true));
    }
    describe(&mut dimension, column.description.as_deref(), &column.synonyms, Map::new());
    Value::Object(dimension)
}

/// A name that Cube allows and no other member of the cube has.
fn member_name(column: &str, names: &mut BTreeSet<String>) -> String {
    let mut name: String =
        column.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name.insert_str(0, "column_");
    }
    if names.contains(&name) {
        name.push_str("_of_row");
    }
    let base = name.clone();
    let mut number = 2;
    while !names.insert(name.clone()) {
        name = format!("{base}_{number}");
        number += 1;
    }
    name
}

/// A hidden measure that others are made of: Cube counts and sums a table's rows once, also where a join repeats them,
/// but only in measures of their own.
fn base_name(measure: &str) -> String {
    format!("{measure}__base")
}

fn measures(table: &Table, confidence: f64) -> Vec<Value> {
    let mut hidden: Vec<Value> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut base = |name: &str, aggregate: &Aggregate| {
        let name = base_name(name);
        if seen.insert(name.clone()) {
            let mut measure = aggregate_measure(&name, aggregate);
            measure.insert("public".to_owned(), json!(false));
            hidden.push(Value::Object(measure));
        }
        format!("{{CUBE.{name}}}")
    };
    let mut measures: Vec<Value> = Vec::new();
    for figure in &table.figures {
        let guard: Vec<String> = figure
            .one_of
            .iter()
            .enumerate()
            .map(|(place, column)| {
                // Numbered, because a column's name may hold anything.
                let values = Aggregate { of: AggregateOf::Distinct(column.clone()), filters: Vec::new() };
                let place = table.columns.iter().position(|one| one.name == *column).unwrap_or(place);
                format!("{} <= 1", base(&format!("values_of_column_{place}"), &values))
            })
            .collect();
        let value = match &figure.kind {
            FigureKind::Aggregate(aggregate) if guard.is_empty() => {
                measures.push(described(aggregate_measure(&figure.name, aggregate), figure));
                continue;
            }
            FigureKind::Aggregate(aggregate) => base(&figure.name, aggregate),
            FigureKind::Ratio { names, numerator, denominator, times, .. } => {
                sql::quotient(&base(&names.0, numerator), &base(&names.1, denominator), *times)
            }
            FigureKind::Limit { names, numerator, denominator, times, interval, upper } => {
                let above = base(&names.0, numerator);
                let below = base(&names.1, denominator);
                sql::limit((&above, &below), *times, *interval, *upper, confidence)
            }
            FigureKind::NonAdditive(column) => {
                let rows = base("rows", &Aggregate { of: AggregateOf::Rows, filters: Vec::new() });
                format!("CASE WHEN {rows} = 1 THEN MAX({}) END", own(column))
            }
        };
        let sql = match (guard.is_empty(), &figure.kind) {
            (false, FigureKind::Aggregate(_) | FigureKind::Ratio { .. } | FigureKind::Limit { .. }) => {
                format!("CASE WHEN {} THEN {value} END", guard.join(" AND "))
            }
            _ => value,
        };
        let measure = [("name", json!(figure.name)), ("type", json!("number")), ("sql", json!(sql))];
        measures.push(described(measure.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(), figure));
    }
    hidden.extend(measures);
    hidden
}

fn aggregate_measure(name: &str, aggregate: &Aggregate) -> Map<String, Value> {
    let mut measure = Map::new();
    measure.insert("name".to_owned(), json!(name));
    let (kind, of) = match &aggregate.of {
        AggregateOf::Rows => ("count", None),
        AggregateOf::Count(column) => ("count", Some(column)),
        AggregateOf::Distinct(column) => ("count_distinct", Some(column)),
        AggregateOf::Sum(column) => ("sum", Some(column)),
    };
    measure.insert("type".to_owned(), json!(kind));
    if let Some(column) = of {
        measure.insert("sql".to_owned(), json!(own(column)));
    }
    let filters: Vec<Value> = aggregate
        .filters
        .iter()
        .map(|filter| {
            // The column's reference keeps its braces; the values may hold some of their own.
            let condition = literal(&sql::condition(filter, &|column| sql::identifier(column)));
            json!({ "sql": format!("{{CUBE}}.{condition}") })
        })
        .collect();
    if !filters.is_empty() {
        measure.insert("filters".to_owned(), json!(filters));
    }
    measure
}

fn described(mut measure: Map<String, Value>, figure: &Figure) -> Value {
    let mut meta = Map::new();
    match &figure.kind {
        FigureKind::Ratio { names, times, .. } => {
            meta.insert("numerator".to_owned(), json!(names.0));
            meta.insert("denominator".to_owned(), json!(names.1));
            meta.insert("times".to_owned(), json!(times));
        }
        FigureKind::NonAdditive(_) => {
            meta.insert("additive".to_owned(), json!(false));
        }
        FigureKind::Aggregate(_) | FigureKind::Limit { .. } => {}
    }
    if !figure.one_of.is_empty() {
        let columns: Vec<String> = figure.one_of.iter().map(|column| literal(column)).collect();
        meta.insert("one_of".to_owned(), json!(columns));
    }
    describe(&mut measure, figure.description.as_deref(), &figure.synonyms, meta);
    Value::Object(measure)
}
