//! A workspace with three mistakes in it, what its author sees, and the same workspace mended.
//!
//! Every value of the loaded pipeline remembers where it was written, so that whoever finds something wrong with it
//! later, a planner for example, can point to the place too:
//!
//!     cargo run --example diagnostic
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::fs;

use throughline_config::{Diagnostic, LoadOptions, closest, load_pipeline};

const WITH_MISTAKES: &str = "\
name: first
start: 2026-01-01
warehouse: ${WAREHOUSE:-data/warehouse}
sources:
  calls: { path: data/calls/, format: parket, time_column: started_at, key: [call_id] }
journeys: journeys/*.yaml
models:
  touchpoints: { sql: sql/touchpoints.sql, grain: [touchpoint_id] }
";

const JOURNEYS: &str = "\
repair:
  starts: event = 'fault_reported'
  ends: evnt = 'repair_confirmed'
  within: 3 months
  ilde: 14 days
";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    write("sql/touchpoints.sql", "SELECT call_id AS touchpoint_id FROM calls\n")?;
    write("pipelines/first.yaml", WITH_MISTAKES)?;
    write("pipelines/journeys/repair.yaml", JOURNEYS)?;
    let options = LoadOptions { project: folder.path().to_owned(), ..LoadOptions::default() };

    println!("Everything that is wrong, found in one reading:\n");
    if let Err(findings) = load_pipeline(&options) {
        println!("{findings}");
    }

    write("pipelines/first.yaml", &WITH_MISTAKES.replace("parket", "parquet"))?;
    write("pipelines/journeys/repair.yaml", &JOURNEYS.replace("3 months", "90 days").replace("ilde", "idle"))?;
    let (pipeline, _) = load_pipeline(&options)?;
    println!("Mended, it loads:\n");
    for source in pipeline.sources.values() {
        println!("  source {}: {:?} files in {}", source.name.value, source.format, source.path.value);
    }
    for journey in pipeline.journeys.values() {
        let (line, column) = journey.starts.place.line_and_column();
        let file = journey.starts.place.file.path.display();
        println!("  journey {}: starts where {} ({file}:{line}:{column})", journey.name.value, journey.starts.value);
    }

    println!("\nThat `evnt` is no column only a planner knows. It points to it in the same way:\n");
    let ends = pipeline.journeys["repair"].ends.as_ref().ok_or("no end")?;
    let near = closest("evnt", ["event", "topic", "channel"]).ok_or("nothing is near")?;
    let finding = Diagnostic::error("unknown-column", "no column `evnt`")
        .at(ends.place_within(0..4))
        .label(format!("did you mean `{near}`?"));
    println!("{}", throughline_config::Diagnostics::from(finding));
    Ok(())
}
