//! Names: which are reserved, which are taken, and the finding where two things have one name.

use indexmap::IndexMap;

use super::values;
use crate::{Diagnostic, Diagnostics, Located};

/// Relations the program makes, and the name of the total over all segments (SEMANTICS 5).
const RESERVED_RELATIONS: [&str; 6] = ["all", "journey_definitions", "fct_trigger", "runs", "run_steps", "run_tests"];

/// Names a relation or a journey, or says why not.
pub(super) fn check_relation_name(name: &Located<String>, what: &str, findings: &mut Diagnostics) {
    if let Some(finding) = values::check_name(name, what, &RESERVED_RELATIONS) {
        findings.push(finding);
    }
}

/// Two things with one name.
pub(super) fn clash(second: &Located<String>, second_is: &str, first: &Located<String>, first_is: &str) -> Diagnostic {
    let (line, _) = first.place.line_and_column();
    let file = first.place.file.path.display();
    let message = if second_is == first_is {
        format!("a second {second_is} is named `{}`", second.value)
    } else {
        format!("the {second_is} `{}` has the name of a {first_is}", second.value)
    };
    Diagnostic::error("name-clash", message)
        .at(second.place.clone())
        .label(format!("first used in {file}:{line}"))
        .help("rename one of the two")
}

/// The names SQL can use: sources, seeds and models share them.
#[derive(Default)]
pub(super) struct Names {
    taken: IndexMap<String, (Located<String>, &'static str)>,
}

impl Names {
    /// Whether the name was still free; a clash is a finding.
    pub(super) fn admit(&mut self, name: &Located<String>, what: &'static str, findings: &mut Diagnostics) -> bool {
        if let Some((first, first_is)) = self.taken.get(&name.value) {
            findings.push(clash(name, what, first, first_is));
            return false;
        }
        self.taken.insert(name.value.clone(), (name.clone(), what));
        true
    }
}
