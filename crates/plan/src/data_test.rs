//! Data tests as queries: each counts what offends.

use std::collections::BTreeMap;

use datafusion::common::{Column, JoinType};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, LogicalPlan, lit, when};
use datafusion::prelude::SessionContext;
use throughline_config::{
    DataTest, Diagnostic, Diagnostics, Located, Model, Place, RowRule, Severity, TestKind, closest,
};

use crate::condition::{column_named, row_rule};
use crate::error_place::{TextOrigin, diagnose};
use crate::parameters::Parameters;
use crate::relation::select;
use crate::sql_text::SqlText;

/// A test ready to run.
#[derive(Debug, Clone)]
pub struct PlannedTest {
    /// What is tested, for people: "`journey_id` is unique".
    pub name: String,
    /// The test's key in YAML: `not_null`, `unique`, …
    pub kind: &'static str,
    /// The one column that is tested; `None` where it is several or none.
    pub column: Option<String>,
    /// Whether a failure keeps the model from being published.
    pub severity: Severity,
    /// Where the test stands.
    pub place: Place,
    /// Yields one row with one integer: the number of offending rows, or for a row count the number of rows.
    pub query: LogicalPlan,
    /// For a test of uniqueness the key of every row: when all keys differ, the query yields 0 and need not run.
    pub keys: Option<LogicalPlan>,
    /// For a rule about single rows: true for a row that breaks it. Several can then be counted in one pass.
    pub broken: Option<Expr>,
    /// Whether rows that passed once need not be tested again: the test concerns each row by itself, or keys that rows
    /// which stay cannot share with rows that are added.
    pub of_new_rows: bool,
    /// The integers that pass, both ends included.
    pub passes: std::ops::RangeInclusive<i64>,
}

