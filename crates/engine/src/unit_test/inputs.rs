//! The relations of a unit test: given rows, empty relations, and models computed from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::prelude::SessionContext;
use throughline_config::{Diagnostic, Diagnostics, GivenRows, Located, ModelKind, Pipeline, TestRow, closest};
use throughline_lake::{column_type, declared_columns};
use throughline_plan::{Graph, JOURNEY_DEFINITIONS, Node, Parameters, named_columns, relation};

use super::values::{inferred, typed};
use crate::failure::EngineError;
use crate::instants::time_type;
use crate::workspace::matching::Matcher;

/// The columns of relations, as far as they are known without a lake: those of sources that declare them, and of models
/// that read nothing else.
#[derive(Debug, Default)]
pub(super) struct KnownColumns(BTreeMap<String, SchemaRef>);

impl KnownColumns {
    /// Plans the models among `wanted` over empty relations, in `session`.
    pub(super) async fn of(
        pipeline: &Pipeline,
        graph: &Graph,
        wanted: &BTreeSet<&str>,
        parameters: &Parameters,
        session: &SessionContext,
    ) -> Result<Self, EngineError> {
        let mut known = BTreeMap::new();
        for (name, node) in graph.nodes.iter().filter(|(name, _)| wanted.contains(name.as_str())) {
            let schema = match (pipeline.sources.get(name), pipeline.models.get(name)) {
                (Some(source), _) => declared_columns(source),
                (None, Some(model)) => {
                    let all_known =
                        node.inputs.keys().all(|input| input == JOURNEY_DEFINITIONS || known.contains_key(input));
                    match all_known {
                        true => {
                            let sql = node.sql.as_deref();
                            let plan = relation(model, sql, pipeline, parameters, session, &Matcher).await?;
                            Some(Arc::new(plan.schema().as_arrow().clone()))
                        }
                        false => None,
                    }
                }
                (None, None) => None,
            };
            if let Some(schema) = schema {
                session.register_table(name.as_str(), Arc::new(EmptyTable::new(Arc::clone(&schema))))?;
                known.insert(name.clone(), schema);
            }
        }
        Ok(Self(known))
    }
}

