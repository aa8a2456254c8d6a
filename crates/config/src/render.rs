//! Findings as text for a terminal: message, place, source line, caret, help.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::{Diagnostic, Place, Severity};

/// Characters of a source line shown on each side of the caret; generated files have lines of any length.
const MARGIN: usize = 120;
/// The longest message or label shown, in characters: a value a person pasted by mistake must not flood the screen.
const LONGEST_TEXT: usize = 2_000;

/// All findings, separated by blank lines. Ends with a line feed when there is anything to say.
pub(crate) fn findings(findings: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in findings {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&one(finding, &renderer));
        text.push('\n');
    }
    text
}

fn one(finding: &Diagnostic, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let excerpt = finding.place.as_ref().map(Excerpt::of);
    let mut report = Group::with_title(level.primary_title(shortened(&finding.message)).id(finding.code));
    if let (Some(place), Some(excerpt)) = (&finding.place, &excerpt) {
        // The place is given by hand because the excerpt may begin in the middle of its line.
        let path = place.file.path.to_string_lossy().into_owned();
        report = report.element(Origin::path(path).line(excerpt.line).char_column(excerpt.column));
        if !excerpt.text.is_empty() {
            let mut caret = AnnotationKind::Primary.span(excerpt.span.clone());
            if !finding.label.is_empty() {
                caret = caret.label(shortened(&finding.label));
            }
            report = report.element(Snippet::source(&excerpt.text).line_start(excerpt.line).annotation(caret));
        }
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
}

impl Excerpt {
    fn of(place: &Place) -> Self {
        let (line, column) = place.line_and_column();
        let whole = &place.file.text;
        let Range { start, end } = place.span.clone();
        let line_start = whole[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = whole[start..].find('\n').map_or(whole.len(), |newline| start + newline);
        // A place of several lines is shown by its first one, without the line feed or blanks at its end.
        let shown_end = end.clamp(start, line_end);
        let end = start + whole[start..shown_end].trim_end().len();

        let before = &whole[line_start..start];
        let after = whole[end..line_end].trim_end();
        let from = before.char_indices().rev().nth(MARGIN - 1).map_or(0, |(index, _)| index);
        let until = after.char_indices().nth(MARGIN).map_or(after.len(), |(index, _)| index);
        let marked = &whole[start..end];
        let marked_until = marked.char_indices().nth(MARGIN).map_or(marked.len(), |(index, _)| index);

        let mut text = String::new();
        if from > 0 {
            text.push('…');
        }
        text.push_str(&before[from..]);
        let span_start = text.len();
        text.push_str(&marked[..marked_until]);
        let span = span_start..text.len();
        if marked_until < marked.len() {
            text.push('…');
        } else {
            text.push_str(&after[..until]);
            if until < after.len() {
                text.push('…');
            }
        }
        Self { line, column, text, span }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
