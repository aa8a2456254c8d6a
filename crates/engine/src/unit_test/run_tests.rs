//! Runs unit tests.
//!
//! Types come from what the workspace declares: columns of sources, and through them those of models. Where a source
//! leaves them to its files, the given values decide their types. Given rows are what the model reads: contracts and
//! the cut at `as_of` come before and are no part of the test.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use datafusion::common::ScalarValue;
use datafusion::execution::runtime_env::RuntimeEnv;
use indexmap::IndexMap;
use serde::Serialize;
use throughline_config::{Diagnostic, Diagnostics, Model, Pipeline, Timestamp, UnitTest, closest, load_pipeline};
use throughline_plan::{BEGINNING, Graph, Parameters, Selection, relation};

use super::compare::{Compared, Differences};
use super::inputs::{KnownColumns, register_inputs, unknown_column};
use super::values::typed;
use crate::failure::{EngineError, FailureKind};
use crate::workspace::definitions::session_with_definitions;
use crate::workspace::matching::Matcher;
use crate::workspace::options::PrepareOptions;
use crate::workspace::prepare::Prepared;
use crate::workspace::sessions::{SessionOptions, new_runtime};

/// 2100-01-01: after everything a test is likely to give.
const AFTER_EVERYTHING: Timestamp = 4_102_444_800_000_000;

/// The outcome of a unit test.
#[derive(Debug, Clone, Serialize)]
pub struct UnitTestRecord {
    /// The test's name.
    pub test: String,
    /// The model under test.
    pub model: String,
    /// File, line and column of the test.
    pub place: String,
    /// Whether the rows are as expected.
    pub passed: bool,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Why the model could not be computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The way out of that, if one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Who can mend the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// How the rows differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
}

impl UnitTestRecord {
    /// Says why the model could not be computed.
    fn fail(&mut self, error: &EngineError) {
        self.error = Some(error.to_string());
        self.help = error.help();
        self.failure = Some(error.kind());
    }
}

/// Runs the unit tests of the selected models, in the order of their files. Opens neither sources nor warehouse.
///
/// # Errors
/// What is wrong with the pipeline or with a test; no test has run then.
pub async fn run_unit_tests(
    options: PrepareOptions,
    selection: &Selection,
) -> Result<Vec<UnitTestRecord>, EngineError> {
    let (pipeline, _warnings) = load_pipeline(&options.load())?;
    let graph = Graph::of(&pipeline)?;
    let selected = selection.models(&pipeline, &graph)?;
    let bench = Bench::new(&pipeline, graph, &selected, options.session).await?;
    let mut records = Vec::new();
    for test in bench.prepare_all(&selected).await? {
        records.push(test.run().await);
    }
    Ok(records)
}

/// Plans every unit test and type-checks its rows, and runs none. Returns how many there are.
///
/// # Errors
/// What is wrong with the tests.
pub async fn check_unit_tests(prepared: &Prepared) -> Result<usize, EngineError> {
    let pipeline = prepared.plan.pipeline.as_ref();
    let selected = pipeline.models.keys().cloned().collect();
    let bench = Bench::new(pipeline, Graph::of(pipeline)?, &selected, prepared.session_options.clone()).await?;
    Ok(bench.prepare_all(&selected).await?.len())
}

/// What all tests share.
struct Bench<'a> {
    pipeline: &'a Pipeline,
    graph: Graph,
    known: KnownColumns,
    options: SessionOptions,
    runtime: Arc<RuntimeEnv>,
}

/// A test whose rows are in a session, its types checked.
struct Ready<'a> {
    test: &'a UnitTest,
    model: &'a Model,
    rows: datafusion::dataframe::DataFrame,
    columns: Vec<String>,
    expected: Vec<Vec<Option<ScalarValue>>>,
}

impl<'a> Bench<'a> {
    async fn new(
        pipeline: &'a Pipeline,
        graph: Graph,
        selected: &BTreeSet<String>,
        options: SessionOptions,
    ) -> Result<Self, EngineError> {
        let runtime = new_runtime(&options)?;
        // Tests are small: more partitions would only cost.
        let options = SessionOptions { partitions: Some(1), ..options };
        let parameters = parameters(pipeline, AFTER_EVERYTHING);
        let session = session_with_definitions(&options, &runtime, pipeline)?;
        let tested = pipeline.unit_tests.values().map(|test| test.model.value.as_str());
        let tested = tested.filter(|model| selected.contains(*model));
        let wanted = Graph::closure(tested, |name| graph.inputs(name));
        let known = KnownColumns::of(pipeline, &graph, &wanted, &parameters, &session).await?;
        Ok(Self { pipeline, graph, known, options, runtime })
    }

