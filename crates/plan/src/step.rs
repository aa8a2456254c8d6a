//! The plan: every step in the order it can run, type-checked.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};
use throughline_config::{
    Diagnostic, Diagnostics, JourneyDefinition, Located, Materialization, Model, ModelKind, Pipeline, Source,
    SourceKind,
};

use crate::condition::{column_named, row_rule, schema_of};
use crate::data_test::planned_tests;
use crate::error_place::{TextOrigin, diagnose};
use crate::graph::{Graph, Node};
use crate::parameters::{BEGINNING, Parameters};
use crate::relation::{JourneyMatching, relation};
use crate::replaced_rows::{ReplacedRows, check_replaced, replaced_rows};
use crate::sql_text::SqlText;
use crate::trigger::check_triggers;

/// The engine-made relation with one row a journey definition.
pub const JOURNEY_DEFINITIONS: &str = "journey_definitions";

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Reads a source, holds its rows against the contract.
    Source,
    /// Reads a seed.
    Seed,
    /// Names a SELECT without storing it.
    View,
    /// Makes and publishes a table.
    Table,
}

/// One relation of the plan.
#[derive(Debug)]
pub struct Step {
    /// The relation's name.
    pub name: String,
    /// What it is.
    pub kind: StepKind,
    /// The relations it reads, by name.
    pub inputs: Vec<String>,
    /// The columns of its rows.
    pub schema: SchemaRef,
    /// Changes when its own definition or that of anything it reads changes: 16 hex digits.
    pub fingerprint: String,
    /// The parsed SELECT of an SQL model.
    pub sql: Option<Arc<SqlText>>,
    /// For an incremental model, how the rows to be replaced are told.
    pub replaced: Option<ReplacedRows>,
}

/// A pipeline made ready to run.
#[derive(Debug)]
pub struct Plan {
    /// What it was made from.
    pub pipeline: Arc<Pipeline>,
    /// The values of `$as_of`, `$start` and the variables.
    pub parameters: Parameters,
    /// Sources and seeds, then models, each after what it reads.
    pub steps: Vec<Step>,
    /// Who reads whom.
    pub graph: Graph,
    /// What is odd but no error.
    pub warnings: Diagnostics,
}

impl Plan {
    /// A step by name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Changes when the definition of any relation changes: 16 hex digits.
    pub fn fingerprint(&self) -> String {
        digest(self.steps.iter().flat_map(|step| [step.name.as_str(), step.fingerprint.as_str()]))
    }

    /// Whether a step of this name makes a table.
    pub fn is_table(&self, name: &str) -> bool {
        self.step(name).is_some_and(|step| step.kind == StepKind::Table)
    }

    /// What `from` read, directly or by way of views, `from` included. Tables end the way, and so does `closed`.
    pub fn through_views<'a>(
        &'a self,
        from: impl IntoIterator<Item = &'a str>,
        closed: Option<&str>,
    ) -> BTreeSet<&'a str> {
        let from: BTreeSet<&str> = from.into_iter().collect();
        let start = from.clone();
        Graph::closure(from, |name| {
            let ends = !start.contains(name) && (self.is_table(name) || closed == Some(name));
            self.graph.inputs(name).filter(move |_| !ends)
        })
    }

    /// The comment of a column: the model's own, else the pipeline's dictionary.
    pub fn column_comment(&self, model: &str, column: &str) -> Option<&str> {
        let own = self.pipeline.models.get(model).and_then(|model| model.columns.get(column));
        own.or_else(|| self.pipeline.dictionary.get(column)).map(String::as_str)
    }
}

/// Plans and type-checks the whole pipeline.
///
/// `session` must hold the functions, [`JOURNEY_DEFINITIONS`] and, under their names, every source and seed; only
/// their schemas are used. The models are registered in it on the way, tables as empty relations of their schema.
/// All findings of all models are collected; a model whose input has findings is passed over.
pub async fn plan(
    pipeline: Arc<Pipeline>,
    parameters: Parameters,
    session: &SessionContext,
    matching: &dyn JourneyMatching,
) -> Result<Plan, Diagnostics> {
    let graph = Graph::of(&pipeline)?;
    let mut checker = Checker {
        graph: &graph,
        pipeline: &pipeline,
        parameters: &parameters,
        session,
        matching,
        steps: Vec::new(),
        findings: Diagnostics::default(),
        failed: BTreeSet::new(),
    };
    for (name, node) in &graph.nodes {
        match pipeline.sources.get(name) {
            Some(source) => checker.source(source).await,
            None => {
                if let Some(model) = pipeline.models.get(name) {
                    checker.model(model, node).await;
                }
            }
        }
    }
    let Checker { steps, mut findings, failed, .. } = checker;
    findings.0.extend(check_triggers(&pipeline, &parameters, session, |table| failed.contains(table)).await.0);
    if !findings.0.is_empty() {
        return Err(findings);
    }
    let warnings = oddities(&pipeline, &graph, &steps);
    Ok(Plan { pipeline, parameters, steps, graph, warnings })
}

