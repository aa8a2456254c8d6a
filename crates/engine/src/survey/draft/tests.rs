//! Drafts over small tables, as a person reads them.

use throughline_config::Format;

use super::super::column::{ColumnObserver, Storage};
use super::super::guess::guess;
use super::*;

fn table(name: &str, columns: &[(&str, &[&str])]) -> TableProfile {
    let profile = |(name, values): &(&str, &[&str])| {
        let mut observer = ColumnObserver::new(name, Storage::Text);
        values.iter().for_each(|value| observer.see(Some(*value)));
        observer.finish(1_795_996_800_000_000)
    };
    TableProfile {
        name: name.to_owned(),
        path: format!("../data/{name}.csv"),
        format: Format::Csv { delimiter: b';' },
        files: 1,
        rows: columns[0].1.len() as u64,
        is_whole: false,
        bad_rows: 1,
        first_bad: Some("line 7, column a: 'x' is not UTF-8".to_owned()),
        columns: columns.iter().map(profile).collect(),
        left_out: vec![(String::new(), "it has no name".to_owned())],
    }
}

fn calls() -> TableProfile {
    table(
        "calls",
        &[
            ("customer", &["c1", "c1", "c2", "c2", "c3", "c3"]),
            (
                "at",
                &[
                    "03/04/2023 10:00",
                    "05/06/2023 11:00",
                    "03/04/2023 10:00",
                    "01/02/2023 09:00",
                    "02/02/2023 09:00",
                    "03/02/2023 09:00",
                ],
            ),
            ("kind", &["fault", "bill", "fault", "bill", "fault", "bill"]),
            ("rating", &["2", "4", "NA", "3", "", "4"]),
        ],
    )
}

fn text<'a>(draft: &'a Draft, path: &str) -> &'a str {
    draft.files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
}

#[test]
fn what_is_found_guessed_and_unclear_stands_beside_each_column() {
    let tables = [calls()];
    let draft = draft(&tables, &guess(&tables)).expect("events");
    let sql = text(&draft, "sql/staging/touchpoints.sql");
    for line in [
        "    customer AS customer_id,",
        "    at AS occurred_at,",
        "    'unknown' AS channel,",
        "    kind AS event,",
        "    (CAST(nullif(rating, 'NA') AS DOUBLE) - 1) / 4 AS satisfaction,",
        "    'calls' AS source",
        "FROM calls",
    ] {
        assert!(sql.lines().any(|own| own == line), "`{line}` is not in\n{sql}");
    }
    let asked = |words: &str| {
        let place = draft.questions.iter().position(|question| question.text.contains(words));
        place.unwrap_or_else(|| panic!("nothing asks about `{words}`: {:?}", draft.questions)) + 1
    };
    let marked = |words: &str| format!("(question {})", asked(words));
    for words in
        ["Does the day or the month", "which zone", "On which channel", "On which scale", "identifies its rows"]
    {
        assert!(sql.replace("\n    -- ", " ").contains(&marked(words)), "`{words}` is not marked in\n{sql}");
    }
    asked("Which journeys");
    let customers = text(&draft, "sql/staging/customers.sql");
    assert!(customers.contains("min(occurred_at) AS joined_at") && customers.contains("AS churned_at"), "{customers}");
    assert_eq!(draft.as_of, "2023-06-06");
}

