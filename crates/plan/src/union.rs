//! `union:`: the rows of several SELECTs, columns by name.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use indexmap::IndexMap;
use throughline_config::{Diagnostic, Diagnostics, Located};

use crate::error_place::{TextOrigin, diagnose};
use crate::sql_text::SqlText;

/// The rows of all parts. A column that one lacks is null in its rows.
pub(crate) fn union(parts: &[(SqlText, LogicalPlan)], model: &Located<String>) -> Result<LogicalPlan, Diagnostics> {
    let mut columns: IndexMap<String, (DataType, &SqlText)> = IndexMap::new();
    let mut findings = Diagnostics::default();
    for (sql, rows) in parts {
        for field in rows.schema().fields() {
            match columns.get_mut(field.name()) {
                None => {
                    columns.insert(field.name().clone(), (field.data_type().clone(), sql));
                }
                Some((known, from)) if *known == DataType::Null => (*known, *from) = (field.data_type().clone(), sql),
                Some((known, from)) if !alike(known, field.data_type()) => {
                    let first = from.file.path.display();
                    let message =
                        format!("column `{}` is {} here and {known} in {first}", field.name(), field.data_type());
                    let place = sql.output_column(field.name());
                    findings.push(
                        Diagnostic::error("union-type", message)
                            .at(place.unwrap_or_else(|| TextOrigin::File(sql.file.clone()).whole()))
                            .help("a column has one type in all parts of a `union`: CAST one of the two"),
                    );
                }
                Some(_) => {}
            }
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let failed = |error: DataFusionError| diagnose(&error, &TextOrigin::Value(model.clone()));
    let mut all: Option<LogicalPlanBuilder> = None;
    for (_, rows) in parts {
        let next = aligned(rows, &columns).map_err(failed)?;
        all = Some(match all {
            None => LogicalPlanBuilder::from(next),
            Some(before) => before.union(next).map_err(failed)?,
        });
    }
    match all {
        Some(all) => all.build().map_err(failed),
        None => Err(Diagnostic::error("empty-value", "a `union` of nothing").at(model.place.clone()).into()),
    }
}

/// The rows with all columns of the union, in its order.
fn aligned(
    rows: &LogicalPlan,
    columns: &IndexMap<String, (DataType, &SqlText)>,
) -> Result<LogicalPlan, DataFusionError> {
    let all = columns.iter().map(|(name, (data_type, _))| {
        let own = rows.schema().iter().find(|(_, field)| field.name() == name);
        match own {
            Some((qualifier, _)) => {
                Ok::<Expr, DataFusionError>(Expr::Column(Column::new(qualifier.cloned(), name)).alias(name))
            }
            None => Ok(lit(ScalarValue::try_from(data_type)?).alias(name)),
        }
    });
    let all: Vec<Expr> = all.collect::<Result<_, DataFusionError>>()?;
    LogicalPlanBuilder::from(rows.clone()).project(all)?.build()
}

/// Whether values of both types are of one kind, so that nobody is surprised by what the union makes of them.
fn alike(first: &DataType, second: &DataType) -> bool {
    let text = |found: &DataType| matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let time = |found: &DataType| matches!(found, DataType::Timestamp(..));
    first == second
        || *second == DataType::Null
        || text(first) && text(second)
        || time(first) && time(second)
        || first.is_numeric() && second.is_numeric()
}
