//! `unit_tests:`, in the pipeline's file or in the files it names. A file of tests is a mapping of names to tests:
//!
//! ```yaml
//! a_paid_bill_is_two_touchpoints:
//!   model: touchpoints
//!   given:
//!     invoices:
//!       - { invoice_id: i1, customer_id: ann, issued_at: 2026-01-05, paid_at: 2026-01-20 }
//!   expect:
//!     - { touchpoint_id: invoice-i1-issued, event: bill_issued }
//!     - { touchpoint_id: invoice-i1-paid, event: bill_paid }
//! ```

use std::path::Path;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::names::clash;
use super::tree::{Node, NodeKind};
use super::variables::override_variable;
use super::workspace::Workspace;
use super::{globs, interpolate, journeys, sources, tree, values};
use crate::{
    Cell, Diagnostic, Diagnostics, ExpectedRows, Format, GivenRows, JourneyDefinition, LoadOptions, Located, TestRow,
    Timestamp, UnitTest, Variable,
};

pub(crate) const KEYS: [&str; 7] = ["model", "description", "as_of", "variables", "journeys", "given", "expect"];
pub(crate) const GIVEN_KEYS: [&str; 2] = ["columns", "rows"];
pub(crate) const EXPECT_KEYS: [&str; 2] = ["rows", "ordered"];

type Variables = IndexMap<String, Located<Variable>>;