/// The tests of `model`, those of its grain first. The model must be registered in `session` under its name.
pub async fn planned_tests(
    model: &Model,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<Vec<PlannedTest>, Diagnostics> {
    let mut planned = Vec::new();
    let mut findings = Diagnostics::default();
    for test in grain_tests(model).iter().chain(&model.tests) {
        match plan_test(test, model, parameters, session).await {
            Ok(tests) => planned.extend(tests),
            Err(found) => findings.0.extend(found.0),
        }
    }
    if findings.0.is_empty() { Ok(planned) } else { Err(findings) }
}

/// Relations that a model's tests read.
///
/// # Errors
///
/// The SQL of a test that cannot be parsed.
pub fn read_by_tests(model: &Model) -> Result<Vec<String>, Diagnostics> {
    let mut read = Vec::new();
    for test in &model.tests {
        read.extend(read_by_test(test)?.into_keys());
    }
    Ok(read)
}

/// Relations that a test reads besides the rows it tests, each with a place that says so. Where the test is SQL, table
/// functions are among them.
pub(crate) fn read_by_test(test: &DataTest) -> Result<BTreeMap<String, Place>, Diagnostics> {
    Ok(match &test.kind {
        TestKind::Relationship { references, .. } => {
            let relation = references.value.split_once('.').map(|(relation, _)| relation.to_owned());
            relation.map(|relation| (relation, references.place.clone())).into_iter().collect()
        }
        TestKind::Sql(file) => SqlText::parse(file)?.references,
        TestKind::Rows(_) | TestKind::Unique(_) | TestKind::RowCount { .. } => BTreeMap::new(),
    })
}

/// `grain` says what identifies a row, so its columns are neither null nor repeated.
fn grain_tests(model: &Model) -> Vec<DataTest> {
    let Some(first) = model.grain.first() else { return Vec::new() };
    let test = |kind| DataTest { kind, severity: Severity::Error, place: first.place.clone() };
    vec![test(TestKind::Rows(RowRule::NotNull(model.grain.clone()))), test(TestKind::Unique(model.grain.clone()))]
}

async fn plan_test(
    test: &DataTest,
    model: &Model,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<Vec<PlannedTest>, Diagnostics> {
    let at = |error: DataFusionError| at_place(&error, &test.place);
    let one = |name: String, query: LogicalPlan, passes| PlannedTest {
        name,
        kind: test.kind.key(),
        column: None,
        severity: test.severity,
        place: test.place.clone(),
        query,
        keys: None,
        broken: None,
        of_new_rows: matches!(test.kind, TestKind::Rows(_) | TestKind::Unique(_) | TestKind::Relationship { .. }),
        passes,
    };
    let rows = || async { session.table(model.name.value.as_str()).await.map_err(at) };
    match &test.kind {
        TestKind::Rows(rule) => {
            let frame = rows().await?;
            let rules = row_rule(rule, frame.schema(), parameters, &session.state())?;
            let planned = rules.into_iter().enumerate().map(|(place, broken)| {
                let query = count_where(frame.clone(), broken.broken.clone()).map_err(at)?;
                let test = one(format!("no row where {}", broken.reason), query, 0..=0);
                let column = rule.columns().get(place).map(|column| column.value.clone());
                Ok(PlannedTest { column, broken: Some(broken.broken), ..test })
            });
            planned.collect()
        }
        TestKind::Unique(columns) => {
            let frame = rows().await?;
            let key =
                columns.iter().map(|column| column_named(column, frame.schema())).collect::<Result<Vec<_>, _>>()?;
            let names = columns.iter().map(|column| column.value.as_str()).collect::<Vec<_>>().join(", ");
            let keys = frame.clone().select(key.clone()).map_err(at)?.into_unoptimized_plan();
            let query = repeated(frame, key).map_err(at)?;
            let test = one(format!("({names}) is unique"), query, 0..=0);
            Ok(vec![PlannedTest { keys: Some(keys), ..test }])
        }
        TestKind::Relationship { column, references } => {
            let query = orphans(rows().await?, column, references, session).await?;
            let test = one(format!("every `{}` is a `{}`", column.value, references.value), query, 0..=0);
            Ok(vec![PlannedTest { column: Some(column.value.clone()), ..test }])
        }
        TestKind::RowCount { min, max } => {
            let bound = |value: &Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
            let (min, max) = (bound(min).unwrap_or(0), bound(max).unwrap_or(i64::MAX));
            let query = counted(rows().await?).map_err(at)?;
            let most = if max == i64::MAX { "any".to_owned() } else { max.to_string() };
            Ok(vec![one(format!("row count in {min} .. {most}"), query, min..=max)])
        }
        TestKind::Sql(file) => {
            let sql = SqlText::parse(file)?;
            let plan = select(&sql, parameters, session).await?;
            let query = counted(DataFrame::new(session.state(), plan)).map_err(at)?;
            Ok(vec![one(format!("no row from {}", file.path.display()), query, 0..=0)])
        }
    }
}

fn at_place(error: &DataFusionError, place: &Place) -> Diagnostics {
    let value = Located { value: place.text().to_owned(), place: place.clone() };
    diagnose(error, &TextOrigin::Value(value))
}

fn counted(frame: DataFrame) -> Result<LogicalPlan, DataFusionError> {
    Ok(frame.aggregate(vec![], vec![count(lit(1_i64)).alias("offending")])?.into_unoptimized_plan())
}

fn count_where(frame: DataFrame, broken: Expr) -> Result<LogicalPlan, DataFusionError> {
    let offends = when(broken, lit(1_i64)).otherwise(lit(0_i64))?;
    let total = frame.aggregate(vec![], vec![sum(offends).alias("offending")])?;
    // The sum over no rows is null, and no row offends.
    let total = total.select(vec![coalesce(vec![Expr::Column(Column::from_name("offending")), lit(0_i64)])])?;
    Ok(total.into_unoptimized_plan())
}

/// Number of key values that several rows share.
fn repeated(frame: DataFrame, key: Vec<Expr>) -> Result<LogicalPlan, DataFusionError> {
    let shared = frame
        .aggregate(key, vec![count(lit(1_i64)).alias("copies")])?
        .filter(Expr::Column(Column::from_name("copies")).gt(lit(1_i64)))?;
    counted(shared)
}

/// Rows whose non-null `column` has no partner in `references` (`relation.column`).
async fn orphans(
    frame: DataFrame,
    column: &Located<String>,
    references: &Located<String>,
    session: &SessionContext,
) -> Result<LogicalPlan, Diagnostics> {
    let origin = TextOrigin::Value(references.clone());
    let child = column_named(column, frame.schema())?;
    let Some((relation, key)) = references.value.split_once('.') else {
        return Err(Diagnostic::error("bad-reference", "a relationship is written `model.column`")
            .at(references.place.clone())
            .into());
    };
    let parent = session.table(relation).await.map_err(|error| diagnose(&error, &origin))?;
    let names: Vec<String> = parent.schema().fields().iter().map(|field| field.name().clone()).collect();
    if !names.iter().any(|name| name == key) {
        let finding = Diagnostic::error("unknown-column", format!("no column `{key}` in `{relation}`"))
            .at(references.place.clone());
        let near = closest(key, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        return Err(finding.label(near.unwrap_or_default()).into());
    }
    let plan = || -> Result<LogicalPlan, DataFusionError> {
        let children = frame.filter(child.clone().is_not_null())?.select(vec![child.alias("child_key")])?;
        let parent_key = Expr::Column(Column::new(Some(relation), key));
        let parents = parent.select(vec![parent_key.alias("parent_key")])?;
        let lonely = children.join(parents, JoinType::LeftAnti, &["child_key"], &["parent_key"], None)?;
        counted(lonely)
    };
    plan().map_err(|error| diagnose(&error, &origin))
}
