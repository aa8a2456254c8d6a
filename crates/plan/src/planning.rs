//! Planning: every relation is type-checked as soon as what it reads is, independent ones side by side.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::runtime::JoinSet;
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use indexmap::IndexMap;
use throughline_config::{
    Diagnostic, Diagnostics, JourneyDefinition, Located, MatchRows, Materialization, Model, ModelKind, Pipeline,
    Source, SourceKind, Variable,
};

use crate::always_null::is_always_null;
use crate::condition::{column_named, row_rule, schema_of};
use crate::data_test::planned_tests;
use crate::ejected::moved_on;
use crate::error_place::{TextOrigin, diagnose};
use crate::graph::{Graph, JOURNEY_DEFINITIONS, Node};
use crate::input::source_as_asked_for;
use crate::matches_behind::refuse_matches_behind;
use crate::parameters::{ASSISTED_CHANNELS, BEGINNING, Parameters};
use crate::relation::{JourneyMatching, relation};
use crate::replaced_model::lacking_columns;
use crate::replaced_rows::{ReplacedRows, check_replaced, replaced_rows};
use crate::step::{Plan, ROWS_VERSION, Step, StepKind, digest};
use crate::trigger::check_triggers;

/// Plans and type-checks the whole pipeline.
///
/// `session` must hold the functions, [`JOURNEY_DEFINITIONS`] and, under their names, every source and seed; only
/// their schemas are used. The models are registered in it on the way, tables as empty relations of their schema.
/// All findings of all models are collected; a model whose input has findings is passed over.
pub async fn plan(
    pipeline: Arc<Pipeline>,
    parameters: Parameters,
    session: &SessionContext,
    matching: Arc<dyn JourneyMatching>,
) -> Result<Plan, Diagnostics> {
    let graph = Arc::new(Graph::of(&pipeline)?);
    let checker = Checker {
        graph: Arc::clone(&graph),
        pipeline: Arc::clone(&pipeline),
        parameters: parameters.clone(),
        session: session.clone(),
        matching,
    };
    let mut checked = Arc::new(checker).check_all().await;
    let failed = |name: &str| checked.get(name).is_some_and(Result::is_err);
    let mut of_triggers = check_triggers(&pipeline, &parameters, session, failed).await;
    let mut steps = Vec::new();
    let mut found: IndexMap<String, Diagnostics> = IndexMap::new();
    // In the graph's order, whichever was checked first.
    for name in graph.nodes.keys() {
        match checked.swap_remove(name) {
            Some(Ok(step)) => steps.push(step),
            Some(Err(wrong)) => {
                found.insert(name.clone(), wrong);
            }
            None => {}
        }
    }
    let step = |name: &str| steps.iter().find(|step| step.name == name).map(Arc::as_ref);
    let mut findings = lacking_columns(&pipeline, &graph, step, &mut found, &mut of_triggers);
    findings.0.extend(found.into_values().flat_map(|found| found.0));
    findings.0.extend(of_triggers.0);
    once_for_all_matches(&mut findings);
    if !findings.0.is_empty() {
        return Err(findings);
    }
    let steps = steps.into_iter().map(Arc::unwrap_or_clone).collect::<Vec<_>>();
    let mut warnings = oddities(&pipeline, &graph, &steps);
    warnings.extend(moved_on(&pipeline));
    Ok(Plan { pipeline, parameters, steps, graph, warnings })
}

/// What is wrong with touchpoints or with a definition is wrong for every model that matches them, and said once.
fn once_for_all_matches(findings: &mut Diagnostics) {
    let mut said: Vec<Diagnostic> = Vec::new();
    findings.0.retain(|finding| {
        let is_new = match finding.code {
            "matcher-input" => said.iter().all(|before| before.message != finding.message),
            _ => !said.contains(finding),
        };
        if is_new {
            said.push(finding.clone());
        }
        is_new
    });
}

/// What came of a relation; without findings of its own when only an input of it has some.
type Checked = Result<Arc<Step>, Diagnostics>;

struct Checker {
    graph: Arc<Graph>,
    pipeline: Arc<Pipeline>,
    parameters: Parameters,
    session: SessionContext,
    matching: Arc<dyn JourneyMatching>,
}

impl Checker {
    async fn check_all(self: Arc<Self>) -> IndexMap<String, Checked> {
        let mut checked: IndexMap<String, Checked> = IndexMap::with_capacity(self.graph.nodes.len());
        let mut waiting: Vec<&String> = self.graph.nodes.keys().collect();
        let mut running = JoinSet::new();
        loop {
            let known = |input: &str| input == JOURNEY_DEFINITIONS || checked.contains_key(input);
            let (ready, later) = waiting.into_iter().partition(|name| self.graph.inputs(name).all(known));
            waiting = later;
            let ready: Vec<&String> = ready;
            for name in ready {
                let inputs = self.graph.inputs(name).filter_map(|input| checked.get(input).cloned()).collect();
                let (checker, name) = (Arc::clone(&self), name.clone());
                running.spawn(async move {
                    let outcome = checker.check(&name, inputs).await;
                    (name, outcome)
                });
            }
            match running.join_next().await {
                Some(Ok((name, outcome))) => checked.insert(name, outcome),
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                None => return checked,
            };
        }
    }

