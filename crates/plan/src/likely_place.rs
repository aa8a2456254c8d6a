//! Where a mistake stands of which the engine says what it is, but not where.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType as SqlType, Expr, Spanned, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Span as SqlSpan;

/// Products and quotients with an interval, none of which the engine computes. Where no interval is written as such, a
/// parameter may stand for one.
pub(crate) fn interval_products(text: &str) -> Vec<SqlSpan> {
    let of = |may_be: fn(&Expr) -> bool| {
        visited(text, |expr| match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Multiply | BinaryOperator::Divide, right } => {
                (may_be(bare(left)) || may_be(bare(right))).then(|| expr.span())
            }
            _ => None,
        })
    };
    let written = of(|expr| matches!(expr, Expr::Interval(_)));
    if !written.is_empty() {
        return written;
    }
    of(|expr| matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_))))
}

/// Casts that may have failed with `message`, by the type that it names. A cast that makes null of what it cannot read
/// never fails.
pub(crate) fn casts_that_fail(text: &str, message: &str) -> Vec<SqlSpan> {
    let wanted: fn(&SqlType) -> bool = if message.contains("parsing timestamp") || message.contains("Timestamp") {
        |found| matches!(found, SqlType::Timestamp(..) | SqlType::Datetime(_))
    } else if message.contains("Float64") || message.contains("Float32") {
        |found| {
            matches!(found, SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float(_) | SqlType::Real)
                || matches!(found, SqlType::Float8 | SqlType::Float4 | SqlType::Float64)
        }
    } else if ["Int64", "Int32", "Int16", "Int8"].iter().any(|name| message.contains(name)) {
        |found| {
            matches!(found, SqlType::BigInt(_) | SqlType::Int(_) | SqlType::Integer(_) | SqlType::SmallInt(_))
                || matches!(found, SqlType::Int8(_) | SqlType::Int4(_) | SqlType::Int64 | SqlType::TinyInt(_))
        }
    } else if message.contains("Boolean") {
        |found| matches!(found, SqlType::Boolean | SqlType::Bool)
    } else if message.contains("Date32") || message.contains("parsing date") {
        |found| matches!(found, SqlType::Date)
    } else if message.contains("Decimal") {
        |found| matches!(found, SqlType::Decimal(_) | SqlType::Numeric(_))
    } else {
        return Vec::new();
    };
    visited(text, |expr| match expr {
        Expr::Cast { kind, data_type, expr, .. } if wanted(data_type) => {
            matches!(kind, CastKind::Cast | CastKind::DoubleColon).then(|| expr.span())
        }
        _ => None,
    })
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// The spans that `span_of` gives for the expressions of a statement, or of one expression.
fn visited(text: &str, span_of: impl Fn(&Expr) -> Option<SqlSpan>) -> Vec<SqlSpan> {
    struct Spans<F>(F, Vec<SqlSpan>);
    impl<F: Fn(&Expr) -> Option<SqlSpan>> Visitor for Spans<F> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.1.extend((self.0)(expr));
            ControlFlow::Continue(())
        }
    }
    let mut spans = Spans(span_of, Vec::new());
    let statements = DFParserBuilder::new(text)
        .with_dialect(&GenericDialect {})
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .ok();
    if let Some(Statement::Statement(statement)) = statements.as_ref().and_then(|statements| statements.front()) {
        let _: ControlFlow<()> = statement.visit(&mut spans);
    } else if let Ok(expr) = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut own| own.parse_expr()) {
        let _: ControlFlow<()> = expr.visit(&mut spans);
    }
    spans.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(spans: &[SqlSpan]) -> Vec<(u64, u64)> {
        spans.iter().map(|span| (span.start.line, span.start.column)).collect()
    }

    #[test]
    fn products_of_intervals_are_found_and_sums_are_not() {
        let text = "SELECT at + INTERVAL '1 day' AS a,\n  at + n * INTERVAL '1 day' AS b,\n  2 * n AS c\nFROM t";
        assert_eq!(lines(&interval_products(text)), [(2, 8)]);
        assert_eq!(lines(&interval_products("joined_at + n * (INTERVAL '1 day')")), [(1, 13)]);
        assert_eq!(lines(&interval_products("SELECT n * $horizon, n * 2 FROM t")), [(1, 8)]);
        assert!(interval_products("no sql at all").is_empty());
    }

    #[test]
    fn casts_are_found_by_the_type_they_make() {
        let text = "SELECT CAST(a AS DOUBLE),\n CAST(b AS BIGINT), TRY_CAST(c AS DOUBLE),\n d::DOUBLE FROM t";
        let message = "Cast error: Cannot cast string 'x' to value of Float64 type";
        assert_eq!(lines(&casts_that_fail(text, message)), [(1, 13), (3, 2)]);
        assert_eq!(lines(&casts_that_fail(text, "Cannot cast string 'x' to value of Int64 type")), [(2, 7)]);
        assert!(casts_that_fail(text, "Divide by zero error").is_empty());
    }
}
