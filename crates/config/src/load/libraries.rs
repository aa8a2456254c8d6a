//! `uses:`: the libraries of a pipeline, each a `library.yaml` with the SQL files beside it.
//!
//! A library's models, triggers and variables are kept as YAML here; the pipeline may change them key by key (`merge`)
//! before they are read as those of the pipeline are.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::inputs;
use super::interpolate::interpolate;
use super::library_folder::LibraryFolder;
use super::tree::{self, Entries, Node, NodeKind};
use super::workspace::Workspace;
use crate::{BuiltInLibrary, Diagnostic, Diagnostics, Input, LoadOptions, Located, Place, SourceFile, closest};

pub(crate) const KEYS: [&str; 8] =
    ["name", "description", "inputs", "variables", "models", "triggers", "dictionary", "semantics"];
/// The file that makes a folder a library.
const DECLARATION: &str = "library.yaml";

/// A library as its YAML declares it.
pub(super) struct Declared {
    pub(super) name: Located<String>,
    pub(super) used: Located<String>,
    pub(super) description: Option<String>,
    pub(super) inputs: IndexMap<String, Input>,
    /// What a model that is an input is declared with: its grain, tests, and so on.
    pub(super) input_models: Entries,
    pub(super) variables: Entries,
    pub(super) models: Entries,
    pub(super) triggers: Entries,
    /// Comments by column, with the node that holds them.
    pub(super) dictionary: Entries,
    /// What tables and their figures mean to BI tools.
    pub(super) semantics: Entries,
}

