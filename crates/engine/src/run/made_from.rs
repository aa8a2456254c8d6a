//! What each step is made from: as long as that is the same, so are its rows.

use std::collections::{BTreeMap, BTreeSet};

use throughline_config::ModelKind;
use throughline_plan::{Plan, Step, digest};

use crate::incremental::IntervalOptions;
use crate::instants::rfc3339;
use crate::workspace::prepare::Prepared;

/// What each step of a run is made from: the program, `as_of`, its definition and tests, the files of the sources it
/// reads, and the versions of the tables it reads.
#[derive(Debug, Default)]
pub(crate) struct MadeFrom {
    /// All but versions of tables.
    fixed: BTreeMap<String, BTreeMap<String, String>>,
    /// The tables that a step reads, directly or by way of views.
    tables: BTreeMap<String, BTreeSet<String>>,
    /// Versions of tables that are read and not made.
    published: BTreeMap<String, u64>,
}

impl MadeFrom {
    /// `published` are the tables of the last complete run.
    pub(crate) fn of(prepared: &Prepared, interval: IntervalOptions, published: BTreeMap<String, u64>) -> Self {
        let plan = &prepared.plan;
        let mut made_from = Self { published, ..Self::default() };
        for step in &plan.steps {
            let mut fixed = BTreeMap::from([
                ("program".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
                ("as_of".to_owned(), rfc3339(plan.parameters.as_of())),
                ("definition".to_owned(), definition(plan, step)),
            ]);
            if interval.full_refresh || interval.start.is_some() {
                let start = interval.start.map_or_else(|| "everything".to_owned(), rfc3339);
                fixed.insert("asked for".to_owned(), start);
            }
            let read = plan.through_views([step.name.as_str()], None);
            for source in read.iter().filter_map(|name| prepared.sources.get(*name).map(|source| (name, source))) {
                let stamps: Vec<String> = source.1.stamps.iter().map(u64::to_string).collect();
                fixed.insert(format!("source {}", source.0), digest(stamps.iter().map(String::as_str)));
            }
            let tables = read.iter().filter(|name| **name != step.name && plan.is_table(name));
            let tables = tables.map(|name| (*name).to_owned()).collect();
            made_from.add(&step.name, fixed, tables);
        }
        made_from
    }

    fn add(&mut self, step: &str, fixed: BTreeMap<String, String>, tables: BTreeSet<String>) {
        self.fixed.insert(step.to_owned(), fixed);
        self.tables.insert(step.to_owned(), tables);
    }

    /// Everything that a step is made from. `made` gives the version of a table of this run.
    pub(crate) fn of_step(&self, step: &str, made: impl Fn(&str) -> Option<u64>) -> BTreeMap<String, String> {
        let mut all = self.fixed.get(step).cloned().unwrap_or_default();
        for table in self.tables(step) {
            let version = made(table).or_else(|| self.published.get(table).copied());
            let version = version.map_or_else(|| "none".to_owned(), |version| format!("version {version}"));
            all.insert(format!("table {table}"), version);
        }
        all
    }

    /// The tables that a step reads, directly or by way of views.
    pub(crate) fn tables(&self, step: &str) -> impl Iterator<Item = &str> {
        self.tables.get(step).into_iter().flatten().map(String::as_str)
    }
}

/// The first thing that is not the same, in words.
pub(crate) fn difference(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<String> {
    if then.is_empty() {
        return Some("the last run does not say what it was made from".to_owned());
    }
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differs = keys.into_iter().find(|key| then.get(*key) != now.get(*key))?;
    let value = |of: &BTreeMap<String, String>| of.get(differs).cloned().unwrap_or_else(|| "none".to_owned());
    Some(match differs.split_once(' ') {
        _ if differs == "as_of" => format!("it was made as of {}", value(then)),
        _ if differs == "program" => format!("it was made by throughline {}", value(then)),
        _ if differs == "definition" => "its definition changed".to_owned(),
        Some(("source", source)) => format!("the files of `{source}` changed"),
        Some(("table", table)) => format!("it was made from {} of `{table}`", value(then)),
        _ => format!("what was {differs} is not the same"),
    })
}

/// Everything of a step's definition that its rows or its record depend on.
fn definition(plan: &Plan, step: &Step) -> String {
    let mut text = String::new();
    if let Some(model) = plan.pipeline.models.get(&step.name) {
        let kind = match &model.kind {
            ModelKind::Match { rows, .. } => format!("{rows:?}"),
            _ => String::new(),
        };
        let tests: Vec<String> =
            model.tests.iter().map(|test| format!("{:?} {:?}", test.kind, test.severity)).collect();
        text = format!("{kind} {:?} {tests:?} {:?} {:?}", model.grain, model.description, model.columns);
    }
    if let Some(source) = plan.pipeline.sources.get(&step.name) {
        let freshness = source
            .freshness
            .as_ref()
            .map(|freshness| format!("{:?} {:?} {:?}", freshness.column, freshness.warn_after, freshness.error_after));
        text = format!("{freshness:?} {:?} {:?}", source.rejected, source.rows);
    }
    digest([step.fingerprint.as_str(), &text])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Steps made from one definition each, and the tables they read.
    pub(crate) fn made_from(steps: &[(&str, &[&str])], published: &[(&str, u64)]) -> MadeFrom {
        let published = published.iter().map(|(table, version)| ((*table).to_owned(), *version)).collect();
        let mut made_from = MadeFrom { published, ..MadeFrom::default() };
        for (step, tables) in steps {
            let fixed = BTreeMap::from([("definition".to_owned(), format!("of {step}"))]);
            made_from.add(step, fixed, tables.iter().map(|table| (*table).to_owned()).collect());
        }
        made_from
    }

    fn facts(facts: &[(&str, &str)]) -> BTreeMap<String, String> {
        facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_step_is_made_from_the_versions_of_this_run_or_else_those_published() {
        let made_from = made_from(&[("mart", &["fact", "dim", "gone"])], &[("fact", 3), ("dim", 4)]);
        let made = made_from.of_step("mart", |table| (table == "fact").then_some(7));
        let expected = facts(&[
            ("definition", "of mart"),
            ("table fact", "version 7"),
            ("table dim", "version 4"),
            ("table gone", "none"),
        ]);
        assert_eq!(made, expected);
    }

    #[test]
    fn what_differs_is_named_in_words() {
        let then = facts(&[
            ("as_of", "2026-01-01T00:00:00Z"),
            ("asked for", "everything"),
            ("definition", "1"),
            ("program", "0.1.0"),
            ("source calls", "a"),
            ("table fact", "version 3"),
        ]);
        let words = [
            ("as_of", "it was made as of 2026-01-01T00:00:00Z"),
            ("asked for", "what was asked for is not the same"),
            ("definition", "its definition changed"),
            ("program", "it was made by throughline 0.1.0"),
            ("source calls", "the files of `calls` changed"),
            ("table fact", "it was made from version 3 of `fact`"),
        ];
        for (key, expected) in words {
            let mut now = then.clone();
            now.insert(key.to_owned(), "another".to_owned());
            assert_eq!(difference(&then, &now).as_deref(), Some(expected));
            now.remove(key);
            assert_eq!(difference(&then, &now).as_deref(), Some(expected), "a thing that is not there any more");
        }
        assert_eq!(difference(&then, &then), None);
        assert!(difference(&BTreeMap::new(), &then).is_some(), "a record that says nothing proves nothing");
    }
}
