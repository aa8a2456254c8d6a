//! `throughline check`.

use throughline_engine::{PrepareOptions, check_unit_tests, prepare};
use throughline_semantics::{NOTHING_TO_EXPORT, semantic_model};

use crate::arguments::{CheckArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::{Exit, print_findings};
use crate::terminal::say;

/// Loads, plans and type-checks; a finding ends it with exit code 2.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &CheckArguments) -> Result<(), Exit> {
    let prepared = prepare(PrepareOptions { offline: arguments.offline, ..options(workspace)? }).await?;
    print_findings(&prepared.warnings);
    let tests = match check_unit_tests(&prepared).await? {
        0 => String::new(),
        tests => format!(", {tests} unit tests"),
    };
    // A pipeline need not publish anything for readers to be in order.
    if let Err(findings) = semantic_model(&prepared.plan)
        && findings.iter().any(|finding| finding.code != NOTHING_TO_EXPORT)
    {
        return Err(findings.into());
    }
    let pipeline = &prepared.plan.pipeline;
    let looked_at =
        if arguments.offline { "no source was opened, each is taken as it is declared" } else { "no row was read" };
    say(&format!(
        "ok: pipeline `{}`: {} sources, {} journeys, {} models{tests}; {looked_at}",
        pipeline.name.value,
        pipeline.sources.len(),
        pipeline.journeys.len(),
        pipeline.models.len(),
    ));
    Ok(())
}
