//! Apache Ossie (Open Semantic Interchange), core specification 0.2.0.dev0: `core-spec/spec.md` and `osi-schema.json`
//! of github.com/apache/ossie.

use serde_json::{Map, Value, json};
use throughline_config::Diagnostic;

use crate::exported::{Connection, ExportedFile, not_writable};
use crate::model::{ColumnKind, Figure, FigureKind, SemanticModel, Table};
use crate::sql;

/// The version that the schema asks for, to the letter.
const VERSION: &str = "0.2.0.dev0";
/// Who says what stands in `custom_extensions`.
const VENDOR: &str = "THROUGHLINE";

/// The one file.
pub(crate) fn file(model: &SemanticModel, connection: &Connection) -> Result<ExportedFile, Diagnostic> {
    let datasets: Vec<Value> = model.tables.iter().map(|table| dataset(table, connection)).collect();
    let relationships: Vec<Value> = model
        .joins
        .iter()
        .map(|join| {
            json!({
                "name": format!("{}__{}__{}", join.from, join.from_columns.join("_"), join.to),
                "from": join.from,
                "to": join.to,
                "from_columns": join.from_columns,
                "to_columns": join.to_columns,
            })
        })
        .collect();
    let metrics: Vec<Value> = model
        .tables
        .iter()
        .flat_map(|table| table.figures.iter().map(move |figure| metric(table, figure, model.confidence)))
        .collect();
    let mut semantic_model = Map::new();
    semantic_model.insert("name".to_owned(), json!(model.name));
    insert(&mut semantic_model, "description", model.description.as_deref());
    let instructions = "Take measures from `metrics`: a rate is a sum over a sum, never a mean of rates. A metric that \
                        is null for the rows chosen must not be added or averaged over them; choose fewer rows.";
    semantic_model.insert("ai_context".to_owned(), json!({ "instructions": instructions }));
    semantic_model.insert("datasets".to_owned(), json!(datasets));
    semantic_model.insert("relationships".to_owned(), json!(relationships));
    semantic_model.insert("metrics".to_owned(), json!(metrics));
    let all = json!({ "version": VERSION, "semantic_model": [semantic_model] });
    let text = serde_yaml::to_string(&all).map_err(|error| not_writable("the semantic model", error))?;
    Ok(ExportedFile::new(format!("{}.ossie.yaml", model.name), text))
}

fn insert(object: &mut Map<String, Value>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        object.insert(key.to_owned(), json!(text));
    }
}

fn insert_synonyms(object: &mut Map<String, Value>, synonyms: &[String]) {
    if !synonyms.is_empty() {
        object.insert("ai_context".to_owned(), json!({ "synonyms": synonyms }));
    }
}

fn expression(text: &str) -> Value {
    json!({ "dialects": [{ "dialect": "ANSI_SQL", "expression": text }] })
}

fn dataset(table: &Table, connection: &Connection) -> Value {
    let mut dataset = Map::new();
    dataset.insert("name".to_owned(), json!(table.name));
    let source = [&connection.database, &connection.schema, &table.name].map(|part| sql::identifier(part)).join(".");
    dataset.insert("source".to_owned(), json!(source));
    if !table.key.is_empty() {
        dataset.insert("primary_key".to_owned(), json!(table.key));
    }
    if !table.unique.is_empty() {
        dataset.insert("unique_keys".to_owned(), json!([table.unique]));
    }
    insert(&mut dataset, "description", table.description.as_deref());
    insert_synonyms(&mut dataset, &table.synonyms);
    let fields = table.columns.iter().map(|column| {
        let mut field = Map::new();
        field.insert("name".to_owned(), json!(column.name));
        field.insert("expression".to_owned(), expression(&sql::identifier(&column.name)));
        insert(&mut field, "description", column.description.as_deref());
        field.insert("datatype".to_owned(), json!(data_type(column.kind)));
        insert_synonyms(&mut field, &column.synonyms);
        Value::Object(field)
    });
    dataset.insert("fields".to_owned(), fields.collect());
    Value::Object(dataset)
}

fn data_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "String",
        ColumnKind::Integer => "Integer",
        ColumnKind::Decimal => "Decimal",
        ColumnKind::Float => "Float",
        ColumnKind::Boolean => "Boolean",
        ColumnKind::Date => "Date",
        ColumnKind::Instant => "DateTimeTz",
        ColumnKind::DateTime => "DateTime",
        ColumnKind::Other => "Opaque",
    }
}

fn metric(table: &Table, figure: &Figure, confidence: f64) -> Value {
    let column = |name: &str| format!("{}.{}", sql::identifier(&table.name), sql::identifier(name));
    let mut metric = Map::new();
    metric.insert("name".to_owned(), json!(format!("{}__{}", table.name, figure.name)));
    metric.insert("expression".to_owned(), expression(&sql::figure(figure, confidence, &column)));
    insert(&mut metric, "description", figure.description.as_deref());
    insert_synonyms(&mut metric, &figure.synonyms);
    let data = extension(table, figure).to_string();
    metric.insert("custom_extensions".to_owned(), json!([{ "vendor_name": VENDOR, "data": data }]));
    Value::Object(metric)
}

/// What the specification has no words for: of what a ratio is made, and over what a figure must not be added.
fn extension(table: &Table, figure: &Figure) -> Value {
    let mut data = Map::new();
    data.insert("dataset".to_owned(), json!(table.name));
    match &figure.kind {
        FigureKind::Aggregate(_) => {
            data.insert("additive".to_owned(), json!(true));
        }
        FigureKind::Ratio { names, times, .. } => {
            data.insert("additive".to_owned(), json!(false));
            data.insert("numerator".to_owned(), json!(format!("{}__{}", table.name, names.0)));
            data.insert("denominator".to_owned(), json!(format!("{}__{}", table.name, names.1)));
            data.insert("times".to_owned(), json!(times));
        }
        FigureKind::Limit { .. } => {
            data.insert("additive".to_owned(), json!(false));
            data.insert("needs".to_owned(), json!("SQL functions of the Throughline endpoint"));
        }
        FigureKind::NonAdditive(_) => {
            data.insert("additive".to_owned(), json!(false));
            data.insert("single_row".to_owned(), json!(true));
        }
    }
    if !figure.one_of.is_empty() {
        data.insert("one_of".to_owned(), json!(figure.one_of));
    }
    Value::Object(data)
}
