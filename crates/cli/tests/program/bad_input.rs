//! Bad input ends in a message that names the file and the way out, or in rows set aside with reasons and counts.

use insta::assert_snapshot;

use crate::tiny::{HEADER, JOURNEYS, PIPELINE, RUN};
use crate::workspace::Workspace;

/// A line of the source, after which limits are added.
const KEY: &str = "    key: [contact_id]\n";
const CONTACTS: &str = "data/contacts/a.parquet";

/// The rows set aside, each with its reason and where it stands.
fn rejected(workspace: &Workspace) -> String {
    workspace.query("SELECT * FROM contacts__rejected ORDER BY rejected_origin, 1, 2, 3, 4, 5, 6").to_string()
}

#[test]
fn parquet_cut_short_names_the_file() {
    let workspace = Workspace::tiny_in_parquet();
    let whole = std::fs::read(workspace.path().join(CONTACTS)).expect("the file is there");
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 13 rows
    done touchpoints, 13 rows
    done member, 10 rows, published
    done instance, 6 rows, published
    done by_status, 5 rows, published
    done by_channel, 4 rows, published
    ");
    let rows = workspace.rows();
    for length in [0, 3, 8, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
        workspace.put(CONTACTS, &whole[..length]);
        let refused = workspace.run(RUN).ends_with(2);
        assert!(
            refused.stderr.contains("`data/contacts/a.parquet`") && refused.stderr.contains("= help: "),
            "{refused}"
        );
    }
    workspace.put(CONTACTS, &whole[..whole.len() / 2]);
    let refused = workspace.run(RUN).stderr.replace(&(whole.len() / 2).to_string(), "[LENGTH]");
    assert_snapshot!(refused, @"
    error[cut-short-file]: `data/contacts/a.parquet` is cut short: [LENGTH] bytes without a readable Parquet footer (Invalid Parquet file. Corrupt footer)
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: copy the file again from its source, or move it away
    ");
    assert_eq!(workspace.rows(), rows, "nothing else is harmed");
    workspace.put(CONTACTS, whole);
    workspace.run(RUN).ends_with(0);
}

/// The footer is whole, so only reading the rows finds out.
#[test]
fn a_damaged_page_fails_the_source_and_names_the_file() {
    let workspace = Workspace::tiny_in_parquet();
    workspace.run(RUN).ends_with(0);
    let rows = workspace.rows();
    let mut bytes = std::fs::read(workspace.path().join(CONTACTS)).expect("the file is there");
    bytes[20..60].fill(0);
    workspace.put(CONTACTS, bytes);
    let failed = workspace.run(RUN).ends_with(1).steps();
    assert!(failed.contains("data/contacts/a.parquet") && failed.contains("copy it again"), "{failed}");
    assert!(failed.contains("not_run by_status"), "{failed}");
    assert_eq!(workspace.rows(), rows, "nothing else is harmed");
}

#[test]
fn a_folder_with_mixed_schemas_names_both_files() {
    let workspace = Workspace::tiny_in_parquet();
    workspace.run(RUN).ends_with(0);
    let add = |satisfaction: &str| {
        let sql = format!(
            "SELECT touchpoint_id || '-again' AS contact_id, customer_id AS customer, occurred_at AS at, channel, event, \
             {satisfaction} AS satisfaction FROM member"
        );
        workspace
            .run_with(&["query", &sql, "--format", "parquet", "--output", "data/contacts/b.parquet"], &[])
            .ends_with(0);
    };
    add("CAST(satisfaction AS VARCHAR)");
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[mixed-types]: column `satisfaction` is float64 in `data/contacts/a.parquet` but string in `data/contacts/b.parquet`
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: declare `columns: { satisfaction: <type> }` with a type that both become without loss, or read the files as two sources and join them in SQL
    ");
    add("1");
    assert_eq!(workspace.run("check").code, Some(2));
    add("CAST(0.5 AS DOUBLE)");
    workspace.run("check").ends_with(0);
    workspace.put("data/contacts/c.parquet", HEADER);
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[not-parquet]: `data/contacts/c.parquet` is not a Parquet file (Invalid Parquet file. Corrupt footer)
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: correct `format:`, or move the file away; names that begin with `_` or `.` are skipped
    ");
}

#[test]
fn an_empty_source_folder() {
    let workspace = Workspace::tiny_in_parquet();
    workspace.remove(CONTACTS);
    assert_snapshot!(workspace.run(RUN), @"
    exit 2
    --- stderr
    error[empty-source]: source `contacts`: `data/contacts` holds no Parquet file
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: correct `path:` or `format:`; or declare `columns:` if an empty source is fine (files named `_…` or `.…` are skipped, Parquet files end in `.parquet`, `.parq`, `.pq`)
    ");
    assert!(!workspace.has("warehouse"));
    let declared = Workspace::tiny();
    declared.remove("data/contacts/ann.csv");
    declared.remove("data/contacts/others.csv");
    assert_snapshot!(declared.run(RUN).steps(), @"
    exit 3
    warning[source]: source `contacts` is empty: `data/contacts` holds no CSV file
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
    done contacts, 0 rows
    done touchpoints, 0 rows
    done member, 0 rows, published
    tests_failed instance, 0 rows
      error: row count in 1 .. any (0), pipelines/tiny.yaml:40:9
    not_run by_status
      it reads `instance`, which did not succeed
    done by_channel, 0 rows, published
    ");
}

/// A delivery that is cut to its header, or whose columns have moved, must not pass for a quiet day.
#[test]
fn too_many_rows_set_aside_stop_what_reads_the_source() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let rows = workspace.rows();
    let many = |bad: usize| {
        let row = |number: usize| {
            let at = if number < bad { "soon" } else { "2024-01-02T00:00:00Z" };
            format!("m{number},dan,{at},web,x,\n")
        };
        (0..150).map(row).fold(HEADER.to_owned(), |rows, row| rows + &row)
    };
    workspace.put("data/contacts/many.csv", many(40));
    let failed = workspace.run(RUN).ends_with(3).steps();
    assert!(failed.contains("error: at most 20 % of the rows read are set aside (40)"), "{failed}");
    assert_eq!(workspace.rows(), rows, "yesterday's tables stay");
    workspace.edit(PIPELINE, KEY, &format!("{KEY}    rejected: {{ error: 30 % }}\n"));
    let done = workspace.run(RUN).ends_with(0).steps();
    assert!(done.contains("warning: at most 1 % of the rows read are set aside (40)"), "{done}");
    let rows = workspace.rows();
    workspace.edit(PIPELINE, KEY, &format!("{KEY}    rows: {{ min: 1 }}\n"));
    for file in ["ann.csv", "others.csv", "many.csv"] {
        workspace.put(&format!("data/contacts/{file}"), HEADER);
    }
    let failed = workspace.run(RUN).ends_with(3).steps();
    assert!(failed.contains("error: at least 1 good row (1)"), "{failed}");
    assert_eq!(workspace.rows(), rows, "yesterday's tables stay");
}

#[test]
fn ragged_and_unreadable_rows_are_set_aside() {
    let workspace = Workspace::tiny();
    let rows = [
        "r1,dan,2024-01-02T00:00:00Z,web",
        "r2,dan,yesterday,web,o,0.5",
        "r3,dan,2024-01-03T00:00:00Z,web,o,much",
        "r4,dan,2024-01-04T00:00:00Z,web,o,7",
        "r5,,2024-01-04T00:00:00Z,web,o,1",
        "r6,dan,2024-01-04T00:00:00Z,web,o,1,extra",
        "r7,dan,,web,o,1",
        "r8,dan,2024-01-04T00:00:00Z,web,o,0.5",
        "\"r9,dan",
    ];
    workspace.put("data/contacts/ragged.csv", format!("{HEADER}{}", rows.join("\n")));
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 14 rows
      1 set aside: `at` is null
      1 set aside: `customer` is null
      1 set aside: `satisfaction` is out of range 0 .. 1
      5 set aside: could not be read
    done touchpoints, 14 rows
    done member, 11 rows, published
    done instance, 7 rows, published
    done by_status, 5 rows, published
    done by_channel, 4 rows, published
    ");
    assert_snapshot!(rejected(&workspace), @r#"
    exit 0
    --- stdout
    contact_id,customer,at,channel,event,satisfaction,rejected_reason,rejected_origin
    ,,,,,,line 10: 1 field where the header has 6,data/contacts/ragged.csv:10
    ,,,,,,line 2: 4 fields where the header has 6,data/contacts/ragged.csv:2
    r2,dan,,web,o,0.5,"line 3, column at: 'yesterday' is not a time like `2026-01-31T12:00:00Z`",data/contacts/ragged.csv:3
    r3,dan,2024-01-03T00:00:00Z,web,o,,"line 4, column satisfaction: 'much' is not a number",data/contacts/ragged.csv:4
    r4,dan,2024-01-04T00:00:00Z,web,o,7.0,`satisfaction` is out of range 0 .. 1,data/contacts/ragged.csv:5
    r5,,2024-01-04T00:00:00Z,web,o,1.0,`customer` is null,data/contacts/ragged.csv:6
    ,,,,,,line 7: 7 fields where the header has 6,data/contacts/ragged.csv:7
    r7,dan,,web,o,1.0,`at` is null,data/contacts/ragged.csv:8
    "#);
}

#[test]
fn what_is_not_utf8_is_set_aside_or_refused() {
    let workspace = Workspace::tiny();
    workspace.put("data/contacts/latin.csv", [HEADER.as_bytes(), b"r1,J\xf6rg,2024-01-02T00:00:00Z,web,o,\n"].concat());
    workspace.run(RUN).ends_with(0);
    assert_snapshot!(rejected(&workspace), @r#"
    exit 0
    --- stdout
    contact_id,customer,at,channel,event,satisfaction,rejected_reason,rejected_origin
    r1,,2024-01-02T00:00:00Z,web,o,,"line 2, column customer: 'J�rg' is not UTF-8",data/contacts/latin.csv:2
    "#);
    let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    workspace.put("data/contacts/utf16.csv", [b"\xff\xfe".as_slice(), &utf16].concat());
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[no-header]: `data/contacts/utf16.csv` has no header line: its first line is not UTF-8
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: put the columns' names on the first line, in UTF-8
    ");
}

#[test]
fn header_lines_that_do_not_fit() {
    let workspace = Workspace::tiny();
    workspace.put("data/contacts/other.csv", HEADER.replace("customer", "custmer"));
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[missing-column]: `data/contacts/other.csv` has no column `customer`
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: did you mean `custmer`?
    ");
    workspace.put("data/contacts/other.csv", HEADER.replace("channel", "channel,event"));
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[duplicate-column]: `data/contacts/other.csv` has two columns named `event`
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: rename one of the two `event` where the file is made
    ");
    workspace.put("data/contacts/other.csv", "");
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[no-header]: `data/contacts/other.csv` has no header line: it is empty
     --> pipelines/tiny.yaml:7:11
      |
    7 |     path: data/contacts/
      |           ^^^^^^^^^^^^^^
      |
      = help: put the columns' names on the first line, in UTF-8
    ");
}

#[test]
fn a_column_of_the_wrong_type() {
    let workspace = Workspace::tiny_in_parquet();
    workspace.edit(PIPELINE, "time_column: at", "time_column: channel");
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[not-a-time]: column `channel` is Utf8View, no time
     --> pipelines/tiny.yaml:9:18
      |
    9 |     time_column: channel
      |                  ^^^^^^^
      |
      = help: declare it under `columns:` as timestamp, with a `format` for text files
    ");
    workspace.edit(PIPELINE, "time_column: channel", "columns: { event: int64 }\n    time_column: at");
    let refused = workspace.run("check").ends_with(2);
    assert!(refused.stderr.contains("column `event` of `data/contacts/a.parquet`"), "{refused}");
    let text = Workspace::tiny();
    text.edit(PIPELINE, "satisfaction: float64", "satisfaction: money");
    assert_snapshot!(text.run("check"), @"
    exit 2
    --- stderr
    error[bad-value]: `satisfaction` cannot be `money`
      --> pipelines/tiny.yaml:15:21
       |
    15 |       satisfaction: money
       |                     ^^^^^
       |
       = help: one of: string, int64, float64, boolean, date, timestamp
    ");
}

/// A column declared as a number that holds words: every row is set aside, and the test of the row count stops it.
#[test]
fn a_text_column_declared_as_a_number_sets_every_row_aside() {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "channel: string", "channel: int64");
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 3
    done contacts, 0 rows
      13 set aside: could not be read
    done touchpoints, 0 rows
    done member, 0 rows, published
    tests_failed instance, 0 rows
      error: row count in 1 .. any (0), pipelines/tiny.yaml:40:9
    not_run by_status
      it reads `instance`, which did not succeed
    done by_channel, 0 rows, published
    ");
}

#[test]
fn copies_collapse_and_contradictions_are_set_aside() {
    let workspace = Workspace::tiny();
    let rows = "\
r1,dan,2024-01-02T00:00:00Z,web,ask,0.5
r1,dan,2024-01-02T00:00:00Z,web,ask,0.5
r1,dan,2024-01-02T00:00:00Z,web,ask,0.5
r2,dan,2024-01-03T00:00:00Z,web,answer,0.5
r2,dan,2024-01-03T00:00:00Z,web,answer,1
t01,ann,2024-01-02T00:00:00Z,web,o,
";
    workspace.put("data/contacts/copies.csv", format!("{HEADER}{rows}"));
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 14 rows
      2 set aside: contradicts another row with the same `contact_id`
      3 collapsed
    done touchpoints, 14 rows
    done member, 11 rows, published
    done instance, 7 rows, published
    done by_status, 5 rows, published
    done by_channel, 4 rows, published
    ");
    assert_snapshot!(rejected(&workspace), @"
    exit 0
    --- stdout
    contact_id,customer,at,channel,event,satisfaction,rejected_reason,rejected_origin
    r2,dan,2024-01-03T00:00:00Z,web,answer,0.5,contradicts another row with the same `contact_id`,
    r2,dan,2024-01-03T00:00:00Z,web,answer,1.0,contradicts another row with the same `contact_id`,
    ");
    assert_snapshot!(workspace.query("SELECT journey_id, status, touchpoints FROM instance WHERE customer_id = 'dan'"), @"
    exit 0
    --- stdout
    journey_id,status,touchpoints
    asking/r1,open,1
    ");
}

/// Two touchpoints of different sources under one id are found even when no source has a key.
#[test]
fn touchpoints_that_contradict_each_other_are_set_aside() {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "    key: [contact_id]\n", "");
    workspace.put(
        "data/contacts/copies.csv",
        format!("{HEADER}a3,eve,2024-02-09T09:30:00Z,chat,ask,\nt01,ann,2024-01-02T00:00:00Z,web,o,\n"),
    );
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 15 rows
    done touchpoints, 12 rows
      2 set aside: contradicts another row with the same `touchpoint_id`
      1 collapsed
    done member, 9 rows, published
    done instance, 5 rows, published
    done by_status, 4 rows, published
    done by_channel, 3 rows, published
    ");
    assert_snapshot!(workspace.query("SELECT touchpoint_id, customer_id, rejected_reason FROM touchpoints__rejected ORDER BY 2"), @"
    exit 0
    --- stdout
    touchpoint_id,customer_id,rejected_reason
    a3,cyd,contradicts another row with the same `touchpoint_id`
    a3,eve,contradicts another row with the same `touchpoint_id`
    ");
}

#[test]
fn the_number_set_aside_is_the_number_of_rejected_rows() {
    let workspace = Workspace::tiny();
    let rows = "\
r1,dan,2024-01-02T00:00:00Z,web,ask,0.5
r1,dan,2024-01-02T00:00:00Z,web,ask,0.5
r1,dan,2024-01-02T00:00:00Z,web,ask,1
";
    workspace.put("data/contacts/copies.csv", format!("{HEADER}{rows}"));
    let printed = workspace.run(RUN).ends_with(0).steps();
    let rows = workspace.query("SELECT count(*) AS n FROM contacts__rejected").stdout;
    let number = rows.lines().nth(1).expect("one row");
    assert!(
        printed.contains(&format!("{number} set aside: contradicts")),
        "{number} rows are set aside, but: {printed}"
    );
}

#[test]
fn times_out_of_range() {
    let workspace = Workspace::tiny();
    let range = "      - range: { at: { min: \"TIMESTAMP '2000-01-01T00:00:00Z'\", max: \"TIMESTAMP '2100-01-01T00:00:00Z'\" } }\n";
    workspace.edit(PIPELINE, "journeys: journeys", &format!("{range}journeys: journeys"));
    let rows = "\
r1,dan,1970-01-01T00:00:00Z,web,ask,
r2,dan,2199-01-01T00:00:00Z,web,ask,
r3,dan,2024-02-10T00:00:00Z,web,ask,
r4,dan,9999999-01-01T00:00:00Z,web,ask,
r5,dan,0000-00-00T00:00:00Z,web,ask,
r6,dan,2024-02-30T00:00:00Z,web,ask,
r7,dan,2024-02-09T23:59:59.999999Z,web,ask,
";
    workspace.put("data/contacts/times.csv", format!("{HEADER}{rows}"));
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 14 rows
      2 set aside: `at` is out of range
      3 set aside: could not be read
      1 after_as_of
    done touchpoints, 14 rows
    done member, 11 rows, published
    done instance, 7 rows, published
    done by_status, 5 rows, published
    done by_channel, 4 rows, published
    ");
    assert_snapshot!(rejected(&workspace), @r#"
    exit 0
    --- stdout
    contact_id,customer,at,channel,event,satisfaction,rejected_reason,rejected_origin
    r1,dan,1970-01-01T00:00:00Z,web,ask,,`at` is out of range,data/contacts/times.csv:2
    r2,dan,2199-01-01T00:00:00Z,web,ask,,`at` is out of range,data/contacts/times.csv:3
    r4,dan,,web,ask,,"line 5, column at: '9999999-01-01T00:00:00Z' is not a time like `2026-01-31T12:00:00Z`",data/contacts/times.csv:5
    r5,dan,,web,ask,,"line 6, column at: '0000-00-00T00:00:00Z' is not a time like `2026-01-31T12:00:00Z`",data/contacts/times.csv:6
    r6,dan,,web,ask,,"line 7, column at: '2024-02-30T00:00:00Z' is not a time like `2026-01-31T12:00:00Z`",data/contacts/times.csv:7
    "#);
    assert_snapshot!(workspace.query("SELECT journey_id FROM instance WHERE customer_id = 'dan'"), @"
    exit 0
    --- stdout
    journey_id
    asking/r7
    ");
}

#[test]
fn a_key_that_is_no_key() {
    let workspace = Workspace::tiny();
    workspace.edit(PIPELINE, "key: [contact_id]", "key: [customer]");
    assert_snapshot!(workspace.run(RUN).steps(), @"
    exit 0
    done contacts, 1 rows
      12 set aside: contradicts another row with the same `customer`
    done touchpoints, 1 rows
    done member, 1 rows, published
    done instance, 1 rows, published
    done by_status, 1 rows, published
    done by_channel, 1 rows, published
    ");
}

/// What a run publishes belongs together: rows set aside by an older run are no part of a clean one.
#[test]
fn repaired_input_leaves_no_rejected_rows_behind() {
    let workspace = Workspace::tiny();
    workspace.put("data/contacts/bad.csv", format!("{HEADER}r1,,2024-01-02T00:00:00Z,web,o,\n"));
    workspace.run(RUN).ends_with(0);
    assert!(rejected(&workspace).contains("`customer` is null"));
    workspace.remove("data/contacts/bad.csv");
    workspace.run(RUN).ends_with(0);
    assert_snapshot!(rejected(&workspace), @"
    exit 2
    --- stderr
    error[unknown-relation]: no published table `contacts__rejected`
     --> query:1:15
      |
    1 | SELECT * FROM contacts__rejected ORDER BY rejected_origin, 1, 2, 3, 4, 5, 6
      |               ^^^^^^^^^^^^^^^^^^
      |
      = help: published: by_channel, by_status, instance, member, runs, run_steps, run_tests
    ");
}

#[test]
fn a_journey_key_the_touchpoints_lack() {
    let workspace = Workspace::tiny();
    workspace.edit(JOURNEYS, "  idle: 4 days", "  idle: 4 days\n  key: [customer_id, order_id]");
    assert_snapshot!(workspace.run("check"), @"
    exit 2
    --- stderr
    error[unknown-column]: no column `order_id` in the touchpoints
     --> pipelines/journeys/all.yaml:7:22
      |
    7 |   key: [customer_id, order_id]
      |                      ^^^^^^^^
      |
      = help: columns here: touchpoint_id, customer_id, occurred_at, channel, event, satisfaction
    ");
}
