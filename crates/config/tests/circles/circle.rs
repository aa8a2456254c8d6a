//! Which file imports from which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use crate::meaning::Meaning;
use crate::modules::Modules;

/// From a file to one that it imports from: the names.
type Edges = BTreeMap<(PathBuf, PathBuf), BTreeSet<String>>;

/// Files each of which imports from another one, all the way round.
#[derive(Debug)]
pub(crate) struct Circle {
    files: BTreeSet<PathBuf>,
    ties: Edges,
}

impl fmt::Display for Circle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a circle of {} files", self.files.len())?;
        for ((from, to), names) in &self.ties {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            write!(out, "\n  {} imports {} from {}", from.display(), names.join(", "), to.display())?;
        }
        Ok(())
    }
}

/// The circles among the files of these modules, whose names begin at `folder`.
pub(crate) fn circles(modules: &Modules, folder: &Path) -> Vec<Circle> {
    let edges = edges(modules, folder);
    let mut graph = DiGraph::<&Path, ()>::new();
    let files: BTreeSet<&Path> = edges.keys().flat_map(|(from, to)| [from.as_path(), to]).collect();
    let places: BTreeMap<&Path, _> = files.into_iter().map(|file| (file, graph.add_node(file))).collect();
    for (from, to) in edges.keys() {
        graph.add_edge(places[from.as_path()], places[to.as_path()], ());
    }
    let mut circles: Vec<Circle> = tarjan_scc(&graph)
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|component| {
            let files: BTreeSet<PathBuf> = component.into_iter().map(|place| graph[place].to_owned()).collect();
            let inside = |(from, to): &(PathBuf, PathBuf)| files.contains(from) && files.contains(to);
            let ties = edges.iter().filter(|(ends, _)| inside(ends));
            Circle { ties: ties.map(|(ends, names)| (ends.clone(), names.clone())).collect(), files }
        })
        .collect();
    circles.sort_by(|left, right| left.files.cmp(&right.files));
    circles
}

fn edges(modules: &Modules, folder: &Path) -> Edges {
    let mut edges = Edges::new();
    for (number, module) in modules.0.iter().enumerate() {
        let imported = module.imports.iter().filter_map(|import| {
            let meaning = modules.meaning(number, &import.path)?;
            // A parent that hands on what lies below it does not build on it.
            let hands_on = import.is_re_exported && modules.is_inside(module_of(&meaning), number);
            (!hands_on).then_some(meaning)
        });
        let named = module.paths.iter().filter_map(|path| modules.meaning(number, path));
        for meaning in imported.chain(named) {
            // A module alone is nothing to build on; an item that is taken out of it has a path of its own.
            let Meaning::Item { module: from, name } = meaning else { continue };
            let source = &modules.0[from].file;
            if *source != module.file {
                let shown = |file: &Path| file.strip_prefix(folder).unwrap_or(file).to_owned();
                edges.entry((shown(&module.file), shown(source))).or_default().insert(name);
            }
        }
    }
    edges
}

fn module_of(meaning: &Meaning) -> usize {
    match meaning {
        Meaning::Item { module, .. } | Meaning::Module(module) => *module,
    }
}
