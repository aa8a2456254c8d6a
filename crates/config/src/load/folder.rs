//! Reading the files of a folder: within bounds, as UTF-8, and never from outside it.

use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::{Diagnostic, Place, SourceFile};

/// The largest YAML or SQL file that is read; people write a few kilobytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// Reads a file below `root`, which is `resolved` with its links followed; people are shown the path `shown`.
pub(super) fn read_below(
    root: &Path,
    resolved: &Path,
    relative: &Path,
    shown: &Path,
) -> Result<Arc<SourceFile>, Diagnostic> {
    let found = resolve_below(root, resolved, relative, shown)?;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&found).map_err(|error| unreadable(shown, &error))?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(shown, &error))?;
    if bytes.len() > MAX_BYTES {
        return Err(Diagnostic::error("file-too-large", format!("`{}` is larger than 1 MiB", shown.display()))
            .help("pipelines and their SQL are small files; data belongs in a source or a seed"));
    }
    text(shown, bytes).map(Arc::new)
}

/// Where a file below `root` lies, links followed; an error when it is none, or lies elsewhere.
pub(super) fn resolve_below(
    root: &Path,
    resolved: &Path,
    relative: &Path,
    shown: &Path,
) -> Result<PathBuf, Diagnostic> {
    let found = root.join(relative).canonicalize().map_err(|error| unreadable(shown, &error))?;
    let shown = shown.display();
    if !found.starts_with(resolved) {
        return Err(outside(&shown.to_string()).help("a link inside the workspace leads out of it"));
    }
    if !found.is_file() {
        return Err(Diagnostic::error("missing-file", format!("`{shown}` is not a file")));
    }
    Ok(found)
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

/// A file's bytes as text: UTF-8, without control characters.
pub(super) fn text(path: &Path, bytes: Vec<u8>) -> Result<SourceFile, Diagnostic> {
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
