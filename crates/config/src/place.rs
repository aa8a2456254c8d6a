//! Where a value is written in the files a person edits.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::sync::Arc;

/// A text file as it was read: YAML or SQL.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as shown to people: relative to the workspace where it lies inside it.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// A byte range of a [`SourceFile`].
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Bytes of `file.text`; always inside the text and on character boundaries.
    pub span: Range<usize>,
}

/// The file's text is left out.
impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}..{}", self.file.path.display(), self.span.start, self.span.end)
    }
}

impl Place {
    /// The text at this place.
    pub fn text(&self) -> &str {
        &self.file.text[self.span.clone()]
    }

    /// One-based line and column (in characters) of the place's first byte.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = &self.file.text[..self.span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A value together with the place it was read from.
#[derive(Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

/// The value alone: a definition reads the same wherever it stands, and fingerprints are made from this.
impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(formatter)
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl Located<String> {
    /// The place of bytes `within` of the value: exact where the file holds the value letter by letter, the whole
    /// value where quoting, folding or interpolation stands between the two.
    pub fn place_within(&self, within: Range<usize>) -> Place {
        let text = self.place.text();
        // A block scalar's value ends in a line feed that its place leaves out.
        let value = self.value.trim_end();
        let exact = text.find(value).filter(|_| value.get(within.clone()).is_some());
        match exact {
            Some(offset) => {
                let start = self.place.span.start + offset;
                Place { file: Arc::clone(&self.place.file), span: start + within.start..start + within.end }
            }
            None => self.place.clone(),
        }
    }
}
