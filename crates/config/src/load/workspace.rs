//! Reading the workspace's own files: within bounds, as UTF-8, and never from outside the workspace.

use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::{Diagnostic, Located, Place, SourceFile};

/// The largest YAML or SQL file that is read; people write a few kilobytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// An open workspace folder.
pub(super) struct Workspace {
    /// As the user gave it; for joining.
    pub(super) root: PathBuf,
    /// With links resolved; for deciding what lies inside.
    pub(super) resolved: PathBuf,
}

impl Workspace {
    pub(super) fn open(root: &Path) -> Result<Self, Diagnostic> {
        let resolved = root.canonicalize().map_err(|error| {
            Diagnostic::error("no-workspace", format!("no workspace in `{}`: {error}", root.display()))
                .help("point to the folder that holds `pipelines/` with `--project DIR`")
        })?;
        Ok(Self { root: root.to_owned(), resolved })
    }

    /// Reads the file a value of the pipeline names, relative to the workspace.
    pub(super) fn read_named(&self, path: &Located<String>) -> Result<Arc<SourceFile>, Diagnostic> {
        let at = |diagnostic: Diagnostic| diagnostic.at(path.place.clone());
        let relative = inside(&path.value).map_err(at)?;
        // What is wrong inside the file has a place there already.
        self.read(&relative).map_err(|finding| if finding.place.is_some() { finding } else { at(finding) })
    }

    /// Reads a file of the workspace by its path relative to it.
    pub(super) fn read(&self, relative: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
        let resolved = self.resolve(relative)?;
        let shown = relative.display();
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&resolved).map_err(|error| unreadable(relative, &error))?;
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(relative, &error))?;
        if bytes.len() > MAX_BYTES {
            return Err(Diagnostic::error("file-too-large", format!("`{shown}` is larger than 1 MiB"))
                .help("pipelines and their SQL are small files; data belongs in a source or a seed"));
        }
        text(relative, bytes).map(Arc::new)
    }

    /// Where a file of the workspace lies, links followed; an error when it is none, or lies elsewhere.
    pub(super) fn resolve(&self, relative: &Path) -> Result<PathBuf, Diagnostic> {
        let resolved = self.root.join(relative).canonicalize().map_err(|error| unreadable(relative, &error))?;
        let shown = relative.display();
        if !resolved.starts_with(&self.resolved) {
            return Err(outside(&shown.to_string()).help("a link inside the workspace leads out of it"));
        }
        if !resolved.is_file() {
            return Err(Diagnostic::error("missing-file", format!("`{shown}` is not a file")));
        }
        Ok(resolved)
    }
}

fn unreadable(relative: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error("missing-file", format!("cannot read `{}`: {error}", relative.display()))
        .help("paths are relative to the workspace, the folder that holds `pipelines/`")
}

/// The path, when it is relative and climbs nowhere.
pub(super) fn inside(path: &str) -> Result<PathBuf, Diagnostic> {
    let mut relative = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => relative.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(outside(path)),
        }
    }
    if relative.as_os_str().is_empty() {
        return Err(Diagnostic::error("missing-file", "the path is empty"));
    }
    Ok(relative)
}

fn outside(path: &str) -> Diagnostic {
    Diagnostic::error("outside-workspace", format!("`{path}` lies outside the workspace"))
        .label("an absolute path, `..` or a link that leaves it")
        .help("SQL, YAML and seeds live inside the workspace, so that a pipeline is versioned and moved as one folder")
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<SourceFile, Diagnostic> {
    // Some editors write a byte-order mark; it is no part of the text.
    let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.to_vec(),
        None => bytes,
    };
    match String::from_utf8(bytes) {
        Ok(text) => without_control_characters(SourceFile { path: path.to_owned(), text }),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            // Up to the offset the lossy text is the file's own; there the replacement character stands.
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let span = offset..offset + char::REPLACEMENT_CHARACTER.len_utf8();
            let file = Arc::new(SourceFile { path: path.to_owned(), text });
            Err(Diagnostic::error(
                "not-utf8",
                format!("`{}` is not UTF-8: byte {offset} begins no character", path.display()),
            )
            .at(Place { file, span })
            .help("save the file as UTF-8"))
        }
    }
}

fn without_control_characters(file: SourceFile) -> Result<SourceFile, Diagnostic> {
    let found =
        file.text.char_indices().find(|(_, letter)| letter.is_ascii_control() && !matches!(letter, '\t' | '\n' | '\r'));
    let Some((offset, letter)) = found else { return Ok(file) };
    let name = if letter == '\0' {
        "a NUL byte".to_owned()
    } else {
        format!("the control character U+{:04X}", u32::from(letter))
    };
    let message = format!("`{}` holds {name} at byte {offset}", file.path.display());
    let span = offset..offset + letter.len_utf8();
    Err(Diagnostic::error("control-character", message)
        .at(Place { file: Arc::new(file), span })
        .help("text files hold none; was this file saved as UTF-16, or is it binary?"))
}
