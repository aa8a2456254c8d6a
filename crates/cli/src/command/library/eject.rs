//! `throughline library eject NAME`: a model's SQL becomes a file of the workspace, which stands in its place.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use throughline_config::{ModelKind, Pipeline, load_pipeline};
use throughline_plan::ejected;

use super::{Known, load_options};
use crate::arguments::{LibraryEjectArguments, WorkspaceArguments};
use crate::exit::Exit;
use crate::terminal::say;

const PROGRAM: &str = concat!("throughline ", env!("CARGO_PKG_VERSION"));

/// Writes the copy, and names it in the pipeline's file where that is plain to do.
pub(super) fn run(workspace: &WorkspaceArguments, arguments: &LibraryEjectArguments) -> Result<(), Exit> {
    let known = Known::of(workspace)?;
    let name = arguments.name.as_str();
    let Some(pipeline) = &known.pipeline else {
        return Err(Exit::refused(
            "there is no pipeline here that loads",
            "stand in a workspace that `throughline check` finds in order, or name one with `--project DIR`",
        ));
    };
    let Some((library, model)) = known.model(name) else { return Err(known.unknown(name)) };
    let ModelKind::Sql(file) = &model.kind else {
        return Err(Exit::refused(
            format!("`{name}` is not made by SQL"),
            format!("change it by its keys under `models:`, as in `{name}: {{ materialized: table }}`"),
        ));
    };
    if let Some(place) = pipeline.replaced.get(name) {
        let (line, _) = place.line_and_column();
        let file = place.file.path.display();
        return Err(Exit::refused(
            format!("`{name}` is replaced already, in {file}:{line}"),
            "remove that entry first, or edit its SQL",
        ));
    }
    let to = arguments.to.clone().unwrap_or_else(|| Path::new("sql").join(format!("{name}.sql")));
    write(&workspace.project, &to, &ejected(library, file, PROGRAM))?;
    let shown = to.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    say(&format!("{shown}: a copy of {}", file.path.display()));
    let entry = format!("{name}: {{ sql: {shown} }}");
    if named_in_pipeline(workspace, pipeline, name, &entry) {
        say(&format!("{} names it: `{entry}`", pipeline.file.path.display()));
    } else {
        say(&format!("to put it in the library's place, add this to `models:` of {}:", pipeline.file.path.display()));
        say(&format!("  {entry}"));
    }
    say("`throughline check` says when the library's own has changed since");
    Ok(())
}

fn write(project: &Path, to: &Path, text: &str) -> Result<(), Exit> {
    let climbs = |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
    if to.components().any(climbs) {
        return Err(Exit::refused(
            format!("`{}` lies outside the workspace", to.display()),
            "name a file below it, such as sql/mart_planning.sql",
        ));
    }
    let path: PathBuf = project.join(to);
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Exit::refused(
            format!("`{}` is there already; nothing was written", path.display()),
            "name another file with `--to FILE`, or remove this one",
        ),
        _ => Exit::refused(format!("cannot write {}: {error}", path.display()), "name another file with `--to FILE`"),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Adds the entry below the line `models:`, when that leaves a pipeline that loads; else the file stays as it is.
fn named_in_pipeline(workspace: &WorkspaceArguments, pipeline: &Pipeline, name: &str, entry: &str) -> bool {
    let text = &pipeline.file.text;
    let is_open = |line: &str| {
        let rest = line.strip_prefix("models:").map(str::trim);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
    };
    let Some(line) = text.split_inclusive('\n').find(|line| is_open(line)) else { return false };
    let Some(after) = text.find(line).map(|start| start + line.len()).filter(|_| line.ends_with('\n')) else {
        return false;
    };
    let written = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let first = text[after..].lines().find(written);
    let indent = first.map_or(2, |line| line.len() - line.trim_start().len());
    let changed = format!("{}{}{entry}\n{}", &text[..after], " ".repeat(indent), &text[after..]);
    let path = workspace.project.join(&pipeline.file.path);
    if fs::write(&path, changed).is_err() {
        return false;
    }
    let loads = load_pipeline(&load_options(workspace));
    let is_named = loads.is_ok_and(|(pipeline, _)| pipeline.replaced.contains_key(name));
    if !is_named {
        // What cannot be written back now could be written a moment ago; the person is told what to add all the same.
        let _ = fs::write(&path, text);
    }
    is_named
}
