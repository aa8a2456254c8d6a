use std::collections::BTreeSet;

use throughline_semantics::Format;

use crate::file;
use crate::hostile_model::{NAME, TEXT};
use crate::xml::{Element, read};

fn source(table: &str) -> Element {
    let source = read(&file(Format::Tableau, &format!("{table}.tds")));
    assert_eq!(source.name, "datasource");
    source
}

fn field(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

#[test]
fn a_data_source_has_its_connection_tables_and_fields() {
    for (table, tables) in [("fct_sales", 2), ("fct_line", 3), ("dim_item", 1), ("fct_visit", 2)] {
        let source = source(table);
        assert_eq!(source.attribute("formatted-name"), format!("federated.{table}"));
        let connection = source.one("connection");
        let postgres = connection.one("named-connections/named-connection/connection");
        for (name, value) in [
            ("class", "postgres"),
            ("server", "::1"),
            ("port", "6543"),
            ("dbname", "through \"line\""),
            ("username", "o'reader"),
        ] {
            assert_eq!(postgres.attribute(name), value);
        }
        assert!(postgres.attributes.iter().all(|(name, _)| name != "password"));
        let objects: Vec<&str> =
            source.one("object-graph/objects").all("object").map(|one| one.attribute("id")).collect();
        assert_eq!(objects.len(), tables);
        let fields: BTreeSet<&str> = connection.one("cols").all("map").map(|map| map.attribute("key")).collect();
        let columns: BTreeSet<&str> = source
            .all("column")
            .filter(|column| column.children.iter().all(|child| child.name != "calculation"))
            .map(|column| column.attribute("name"))
            .collect();
        assert_eq!(fields, columns, "every field of the connection is described, and no other one");
        for record in connection.one("metadata-records").all("metadata-record") {
            assert!(fields.contains(record.one("local-name").text.as_str()));
            let object = record.one("object-id").text.trim_matches(['[', ']']).to_owned();
            assert!(objects.contains(&object.as_str()), "{object}");
        }
        let relationships = source.one("object-graph").all("relationships").flat_map(|all| all.all("relationship"));
        let mut count = 0;
        for relationship in relationships {
            count += 1;
            for end in ["first-end-point", "second-end-point"] {
                assert!(objects.contains(&relationship.one(end).attribute("object-id")));
            }
            let equal = relationship.one("expression");
            assert_eq!(equal.attribute("op"), "=");
            for side in equal.all("expression") {
                assert!(fields.contains(side.attribute("op")), "{side:?}");
            }
        }
        assert_eq!(count, tables - 1, "a tree of tables");
    }
}

/// What the published schema (twb_2026.2.0.xsd) says of the elements that are written: what stands in them, in which
/// order, and what must be there: the part that is needed, in a form of our own.
const SCHEMA: [(&str, &[&str], &[&str]); 8] = [
    (
        "datasource",
        &["document-format-change-manifest", "connection", "aliases", "column", "object-graph"],
        &["connection", "@version", "@inline"],
    ),
    ("column", &["calculation", "desc"], &["@name", "@role", "@type", "@datatype"]),
    (
        "metadata-record",
        &[
            "remote-name",
            "local-name",
            "parent-name",
            "remote-alias",
            "ordinal",
            "local-type",
            "aggregation",
            "contains-null",
            "object-id",
        ],
        &["remote-name", "remote-alias", "aggregation", "contains-null", "@class"],
    ),
    ("relation", &["relation"], &["@type"]),
    ("object-graph", &["objects", "relationships"], &[]),
    ("object", &["properties", "table-description"], &["properties", "@id"]),
    (
        "relationship",
        &["expression", "first-end-point", "second-end-point"],
        &["expression", "first-end-point", "second-end-point"],
    ),
    ("expression", &["expression"], &["@op"]),
];

fn keeps_the_schema(element: &Element, checked: &mut usize) {
    if let Some((name, order, required)) = SCHEMA.iter().find(|(name, ..)| *name == element.name) {
        let places = element.children.iter().map(|child| {
            let place = order.iter().position(|known| *known == child.name);
            place.unwrap_or_else(|| panic!("{} in {name}", child.name))
        });
        assert!(places.is_sorted(), "the order in {name}: {element:?}");
        for part in *required {
            let there = match part.strip_prefix('@') {
                Some(attribute) => element.attributes.iter().any(|(known, _)| known == attribute),
                None => element.all(part).next().is_some(),
            };
            assert!(there, "{part} of {element:?}");
        }
        *checked += 1;
    }
    for child in &element.children {
        keeps_the_schema(child, checked);
    }
}

#[test]
fn it_keeps_the_published_schema() {
    let mut checked = 0;
    for table in ["fct_sales", "fct_line", "dim_item", "fct_visit"] {
        keeps_the_schema(&source(table), &mut checked);
    }
    assert!(checked > 100, "{checked}");
}

/// A qualified name of the schema: components between brackets, a closing one doubled.
fn is_qualified_name(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some(inner) = rest.strip_prefix('[') else { return false };
        let mut end = 0;
        loop {
            let Some(bracket) = inner[end..].find(']') else { return false };
            end += bracket + 1;
            if !inner[end..].starts_with(']') {
                break;
            }
            end += 1;
        }
        match inner[end..].strip_prefix('.') {
            None => return inner[end..].is_empty(),
            Some(more) => rest = more,
        }
    }
}

