//! Which libraries the commands speak of.

use throughline_config::{
    Diagnostics, Library, LoadOptions, Model, ModelKind, Pipeline, built_in_library, closest, load_pipeline,
};

use crate::arguments::WorkspaceArguments;
use crate::built_in::LIBRARIES;
use crate::exit::Exit;
use crate::terminal::say;

/// The libraries that are spoken of: those of a pipeline, or those of the program where there is no workspace.
pub(super) struct Known {
    pub(super) libraries: Vec<Library>,
    pub(super) pipeline: Option<Pipeline>,
}

impl Known {
    /// Those of the workspace, or of the program.
    pub(super) fn of(workspace: &WorkspaceArguments) -> Result<Self, Exit> {
        if !workspace.project.join("pipelines").is_dir() {
            return Self::of_program();
        }
        let pipeline = match load_pipeline(&load_options(workspace)) {
            Ok((pipeline, _warnings)) => pipeline,
            // Who is told to look at what a library asks for has no pipeline that loads yet.
            Err(_) => {
                say("the pipeline does not load yet, `throughline check` says why; this is what the program has\n");
                return Self::of_program();
            }
        };
        if pipeline.libraries.is_empty() {
            return Err(Exit::refused(
                format!("the pipeline `{}` uses no library", pipeline.name.value),
                "add `uses: key_journeys` to it, or leave the workspace: there, the program's own are listed",
            ));
        }
        Ok(Self { libraries: pipeline.libraries.clone(), pipeline: Some(pipeline) })
    }

    fn of_program() -> Result<Self, Exit> {
        let libraries: Result<Vec<Library>, Diagnostics> = LIBRARIES.iter().map(built_in_library).collect();
        Ok(Self { libraries: libraries?, pipeline: None })
    }

    /// A model by name, with its library.
    pub(super) fn model(&self, name: &str) -> Option<(&Library, &Model)> {
        self.libraries.iter().find_map(|library| Some((library, library.models.get(name)?)))
    }

    /// No library has it.
    pub(super) fn unknown(&self, name: &str) -> Exit {
        if self.libraries.iter().any(|library| library.inputs.contains_key(name)) {
            return Exit::refused(
                format!("`{name}` is an input: a library asks for it, and the pipeline makes it"),
                format!("`throughline library show {name}` says which columns it has"),
            );
        }
        let names = || {
            let of =
                |library: &'_ Library| library.inputs.keys().chain(library.models.keys()).cloned().collect::<Vec<_>>();
            self.libraries.iter().flat_map(of).collect::<Vec<String>>()
        };
        let near = closest(name, names().iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?\n"));
        Exit::refused(
            format!("no library has a model or an input `{name}`"),
            format!("{}`throughline library list` lists them", near.unwrap_or_default()),
        )
    }
}

/// What loading the workspace's pipeline needs.
pub(super) fn load_options(workspace: &WorkspaceArguments) -> LoadOptions {
    LoadOptions {
        pipeline: workspace.pipeline.clone(),
        variables: workspace.variables.clone(),
        libraries: LIBRARIES,
        ..LoadOptions::new(workspace.project.clone())
    }
}

/// How a model is made, in YAML's words.
pub(super) fn made(model: &Model) -> String {
    match &model.kind {
        ModelKind::Sql(file) => file.path.display().to_string(),
        ModelKind::Union(files) => {
            files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ")
        }
        ModelKind::Match { input, .. } => format!("match: {}", input.value),
        ModelKind::Eligible { input } => format!("eligible: {}", input.value),
    }
}
