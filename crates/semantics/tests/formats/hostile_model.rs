//! A model in which names and texts hold what means something in YAML, Jinja, Python, XML, SQL, DAX, TMDL and Tableau.

use throughline_config::RatioInterval;
use throughline_semantics::{
    Aggregate, AggregateOf, Column, ColumnKind, Figure, FigureKind, Filter, FilterValue, Join, SemanticModel, Table,
};

/// Of a column, of a description and of a value that rows are chosen by.
pub(crate) const NAME: &str = "it's a [\"{{x}}\"] & <b>: # ]]> {% y %} \\ `z` ${w} -- 'end'";
pub(crate) const TEXT: &str =
    "- a: \"b\"\n\t&amp; ]]> <script> {{ 7 * 7 }} {% raw %} {# c #} ${d} `e` \\n 'f' # g: {CUBE} /// h\nmeasure x = 1";
pub(crate) const VALUE: &str = "o'k \"{q}\" ]] } \\ \n {{z}}";

pub(crate) fn column(name: &str, kind: ColumnKind) -> Column {
    Column { name: name.to_owned(), kind, description: Some(TEXT.to_owned()), synonyms: vec![TEXT.to_owned()] }
}

fn sum(column: &str) -> Aggregate {
    Aggregate { of: AggregateOf::Sum(column.to_owned()), filters: Vec::new() }
}

fn figure(name: &str, one_of: &[&str], kind: FigureKind) -> Figure {
    Figure {
        name: name.to_owned(),
        description: Some(TEXT.to_owned()),
        synonyms: vec!["other: words".to_owned()],
        one_of: one_of.iter().map(|&column| column.to_owned()).collect(),
        kind,
    }
}

pub(crate) fn hostile_model() -> SemanticModel {
    let filters = vec![Filter { column: NAME.to_owned(), values: vec![FilterValue::Text(VALUE.to_owned())] }];
    let chosen = Aggregate { of: AggregateOf::Rows, filters };
    let rows = Aggregate { of: AggregateOf::Rows, filters: Vec::new() };
    let ratio = FigureKind::Ratio {
        names: ("chosen".to_owned(), "rows".to_owned()),
        numerator: chosen.clone(),
        denominator: rows.clone(),
        times: 1.0,
        interval: Some(RatioInterval::Wilson),
    };
    let limit = |upper| FigureKind::Limit {
        names: ("chosen".to_owned(), "rows".to_owned()),
        numerator: chosen.clone(),
        denominator: rows.clone(),
        times: 1.0,
        interval: RatioInterval::Wilson,
        upper,
    };
    let sales = Table {
        name: "fct_sales".to_owned(),
        description: Some(TEXT.to_owned()),
        synonyms: vec![TEXT.to_owned()],
        key: vec!["sale".to_owned()],
        unique: Vec::new(),
        columns: vec![
            column("sale", ColumnKind::Integer),
            column(NAME, ColumnKind::Text),
            column("open", ColumnKind::Float),
            column("Open", ColumnKind::Float),
            column("rows", ColumnKind::Integer),
            column("sold_at", ColumnKind::Instant),
            column("tags", ColumnKind::Other),
            column("item", ColumnKind::Text),
        ],
        figures: vec![
            figure("rows", &[], FigureKind::Aggregate(rows.clone())),
            figure("chosen", &[], FigureKind::Aggregate(chosen.clone())),
            figure("share", &[NAME], ratio),
            figure("share_lower", &[NAME], limit(false)),
            figure("share_upper", &[NAME], limit(true)),
            figure("open", &["item"], FigureKind::Aggregate(sum("open"))),
            figure("peak", &[], FigureKind::NonAdditive("Open".to_owned())),
        ],
    };
    let line = Table {
        name: "fct_line".to_owned(),
        description: None,
        synonyms: Vec::new(),
        key: vec!["sale".to_owned(), "item".to_owned()],
        unique: Vec::new(),
        columns: vec![column("sale", ColumnKind::Integer), column("item", ColumnKind::Text)],
        figures: Vec::new(),
    };
    let item = Table {
        name: "dim_item".to_owned(),
        description: Some("One row an item".to_owned()),
        synonyms: vec!["article".to_owned()],
        key: vec!["item".to_owned()],
        unique: Vec::new(),
        columns: vec![column("item", ColumnKind::Text), column(NAME, ColumnKind::Boolean)],
        figures: Vec::new(),
    };
    let visit = Table {
        name: "fct_visit".to_owned(),
        description: None,
        synonyms: Vec::new(),
        key: Vec::new(),
        unique: vec!["item".to_owned(), NAME.to_owned()],
        columns: vec![column("item", ColumnKind::Text), column(NAME, ColumnKind::Text)],
        figures: Vec::new(),
    };
    let join = |from: &str, by: &str, to: &str| Join {
        from: from.to_owned(),
        from_columns: vec![by.to_owned()],
        to: to.to_owned(),
        to_columns: vec![by.to_owned()],
    };
    SemanticModel {
        name: "shop".to_owned(),
        description: Some(TEXT.to_owned()),
        tables: vec![sales, line, item, visit],
        joins: vec![
            join("fct_line", "item", "dim_item"),
            join("fct_line", "sale", "fct_sales"),
            join("fct_sales", "item", "dim_item"),
            join("fct_visit", "item", "dim_item"),
        ],
        confidence: 0.9,
    }
}
