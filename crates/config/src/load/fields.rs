//! Strict reading of mappings: unknown keys, missing keys and wrong kinds of values are findings with a way out.

use super::tree::{Node, NodeKind};
use super::values;
use crate::{Diagnostic, Diagnostics, Duration, Located, Place, closest};

/// A mapping whose keys are known in advance.
pub(super) struct Fields<'a> {
    /// For messages, e.g. "source `calls`".
    pub(super) what: String,
    /// Where the mapping's name stands: what to blame for a key that is missing.
    pub(super) header: Place,
    entries: &'a [(Located<String>, Node)],
}

/// One key and its value.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) key: &'a Located<String>,
    pub(super) node: &'a Node,
}

impl<'a> Fields<'a> {
    /// Opens a mapping and reports every key that is not `known`; `None` when it is no mapping.
    pub(super) fn open(
        node: &'a Node,
        header: Place,
        what: String,
        known: &[&'static str],
        findings: &mut Diagnostics,
    ) -> Option<Self> {
        let NodeKind::Mapping(entries) = &node.kind else {
            let place = if node.is_null() { header } else { node.place.clone() };
            findings.push(
                Diagnostic::error("wrong-type", format!("{what} must be a mapping, found {}", node.described()))
                    .at(place)
                    .help(format!("its keys: {}", known.join(", "))),
            );
            return None;
        };
        for (key, _) in entries {
            if !known.contains(&key.value.as_str()) {
                findings.push(unknown_key(key, &what, known));
            }
        }
        Some(Self { what, header, entries })
    }

    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        self.entries.iter().find(|(key, _)| key.value == name).map(|(key, node)| Field { key, node })
    }

    /// The field, or a finding that it is missing; `example` shows how it is written.
    pub(super) fn required(&self, name: &str, example: &str, findings: &mut Diagnostics) -> Option<Field<'a>> {
        let field = self.get(name);
        if field.is_none() {
            findings.push(
                Diagnostic::error("missing-key", format!("{} has no `{name}`", self.what))
                    .at(self.header.clone())
                    .help(format!("add `{name}: {example}`")),
            );
        }
        field
    }

    /// An optional text.
    pub(super) fn text(&self, name: &str, findings: &mut Diagnostics) -> Option<Located<String>> {
        self.get(name).and_then(|field| field.text(findings))
    }

    /// An optional text whose place does not matter later.
    pub(super) fn words(&self, name: &str, findings: &mut Diagnostics) -> Option<String> {
        self.text(name, findings).map(|text| text.value)
    }

    /// An optional list of texts; empty when absent.
    pub(super) fn texts(&self, name: &str, findings: &mut Diagnostics) -> Vec<Located<String>> {
        self.get(name).map_or_else(Vec::new, |field| field.texts(findings))
    }

    /// An optional share of a whole, 0 to 1: a number, or `20 %`.
    pub(super) fn share(&self, name: &str, findings: &mut Diagnostics) -> Option<f64> {
        let text = self.text(name, findings)?;
        let (digits, whole) = match text.value.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), 100.0),
            None => (text.value.as_str(), 1.0),
        };
        let share = digits.parse::<f64>().ok().map(|number| number / whole).filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            findings.push(
                Diagnostic::error("bad-value", format!("`{name}` is no share: `{}`", text.value))
                    .at(text.place)
                    .help("write e.g. `5 %` or `0.05`, from nothing to 100 %"),
            );
        }
        share
    }

    /// An optional length of time greater than zero.
    pub(super) fn limit(&self, name: &str, findings: &mut Diagnostics) -> Option<Duration> {
        let text = self.text(name, findings)?;
        match values::duration(&text.value) {
            Ok(Duration(length)) if length > 0 => Some(Duration(length)),
            Ok(_) => {
                findings.push(
                    Diagnostic::error("bad-duration", format!("`{name}` must be longer than nothing"))
                        .at(text.place)
                        .help(format!("leave `{name}` out for no limit")),
                );
                None
            }
            Err(wrong) => {
                findings.push(wrong.of(&text).at(text.place));
                None
            }
        }
    }
}

impl<'a> Field<'a> {
    /// Where to point when the value is wrong: an empty value has no letters of its own.
    pub(super) fn place(&self) -> Place {
        if self.node.is_null() { self.key.place.clone() } else { self.node.place.clone() }
    }

