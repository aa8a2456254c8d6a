//! `throughline explain JOURNEY`.

use serde::Serialize;
use throughline_engine::{Published, PublishedTables, Robustness, robustness};
use throughline_report::{explain, explain_from, words};

use crate::arguments::{ExplainArguments, ExplanationFormat, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{put, robustness_table, text_width, wrapped};

/// Prints why a journey is ranked where it is, from the tables of the last complete run or of a snapshot.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ExplainArguments) -> Result<(), Exit> {
    let options = options(workspace)?;
    let period = arguments.period.as_deref();
    if arguments.robust {
        // An unknown journey or period is refused as ever, before anything is computed.
        explain(options.clone(), &arguments.journey, period).await?;
        let robustness = robustness(options, &arguments.journey, period).await?;
        return match arguments.format {
            ExplanationFormat::Json => put_json(&robustness),
            ExplanationFormat::Text => put(&robustness_text(&robustness)),
        };
    }
    let explanation = match &arguments.snapshot {
        Some(snapshot) => {
            let (pipeline, published) = Published::open_snapshot_with_pipeline(options, snapshot).await?;
            explain_from(&PublishedTables::of(&published).await?, &pipeline, &arguments.journey, period).await?
        }
        None => explain(options, &arguments.journey, period).await?,
    };
    match arguments.format {
        ExplanationFormat::Json => put_json(&explanation),
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

fn put_json(facts: &impl Serialize) -> Result<(), Exit> {
    put(&format!("{}\n", serde_json::to_string_pretty(facts).map_err(Exit::not_writable)?))
}

fn robustness_text(robustness: &Robustness) -> String {
    let width = text_width();
    let mut parts = vec![wrapped(&words::robustness_title(robustness), "", width), String::new()];
    parts.push(robustness_table(robustness));
    parts.push(String::new());
    parts.extend(words::robustness(robustness).iter().map(|sentence| wrapped(sentence, "", width)));
    format!("{}\n", parts.join("\n"))
}
