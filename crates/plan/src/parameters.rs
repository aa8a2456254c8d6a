//! SQL parameters: `$as_of`, `$start` and the pipeline's variables.
//!
//! A placeholder is replaced in the parsed statement by a typed literal before planning, so that the planner knows
//! its type everywhere, also inside arithmetic, and nobody's text is pasted into SQL.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use indexmap::IndexMap;
use throughline_config::{Diagnostic, Diagnostics, Duration, Pipeline, Timestamp, Variable, closest};

use crate::error_place::{TextOrigin, span_to_bytes};

/// A day in microseconds; a day is 24 h (SEMANTICS 1).
const DAY: i64 = 86_400_000_000;

/// The parameter that lists channels with a person at the other end: `channel IN ($assisted_channels)`.
pub(crate) const ASSISTED_CHANNELS: &str = "assisted_channels";

/// Before anything that can have happened, and within what a timestamp of nanoseconds holds: 1700-01-01 00:00 UTC.
pub const BEGINNING: Timestamp = -8_520_336_000_000_000;

/// The values of a run's parameters.
#[derive(Debug, Clone)]
pub struct Parameters {
    values: IndexMap<String, Variable>,
}

impl Parameters {
    /// The pipeline's variables with `$as_of` and `$start`.
    pub fn new(pipeline: &Pipeline, as_of: Timestamp) -> Self {
        let mut values: IndexMap<String, Variable> =
            pipeline.variables.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect();
        values.insert("as_of".to_owned(), Variable::Timestamp(as_of));
        values.insert("start".to_owned(), Variable::Timestamp(pipeline.start.value));
        values.insert(ASSISTED_CHANNELS.to_owned(), Variable::Texts(pipeline.assisted_channels.clone()));
        Self { values }
    }

    /// The same with `$interval_start` and `$interval_end`, which only incremental models have: what a run rebuilds,
    /// since [`BEGINNING`] where that is everything. For a model of instances no instance that is rebuilt had its last
    /// touchpoint before `$interval_start`.
    pub fn with_interval(&self, start: Timestamp) -> Self {
        let mut values = self.values.clone();
        values.insert("interval_start".to_owned(), Variable::Timestamp(start));
        values.insert("interval_end".to_owned(), Variable::Timestamp(self.as_of()));
        Self { values }
    }

    /// The run's `as_of`.
    pub fn as_of(&self) -> Timestamp {
        match self.values.get("as_of") {
            Some(Variable::Timestamp(as_of)) => *as_of,
            _ => Timestamp::MAX,
        }
    }

    /// The same values for a planner that binds placeholders itself.
    pub fn as_param_values(&self) -> ParamValues {
        let scalars = self.values.iter().map(|(name, value)| (name.clone(), ScalarAndMetadata::from(scalar(value))));
        ParamValues::Map(scalars.collect())
    }

    /// Puts values in place of the statement's placeholders and returns the names that were used.
    pub fn bind(&self, statement: &mut Statement, origin: &TextOrigin) -> Result<BTreeSet<String>, Diagnostics> {
        match statement {
            Statement::Statement(inner) => self.bind_node(inner.as_mut(), origin),
            _ => Ok(BTreeSet::new()),
        }
    }

    /// The same for one expression.
    pub fn bind_expression(&self, expr: &mut SqlExpr, origin: &TextOrigin) -> Result<BTreeSet<String>, Diagnostics> {
        self.bind_node(expr, origin)
    }

    fn bind_node<N: VisitMut>(&self, node: &mut N, origin: &TextOrigin) -> Result<BTreeSet<String>, Diagnostics> {
        let mut binder = Binder { parameters: self, origin, used: BTreeSet::new(), findings: Diagnostics::default() };
        let _: ControlFlow<()> = node.visit(&mut binder);
        if binder.findings.0.is_empty() { Ok(binder.used) } else { Err(binder.findings) }
    }
}

struct Binder<'a> {
    parameters: &'a Parameters,
    origin: &'a TextOrigin,
    used: BTreeSet<String>,
    findings: Diagnostics,
}

