//! Queries of clients about the tables, and the answers they get.

use std::time::Instant;

use tokio_postgres::types::Type;

use super::clients::{client, client_with, code_and_message, failure, rows};
use super::endpoint::{Endpoint, PATIENCE, tiny};

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_in_every_way_of_the_protocol() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let client = client(&endpoint).await;

    // The simple way, several statements at once.
    let answer =
        rows(&client, "SELECT status, instances FROM by_status ORDER BY 1, 2; SELECT count(*) FROM main.instance")
            .await;
    assert_eq!(answer, ["completed | 1", "completed | 1", "expired | 2", "open | 1", "open | 1", "6"]);
    assert_eq!(rows(&client, "SELECT 1 AS one UNION ALL SELECT 2 ORDER BY 1; ; SELECT NULL").await, ["1", "2", "-"]);

    // The extended protocol: types of parameters and columns come first, values in their binary form.
    let statement = client
        .prepare("SELECT journey_id, touchpoints, satisfaction, started_at::text FROM instance WHERE journey = $1 AND touchpoints >= $2 ORDER BY 1")
        .await
        .expect("it can be prepared");
    assert_eq!(statement.params(), [Type::TEXT, Type::INT8]);
    let types: Vec<&Type> = statement.columns().iter().map(tokio_postgres::Column::type_).collect();
    assert_eq!(types, [&Type::TEXT, &Type::INT8, &Type::FLOAT8, &Type::TEXT]);
    for least in [2_i64, 3] {
        let found = client.query(&statement, &[&"worked", &least]).await.expect("it is answered");
        assert_eq!(found.len(), if least == 2 { 2 } else { 1 });
        let first = &found[0];
        assert_eq!((first.get::<_, &str>(0), first.get::<_, i64>(1)), ("worked/t01", 3));
        assert_eq!(first.get::<_, Option<f64>>(2), Some(0.75));
    }
    let one = client.query_one("SELECT $1::bigint + 1", &[&41_i64]).await.expect("it is answered");
    assert_eq!(one.get::<_, i64>(0), 42);
    let times =
        client.query_one("SELECT min(started_at), CAST(min(started_at) AS DATE) AS day FROM instance", &[]).await;
    assert_eq!(times.expect("it is answered").columns()[0].type_(), &Type::TIMESTAMPTZ);

    // In SQL, and by a cursor.
    let answer =
        rows(&client, "PREPARE p AS SELECT count(*) FROM instance WHERE status = $1; EXECUTE p('open'); DEALLOCATE p")
            .await;
    assert_eq!(answer, ["2"]);
    assert_eq!(failure(&client, "EXECUTE p('open')").await.0, "26000");
    let cursor = "BEGIN; DECLARE c CURSOR FOR SELECT journey_id FROM instance ORDER BY 1; FETCH 2 FROM c; FETCH FORWARD 1 FROM c";
    assert_eq!(rows(&client, cursor).await, ["asking/a1", "asking/a3", "worked/t01"]);
    assert_eq!(rows(&client, "FETCH ALL FROM c").await.len(), 3);
    assert_eq!(rows(&client, "FETCH ALL FROM c; COMMIT").await.len(), 0);
    assert_eq!(failure(&client, "FETCH 1 FROM c").await.0, "34000");

    // A failed transaction passes statements over until it ends.
    client.batch_execute("BEGIN").await.expect("it begins");
    assert_eq!(failure(&client, "SELECT * FROM nowhere").await.0, "42P01");
    assert_eq!(failure(&client, "SELECT 1").await.0, "25P02");
    client.batch_execute("ROLLBACK").await.expect("it ends");

    // A failure has the right code, and the connection goes on.
    for (sql, code) in [
        ("SELEC 1", "42601"),
        ("SELECT chanel FROM by_channel", "42703"),
        ("SELECT nothing(1)", "42883"),
        ("SELECT 1 / 0", "22012"),
        ("SELECT CAST('x' AS INT)", "22P02"),
        ("FETCH 1 FROM nothing", "34000"),
    ] {
        assert_eq!(failure(&client, sql).await.0, code, "{sql}");
    }
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
    let error = client.query("SELECT $1::bigint", &[]).await;
    assert!(error.is_err());

    // The statistics of the pipelines.
    let answer = rows(&client, "SELECT round(odds_ratio(10, 90, 5, 95)['estimate'], 4)").await;
    assert_eq!(answer, ["2.1111"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_columns_are_explained_to_clients() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let client = client(&endpoint).await;
    let ask = async |sql: &str| rows(&client, sql).await;

    assert_eq!(ask("SELECT obj_description('instance'::regclass, 'pg_class')").await, ["One row an instance"]);
    let columns = "SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a \
                   JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = 'instance' AND a.attname IN ('touchpoints', 'status') ORDER BY 1";
    assert_eq!(ask(columns).await, ["status | -", "touchpoints | Members of the instance"]);
    let joined = "SELECT c.relname, d.objsubid, d.description FROM pg_catalog.pg_description d \
                  JOIN pg_catalog.pg_class c ON c.oid = d.objoid AND d.classoid = 1259 WHERE c.relname = 'instance' ORDER BY 2";
    assert_eq!(ask(joined).await, ["instance | 0 | One row an instance", "instance | 8 | Members of the instance"]);
    assert!(ask("SELECT obj_description('main'::regnamespace, 'pg_namespace')").await[0].contains("2024-02-10"));

    assert_eq!(
        ask("SELECT current_database(), current_schema(), current_user").await,
        ["throughline | main | throughline"]
    );
    assert!(ask("SELECT version()").await[0].starts_with("PostgreSQL 16."));
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY 1";
    assert_eq!(ask(tables).await, ["by_channel", "by_status", "instance", "member"]);
    let visible = "SELECT relname FROM pg_class c WHERE relkind = 'r' AND pg_table_is_visible(c.oid) AND relname LIKE 'by%' ORDER BY 1";
    assert_eq!(ask(visible).await, ["by_channel", "by_status"]);
    let described = ask("DESCRIBE by_channel").await;
    assert_eq!(described.len(), 2);

    // Settings: those of clients are kept, and all can be shown.
    assert_eq!(ask("SET application_name = 'report'; SHOW application_name").await, ["report"]);
    assert_eq!(ask("SET TIME ZONE 'Europe/Vienna'; SHOW timezone").await, ["Europe/Vienna"]);
    assert_eq!(ask("SHOW transaction_isolation; SHOW server_version").await, ["repeatable read", "16.6"]);
    assert!(ask("SHOW ALL").await.len() > 30);
    let other = client_with(&endpoint, "user=ann options='-c statement_timeout=7s'").await.expect("it is let in");
    assert_eq!(rows(&other, "SHOW statement_timeout").await, ["7s"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_run_is_seen_without_a_restart_and_never_half() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let (client, pinned) = (client(&endpoint).await, client(&endpoint).await);
    let sql = "SELECT (SELECT sum(instances) FROM by_status WHERE status = 'open') AS counted, \
               (SELECT count(*) FROM instance WHERE status = 'open') AS there";
    let statement =
        client.prepare("SELECT count(*) FROM instance WHERE status = 'open'").await.expect("it can be prepared");
    let open = async || client.query_one(&statement, &[]).await.expect("it is answered").get::<_, i64>(0);
    assert_eq!(open().await, 2);
    pinned.batch_execute("BEGIN").await.expect("it begins");
    assert_eq!(rows(&pinned, sql).await, ["2 | 2"]);

    // By then one of the two that were open has expired; the other's journey has no limits.
    workspace.run("run --as-of 2025-02-10 --log-format json").ends_with(0);
    let began = Instant::now();
    while open().await != 1 {
        let both = rows(&client, sql).await.remove(0);
        let (counted, there) = both.split_once(" | ").expect("two numbers");
        assert_eq!(counted.replace('-', "0"), there, "two tables of one query are of different runs");
        assert!(began.elapsed() < PATIENCE, "the newer run is not served: {}", endpoint.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // A transaction goes on seeing what it began with.
    assert_eq!(rows(&pinned, sql).await, ["2 | 2"]);
    pinned.batch_execute("COMMIT").await.expect("it ends");
    assert_eq!(rows(&pinned, sql).await, ["1 | 1"]);
    // Numbers by which clients look tables up stay the same.
    let number = "SELECT 'instance'::regclass::text";
    assert_eq!(rows(&client, number).await, rows(&pinned, number).await);

    // A failed run changes nothing that is served.
    workspace.put(
        "sql/by_channel.sql",
        "SELECT channel, 1 / (count(*) - count(*)) AS members FROM member GROUP BY channel\n",
    );
    workspace.run("run --as-of 2025-02-11 --log-format json").ends_with(1);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(
        rows(&client, "SELECT count(*) FROM by_channel").await,
        rows(&pinned, "SELECT count(*) FROM by_channel").await
    );
    assert_eq!(endpoint.events().iter().filter(|event| event["event"] == "serving").count(), 2);

    // Columns that have changed since a statement was prepared are no silent surprise.
    let prepared = client.prepare("SELECT * FROM by_channel").await.expect("it can be prepared");
    workspace.put("sql/by_channel.sql", "SELECT channel, 'many' AS members FROM member GROUP BY channel\n");
    workspace.run("run --as-of 2025-02-12 --log-format json").ends_with(0);
    let began = Instant::now();
    let (code, message) = loop {
        match client.query(&prepared, &[]).await {
            Err(error) => break code_and_message(&error),
            Ok(_) => assert!(began.elapsed() < PATIENCE, "{}", endpoint.log()),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!((code.as_str(), message.contains("other columns")), ("0A000", true), "{message}");
}