#[test]
fn names_are_qualified_as_the_schema_asks() {
    assert!(is_qualified_name("[a].[b]]c]") && !is_qualified_name("[a]b]") && !is_qualified_name("a"));
    let source = source("fct_sales");
    for column in source.all("column") {
        assert!(is_qualified_name(column.attribute("name")), "{column:?}");
    }
    for map in source.one("connection/cols").all("map") {
        assert!(is_qualified_name(map.attribute("key")) && is_qualified_name(map.attribute("value")), "{map:?}");
    }
}

#[test]
fn nothing_is_summed_by_itself_and_a_rate_is_a_sum_over_a_sum() {
    let source = source("fct_sales");
    let mut formulas = std::collections::BTreeMap::new();
    for column in source.all("column") {
        match column.all("calculation").next() {
            Some(calculation) => {
                assert_eq!(column.attribute("role"), "measure");
                formulas.insert(column.attribute("name"), calculation.attribute("formula"));
            }
            None => assert_eq!(column.attribute("role"), "dimension"),
        }
    }
    let name = field(NAME);
    let chosen = format!("COUNT(IF {name} = ('o''k \"{{q}}\" ]] }} \\ ' + CHAR(10) + ' {{{{z}}}}') THEN [sale] END)");
    assert_eq!(formulas["[Calculation_chosen]"], chosen);
    assert_eq!(
        formulas["[Calculation_share]"],
        format!("IF COUNTD({name}) <= 1 THEN (IF COUNT([sale]) <> 0 THEN 1.0 * {chosen} / COUNT([sale]) END) END")
    );
    assert_eq!(formulas["[Calculation_peak]"], "IF COUNT([sale]) = 1 THEN MAX([Open]) END");
    let upper = formulas["[Calculation_share_upper]"];
    assert!(upper.contains("RAWSQLAGG_REAL(\"upper_limit(wilson(%1, %2, 0.9))\""), "{upper}");
    assert!(formulas.values().all(|formula| !formula.contains("AVG(")));
}

#[test]
fn names_and_texts_stay_data() {
    let source = source("fct_sales");
    let name = field(NAME);
    let column = source.all("column").find(|column| column.attribute("name") == name).expect("the column");
    assert_eq!(column.attribute("caption"), NAME);
    let words = &column.one("desc/formatted-text/run").text;
    assert_eq!(*words, format!("{TEXT}. Also called {TEXT}"));
    let other = field(&format!("{NAME} (dim_item)"));
    assert!(source.all("column").any(|column| column.attribute("name") == other), "{other}");
}
