//! The events themselves: OpenLineage 2-0-2, each facet with the version of its schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use throughline_engine::{Prepared, RunRecord, StepRecord, TestRecord, rfc3339};
use throughline_plan::{ColumnLineage, Influences, Step, StepKind};

use crate::datasets::{Dataset, dataset};
use crate::options::LineageOptions;

const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const FACETS: &str = "https://openlineage.io/spec/facets";

/// A transition of a job's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Start,
    Complete,
    Fail,
    Abort,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

/// Makes the events of a pipeline's runs.
pub(crate) struct Events {
    prepared: Arc<Prepared>,
    columns: BTreeMap<String, ColumnLineage>,
    options: LineageOptions,
}

type Facets = Map<String, Value>;

impl Events {
    pub(crate) fn new(
        prepared: Arc<Prepared>,
        columns: BTreeMap<String, ColumnLineage>,
        options: LineageOptions,
    ) -> Self {
        Self { prepared, columns, options }
    }

    /// The run as a whole.
    pub(crate) fn run(
        &self,
        state: State,
        run_id: &str,
        began: DateTime<Utc>,
        now: DateTime<Utc>,
        record: Option<&RunRecord>,
    ) -> Value {
        let pipeline = &self.prepared.plan.pipeline;
        let mut of_run = self.run_facets();
        if let Some((namespace, name, parent)) = &self.options.parent {
            let parent = json!({ "run": { "runId": parent }, "job": { "namespace": namespace, "name": name } });
            put(&mut of_run, "parent", "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet", parent);
        }
        if let Some(record) = record.filter(|_| state == State::Fail) {
            error_message(&mut of_run, &why_failed(record));
        }
        let mut of_job = self.job_facets("PIPELINE", pipeline.description.as_deref(), pipeline.owner.as_deref());
        of_job.remove("sql");
        let run = (uuid(run_id, began), of_run);
        self.event(state, now, run, (pipeline.name.value.clone(), of_job), Vec::new(), Vec::new())
    }

    /// One step: what it reads and makes.
    pub(crate) fn step(
        &self,
        state: State,
        run_id: &str,
        began: DateTime<Utc>,
        now: DateTime<Utc>,
        name: &str,
        record: Option<&StepRecord>,
    ) -> Value {
        let plan = &self.prepared.plan;
        let step = plan.step(name);
        let mut of_run = self.step_run_facets(run_id, began);
        if let Some(record) = record.filter(|_| state == State::Fail) {
            let failed = record.tests.iter().filter(|test| !test.passed).map(|test| test.test.as_str());
            let tests = || format!("data tests failed: {}", failed.collect::<Vec<_>>().join("; "));
            error_message(&mut of_run, &record.error.clone().unwrap_or_else(tests));
        }
        let model = plan.pipeline.models.get(name);
        let source = plan.pipeline.sources.get(name);
        let description = model
            .and_then(|model| model.description.as_deref())
            .or(source.and_then(|source| source.description.as_deref()));
        let owner =
            model.and_then(|model| model.owner.as_deref()).or(source.and_then(|source| source.owner.as_deref()));
        let mut of_job = self.job_facets(if model.is_some() { "MODEL" } else { "SOURCE" }, description, owner);
        if let Some(sql) = step.and_then(|step| step.sql.as_deref()) {
            let query = json!({ "query": sql.file.text, "dialect": "datafusion" });
            put(&mut of_job, "sql", "1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet", query);
        }
        let (inputs, outputs) = match step {
            Some(step) if matches!(step.kind, StepKind::Source | StepKind::Seed) => self.of_source(step, record),
            Some(step) => {
                let inputs = step.inputs.iter().map(|input| self.input(input, Facets::new())).collect();
                (inputs, vec![self.output(step, record)])
            }
            None => (Vec::new(), Vec::new()),
        };
        let run = (uuid(&format!("{run_id}/{name}"), began), of_run);
        self.event(state, now, run, (self.job(name), of_job), inputs, outputs)
    }

    /// The data tests of a step; its relation is what they read.
    pub(crate) fn tests(
        &self,
        state: State,
        run_id: &str,
        began: DateTime<Utc>,
        now: DateTime<Utc>,
        record: &StepRecord,
    ) -> Value {
        let mut facets = Facets::new();
        if state != State::Start {
            let assertions: Vec<Value> = record.tests.iter().map(assertion).collect();
            let facet = "1-1-0/DataQualityAssertionsDatasetFacet.json#/$defs/DataQualityAssertionsDatasetFacet";
            put(&mut facets, "dataQualityAssertions", facet, json!({ "assertions": assertions }));
        }
        let inputs = vec![self.input(&record.step, facets)];
        let run = (uuid(&format!("{run_id}/{}/tests", record.step), began), self.step_run_facets(run_id, began));
        let job = (format!("{}.tests", self.job(&record.step)), self.job_facets("TEST", None, None));
        self.event(state, now, run, job, inputs, Vec::new())
    }

    fn job(&self, step: &str) -> String {
        format!("{}.{step}", self.prepared.plan.pipeline.name.value)
    }

