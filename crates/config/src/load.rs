//! From a workspace folder to a validated [`Pipeline`].
//!
//! Text becomes a bounded tree in which every node knows its place (`tree`), `${VAR}` is put in (`interpolate`), and
//! one file a section turns nodes into types (`sources`, `rules`, `models`, `journeys`). A finding never stops the
//! reading: each file is read to its end, so that one `check` shows everything that is wrong with it.

mod options;
mod folder;
mod library_folder;
mod workspace;
mod tree;
mod interpolate;
mod top;
mod globs;
mod libraries;
mod inputs;
mod merge;
mod made;
mod variables;
mod sources;
mod rules;
mod journeys;
mod models;
mod triggers;
mod semantics;
mod unit_tests;
mod fields;
pub(crate) mod values;
mod names;
#[cfg(test)]
mod schema_keys;

use std::path::{Path, PathBuf};

use crate::{BuiltInLibrary, Diagnostic, Diagnostics, Library, Pipeline, closest};
use workspace::Workspace;

pub use journeys::journey_definitions;
pub use options::LoadOptions;

/// Findings that are kept: nobody reads more at once.
const MAX_SHOWN: usize = 500;

/// Reads one pipeline and everything it names: journey files, SQL files, the dictionary.
///
/// # Errors
/// Every finding of every file, warnings included, in the order of the files. Nothing is half loaded.
pub fn load_pipeline(options: &LoadOptions) -> Result<(Pipeline, Diagnostics), Diagnostics> {
    let mut workspace = Workspace::open(&options.project)?;
    let names = pipeline_names(&options.project)?;
    let name = pick(&names, options.pipeline.as_deref())?;
    let mut findings = Diagnostics::default();
    let pipeline = top::read(&mut workspace, &name, options, &mut findings);
    let findings = at_most(MAX_SHOWN, findings.sorted());
    match pipeline {
        Some(pipeline) if !findings.has_errors() => Ok((pipeline, findings)),
        _ => Err(findings),
    }
}

/// A library that comes with the program, by itself.
///
/// # Errors
/// What is wrong with its files.
pub fn built_in_library(library: &BuiltInLibrary) -> Result<Library, Diagnostics> {
    let mut workspace = Workspace { root: PathBuf::new(), resolved: PathBuf::new(), libraries: Vec::new() };
    let mut findings = Diagnostics::default();
    let declared = libraries::built_in(library, &mut workspace, &mut findings);
    let found = declared.map(|declared| made::as_declared(&declared, &workspace, &mut findings));
    match found {
        Some(library) if !findings.has_errors() => Ok(library),
        _ => Err(findings.sorted()),
    }
}

/// The names of the workspace's pipelines (the files `pipelines/*.yaml`), in alphabetical order.
///
/// # Errors
/// When `project` has no readable folder `pipelines/`.
pub fn pipeline_names(project: &Path) -> Result<Vec<String>, Diagnostics> {
    let folder = project.join("pipelines");
    let entries = std::fs::read_dir(&folder).map_err(|error| {
        Diagnostic::error("no-workspace", format!("no workspace in `{}`: {error}", project.display()))
            .help("a workspace is a folder that holds `pipelines/`; point to it with `--project DIR`")
    })?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Keeps the first `most` findings, errors before warnings, and says how many are left out.
fn at_most(most: usize, mut findings: Diagnostics) -> Diagnostics {
    let left_out = findings.0.len().saturating_sub(most);
    if left_out > 0 {
        findings.0.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings.0.truncate(most);
        let more = format!("{left_out} more findings are not shown");
        let note = if findings.has_errors() {
            Diagnostic::error("too-many-findings", more)
        } else {
            Diagnostic::warning("too-many-findings", more)
        };
        findings = findings.sorted();
        findings.push(note);
    }
    findings
}

fn pick(names: &[String], wanted: Option<&str>) -> Result<String, Diagnostic> {
    const DEFAULT: &str = "key_journeys";
    let listed = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        return Err(Diagnostic::error(
            "no-pipeline",
            "the workspace has no pipeline: `pipelines/` holds no `.yaml` file",
        )
        .help("a pipeline is a file such as `pipelines/key_journeys.yaml`; the README shows one"));
    }
    match wanted {
        Some(wanted) if names.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
        Some(wanted) => {
            let missing = Diagnostic::error("unknown-pipeline", format!("no pipeline `{wanted}` in this workspace"));
            let missing = match closest(wanted, names.iter().map(String::as_str)) {
                Some(name) => missing.help(format!("did you mean `{name}`?")),
                None => missing,
            };
            Err(missing.help(format!("there are: {}", listed())))
        }
        None => match names {
            [only] => Ok(only.clone()),
            _ if names.iter().any(|name| name == DEFAULT) => Ok(DEFAULT.to_owned()),
            _ => Err(Diagnostic::error(
                "unknown-pipeline",
                "the workspace has several pipelines and none is `key_journeys`",
            )
            .help(format!("name one with `--pipeline NAME`; there are: {}", listed()))),
        },
    }
}

/// A length of time, as pipelines write it: `14 days`.
///
/// # Errors
/// What is wrong with it and how to write it; the finding has no place.
pub fn duration(text: &str) -> Result<crate::Duration, Diagnostic> {
    values::duration(text).map_err(|reason| reason.of(text))
}

/// Microseconds of a text that says a day (00:00 UTC) or an instant, as pipelines and their tests write them.
pub fn instant(text: &str) -> Option<crate::Timestamp> {
    values::timestamp(text)
}
