//! `--select` and `--exclude`: `model`, `+model` (and all it reads), `model+` (and all that read it), `tag:x`,
//! `path:sql/marts`.

use std::collections::BTreeSet;

use throughline_config::{Diagnostic, Diagnostics, ModelKind, Pipeline, closest};

use crate::graph::Graph;

/// Which models a run makes.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Selectors; none means all models.
    pub select: Vec<String>,
    /// Selectors taken away again.
    pub exclude: Vec<String>,
}

impl Selection {
    /// The names of the selected models. A selector that fits nothing is an error: a typing mistake must not turn a
    /// nightly run into one that does nothing.
    pub fn models(&self, pipeline: &Pipeline, graph: &Graph) -> Result<BTreeSet<String>, Diagnostics> {
        let mut selected: BTreeSet<String> = match self.select.is_empty() {
            true => pipeline.models.keys().cloned().collect(),
            false => BTreeSet::new(),
        };
        for selector in self.select.iter().flat_map(|text| text.split([',', ' '])).filter(|text| !text.is_empty()) {
            selected.extend(matching(selector, pipeline, graph)?);
        }
        for selector in self.exclude.iter().flat_map(|text| text.split([',', ' '])).filter(|text| !text.is_empty()) {
            for name in matching(selector, pipeline, graph)? {
                selected.remove(&name);
            }
        }
        Ok(selected)
    }
}

fn matching(selector: &str, pipeline: &Pipeline, graph: &Graph) -> Result<BTreeSet<String>, Diagnostics> {
    let upstream = selector.starts_with('+');
    let downstream = selector.ends_with('+') && selector.len() > 1;
    let core = selector.trim_start_matches('+').trim_end_matches('+');
    let roots: Vec<&str> = if let Some(tag) = core.strip_prefix("tag:") {
        let tagged = pipeline.models.iter().filter(|(_, model)| model.tags.iter().any(|have| have == tag));
        tagged.map(|(name, _)| name.as_str()).collect()
    } else if let Some(path) = core.strip_prefix("path:") {
        let below = pipeline.models.iter().filter(|(_, model)| match &model.kind {
            ModelKind::Sql(file) => file.path.starts_with(path),
            ModelKind::Union(files) => files.iter().any(|file| file.path.starts_with(path)),
            _ => false,
        });
        below.map(|(name, _)| name.as_str()).collect()
    } else {
        let known = pipeline.sources.contains_key(core) || pipeline.models.contains_key(core);
        graph.nodes.get_key_value(core).filter(|_| known).map(|(name, _)| name.as_str()).into_iter().collect()
    };
    if roots.is_empty() {
        return Err(nothing_matches(selector, core, pipeline).into());
    }
    let mut names: BTreeSet<&str> = roots.iter().copied().collect();
    if upstream {
        names.extend(Graph::closure(roots.iter().copied(), |name| graph.inputs(name)));
    }
    if downstream {
        names.extend(Graph::closure(roots.iter().copied(), |name| graph.readers(name)));
    }
    Ok(names.into_iter().filter(|name| pipeline.models.contains_key(*name)).map(str::to_owned).collect())
}

fn nothing_matches(selector: &str, core: &str, pipeline: &Pipeline) -> Diagnostic {
    let finding = Diagnostic::error("no-such-model", format!("the selector `{selector}` fits no model"));
    match closest(core, pipeline.models.keys().map(String::as_str)) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help("`throughline plan` lists the models"),
    }
}
