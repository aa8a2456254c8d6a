//! Mistakes of people who do not know the engine: each is named once, where it is, with the way out.

use super::refusal;

const MODEL: &str = "  m: { sql: sql/m.sql }\n";

#[test]
fn a_product_of_an_interval_is_shown_where_it_is_written() {
    let text = "SELECT\n    customer_id,\n    ordered_at + order_count * INTERVAL '1 day' AS due_at\n\
                FROM (SELECT *, CAST(amount AS BIGINT) AS order_count FROM orders)";
    let found = refusal(MODEL, &[("m", text)]);
    assert_eq!(found.matches("error[").count(), 1, "{found}");
    assert!(found.contains("an interval is neither multiplied nor divided"), "{found}");
    assert!(found.contains("sql/m.sql:3:18") && found.contains("|| ' days' AS INTERVAL)"), "{found}");
}

/// Behind a branch that cannot be planned, the engine misses the names of the columns in all others.
#[test]
fn a_mistake_in_one_branch_of_a_union_is_one_error() {
    let branch = "SELECT customer_id, CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), ordered_at FROM orders";
    let broken = "SELECT customer_id, amount AS a, amount AS b,\n    \
                  ordered_at + CAST(amount AS BIGINT) * INTERVAL '1 day' AS at\nFROM orders";
    let text = format!("{broken}\nUNION ALL {branch}\nUNION ALL {branch}\nUNION ALL {branch}");
    let found = refusal(MODEL, &[("m", &text)]);
    assert_eq!(found.matches("error[").count(), 1, "{found}");
    assert!(found.contains("sql/m.sql:2:"), "{found}");
}

/// Equal names by themselves are still a mistake.
#[test]
fn names_that_are_not_unique_are_told() {
    let found = refusal(MODEL, &[("m", "SELECT amount AS a, customer_id AS a FROM orders")]);
    assert!(found.contains("unique expression names"), "{found}");
}

#[test]
fn a_missing_column_of_an_alias_that_is_a_column_too_is_missing() {
    let text = "SELECT customer_id\nFROM orders AS amount\nWHERE amount.order_idd = 'a'";
    let found = refusal(MODEL, &[("m", text)]);
    assert!(found.contains("error[unknown-column]: no column `order_idd` in `amount`"), "{found}");
    assert!(found.contains("sql/m.sql:3:7") && found.contains("did you mean `order_id`?"), "{found}");
    assert!(found.contains("another alias for the relation"), "{found}");
    let text = "WITH some AS (SELECT customer_id, amount FROM orders)\nSELECT customer_id\nFROM some AS amount\n\
                WHERE amount.nothing = 1";
    let found = refusal(MODEL, &[("m", text)]);
    assert!(found.contains("no column `nothing` in `amount`") && found.contains("sql/m.sql:4:7"), "{found}");
}
