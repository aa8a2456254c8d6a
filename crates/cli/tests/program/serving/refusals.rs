//! Everything that is not a question is refused, and changes nothing.

use super::clients::{client, failure, rows};
use super::endpoint::{Endpoint, tiny};

/// Statements that write, reach out, or change how the endpoint works for others, and the code they are refused with.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "25006",
        &[
            "INSERT INTO by_channel VALUES ('x', 1)",
            "INSERT INTO by_channel SELECT * FROM by_channel",
            "UPDATE by_channel SET members = 0",
            "DELETE FROM by_channel",
            "TRUNCATE by_channel",
            "MERGE INTO by_channel USING by_status ON true WHEN MATCHED THEN DELETE",
            "CREATE TABLE t (a INT)",
            "CREATE TABLE t AS SELECT 1",
            "CREATE TEMP TABLE t AS SELECT 1",
            "CREATE VIEW v AS SELECT 1",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "CREATE MATERIALIZED VIEW v AS SELECT 1",
            "CREATE SCHEMA s",
            "CREATE DATABASE d",
            "CREATE INDEX i ON by_channel (channel)",
            "CREATE FUNCTION f() RETURNS INT LANGUAGE SQL AS 'SELECT 1'",
            "CREATE EXTENSION file_fdw",
            "CREATE ROLE r PASSWORD 'secret-of-the-role'",
            "CREATE EXTERNAL TABLE t (a INT) STORED AS PARQUET LOCATION '/etc/passwd'",
            "DROP TABLE by_channel",
            "DROP SCHEMA main CASCADE",
            "ALTER TABLE by_channel ADD COLUMN c INT",
            "COPY by_channel TO '/tmp/out.csv'",
            "COPY by_channel TO STDOUT",
            "COPY by_channel FROM STDIN",
            "COPY (SELECT 1) TO PROGRAM 'sh'",
            "GRANT ALL ON by_channel TO PUBLIC",
            "REVOKE ALL ON by_channel FROM PUBLIC",
            "EXPLAIN ANALYZE INSERT INTO by_channel VALUES ('x', 1)",
            "EXPLAIN DELETE FROM by_channel",
            "PREPARE p AS DELETE FROM by_channel",
            "SELECT * INTO t FROM by_channel",
            "CALL f()",
            "LISTEN c",
            "NOTIFY c",
            "COMMENT ON TABLE by_channel IS 'x'",
            "SET transaction_read_only = off",
            "SET default_transaction_read_only TO 'off'",
        ],
    ),
    (
        "42704",
        &[
            "SET datafusion.execution.batch_size = 1",
            "SET datafusion.catalog.location = '/etc'",
            "SET datafusion.runtime.temp_directory = '/etc'",
            "SET data_directory = '/etc'",
            "SHOW data_directory",
            "RESET datafusion.runtime.memory_limit",
        ],
    ),
    ("42501", &["SET ROLE postgres", "SET SESSION AUTHORIZATION postgres"]),
    ("22023", &["SET client_encoding = 'LATIN1'", "SET server_version = '1'"]),
    (
        "42P01",
        &[
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM \"/etc/passwd\"",
            "SELECT * FROM 'file:///etc/passwd'",
            "SELECT * FROM 's3://bucket/key.parquet'",
            "SELECT * FROM 'https://localhost/x.csv'",
            "SELECT * FROM \"data/contacts/ann.csv\"",
            "SELECT * FROM contacts",
            "SELECT * FROM datafusion.public.instance",
        ],
    ),
    (
        "42601",
        &[
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "VACUUM FULL FREEZE by_channel INTO x",
            "DO $$ BEGIN END $$",
            "ATTACH DATABASE",
            "",
        ],
    ),
];

/// Functions that read files or reach out in PostgreSQL, DuckDB or DataFusion's own shell.
const NO_SUCH_FUNCTIONS: &[&str] = &[
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_sleep(10)",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_reload_conf()",
    "SELECT dblink('host=localhost', 'SELECT 1')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM metadata_cache()",
    "SELECT range(1, 10000000000)",
    "SELECT array_repeat(1, 10000000000)",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_be_written_opened_or_changed_for_others() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let (client, other) = (client(&endpoint).await, client(&endpoint).await);
    let before = rows(&other, "SELECT * FROM by_channel ORDER BY 1").await;
    let mut wrong = Vec::new();
    for (expected, statements) in REFUSED {
        for sql in statements.iter().filter(|sql| !sql.is_empty()) {
            let (code, message) = failure(&client, sql).await;
            if code != *expected {
                wrong.push(format!("{sql}: {code} {message}, not {expected}"));
            }
            // And in the extended way.
            if let Ok(statement) = client.prepare(sql).await {
                assert!(client.query(&statement, &[]).await.is_err(), "{sql}");
            }
        }
    }
    for sql in NO_SUCH_FUNCTIONS {
        let (code, message) = failure(&client, sql).await;
        if !["42883", "42000"].contains(&code.as_str()) {
            wrong.push(format!("{sql}: {code} {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rows(&other, "SELECT * FROM by_channel ORDER BY 1").await, before);
    assert_eq!(rows(&other, "SHOW transaction_read_only").await, ["on"]);
    assert!(!endpoint.log().contains("secret-of-the-role"));
    let written: Vec<_> = ["t", "out.csv"].iter().filter(|name| workspace.has(name)).collect();
    assert!(written.is_empty() && !std::path::Path::new("/tmp/out.csv").exists());
}

/// Where the tables lie is nobody's business, in plans as in errors.
#[tokio::test(flavor = "multi_thread")]
async fn plans_and_errors_do_not_reveal_where_the_tables_lie() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let client = client(&endpoint).await;
    let place = workspace.path().display().to_string();
    let (place, inside) = (place.as_str(), place.trim_start_matches('/'));
    for sql in [
        "EXPLAIN SELECT * FROM instance",
        "EXPLAIN VERBOSE SELECT * FROM instance",
        "EXPLAIN ANALYZE SELECT * FROM instance",
    ] {
        let plan = rows(&client, sql).await.join("\n");
        assert!(plan.contains("warehouse/instance/"), "{plan}");
        assert!(!plan.contains(place) && !plan.contains(inside), "{plan}");
    }
    let folder = workspace.path().join("warehouse/instance");
    let parquet = |path: &std::path::Path| path.extension().is_some_and(|extension| extension == "parquet");
    let files = std::fs::read_dir(folder).expect("the table's folder").map(|file| file.expect("a file").path());
    files.filter(|path| parquet(path)).for_each(|path| std::fs::remove_file(path).expect("it can be removed"));
    let (_, message) = failure(&client, "SELECT * FROM instance").await;
    assert!(!message.contains(place) && !message.contains(inside), "{message}");
    assert_eq!(rows(&client, "SELECT count(*) > 0 FROM by_status").await, ["t"]);
}