    async fn check(&self, name: &str, inputs: Vec<Checked>) -> Checked {
        let inputs: Vec<Arc<Step>> =
            inputs.into_iter().collect::<Result<_, _>>().map_err(|_| Diagnostics::default())?;
        let step = match (self.pipeline.sources.get(name), self.pipeline.models.get(name), self.graph.nodes.get(name)) {
            (Some(source), ..) => self.check_source(source).await,
            (None, Some(model), Some(node)) => self.check_model(model, node, &inputs).await,
            (None, ..) => Err(Diagnostics::default()),
        };
        step.map(Arc::new)
    }

    async fn check_source(&self, source: &Source) -> Result<Step, Diagnostics> {
        let schema = self.source_schema(source).await?;
        let kind = match source.kind {
            SourceKind::Source => StepKind::Source,
            SourceKind::Seed => StepKind::Seed,
        };
        Ok(Step {
            name: source.name.value.clone(),
            kind,
            inputs: Vec::new(),
            schema,
            fingerprint: source_fingerprint(source),
            sql: None,
            always_null: Vec::new(),
            replaced: None,
        })
    }

    /// The columns of a source, when all that is written about it fits them.
    async fn source_schema(&self, source: &Source) -> Result<SchemaRef, Diagnostics> {
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
            if let Err(found) = row_rule(rule, &qualified, &self.parameters, &self.session.state()) {
                findings.0.extend(found.0);
            }
        }
        findings.0.extend(source_as_asked_for(source, &schema, &self.pipeline).0);
        if findings.0.is_empty() { Ok(schema) } else { Err(findings) }
    }

    async fn check_model(&self, model: &Model, node: &Node, inputs: &[Arc<Step>]) -> Result<Step, Diagnostics> {
        let sql = node.sql.as_deref();
        let with_interval;
        let parameters = match model.materialized {
            Materialization::Incremental(_) => {
                with_interval = self.parameters.with_interval(BEGINNING);
                &with_interval
            }
            Materialization::View | Materialization::Table => &self.parameters,
        };
        let plan = relation(model, sql, &self.pipeline, parameters, &self.session, self.matching.as_ref()).await?;
        let schema: SchemaRef = Arc::new(plan.schema().as_arrow().clone());
        let asked = self.pipeline.inputs.get(&model.name.value).map(|input| input.columns.keys());
        let always_null = asked.into_iter().flatten().filter(|column| is_always_null(&plan, column)).cloned().collect();
        if model.materialized.is_stored() {
            storable(model, &schema)?;
        }
        let replaced = replaced_rows(model, &self.pipeline, self.graph.inputs(&model.name))?;
        if let Some(ReplacedRows::Interval { .. }) = &replaced {
            refuse_matches_behind(model, &self.pipeline, &self.graph)?;
        }
        if let Some(replaced) = &replaced {
            let schema_of_view =
                |view: &str| inputs.iter().find(|input| input.name == view).map(|view| view.schema.clone());
            check_replaced(replaced, model, &schema, schema_of_view)?;
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
            planned_tests(model, &self.parameters, &self.session).await?;
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
            fingerprint: self.fingerprint(model, node, inputs),
            sql: node.sql.clone(),
            always_null,
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

    fn fingerprint(&self, model: &Model, node: &Node, inputs: &[Arc<Step>]) -> String {
        let mut text = String::new();
        match &model.kind {
            ModelKind::Sql(_) | ModelKind::Union(_) => {
                for sql in node.texts() {
                    text.push_str(&sql.statement.to_string());
                    text.push('\n');
                }
            }
            kind => {
                if let ModelKind::Match { rows: MatchRows::KnownMembers, .. } = kind {
                    text.push_str("ordered by known_at\n");
                }
                if let ModelKind::Match { rows: MatchRows::States, .. } = kind {
                    text.push_str("states\n");
                }
                for journey in self.pipeline.journeys.values() {
                    write_journey(&mut text, journey);
                }
            }
        }
        let mentioning = format!("{text} {:?}", model.tests);
        // In the order of their names, so that it does not matter where they are declared.
        let mut variables: Vec<(&String, &Located<Variable>)> = self.pipeline.variables.iter().collect();
        variables.sort_by_key(|(name, _)| *name);
        let reads = |name: &str| mentions(&mentioning, name) || matcher_reads(&model.kind, name);
        for (name, value) in variables.into_iter().filter(|(name, _)| reads(name)) {
            let _ = write!(text, "\n${name} = {:?}", value.value);
        }
        if mentions(&mentioning, ASSISTED_CHANNELS)
            || matches!(model.kind, ModelKind::Match { rows: MatchRows::Instances, .. })
        {
            let _ = write!(text, "\n{:?}", self.pipeline.assisted_channels);
        }
        let upstream = inputs.iter().map(|input| input.fingerprint.as_str());
        digest([ROWS_VERSION, model.name.value.as_str(), &text].into_iter().chain(upstream))
    }
}

/// Whether the matcher that makes a model's rows reads a variable itself, with no placeholder anywhere.
fn matcher_reads(kind: &ModelKind, variable: &str) -> bool {
    matches!(
        (variable, kind),
        ("satisfied", ModelKind::Match { rows: MatchRows::Instances, .. })
            | ("exposure_horizon", ModelKind::Match { rows: MatchRows::States, .. })
    )
}

/// Whether a text has the placeholder of a variable.
fn mentions(text: &str, variable: &str) -> bool {
    let placeholder = format!("${variable}");
    let ends = |after: &str| !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices(&placeholder).any(|(at, found)| ends(&text[at + found.len()..]))
}

/// A table needs at least one column, unambiguous names in snake_case, and columns that have a type. Which types a Delta
/// table holds, its writer knows.
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
        "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
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
        value(&journey.eligible_from),
        value(&journey.eligible_until),
    );
}

