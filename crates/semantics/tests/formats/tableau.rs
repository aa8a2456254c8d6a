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
