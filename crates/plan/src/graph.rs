//! Which relation reads which, and an order in which all can be made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use throughline_config::{Diagnostic, Diagnostics, Model, ModelKind, Pipeline, Place, TestKind, closest};

use crate::data_test::read_by_test;
use crate::replaced_rows::{ReplacedRows, replaced_rows};
use crate::sql_text::SqlText;

/// The engine-made relation with one row a journey definition.
pub const JOURNEY_DEFINITIONS: &str = "journey_definitions";

/// A relation of the pipeline and what it reads.
#[derive(Debug)]
pub struct Node {
    /// What it reads, each with the place that says so.
    pub inputs: BTreeMap<String, Place>,
    /// The parsed SELECT of an SQL model.
    pub sql: Option<Arc<SqlText>>,
    /// The parsed SELECTs of a union.
    pub parts: Vec<Arc<SqlText>>,
}

impl Node {
    fn reading(inputs: BTreeMap<String, Place>) -> Self {
        Self { inputs, sql: None, parts: Vec::new() }
    }

    /// Its SELECTs: one, several of a union, or none.
    pub fn texts(&self) -> impl Iterator<Item = &SqlText> {
        self.sql.iter().chain(&self.parts).map(Arc::as_ref)
    }
}

/// All relations by name, in an order in which each stands after what it reads.
#[derive(Debug)]
pub struct Graph {
    /// Sources and seeds as written, then models in running order.
    pub nodes: IndexMap<String, Node>,
}

impl Graph {
    /// Reads the dependencies off the models' SQL. Refused: SQL that does not parse, unknown relations, cycles.
    pub fn of(pipeline: &Pipeline) -> Result<Self, Diagnostics> {
        let mut findings = Diagnostics::default();
        let mut nodes = IndexMap::new();
        for name in pipeline.sources.keys() {
            nodes.insert(name.clone(), Node::reading(BTreeMap::new()));
        }
        for (name, model) in &pipeline.models {
            let node = match node(model) {
                Ok(node) => node,
                Err(found) => {
                    findings.0.extend(found.0);
                    continue;
                }
            };
            match with_read_by_tests(node, model, pipeline) {
                Ok(node) => nodes.insert(name.clone(), node),
                Err(found) => {
                    findings.0.extend(found.0);
                    continue;
                }
            };
        }
        findings.0.extend(turned_off(&nodes, pipeline));
        for node in nodes.values() {
            for (input, place) in node.inputs.iter().filter(|(input, _)| !pipeline.off.contains_key(*input)) {
                if let Some(finding) = unknown_relation(input, place, pipeline) {
                    findings.0.push(finding);
                }
            }
        }
        if !findings.0.is_empty() {
            return Err(findings);
        }
        let mut graph = Self { nodes };
        graph.carry_members(pipeline);
        graph.ordered(pipeline)
    }

    /// An incremental model of instances finds open ones in the members, so it comes after them.
    fn carry_members(&mut self, pipeline: &Pipeline) {
        for model in pipeline.models.values() {
            let place = model.name.place.clone();
            if let Ok(Some(ReplacedRows::Instances { members, .. })) =
                replaced_rows(model, pipeline, self.inputs(&model.name))
                && let Some(node) = self.nodes.get_mut(&model.name.value)
            {
                node.inputs.entry(members).or_insert(place);
            }
        }
    }

