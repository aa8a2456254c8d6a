//! Lineage through each kind of operator, over two relations `a(x, y, t)` and `b(x, z)`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;

use super::trace::trace;
use super::{Influence, Influences};

/// `column <- a.x(identity) | rows: b.x(join)` of a SELECT, a line a column.
fn traced(sql: &str) -> String {
    let session = SessionContext::new();
    for (name, columns) in [("a", ["x", "y", "t"].as_slice()), ("b", &["x", "z"]), ("hidden", &["x"])] {
        let fields = columns.iter().map(|column| Field::new(*column, DataType::Int64, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        session.register_table(name, Arc::new(EmptyTable::new(schema))).expect("a free name");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let frame = runtime.block_on(session.sql(sql)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let lineage = trace(&frame.into_unoptimized_plan(), &|name| name != "hidden");
    let mut lines: Vec<String> =
        lineage.columns.iter().map(|(column, of)| format!("{column} <- {}", shown(of))).collect();
    lines.push(format!("rows: {}", shown(&lineage.rows)));
    lines.join("\n")
}

fn shown(of: &Influences) -> String {
    let words = of.iter().map(|(column, how)| {
        let how: Vec<String> = how.iter().map(|influence| influence.subtype().to_lowercase()).collect();
        format!("{column}({})", how.join("+"))
    });
    words.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_traced(sql: &str, expected: &str) {
    assert_eq!(traced(sql).trim_end(), expected.trim_end(), "{sql}");
}

#[test]
fn projections_filters_and_orders() {
    assert_traced(
        "SELECT x, y + 1 AS more, CASE WHEN t > 0 THEN y END AS chosen, 5 AS five FROM a WHERE x > 1 ORDER BY t",
        "x <- a.x(identity)
more <- a.y(transformation)
chosen <- a.t(conditional) a.y(transformation)
five <- 
rows: a.t(sort) a.x(filter)",
    );
}

#[test]
fn joins_of_all_kinds() {
    assert_traced(
        "SELECT a.x, b.z FROM a LEFT JOIN b ON a.x = b.x AND b.z > a.t",
        "x <- a.x(identity)\nz <- b.z(identity)\nrows: a.t(join) a.x(join) b.x(join) b.z(join)",
    );
    assert_traced("SELECT y FROM a LEFT SEMI JOIN b ON a.x = b.x", "y <- a.y(identity)\nrows: a.x(join) b.x(join)");
}

#[test]
fn aggregates_and_grouping_sets() {
    assert_traced(
        "SELECT x, sum(y) FILTER (WHERE t > 0) AS total, count(*) AS n FROM a GROUP BY x HAVING max(t) > 3",
        "x <- a.x(identity)
total <- a.t(conditional) a.y(aggregation)
n <- 
rows: a.t(filter) a.x(group_by)",
    );
    assert_traced(
        "SELECT x, t, sum(y) AS total FROM a GROUP BY GROUPING SETS ((x, t), (x))",
        "x <- a.x(identity)\nt <- a.t(identity)\ntotal <- a.y(aggregation)\nrows: a.t(group_by) a.x(group_by)",
    );
    assert_traced("SELECT DISTINCT x FROM a", "x <- a.x(identity)\nrows: a.x(group_by)");
}

#[test]
fn windows() {
    assert_traced(
        "SELECT sum(y) OVER (PARTITION BY x ORDER BY t) AS running, lag(y) OVER (ORDER BY t) AS before FROM a",
        "running <- a.t(window) a.x(window) a.y(aggregation)
before <- a.t(window) a.y(transformation)
rows: ",
    );
}

#[test]
fn unions_and_common_table_expressions() {
    assert_traced(
        "WITH both AS (SELECT x AS v FROM a UNION ALL SELECT z FROM b WHERE x = 1) SELECT max(v) AS v FROM both",
        "v <- a.x(aggregation) b.z(aggregation)\nrows: b.x(filter)",
    );
    // A name that hides a relation is not that relation.
    assert_traced("WITH b AS (SELECT y AS z FROM a) SELECT z FROM b", "z <- a.y(identity)\nrows: ");
}

#[test]
fn subqueries() {
    assert_traced(
        "SELECT x, (SELECT max(z) FROM b WHERE b.x = a.x) AS most FROM a WHERE y IN (SELECT z FROM b)",
        "x <- a.x(identity)
most <- a.x(filter) b.x(filter) b.z(aggregation)
rows: a.y(filter) b.z(conditional)",
    );
    assert_traced(
        "SELECT y FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x)",
        "y <- a.y(identity)\nrows: a.x(filter) b.x(filter)",
    );
}

#[test]
fn relations_nobody_knows_have_no_lineage() {
    assert_traced("SELECT x FROM hidden WHERE x > 1", "x <- \nrows: ");
}

#[test]
fn influences_add_up_along_the_way() {
    assert_eq!(Influence::Aggregation.after(Influence::Identity), Influence::Aggregation);
    assert_eq!(Influence::Transformation.after(Influence::Aggregation), Influence::Aggregation);
    assert_eq!(Influence::Identity.after(Influence::Filter), Influence::Filter);
    assert_eq!(Influence::Filter.after(Influence::Aggregation), Influence::Filter);
}
