//! Arrow Flight SQL, with arrow-flight's own client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables, SqlInfo};
use arrow_flight::{FlightInfo, Ticket};
use futures::TryStreamExt;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use super::endpoint::{Endpoint, PATIENCE, tiny};

type Client = FlightSqlServiceClient<Channel>;

async fn client(endpoint: &Endpoint) -> Client {
    let channel = Channel::from_shared(format!("http://{}", endpoint.flight)).expect("an address").connect().await;
    FlightSqlServiceClient::new(channel.expect("it connects"))
}

async fn fetched(client: &mut Client, info: FlightInfo) -> Result<Vec<RecordBatch>, FlightError> {
    let ticket = info.endpoint[0].ticket.clone().expect("a ticket");
    let batches: Vec<RecordBatch> = client.do_get(ticket).await?.try_collect().await?;
    let announced = info.try_decode_schema()?;
    for batch in &batches {
        assert_eq!(batch.schema().fields(), announced.fields(), "rows have other columns than announced");
    }
    Ok(batches)
}

async fn asked(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>, FlightError> {
    let info = client.execute(sql.to_owned(), None).await?;
    fetched(client, info).await
}

fn first_whole(batches: &[RecordBatch]) -> i64 {
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

fn texts(batches: &[RecordBatch], column: &str) -> Vec<String> {
    let columns =
        batches.iter().map(|batch| batch.column_by_name(column).expect("the column").as_string::<i32>().clone());
    columns.flat_map(|column| column.iter().flatten().map(ToOwned::to_owned).collect::<Vec<_>>()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_answered_and_the_catalogue_is_listed() {
    let workspace = tiny();
    let endpoint = Endpoint::of(&workspace, &[]);
    let mut client = client(&endpoint).await;
    assert_eq!(first_whole(&asked(&mut client, "SELECT count(*) FROM instance").await.expect("rows")), 6);
    let all = asked(&mut client, "SELECT * FROM main.instance ORDER BY journey_id").await.expect("rows");
    assert_eq!(all.iter().map(RecordBatch::num_rows).sum::<usize>(), 6);
    let comment =
        all[0].schema().field_with_name("touchpoints").expect("the column").metadata().get("comment").cloned();
    assert_eq!(comment.as_deref(), Some("Members of the instance"));

    // Prepared, with a value.
    let sql = "SELECT count(*) FROM instance WHERE journey = $1 AND touchpoints >= $2";
    let mut prepared = client.prepare(sql.to_owned(), None).await.expect("it can be prepared");
    assert_eq!(prepared.parameter_schema().expect("its parameters").fields().len(), 2);
    for (least, count) in [(2_i64, 2_i64), (3, 1)] {
        let schema = Schema::new(vec![Field::new("$1", DataType::Utf8, true), Field::new("$2", DataType::Int64, true)]);
        let journey = Arc::new(StringArray::from(vec!["worked"]));
        let values = RecordBatch::try_new(Arc::new(schema), vec![journey, Arc::new(Int64Array::from(vec![least]))]);
        prepared.set_parameters(values.expect("one row")).expect("they fit");
        let info = prepared.execute().await.expect("it is answered");
        assert_eq!(first_whole(&fetched(&mut client, info).await.expect("rows")), count);
    }
    prepared.close().await.expect("it is closed");

    let info = client.get_catalogs().await.expect("catalogues");
    assert_eq!(texts(&fetched(&mut client, info).await.expect("rows"), "catalog_name"), ["throughline"]);
    let schemas = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: None };
    let info = client.get_db_schemas(schemas).await.expect("schemas");
    assert_eq!(texts(&fetched(&mut client, info).await.expect("rows"), "db_schema_name"), ["main", "pg_catalog"]);
    let tables = CommandGetTables {
        catalog: Some("throughline".into()),
        db_schema_filter_pattern: Some("main".into()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(tables).await.expect("tables");
    let listed = fetched(&mut client, info).await.expect("rows");
    assert_eq!(texts(&listed, "table_name"), ["by_channel", "by_status", "instance", "member"]);
    let described = listed[0].column_by_name("table_schema").expect("their columns").as_binary::<i32>();
    assert!(described.value(2).windows(23).any(|bytes| bytes == b"Members of the instance"));
    let info = client.get_table_types().await.expect("types");
    assert_eq!(texts(&fetched(&mut client, info).await.expect("rows"), "table_type"), ["TABLE", "VIEW"]);
    let info =
        client.get_sql_info(vec![SqlInfo::FlightSqlServerName, SqlInfo::FlightSqlServerReadOnly]).await.expect("it");
    assert_eq!(fetched(&mut client, info).await.expect("rows")[0].num_rows(), 2);

    // A newer run.
    workspace.run("run --as-of 2025-02-10 --log-format json").ends_with(0);
    let began = Instant::now();
    while first_whole(&asked(&mut client, "SELECT count(*) FROM instance WHERE status = 'open'").await.expect("rows"))
        > 1
    {
        assert!(began.elapsed() < PATIENCE, "{}", endpoint.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_questions_is_answered_and_limits_hold() {
    let workspace = tiny();
    let limits = ["--query-timeout", "1s", "--max-queries", "1", "--queue-timeout", "5s"];
    let endpoint = Endpoint::of(&workspace, &limits);
    let mut client = client(&endpoint).await;
    let before = asked(&mut client, "SELECT * FROM by_channel ORDER BY 1").await.expect("rows");
    for sql in [
        "INSERT INTO by_channel VALUES ('x', 1)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "DROP TABLE by_channel",
        "COPY by_channel TO '/tmp/out.csv'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "EXPLAIN ANALYZE INSERT INTO by_channel VALUES ('x', 1)",
    ] {
        let answer = asked(&mut client, sql).await.expect_err(sql).to_string();
        assert!(answer.contains("SQLSTATE"), "{sql}: {answer}");
        assert!(client.prepare(sql.to_owned(), None).await.is_err(), "{sql}");
    }
    assert!(client.execute_update("DELETE FROM by_channel".to_owned(), None).await.is_err());
    assert!(client.begin_transaction().await.is_err());
    assert!(client.do_get(Ticket::new("nonsense")).await.is_err());
    assert_eq!(asked(&mut client, "SELECT * FROM by_channel ORDER BY 1").await.expect("rows"), before);
    let plan = asked(&mut client, "EXPLAIN SELECT * FROM instance").await.expect("rows");
    let plan = texts(&plan, "plan").join("\n");
    let inside = workspace.path().display().to_string();
    assert!(plan.contains("warehouse/instance/") && !plan.contains(inside.trim_start_matches('/')), "{plan}");

    let endless = "SELECT count(*) FROM generate_series(1, 100000000000) AS a(n) WHERE n % 7 = 8";
    let answer = asked(&mut client, endless).await.expect_err("it takes too long").to_string();
    assert!(answer.contains("57014") && answer.contains("longer than 1 s"), "{answer}");
    // Rows nobody reads are given up too.
    let rows = "SELECT n FROM generate_series(1, 100000000000) AS a(n)";
    let info = client.execute(rows.to_owned(), None).await.expect("it is planned");
    let unread = client.do_get(info.endpoint[0].ticket.clone().expect("a ticket")).await.expect("rows come");
    assert_eq!(first_whole(&asked(&mut client, "SELECT count(*) FROM instance").await.expect("a place")), 6);
    drop(unread);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_password_a_header_or_a_token_is_needed() {
    // The client's own: two are compiled in, and tonic asks for the process's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let workspace = tiny();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    workspace.put("chain.pem", made.cert.pem());
    workspace.put("key.pem", made.signing_key.serialize_pem());
    let arguments = ["--tls-cert", "chain.pem", "--tls-key", "key.pem", "--user", "ann"];
    let endpoint = Endpoint::with(&workspace, &arguments, &[("THROUGHLINE_PASSWORD", "open sesame")]);
    let connect = async || {
        let tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(made.cert.pem())).domain_name("localhost");
        let address = format!("https://localhost:{}", endpoint.flight.port());
        let channel = Channel::from_shared(address).expect("an address").tls_config(tls).expect("it").connect().await;
        FlightSqlServiceClient::new(channel.expect("it connects"))
    };
    let mut stranger = connect().await;
    let answer = asked(&mut stranger, "SELECT 1").await.expect_err("it is not let in").to_string();
    assert!(answer.contains("28P01"), "{answer}");
    assert!(stranger.get_catalogs().await.is_err() && stranger.get_table_types().await.is_err());
    assert!(
        stranger.handshake("ann", "open").await.is_err() && stranger.handshake("bob", "open sesame").await.is_err()
    );
    stranger.set_token("0".repeat(64));
    assert!(asked(&mut stranger, "SELECT 1").await.is_err());

    let mut known = connect().await;
    known.handshake("ann", "open sesame").await.expect("it is let in");
    assert_eq!(first_whole(&asked(&mut known, "SELECT count(*) FROM instance").await.expect("rows")), 6);
    let log = endpoint.log();
    assert!(log.contains("\"refused\"") && !log.contains("sesame"), "{log}");
}