    /// Relations that read `name`, directly.
    pub fn readers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.nodes.iter().filter(move |(_, node)| node.inputs.contains_key(name)).map(|(reader, _)| reader.as_str())
    }

    /// Everything reachable from `from` by `next`, `from` included.
    pub fn closure<'a, I: Iterator<Item = &'a str>>(
        from: impl IntoIterator<Item = &'a str>,
        next: impl Fn(&'a str) -> I,
    ) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = from.into_iter().collect();
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                open.extend(next(name));
            }
        }
        seen
    }

    /// Direct inputs of `name`.
    pub fn inputs<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.nodes.get(name).into_iter().flat_map(|node| node.inputs.keys().map(String::as_str))
    }

    /// Kahn's algorithm (1962), always taking the first ready node as written, so that the order is stable.
    fn ordered(mut self, pipeline: &Pipeline) -> Result<Self, Diagnostics> {
        let mut ordered: IndexMap<String, Node> = IndexMap::with_capacity(self.nodes.len());
        loop {
            let ready = self.nodes.iter().position(|(_, node)| {
                node.inputs.keys().all(|input| input == JOURNEY_DEFINITIONS || ordered.contains_key(input))
            });
            match ready.and_then(|index| self.nodes.shift_remove_index(index)) {
                Some((name, node)) => ordered.insert(name, node),
                None => break,
            };
        }
        if self.nodes.is_empty() { Ok(Self { nodes: ordered }) } else { Err(self.cycle(pipeline)) }
    }

    /// Names one cycle among the nodes that could not be ordered.
    fn cycle(&self, pipeline: &Pipeline) -> Diagnostics {
        let mut path: Vec<&str> = Vec::new();
        let mut current = self.nodes.keys().next().map(String::as_str);
        while let Some(name) = current {
            if let Some(start) = path.iter().position(|seen| *seen == name) {
                path.drain(..start);
                break;
            }
            path.push(name);
            current = self.inputs(name).find(|input| self.nodes.contains_key(*input));
        }
        // The pipeline's own SQL is what can be mended; the library's alone has no circle.
        let own =
            path.iter().copied().find(|name| pipeline.libraries.is_empty() || pipeline.library_of(name).is_none());
        if let Some(start) = own.and_then(|own| path.iter().position(|name| *name == own)) {
            path.rotate_left(start);
        }
        let first = path.first().copied().unwrap_or_default();
        let place = path.get(1).and_then(|next| self.nodes.get(first).and_then(|node| node.inputs.get(*next)));
        let place = place.or_else(|| self.nodes.get(first).and_then(|node| node.inputs.get(first))).cloned();
        let around: Vec<&str> = path.iter().copied().chain([first]).collect();
        let finding = Diagnostic::error("cycle", format!("models read each other in a circle: {}", around.join(" → ")))
            .help("move what both need into a model of its own");
        let replaced = path.iter().filter(|name| pipeline.replaced.contains_key(**name));
        let finding = replaced.fold(finding, |finding, name| {
            finding.help(format!("`{name}` is the pipeline's own here, in the place of the library's"))
        });
        let place = place.or_else(|| pipeline.models.get(first).map(|model| model.name.place.clone()));
        match place {
            Some(place) => finding.at(place),
            None => finding,
        }
        .into()
    }
}

fn node(model: &Model) -> Result<Node, Diagnostics> {
    match &model.kind {
        ModelKind::Sql(file) => {
            let sql = SqlText::parse(file)?;
            Ok(Node { sql: Some(Arc::new(sql.clone())), ..Node::reading(sql.references) })
        }
        ModelKind::Union(files) => {
            let mut node = Node::reading(BTreeMap::new());
            let mut findings = Diagnostics::default();
            for file in files {
                match SqlText::parse(file) {
                    Ok(sql) => {
                        for (relation, place) in &sql.references {
                            node.inputs.entry(relation.clone()).or_insert_with(|| place.clone());
                        }
                        node.parts.push(Arc::new(sql));
                    }
                    Err(found) => findings.0.extend(found.0),
                }
            }
            if findings.is_empty() { Ok(node) } else { Err(findings) }
        }
        ModelKind::Match { input, .. } | ModelKind::Eligible { input } => {
            Ok(Node::reading(BTreeMap::from([(input.value.clone(), input.place.clone())])))
        }
    }
}

/// Models of a library that are turned off although others read them.
fn turned_off(nodes: &IndexMap<String, Node>, pipeline: &Pipeline) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (name, off) in &pipeline.off {
        let readers =
            nodes.iter().filter(|(_, node)| node.inputs.contains_key(name)).map(|(reader, _)| reader.as_str());
        let readers: Vec<&str> = readers.collect();
        if !readers.is_empty() {
            let list = readers.iter().map(|reader| format!("`{reader}`")).collect::<Vec<_>>().join(", ");
            findings.push(
                Diagnostic::error("turned-off", format!("`{name}` is turned off, but {list} read it"))
                    .at(off.place.clone())
                    .help("turn these off too, or replace them with SQL that reads something else"),
            );
        }
    }
    findings
}

/// What a model's tests look up has to be there before the model is tested.
fn with_read_by_tests(mut node: Node, model: &Model, pipeline: &Pipeline) -> Result<Node, Diagnostics> {
    for test in &model.tests {
        let mut read = read_by_test(test)?;
        if let TestKind::Sql(_) = test.kind {
            // It may be a table function; an unknown name is reported where the test is planned.
            read.retain(|name, place| unknown_relation(name, place, pipeline).is_none());
        }
        read.remove(&model.name.value);
        for (relation, place) in read {
            node.inputs.entry(relation).or_insert(place);
        }
    }
    Ok(node)
}

fn unknown_relation(name: &str, place: &Place, pipeline: &Pipeline) -> Option<Diagnostic> {
    if name == JOURNEY_DEFINITIONS || pipeline.sources.contains_key(name) || pipeline.models.contains_key(name) {
        return None;
    }
    let known = || pipeline.sources.keys().chain(pipeline.models.keys()).map(String::as_str);
    let finding = Diagnostic::error("unknown-relation", format!("no source, seed or model `{name}`")).at(place.clone());
    Some(match closest(name, known()) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help(format!("declare it under `sources:` or `models:` of {}", pipeline.file.path.display())),
    })
}
