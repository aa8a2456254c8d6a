//! `variables:`, and other values in the place of declared ones.

use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::Field;
use super::tree::{Entries, Node, NodeKind};
use super::values;
use crate::{Diagnostic, Diagnostics, LoadOptions, Located, Place, SourceFile, Variable, closest};

/// SQL parameters the program sets.
const RESERVED_VARIABLES: [&str; 3] = ["as_of", "start", "assisted_channels"];

/// The variables of the libraries and the pipeline's own, with the pipeline's values and those of the command line in
/// place.
pub(super) fn variables(
    libraries: &[&Entries],
    field: Option<Field<'_>>,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> IndexMap<String, Located<Variable>> {
    let mut variables = IndexMap::new();
    for (name, node) in libraries.iter().flat_map(|entries| entries.iter()) {
        declare(name, node, &mut variables, findings);
    }
    let entries = field.map_or(&[][..], |field| field.entries("a mapping of names to values", findings));
    for (name, node) in entries {
        if !variables.contains_key(&name.value) {
            declare(name, node, &mut variables, findings);
        } else if let Some(text) = (Field { key: name, node }).text(findings)
            && let Err(finding) = override_variable(name, &text, "the pipeline", &mut variables)
        {
            findings.push(finding);
        }
    }
    for (name, text) in &options.variables {
        // A variable whose declaration is broken has its own finding already.
        let broken = entries.iter().any(|(declared, _)| declared.value == *name) && !variables.contains_key(name);
        if !broken && let Err(finding) = replace(name, text, &mut variables) {
            findings.push(finding);
        }
    }
    variables
}

fn declare(
    name: &Located<String>,
    node: &Node,
    variables: &mut IndexMap<String, Located<Variable>>,
    findings: &mut Diagnostics,
) {
    if let Some(finding) = values::check_name(name, "variable", &RESERVED_VARIABLES) {
        findings.push(finding);
    }
    let Some(text) = (Field { key: name, node }).text(findings) else { return };
    let plain = matches!(node.kind, NodeKind::Scalar { plain: true, .. });
    match values::variable(&text, plain) {
        Ok(value) => {
            variables.insert(name.value.clone(), Located { value, place: text.place });
        }
        Err(finding) => findings.push(finding),
    }
}

/// Puts a value of the command line in the place of the declared one.
fn replace(name: &str, text: &str, variables: &mut IndexMap<String, Located<Variable>>) -> Result<(), Diagnostic> {
    let file = Arc::new(SourceFile { path: "--vars".into(), text: format!("{name}={text}") });
    let place = |span| Place { file: Arc::clone(&file), span };
    let value = Located { value: text.to_owned(), place: place(name.len() + 1..name.len() + 1 + text.len()) };
    let name = Located { value: name.to_owned(), place: place(0..name.len()) };
    override_variable(&name, &value, "the command line", variables)
}

/// Puts another value in the place of a declared one; it must be of the same kind. `whose` names who says so.
pub(super) fn override_variable(
    name: &Located<String>,
    text: &Located<String>,
    whose: &str,
    variables: &mut IndexMap<String, Located<Variable>>,
) -> Result<(), Diagnostic> {
    let Some(declared) = variables.get_mut(&name.value) else {
        let message = format!("the pipeline has no variable `{}`", name.value);
        let unknown = Diagnostic::error("unknown-variable", message).at(name.place.clone());
        let unknown = match closest(name, variables.keys().map(String::as_str)) {
            Some(similar) => unknown.label(format!("did you mean `{similar}`?")),
            None => unknown,
        };
        let names: Vec<&str> = variables.keys().map(String::as_str).collect();
        return Err(if names.is_empty() {
            unknown.help("it declares none: add it under `variables:`")
        } else {
            unknown.help(format!("it declares: {}", names.join(", ")))
        });
    };
    let value = match (&declared.value, values::variable(text, true)) {
        (Variable::Text(_), _) => Variable::Text(text.value.clone()),
        (_, Err(finding)) => return Err(finding),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a number with a fraction was declared, so a double is what is wanted"
        )]
        (Variable::Float(_), Ok(Variable::Integer(integer))) => Variable::Float(integer as f64),
        (declared, Ok(value)) if values::kind_of(declared) == values::kind_of(&value) => value,
        (declared, Ok(_)) => {
            let expected = values::kind_of(declared);
            return Err(Diagnostic::error("bad-value", format!("the variable `{}` is {expected}", name.value))
                .at(text.place.clone())
                .label(format!("expected {expected}"))
                .help(format!("the pipeline's file declares it; {whose} can change the value, not the kind")));
        }
    };
    *declared = Located { value, place: text.place.clone() };
    Ok(())
}
