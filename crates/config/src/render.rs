//! Findings as text for a terminal: message, place, source line, caret, help.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::{Diagnostic, Diagnostics, Place, Severity};

/// The longest line, in bytes, that is laid out as a whole (and then cut to the terminal's width); generated files have
/// lines of any length.
const LONGEST_LINE: usize = 4_000;
/// Characters shown of a longer line: before the caret, under it and after it.
const MARGIN: usize = 60;
/// The longest message or label shown, in characters: a value a person pasted by mistake must not flood the screen.
const LONGEST_TEXT: usize = 2_000;

impl Diagnostics {
    /// The findings as text, each with its source line and caret, one blank line between them. Ends with a line feed
    /// when there is anything to say.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for finding in &self.0 {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&one(finding, &renderer));
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(false))
    }
}

fn one(finding: &Diagnostic, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut report = Group::with_title(level.primary_title(shortened(&finding.message)).id(finding.code));
    if let Some(place) = &finding.place {
        let path = place.file.path.to_string_lossy().into_owned();
        let excerpt = Excerpt::of(place);
        let mut caret = AnnotationKind::Primary.span(excerpt.span);
        if !finding.label.is_empty() {
            caret = caret.label(shortened(&finding.label));
        }
        let mut snippet = Snippet::source(excerpt.text).line_start(excerpt.line).annotation(caret);
        if excerpt.whole {
            snippet = snippet.path(path);
        } else {
            // The library would count the column from the beginning of the excerpt.
            report = report.element(Origin::path(path).line(excerpt.line).char_column(excerpt.column));
        }
        report = report.element(snippet);
    }
    let help = finding.help.iter().map(|line| Level::HELP.message(shortened(line)));
    renderer.render(&[report.elements(help)])
}

/// The part of the place's first line that is shown.
struct Excerpt {
    /// One-based, of the file.
    line: usize,
    /// One-based, in characters of the file's line.
    column: usize,
    text: String,
    /// The caret's bytes in `text`.
    span: Range<usize>,
    /// Whether `text` is the whole line.
    whole: bool,
}

impl Excerpt {
    fn of(place: &Place) -> Self {
        let (line, column) = place.line_and_column();
        let file = &place.file.text;
        let Range { start, end } = place.span.clone();
        let line_start = file[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = file[start..].find('\n').map_or(file.len(), |newline| start + newline);
        // A place of several lines is shown by its first one, without the line feed or blanks at its end.
        let end = start + file[start..end.clamp(start, line_end)].trim_end().len();
        let line_end = end + file[end..line_end].trim_end().len();

        if line_end - line_start <= LONGEST_LINE {
            let span = start - line_start..end - line_start;
            return Self { line, column, text: file[line_start..line_end].to_owned(), span, whole: true };
        }
        let before = last_characters(&file[line_start..start]);
        let marked = first_characters(&file[start..end]);
        let after = if marked.len() < end - start { "" } else { first_characters(&file[end..line_end]) };
        let span = before.len()..before.len() + marked.len();
        Self { line, column, text: format!("{before}{marked}{after}"), span, whole: false }
    }
}

fn first_characters(text: &str) -> &str {
    text.char_indices().nth(MARGIN).map_or(text, |(end, _)| &text[..end])
}

fn last_characters(text: &str) -> &str {
    text.char_indices().rev().nth(MARGIN - 1).map_or(text, |(start, _)| &text[start..])
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
