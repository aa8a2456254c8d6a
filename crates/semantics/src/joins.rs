//! Which rows belong to which: from tests, from keys of dimensions, and from what `semantics:` adds.

use std::collections::BTreeMap;

use throughline_config::{Diagnostic, Diagnostics, Located, Pipeline, TestKind};

use crate::model::{Join, Table};
use crate::unknown_column::unknown_column;

/// Tables of this tag describe what others name by their key.
const DIMENSIONS: &str = "dimensions";

/// Every join between published tables whose side of the one is identified by its columns:
///
/// - a test `relationships` that names the whole key of a published table;
/// - the columns of a dimension's key, in any other table that has them all by the same names and types;
/// - `joins` of `semantics:`.
pub(crate) fn joins(pipeline: &Pipeline, tables: &BTreeMap<&str, Table>, findings: &mut Diagnostics) -> Vec<Join> {
    let mut found: Vec<Join> = Vec::new();
    let mut add = |join: Join| {
        if join.from != join.to && !found.contains(&join) {
            found.push(join);
        }
    };
    for table in tables.values() {
        let tests = pipeline.models.get(&table.name).map_or(&[][..], |model| model.tests.as_slice());
        for test in tests {
            let TestKind::Relationship { column, references } = &test.kind else { continue };
            let Some((to, to_column)) = references.value.split_once('.') else { continue };
            if let Some(to) = tables.get(to).filter(|to| is_key(to, to_column))
                && table.column(&column.value).is_some()
            {
                add(single(table, &column.value, to, to_column));
            }
        }
        for dimension in dimensions(pipeline, tables).filter(|dimension| names_rows_of(table, dimension)) {
            add(Join {
                from: table.name.clone(),
                from_columns: dimension.key.clone(),
                to: dimension.name.clone(),
                to_columns: dimension.key.clone(),
            });
        }
        let Some(said) = pipeline.semantics.tables.get(&table.name) else { continue };
        for (column, references) in &said.joins {
            if table.column(&column.value).is_none() {
                findings.push(unknown_column(column, said, table));
                continue;
            }
            let (to, to_column) = references.value.split_once('.').unwrap_or((&references.value, ""));
            match tables.get(to) {
                Some(one) if is_key(one, to_column) => add(single(table, &column.value, one, to_column)),
                Some(one) => findings.push(no_key(references, one)),
                // A library's table that the pipeline leaves out takes the joins to it along.
                None if pipeline.off.contains_key(to) => {}
                None => findings.push(no_table(references, to)),
            }
        }
    }
    found
}

fn single(from: &Table, from_column: &str, to: &Table, to_column: &str) -> Join {
    Join {
        from: from.name.clone(),
        from_columns: vec![from_column.to_owned()],
        to: to.name.clone(),
        to_columns: vec![to_column.to_owned()],
    }
}

fn is_key(table: &Table, column: &str) -> bool {
    matches!(table.key.as_slice(), [key] if key == column)
}

fn dimensions<'a>(pipeline: &'a Pipeline, tables: &'a BTreeMap<&str, Table>) -> impl Iterator<Item = &'a Table> {
    let tagged = |table: &&Table| {
        pipeline.models.get(&table.name).is_some_and(|model| model.tags.iter().any(|tag| tag == DIMENSIONS))
    };
    tables.values().filter(tagged).filter(|table| !table.key.is_empty())
}

fn names_rows_of(table: &Table, dimension: &Table) -> bool {
    let kind = |table: &Table, column: &str| table.column(column).map(|column| column.kind);
    dimension.key.iter().all(|part| {
        let own = kind(table, part);
        own.is_some() && own == kind(dimension, part)
    })
}

fn no_key(references: &Located<String>, table: &Table) -> Diagnostic {
    let key = table.key.join(", ");
    let message = format!("`{}` does not identify a row of `{}`", references.value, table.name);
    let finding = Diagnostic::error("bad-join", message).at(references.place.clone());
    if key.is_empty() {
        finding.help("give the table a `grain`, the columns that identify a row")
    } else {
        finding.help(format!("its rows are identified by {key}; a join has to name one row"))
    }
}

fn no_table(references: &Located<String>, table: &str) -> Diagnostic {
    Diagnostic::error("bad-join", format!("no table `{table}` is published for readers"))
        .at(references.place.clone())
        .help("a join goes to a stored table that is neither tagged `working` nor `staging`")
}
