//! Power BI: a `.pbids` file that connects to the endpoint, and a semantic model as a Power BI project has it:
//! `definition.pbism` and TMDL. (Microsoft: "Connect to data sources with PBIDS files", "Power BI Desktop project
//! semantic model folder", "TMDL overview".)

use std::collections::BTreeSet;

use serde_json::json;
use throughline_config::{Diagnostic, RatioInterval};

use crate::dax;
use crate::exported::{Connection, ExportedFile, not_writable};
use crate::model::{Column, ColumnKind, Figure, FigureKind, Join, SemanticModel, Table, in_words};
use crate::tmdl::{Tmdl, m_text, name};

/// Power BI's present level of models.
const COMPATIBILITY_LEVEL: u32 = 1600;
const CULTURE: &str = "en-US";

/// The files, and what Power BI has no way to hold.
pub(crate) fn files(
    model: &SemanticModel,
    connection: &Connection,
) -> Result<(Vec<ExportedFile>, Vec<String>), Diagnostic> {
    let mut notes = Vec::new();
    let folder = format!("{}.SemanticModel", model.name);
    let definition = |file: &str| format!("{folder}/definition/{file}.tmdl");
    let mut files = vec![
        pbids(model, connection)?,
        ExportedFile::new(format!("{folder}/definition.pbism"), pretty(&json!({ "version": "4.2", "settings": {} }))?),
        ExportedFile::new(definition("database"), format!("database\n\tcompatibilityLevel: {COMPATIBILITY_LEVEL}\n")),
        ExportedFile::new(definition("model"), model_file(model)),
        ExportedFile::new(definition("expressions"), expressions(connection)),
    ];
    let relationships = relationships(model, &mut notes);
    if !relationships.is_empty() {
        files.push(ExportedFile::new(definition("relationships"), relationships));
    }
    let limits = model.tables.iter().flat_map(|table| &table.figures);
    if limits.into_iter().any(|figure| matches!(figure.kind, FigureKind::Limit { .. })) {
        notes.push(
            "Power BI cannot call the functions of intervals: its ratios have no limits, the published columns do"
                .to_owned(),
        );
    }
    for table in &model.tables {
        files.push(ExportedFile::new(definition(&format!("tables/{}", table.name)), table_file(table, connection)));
    }
    Ok((files, notes))
}

fn pretty(value: &serde_json::Value) -> Result<String, Diagnostic> {
    let text = serde_json::to_string_pretty(value).map_err(|error| not_writable("the JSON", error))?;
    Ok(text + "\n")
}

fn pbids(model: &SemanticModel, connection: &Connection) -> Result<ExportedFile, Diagnostic> {
    let address = json!({ "server": connection.address(), "database": connection.database });
    let details = json!({ "protocol": "postgresql", "address": address, "authentication": null, "query": null });
    let all = json!({ "version": "0.1", "connections": [{ "details": details, "options": {}, "mode": "Import" }] });
    Ok(ExportedFile::new(format!("{}.pbids", model.name), pretty(&all)?))
}

fn model_file(model: &SemanticModel) -> String {
    let mut out = Tmdl::default();
    out.description(0, model.description.as_deref());
    out.line(0, "model Model");
    out.line(1, &format!("culture: {CULTURE}"));
    out.line(1, "defaultPowerBIDataSourceVersion: powerBI_V3");
    // Nothing is summed because it is a number: what may be summed is a measure.
    out.line(1, "discourageImplicitMeasures");
    out.line(1, &format!("sourceQueryCulture: {CULTURE}"));
    out.gap();
    for table in &model.tables {
        out.line(0, &format!("ref table {}", name(&table.name)));
    }
    out.into_text()
}

/// Parameters, so that one place says where the endpoint is.
fn expressions(connection: &Connection) -> String {
    let mut out = Tmdl::default();
    for (parameter, value) in [("Server", connection.address()), ("Database", connection.database.clone())] {
        let meta = "meta [IsParameterQuery=true, Type=\"Text\", IsParameterQueryRequired=true]";
        out.line(0, &format!("expression {parameter} = {} {meta}", m_text(&value)));
        out.gap();
    }
    out.into_text()
}

/// Relationships are over one column, and of two ways from one table to another one only one may be active.
fn relationships(model: &SemanticModel, notes: &mut Vec<String>) -> String {
    let mut out = Tmdl::default();
    let mut active: Vec<&Join> = Vec::new();
    // Between facts first, then from those that reach the fewest tables: so that the longest way to a dimension is the
    // active one, and a fact's own filters reach the rows below it.
    let all: Vec<&Join> = model.joins.iter().collect();
    let is_last = |join: &Join| model.joins_from(&join.to).next().is_none();
    let mut ordered = all.clone();
    ordered.sort_by_key(|join| (is_last(join), reached(&join.from, &all, false).len()));
    for join in ordered {
        let ([from], [to]) = (join.from_columns.as_slice(), join.to_columns.as_slice()) else {
            let by = join.from_columns.join(", ");
            notes.push(format!("Power BI joins over one column: {} to {} by {by} is left out", join.from, join.to));
            continue;
        };
        let is_active = !makes_two_ways(join, &active);
        let (Some(from), Some(to)) = (shown(model, &join.from, from), shown(model, &join.to, to)) else { continue };
        out.line(0, &format!("relationship {}", name(&format!("{} {} {}", join.from, from, join.to))));
        if is_active {
            active.push(join);
        } else {
            out.line(1, "isActive: false");
        }
        out.line(1, &format!("fromColumn: {}.{}", name(&join.from), name(&from)));
        out.line(1, &format!("toColumn: {}.{}", name(&join.to), name(&to)));
        out.gap();
    }
    out.into_text()
}

