//! A pipeline's own file, and what its sections have in common: one namespace, variables, the dictionary.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::tree::{Node, NodeKind};
use super::workspace::Workspace;
use super::{interpolate, journeys, models, sources, tree, triggers, unit_tests, values};
use crate::{Diagnostic, Diagnostics, LoadOptions, Located, Pipeline, Place, SourceFile, Timestamp, Variable, closest};

pub(crate) const KEYS: [&str; 13] = [
    "name",
    "owner",
    "description",
    "start",
    "warehouse",
    "variables",
    "sources",
    "seeds",
    "journeys",
    "models",
    "triggers",
    "unit_tests",
    "dictionary",
];
/// Relations the program makes, and the name of the total over all segments (SEMANTICS 5).
const RESERVED_RELATIONS: [&str; 6] = ["all", "journey_definitions", "fct_trigger", "runs", "run_steps", "run_tests"];
/// SQL parameters the program sets.
const RESERVED_VARIABLES: [&str; 2] = ["as_of", "start"];

/// Reads `pipelines/<name>.yaml` and all it names. `None` only when something a pipeline cannot be without is missing;
/// whether there are errors is for `findings` to say.
pub(super) fn read(
    workspace: &Workspace,
    name: &str,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Option<Pipeline> {
    let path = std::path::Path::new("pipelines").join(format!("{name}.yaml"));
    let file = workspace.read(&path).map_err(|finding| findings.push(finding)).ok()?;
    let mut root = tree::parse(&file, findings)?;
    interpolate::interpolate(&mut root, &options.environment, findings);
    let header = Place { file: Arc::clone(&file), span: root.place.span.start..root.place.span.start };
    let fields = Fields::open(&root, header, "the pipeline".to_owned(), &KEYS, findings)?;

    let declared = fields.required("name", name, findings).and_then(|field| field.text(findings));
    if let Some(declared) = &declared {
        check_pipeline_name(declared, name, findings);
    }
    let start = fields.required("start", "2024-10-01", findings).and_then(|field| start(field, findings));
    let warehouse =
        fields.required("warehouse", "${WAREHOUSE:-data/warehouse}", findings).and_then(|field| field.text(findings));
    let sources = fields.get("sources").map_or_else(Vec::new, |field| sources::sources(field, findings));
    let seeds = fields.get("seeds").map_or_else(Vec::new, |field| sources::seeds(field, workspace, findings));
    let journeys = fields
        .get("journeys")
        .map_or_else(IndexMap::new, |field| journeys::journeys(field, workspace, options, findings));
    let models = fields
        .required("models", "{ touchpoints: { sql: sql/staging/touchpoints.sql } }", findings)
        .map_or_else(Vec::new, |field| models::models(field, workspace, findings));
    let mut names = Namespace::default();
    let sources =
        sources.into_iter().chain(seeds).filter(|source| names.admit(&source.name, "source or seed", findings));
    let sources: IndexMap<_, _> = sources.map(|source| (source.name.value.clone(), source)).collect();
    let mut admitted = Vec::new();
    for model in models {
        if names.admit(&model.name, "model", findings) {
            admitted.push((model.name.value.clone(), model));
        }
    }
    let variables = variables(fields.get("variables"), options, findings);
    let unit_tests = fields
        .get("unit_tests")
        .map_or_else(IndexMap::new, |field| unit_tests::unit_tests(field, &variables, workspace, options, findings));
    let dictionary =
        fields.get("dictionary").map_or_else(IndexMap::new, |field| dictionary(field, workspace, options, findings));
    Some(Pipeline {
        project: workspace.root.clone(),
        owner: fields.words("owner", findings),
        description: fields.words("description", findings),
        name: declared?,
        start: start?,
        warehouse: warehouse?,
        file,
        variables,
        sources,
        journeys,
        models: admitted.into_iter().collect(),
        triggers: fields.get("triggers").map_or_else(IndexMap::new, |field| triggers::triggers(field, findings)),
        unit_tests,
        dictionary,
    })
}

/// Names a relation or a journey, or says why not.
pub(super) fn check_relation_name(name: &Located<String>, what: &str, findings: &mut Diagnostics) {
    if let Some(finding) = values::check_name(name, what, &RESERVED_RELATIONS) {
        findings.push(finding);
    }
}

/// Two things with one name.
pub(super) fn clash(second: &Located<String>, second_is: &str, first: &Located<String>, first_is: &str) -> Diagnostic {
    let (line, _) = first.place.line_and_column();
    let file = first.place.file.path.display();
    let message = if second_is == first_is {
        format!("a second {second_is} is named `{}`", second.value)
    } else {
        format!("the {second_is} `{}` has the name of a {first_is}", second.value)
    };
    Diagnostic::error("name-clash", message)
        .at(second.place.clone())
        .label(format!("first used in {file}:{line}"))
        .help("rename one of the two")
}

/// The names SQL can use: sources, seeds and models share them.
#[derive(Default)]
struct Namespace {
    taken: IndexMap<String, (Located<String>, &'static str)>,
}

impl Namespace {
    /// Whether the name was still free; a clash is a finding.
    fn admit(&mut self, name: &Located<String>, what: &'static str, findings: &mut Diagnostics) -> bool {
        if let Some((first, first_is)) = self.taken.get(&name.value) {
            findings.push(clash(name, what, first, first_is));
            return false;
        }
        self.taken.insert(name.value.clone(), (name.clone(), what));
        true
    }
}

fn check_pipeline_name(declared: &Located<String>, stem: &str, findings: &mut Diagnostics) {
    if let Some(finding) = values::check_name(declared, "pipeline", &[]) {
        findings.push(finding);
    } else if declared.value != stem {
        findings.push(
            Diagnostic::error(
                "bad-name",
                format!("the pipeline `{}` lives in `pipelines/{stem}.yaml`", declared.value),
            )
            .at(declared.place.clone())
            .help(format!("a pipeline is named like its file: write `name: {stem}` or rename the file")),
        );
    }
}

fn start(field: Field<'_>, findings: &mut Diagnostics) -> Option<Located<Timestamp>> {
    let text = field.text(findings)?;
    let instant = values::timestamp(&text);
    if instant.is_none() {
        findings.push(
            Diagnostic::error("bad-timestamp", format!("`{}` is no date or instant", text.value))
                .at(text.place.clone())
                .help("write `2024-10-01` or `2024-10-01T12:00:00Z`; without a zone it is UTC"),
        );
    }
    Some(Located { value: instant?, place: text.place })
}

fn variables(
    field: Option<Field<'_>>,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> IndexMap<String, Located<Variable>> {
    let mut variables = IndexMap::new();
    let entries = field.map_or(&[][..], |field| field.entries("a mapping of names to values", findings));
    for (name, node) in entries {
        if let Some(finding) = values::check_name(name, "variable", &RESERVED_VARIABLES) {
            findings.push(finding);
        }
        let Some(text) = (Field { key: name, node }).text(findings) else { continue };
        let plain = matches!(node.kind, NodeKind::Scalar { plain: true, .. });
        match values::variable(&text, plain) {
            Ok(value) => {
                variables.insert(name.value.clone(), Located { value, place: text.place });
            }
            Err(finding) => findings.push(finding),
        }
    }
    for (name, text) in &options.variables {
        // A variable whose declaration is broken has its own finding already.
        let broken = entries.iter().any(|(declared, _)| declared.value == *name) && !variables.contains_key(name);
        if !broken && let Err(finding) = replace(name, text, &mut variables) {
            findings.push(finding);
        }
    }
    variables
}

/// Puts a value of the command line in the place of the declared one.
fn replace(name: &str, text: &str, variables: &mut IndexMap<String, Located<Variable>>) -> Result<(), Diagnostic> {
    let file = Arc::new(SourceFile { path: "--vars".into(), text: format!("{name}={text}") });
    let place = |span| Place { file: Arc::clone(&file), span };
    let value = Located { value: text.to_owned(), place: place(name.len() + 1..name.len() + 1 + text.len()) };
    let name = Located { value: name.to_owned(), place: place(0..name.len()) };
    override_variable(&name, &value, "the command line", variables)
}

/// Puts another value in the place of a declared one; it must be of the same kind. `whose` names who says so.
pub(super) fn override_variable(
    name: &Located<String>,
    text: &Located<String>,
    whose: &str,
    variables: &mut IndexMap<String, Located<Variable>>,
) -> Result<(), Diagnostic> {
    let Some(declared) = variables.get_mut(&name.value) else {
        let message = format!("the pipeline has no variable `{}`", name.value);
        let unknown = Diagnostic::error("unknown-variable", message).at(name.place.clone());
        let unknown = match closest(name, variables.keys().map(String::as_str)) {
            Some(similar) => unknown.label(format!("did you mean `{similar}`?")),
            None => unknown,
        };
        let names: Vec<&str> = variables.keys().map(String::as_str).collect();
        return Err(if names.is_empty() {
            unknown.help("it declares none: add it under `variables:`")
        } else {
            unknown.help(format!("it declares: {}", names.join(", ")))
        });
    };
    let value = match (&declared.value, values::variable(text, true)) {
        (Variable::Text(_), _) => Variable::Text(text.value.clone()),
        (_, Err(finding)) => return Err(finding),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a number with a fraction was declared, so a double is what is wanted"
        )]
        (Variable::Float(_), Ok(Variable::Integer(integer))) => Variable::Float(integer as f64),
        (declared, Ok(value)) if values::kind_of(declared) == values::kind_of(&value) => value,
        (declared, Ok(_)) => {
            let expected = values::kind_of(declared);
            return Err(Diagnostic::error("bad-value", format!("the variable `{}` is {expected}", name.value))
                .at(text.place.clone())
                .label(format!("expected {expected}"))
                .help(format!("the pipeline's file declares it; {whose} can change the value, not the kind")));
        }
    };
    *declared = Located { value, place: text.place.clone() };
    Ok(())
}

/// Inline comments, or the path of a file that holds them.
fn dictionary(
    field: Field<'_>,
    workspace: &Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> IndexMap<String, String> {
    let NodeKind::Scalar { .. } = field.node.kind else { return models::comments(field, findings) };
    let Some(path) = field.text(findings) else { return IndexMap::new() };
    let file = match workspace.read_named(&path) {
        Ok(file) => file,
        Err(finding) => {
            findings.push(finding);
            return IndexMap::new();
        }
    };
    let Some(mut root): Option<Node> = tree::parse(&file, findings) else { return IndexMap::new() };
    interpolate::interpolate(&mut root, &options.environment, findings);
    models::comments(Field { key: field.key, node: &root }, findings)
}