struct Checker<'a> {
    graph: &'a Graph,
    pipeline: &'a Arc<Pipeline>,
    parameters: &'a Parameters,
    session: &'a SessionContext,
    matching: &'a dyn JourneyMatching,
    steps: Vec<Step>,
    findings: Diagnostics,
    failed: BTreeSet<String>,
}

impl Checker<'_> {
    async fn source(&mut self, source: &Source) {
        match self.check_source(source).await {
            Ok(schema) => {
                let kind = match source.kind {
                    SourceKind::Source => StepKind::Source,
                    SourceKind::Seed => StepKind::Seed,
                };
                let rules = format!("{:?} {:?} {:?}", source.format, texts(&source.key), source.contract);
                let fingerprint = digest([source.name.value.as_str(), source.path.value.as_str(), &rules]);
                self.steps.push(Step {
                    name: source.name.value.clone(),
                    kind,
                    inputs: Vec::new(),
                    schema,
                    fingerprint,
                    sql: None,
                    replaced: None,
                });
            }
            Err(found) => self.fail(&source.name, found),
        }
    }

    async fn check_source(&self, source: &Source) -> Result<SchemaRef, Diagnostics> {
        let frame = self.session.table(source.name.value.as_str()).await;
        let frame = frame.map_err(|error| diagnose(&error, &TextOrigin::Value(source.name.clone())))?;
        let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
        let qualified = schema_of(&source.name, &schema)?;
        let mut findings = Diagnostics::default();
        let freshness = source.freshness.as_ref().map(|freshness| &freshness.column);
        for time in source.time_column.iter().chain(freshness).chain(&source.active_at) {
            match column_named(time, &qualified) {
                Err(found) => findings.0.extend(found.0),
                Ok(_) => {
                    let data_type = schema.field_with_name(time).map(|field| field.data_type().clone());
                    if !matches!(data_type, Ok(DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)) {
                        let data_type = data_type.map(|found| found.to_string()).unwrap_or_default();
                        findings.0.push(
                            Diagnostic::error("not-a-time", format!("column `{}` is {data_type}, no time", time.value))
                                .at(time.place.clone())
                                .help("declare it under `columns:` as timestamp, with a `format` for text files"),
                        );
                    }
                }
            }
        }
        for column in source.key.iter().chain(&source.sorted_by) {
            if let Err(found) = column_named(column, &qualified) {
                findings.0.extend(found.0);
            }
        }
        for rule in &source.contract {
            if let Err(found) = row_rule(rule, &qualified, self.parameters, &self.session.state()) {
                findings.0.extend(found.0);
            }
        }
        if findings.0.is_empty() { Ok(schema) } else { Err(findings) }
    }

    async fn model(&mut self, model: &Model, node: &Node) {
        if node.inputs.keys().any(|input| self.failed.contains(input)) {
            self.failed.insert(model.name.value.clone());
            return;
        }
        match self.check_model(model, node).await {
            Ok(step) => self.steps.push(step),
            Err(found) => self.fail(&model.name, found),
        }
    }

    async fn check_model(&self, model: &Model, node: &Node) -> Result<Step, Diagnostics> {
        let sql = node.sql.as_deref();
        let with_interval;
        let parameters = match model.materialized {
            Materialization::Incremental(_) => {
                with_interval = self.parameters.with_interval(BEGINNING);
                &with_interval
            }
            Materialization::View | Materialization::Table => self.parameters,
        };
        let plan = relation(model, sql, self.pipeline, parameters, self.session, self.matching).await?;
        let schema: SchemaRef = Arc::new(plan.schema().as_arrow().clone());
        if model.materialized.is_stored() {
            storable(model, &schema)?;
        }
        let replaced = replaced_rows(model, self.pipeline, self.graph)?;
        if let Some(replaced) = &replaced {
            check_replaced(replaced, model, &schema, |name| self.schema_of_step(name))?;
        }
        self.register(model, plan, &schema)?;
        let grain = schema_of(&model.name, &schema)?;
        let mut findings = Diagnostics::default();
        for column in &model.grain {
            if let Err(found) = column_named(column, &grain) {
                findings.0.extend(found.0);
            }
        }
        if findings.0.is_empty() {
            planned_tests(model, self.parameters, self.session).await?;
        } else {
            return Err(findings);
        }
        let kind = match model.materialized {
            Materialization::View => StepKind::View,
            Materialization::Table | Materialization::Incremental(_) => StepKind::Table,
        };
        Ok(Step {
            name: model.name.value.clone(),
            kind,
            inputs: node.inputs.keys().cloned().collect(),
            schema,
            fingerprint: self.fingerprint(model, node),
            sql: node.sql.clone(),
            replaced,
        })
    }

    fn register(&self, model: &Model, plan: LogicalPlan, schema: &SchemaRef) -> Result<(), Diagnostics> {
        let origin = TextOrigin::Value(model.name.clone());
        let name = model.name.value.as_str();
        let registered = match model.materialized {
            Materialization::View => self.session.register_table(name, Arc::new(ViewTable::new(plan, None))),
            Materialization::Table | Materialization::Incremental(_) => {
                self.session.register_table(name, Arc::new(EmptyTable::new(Arc::clone(schema))))
            }
        };
        registered.map(|_| ()).map_err(|error| diagnose(&error, &origin))
    }

    fn fingerprint(&self, model: &Model, node: &Node) -> String {
        let mut text = String::new();
        match (&model.kind, &node.sql) {
            (ModelKind::Sql(_), Some(sql)) => text.push_str(&sql.statement.to_string()),
            _ => {
                for journey in self.pipeline.journeys.values() {
                    write_journey(&mut text, journey);
                }
            }
        }
        for (name, value) in &self.pipeline.variables {
            let _ = write!(text, "\n${name} = {:?}", value.value);
        }
        let upstream = node.inputs.keys().filter_map(|input| self.steps.iter().find(|step| &step.name == input));
        let upstream: Vec<&str> = upstream.map(|step| step.fingerprint.as_str()).collect();
        digest([model.name.value.as_str(), &text].into_iter().chain(upstream))
    }

    fn schema_of_step(&self, name: &str) -> Option<SchemaRef> {
        self.steps.iter().find(|step| step.name == name).map(|step| Arc::clone(&step.schema))
    }

    fn fail(&mut self, name: &str, found: Diagnostics) {
        self.failed.insert(name.to_owned());
        self.findings.0.extend(found.0);
    }
}