/// What Power BI calls a column.
fn shown(model: &SemanticModel, table: &str, column: &str) -> Option<String> {
    model.table(table).map(|table| Names::of(table).column(column))
}

/// Whether with this join some table would reach another one in two ways.
fn makes_two_ways(join: &Join, active: &[&Join]) -> bool {
    let (above, below) = (reached(&join.from, active, true), reached(&join.to, active, false));
    above.iter().any(|table| reached(table, active, false).intersection(&below).next().is_some())
}

/// The tables that rows of `start` name, directly or by way of others, itself included; `up`, those that name it.
fn reached(start: &str, joins: &[&Join], up: bool) -> BTreeSet<String> {
    let mut all = BTreeSet::from([start.to_owned()]);
    let mut new = vec![start.to_owned()];
    while let Some(table) = new.pop() {
        for join in joins {
            let (near, far) = if up { (&join.to, &join.from) } else { (&join.from, &join.to) };
            if *near == table && all.insert(far.clone()) {
                new.push(far.clone());
            }
        }
    }
    all
}

/// What Power BI calls columns and measures: in a table no two may differ by case alone.
struct Names<'a> {
    columns: Vec<(&'a str, String)>,
}

impl<'a> Names<'a> {
    fn of(table: &'a Table) -> Self {
        // Measures keep their names: `completion rate (fct_journey)` is found once in all tables.
        let mut taken: BTreeSet<String> =
            table.figures.iter().map(|figure| measure_name(table, figure).to_lowercase()).collect();
        let columns = table.columns.iter().map(|column| {
            let mut shown = column.name.clone();
            let mut number = 2;
            while !taken.insert(shown.to_lowercase()) {
                shown = format!("{} {number}", column.name);
                number += 1;
            }
            (column.name.as_str(), shown)
        });
        Self { columns: columns.collect() }
    }

    fn column(&self, name: &str) -> String {
        let found = self.columns.iter().find(|(column, _)| *column == name);
        found.map_or_else(|| name.to_owned(), |(_, shown)| shown.clone())
    }
}

fn measure_name(table: &Table, figure: &Figure) -> String {
    format!("{} ({})", figure.name.replace('_', " "), table.name)
}

fn table_file(table: &Table, connection: &Connection) -> String {
    let names = Names::of(table);
    let mut out = Tmdl::default();
    out.description(0, in_words(table.description.as_deref(), &table.synonyms).as_deref());
    out.line(0, &format!("table {}", name(&table.name)));
    out.gap();
    for figure in &table.figures {
        measure(table, figure, &names, &mut out);
    }
    for column in table.columns.iter().filter(|column| column.kind != ColumnKind::Other) {
        column_lines(table, column, &names, &mut out);
    }
    out.line(1, &format!("partition {} = m", name(&table.name)));
    out.line(2, "mode: import");
    out.line(2, "source =");
    let (schema, item) = (m_text(&connection.schema), m_text(&table.name));
    for (depth, line) in [
        (4, "let".to_owned()),
        (5, "Source = PostgreSQL.Database(Server, Database),".to_owned()),
        (5, format!("Rows = Source{{[Schema={schema}, Item={item}]}}[Data]")),
        (4, "in".to_owned()),
        (5, "Rows".to_owned()),
    ] {
        out.line(depth, &line);
    }
    out.into_text()
}

fn measure(table: &Table, figure: &Figure, names: &Names<'_>, out: &mut Tmdl) {
    let Some(expression) = dax::figure(&table.name, figure, &|column| names.column(column)) else { return };
    out.description(1, in_words(figure.description.as_deref(), &figure.synonyms).as_deref());
    out.line(1, &format!("measure {} = {expression}", name(&measure_name(table, figure))));
    let format = match &figure.kind {
        FigureKind::Aggregate(_) => "#,##0",
        FigureKind::Ratio { interval: Some(RatioInterval::Wilson), .. } => "0.0%",
        _ => "#,##0.00",
    };
    out.line(2, &format!("formatString: {format}"));
    synonyms(&figure.synonyms, out);
    out.gap();
}

/// Power BI's own place for synonyms is generated by its language service; here they are in words and as data.
fn synonyms(words: &[String], out: &mut Tmdl) {
    if !words.is_empty() {
        out.gap();
        out.annotation(2, "Throughline_Synonyms", &json!(words).to_string());
    }
}

fn column_lines(table: &Table, column: &Column, names: &Names<'_>, out: &mut Tmdl) {
    let kind = match column.kind {
        ColumnKind::Integer => "int64",
        ColumnKind::Decimal => "decimal",
        ColumnKind::Float => "double",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date | ColumnKind::Instant | ColumnKind::DateTime => "dateTime",
        ColumnKind::Text | ColumnKind::Other => "string",
    };
    out.description(1, in_words(column.description.as_deref(), &column.synonyms).as_deref());
    out.line(1, &format!("column {}", name(&names.column(&column.name))));
    out.line(2, &format!("dataType: {kind}"));
    if table.key.as_slice() == std::slice::from_ref(&column.name) {
        out.line(2, "isKey");
    }
    out.line(2, "summarizeBy: none");
    out.text(2, "sourceColumn", &column.name);
    synonyms(&column.synonyms, out);
    out.gap();
}