/// Registers everything that `model` reads in `session`: what is given, what can be computed from it, and empty
/// relations.
pub(super) async fn register_inputs(
    model: &str,
    given: &indexmap::IndexMap<String, GivenRows>,
    pipeline: &Pipeline,
    graph: &Graph,
    known: &KnownColumns,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<(), EngineError> {
    let needed =
        Graph::closure([model], |name| graph.inputs(name).filter(move |_| name == model || !given.contains_key(name)));
    refuse_unread(model, given, pipeline, graph, &needed)?;
    let mut findings = Diagnostics::default();
    let mut fed: BTreeSet<&str> = BTreeSet::new();
    let relations = Relations { pipeline, graph, known, needed: &needed };
    for (name, node) in graph.nodes.iter().filter(|(name, _)| needed.contains(name.as_str()) && *name != model) {
        if let Some(rows) = given.get(name) {
            fed.insert(name);
            match relations.given(name, rows) {
                Ok(table) => {
                    session.register_table(name.as_str(), Arc::new(table))?;
                }
                Err(found) => findings.0.extend(found.0),
            }
            continue;
        }
        let computed =
            pipeline.models.get(name).filter(|_| node.inputs.keys().any(|input| fed.contains(input.as_str())));
        if let (Some(model), true) = (computed, findings.is_empty()) {
            fed.insert(name);
            let rows = relation(model, node.sql.as_deref(), pipeline, parameters, session, &Matcher).await?;
            session.register_table(name.as_str(), Arc::new(ViewTable::new(rows, None)))?;
        } else {
            let schema = relations.schema(name, None)?;
            session.register_table(name.as_str(), Arc::new(EmptyTable::new(schema)))?;
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(findings.into()) }
}

/// Rows given for what the model does not read would be ignored without a word.
fn refuse_unread(
    model: &str,
    given: &indexmap::IndexMap<String, GivenRows>,
    pipeline: &Pipeline,
    graph: &Graph,
    needed: &BTreeSet<&str>,
) -> Result<(), Diagnostics> {
    let mut findings = Diagnostics::default();
    for (name, rows) in given.iter().filter(|(name, _)| *name == model || !needed.contains(name.as_str())) {
        let exists = pipeline.sources.contains_key(name) || pipeline.models.contains_key(name);
        let upstream = Graph::closure([model], |name| graph.inputs(name));
        let readable = || upstream.iter().copied().filter(|name| *name != model && *name != JOURNEY_DEFINITIONS);
        let message = match exists {
            _ if name == model => format!("`{name}` is the model under test; its rows are expected, not given"),
            true if upstream.contains(name.as_str()) => {
                format!("`{model}` reads `{name}` only by way of relations that are given too")
            }
            true => format!("`{model}` does not read `{name}`"),
            false => format!("no source, seed or model `{name}`"),
        };
        let code = if exists { "not-read" } else { "unknown-relation" };
        let mut finding = Diagnostic::error(code, message).at(rows.relation.place.clone());
        if let Some(near) = closest(name, readable()).filter(|near| near != name) {
            finding = finding.label(format!("did you mean `{near}`?"));
        }
        findings.push(finding.help(format!("it reads: {}", readable().collect::<Vec<_>>().join(", "))));
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

struct Relations<'a> {
    pipeline: &'a Pipeline,
    graph: &'a Graph,
    known: &'a KnownColumns,
    needed: &'a BTreeSet<&'a str>,
}

impl Relations<'_> {
    /// The rows as a table, columns that they leave out null.
    fn given(&self, name: &str, given: &GivenRows) -> Result<MemTable, Diagnostics> {
        let schema = self.schema(name, Some(given))?;
        let mut findings = Diagnostics::default();
        for (column, _) in given.rows.iter().flat_map(|row| &row.cells) {
            if schema.field_with_name(column).is_err() {
                findings.push(unknown_column(column, name, &schema));
            }
        }
        if !findings.is_empty() {
            return Err(findings.sorted());
        }
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for field in schema.fields() {
            match array(&given.rows, field) {
                Ok(array) => arrays.push(array),
                Err(found) => findings.0.extend(found.0),
            }
        }
        if !findings.is_empty() {
            return Err(findings.sorted());
        }
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&schema),
            arrays,
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(given.rows.len())),
        );
        let table = batch.map_err(Into::into).and_then(|batch| MemTable::try_new(schema, vec![vec![batch]]));
        table.map_err(|error: datafusion::error::DataFusionError| {
            Diagnostic::error("bad-value", error.strip_backtrace()).at(given.relation.place.clone()).into()
        })
    }

    /// The columns of a relation: those known, else those that are given and those that its readers name.
    fn schema(&self, name: &str, given: Option<&GivenRows>) -> Result<SchemaRef, Diagnostics> {
        let declared = given.into_iter().flat_map(|given| &given.columns);
        if let Some(known) = self.known.0.get(name) {
            if let (Some(given), Some((column, _))) = (given, declared.into_iter().next()) {
                let message = format!("the columns of `{name}` are known, so `{column}` needs no type");
                let finding = Diagnostic::error("bad-value", message).at(given.relation.place.clone());
                return Err(finding.help("leave `columns:` out").into());
            }
            // Given rows leave out what does not matter, so everything can be null.
            let fields = known.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
            return Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
        }
        let mut fields: Vec<Field> =
            declared.map(|(column, declared)| Field::new(column, column_type(declared), true)).collect();
        let has = |fields: &[Field], name: &str| fields.iter().any(|field| field.name() == name);
        let rows = || given.into_iter().flat_map(|given| &given.rows);
        let named: Vec<&str> = rows().flat_map(|row| &row.cells).map(|(column, _)| column.value.as_str()).collect();
        for column in named {
            if !has(&fields, column) {
                let cells = rows().flat_map(|row| &row.cells).filter(|(name, _)| name.value == column);
                let found = inferred(cells.map(|(name, cell)| (name, cell)))?;
                let data_type = found.or_else(|| self.usual_type(name, column)).unwrap_or(DataType::Null);
                fields.push(Field::new(column, data_type, true));
            }
        }
        for column in self.read_columns(name) {
            if !has(&fields, &column) {
                let data_type = self.usual_type(name, &column).unwrap_or(DataType::Null);
                fields.push(Field::new(column, data_type, true));
            }
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// What those that read the relation in this test name of it.
    fn read_columns(&self, name: &str) -> BTreeSet<String> {
        let mut columns = BTreeSet::new();
        for reader in self.graph.readers(name).filter(|reader| self.needed.contains(reader)) {
            let texts = self.graph.nodes.get(reader).into_iter().flat_map(Node::texts);
            texts.for_each(|sql| columns.extend(named_columns(sql, name)));
            if self.matches(reader) {
                columns.extend(TOUCHPOINT_COLUMNS.iter().map(|(column, _)| (*column).to_owned()));
            }
        }
        columns
    }

    fn matches(&self, model: &str) -> bool {
        self.pipeline.models.get(model).is_some_and(|model| matches!(model.kind, ModelKind::Match { .. }))
    }

    /// The type that a column has by its place: the time of a source, or a column of touchpoints.
    fn usual_type(&self, relation: &str, column: &str) -> Option<DataType> {
        let source = self.pipeline.sources.get(relation);
        if source.and_then(|source| source.time_column.as_ref()).is_some_and(|time| time.value == column) {
            return Some(time_type());
        }
        let is_touchpoints = self.graph.readers(relation).any(|reader| self.matches(reader));
        let usual = TOUCHPOINT_COLUMNS.iter().find(|(name, _)| is_touchpoints && *name == column)?;
        Some(match usual.1 {
            Usual::Text => DataType::Utf8View,
            Usual::Time => time_type(),
            Usual::Number => DataType::Float64,
            Usual::Truth => DataType::Boolean,
        })
    }
}

#[derive(Clone, Copy)]
enum Usual {
    Text,
    Time,
    Number,
    Truth,
}

/// What the matcher reads of touchpoints (SEMANTICS 1).
const TOUCHPOINT_COLUMNS: [(&str, Usual); 9] = [
    ("touchpoint_id", Usual::Text),
    ("customer_id", Usual::Text),
    ("occurred_at", Usual::Time),
    ("channel", Usual::Text),
    ("topic", Usual::Text),
    ("function", Usual::Text),
    ("satisfaction", Usual::Number),
    ("resolved", Usual::Truth),
    ("cost", Usual::Number),
];

fn array(rows: &[TestRow], field: &Field) -> Result<ArrayRef, Diagnostics> {
    let null = || ScalarValue::try_from(field.data_type());
    let mut findings = Diagnostics::default();
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        let cell = row.cells.iter().find(|(column, _)| column.value == *field.name());
        match cell.map(|(column, cell)| typed(column, cell, field.data_type())) {
            Some(Ok(value)) => values.push(value),
            Some(Err(finding)) => findings.push(finding),
            None => values.extend(null()),
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    if values.is_empty() {
        return Ok(new_null_array(field.data_type(), rows.len()));
    }
    ScalarValue::iter_to_array(values).map_err(|error| Diagnostic::error("bad-value", error.strip_backtrace()).into())
}

/// A column that the relation does not have.
pub(super) fn unknown_column(column: &Located<String>, relation: &str, schema: &Schema) -> Diagnostic {
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let finding = Diagnostic::error("unknown-column", format!("no column `{}` in `{relation}`", column.value))
        .at(column.place.clone())
        .help(format!("columns here: {}", names().collect::<Vec<_>>().join(", ")));
    match closest(column, names()) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding,
    }
}
