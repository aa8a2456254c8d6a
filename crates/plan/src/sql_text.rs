//! One SELECT of a file, parsed: the relations it reads and where it names them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Select, SelectItem, SetExpr, Spanned, Statement as SqlStatement, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::Tokenizer;
use throughline_config::{Diagnostic, Diagnostics, Place, SourceFile};

use crate::error_place::{TextOrigin, diagnose, span_to_bytes};
use crate::likely_place::casts_that_fail;

/// Deepest nesting the parser follows; past it a statement is refused instead of exhausting the stack.
const RECURSION_LIMIT: usize = 50;

/// Longest statement, blanks and comments included.
const MOST_TOKENS: usize = 20_000;

/// A parsed SELECT.
#[derive(Debug, Clone)]
pub struct SqlText {
    /// Its file.
    pub file: Arc<SourceFile>,
    /// The statement as parsed, parameters still in it.
    pub statement: Statement,
    /// Relations it reads (its own CTEs are not among them), each with the place where it is first named.
    pub references: BTreeMap<String, Place>,
}

impl SqlText {
    /// Parses the one SELECT of `file`.
    ///
    /// Refused, with the place: text that is no SQL, several statements, none, and anything that is not a query.
    pub fn parse(file: &Arc<SourceFile>) -> Result<Self, Diagnostics> {
        let origin = TextOrigin::File(Arc::clone(file));
        bounded(&origin)?;
        let mut statements = DFParserBuilder::new(file.text.as_str())
            .with_dialect(&GenericDialect {})
            .with_recursion_limit(RECURSION_LIMIT)
            .build()
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|error| diagnose(&error, &origin))?;
        let statement = statements.pop_front().ok_or_else(|| one_select(&origin, "holds no statement"))?;
        if !statements.is_empty() {
            return Err(one_select(&origin, "holds several statements").into());
        }
        let query = match &statement {
            Statement::Statement(inner) => match inner.as_ref() {
                SqlStatement::Query(query) => Some(query),
                _ => None,
            },
            _ => None,
        };
        if query.is_none_or(|query| writes_into(&query.body)) {
            return Err(one_select(&origin, "is not a query").into());
        }
        let references = references(&statement, file).map_err(|error| diagnose(&error, &origin))?;
        Ok(Self { file: Arc::clone(file), statement, references })
    }

    /// The casts that may have failed with an engine's `message` about a value that becomes no value of some type.
    pub fn casts_that_fail(&self, message: &str) -> Vec<Place> {
        let spans = casts_that_fail(&self.file.text, message);
        let ranges = spans.into_iter().filter_map(|span| span_to_bytes(span, &self.file.text));
        ranges.map(|span| Place { file: Arc::clone(&self.file), span }).collect()
    }
}

impl SqlText {
    /// Where the SELECT, the first one of a UNION, makes the output column `name`.
    pub(crate) fn output_column(&self, name: &str) -> Option<Place> {
        let Statement::Statement(inner) = &self.statement else { return None };
        let SqlStatement::Query(query) = inner.as_ref() else { return None };
        let select = first_select(&query.body)?;
        let span = select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } if is_called(alias, name) => Some(alias.span),
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) if is_called(ident, name) => Some(ident.span),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                let last = parts.last()?;
                is_called(last, name).then(|| item.span())
            }
            _ => None,
        })?;
        let span = span_to_bytes(span, &self.file.text)?;
        Some(Place { file: Arc::clone(&self.file), span })
    }
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

fn is_called(ident: &Ident, name: &str) -> bool {
    if ident.quote_style.is_some() { ident.value == name } else { ident.value.eq_ignore_ascii_case(name) }
}

/// Whether a SELECT, or one branch of a UNION, says `INTO`.
fn writes_into(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_some(),
        SetExpr::Query(query) => writes_into(&query.body),
        SetExpr::SetOperation { left, right, .. } => writes_into(left) || writes_into(right),
        _ => false,
    }
}

/// Planning time grows faster than a statement's length; nobody writes one that long by hand.
fn bounded(origin: &TextOrigin) -> Result<(), Diagnostics> {
    let tokens = Tokenizer::new(&GenericDialect {}, origin.text()).tokenize().map_or(0, |tokens| tokens.len());
    if tokens <= MOST_TOKENS {
        return Ok(());
    }
    Err(Diagnostic::error("too-long", format!("the statement has {tokens} words and signs, {MOST_TOKENS} at most"))
        .at(origin.whole())
        .help("read long lists from a seed and join them")
        .into())
}

fn one_select(origin: &TextOrigin, what: &str) -> Diagnostic {
    Diagnostic::error("not-one-select", format!("the file {what}"))
        .at(origin.whole())
        .help("write one SELECT (CTEs welcome); one file makes one model")
}

fn references(statement: &Statement, file: &Arc<SourceFile>) -> Result<BTreeMap<String, Place>, DataFusionError> {
    let (tables, _ctes) = resolve_table_references(statement, true)?;
    let mut places = RelationPlaces { file, first: BTreeMap::new() };
    if let Statement::Statement(inner) = statement {
        let _: ControlFlow<()> = inner.visit(&mut places);
    }
    Ok(tables
        .into_iter()
        .map(|table| {
            let name = table.to_string();
            let place = places.first.get(table.table()).cloned();
            (name, place.unwrap_or_else(|| TextOrigin::File(Arc::clone(file)).whole()))
        })
        .collect())
}

/// Collects where each relation name is first written.
struct RelationPlaces<'a> {
    file: &'a Arc<SourceFile>,
    first: BTreeMap<String, Place>,
}

impl Visitor for RelationPlaces<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if let (Some(last), Some(span)) = (relation.0.last(), span_to_bytes(relation.span(), &self.file.text)) {
            let ident = last.to_string();
            let name = if ident.starts_with('"') { ident.trim_matches('"').to_owned() } else { ident.to_lowercase() };
            self.first.entry(name).or_insert_with(|| Place { file: Arc::clone(self.file), span });
        }
        ControlFlow::Continue(())
    }
}
