//! Where a column comes from or goes to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use throughline_plan::{ColumnOf, Influence, Influences, Lineage, Plan};

use super::direction::Direction;
use crate::arguments::LineageFormat;
use crate::terminal::{text_width, wrapped};

/// A column bears on another: from, to, how.
type Edge = (ColumnOf, ColumnOf, BTreeSet<Influence>);

/// Everything a column is made of, up to the sources, or everything made of it.
pub(super) fn of_column(lineage: &Lineage, of: &ColumnOf, direction: Direction, format: LineageFormat) -> String {
    match format {
        LineageFormat::Text => {
            let mut text = format!("{of}\n");
            branch(lineage, of, direction, "", &mut BTreeSet::from([of.clone()]), &mut text);
            if let (Direction::Upstream, Some(model)) = (direction, lineage.models.get(&of.relation)) {
                text.push_str(&rows_text(&of.relation, &model.rows));
            }
            text
        }
        LineageFormat::Json => {
            let edges = edges(lineage, of, direction);
            let shown = edges.iter().map(|(from, to, how)| {
                json!({ "from": from.to_string(), "to": to.to_string(), "influences": shown_influences(how) })
            });
            let rows = lineage.models.get(&of.relation).map(|model| shown_origins(&model.rows));
            let shown: Vec<Value> = shown.collect();
            let value =
                json!({ "column": of.to_string(), "direction": direction.word(), "edges": shown, "rows": rows });
            format!("{value}\n")
        }
        LineageFormat::Mermaid => mermaid(of, &edges(lineage, of, direction)),
    }
}

/// Each column of a relation, one step away.
pub(super) fn of_relation(
    plan: &Plan,
    lineage: &Lineage,
    relation: &str,
    direction: Direction,
    format: LineageFormat,
) -> String {
    let fields = plan.step(relation).map(|step| step.schema.fields().clone()).unwrap_or_default();
    let names = fields.iter().map(|field| field.name().clone()).filter(|name| !name.starts_with("__"));
    let columns: Vec<ColumnOf> = names.map(|column| ColumnOf { relation: relation.to_owned(), column }).collect();
    let rows = lineage.models.get(relation).map(|model| &model.rows).filter(|_| direction == Direction::Upstream);
    match format {
        LineageFormat::Text => {
            let arrow = if direction == Direction::Upstream { "←" } else { "→" };
            let mut text = format!("{relation}\n");
            let longest = columns.iter().map(|column| column.column.chars().count()).max().unwrap_or(0);
            for column in &columns {
                let next = direction.next(lineage, column);
                let next: Vec<String> = next.iter().map(|(next, how)| format!("{next} ({})", words(how))).collect();
                let first = format!("  {:<longest$} {arrow} ", column.column);
                let next = if next.is_empty() { "·".to_owned() } else { next.join(", ") };
                text.push_str(&wrapped(&next, &first, text_width()));
                text.push('\n');
            }
            text.push_str(&rows.map(|rows| rows_text(relation, rows)).unwrap_or_default());
            text
        }
        LineageFormat::Json => {
            let columns: serde_json::Map<String, Value> = columns
                .iter()
                .map(|column| {
                    let next: Influences = direction.next(lineage, column).into_iter().collect();
                    (column.column.clone(), shown_origins(&next))
                })
                .collect();
            let rows = rows.map(shown_origins);
            let value = json!({
                "relation": relation, "direction": direction.word(), "columns": columns, "rows": rows,
            });
            format!("{value}\n")
        }
        LineageFormat::Mermaid => {
            let mut edges = Vec::new();
            for column in &columns {
                for (next, how) in direction.next(lineage, column) {
                    edges.push(directed(column.clone(), next, how, direction));
                }
            }
            mermaid_of(&columns, &edges)
        }
    }
}