    /// The tests of the selected models, and those of models that do not exist, which are refused.
    async fn prepare_all(&self, selected: &BTreeSet<String>) -> Result<Vec<Ready<'a>>, EngineError> {
        let mut prepared = Vec::new();
        let mut findings = Diagnostics::default();
        let chosen = |model: &String| selected.contains(model) || !self.pipeline.models.contains_key(model);
        for test in self.pipeline.unit_tests.values().filter(|test| chosen(&test.model.value)) {
            match self.prepare(test).await {
                Ok(ready) => prepared.push(ready),
                Err(EngineError::Configuration(found)) => findings.0.extend(found.0),
                Err(other) => return Err(other),
            }
        }
        if findings.is_empty() { Ok(prepared) } else { Err(findings.sorted().into()) }
    }

    async fn prepare(&self, test: &'a UnitTest) -> Result<Ready<'a>, EngineError> {
        let Some(model) = self.pipeline.models.get(&test.model.value) else {
            return Err(unknown_model(test, self.pipeline).into());
        };
        let mut pipeline = self.pipeline.clone();
        pipeline.variables.clone_from(&test.variables);
        if let Some(journeys) = &test.journeys {
            pipeline.journeys.clone_from(journeys);
        }
        let parameters = parameters(&pipeline, test.as_of.unwrap_or(AFTER_EVERYTHING));
        let session = session_with_definitions(&self.options, &self.runtime, &pipeline)?;
        register_inputs(&model.name, &test.given, &pipeline, &self.graph, &self.known, &parameters, &session).await?;
        let sql = self.graph.nodes.get(&model.name.value).and_then(|node| node.sql.as_deref());
        let rows = relation(model, sql, &pipeline, &parameters, &session, &Matcher).await?;
        let schema = Arc::new(rows.schema().as_arrow().clone());

        let mut findings = Diagnostics::default();
        let mut columns: IndexMap<String, arrow::datatypes::DataType> = IndexMap::new();
        for (column, _) in test.expect.rows.iter().flat_map(|row| &row.cells) {
            match schema.field_with_name(column) {
                Ok(field) => {
                    columns.insert(column.value.clone(), field.data_type().clone());
                }
                Err(_) => findings.push(unknown_column(column, &model.name, &schema)),
            }
        }
        let mut expected = Vec::with_capacity(test.expect.rows.len());
        for row in &test.expect.rows {
            let mut values = vec![None; columns.len()];
            for (column, cell) in &row.cells {
                let Some((place, _, data_type)) = columns.get_full(&column.value) else { continue };
                match typed(column, cell, data_type) {
                    Ok(value) => values[place] = Some(value),
                    Err(finding) => findings.push(finding),
                }
            }
            expected.push(values);
        }
        if !findings.is_empty() {
            return Err(findings.sorted().into());
        }
        // Rows that nobody expects are shown by their grain, or by all columns.
        if columns.is_empty() {
            let grain = model.grain.iter().map(|column| column.value.clone());
            let all = schema.fields().iter().map(|field| field.name().clone());
            let shown: Vec<String> = if model.grain.is_empty() { all.collect() } else { grain.collect() };
            columns.extend(shown.into_iter().map(|name| (name, arrow::datatypes::DataType::Null)));
        }
        let rows = datafusion::dataframe::DataFrame::new(session.state(), rows);
        Ok(Ready { test, model, rows, columns: columns.into_keys().collect(), expected })
    }
}

/// An incremental model is tested as in a run that rebuilds everything.
fn parameters(pipeline: &Pipeline, as_of: Timestamp) -> Parameters {
    Parameters::new(pipeline, as_of).with_interval(BEGINNING)
}

fn unknown_model(test: &UnitTest, pipeline: &Pipeline) -> Diagnostics {
    let name = &test.model.value;
    let message = match pipeline.sources.contains_key(name) {
        true => format!("`{name}` is a source; a unit test is of a model"),
        false => format!("no model `{name}`"),
    };
    let finding = Diagnostic::error("unknown-model", message).at(test.model.place.clone());
    match closest(name, pipeline.models.keys().map(String::as_str)) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help("`throughline plan` lists the models"),
    }
    .into()
}

impl Ready<'_> {
    async fn run(self) -> UnitTestRecord {
        let began = Instant::now();
        let (line, column) = self.test.name.place.line_and_column();
        let mut record = UnitTestRecord {
            test: self.test.name.value.clone(),
            model: self.model.name.value.clone(),
            place: format!("{}:{line}:{column}", self.test.name.place.file.path.display()),
            passed: false,
            seconds: 0.0,
            error: None,
            help: None,
            failure: None,
            differences: None,
        };
        match self.differences().await {
            Ok(differences) => {
                record.passed = differences.is_none();
                record.differences = differences;
            }
            Err(error) => record.fail(&error),
        }
        record.seconds = began.elapsed().as_secs_f64();
        record
    }

    async fn differences(self) -> Result<Option<Differences>, EngineError> {
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        // All columns are computed, those too that are not compared: what fails there would fail a run.
        let batches = self.rows.collect().await?;
        let mut actual = Vec::new();
        for batch in &batches {
            let batch_schema = batch.schema();
            let compared: Vec<usize> = names.iter().filter_map(|name| batch_schema.index_of(name).ok()).collect();
            for row in 0..batch.num_rows() {
                let values = compared.iter().map(|column| ScalarValue::try_from_array(batch.column(*column), row));
                actual.push(values.collect::<Result<Vec<_>, _>>()?);
            }
        }
        let identifying =
            names.iter().map(|name| self.model.grain.iter().any(|column| column.value == *name)).collect();
        let compared = Compared { identifying, expected: self.expected, actual, columns: self.columns };
        Ok(compared.differences(self.test.expect.ordered))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::error::DataFusionError;

    use super::*;

    #[test]
    fn a_model_that_cannot_be_computed_fails_its_test_with_the_kind_of_the_error() {
        let of = |error: EngineError| {
            let mut record = UnitTestRecord {
                test: "t".to_owned(),
                model: "m".to_owned(),
                place: "tests/t.yaml:1:1".to_owned(),
                passed: false,
                seconds: 0.0,
                error: None,
                help: None,
                failure: None,
                differences: None,
            };
            record.fail(&error);
            let line = serde_json::to_value(&record).expect("JSON");
            (record.failure, record.help.is_some_and(|help| help.contains("report it")), line["failure"].clone())
        };
        let divided = DataFusionError::Execution("Divide by zero".to_owned());
        assert_eq!(of(divided.into()), (Some(FailureKind::Rerun), false, "rerun".into()));
        let bug = DataFusionError::Internal("schemas differ".to_owned());
        assert_eq!(of(bug.into()), (Some(FailureKind::Internal), true, "internal".into()));
    }
}
