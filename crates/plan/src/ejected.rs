//! Models that were copied out of a library to be changed, with a note of what they were copied from.

use std::sync::Arc;

use throughline_config::{Diagnostic, Diagnostics, Library, ModelKind, Pipeline, Place, SourceFile};

use crate::step::digest;

const BEGINNING: &str = "-- Ejected from the library ";

/// The text of a library's model with the note as its first line. `program` names the version of the program.
pub fn ejected(library: &Library, file: &SourceFile, program: &str) -> String {
    let (library, path) = (&library.name.value, file.path.display());
    format!("{BEGINNING}{library} of {program}: {path}, {}.\n{}", digest([file.text.as_str()]), file.text)
}

/// The models whose original is not what it was when it was copied.
pub(crate) fn moved_on(pipeline: &Pipeline) -> Diagnostics {
    let mut findings = Diagnostics::default();
    for name in pipeline.replaced.keys() {
        let Some(ModelKind::Sql(copy)) = pipeline.models.get(name).map(|model| &model.kind) else { continue };
        let mut originals = pipeline.libraries.iter().filter_map(|library| library.models.get(name));
        let Some(ModelKind::Sql(original)) = originals.next().map(|model| &model.kind) else { continue };
        let (Some(noted), now) = (noted_digest(copy), digest([original.text.as_str()])) else { continue };
        if noted.text() != now {
            findings.push(
                Diagnostic::warning(
                    "original-changed",
                    format!("the library's `{name}` has changed since it was copied"),
                )
                .at(noted)
                .label(format!("now {now}"))
                .help(format!("`throughline library show {name}` prints it as it is now"))
                .help(format!("take over what you want of it and write {now} here, or remove the copy")),
            );
        }
    }
    findings
}

/// Where the note has the digest of the original.
fn noted_digest(copy: &Arc<SourceFile>) -> Option<Place> {
    let line = copy.text.lines().next().filter(|line| line.starts_with(BEGINNING))?.trim_end();
    let end = line.strip_suffix('.').map_or(line.len(), str::len);
    let start = line[..end].rfind(' ')? + 1;
    Some(Place { file: Arc::clone(copy), span: start..end })
}