/// The tests of `unit_tests:`: a mapping of tests, or globs of files that hold such mappings.
pub(super) fn unit_tests(
    field: Field<'_>,
    variables: &Variables,
    workspace: &Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> IndexMap<String, UnitTest> {
    let mut tests = IndexMap::new();
    let paths = match &field.node.kind {
        NodeKind::Mapping(entries) => {
            collect(entries, variables, &mut tests, findings);
            Vec::new()
        }
        NodeKind::Scalar { .. } => field.text(findings).into_iter().collect(),
        NodeKind::Sequence(_) => field.texts(findings),
    };
    for path in globs::files(&paths, "test", "tests/*.yaml", workspace, findings) {
        if let Some(root) = read(&path, workspace, options, findings)
            && let NodeKind::Mapping(entries) = &root.kind
        {
            collect(entries, variables, &mut tests, findings);
        }
    }
    tests
}

fn read(path: &Path, workspace: &Workspace, options: &LoadOptions, findings: &mut Diagnostics) -> Option<Node> {
    let file = workspace.read(path).map_err(|finding| findings.push(finding)).ok()?;
    let mut root = tree::parse(&file, findings)?;
    interpolate::interpolate(&mut root, &options.environment, findings);
    if matches!(root.kind, NodeKind::Mapping(_)) {
        return Some(root);
    }
    let message = format!("a file of tests must be a mapping, found {}", root.described());
    findings.push(
        Diagnostic::error("wrong-type", message)
            .at(root.place)
            .help("it maps names to tests: `a_call_is_a_touchpoint: { model: touchpoints, given: …, expect: … }`"),
    );
    None
}

fn collect(
    entries: &[(Located<String>, Node)],
    variables: &Variables,
    tests: &mut IndexMap<String, UnitTest>,
    findings: &mut Diagnostics,
) {
    for (name, node) in entries {
        let Some(test) = unit_test(name, node, variables, findings) else { continue };
        match tests.get(&name.value) {
            Some(first) => findings.push(clash(name, "unit test", &first.name, "unit test")),
            None => {
                tests.insert(name.value.clone(), test);
            }
        }
    }
}

fn unit_test(
    name: &Located<String>,
    node: &Node,
    variables: &Variables,
    findings: &mut Diagnostics,
) -> Option<UnitTest> {
    if let Some(finding) = values::check_name(name, "unit test", &[]) {
        findings.push(finding);
    }
    let fields = Fields::open(node, name.place.clone(), format!("unit test `{}`", name.value), &KEYS, findings)?;
    let model = fields.required("model", "touchpoints", findings).and_then(|field| field.text(findings));
    let given = fields.get("given").map_or_else(IndexMap::new, |field| given(field, findings));
    let expect = fields.required("expect", "[{ touchpoint_id: call-1 }]", findings);
    let expect = expect.and_then(|field| expected(field, findings));
    Some(UnitTest {
        name: name.clone(),
        description: fields.words("description", findings),
        as_of: as_of(&fields, findings),
        variables: overridden(&fields, variables, findings),
        journeys: fields.get("journeys").map(|field| definitions(field, findings)),
        model: model?,
        given,
        expect: expect?,
    })
}

fn as_of(fields: &Fields<'_>, findings: &mut Diagnostics) -> Option<Timestamp> {
    let text = fields.text("as_of", findings)?;
    let instant = values::timestamp(&text);
    if instant.is_none() {
        findings.push(
            Diagnostic::error("bad-timestamp", format!("`{}` is no date or instant", text.value))
                .at(text.place)
                .help("write `2026-01-01` or `2026-01-01T12:00:00Z`; without a zone it is UTC"),
        );
    }
    instant
}

/// The pipeline's variables with the test's own values in place.
fn overridden(fields: &Fields<'_>, declared: &Variables, findings: &mut Diagnostics) -> Variables {
    let mut variables = declared.clone();
    let Some(field) = fields.get("variables") else { return variables };
    for (name, node) in field.entries("a mapping of names to values", findings) {
        let Some(text) = (Field { key: name, node }).text(findings) else { continue };
        if let Err(finding) = override_variable(name, &text, "a test", &mut variables) {
            findings.push(finding);
        }
    }
    variables
}

fn definitions(field: Field<'_>, findings: &mut Diagnostics) -> IndexMap<String, JourneyDefinition> {
    let entries = field.entries("a mapping of names to journey definitions", findings);
    let definitions = entries.iter().filter_map(|(name, node)| journeys::definition(name, node, findings));
    definitions.map(|definition| (definition.name.value.clone(), definition)).collect()
}

fn given(field: Field<'_>, findings: &mut Diagnostics) -> IndexMap<String, GivenRows> {
    let mut given = IndexMap::new();
    for (relation, node) in field.entries("a mapping of relations to rows", findings) {
        let what = format!("`{}`", relation.value);
        let (columns, rows) = match &node.kind {
            NodeKind::Mapping(_) => {
                let Some(fields) = Fields::open(node, relation.place.clone(), what, &GIVEN_KEYS, findings) else {
                    continue;
                };
                // Given values are written as everywhere in YAML; a `format` is for files.
                let columns =
                    fields.get("columns").map(|field| sources::columns(field, Some(Format::Parquet), findings));
                let rows = fields.get("rows").map(|field| rows(field, findings));
                (columns.unwrap_or_default(), rows.unwrap_or_default())
            }
            _ => (IndexMap::new(), rows(Field { key: relation, node }, findings)),
        };
        given.insert(relation.value.clone(), GivenRows { relation: relation.clone(), columns, rows });
    }
    given
}

fn expected(field: Field<'_>, findings: &mut Diagnostics) -> Option<ExpectedRows> {
    if !matches!(field.node.kind, NodeKind::Mapping(_)) {
        return Some(ExpectedRows { rows: rows(field, findings), ordered: false });
    }
    let what = "`expect`".to_owned();
    let fields = Fields::open(field.node, field.key.place.clone(), what, &EXPECT_KEYS, findings)?;
    let truths = [("true", true), ("false", false)];
    let ordered = fields.get("ordered").and_then(|field| field.one_of(&truths, findings));
    let rows = fields.required("rows", "[{ touchpoint_id: call-1 }]", findings).map(|field| rows(field, findings));
    Some(ExpectedRows { rows: rows?, ordered: ordered.is_some_and(|ordered| ordered.value) })
}

/// A list of rows, each a mapping of columns to single values; it may be empty.
fn rows(field: Field<'_>, findings: &mut Diagnostics) -> Vec<TestRow> {
    const EXAMPLE: &str = "e.g. `- { call_id: 1, customer_id: ann }`";
    let NodeKind::Sequence(items) = &field.node.kind else {
        findings.push(field.wrong_type("a list of rows").help(EXAMPLE));
        return Vec::new();
    };
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let NodeKind::Mapping(entries) = &item.kind else {
            let message = format!("a row must be a mapping of columns to values, found {}", item.described());
            findings.push(Diagnostic::error("wrong-type", message).at(item.place.clone()).help(EXAMPLE));
            continue;
        };
        let cells = entries.iter().filter_map(|(column, node)| Some((column.clone(), cell(column, node, findings)?)));
        rows.push(TestRow { cells: cells.collect(), place: item.place.clone() });
    }
    rows
}

fn cell(column: &Located<String>, node: &Node, findings: &mut Diagnostics) -> Option<Cell> {
    let place = if node.is_null() { column.place.clone() } else { node.place.clone() };
    match &node.kind {
        NodeKind::Scalar { text, plain } => {
            Some(Cell { text: (!node.is_null()).then(|| text.clone()), quoted: !plain, place })
        }
        _ => {
            let message = format!("`{}` must be a single value, found {}", column.value, node.described());
            findings.push(Diagnostic::error("wrong-type", message).at(place).help("leave the column out"));
            None
        }
    }
}
