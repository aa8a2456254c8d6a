//! `throughline export`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use throughline_engine::{PrepareOptions, prepare};
use throughline_semantics::{Connection, ExportedFile, Resolved, files, semantic_model};

use crate::arguments::{ExportArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::{Exit, print_findings};
use crate::terminal::say;

/// Writes the semantic model of what is, or will be, published.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ExportArguments) -> Result<(), Exit> {
    let prepared = prepare(PrepareOptions { offline: arguments.offline, ..options(workspace)? }).await?;
    print_findings(&prepared.warnings);
    let (format, name) = arguments.format.chosen();
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => PathBuf::from(format!("{}-{name}", prepared.plan.pipeline.name.value)),
    };
    refuse_folder_in_use(&out)?;
    let Resolved { model, notes } = semantic_model(&prepared.plan)?;
    let connection = Connection {
        host: arguments.host.clone(),
        port: arguments.port,
        database: arguments.database.clone(),
        schema: arguments.schema.clone(),
        user: arguments.user.clone(),
    };
    let (files, of_the_format) = files(&model, &connection, format)
        .map_err(|finding| Exit::from(throughline_config::Diagnostics::from(finding)))?;
    write(&out, &files)?;
    for note in notes.iter().chain(&of_the_format) {
        say(&format!("note: {note}"));
    }
    let measures: usize = model.tables.iter().map(|table| table.figures.len()).sum();
    say(&format!(
        "{}: {} tables, {} joins, {measures} measures in {} files; the tables come from `throughline serve`",
        out.display(),
        model.tables.len(),
        model.joins.len(),
        files.len()
    ));
    Ok(())
}

/// What is there may be somebody's work.
fn refuse_folder_in_use(out: &Path) -> Result<(), Exit> {
    let shown = out.display();
    match std::fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Exit::refused(
                format!("the folder {shown} holds files already, and nothing in it is replaced"),
                "name another one with --out, or remove it",
            )),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(Exit::refused(format!("{shown} is no folder to write to: {error}"), "name another one with --out"))
        }
    }
}

/// A new folder appears as a whole, so that a reader never finds half of it; an empty one that is there is filled.
fn write(out: &Path, files: &[ExportedFile]) -> Result<(), Exit> {
    let failed = |error: std::io::Error| {
        Exit::refused(format!("cannot write {}: {error}", out.display()), "name another folder with --out")
    };
    if out.is_dir() {
        return write_all(out, files).map_err(failed);
    }
    // Without a slash at the end.
    let mut beside = out.components().collect::<PathBuf>().into_os_string();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = write_all(&beside, files).and_then(|()| std::fs::rename(&beside, out));
    written.map_err(|error| {
        let _ = std::fs::remove_dir_all(&beside);
        failed(error)
    })
}

fn write_all(folder: &Path, files: &[ExportedFile]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for file in files {
        let path = folder.join(&file.path);
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above)?;
        }
        std::fs::write(path, &file.text)?;
    }
    Ok(())
}
