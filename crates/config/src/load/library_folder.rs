//! The files of a library: those of a folder, or texts that the program holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::{inside, read_below, text};
use crate::{BuiltInLibrary, Diagnostic, Located, SourceFile};

/// A library's files.
pub(super) struct LibraryFolder {
    /// What `uses:` calls it, for messages.
    pub(super) used: String,
    files: Files,
    /// The YAML files that were read: the paths in them are relative to the library.
    declarations: Vec<Arc<SourceFile>>,
}

enum Files {
    BuiltIn(&'static [(&'static str, &'static str)]),
    Folder {
        /// As shown to people.
        shown: PathBuf,
        root: PathBuf,
    },
}

impl LibraryFolder {
    pub(super) fn built_in(library: &BuiltInLibrary) -> Self {
        let files = Files::BuiltIn(library.files);
        Self { used: library.name.to_owned(), files, declarations: Vec::new() }
    }

    /// A folder, as `uses:` names it, relative to the workspace.
    pub(super) fn of_folder(used: &Located<String>, workspace: &Path) -> Result<Self, Diagnostic> {
        let root = workspace.join(&used.value).canonicalize();
        let root = root.map_err(|error| {
            Diagnostic::error("unknown-library", format!("there is no folder `{}`: {error}", used.value))
                .at(used.place.clone())
                .help("the path is relative to the workspace, the folder that holds `pipelines/`")
        })?;
        let shown = Path::new(&used.value).components().filter(|part| *part != std::path::Component::CurDir).collect();
        Ok(Self { used: used.value.clone(), files: Files::Folder { shown, root }, declarations: Vec::new() })
    }

    /// Reads a YAML file in which paths are relative to the library.
    pub(super) fn declaration(&mut self, path: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
        let file = self.read(path)?;
        self.declarations.push(Arc::clone(&file));
        Ok(file)
    }

    /// Whether a file is one of the library's declarations.
    pub(super) fn declares(&self, file: &Arc<SourceFile>) -> bool {
        self.declarations.iter().any(|declaration| Arc::ptr_eq(declaration, file))
    }

    /// Reads the file that a value of the library's YAML names.
    pub(super) fn read_named(&self, path: &Located<String>) -> Result<Arc<SourceFile>, Diagnostic> {
        let at = |diagnostic: Diagnostic| diagnostic.at(path.place.clone());
        let relative = inside(&path.value).map_err(at)?;
        self.read(&relative).map_err(|finding| if finding.place.is_some() { finding } else { at(finding) })
    }

    /// Reads a file by its path in the library.
    pub(super) fn read(&self, relative: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
        match &self.files {
            Files::Folder { shown, root } => read_below(root, root, relative, &shown.join(relative)),
            Files::BuiltIn(files) => {
                let found = files.iter().find(|(path, _)| Path::new(path) == relative);
                let Some((path, content)) = found else {
                    let message = format!("the library `{}` has no file `{}`", self.used, relative.display());
                    return Err(Diagnostic::error("missing-file", message));
                };
                text(Path::new(&format!("library:{path}")), content.as_bytes().to_vec()).map(Arc::new)
            }
        }
    }
}
