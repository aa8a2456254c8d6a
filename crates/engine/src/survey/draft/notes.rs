//! Questions to the person, and comments beside what was found or guessed.

use std::fmt::Write as _;

/// Signs of a line of a comment, its indent included.
const WIDTH: usize = 116;

/// Something that the data do not settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The file of the new workspace in which the answer is written.
    pub file: String,
    /// What to decide, and what stands there until then.
    pub text: String,
}

/// The questions so far. Comments name them by their number.
#[derive(Debug, Default)]
pub(crate) struct Questions(pub(crate) Vec<Question>);

impl Questions {
    /// Adds a question and returns how a comment names it.
    pub(crate) fn ask(&mut self, file: &str, text: impl Into<String>) -> String {
        let text = text.into();
        let known = self.0.iter().position(|question| question.file == file && question.text == text);
        let number = known.unwrap_or_else(|| {
            self.0.push(Question { file: file.to_owned(), text });
            self.0.len() - 1
        });
        format!("question {}", number + 1)
    }
}

/// Lines of a comment: the text wrapped behind `begins`, e.g. `-- ` or `# `, at an indent of so many blanks.
pub(crate) fn comment(indent: usize, begins: &str, text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    let room = WIDTH.saturating_sub(indent + begins.len());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            let _ = writeln!(lines, "{:indent$}{begins}{line}", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(lines, "{:indent$}{begins}{line}", "");
    }
    lines
}

/// `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The day of an instant in microseconds since 1970.
pub(crate) fn day(instant: i64) -> String {
    chrono::DateTime::from_timestamp_micros(instant).map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string())
}

/// A text that stands in a comment: on one line, and not too long.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let plain: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(MOST).collect();
    if text.chars().count() > MOST { format!("{plain}…") } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_wrapped_and_questions_are_numbered_once() {
        let text = comment(4, "-- ", &"word ".repeat(40));
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.starts_with("    -- word") && line.len() <= WIDTH));
        let mut questions = Questions::default();
        assert_eq!(questions.ask("a.sql", "which?"), "question 1");
        assert_eq!(questions.ask("b.sql", "which?"), "question 2");
        assert_eq!(questions.ask("a.sql", "which?"), "question 1");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(shown("a\nb"), "a b");
    }
}