    fn event(
        &self,
        state: State,
        now: DateTime<Utc>,
        (run_id, of_run): (String, Facets),
        (job, of_job): (String, Facets),
        inputs: Vec<Value>,
        outputs: Vec<Value>,
    ) -> Value {
        json!({
            "eventType": state.word(),
            "eventTime": now.to_rfc3339_opts(SecondsFormat::Millis, true),
            "run": { "runId": run_id, "facets": of_run },
            "job": { "namespace": self.options.namespace, "name": job, "facets": of_job },
            "inputs": inputs,
            "outputs": outputs,
            "producer": producer(),
            "schemaURL": SCHEMA,
        })
    }

    fn run_facets(&self) -> Facets {
        let mut facets = Facets::new();
        let engine = json!({ "version": env!("CARGO_PKG_VERSION"), "name": "throughline" });
        let facet = "1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet";
        put(&mut facets, "processing_engine", facet, engine);
        let as_of = json!({ "nominalStartTime": rfc3339(self.prepared.plan.parameters.as_of()) });
        put(&mut facets, "nominalTime", "1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet", as_of);
        facets
    }

    fn step_run_facets(&self, run_id: &str, began: DateTime<Utc>) -> Facets {
        let mut facets = self.run_facets();
        let namespace = &self.options.namespace;
        let name = &self.prepared.plan.pipeline.name.value;
        let mut parent =
            json!({ "run": { "runId": uuid(run_id, began) }, "job": { "namespace": namespace, "name": name } });
        let root = match &self.options.parent {
            Some((namespace, name, run)) => {
                json!({ "run": { "runId": run }, "job": { "namespace": namespace, "name": name } })
            }
            None => parent.clone(),
        };
        if let Value::Object(parent) = &mut parent {
            parent.insert("root".to_owned(), root);
        }
        put(&mut facets, "parent", "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet", parent);
        facets
    }

    fn job_facets(&self, kind: &str, description: Option<&str>, owner: Option<&str>) -> Facets {
        let mut facets = Facets::new();
        let job_type = json!({ "processingType": "BATCH", "integration": "THROUGHLINE", "jobType": kind });
        put(&mut facets, "jobType", "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet", job_type);
        if let Some(description) = description {
            let facet = "1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet";
            put(&mut facets, "documentation", facet, json!({ "description": description }));
        }
        if let Some(owner) = owner {
            let facet = "1-0-1/OwnershipJobFacet.json#/$defs/OwnershipJobFacet";
            put(&mut facets, "ownership", facet, json!({ "owners": [{ "name": format!("team:{owner}") }] }));
        }
        facets
    }

    /// A source's files are read; rows that broke the contract are written.
    fn of_source(&self, step: &Step, record: Option<&StepRecord>) -> (Vec<Value>, Vec<Value>) {
        let mut facets = Facets::new();
        if let Some(intake) = record.and_then(|record| record.intake.as_ref()) {
            let mut statistics = json!({ "rowCount": intake.read });
            if let (Some((files, size)), Value::Object(statistics)) =
                (self.prepared.source_size(&step.name), &mut statistics)
            {
                statistics.insert("size".to_owned(), json!(size));
                statistics.insert("fileCount".to_owned(), json!(files));
            }
            let facet = "1-0-0/InputStatisticsInputDatasetFacet.json#/$defs/InputStatisticsInputDatasetFacet";
            put(&mut facets, "inputStatistics", facet, statistics);
        }
        let inputs = vec![self.input(&step.name, facets)];
        let rejected = record.and_then(|record| Some((record.rejected_version?, record.intake.as_ref()?)));
        let outputs = rejected.map(|(version, intake)| {
            let name = self.dataset(&format!("{}__rejected", step.name));
            let mut facets = Facets::new();
            dataset_version(&mut facets, version);
            let mut of_output = Facets::new();
            output_statistics(&mut of_output, json!({ "rowCount": intake.rejected_rows() }));
            json!({ "namespace": name.namespace, "name": name.name, "facets": facets, "outputFacets": of_output })
        });
        (inputs, outputs.into_iter().collect())
    }

    fn dataset(&self, relation: &str) -> Dataset {
        dataset(relation, &self.prepared, &self.options.namespace)
    }

    fn input(&self, relation: &str, of_input: Facets) -> Value {
        let Dataset { namespace, name } = self.dataset(relation);
        json!({ "namespace": namespace, "name": name, "facets": self.dataset_facets(relation), "inputFacets": of_input })
    }

    fn output(&self, step: &Step, record: Option<&StepRecord>) -> Value {
        let Dataset { namespace, name } = self.dataset(&step.name);
        let mut facets = self.dataset_facets(&step.name);
        if let Some(traced) = self.columns.get(&step.name) {
            let facet = "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet";
            put(&mut facets, "columnLineage", facet, self.column_lineage(traced));
        }
        let mut of_output = Facets::new();
        if let Some(record) = record {
            if let Some(version) = record.version {
                dataset_version(&mut facets, version);
            }
            let known = [("rowCount", record.rows), ("size", record.bytes), ("fileCount", record.files)];
            let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
            let statistics: Map<String, Value> = known.collect();
            if !statistics.is_empty() {
                output_statistics(&mut of_output, Value::Object(statistics));
            }
        }
        json!({ "namespace": namespace, "name": name, "facets": facets, "outputFacets": of_output })
    }