impl VisitorMut for Binder<'_> {
    type Break = ();

    /// A list of texts stands in an `IN` as its texts.
    fn pre_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        let SqlExpr::InList { list, .. } = expr else { return ControlFlow::Continue(()) };
        let texts = |element: &SqlExpr| match element {
            SqlExpr::Value(value) => match &value.value {
                Value::Placeholder(name) => match self.parameters.values.get(name.trim_start_matches('$')) {
                    Some(Variable::Texts(texts)) => Some((name.trim_start_matches('$').to_owned(), texts.clone())),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        let mut spread = Vec::with_capacity(list.len());
        for element in std::mem::take(list) {
            match texts(&element) {
                Some((name, texts)) => {
                    self.used.insert(name);
                    spread.extend(texts.into_iter().filter_map(|text| literal(&Variable::Text(text))));
                }
                None => spread.push(element),
            }
        }
        *list = spread;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        let SqlExpr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(placeholder) = &value.value else { return ControlFlow::Continue(()) };
        let name = placeholder.trim_start_matches('$').to_owned();
        match self.parameters.values.get(&name).and_then(literal) {
            Some(literal) => {
                self.used.insert(name);
                *expr = literal;
            }
            None => {
                let place = span_to_bytes(value.span, self.origin.text())
                    .map_or_else(|| self.origin.whole(), |range| self.origin.within(range));
                let known: Vec<&str> = self.parameters.values.keys().map(String::as_str).collect();
                let mut finding = Diagnostic::error("unknown-parameter", format!("no variable `{name}`")).at(place);
                if let Some(near) = closest(&name, known.iter().copied()) {
                    finding = finding.label(format!("did you mean `${near}`?"));
                }
                let known = known.iter().map(|name| format!("${name}")).collect::<Vec<_>>().join(", ");
                self.findings.0.push(finding.help(format!("parameters of this pipeline: {known}")));
            }
        }
        ControlFlow::Continue(())
    }
}

/// A value as a typed SQL literal.
fn literal(value: &Variable) -> Option<SqlExpr> {
    let text = match value {
        Variable::Timestamp(instant) => {
            format!("arrow_cast({instant}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
        }
        Variable::Duration(duration) => interval(*duration),
        Variable::Integer(number) => format!("CAST({number} AS BIGINT)"),
        Variable::Float(number) if number.is_finite() => format!("CAST('{number:?}' AS DOUBLE)"),
        Variable::Float(_) => return None,
        Variable::Boolean(truth) => truth.to_string(),
        Variable::Text(text) => quoted(text),
        Variable::Texts(texts) => {
            format!("make_array({})", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
        }
    };
    Parser::new(&GenericDialect {}).try_with_sql(&text).and_then(|mut parser| parser.parse_expr()).ok()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn scalar(value: &Variable) -> ScalarValue {
    match value {
        Variable::Timestamp(instant) => ScalarValue::TimestampMicrosecond(Some(*instant), Some("UTC".into())),
        Variable::Duration(Duration(microseconds)) => {
            let (days, rest) = (microseconds / DAY, microseconds % DAY);
            match i32::try_from(days) {
                Ok(days) => ScalarValue::new_interval_mdn(0, days, rest * 1_000),
                Err(_) => ScalarValue::Null,
            }
        }
        Variable::Integer(number) => ScalarValue::Int64(Some(*number)),
        Variable::Float(number) => ScalarValue::Float64(Some(*number)),
        Variable::Boolean(truth) => ScalarValue::Boolean(Some(*truth)),
        Variable::Text(text) => ScalarValue::Utf8(Some(text.clone())),
        Variable::Texts(texts) => {
            let values: Vec<ScalarValue> = texts.iter().map(|text| ScalarValue::Utf8(Some(text.clone()))).collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8))
        }
    }
}

/// Whole days stay days; a day is 24 h, so the two forms mean the same instant arithmetic in UTC.
fn interval(Duration(microseconds): Duration) -> String {
    if microseconds % DAY == 0 {
        format!("INTERVAL '{} days'", microseconds / DAY)
    } else {
        format!("INTERVAL '{} seconds'", microseconds as f64 / 1e6)
    }
}
