//! Rewrites what clients ask of the catalogue and the engine cannot plan, beyond what datafusion-pg-catalog rewrites.
//!
//! Most of it is about columns that PostgreSQL has as arrays or function names, and that are empty or text here.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Query, SelectItem, SetExpr, Statement, TableFactor, Value, VisitMut,
    VisitorMut,
};

/// Ends of the names of columns that are arrays in PostgreSQL: who may do what, and options.
const ARRAYS: [&str; 3] = ["acl", "options", "setconfig"];
/// Columns that name a function, which PostgreSQL compares with the number of none.
const FUNCTIONS: [&str; 4] = ["typreceive", "typsend", "typinput", "typoutput"];

/// Columns that hold the columns of an index or a constraint, and what takes them apart.
const KEYS: [&str; 6] = ["indkey", "indclass", "indoption", "indcollation", "conkey", "confkey"];
const UNNESTED: [&str; 2] = ["unnest", "generate_subscripts"];

/// How datafusion-pg-catalog's own rewrite of a cast to `regclass` begins.
const REGCLASS: &str = "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid CROSS JOIN (SELECT parse_ident(";

/// Rewrites a statement in place.
pub(super) fn rewrite(statement: &mut Statement) {
    // The visitor never breaks off.
    let _ = statement.visit(&mut Rewriter);
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        match expression {
            // `array(SELECT …)`: roles of a role, options of a foreign table.
            Expr::Function(Function { name, args: FunctionArguments::Subquery(_), .. })
                if name.to_string().eq_ignore_ascii_case("array") =>
            {
                *expression = nothing();
            }
            // `array_to_string(c.relacl, ',')`: nobody was given anything.
            Expr::Function(function)
                if function.name.to_string().eq_ignore_ascii_case("array_to_string")
                    && first_argument(function).is_some_and(is_system_array) =>
            {
                *expression = nothing();
            }
            // `unnest(i.indkey)`: columns of an index, of which there are none.
            Expr::Function(function)
                if UNNESTED.contains(&function.name.to_string().to_ascii_lowercase().as_str())
                    && first_argument(function).is_some_and(|first| ends_with(first, |name| KEYS.contains(&name))) =>
            {
                *expression = null_of(DataType::Int(None));
            }
            // `'fct_journey'::regclass`, which has been made a join over the catalogue by now.
            Expr::Subquery(query) if query.to_string().starts_with(REGCLASS) => {
                if let Some(name) = parsed_identifier(query) {
                    *expression = call("to_regclass", name);
                }
            }
            Expr::Subquery(query) => match looked_up(query) {
                LookedUp::Nothing => *expression = nothing(),
                LookedUp::OneRow(projected) => {
                    *projected = call("max", projected.clone());
                    query.limit_clause = None;
                }
                LookedUp::Other => {}
            },
            // `LIKE 'pg/_%' ESCAPE '/'`: the engine knows no sign but the backslash.
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                let other = escape_char.take().and_then(|sign| sign.value.into_string()).filter(|sign| sign != "\\");
                if let Some(sign) = other {
                    let doubled = replaced(pattern.as_ref().clone(), "\\", "\\\\");
                    **pattern = replaced(doubled, &sign, "\\");
                }
            }
            // `typreceive <> 0`: whether there is such a function.
            Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } => {
                let names_function = ends_with(left, |name| FUNCTIONS.contains(&name));
                if names_function
                    && let Expr::Value(value) = right.as_mut()
                    && let Value::Number(number, _) = &value.value
                {
                    value.value = Value::SingleQuotedString(number.to_string());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn nothing() -> Expr {
    null_of(DataType::Text)
}

fn null_of(data_type: DataType) -> Expr {
    let null = Box::new(Expr::Value(Value::Null.with_empty_span()));
    Expr::Cast { kind: CastKind::Cast, expr: null, data_type, array: false, format: None }
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).with_empty_span())
}

fn replaced(pattern: Expr, from: &str, to: &str) -> Expr {
    function("replace", vec![pattern, text(from), text(to)])
}

fn call(name: &str, argument: Expr) -> Expr {
    function(name, vec![argument])
}