    fn dataset_facets(&self, relation: &str) -> Facets {
        let plan = &self.prepared.plan;
        let mut facets = Facets::new();
        let Some(step) = plan.step(relation) else { return facets };
        let fields = step.schema.fields().iter().filter(|field| !field.name().starts_with("__")).map(|field| {
            let mut shown = json!({ "name": field.name(), "type": field.data_type().to_string() });
            if let (Some(comment), Value::Object(shown)) = (plan.column_comment(relation, field.name()), &mut shown) {
                shown.insert("description".to_owned(), json!(comment));
            }
            shown
        });
        let fields: Vec<Value> = fields.collect();
        let facet = "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet";
        put(&mut facets, "schema", facet, json!({ "fields": fields }));
        let kind = match step.kind {
            StepKind::Source | StepKind::Seed => "FILE",
            StepKind::View => "VIEW",
            StepKind::Table => "TABLE",
        };
        let facet = "1-0-1/DatasetTypeDatasetFacet.json#/$defs/DatasetTypeDatasetFacet";
        put(&mut facets, "datasetType", facet, json!({ "datasetType": kind }));
        facets
    }

    fn column_lineage(&self, traced: &ColumnLineage) -> Value {
        let fields: Map<String, Value> = traced
            .columns
            .iter()
            .map(|(column, influences)| (column.clone(), json!({ "inputFields": self.input_fields(influences) })))
            .collect();
        json!({ "fields": fields, "dataset": self.input_fields(&traced.rows) })
    }

    fn input_fields(&self, influences: &Influences) -> Vec<Value> {
        let field = |(column, influences): (&throughline_plan::ColumnOf, &std::collections::BTreeSet<_>)| {
            let Dataset { namespace, name } = self.dataset(&column.relation);
            let transformations: Vec<Value> = influences.iter().map(transformation).collect();
            json!({ "namespace": namespace, "name": name, "field": column.column, "transformations": transformations })
        };
        influences.iter().map(field).collect()
    }
}

fn transformation(influence: &throughline_plan::Influence) -> Value {
    let kind = if influence.is_direct() { "DIRECT" } else { "INDIRECT" };
    json!({ "type": kind, "subtype": influence.subtype(), "masking": false })
}

fn producer() -> String {
    format!("urn:throughline:{}", env!("CARGO_PKG_VERSION"))
}

/// Adds a facet with what every facet has.
fn put(facets: &mut Facets, name: &str, schema: &str, mut facet: Value) {
    if let Value::Object(facet) = &mut facet {
        facet.insert("_producer".to_owned(), json!(producer()));
        facet.insert("_schemaURL".to_owned(), json!(format!("{FACETS}/{schema}")));
    }
    facets.insert(name.to_owned(), facet);
}

fn error_message(facets: &mut Facets, message: &str) {
    let facet = "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet";
    put(facets, "errorMessage", facet, json!({ "message": message, "programmingLanguage": "SQL" }));
}

fn dataset_version(facets: &mut Facets, version: u64) {
    let facet = "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
    put(facets, "version", facet, json!({ "datasetVersion": version.to_string() }));
}

fn output_statistics(facets: &mut Facets, statistics: Value) {
    let facet = "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet";
    put(facets, "outputStatistics", facet, statistics);
}

fn why_failed(record: &RunRecord) -> String {
    let failed = record.steps.iter().filter(|step| step.error.is_some() || step.tests.iter().any(|test| !test.passed));
    let why = failed.map(|step| match &step.error {
        Some(error) => format!("{}: {error}", step.step),
        None => format!("{}: data tests failed", step.step),
    });
    let why: Vec<String> = why.take(10).collect();
    if why.is_empty() { "the run did not end well".to_owned() } else { why.join("\n") }
}

fn assertion(test: &TestRecord) -> Value {
    let mut shown = json!({
        "assertion": kind_of(test),
        "name": test.test,
        "success": test.passed,
        "severity": if test.severity == "error" { "error" } else { "warn" },
        "actual": test.count.to_string(),
        "params": { "place": test.place },
    });
    if let (Some(column), Value::Object(shown)) = (&test.column, &mut shown) {
        shown.insert("column".to_owned(), json!(column));
    }
    shown
}

/// The kind of test in OpenLineage's words. A record of an earlier version of the program does not name it.
fn kind_of(test: &TestRecord) -> &str {
    match test.kind.as_deref() {
        Some("sql") => "custom_sql",
        Some(kind) => kind,
        None => "expression",
    }
}

/// A UUID of version 7 (RFC 9562) that follows from the run's id, so that all events of a run agree without a memory.
fn uuid(of: &str, began: DateTime<Utc>) -> String {
    let digest = Sha256::digest(of.as_bytes());
    let mut random = [0_u8; 10];
    random.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(began.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().hyphenated().to_string()
}
