//! The syntax of TMDL (Microsoft's "Tabular Model Definition Language" reference): indentation by tabs, names between
//! single quotes where they are not plain, descriptions behind three slashes.

use std::fmt::Write as _;

/// A text in the making.
#[derive(Default)]
pub(crate) struct Tmdl {
    text: String,
}

impl Tmdl {
    /// A line so many levels deep.
    pub(crate) fn line(&mut self, depth: usize, line: &str) {
        for _ in 0..depth {
            self.text.push('\t');
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// The description of the object that follows, which may have several lines.
    pub(crate) fn description(&mut self, depth: usize, description: Option<&str>) {
        for line in description.unwrap_or_default().lines() {
            let line: String = line.chars().map(|letter| if breaks_lines(letter) { ' ' } else { letter }).collect();
            self.line(depth, format!("/// {line}").trim_end());
        }
    }

    /// A property with a text for its value.
    pub(crate) fn text(&mut self, depth: usize, property: &str, value: &str) {
        let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if plain {
            self.line(depth, &format!("{property}: {value}"));
        } else {
            self.line(depth, &format!("{property}: \"{}\"", value.replace('"', "\"\"")));
        }
    }

    /// An annotation, which holds what the format has no property for.
    pub(crate) fn annotation(&mut self, depth: usize, name: &str, value: &str) {
        self.line(depth, &format!("annotation {name} = {value}"));
    }

    /// All of it.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

fn breaks_lines(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// An object's name.
pub(crate) fn name(name: &str) -> String {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "''"))
    }
}

/// A text in Power Query's language M.
pub(crate) fn m_text(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\"\""),
            // `#(` begins an escape.
            '#' => out.push_str("#(#)"),
            letter if breaks_lines(letter) => {
                let _ = write!(out, "#({:04x})", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
