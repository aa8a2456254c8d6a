//! What is refused before anything runs, and the place it is blamed on.

use datafusion::common::ScalarValue;

use super::*;
use crate::{Field as DefinitionField, MatchError, MatchErrorKind};

fn refused(definitions: &[JourneyDefinition]) -> Vec<MatchError> {
    refused_over("SELECT * FROM touchpoints", definitions)
}

fn refused_over(input: &str, definitions: &[JourneyDefinition]) -> Vec<MatchError> {
    let context = session(config(8, 1));
    register(&context, touchpoint_schema(IdType::Utf8), vec![vec![]]);
    block_on(async {
        let input = context.sql(input).await.expect("planned").into_unoptimized_plan();
        match_journeys(input, definitions, 0, None, OutputRows::Members, &context.state()).expect_err("refused")
    })
}

/// The only reason why a condition is refused: its kind's name, the text blamed and the message.
fn refusal(condition: &str) -> (String, String, String) {
    let errors = refused(&[definition("j", condition)]);
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!((error.definition.as_deref(), error.field), (Some("j"), Some(DefinitionField::Starts)));
    let kind = format!("{:?}", error.kind);
    let kind = kind.split([' ', '{']).next().unwrap_or_default().to_owned();
    let blamed = error.span.clone().map_or("", |span| &condition[span]);
    (kind, blamed.to_owned(), error.message.clone())
}

#[test]
fn conditions_that_cannot_be() {
    for (condition, kind, blamed, says) in [
        ("chanel = 'phone'", "UnknownColumn", "chanel", "no column `chanel` in the touchpoints"),
        ("event = 'a' AND\n (Chanel = 'phone')", "UnknownColumn", "Chanel", "no column `chanel`"),
        ("touchpoints.chanel = 'phone'", "UnknownColumn", "chanel", "no column `chanel`"),
        ("event = \"phone\"", "UnknownColumn", "\"phone\"", "no column `phone`"),
        ("event", "NotBoolean", "", "of type Utf8"),
        ("score + 1", "NotBoolean", "", "of type Int64"),
        ("event = = 'a'", "Syntax", "=", "found: ="),
        ("event = 'a", "Syntax", "'", "Unterminated string literal"),
        ("", "Syntax", "", "EOF"),
        ("event = 'a'; DROP TABLE touchpoints", "Syntax", ";", "found: ;"),
        ("event = 'a' event = 'b'", "Syntax", "", ""),
        ("event = 'a' AS begun", "Syntax", "begun", "AS begun"),
        ("count(*) > 1", "NotOfTheTouchpoint", "count", "the aggregate `count`"),
        ("lag(event) OVER (ORDER BY occurred_at) = 'a'", "NotOfTheTouchpoint", "lag", "the window function `lag`"),
        ("random() < 0.5", "NotOfTheTouchpoint", "random", "`random`, which differs from run to run"),
        ("occurred_at < now()", "NotOfTheTouchpoint", "now", "`now`"),
        ("occurred_at < current_date()", "NotOfTheTouchpoint", "current_date", "`current_date`"),
        ("score > (SELECT max(score) FROM touchpoints)", "NotOfTheTouchpoint", "", "a subquery"),
        ("event IN (SELECT event FROM touchpoints)", "NotOfTheTouchpoint", "", "a subquery"),
        ("EXISTS (SELECT 1)", "NotOfTheTouchpoint", "", "a subquery"),
        ("score > $limit", "UnknownVariable", "$limit", "no variable `$limit`"),
        ("no_such(event) = 'a'", "Invalid", "no_such", "Invalid function 'no_such'"),
        ("score > occurred_at", "Invalid", "", ""),
    ] {
        let (found, place, message) = refusal(condition);
        assert_eq!((found.as_str(), message.contains(says)), (kind, true), "{condition}: {message}");
        assert!(blamed.is_empty() || place == blamed, "{condition}: blamed `{place}`, not `{blamed}`: {message}");
        assert!(!message.contains('\n') && !message.ends_with('.'), "{condition}: {message}");
    }
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let wrong = JourneyDefinition {
        ends: Some(located("evnt = 'c'")),
        includes: Some(located("score")),
        key: vec![located("customer_id"), located("order")],
        ..definition("j", "count(*) = 1")
    };
    let errors = refused(&[wrong, definition("k", "x = 1")]);
    let places: Vec<_> = errors.iter().map(|error| (error.definition.as_deref().unwrap_or(""), error.field)).collect();
    use DefinitionField::{Ends, Includes, Key, Starts};
    assert_eq!(
        places,
        [("j", Some(Key)), ("j", Some(Starts)), ("j", Some(Ends)), ("j", Some(Includes)), ("k", Some(Starts))]
    );
    let MatchErrorKind::UnknownColumn { name, candidates } = &errors[2].kind else { panic!("{errors:?}") };
    assert_eq!(name, "evnt");
    assert!(candidates.contains(&"event".to_owned()));
    assert_eq!(errors[4].to_string(), "journey `k`, `starts`: no column `x` in the touchpoints");
}

