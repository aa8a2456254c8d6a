//! `${VAR}` and `${VAR:-default}` in the values of a file.
//!
//! Values are put in after the YAML is parsed, so that no value of the environment can change the file's structure.
//! Only `${` begins an interpolation: SQL parameters such as `$as_of` stay as they are. `$${` stands for `${`.

use std::collections::HashMap;

use super::folder::MAX_BYTES;
use super::tree::{Node, NodeKind};
use crate::{Diagnostic, Diagnostics, Located, closest};

/// Replaces every interpolation below `node`.
pub(super) fn interpolate(node: &mut Node, environment: &HashMap<String, String>, findings: &mut Diagnostics) {
    // A short file that names a long variable often must not fill the memory.
    let mut budget = MAX_BYTES;
    walk(node, environment, &mut budget, findings);
}

fn walk(node: &mut Node, environment: &HashMap<String, String>, budget: &mut usize, findings: &mut Diagnostics) {
    match &mut node.kind {
        NodeKind::Sequence(items) => items.iter_mut().for_each(|item| walk(item, environment, budget, findings)),
        NodeKind::Mapping(entries) => {
            entries.iter_mut().for_each(|(_, value)| walk(value, environment, budget, findings));
        }
        NodeKind::Scalar { text, .. } if text.contains("${") => {
            let located = Located { value: std::mem::take(text), place: node.place.clone() };
            match filled(&located, environment, budget) {
                Ok(filled) => *text = filled,
                Err(finding) => {
                    findings.push(finding);
                    *text = located.value;
                }
            }
        }
        NodeKind::Scalar { .. } => {}
    }
}

fn filled(
    value: &Located<String>,
    environment: &HashMap<String, String>,
    budget: &mut usize,
) -> Result<String, Diagnostic> {
    let text = value.value.as_str();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find("${") {
        let start = text.len() - rest.len() + dollar;
        if rest[..dollar].ends_with('$') {
            out.push_str(&rest[..dollar - 1]);
            out.push_str("${");
            rest = &rest[dollar + 2..];
            continue;
        }
        out.push_str(&rest[..dollar]);
        let Some(length) = rest[dollar..].find('}') else {
            return Err(Diagnostic::error("interpolation", "`${` without its `}`")
                .at(value.place_within(start..start + 2))
                .help("write `${VAR}` or `${VAR:-default}`; `$${` stands for the letters `${`"));
        };
        // Finding the place reads the whole value, so only findings pay for it.
        let place = || value.place_within(start..start + length + 1);
        let inserted =
            lookup(&rest[dollar + 2..dollar + length], environment).map_err(|finding| finding.at(place()))?;
        *budget = budget.checked_sub(inserted.len()).ok_or_else(|| {
            Diagnostic::error("interpolation", "the values put into this file come to more than 1 MiB").at(place())
        })?;
        out.push_str(inserted);
        rest = &rest[dollar + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn lookup<'a>(inner: &'a str, environment: &'a HashMap<String, String>) -> Result<&'a str, Diagnostic> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let valid = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !valid {
        return Err(Diagnostic::error("interpolation", format!("`{name}` is no name of an environment variable"))
            .help("write `${VAR}` or `${VAR:-default}`; `$${` stands for the letters `${`"));
    }
    // As in a shell, the default after `:-` also replaces a variable that is set but empty.
    match (environment.get(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default),
        (None, None) => {
            let missing = Diagnostic::error("unset-variable", format!("the environment variable `{name}` is not set"));
            let missing = match closest(name, environment.keys().map(String::as_str)) {
                Some(similar) => missing.label(format!("`{similar}` is set; did you mean that?")),
                None => missing,
            };
            Err(missing.help(format!("set it, or give a default: `${{{name}:-…}}`")))
        }
    }
}
