//! `semantics:`: what libraries say of their tables, what a pipeline lays over it, and what is refused.

use super::{SMALLEST, loaded, refused, workspace};
use crate::{BuiltInLibrary, LoadOptions, MeasureKind, RatioInterval, load_pipeline};

const LIBRARIES: &[BuiltInLibrary] = &[BuiltInLibrary {
    name: "shop",
    files: &[
        ("library.yaml", "name: shop\nmodels: { fct_sale: { sql: sale.sql } }\nsemantics: semantics.yaml\n"),
        ("sale.sql", "SELECT 1 AS amount\n"),
        (
            "semantics.yaml",
            "\
columns: { amount: [money] }
tables:
  fct_sale:
    synonyms: [sales]
    one_of: [period]
    joins: { day: dim_date.date_day, shop: dim_shop.shop }
    measures:
      sales: { count: rows }
      amount: { sum: amount, where: { status: [paid, sent] }, adds_over: [period] }
      mean: { numerator: amount, denominator: sales, times: 90, interval: poisson, synonyms: [average] }
",
        ),
    ],
}];

fn with_library(semantics: &str) -> crate::Pipeline {
    let text = format!("name: main\nstart: 2024-10-01\nwarehouse: w\nuses: shop\n{semantics}");
    let folder = workspace(&[("pipelines/main.yaml", text.as_bytes()), ("own.yaml", b"columns: { day: [date] }\n")]);
    let options = LoadOptions { project: folder.path().to_owned(), libraries: LIBRARIES, ..LoadOptions::default() };
    load_pipeline(&options).unwrap_or_else(|findings| panic!("{findings}")).0
}

#[test]
fn a_library_says_what_its_figures_mean() {
    let semantics = with_library("").semantics;
    let sale = &semantics.tables["fct_sale"];
    assert!(sale.of_library);
    assert_eq!(semantics.columns["amount"], ["money"]);
    assert_eq!(sale.joins.len(), 2);
    let MeasureKind::Ratio(mean) = &sale.measures["mean"].kind else { panic!("{sale:?}") };
    assert_eq!((mean.numerator.value.as_str(), mean.denominator.value.as_str()), ("amount", "sales"));
    assert_eq!((mean.times, mean.interval), (90.0, Some(RatioInterval::Poisson)));
    let (column, values) = &sale.measures["amount"].filters[0];
    assert_eq!((column.value.as_str(), values.len()), ("status", 2));
}

#[test]
fn a_pipeline_lays_its_own_over_it() {
    let own = "semantics:\n  tables:\n    fct_sale:\n      joins: { shop: dim_shop.number }\n      measures:\n        \
               mean: off\n        sales: { distinct: sale }\n        peak: { non_additive: amount }\n";
    let semantics = with_library(own).semantics;
    let sale = &semantics.tables["fct_sale"];
    assert_eq!(sale.synonyms, ["sales"], "what is not said anew stays");
    assert_eq!(sale.measures.keys().collect::<Vec<_>>(), ["sales", "amount", "peak"]);
    assert!(matches!(sale.measures["sales"].kind, MeasureKind::Distinct(_)));
    let joins: Vec<&str> = sale.joins.iter().map(|(_, to)| to.value.as_str()).collect();
    assert_eq!(joins, ["dim_date.date_day", "dim_shop.number"]);
    let from_a_file = with_library("semantics: own.yaml\n").semantics;
    assert_eq!(from_a_file.columns["day"], ["date"]);
    assert!(loaded(SMALLEST).semantics.tables.is_empty());
}

#[test]
fn what_is_refused_says_the_way_out() {
    for (measure, message) in [
        ("{}", "the measure `a` does not say how it is computed"),
        ("{ sum: x, distinct: x }", "the measure `a` is computed in more than one way"),
        ("{ sum: x, times: 2 }", "`times` belongs to a ratio"),
        ("{ numerator: a }", "the measure `a` has no `denominator`"),
        ("{ numerator: b, denominator: b, interval: exact }", "`interval` cannot be `exact`"),
        ("{ numerator: b, denominator: b, times: 0 }", "`times` must be a number above zero, found `0`"),
        ("{ numerator: b, denominator: b, times: 90, interval: wilson }", "which is not multiplied"),
        ("{ numerator: a, denominator: b }", "`a` is a ratio itself"),
        ("{ numerator: c, denominator: b }", "`c` does not add up"),
        ("{ numerator: bb, denominator: b }", "`t` has no measure `bb`"),
        ("{ non_additive: x, where: { y: 1 } }", "the measure `a` cannot have `where`"),
        ("{ sums: x }", "the measure `a` has no key `sums`"),
    ] {
        let others = "b: { count: rows }, c: { non_additive: x }";
        let finding =
            refused(&format!("semantics: {{ tables: {{ t: {{ measures: {{ a: {measure}, {others} }} }} }} }}\n"));
        assert!(finding.contains(message), "{finding}");
        assert!(finding.contains("pipelines/main.yaml:6:"), "it has a place: {finding}");
    }
    for (semantics, message) in [
        ("{ table: {} }", "`semantics` has no key `table`"),
        ("{ tables: { t: { joins: { a: b } } } }", "`b` is no column of a table"),
        ("{ tables: { t: { measures: { A: { count: rows } } } } }", "`A`"),
        ("{ tables: { t: { measures: { a__b: { count: rows } } } } }", "two underscores together"),
        ("[a]", "`semantics` must be"),
        ("none.yaml", "cannot read `none.yaml`"),
    ] {
        let finding = refused(&format!("semantics: {semantics}\n"));
        assert!(finding.contains(message), "{finding}");
    }
}
