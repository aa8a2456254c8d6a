//! Which columns of a relation a SELECT names, read off its text alone: for relations whose columns nobody knows.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Select, SelectItem, TableFactor, Visit, Visitor};

use crate::sql_text::SqlText;

/// Columns that `sql` names as `relation.column`, by way of an alias, or without a qualifier in a SELECT that reads
/// nothing but `relation`.
pub fn named_columns(sql: &SqlText, relation: &str) -> BTreeSet<String> {
    let mut found = Found { relation, aliases: BTreeSet::new(), qualified: Vec::new(), columns: BTreeSet::new() };
    if let Statement::Statement(statement) = &sql.statement {
        let _: ControlFlow<()> = statement.visit(&mut found);
    }
    let Found { aliases, qualified, mut columns, .. } = found;
    columns.extend(qualified.into_iter().filter(|(alias, _)| aliases.contains(alias)).map(|(_, column)| column));
    columns
}

struct Found<'a> {
    relation: &'a str,
    aliases: BTreeSet<String>,
    qualified: Vec<(String, String)>,
    columns: BTreeSet<String>,
}

impl Found<'_> {
    /// The name that a SELECT calls the relation by, where `factor` is the relation.
    fn alias(&self, factor: &TableFactor) -> Option<String> {
        let TableFactor::Table { name, alias, .. } = factor else { return None };
        (last(name)? == self.relation).then(|| match alias {
            Some(alias) => folded(&alias.name),
            None => self.relation.to_owned(),
        })
    }

    fn select(&mut self, select: &Select) {
        let [from] = select.from.as_slice() else { return };
        if !from.joins.is_empty() || self.alias(&from.relation).is_none() {
            return;
        }
        let mut plain = Plain(BTreeSet::new());
        let _: ControlFlow<()> = select.visit(&mut plain);
        // GROUP BY may name what the SELECT makes.
        let made = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        });
        let made: BTreeSet<String> = made.collect();
        self.columns.extend(plain.0.into_iter().filter(|name| !made.contains(name)));
    }
}

impl Visitor for Found<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.select(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.aliases.extend(self.alias(factor));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [relation, column] = parts.as_slice()
        {
            self.qualified.push((folded(relation), folded(column)));
        }
        ControlFlow::Continue(())
    }
}

/// Names without a qualifier.
struct Plain(BTreeSet<String>);

impl Visitor for Plain {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr {
            self.0.insert(folded(name));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use throughline_config::SourceFile;

    use super::named_columns;
    use crate::sql_text::SqlText;

    #[test]
    fn columns_are_read_off_qualifiers_and_single_relations() {
        let text = "SELECT call.call_id, link.x, loose, upper(\"Quoted\") AS made FROM calls AS call \
                    JOIN links AS link ON call.a = link.a \
                    UNION ALL SELECT b, c AS d FROM calls WHERE e > 1 GROUP BY d";
        let sql = SqlText::parse(&Arc::new(SourceFile { path: "q.sql".into(), text: text.to_owned() })).expect("SQL");
        let names = |relation| named_columns(&sql, relation).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(names("calls"), "a b c call_id e");
        assert_eq!(names("links"), "a x");
        assert_eq!(names("others"), "");
    }
}
