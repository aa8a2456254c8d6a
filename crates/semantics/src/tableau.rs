//! Tableau: a data source (`.tds`) a table, related to the tables whose rows it names. The elements are those of the
//! workbook schema that Tableau publishes (github.com/tableau/tableau-document-schemas), which has data sources too.

use std::collections::BTreeSet;

use throughline_config::Diagnostic;

use crate::exported::{Connection, ExportedFile, not_writable};
use crate::model::{Column, ColumnKind, Figure, FigureKind, Join, SemanticModel, Table, in_words};
use crate::tableau_formula::{field, formula};
use crate::xml::Element;

/// Since which version of the format data sources relate tables (2020.2 and later).
const VERSION: &str = "18.1";
const NAMED_CONNECTION: &str = "postgres.throughline";

/// A file a table.
pub(crate) fn files(
    model: &SemanticModel,
    connection: &Connection,
) -> Result<(Vec<ExportedFile>, Vec<String>), Diagnostic> {
    let mut notes = Vec::new();
    let mut files = Vec::with_capacity(model.tables.len());
    for table in &model.tables {
        let text = data_source(model, table, connection, &mut notes).document();
        let text = text.map_err(|error| not_writable(&format!("{}.tds", table.name), error))?;
        files.push(ExportedFile::new(format!("{}.tds", table.name), text));
    }
    Ok((files, notes))
}

/// A table in a data source, with what its columns are called there.
struct Part<'a> {
    table: &'a Table,
    fields: Vec<(&'a Column, String)>,
}

impl Part<'_> {
    fn field(&self, column: &str) -> Option<&str> {
        self.fields.iter().find(|(one, _)| one.name == column).map(|(_, field)| field.as_str())
    }
}

fn data_source(model: &SemanticModel, table: &Table, connection: &Connection, notes: &mut Vec<String>) -> Element {
    let mut taken = BTreeSet::new();
    let mut parts = vec![part(table, true, &mut taken)];
    let mut joins: Vec<&Join> = Vec::new();
    for join in model.joins_from(&table.name) {
        // Each table stands once in a data source.
        if parts.iter().any(|part| part.table.name == join.to) {
            let by = join.from_columns.join(", ");
            notes.push(format!("Tableau relates {} to {} once; by {by} it does not", join.from, join.to));
            continue;
        }
        let Some(to) = model.table(&join.to) else { continue };
        parts.push(part(to, false, &mut taken));
        joins.push(join);
    }
    Element::new("datasource")
        .with("formatted-name", format!("federated.{}", table.name))
        .with("inline", "true")
        .with("source-platform", "win")
        .with("version", VERSION)
        .with("xmlns:user", "http://www.tableausoftware.com/xml/user")
        .child(
            Element::new("document-format-change-manifest")
                .child(Element::new("ObjectModelEncapsulateLegacy"))
                .child(Element::new("ObjectModelTableType"))
                .child(Element::new("SchemaViewerObjectModel")),
        )
        .child(connection_element(&parts, connection))
        .child(Element::new("aliases").with("enabled", "yes"))
        .children(columns(&parts))
        .children(table.figures.iter().map(|figure| calculated(table, figure, model.confidence)))
        .child(object_graph(&parts, &joins, connection))
}

/// The first table's columns keep their names; another one's stand with the table's where they are taken.
fn part<'a>(table: &'a Table, first: bool, taken: &mut BTreeSet<String>) -> Part<'a> {
    let columns = table.columns.iter().filter(|column| column.kind != ColumnKind::Other);
    let fields = columns.map(|column| {
        let mut name = column.name.clone();
        if !first && taken.contains(&name) {
            name = format!("{} ({})", column.name, table.name);
        }
        let base = name.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{base} {number}");
            number += 1;
        }
        (column, name)
    });
    Part { table, fields: fields.collect() }
}

fn relation(table: &Table, connection: &Connection) -> Element {
    Element::new("relation")
        .with("connection", NAMED_CONNECTION)
        .with("name", &table.name)
        .with("table", format!("{}.{}", field(&connection.schema), field(&table.name)))
        .with("type", "table")
}

