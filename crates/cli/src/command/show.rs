//! `throughline show MODEL`.

use datafusion::dataframe::DataFrame;
use throughline_engine::{EngineError, PrepareOptions, Published};
use throughline_lake::type_name;

use crate::arguments::{OutputArguments, OutputFormat, RowLimit, ShowArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{fitted, framed, print_ranking, put, say, write_frame};

/// Tables that are about the ranking: what they say in many columns is then shown in a few.
const RANKED: [&str; 2] = ["fct_key_journeys", "mart_planning"];

/// Shows rows of a published table, or its columns with `--limit 0`; those about the ranking end with it.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ShowArguments) -> Result<(), Exit> {
    let options = in_stored_order(options(workspace)?);
    let snapshot = match &arguments.snapshot {
        Some(snapshot) => Some(Published::open_snapshot_with_pipeline(options.clone(), snapshot).await?),
        None => None,
    };
    let frame = match &snapshot {
        Some((_, snapshot)) => snapshot.table(&arguments.model).await?,
        None => throughline_engine::show(options.clone(), &arguments.model).await?,
    };
    rows(frame, arguments.limit, &arguments.output).await?;
    if snapshot.is_none()
        && let Some(as_of) = of_another_run(&options, &arguments.model).await
    {
        say(&format!("`{}` is as of {as_of}: an earlier run than the newest made it", arguments.model));
    }
    let is_for_people = arguments.output.format == OutputFormat::Table && arguments.output.output.is_none();
    if arguments.limit.0 == Some(0) || !is_for_people || !RANKED.contains(&arguments.model.as_str()) {
        return Ok(());
    }
    let (pipeline, published) = match snapshot {
        Some(snapshot) => snapshot,
        None => Published::open_with_pipeline(options).await?,
    };
    // A pipeline's own tables of these names may have other columns; the rows stand above all the same.
    if let Err(error) = print_ranking(&published, &pipeline).await {
        say(&format!("\nThe ranking cannot be shown: {error}"));
    }
    Ok(())
}

/// The instant that a published table is as of, where that is another than the newest run's. Sources and views are
/// shown before anything is published, and what cannot be read has been reported when the rows were.
async fn of_another_run(options: &PrepareOptions, table: &str) -> Option<String> {
    let published = Published::open(options.clone()).await.ok()?;
    published.record.as_of_other_runs().get(table).map(|as_of| (*as_of).to_owned())
}

/// Reads one file after the other, so that the same table shows the same rows in the same order each time.
pub(crate) fn in_stored_order(mut options: PrepareOptions) -> PrepareOptions {
    options.session.partitions.get_or_insert(1);
    options
}

/// Prints rows, or the columns where none are wanted.
pub(crate) async fn rows(frame: DataFrame, limit: RowLimit, output: &OutputArguments) -> Result<(), Exit> {
    if limit.0 == Some(0) {
        let mut table = framed();
        table.set_header(["column", "type", "comment"]);
        for field in frame.schema().fields() {
            let comment = field.metadata().get("comment").map_or("", String::as_str);
            table.add_row([field.name().as_str(), &type_name(field.data_type()), comment]);
        }
        return put(&format!("{}\n", fitted(table)));
    }
    let frame = frame.limit(0, limit.0).map_err(EngineError::from)?;
    write_frame(frame, output).await
}