#[test]
fn a_source_says_where_it_lies_how_it_is_read_and_what_holds() {
    let tables = [calls()];
    let draft = draft(&tables, &guess(&tables)).expect("events");
    same(text(&draft, "pipelines/sources/calls.yaml"), "\
# looked at: 6 rows, not all there are; what is said here holds for these
# 1 rows cannot be read and are set aside; the first: line 7, column a: 'x' is not UTF-8
# column `` is left out: it has no name
calls:
  path: ../data/calls.csv
  format: csv
  delimiter: \";\"
  columns:
    customer: string  # 3 different values
    at: { type: timestamp, format: \"%d/%m/%Y %H:%M\" }  # 2023-02-01 to 2023-06-05, without a zone: read as UTC; fits `%m/%d/%Y %H:%M` as well
    kind: string  # bill, fault
    rating: string  # 2 to 4; 4 different values; 1 times `NA`, so it is read as text; 17 % missing
  time_column: at
  contract:
    - not_null: [customer, at]
");
}

#[test]
fn what_may_be_a_case_goes_along() {
    let texts = |called: fn(usize) -> String| (0..330).map(called).collect::<Vec<String>>();
    let columns = [
        ("user", texts(|row| format!("u{}", row / 15))),
        ("session_id", texts(|row| format!("s{}", row / 3))),
        ("event", texts(|row| ["home", "search", "cart"][row % 3].to_owned())),
        ("at", texts(|row| format!("2024-03-{:02} 10:{:02}:00", row % 28 + 1, row % 60))),
        ("price_shown", texts(|row| (row / 2).to_string())),
    ];
    let columns =
        columns.each_ref().map(|(name, values)| (*name, values.iter().map(String::as_str).collect::<Vec<_>>()));
    let tables = [table("visits", &columns.each_ref().map(|(name, values)| (*name, values.as_slice())))];
    let draft = draft(&tables, &guess(&tables)).expect("events");
    let sql = text(&draft, "sql/staging/touchpoints.sql");
    assert!(sql.lines().any(|line| line == "    session_id"), "{sql}");
    assert!(sql.replace("\n    -- ", " ").contains("`discover --key session_id`"), "{sql}");
    let price = sql.lines().any(|line| line == "    price_shown" || line == "    price_shown,");
    assert!(!price, "a number of which some values repeat is no case:\n{sql}");
}

/// Customers with a flag and the end of their contract, and the events of others.
#[test]
fn who_left_and_who_is_missing_is_asked() {
    let texts = |called: fn(usize) -> String| (0..40).map(called).collect::<Vec<String>>();
    let columns = [
        ("customer_id", texts(|row| format!("c{row}"))),
        ("signup_date", texts(|row| format!("2024-01-{:02}", row % 28 + 1))),
        ("churned", texts(|row| if row % 4 == 0 { "Yes" } else { "No" }.to_owned())),
        ("contract_end", texts(|row| format!("2025-{:02}-01", row % 12 + 1))),
    ];
    let events = [
        ("customer_id", texts(|row| format!("c{}", row * 2))),
        ("event", texts(|row| ["call", "visit"][row % 2].to_owned())),
        ("at", texts(|row| format!("2024-03-{:02} 10:00:00", row % 28 + 1))),
    ];
    fn of<'a, const N: usize>(columns: &'a [(&'a str, Vec<String>); N]) -> [(&'a str, Vec<&'a str>); N] {
        columns.each_ref().map(|(name, values)| (*name, values.iter().map(String::as_str).collect()))
    }
    let (register, events) = (of(&columns), of(&events));
    let tables = [
        table("customers", &register.each_ref().map(|(name, values)| (*name, values.as_slice()))),
        table("contacts", &events.each_ref().map(|(name, values)| (*name, values.as_slice()))),
    ];
    let draft = draft(&tables, &guess(&tables)).expect("events");
    let asked = |words: &str| draft.questions.iter().any(|question| question.text.contains(words));
    assert!(
        asked("`contract_end` is there for every customer, so it cannot be when they left"),
        "{:?}",
        draft.questions
    );
    assert!(asked("`churned` says that, but not when"), "{:?}", draft.questions);
    assert!(asked("Who are the 50 % of the 40 different `customer_id` in contacts"), "{:?}", draft.questions);
    let sql = text(&draft, "sql/staging/customers.sql");
    assert!(sql.contains("CAST(NULL AS TIMESTAMP) AS churned_at"), "{sql}");
}

fn same(found: &str, expected: &str) {
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn several_tables_of_events_are_a_union() {
    let second = TableProfile { name: "chats".to_owned(), ..calls() };
    let tables = [calls(), second];
    let draft = draft(&tables, &guess(&tables)).expect("events");
    let pipeline = text(&draft, "pipelines/key_journeys.yaml");
    assert!(
        pipeline.contains(
            "    union:\n      - sql/staging/touchpoints_calls.sql\n      - sql/staging/touchpoints_chats.sql\n"
        ),
        "{pipeline}"
    );
    assert!(!text(&draft, "sql/staging/touchpoints_chats.sql").is_empty());
}

#[test]
fn nothing_is_drafted_without_events() {
    let tables = [table("weather", &[("day", &["2024-01-01", "2024-01-02"]), ("rain", &["1", "2"])])];
    assert_eq!(draft(&tables, &guess(&tables)), None);
}
