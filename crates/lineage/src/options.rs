//! Where a run's events go, and under which names.

use std::path::PathBuf;

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineageTarget {
    /// Appended to a file, one event a line.
    File(PathBuf),
    /// Posted one by one.
    Http {
        /// The whole address, e.g. `http://localhost:5000/api/v1/lineage`.
        url: String,
        /// Sent as `Authorization: Bearer …`.
        api_key: Option<String>,
    },
}

/// How a run is reported to OpenLineage.
#[derive(Debug, Clone)]
pub struct LineageOptions {
    /// Where events go.
    pub target: LineageTarget,
    /// The namespace of the jobs.
    pub namespace: String,
    /// The run that started this one: namespace, job, run id.
    pub parent: Option<(String, String, String)>,
}
