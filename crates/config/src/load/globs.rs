//! Keys that name files of the workspace by globs: `sources:`, `journeys:` and `unit_tests:`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::folder::inside;
use super::workspace::Workspace;
use crate::{Diagnostic, Diagnostics, Located};

/// The files that the globs name, relative to the workspace, in the order of their paths.
///
/// `what` is the kind of file and `example` a glob, for messages.
pub(super) fn files(
    globs: &[Located<String>],
    what: &str,
    example: &str,
    workspace: &Workspace,
    findings: &mut Diagnostics,
) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for glob in globs {
        match matching(glob, what, example, workspace) {
            Ok(paths) => files.extend(paths),
            Err(finding) => findings.push(finding),
        }
    }
    files
}

/// The files a glob names; none is an error, for it is most likely misspelt.
fn matching(
    glob: &Located<String>,
    what: &str,
    example: &str,
    workspace: &Workspace,
) -> Result<Vec<PathBuf>, Diagnostic> {
    let at = |finding: Diagnostic| finding.at(glob.place.clone());
    inside(glob).map_err(at)?;
    // The resolved root: the glob library drops a leading `./`, and with it the prefix to take off again.
    let folder = workspace.resolved.join("pipelines");
    let pattern = format!("{}/{}", Pattern::escape(&folder.to_string_lossy()), glob.value);
    let paths = glob::glob(&pattern).map_err(|error| {
        at(Diagnostic::error("bad-glob", format!("`{}` is no glob: {}", glob.value, error.msg))
            .help(format!("e.g. `{example}`")))
    })?;
    let files: Vec<PathBuf> = paths
        .filter_map(Result::ok)
        .filter(|path| path.is_file())
        .filter_map(|path| path.strip_prefix(&workspace.resolved).map(Path::to_owned).ok())
        .collect();
    if files.is_empty() {
        return Err(at(Diagnostic::error("empty-glob", format!("no file matches `{}`", glob.value)).help(format!(
            "{what} files are looked for beside the pipeline's file: `{example}` is `pipelines/{example}`",
        ))));
    }
    Ok(files)
}
