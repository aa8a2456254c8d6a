//! Names of datasets, as OpenLineage's naming conventions have them: a file system's or bucket's namespace and a path.

use std::path::{Component, Path, PathBuf};

use throughline_engine::Prepared;
use throughline_plan::{JOURNEY_DEFINITIONS, StepKind};

/// A dataset's namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dataset {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The dataset behind a relation: a source's files, a table of the warehouse, or for a view, which is stored nowhere, a
/// name in the jobs' own namespace.
pub(crate) fn dataset(relation: &str, prepared: &Prepared, jobs: &str) -> Dataset {
    let pipeline = &prepared.plan.pipeline;
    if let Some(source) = pipeline.sources.get(relation) {
        return at(&source.path.value, &pipeline.project);
    }
    let is_view = prepared.plan.step(relation).is_some_and(|step| step.kind == StepKind::View);
    if is_view || relation == JOURNEY_DEFINITIONS {
        return Dataset { namespace: jobs.to_owned(), name: format!("{}.{relation}", pipeline.name.value) };
    }
    let Dataset { namespace, name } = at(&pipeline.warehouse.value, &pipeline.project);
    Dataset { namespace, name: format!("{}/{relation}", name.trim_end_matches('/')) }
}

/// `s3://bucket/a/b` is `a/b` in `s3://bucket`; a path is absolute in `file`.
fn at(address: &str, project: &Path) -> Dataset {
    let local = address.strip_prefix("file://").unwrap_or(address);
    match local.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            Dataset { namespace: format!("{scheme}://{authority}"), name: path.trim_end_matches('/').to_owned() }
        }
        None => {
            let project = project.canonicalize().unwrap_or_else(|_| project.to_owned());
            let mut path = PathBuf::new();
            for component in project.join(local).components() {
                match component {
                    Component::CurDir => {}
                    Component::ParentDir => {
                        path.pop();
                    }
                    other => path.push(other),
                }
            }
            Dataset { namespace: "file".to_owned(), name: path.display().to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let named = |address| {
            let Dataset { namespace, name } = at(address, Path::new("/no/such/project"));
            format!("{namespace} {name}")
        };
        assert_eq!(named("s3://bucket/lake/calls/"), "s3://bucket lake/calls");
        assert_eq!(named("s3://bucket"), "s3://bucket ");
        assert_eq!(named("data/lake/calls/"), "file /no/such/project/data/lake/calls");
        assert_eq!(named("../lake/./calls"), "file /no/such/lake/calls");
        assert_eq!(named("/lake"), "file /lake");
        assert_eq!(named("file:///lake"), "file /lake");
    }
}
