//! `throughline report`.

use std::path::Path;

use throughline_report::{page, snapshot_page};

use crate::arguments::{ReportArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{bytes, put, say};

/// Writes the page of what is published or frozen, to a file or to standard output.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ReportArguments) -> Result<(), Exit> {
    let period = arguments.period.as_deref();
    let page = match &arguments.snapshot {
        Some(snapshot) => snapshot_page(options(workspace)?, snapshot, period).await?,
        None => page(options(workspace)?, period).await?,
    };
    if arguments.out.as_os_str() == "-" {
        return put(&page);
    }
    write(&arguments.out, &page)?;
    say(&format!(
        "{}, {}: open it in any browser, print it or mail it",
        arguments.out.display(),
        bytes(page.len() as u64)
    ));
    Ok(())
}

/// Beside the file first, so that a reader never finds half a page.
fn write(path: &Path, page: &str) -> Result<(), Exit> {
    let failed = |error: std::io::Error| {
        Exit::refused(format!("cannot write {}: {error}", path.display()), "name another file with --out")
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    std::fs::write(&beside, page).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}
