//! Which columns the published columns are made of.

use std::collections::{BTreeMap, BTreeSet};

use throughline_plan::{ColumnLineage, ColumnOf, Influence, Lineage};

use crate::block::Block;
use crate::context::Context;
use crate::table::Table;

/// A table to open for each published table, in running order.
pub(crate) fn block(context: &Context<'_>) -> Block {
    let lineage = match &context.lineage {
        Ok(lineage) => lineage,
        Err(reason) => return Block::missing(format!("What columns are made of is not known: {reason}")),
    };
    let published = &context.tables.published().record.tables;
    let models = lineage.models.iter().filter(|(name, _)| published.contains_key(*name));
    let tables: Vec<Block> = models.map(|(name, model)| table(lineage, name, model)).collect();
    if tables.is_empty() {
        return Block::missing("No published table is a model of this pipeline.");
    }
    let mut blocks = vec![Block::text(
        "One step back: what a value is made of, and in brackets how (identity: as it is; transformation: computed; \
         aggregation: summed, counted or the like over rows). Only chooses: what a condition or a window looks at. In the \
         sources: where the value comes from in the end. The whole way: `throughline lineage fct_journey.cost`.",
    )];
    let note = format!("{} tables", tables.len());
    blocks.extend(tables);
    Block::Details {
        id: "columns".to_owned(),
        summary: "Which column is made of which".to_owned(),
        note,
        on_paper: false,
        blocks,
    }
}

fn table(lineage: &Lineage, name: &str, model: &ColumnLineage) -> Block {
    let mut table =
        Table::new(format!("Columns of {name}"), &["Column", "One step back", "Only chooses", "In the sources"]);
    let mut sources_above = String::new();
    for (column, influences) in &model.columns {
        let (made, chosen): (Vec<_>, Vec<_>) =
            influences.iter().partition(|(_, how)| how.iter().any(|influence| influence.is_direct()));
        let made = made.iter().map(|(from, how)| (*from, Some(words(how))));
        let of = ColumnOf { relation: name.to_owned(), column: column.clone() };
        let sources = by_relation(origins(lineage, &of).iter().map(|from| (from, None)));
        // An estimate and its limits come from the same columns, and those are many.
        let shown = if sources == sources_above && !sources.is_empty() { "as above" } else { sources.as_str() };
        table.push(vec![
            column.clone(),
            by_relation(made),
            by_relation(chosen.iter().map(|(from, _)| (*from, None))),
            shown.to_owned(),
        ]);
        sources_above = sources;
    }
    let rows = by_relation(model.rows.keys().map(|from| (from, None)));
    Block::Details {
        id: format!("columns-{name}"),
        summary: name.to_owned(),
        note: format!("{} columns", model.columns.len()),
        on_paper: false,
        blocks: vec![
            Block::Table { table },
            Block::text(format!(
                "Which rows there are depends on {}.",
                if rows.is_empty() { "no column".to_owned() } else { rows }
            )),
        ],
    }
}

/// `calls: cost, channel · visits: cost`; with how a column bears on it behind it.
fn by_relation<'a>(columns: impl Iterator<Item = (&'a ColumnOf, Option<String>)>) -> String {
    let mut relations: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (of, how) in columns {
        let how = how.map(|how| format!(" ({how})")).unwrap_or_default();
        relations.entry(&of.relation).or_default().push(format!("{}{how}", of.column));
    }
    let relations: Vec<String> =
        relations.into_iter().map(|(relation, columns)| format!("{relation}: {}", columns.join(", "))).collect();
    relations.join(" · ")
}

fn words(how: &BTreeSet<Influence>) -> String {
    let direct = how.iter().filter(|influence| influence.is_direct());
    direct.map(|influence| influence.subtype().to_lowercase()).collect::<Vec<_>>().join(", ")
}

/// The columns of sources, seeds and definitions that a value is made of.
fn origins(lineage: &Lineage, of: &ColumnOf) -> BTreeSet<ColumnOf> {
    let mut origins = BTreeSet::new();
    let mut seen = BTreeSet::from([of.clone()]);
    let mut open = vec![of.clone()];
    while let Some(column) = open.pop() {
        if !lineage.models.contains_key(&column.relation) {
            origins.insert(column);
            continue;
        }
        for (from, how) in lineage.inputs(&column) {
            if how.iter().any(|influence| influence.is_direct()) && seen.insert(from.clone()) {
                open.push(from.clone());
            }
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> ColumnOf {
        let (relation, column) = name.split_once('.').expect("a relation and a column");
        ColumnOf { relation: relation.to_owned(), column: column.to_owned() }
    }

    #[test]
    fn values_are_followed_to_the_sources_and_choices_are_not() {
        let mut lineage = Lineage::default();
        for (of, from) in [
            ("fct.cost", vec![("staged.cost", Influence::Aggregation), ("staged.kind", Influence::Conditional)]),
            ("staged.cost", vec![("calls.cost", Influence::Identity), ("visits.price", Influence::Transformation)]),
            ("staged.kind", vec![("calls.kind", Influence::Identity)]),
        ] {
            let of = column(of);
            let influences = from.into_iter().map(|(from, how)| (column(from), BTreeSet::from([how]))).collect();
            lineage.models.entry(of.relation).or_default().columns.insert(of.column, influences);
        }
        let origins = origins(&lineage, &column("fct.cost"));
        assert_eq!(by_relation(origins.iter().map(|from| (from, None))), "calls: cost · visits: price");
    }
}
