//! `inputs:` of a library: the relations that it asks for, with their columns.

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::names::check_relation_name;
use super::sources::COLUMN_TYPES;
use super::tree::{Entries, Node, NodeKind};
use crate::{ColumnType, Diagnostics, Input, InputColumn, Located, SourceFile};

pub(crate) const KEYS: [&str; 8] =
    ["description", "required", "without", "columns", "grain", "time_column", "tags", "tests"];
pub(crate) const COLUMN_KEYS: [&str; 5] = ["type", "required", "default", "without", "description"];
/// What a model that is the input takes over.
const OF_THE_MODEL: [&str; 5] = ["description", "grain", "time_column", "tags", "tests"];

/// The inputs by name, and with what a model is declared that is one of them.
pub(super) fn inputs(
    field: Field<'_>,
    library: &Located<String>,
    findings: &mut Diagnostics,
) -> (IndexMap<String, Input>, Entries) {
    let mut inputs = IndexMap::new();
    let mut models = Vec::new();
    for (name, node) in field.entries("a mapping of names to inputs", findings) {
        check_relation_name(name, "input", findings);
        let Some(input) = input(name, node, library, findings) else { continue };
        inputs.insert(name.value.clone(), input);
        models.push((name.clone(), model(node)));
    }
    (inputs, models)
}

fn input(name: &Located<String>, node: &Node, library: &Located<String>, findings: &mut Diagnostics) -> Option<Input> {
    let fields = Fields::open(node, name.place.clone(), format!("input `{}`", name.value), &KEYS, findings)?;
    let columns = fields.required("columns", "{ customer_id: string }", findings)?;
    let columns = columns.entries("a mapping of columns to types", findings);
    let columns = columns.iter().filter_map(|(name, node)| column(name, node, findings));
    let columns = columns.map(|column| (column.name.value.clone(), column)).collect();
    Some(Input {
        name: name.clone(),
        library: library.value.clone(),
        required: is_true(&fields, findings),
        description: fields.words("description", findings),
        columns,
        without: fields.words("without", findings),
        given: false,
    })
}

fn column(name: &Located<String>, node: &Node, findings: &mut Diagnostics) -> Option<InputColumn> {
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        let data_type = Field { key: name, node }.one_of(&COLUMN_TYPES, findings)?.value;
        return Some(InputColumn {
            name: name.clone(),
            data_type,
            required: false,
            default: None,
            without: None,
            description: None,
        });
    }
    let what = format!("column `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &COLUMN_KEYS, findings)?;
    let data_type = fields.required("type", "string", findings)?.one_of(&COLUMN_TYPES, findings)?.value;
    Some(InputColumn {
        name: name.clone(),
        data_type,
        required: is_true(&fields, findings),
        default: fields.words("default", findings),
        without: fields.words("without", findings),
        description: fields.words("description", findings),
    })
}

fn is_true(fields: &Fields<'_>, findings: &mut Diagnostics) -> bool {
    let truths = [("true", true), ("false", false)];
    let required = fields.get("required").and_then(|field| field.one_of(&truths, findings));
    required.is_some_and(|required| required.value)
}

fn model(node: &Node) -> Node {
    let entries = match &node.kind {
        NodeKind::Mapping(entries) => entries.as_slice(),
        _ => &[],
    };
    let kept = entries.iter().filter(|(key, _)| OF_THE_MODEL.contains(&key.value.as_str()));
    Node { kind: NodeKind::Mapping(kept.cloned().collect()), place: node.place.clone() }
}

/// An empty relation of an input's columns, as SQL: what stands for an input that a pipeline does not have.
pub(super) fn absent(input: &Input) -> SourceFile {
    let columns = input.columns.values().map(|column| {
        let null = match column.data_type {
            ColumnType::String => "CAST(NULL AS VARCHAR)",
            ColumnType::Int64 => "CAST(NULL AS BIGINT)",
            ColumnType::Float64 => "CAST(NULL AS DOUBLE)",
            ColumnType::Boolean => "CAST(NULL AS BOOLEAN)",
            ColumnType::Date => "CAST(NULL AS DATE)",
            ColumnType::Timestamp => "arrow_cast(NULL, 'Timestamp(Microsecond, Some(\"UTC\"))')",
        };
        format!("    {null} AS \"{}\"", column.name.value)
    });
    let columns: Vec<String> = columns.collect();
    let text = format!(
        "-- {} is not given: an empty relation of the columns that the library {} asks for.\nSELECT\n{}\nWHERE FALSE\n",
        input.name.value,
        input.library,
        columns.join(",\n")
    );
    SourceFile { path: format!("library:{} (not given)", input.name.value).into(), text }
}