    pub(super) fn wrong_type(&self, expected: &str) -> Diagnostic {
        let name = &self.key.value;
        if self.node.is_null() {
            return Diagnostic::error("empty-value", format!("`{name}` has no value"))
                .at(self.place())
                .label(format!("expected {expected}"))
                .help("give it one, or leave the key out");
        }
        Diagnostic::error("wrong-type", format!("`{name}` must be {expected}, found {}", self.node.described()))
            .at(self.place())
    }

    pub(super) fn text(&self, findings: &mut Diagnostics) -> Option<Located<String>> {
        match &self.node.kind {
            NodeKind::Scalar { text, .. } if !self.node.is_null() && !text.trim().is_empty() => {
                Some(Located { value: text.clone(), place: self.node.place.clone() })
            }
            NodeKind::Scalar { .. } if !self.node.is_null() => {
                findings.push(
                    Diagnostic::error("empty-value", format!("`{}` is an empty text", self.key.value)).at(self.place()),
                );
                None
            }
            _ => {
                findings.push(self.wrong_type("text"));
                None
            }
        }
    }

    /// A list of texts with at least one entry and none twice.
    pub(super) fn texts(&self, findings: &mut Diagnostics) -> Vec<Located<String>> {
        let NodeKind::Sequence(items) = &self.node.kind else {
            let wrong = self.wrong_type("a list");
            let wrong = match &self.node.kind {
                NodeKind::Scalar { text, .. } if !self.node.is_null() => {
                    wrong.help(format!("write `{}: [{text}]`", self.key.value))
                }
                _ => wrong,
            };
            findings.push(wrong);
            return Vec::new();
        };
        if items.is_empty() {
            findings.push(
                Diagnostic::error("empty-value", format!("`{}` is an empty list", self.key.value))
                    .at(self.place())
                    .help("give it entries, or leave the key out"),
            );
        }
        let mut texts: Vec<Located<String>> = Vec::with_capacity(items.len());
        let mut seen = std::collections::HashSet::new();
        for node in items {
            let Some(text) = (Field { key: self.key, node }).text(findings) else { continue };
            if seen.insert(text.value.clone()) {
                texts.push(text);
            } else {
                findings.push(
                    Diagnostic::error(
                        "duplicate-value",
                        format!("`{}` stands twice in `{}`", text.value, self.key.value),
                    )
                    .at(text.place)
                    .help("keep one of the two"),
                );
            }
        }
        texts
    }

    /// The entries of a mapping from names a person chooses.
    pub(super) fn entries(&self, of: &str, findings: &mut Diagnostics) -> &'a [(Located<String>, Node)] {
        match &self.node.kind {
            NodeKind::Mapping(entries) => entries,
            _ => {
                findings.push(self.wrong_type(of));
                &[]
            }
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn integer(&self, least: i64, most: i64, findings: &mut Diagnostics) -> Option<i64> {
        let expected = || match most {
            i64::MAX => format!("a whole number of at least {least}"),
            _ => format!("a whole number from {least} to {most}"),
        };
        let NodeKind::Scalar { text, plain: true } = &self.node.kind else {
            findings.push(self.wrong_type(&expected()));
            return None;
        };
        let number =
            values::number(text).and_then(|number| number.as_i64()).filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let wrong = if self.node.is_null() {
                self.wrong_type(&expected())
            } else {
                Diagnostic::error("bad-value", format!("`{}` must be {}, found `{text}`", self.key.value, expected()))
                    .at(self.place())
            };
            findings.push(wrong);
        }
        number
    }

    /// One of a few words, each with what it stands for.
    pub(super) fn one_of<T: Copy>(
        &self,
        words: &[(&'static str, T)],
        findings: &mut Diagnostics,
    ) -> Option<Located<T>> {
        let text = self.text(findings)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Located { value: *value, place: text.place });
        }
        let names: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        let wrong = Diagnostic::error("bad-value", format!("`{}` cannot be `{}`", self.key.value, text.value))
            .at(text.place.clone());
        let wrong = match closest(&text.value, names.iter().copied()) {
            Some(word) => wrong.label(format!("did you mean `{word}`?")),
            None => wrong,
        };
        findings.push(wrong.help(format!("one of: {}", names.join(", "))));
        None
    }
}

/// A key that is not among the `known` ones of `what`.
pub(super) fn unknown_key(key: &Located<String>, what: &str, known: &[&'static str]) -> Diagnostic {
    let unknown = Diagnostic::error("unknown-key", format!("{what} has no key `{}`", key.value)).at(key.place.clone());
    let unknown = match closest(&key.value, known.iter().copied()) {
        Some(name) => unknown.label(format!("did you mean `{name}`?")),
        None => unknown,
    };
    unknown.help(format!("its keys: {}", known.join(", ")))
}
