//! YAML as Cube reads it: every text is a Python f-string, and a file with Jinja's brackets is a template first.

use serde_json::Value;

/// A text that stays what it is: braces and backslashes mean nothing in it.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '{' => out.push_str("\\{"),
            '}' => out.push_str("\\}"),
            '\n' => out.push_str("\\n"),
            // Neither its lexer nor people have a use for the others.
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

/// A value in block style, every text in double quotes.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                out.push_str(&format!("{indent}{key}:"));
                below(value, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(entries) if !entries.is_empty() => {
                        let mut inner = String::new();
                        block(item, depth + 1, &mut inner);
                        // The first key stands behind the dash.
                        out.push_str(&format!("{indent}- {}", inner.trim_start()));
                    }
                    item => out.push_str(&format!("{indent}- {}\n", scalar(item))),
                }
            }
        }
        value => out.push_str(&format!("{indent}{}\n", scalar(value))),
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        block(value, depth + 1, out);
    } else {
        out.push_str(&format!(" {}\n", scalar(value)));
    }
}

/// JSON's texts are YAML's double-quoted ones. A bracket that begins or ends something in Jinja is written by number.
fn scalar(value: &Value) -> String {
    let text = value.to_string();
    if !value.is_string() {
        return text;
    }
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (place, letter) in letters.iter().enumerate() {
        let next = letters.get(place + 1).copied();
        let before = place.checked_sub(1).and_then(|before| letters.get(before)).copied();
        match letter {
            '{' if matches!(next, Some('{' | '%' | '#')) || before == Some('{') => out.push_str("\\u007b"),
            '}' if matches!(before, Some('}' | '%' | '#')) || next == Some('}') => out.push_str("\\u007d"),
            letter => out.push(*letter),
        }
    }
    out
}