fn connection_element(parts: &[Part<'_>], connection: &Connection) -> Element {
    let postgres = Element::new("connection")
        .with("authentication", "username-password")
        .with("class", "postgres")
        .with("dbname", &connection.database)
        .with("one-time-sql", "")
        .with("port", connection.port.to_string())
        .with("server", &connection.host)
        .with("username", &connection.user);
    let named = Element::new("named-connection")
        .with("caption", &connection.host)
        .with("name", NAMED_CONNECTION)
        .child(postgres);
    let relations = parts.iter().map(|part| relation(part.table, connection));
    let relation = match parts {
        [only] => relation(only.table, connection),
        _ => Element::new("relation").with("type", "collection").children(relations),
    };
    let maps = parts.iter().flat_map(|part| {
        part.fields.iter().map(|(column, name)| {
            let value = format!("{}.{}", field(&part.table.name), field(&column.name));
            Element::new("map").with("key", field(name)).with("value", value)
        })
    });
    let records = parts.iter().flat_map(|part| {
        part.fields.iter().enumerate().map(|(place, (column, name))| record(part.table, column, name, place))
    });
    Element::new("connection")
        .with("class", "federated")
        .child(Element::new("named-connections").child(named))
        .child(relation)
        .child(Element::new("cols").children(maps))
        .child(Element::new("metadata-records").children(records))
}

/// What Tableau would learn of a column by asking, so that a field belongs to its table before anybody connects.
fn record(table: &Table, column: &Column, name: &str, place: usize) -> Element {
    let plain = |name: &'static str, text: &str| Element::new(name).text(text);
    Element::new("metadata-record")
        .with("class", "column")
        .child(plain("remote-name", &column.name))
        .child(plain("local-name", &field(name)))
        .child(plain("parent-name", &field(&table.name)))
        .child(plain("remote-alias", &column.name))
        .child(plain("ordinal", &place.to_string()))
        .child(plain("local-type", data_type(column.kind)))
        .child(plain("aggregation", aggregation(column.kind)))
        .child(plain("contains-null", if table.key.contains(&column.name) { "false" } else { "true" }))
        .child(plain("object-id", &field(&object_id(table))))
}

/// What Tableau notes as a type's usual aggregation; a field's role decides what is done with it.
fn aggregation(kind: ColumnKind) -> &'static str {
    match kind {
        kind if kind.is_number() => "Sum",
        ColumnKind::Date | ColumnKind::Instant | ColumnKind::DateTime => "Year",
        _ => "Count",
    }
}

fn data_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Integer => "integer",
        ColumnKind::Decimal | ColumnKind::Float => "real",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date => "date",
        ColumnKind::Instant | ColumnKind::DateTime => "datetime",
        ColumnKind::Text | ColumnKind::Other => "string",
    }
}

fn description(element: &'static str, words: Option<String>) -> Option<Element> {
    let words = words?;
    Some(Element::new(element).child(Element::new("formatted-text").child(Element::new("run").text(&words))))
}

/// Every column is a dimension, a number's a continuous one: Tableau would sum a measure, rates included.
fn columns<'a>(parts: &'a [Part<'a>]) -> impl Iterator<Item = Element> + 'a {
    parts.iter().flat_map(|part| &part.fields).map(|(column, name)| {
        let kind = match column.kind {
            kind if kind.is_number() => "quantitative",
            ColumnKind::Date | ColumnKind::Instant | ColumnKind::DateTime => "ordinal",
            _ => "nominal",
        };
        Element::new("column")
            .with("caption", name)
            .with("datatype", data_type(column.kind))
            .with("name", field(name))
            .with("role", "dimension")
            .with("type", kind)
            .children(description("desc", in_words(column.description.as_deref(), &column.synonyms)))
    })
}

fn calculated(table: &Table, figure: &Figure, confidence: f64) -> Element {
    let counts = matches!(
        &figure.kind,
        FigureKind::Aggregate(one) if !matches!(one.of, crate::model::AggregateOf::Sum(_))
    );
    Element::new("column")
        .with("caption", format!("{} ({})", figure.name.replace('_', " "), table.name))
        .with("datatype", if counts { "integer" } else { "real" })
        .with("name", field(&format!("Calculation_{}", figure.name)))
        .with("role", "measure")
        .with("type", "quantitative")
        .child(Element::new("calculation").with("class", "tableau").with("formula", formula(table, figure, confidence)))
        .children(description("desc", in_words(figure.description.as_deref(), &figure.synonyms)))
}

fn object_id(table: &Table) -> String {
    format!("{}_object", table.name)
}

fn object_graph(parts: &[Part<'_>], joins: &[&Join], connection: &Connection) -> Element {
    let objects = parts.iter().map(|part| {
        let words = in_words(part.table.description.as_deref(), &part.table.synonyms);
        Element::new("object")
            .with("caption", &part.table.name)
            .with("id", object_id(part.table))
            .child(Element::new("properties").with("context", "").child(relation(part.table, connection)))
            .children(description("table-description", words))
    });
    let graph = Element::new("object-graph").child(Element::new("objects").children(objects));
    let relationships: Vec<Element> = joins.iter().filter_map(|join| relationship(parts, join)).collect();
    if relationships.is_empty() { graph } else { graph.child(Element::new("relationships").children(relationships)) }
}

fn relationship(parts: &[Part<'_>], join: &Join) -> Option<Element> {
    let from = parts.first()?;
    let to = parts.iter().find(|part| part.table.name == join.to)?;
    let mut equal = Vec::with_capacity(join.from_columns.len());
    for (one, other) in join.from_columns.iter().zip(&join.to_columns) {
        let sides = [from.field(one)?, to.field(other)?];
        equal.push(
            Element::new("expression")
                .with("op", "=")
                .children(sides.map(|side| Element::new("expression").with("op", field(side)))),
        );
    }
    let expression = match equal.len() {
        1 => equal.pop()?,
        _ => Element::new("expression").with("op", "AND").children(equal),
    };
    Some(
        Element::new("relationship")
            .child(expression)
            .child(Element::new("first-end-point").with("object-id", object_id(from.table)))
            .child(Element::new("second-end-point").with("object-id", object_id(to.table)).with("unique-key", "true")),
    )
}
