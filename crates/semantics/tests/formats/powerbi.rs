use std::collections::BTreeSet;

use serde_json::Value;
use throughline_semantics::Format;

use crate::hostile_model::{NAME, TEXT};
use crate::tmdl::{Node, read, read_name};
use crate::{file, written};

fn definition(name: &str) -> Node {
    read(&file(Format::PowerBi, &format!("shop.SemanticModel/definition/{name}.tmdl")))
}

fn table(name: &str) -> Node {
    let mut root = definition(&format!("tables/{name}"));
    assert_eq!(root.children.len(), 1, "one table a file: {root:#?}");
    let table = root.children.remove(0);
    assert_eq!(table.name(), (name.to_owned(), ""));
    table
}

#[test]
fn the_connection_is_what_microsoft_documents() {
    let pbids: Value = serde_json::from_str(&file(Format::PowerBi, "shop.pbids")).expect("JSON");
    assert_eq!(pbids["version"], "0.1");
    let connection = &pbids["connections"][0];
    assert_eq!(connection["mode"], "Import");
    assert_eq!(connection["details"]["protocol"], "postgresql");
    assert_eq!(connection["details"]["address"]["server"], "[::1]:6543");
    assert_eq!(connection["details"]["address"]["database"], "through \"line\"");
    let pbism: Value =
        serde_json::from_str(&file(Format::PowerBi, "shop.SemanticModel/definition.pbism")).expect("JSON");
    assert_eq!(pbism["version"], "4.2");
    let expressions = definition("expressions");
    let lines: Vec<&str> = expressions.children.iter().map(|node| node.line.as_str()).collect();
    assert!(lines[0].starts_with("expression Server = \"[::1]:6543\" meta [IsParameterQuery=true"), "{lines:?}");
    assert!(lines[1].starts_with("expression Database = \"through \"\"line\"\"\" meta"), "{lines:?}");
}

#[test]
fn every_table_has_columns_measures_and_one_partition() {
    let model = definition("model");
    let tables: Vec<String> = model.all("ref").map(|node| read_name(&node.line["ref table ".len()..]).0).collect();
    assert_eq!(tables, ["fct_sales", "fct_line", "dim_item", "fct_visit"]);
    for name in tables {
        let table = table(&name);
        assert_eq!(table.all("partition").count(), 1);
        for kind in ["column", "measure"] {
            let names: Vec<String> = table.all(kind).map(|node| node.name().0.to_lowercase()).collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        }
        for column in table.all("column") {
            let kind = column.value("dataType").expect("a type");
            assert!(["string", "int64", "decimal", "double", "boolean", "dateTime"].contains(&kind), "{kind}");
            assert_eq!(column.value("summarizeBy"), Some("none"), "nothing is summed by itself");
            assert!(column.value("sourceColumn").is_some());
        }
    }
    let sales = table("fct_sales");
    assert_eq!(sales.all("column").count(), 7, "lists are left out");
    assert_eq!(sales.all("measure").count(), 5, "limits are left out");
    let columns: Vec<(String, Option<&str>)> =
        sales.all("column").map(|node| (node.name().0, node.value("sourceColumn"))).collect();
    assert!(columns.contains(&("Open 2".to_owned(), Some("Open"))), "names may not differ by case alone: {columns:?}");
}

#[test]
fn a_rate_is_a_sum_over_a_sum_and_never_a_mean() {
    let sales = table("fct_sales");
    let measure = |name: &str| {
        let found = sales.all("measure").find(|node| node.name().0 == name).expect("the measure");
        found.name().1.strip_prefix(" = ").expect("an expression").to_owned()
    };
    let name = NAME.replace(']', "]]");
    let guard = format!("DISTINCTCOUNTNOBLANK('fct_sales'[{name}]) <= 1");
    let value = "\"o'k \"\"{q}\"\" ]] } \\ \" & UNICHAR(10) & \" {{z}}\"";
    let chosen = format!("CALCULATE(COUNTROWS('fct_sales'), KEEPFILTERS('fct_sales'[{name}] IN {{ {value} }}))");
    assert_eq!(measure("chosen (fct_sales)"), chosen);
    assert_eq!(measure("share (fct_sales)"), format!("IF({guard}, DIVIDE({chosen}, COUNTROWS('fct_sales')))"));
    assert_eq!(measure("peak (fct_sales)"), "IF(COUNTROWS('fct_sales') = 1, MAX('fct_sales'[Open 2]))");
    for file in written(Format::PowerBi) {
        assert!(!file.text.contains("AVERAGE"), "{}", file.path);
    }
}

#[test]
fn of_two_ways_from_a_table_to_another_one_one_is_active() {
    let relationships = definition("relationships");
    let mut active = Vec::new();
    for relationship in &relationships.children {
        let ends = ["fromColumn", "toColumn"].map(|end| {
            let (table, rest) = read_name(relationship.value(end).expect("an end"));
            let (column, rest) = read_name(rest.strip_prefix('.').expect("a column"));
            assert_eq!(rest, "");
            let of = self::table(&table);
            assert!(of.all("column").any(|node| node.name().0 == column), "{table}.{column}");
            table
        });
        active.push((ends, relationship.value("isActive") != Some("false")));
    }
    active.sort();
    let ends = |from: &str, to: &str| [from.to_owned(), to.to_owned()];
    assert_eq!(
        active,
        [
            (ends("fct_line", "dim_item"), false),
            (ends("fct_line", "fct_sales"), true),
            (ends("fct_sales", "dim_item"), true),
            (ends("fct_visit", "dim_item"), true),
        ]
    );
}

#[test]
fn names_and_texts_stay_data() {
    let sales = table("fct_sales");
    let column = sales.all("column").nth(1).expect("the second column");
    assert_eq!(column.name(), (NAME.to_owned(), ""));
    assert_eq!(column.value("sourceColumn"), Some(format!("\"{}\"", NAME.replace('"', "\"\"")).as_str()));
    let words = column.description.join("\n");
    let text = TEXT.replace('\t', " ");
    assert_eq!(words, format!("{text}. Also called {text}"));
    // Each line of a text stays behind its slashes: none of them became a measure.
    assert_eq!(sales.all("measure").filter(|node| node.name().0 == "x").count(), 0);
}
