//! The finding that a table has no such column.

use throughline_config::{Diagnostic, Located, TableSemantics, closest};

use crate::model::Table;

/// A column that `semantics:` names and the table does not have.
pub(crate) fn unknown_column(column: &Located<String>, said: &TableSemantics, table: &Table) -> Diagnostic {
    let message = format!("no column `{}` in `{}`", column.value, said.name.value);
    let finding = Diagnostic::error("unknown-column", message).at(column.place.clone());
    match closest(&column.value, table.columns.iter().map(|column| column.name.as_str())) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help(format!("`throughline show {} --limit 0` lists the columns", said.name.value)),
    }
}