/// Reads the libraries that `uses:` names, and makes their files known to the workspace.
pub(super) fn libraries(
    field: Option<Field<'_>>,
    workspace: &mut Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Vec<Declared> {
    let Some(field) = field else { return Vec::new() };
    let names = match &field.node.kind {
        NodeKind::Sequence(_) => field.texts(findings),
        _ => field.text(findings).into_iter().collect(),
    };
    let mut declared = Vec::new();
    for used in names {
        let folder = match folder(&used, workspace, options) {
            Ok(folder) => folder,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        declared.extend(read(used, folder, workspace, options, findings));
    }
    if refuse_clashes(&declared, findings) {
        // Of the first alone: each name is reported once.
        declared.truncate(1);
    }
    declared
}

/// A library of the program that no pipeline names.
pub(super) fn built_in(
    library: &BuiltInLibrary,
    workspace: &mut Workspace,
    findings: &mut Diagnostics,
) -> Option<Declared> {
    let file = Arc::new(SourceFile { path: "uses".into(), text: library.name.to_owned() });
    let used = Located { value: library.name.to_owned(), place: Place { file, span: 0..library.name.len() } };
    read(used, LibraryFolder::built_in(library), workspace, &LoadOptions::default(), findings)
}

/// A name is that of a built-in library; with a slash it is a folder.
fn folder(used: &Located<String>, workspace: &Workspace, options: &LoadOptions) -> Result<LibraryFolder, Diagnostic> {
    if used.value.contains(['/', '\\']) || used.value.starts_with('.') {
        return LibraryFolder::of_folder(used, &workspace.root);
    }
    let names = || options.libraries.iter().map(|library| library.name);
    if let Some(library) = options.libraries.iter().find(|library| library.name == used.value) {
        return Ok(LibraryFolder::built_in(library));
    }
    let unknown = Diagnostic::error("unknown-library", format!("the program has no library `{}`", used.value))
        .at(used.place.clone());
    let unknown = match closest(&used.value, names()) {
        Some(name) => unknown.label(format!("did you mean `{name}`?")),
        None => unknown,
    };
    Err(unknown
        .help(format!("it has: {}", names().collect::<Vec<_>>().join(", ")))
        .help(format!("a folder that holds a `{DECLARATION}` is written with a slash: `./{}`", used.value)))
}

fn read(
    used: Located<String>,
    mut folder: LibraryFolder,
    workspace: &mut Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Option<Declared> {
    let root = declaration(Path::new(DECLARATION), &used, &mut folder, options, findings)?;
    let header = Place { file: root.place.file.clone(), span: root.place.span.start..root.place.span.start };
    let what = format!("the library `{}`", used.value);
    let fields = Fields::open(&root, header, what, &KEYS, findings)?;
    let name = fields.required("name", "company_journeys", findings).and_then(|field| field.text(findings))?;
    let entries = |key: &str, findings: &mut Diagnostics| {
        let field = fields.get(key);
        field.map_or_else(Vec::new, |field| field.entries("a mapping of names", findings).to_vec())
    };
    let (inputs, input_models) =
        fields.get("inputs").map_or_else(Default::default, |field| inputs::inputs(field, &name, findings));
    let variables = entries("variables", findings);
    let triggers = entries("triggers", findings);
    let models = match fields.get("models") {
        Some(field) if matches!(field.node.kind, NodeKind::Mapping(_)) => entries("models", findings),
        Some(field) => files(field, &mut folder, options, findings),
        None => Vec::new(),
    };
    let mut inline_or_files = |key: &str| match fields.get(key) {
        Some(field) if !matches!(field.node.kind, NodeKind::Mapping(_)) => files(field, &mut folder, options, findings),
        Some(_) => entries(key, findings),
        None => Vec::new(),
    };
    let dictionary = inline_or_files("dictionary");
    let semantics = inline_or_files("semantics");
    let description = fields.words("description", findings);
    workspace.libraries.push(folder);
    Some(Declared { name, used, description, inputs, input_models, variables, models, triggers, dictionary, semantics })
}

/// The entries of the files that a text or a list of texts names.
fn files(field: Field<'_>, folder: &mut LibraryFolder, options: &LoadOptions, findings: &mut Diagnostics) -> Entries {
    let paths = match &field.node.kind {
        NodeKind::Sequence(_) => field.texts(findings),
        _ => field.text(findings).into_iter().collect(),
    };
    let mut entries = Vec::new();
    for path in paths {
        let Some(root) = declaration(Path::new(&path.value), &path, folder, options, findings) else { continue };
        match root.kind {
            NodeKind::Mapping(found) => entries.extend(found),
            _ => findings.push(
                Diagnostic::error("wrong-type", format!("the file must be a mapping, found {}", root.described()))
                    .at(root.place),
            ),
        }
    }
    entries
}

fn declaration(
    path: &Path,
    named: &Located<String>,
    folder: &mut LibraryFolder,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Option<Node> {
    let file = folder.declaration(path).map_err(|finding| match finding.place {
        Some(_) => finding,
        None => finding.at(named.place.clone()),
    });
    let file = file.map_err(|finding| findings.push(finding)).ok()?;
    let mut root = tree::parse(&file, findings)?;
    interpolate(&mut root, &options.environment, findings);
    Some(root)
}

/// Whether two libraries define one name; nothing says which of them would be meant.
fn refuse_clashes(libraries: &[Declared], findings: &mut Diagnostics) -> bool {
    let before = findings.0.len();
    let mut taken: IndexMap<(&str, &str), (&Located<String>, &Declared)> = IndexMap::new();
    for library in libraries {
        let inputs = library.inputs.values().map(|input| ("relation", &input.name));
        let models = library.models.iter().map(|(name, _)| ("relation", name));
        let triggers = library.triggers.iter().map(|(name, _)| ("trigger", name));
        let variables = library.variables.iter().map(|(name, _)| ("variable", name));
        for (what, name) in inputs.chain(models).chain(triggers).chain(variables) {
            let Some((first, other)) = taken.insert((what, name.value.as_str()), (name, library)) else { continue };
            let (line, _) = first.place.line_and_column();
            let message = format!(
                "two libraries define the {what} `{}`: `{}` and `{}`",
                name.value, other.used.value, library.used.value
            );
            findings.push(
                Diagnostic::error("name-clash", message)
                    .at(name.place.clone())
                    .label(format!("first defined in {}:{line}", first.place.file.path.display()))
                    .help("use one of the two libraries, or rename it in one that is yours"),
            );
        }
    }
    findings.0.len() > before
}