/// A table needs at least one column, unambiguous names, and types that a Delta table has.
fn storable(model: &Model, schema: &SchemaRef) -> Result<(), Diagnostics> {
    let mut findings = Diagnostics::default();
    let mut seen = BTreeSet::new();
    for field in schema.fields() {
        let at = |code, message: String| Diagnostic::error(code, message).at(model.name.place.clone());
        if !seen.insert(field.name().to_lowercase()) {
            let message = format!("two columns of `{}` are called `{}`", model.name.value, field.name());
            findings.0.push(at("duplicate-column", message).help("give one of the two another name with AS"));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if field.name().is_empty() || !field.name().chars().all(plain) {
            let message = format!("column `{}` of `{}` is not snake_case", field.name(), model.name.value);
            findings.0.push(at("column-name", message).help("name the expression with AS some_name"));
        }
        if matches!(field.data_type(), DataType::Null) {
            let message = format!("column `{}` of `{}` has no type: it is always null", field.name(), model.name.value);
            findings.0.push(at("no-type", message).help("write CAST(NULL AS DOUBLE), or the type it should have"));
        }
    }
    if findings.0.is_empty() { Ok(()) } else { Err(findings) }
}

/// Everything of a definition that changes its instances or its facts, in a fixed order and free of places.
fn write_journey(text: &mut String, journey: &JourneyDefinition) {
    let value = |located: &Option<Located<String>>| located.as_ref().map(|located| located.value.clone());
    let _ = writeln!(
        text,
        "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        journey.name.value,
        journey.starts.value,
        value(&journey.ends),
        value(&journey.abandons),
        value(&journey.includes),
        journey.within,
        journey.idle,
        journey.on_restart,
        texts(&journey.key),
        value(&journey.eligible),
    );
}

fn texts(columns: &[Located<String>]) -> Vec<&str> {
    columns.iter().map(|column| column.value.as_str()).collect()
}

/// Sixteen hex digits over texts; the same texts give the same digits.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Relations and variables that nothing reads, and published columns that nobody explained.
fn oddities(pipeline: &Pipeline, graph: &Graph, steps: &[Step]) -> Diagnostics {
    let mut warnings = Diagnostics::default();
    for step in steps {
        let read = graph.readers(&step.name).next().is_some();
        let (what, place) = match step.kind {
            StepKind::Table => continue,
            StepKind::View => ("view", pipeline.models.get(&step.name).map(|model| &model.name.place)),
            StepKind::Source | StepKind::Seed => {
                ("source", pipeline.sources.get(&step.name).map(|source| &source.name.place))
            }
        };
        if let (false, Some(place)) = (read, place) {
            warnings.0.push(
                Diagnostic::warning("unused", format!("nothing reads the {what} `{}`", step.name)).at(place.clone()),
            );
        }
    }
    let sql = || graph.nodes.values().filter_map(|node| node.sql.as_ref()).map(|sql| sql.file.text.as_str());
    let conditions = || pipeline.journeys.values().filter_map(|journey| journey.eligible.as_ref());
    for (name, value) in &pipeline.variables {
        let placeholder = format!("${name}");
        let used = sql().any(|text| text.contains(&placeholder))
            || conditions().any(|text| text.value.contains(&placeholder))
            || pipeline.file.text.contains(&placeholder);
        if !used {
            let warning = Diagnostic::warning("unused", format!("nothing reads the variable `{name}`"));
            warnings.0.push(warning.at(value.place.clone()));
        }
    }
    warnings
}
