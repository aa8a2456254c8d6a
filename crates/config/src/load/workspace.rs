//! The workspace's files, and those of the libraries that its pipeline uses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::{inside, read_below, resolve_below};
use super::library_folder::LibraryFolder;
use crate::{Diagnostic, Located, SourceFile};

/// An open workspace folder.
pub(super) struct Workspace {
    /// As the user gave it; for joining.
    pub(super) root: PathBuf,
    /// With links resolved; for deciding what lies inside.
    pub(super) resolved: PathBuf,
    /// The libraries that the pipeline uses: what their YAML names lies in them.
    pub(super) libraries: Vec<LibraryFolder>,
}

impl Workspace {
    pub(super) fn open(root: &Path) -> Result<Self, Diagnostic> {
        let resolved = root.canonicalize().map_err(|error| {
            Diagnostic::error("no-workspace", format!("no workspace in `{}`: {error}", root.display()))
                .help("point to the folder that holds `pipelines/` with `--project DIR`")
        })?;
        Ok(Self { root: root.to_owned(), resolved, libraries: Vec::new() })
    }

    /// Reads the file a value names, relative to the workspace or, in a library's YAML, to the library.
    pub(super) fn read_named(&self, path: &Located<String>) -> Result<Arc<SourceFile>, Diagnostic> {
        if let Some(library) = self.libraries.iter().find(|library| library.declares(&path.place.file)) {
            return library.read_named(path);
        }
        let at = |diagnostic: Diagnostic| diagnostic.at(path.place.clone());
        let relative = inside(&path.value).map_err(at)?;
        // What is wrong inside the file has a place there already.
        self.read(&relative).map_err(|finding| if finding.place.is_some() { finding } else { at(finding) })
    }

    /// Reads a file of the workspace by its path relative to it.
    pub(super) fn read(&self, relative: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
        read_below(&self.root, &self.resolved, relative, relative)
    }

    /// Where a file of the workspace lies, links followed; an error when it is none, or lies elsewhere.
    pub(super) fn resolve(&self, relative: &Path) -> Result<PathBuf, Diagnostic> {
        resolve_below(&self.root, &self.resolved, relative, relative)
    }
}