/// The lines below a column; what was shown before is only named.
fn branch(
    lineage: &Lineage,
    of: &ColumnOf,
    direction: Direction,
    indent: &str,
    seen: &mut BTreeSet<ColumnOf>,
    text: &mut String,
) {
    let next = direction.next(lineage, of);
    let last = next.len().saturating_sub(1);
    for (place, (column, how)) in next.iter().enumerate() {
        let (corner, below) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let is_new = seen.insert(column.clone());
        let has_more = !direction.next(lineage, column).is_empty();
        let note = if !is_new && has_more { " (shown above)" } else { "" };
        text.push_str(&format!("{indent}{corner}{column}  {}{note}\n", words(how)));
        if is_new {
            branch(lineage, column, direction, &format!("{indent}{below}"), seen, text);
        }
    }
}

fn rows_text(relation: &str, rows: &Influences) -> String {
    let mut by_influence: BTreeMap<Influence, Vec<String>> = BTreeMap::new();
    for (column, how) in rows {
        for influence in how {
            by_influence.entry(*influence).or_default().push(column.to_string());
        }
    }
    if by_influence.is_empty() {
        return String::new();
    }
    let mut text = format!("which rows {relation} has:\n");
    for (influence, columns) in by_influence {
        let first = format!("  {}: ", influence.subtype().to_lowercase());
        text.push_str(&wrapped(&columns.join(", "), &first, text_width()));
        text.push('\n');
    }
    text
}

/// All steps from a column to the ends.
fn edges(lineage: &Lineage, of: &ColumnOf, direction: Direction) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut seen = BTreeSet::from([of.clone()]);
    let mut open = vec![of.clone()];
    while let Some(column) = open.pop() {
        for (next, how) in direction.next(lineage, &column) {
            edges.push(directed(column.clone(), next.clone(), how, direction));
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    edges
}

fn directed(of: ColumnOf, next: ColumnOf, how: BTreeSet<Influence>, direction: Direction) -> Edge {
    match direction {
        Direction::Upstream => (next, of, how),
        Direction::Downstream => (of, next, how),
    }
}

fn mermaid(of: &ColumnOf, edges: &[Edge]) -> String {
    mermaid_of(std::slice::from_ref(of), edges)
}

/// A box a relation, its columns in it; dotted arrows where a column only chooses.
fn mermaid_of(always: &[ColumnOf], edges: &[Edge]) -> String {
    let columns: BTreeSet<&ColumnOf> = always.iter().chain(edges.iter().flat_map(|(from, to, _)| [from, to])).collect();
    let mut by_relation: BTreeMap<&str, Vec<&ColumnOf>> = BTreeMap::new();
    for column in columns {
        by_relation.entry(&column.relation).or_default().push(column);
    }
    let mut text = "flowchart LR\n".to_owned();
    for (relation, columns) in by_relation {
        text.push_str(&format!("  subgraph {relation}\n"));
        for column in columns {
            text.push_str(&format!("    {}[\"{}\"]\n", node(column), column.column));
        }
        text.push_str("  end\n");
    }
    for (from, to, how) in edges {
        let arrow = if how.iter().any(|influence| influence.is_direct()) { "-->" } else { "-.->" };
        text.push_str(&format!("  {} {arrow}|{}| {}\n", node(from), words(how), node(to)));
    }
    text
}

fn node(column: &ColumnOf) -> String {
    format!("{}__{}", column.relation, column.column)
}

fn shown_origins(origins: &Influences) -> Value {
    let shown = origins
        .iter()
        .map(|(column, how)| json!({ "column": column.to_string(), "influences": shown_influences(how) }));
    Value::Array(shown.collect())
}

fn shown_influences(how: &BTreeSet<Influence>) -> Vec<Value> {
    how.iter()
        .map(|influence| {
            let kind = if influence.is_direct() { "DIRECT" } else { "INDIRECT" };
            json!({ "type": kind, "subtype": influence.subtype() })
        })
        .collect()
}

/// `identity, filter`.
fn words(influences: &BTreeSet<Influence>) -> String {
    influences.iter().map(|influence| influence.subtype().to_lowercase()).collect::<Vec<_>>().join(", ")
}
