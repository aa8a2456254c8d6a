//! `throughline explain JOURNEY`.

use throughline_engine::{Published, PublishedTables};
use throughline_report::{explain, explain_from, words};

use crate::arguments::{ExplainArguments, ExplanationFormat, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{put, text_width, wrapped};

/// Prints why a journey is ranked where it is, from the tables of the last complete run or of a snapshot.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ExplainArguments) -> Result<(), Exit> {
    let options = options(workspace)?;
    let period = arguments.period.as_deref();
    let explanation = match &arguments.snapshot {
        Some(snapshot) => {
            let (pipeline, published) = Published::open_snapshot_with_pipeline(options, snapshot).await?;
            explain_from(&PublishedTables::of(&published).await?, &pipeline, &arguments.journey, period).await?
        }
        None => explain(options, &arguments.journey, period).await?,
    };
    match arguments.format {
        ExplanationFormat::Json => {
            let text = serde_json::to_string_pretty(&explanation);
            put(&format!("{}\n", text.map_err(Exit::not_writable)?))
        }
        ExplanationFormat::Text => {
            let width = text_width();
            let mut text = wrapped(&words::title(&explanation), "", width);
            text.push('\n');
            for (heading, sentences) in words::chapters(&explanation) {
                text.push_str(&format!("\n{heading}\n"));
                for sentence in sentences {
                    text.push_str(&wrapped(&sentence, "- ", width));
                    text.push('\n');
                }
            }
            put(&text)
        }
    }
}
