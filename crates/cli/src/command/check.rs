//! `throughline check`.

use throughline_engine::check_unit_tests;

use crate::arguments::WorkspaceArguments;
use crate::command::prepared;
use crate::exit::Exit;
use crate::terminal::say;

/// Loads, plans and type-checks; a finding ends it with exit code 2.
pub(crate) async fn run(workspace: &WorkspaceArguments) -> Result<(), Exit> {
    let prepared = prepared(workspace).await?;
    let tests = match check_unit_tests(&prepared).await? {
        0 => String::new(),
        tests => format!(", {tests} unit tests"),
    };
    let pipeline = &prepared.plan.pipeline;
    say(&format!(
        "ok: pipeline `{}`: {} sources, {} journeys, {} models{tests}; no row was read",
        pipeline.name.value,
        pipeline.sources.len(),
        pipeline.journeys.len(),
        pipeline.models.len(),
    ));
    Ok(())
}
