//! What an incremental model may not read: a `match` of whose changes nobody knows.

use throughline_config::{Diagnostic, Diagnostics, MatchRows, Materialization, Model, ModelKind, Pipeline};

use crate::graph::Graph;

/// Refuses a SELECT that is rebuilt by time over a `match` that keeps no increments of its own: rows of an instance
/// change long after the time that they carry, when it ends or a limit passes, and nothing says which.
pub(crate) fn refuse_matches_behind(model: &Model, pipeline: &Pipeline, graph: &Graph) -> Result<(), Diagnostics> {
    let stored = |name: &str| pipeline.models.get(name).is_none_or(|model| model.materialized.is_stored());
    let behind = Graph::closure([model.name.as_str()], |name| {
        let ends = name != model.name.as_str() && stored(name);
        graph.inputs(name).filter(move |_| !ends)
    });
    let mut findings = Diagnostics::default();
    for read in behind.into_iter().filter_map(|name| pipeline.models.get(name)) {
        let ModelKind::Match { rows, .. } = &read.kind else { continue };
        if matches!(read.materialized, Materialization::Incremental(_)) || read.name.value == model.name.value {
            continue;
        }
        let name = &read.name.value;
        let way_out = match rows {
            MatchRows::Members => format!("write `materialized: incremental` at `{name}`"),
            MatchRows::Instances => {
                format!("write `materialized: view` at `{name}` and read it here itself, not through another view")
            }
            // What was known on a day does not change afterwards (SEMANTICS 5).
            MatchRows::KnownMembers | MatchRows::States => continue,
        };
        let message = format!(
            "the incremental model `{}` reads `{name}`, whose rows change long after their time and which says of none \
             that it did",
            model.name.value
        );
        let place = graph.nodes.get(&model.name.value).and_then(|node| node.inputs.get(name));
        findings.0.push(
            Diagnostic::error("open-instances", message)
                .at(place.unwrap_or(&model.name.place).clone())
                .help(format!("{way_out}; or write `materialized: table` at `{}`", model.name.value)),
        );
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}