#[test]
fn a_key_without_the_customer() {
    let errors = refused(&[JourneyDefinition { key: vec![located("order_id")], ..definition("j", "true") }]);
    assert_eq!(errors[0].field, Some(DefinitionField::Key));
}

#[test]
fn inputs_that_cannot_be() {
    let journey = [definition("j", "event = 'a'")];
    for (input, says) in [
        ("SELECT event, touchpoint_id, occurred_at FROM touchpoints", "no column `customer_id`"),
        ("SELECT event, customer_id, occurred_at FROM touchpoints", "no column `touchpoint_id`"),
        ("SELECT event, customer_id, touchpoint_id FROM touchpoints", "no column `occurred_at`"),
        (
            "SELECT event, customer_id, touchpoint_id, CAST(occurred_at AS DATE) AS occurred_at FROM touchpoints",
            "it is of type Date32",
        ),
        (
            "SELECT event, customer_id, score > 1 AS touchpoint_id, occurred_at FROM touchpoints",
            "it is of type Boolean",
        ),
        ("SELECT *, 1 AS step FROM touchpoints", "a column `step`, which the matcher adds"),
        ("SELECT a.*, b.event FROM touchpoints a JOIN touchpoints b USING (touchpoint_id)", "two columns `event`"),
    ] {
        let errors = refused_over(input, &journey);
        assert!(
            errors.iter().any(|error| error.message.contains(says) && error.definition.is_none()),
            "{input}: {errors:?}"
        );
    }
}

#[test]
fn variables_take_their_values() {
    let context = session(config(8, 1));
    let mut touchpoints = vec![Touchpoint {
        id: Some(Id::Text("t".to_owned())),
        customer: Some(Id::Text("C".to_owned())),
        at: Some(DAY),
        event: None,
        topic: None,
        score: Some(3),
        order_id: None,
    }];
    touchpoints.push(Touchpoint { id: Some(Id::Text("u".to_owned())), score: Some(5), ..touchpoints[0].clone() });
    register(&context, touchpoint_schema(IdType::Utf8), vec![vec![batch(IdType::Utf8, &touchpoints)]]);
    let journey = JourneyDefinition {
        on_restart: OnRestart::Split,
        ..definition("j", "score >= $limit AND occurred_at < $as_of - $span")
    };
    let values = vec![
        ("limit", ScalarValue::from(4_i64)),
        ("as_of", ScalarValue::TimestampMicrosecond(Some(3 * DAY), Some("UTC".into()))),
        ("span", ScalarValue::new_interval_mdn(0, 1, 0)),
    ];
    block_on(async {
        let input = context.table("touchpoints").await.expect("registered").into_unoptimized_plan();
        let plan =
            match_journeys(input, &[journey], 9 * DAY, Some(&values.into()), OutputRows::Members, &context.state())
                .expect("it fits");
        let plan = context.state().create_physical_plan(&plan).await.expect("planned");
        let output = collect(&context, &plan).await.expect("ran").concat();
        assert_eq!(rows(&output).iter().map(|row| row.journey_id.as_str()).collect::<Vec<_>>(), ["j/u"]);
    });
}