fn function(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The argument of the first `parse_ident` in a query.
fn parsed_identifier(query: &mut Query) -> Option<Expr> {
    struct Finder(Option<Expr>);
    impl VisitorMut for Finder {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
            match expression {
                Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("parse_ident") => {
                    self.0 = first_argument(function).cloned();
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let mut finder = Finder(None);
    let _ = query.visit(&mut finder);
    finder.0
}

/// What a subquery in the place of a value looks up.
enum LookedUp<'a> {
    /// Defaults and sequences, of which there are none; or something as JSON, which is only made of those.
    Nothing,
    /// One row of a catalogue table by its number, which the engine only believes when it is aggregated.
    OneRow(&'a mut Expr),
    Other,
}

fn looked_up(query: &mut Query) -> LookedUp<'_> {
    let SetExpr::Select(select) = query.body.as_mut() else { return LookedUp::Other };
    let Some(TableFactor::Table { name, .. }) = select.from.first().map(|from| &from.relation) else {
        return LookedUp::Other;
    };
    let parts: Vec<String> = name.0.iter().map(|part| part.to_string().replace('"', "")).collect();
    let table = parts.last().map_or("", String::as_str);
    if !table.starts_with("pg_") || parts.len() > 1 && parts.first().is_some_and(|schema| schema != "pg_catalog") {
        return LookedUp::Other;
    }
    let alone = select.from.len() == 1 && select.projection.len() == 1;
    let projected = match select.projection.first_mut() {
        Some(SelectItem::UnnamedExpr(projected) | SelectItem::ExprWithAlias { expr: projected, .. }) if alone => {
            projected
        }
        _ => return LookedUp::Other,
    };
    let called = match projected {
        Expr::Function(function) => function.name.to_string().to_ascii_lowercase(),
        _ => String::new(),
    };
    if ["pg_attrdef", "pg_sequence"].contains(&table) || called == "json_build_object" {
        return LookedUp::Nothing;
    }
    let aggregates = ["max", "min", "count", "array_agg", "string_agg", "bool_and"].contains(&called.as_str());
    if aggregates || select.selection.is_none() { LookedUp::Other } else { LookedUp::OneRow(projected) }
}

fn first_argument(function: &Function) -> Option<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))) => Some(argument),
        _ => None,
    }
}

fn is_system_array(expression: &Expr) -> bool {
    match expression {
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, .. } => is_system_array(left),
        other => ends_with(other, |name| ARRAYS.iter().any(|end| name.ends_with(end))),
    }
}

/// Whether an expression is a column whose name is so.
fn ends_with(expression: &Expr, is_so: impl Fn(&str) -> bool) -> bool {
    match expression {
        Expr::Identifier(name) => is_so(&name.value),
        Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| is_so(&name.value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::rewrite;

    /// Names of relations become numbers by one function, however they are written.
    #[test]
    fn regclass_is_looked_up() {
        use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
        let parser = PostgresCompatibilityParser::new();
        for sql in ["SELECT 1 WHERE a = 'pg_class'::regclass", "SELECT 1 WHERE a = CAST($1 AS REGCLASS)"] {
            let mut statement = parser.parse(sql).unwrap().remove(0);
            rewrite(&mut statement);
            let text = statement.to_string();
            assert!(text.starts_with("SELECT 1 WHERE a = to_regclass(") && !text.contains("pg_namespace"), "{text}");
        }
    }

    fn rewritten(sql: &str) -> String {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        rewrite(&mut statement);
        statement.to_string()
    }

    #[test]
    fn only_what_is_about_the_catalogue_changes() {
        assert_eq!(rewritten("SELECT array(SELECT 1) FROM r"), "SELECT CAST(NULL AS TEXT) FROM r");
        assert_eq!(rewritten("SELECT array_to_string(n.nspacl, 'x')"), "SELECT CAST(NULL AS TEXT)");
        assert_eq!(
            rewritten("SELECT array_to_string(c.reloptions || array(SELECT x), ', ')"),
            "SELECT CAST(NULL AS TEXT)"
        );
        assert_eq!(rewritten("SELECT 1 WHERE typreceive <> 0"), "SELECT 1 WHERE typreceive <> '0'");
        for same in
            ["SELECT array_to_string(names, ',') FROM t", "SELECT 1 WHERE touchpoints <> 0", "SELECT ARRAY[1, 2]"]
        {
            assert_eq!(rewritten(same), same);
        }
    }
}
