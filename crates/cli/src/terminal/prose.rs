//! Running text for standard error and standard output, in lines that fit the terminal.

use std::io::{ErrorKind, IsTerminal, Write};

use crate::exit::Exit;
use crate::terminal::table::framed;

/// Longer lines are hard to read, however wide the terminal.
const WIDEST: usize = 100;
const NARROWEST: usize = 40;

/// A line on standard error.
#[allow(clippy::print_stderr, reason = "the one place for words that are neither data nor failures")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Writes data to standard output; a reader who has seen enough is no failure.
pub(crate) fn put(text: &str) -> Result<(), Exit> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Exit::failed(format!("cannot write to standard output: {error}"), ""))
        }
        _ => Ok(()),
    }
}

/// Width of running text.
pub(crate) fn text_width() -> usize {
    framed().width().map_or(WIDEST, usize::from).clamp(NARROWEST, WIDEST)
}

/// `text` as lines of the terminal that standard error is; as it is where that is a file.
pub(crate) fn on_terminal(text: &str) -> String {
    match framed().width() {
        Some(width) if std::io::stderr().is_terminal() => wrapped(text, "", usize::from(width).max(NARROWEST)),
        _ => text.to_owned(),
    }
}

/// `text` in lines of at most `width` signs, `first` in front of the first and blanks of the same width in front of the
/// others. A word longer than that has a line of its own.
pub(crate) fn wrapped(text: &str, first: &str, width: usize) -> String {
    let indent = first.chars().count();
    let mut lines = vec![first.to_owned()];
    let mut length = indent;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let word_length = word.chars().count();
        // A number and its per cent stay together.
        let glued = words.peek().filter(|next| next.starts_with('%')).map_or(0, |next| 1 + next.chars().count());
        let breaks = !word.starts_with('%') && length + 1 + word_length + glued > width;
        if length > indent && breaks {
            lines.push(" ".repeat(indent));
            length = indent;
        }
        if let Some(line) = lines.last_mut() {
            if length > indent {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += word_length;
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", "- ", 9), "- one two\n  three");
        assert_eq!(wrapped("unbreakable", "", 4), "unbreakable");
        assert_eq!(wrapped("some 12 % more", "", 8), "some\n12 %\nmore");
        assert_eq!(wrapped("", "- ", 9), "- ");
    }
}