/// Everything about a source that decides which rows it has: a time format that is corrected makes other rows of the
/// same files.
fn source_fingerprint(source: &Source) -> String {
    let mut rules = format!("{:?} {:?} {:?}", source.format, texts(&source.key), source.contract);
    for (name, column) in &source.columns {
        let _ = write!(rules, "\n{name}: {:?} {:?}", column.data_type, column.format);
    }
    let _ = write!(rules, "\n{:?} {:?}", source.time_column, texts(&source.active_at));
    digest([ROWS_VERSION, source.name.value.as_str(), source.path.value.as_str(), &rules])
}

fn texts(columns: &[Located<String>]) -> Vec<&str> {
    columns.iter().map(|column| column.value.as_str()).collect()
}

/// Relations and variables that nothing reads, and published columns that nobody explained.
fn oddities(pipeline: &Pipeline, graph: &Graph, steps: &[Step]) -> Diagnostics {
    let mut warnings = Diagnostics::default();
    // What a library makes and nobody reads here is its own affair.
    for step in steps.iter().filter(|step| pipeline.library_of(&step.name).is_none()) {
        let read = graph.readers(&step.name).next().is_some();
        let (what, place) = match step.kind {
            StepKind::Table => continue,
            StepKind::View => ("view", pipeline.models.get(&step.name).map(|model| &model.name.place)),
            StepKind::Source | StepKind::Seed => {
                ("source", pipeline.sources.get(&step.name).map(|source| &source.name.place))
            }
        };
        let asked_for = pipeline.inputs.contains_key(&step.name);
        if let (false, false, Some(place)) = (read, asked_for, place) {
            warnings.0.push(
                Diagnostic::warning("unused", format!("nothing reads the {what} `{}`", step.name)).at(place.clone()),
            );
        }
    }
    let sql = || graph.nodes.values().flat_map(Node::texts).map(|sql| sql.file.text.as_str());
    let conditions = || {
        let limits = |journey: &'_ JourneyDefinition| {
            [journey.eligible.clone(), journey.eligible_from.clone(), journey.eligible_until.clone()]
        };
        pipeline.journeys.values().flat_map(limits).flatten()
    };
    let tests = || pipeline.models.values().map(|model| format!("{:?}", model.tests));
    let triggers = || pipeline.triggers.values().map(|trigger| trigger.condition.value.as_str());
    let own = |value: &Located<Variable>| value.place.file.path == pipeline.file.path;
    let read_by_matcher = |name: &str| pipeline.models.values().any(|model| matcher_reads(&model.kind, name));
    for (name, value) in pipeline.variables.iter().filter(|(_, value)| own(value)) {
        let placeholder = format!("${name}");
        let used = sql().any(|text| text.contains(&placeholder))
            || conditions().any(|text| text.value.contains(&placeholder))
            || tests().any(|text| text.contains(&placeholder))
            || triggers().any(|text| text.contains(&placeholder))
            || pipeline.file.text.contains(&placeholder)
            || read_by_matcher(name);
        if !used {
            let warning = Diagnostic::warning("unused", format!("nothing reads the variable `{name}`"));
            warnings.0.push(warning.at(value.place.clone()));
        }
    }
    warnings
}
