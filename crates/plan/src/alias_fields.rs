//! `alias.column` where the column is missing and the alias is also the name of a column. The engine then looks for a
//! field inside that column and says "Cannot access field"; what is missing is a column of the relation.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, TableFactor, Visit, Visitor};
use throughline_config::{Diagnostic, Diagnostics, closest};

use crate::error_place::{TextOrigin, span_to_bytes};
use crate::sql_text::SqlText;

/// The missing columns, where that is what the error comes from.
pub(crate) async fn missing_columns(
    error: &DataFusionError,
    sql: &SqlText,
    session: &SessionContext,
) -> Option<Diagnostics> {
    if !error.strip_backtrace().contains("Cannot access field") {
        return None;
    }
    let mut found = Names::default();
    if let Statement::Statement(statement) = &sql.statement {
        let _: ControlFlow<()> = statement.visit(&mut found);
    }
    let mut findings = Diagnostics::default();
    let mut unknown = Vec::new();
    for (alias, column) in &found.columns {
        let Some(relation) = found.relations.get(&folded(alias)) else { continue };
        let known = match relation {
            Some(relation) => session.table(relation.as_str()).await.ok(),
            None => None,
        };
        let Some(known) = known else {
            unknown.push((alias, column, Vec::new()));
            continue;
        };
        let names = known.schema().fields().iter().map(|field| field.name().clone());
        // Columns with two underscores are the program's own.
        let names: Vec<String> = names.filter(|name| !name.starts_with("__")).collect();
        if !names.contains(&folded(column)) {
            findings.0.push(missing(sql, alias, column, &names));
        }
    }
    // Of a CTE the columns are not known here; what names only one of its columns names the missing one.
    if let (true, [(alias, column, names)]) = (findings.0.is_empty(), unknown.as_slice()) {
        findings.0.push(missing(sql, alias, column, names));
    }
    (!findings.0.is_empty()).then_some(findings)
}

fn missing(sql: &SqlText, alias: &Ident, column: &Ident, names: &[String]) -> Diagnostic {
    let origin = TextOrigin::File(sql.file.clone());
    let span = alias.span.union(&column.span);
    let place = span_to_bytes(span, &sql.file.text).map_or_else(|| origin.whole(), |range| origin.within(range));
    let (alias, column) = (folded(alias), folded(column));
    let mut finding = Diagnostic::error("unknown-column", format!("no column `{column}` in `{alias}`")).at(place);
    if let Some(near) = closest(&column, names.iter().map(String::as_str)) {
        finding = finding.label(format!("did you mean `{near}`?"));
    }
    if !names.is_empty() {
        finding = finding.help(format!("columns here: {}", names.join(", ")));
    }
    finding.help(format!("a column is called `{alias}` too; another alias for the relation keeps the two apart"))
}

/// Relations by the names that the statement calls them, and what is written as `relation.column`.
#[derive(Default)]
struct Names {
    /// `None` for what has no name of its own.
    relations: BTreeMap<String, Option<String>>,
    columns: Vec<(Ident, Ident)>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let own = last(name);
                let called = alias.as_ref().map(|alias| folded(&alias.name)).or_else(|| own.clone());
                if let Some(called) = called {
                    self.relations.insert(called, own);
                }
            }
            TableFactor::Derived { alias: Some(alias), .. } => {
                self.relations.insert(folded(&alias.name), None);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [relation, column] = parts.as_slice()
            && !self.columns.iter().any(|(alias, known)| alias.value == relation.value && known.value == column.value)
        {
            self.columns.push((relation.clone(), column.clone()));
        }
        ControlFlow::Continue(())
    }
}

fn last(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(folded)
}

/// As the planner reads it: small letters, unless quoted.
fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}
