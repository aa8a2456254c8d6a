//! What can go wrong, by who can mend it.

use std::error::Error;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use serde::Serialize;
use throughline_config::Diagnostics;
use throughline_lake::{SnapshotError, SourceError, WarehouseError, plain_words};

/// What another error was caused by.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A failure that ends a command or a step.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    // What the person who asked can mend.
    /// Something a person wrote is wrong.
    #[error("{0}")]
    Configuration(Diagnostics),
    /// What is asked, or written in the pipeline, cannot be carried out.
    #[error("{message}")]
    Refused {
        /// What was asked and why not.
        message: String,
        /// The way out; may be empty.
        help: String,
        /// What another crate found, where the refusal is not our own.
        source: Option<Cause>,
    },

    // What another run, or a person, does at the moment.
    /// Another run holds the pipeline or a table; nothing of it was replaced.
    #[error("{message}")]
    Held {
        /// Who holds what.
        message: String,
        /// The way out.
        help: String,
        /// What the warehouse said; `None` where other runs were only faster.
        source: Option<Cause>,
    },
    /// The run was asked to stop.
    #[error("interrupted")]
    Interrupted,

    // What a rerun may mend.
    /// The warehouse cannot be read or written.
    #[error("{}", plain_words(&.0.to_string()))]
    Warehouse(#[source] Box<WarehouseError>),
    /// A snapshot cannot be read or written.
    #[error("{0}")]
    Snapshot(#[source] Box<SnapshotError>),
    /// The files of a source cannot be read.
    #[error("{0}")]
    Source(#[source] Box<SourceError>),
    /// Rows could not be computed.
    #[error("{}", plain_words(&.0.strip_backtrace()))]
    Rows(#[source] Box<DataFusionError>),
    /// A source's newest row is older than its `error_after`.
    #[error("{message}")]
    Stale {
        /// Which source, and how old its newest row is.
        message: String,
    },
    /// Operators that wait for each other's memory.
    #[error("no operator of `{step}` has done anything for {minutes} minutes")]
    Stuck {
        /// The step.
        step: String,
        /// For how many minutes nothing moved.
        minutes: u64,
    },
    /// A version of a table that a run published is not in the warehouse any more.
    #[error("version {version} of `{table}` is not in {place}")]
    VersionRemoved {
        /// The table.
        table: String,
        /// The version.
        version: u64,
        /// The warehouse.
        place: String,
        /// The way out.
        help: &'static str,
    },
    /// A stored record that this version of the program cannot read.
    #[error("{what} cannot be read: {source}")]
    Unreadable {
        /// Which record.
        what: String,
        /// The way out.
        help: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A snapshot could not be numbered, because others published revisions at the same time.
    #[error("others published revisions of {snapshot} faster, {attempts} times; nothing was written")]
    Outrun {
        /// The snapshot.
        snapshot: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The current folder, which relative places depend on, is not known.
    #[error("the current folder is not known: {0}")]
    NoCurrentFolder(#[source] std::io::Error),
    /// A view or source that a command reads could not be computed.
    #[error("`{relation}`: {source}")]
    Relation {
        /// The view or source.
        relation: String,
        /// Why not.
        source: Box<EngineError>,
    },

    /// A model's SQL casts a value that becomes none of the type.
    #[error("`{model}` ({place}): {message}")]
    Model {
        /// The model whose SQL it is, which need not be the one that was computed.
        model: String,
        /// Its file, with the line where it is known.
        place: String,
        /// What the value is.
        message: String,
        /// The failure of the model that was computed.
        source: Box<EngineError>,
    },

    // What only a change of this program mends.
    /// Something that should be impossible.
    #[error("{message}")]
    Internal {
        /// What was found.
        message: String,
        /// What led to it.
        source: Option<Cause>,
    },
}

/// Who can mend a failure. The program's exit codes follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The person who asked: what is written or asked is wrong, and no rerun mends it.
    Request,
    /// A rerun, or whoever looks after the data and the machine.
    Rerun,
    /// A rerun once the other run has ended.
    Held,
    /// Nobody has to: it was asked for.
    Interrupted,
    /// Only a change of this program: it is a bug.
    Internal,
}

const MORE_MEMORY: &str =
    "raise --memory-limit, lower --partitions, or free space in the spill folder (--spill-folder)";
const REPORT_BUG: &str = "this is a bug in throughline: please report it, with this message and the command";

impl EngineError {
    /// A request that cannot be carried out.
    pub fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), help: help.into(), source: None }
    }

    /// A request that cannot be carried out because of what another crate found.
    pub(crate) fn refused_because(
        message: impl Into<String>,
        help: impl Into<String>,
        cause: impl Into<Cause>,
    ) -> Self {
        Self::Refused { message: message.into(), help: help.into(), source: Some(cause.into()) }
    }

    /// A state that should be impossible.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal { message: message.into(), source: None }
    }

    /// An error that should be impossible.
    pub fn unexpected(message: impl Into<String>, cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        Self::Internal { message: format!("{}: {cause}", message.into()), source: Some(cause) }
    }

    /// Who can mend it.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Configuration(_) | Self::Refused { .. } => FailureKind::Request,
            Self::Held { .. } => FailureKind::Held,
            Self::Interrupted => FailureKind::Interrupted,
            _ if is_bug(self) => FailureKind::Internal,
            Self::Relation { source, .. } => source.kind(),
            _ => FailureKind::Rerun,
        }
    }

    /// What the engine says of a value that cannot be cast, where that is what failed.
    pub(crate) fn uncastable_value(&self) -> Option<String> {
        let mut next: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = next {
            let link = error.downcast_ref::<DataFusionError>();
            let link = link.or_else(|| error.downcast_ref::<Box<DataFusionError>>().map(AsRef::as_ref));
            match link.map(DataFusionError::find_root) {
                Some(DataFusionError::ArrowError(arrow, _)) => match arrow.as_ref() {
                    ArrowError::CastError(message) | ArrowError::ParseError(message) => return Some(message.clone()),
                    _ => {}
                },
                Some(DataFusionError::Execution(message)) if message.contains("Error parsing timestamp") => {
                    return Some(message.clone());
                }
                _ => {}
            }
            next = error.source();
        }
        None
    }

    /// The way out, if one is known.
    pub fn help(&self) -> Option<String> {
        if lacks_memory(self) {
            return Some(MORE_MEMORY.to_owned());
        }
        let help = match self {
            Self::Refused { help, .. } | Self::Held { help, .. } => help.clone(),
            Self::Relation { source, .. } => return source.help(),
            Self::Model { .. } => "correct the cast and run again: TRY_CAST makes null of what cannot be read, and a \
                                   rule of the source's contract sets such rows aside"
                .to_owned(),
            _ if self.kind() == FailureKind::Internal => REPORT_BUG.to_owned(),
            Self::Warehouse(error) => error.help(),
            Self::Snapshot(error) => error.help(),
            Self::Source(error) => error.help(),
            Self::Stale { .. } => "see whether its system still delivers, or raise `error_after`".to_owned(),
            Self::Stuck { .. } => "under a memory limit, operators can wait for each other for good: raise \
                                   --memory-limit or lower --partitions"
                .to_owned(),
            Self::VersionRemoved { help, .. } | Self::Unreadable { help, .. } => (*help).to_owned(),
            Self::Outrun { .. } => "ask again when they have ended".to_owned(),
            _ => String::new(),
        };
        Some(help).filter(|help| !help.is_empty())
    }
}

/// Whether the error or one that led to it, however deep it lies, is a `T` that `holds`.
fn any_cause<T: Error + 'static>(error: &EngineError, holds: impl Fn(&T) -> bool) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let link = error.downcast_ref::<T>().or_else(|| error.downcast_ref::<Box<T>>().map(AsRef::as_ref));
        if link.is_some_and(&holds) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether an error comes, by whatever way, from operators that had no memory left.
fn lacks_memory(error: &EngineError) -> bool {
    any_cause::<DataFusionError>(error, |rows| matches!(rows.find_root(), DataFusionError::ResourcesExhausted(_)))
}

/// Whether an error comes, by whatever way, from what should be impossible: a state of ours, one of DataFusion's, or a
/// task that panicked.
fn is_bug(error: &EngineError) -> bool {
    any_cause::<EngineError>(error, |error| matches!(error, EngineError::Internal { .. }))
        || any_cause::<WarehouseError>(error, |error| matches!(error, WarehouseError::Spent { .. }))
        || any_cause::<DataFusionError>(error, |rows| match rows.find_root() {
            DataFusionError::Internal(_) => true,
            DataFusionError::ExecutionJoin(join) => join.is_panic(),
            _ => false,
        })
}

impl From<Diagnostics> for EngineError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Configuration(diagnostics)
    }
}

impl From<WarehouseError> for EngineError {
    fn from(error: WarehouseError) -> Self {
        if error.is_held() {
            let (message, help) = (plain_words(&error.to_string()), error.help());
            return Self::Held { message, help, source: Some(Box::new(error)) };
        }
        // What a model's SQL makes is known only when it is stored.
        if matches!(error, WarehouseError::ColumnName { .. } | WarehouseError::ColumnType { .. }) {
            let (message, help) = (plain_words(&error.to_string()), error.help());
            return Self::Refused { message, help, source: Some(Box::new(error)) };
        }
        Self::Warehouse(Box::new(error))
    }
}

impl From<SnapshotError> for EngineError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Missing { .. } | SnapshotError::Exists { .. } | SnapshotError::Location(_) => {
                Self::Refused { message: error.to_string(), help: error.help(), source: Some(Box::new(error)) }
            }
            _ => Self::Snapshot(Box::new(error)),
        }
    }
}

impl From<SourceError> for EngineError {
    fn from(error: SourceError) -> Self {
        Self::Source(Box::new(error))
    }
}

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        Self::Rows(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exhausted() -> DataFusionError {
        DataFusionError::ResourcesExhausted("a sort needs 10 bytes more".to_owned())
    }

    fn schemas_differ() -> DataFusionError {
        DataFusionError::Internal("schemas differ".to_owned())
    }

    #[test]
    fn missing_memory_is_recognised_however_deep_it_lies() {
        let wrapped: [EngineError; 5] = [
            exhausted().into(),
            exhausted().context("while sorting").into(),
            DataFusionError::from(ArrowError::from_external_error(Box::new(exhausted()))).into(),
            WarehouseError::Rows { table: "t".to_owned(), error: Box::new(exhausted()) }.into(),
            EngineError::Relation { relation: "v".to_owned(), source: Box::new(exhausted().into()) },
        ];
        for error in wrapped {
            assert_eq!(error.help().as_deref(), Some(MORE_MEMORY), "{error:?}");
            assert_eq!(error.kind(), FailureKind::Rerun);
        }
    }

    #[test]
    fn words_alone_are_no_missing_memory() {
        let error = EngineError::from(DataFusionError::Execution("Resources exhausted: no more apples".to_owned()));
        assert_eq!(error.help(), None);
    }

    #[test]
    fn a_bug_asks_to_be_reported() {
        let bugs = [
            EngineError::internal("`a` is no step of the plan"),
            EngineError::unexpected("the run record cannot be written", "a key that is no text"),
            schemas_differ().into(),
            WarehouseError::Spent { table: "t".to_owned(), state: "are published already" }.into(),
            WarehouseError::Rows { table: "t".to_owned(), error: Box::new(schemas_differ()) }.into(),
            EngineError::Relation { relation: "v".to_owned(), source: Box::new(EngineError::internal("no plan")) },
        ];
        for bug in bugs {
            assert_eq!((bug.kind(), bug.help().as_deref()), (FailureKind::Internal, Some(REPORT_BUG)), "{bug:?}");
        }
    }

    #[test]
    fn what_another_run_holds_keeps_its_cause() {
        let conflict = WarehouseError::Conflict { table: "t".to_owned(), version: 3, holder: "run 1".to_owned() };
        let error = EngineError::from(conflict);
        assert_eq!(error.kind(), FailureKind::Held);
        let cause = error.source().and_then(|cause| cause.downcast_ref::<WarehouseError>());
        assert!(matches!(cause, Some(WarehouseError::Conflict { version: 3, .. })), "{error:?}");
    }

    #[test]
    fn what_a_models_sql_makes_and_no_table_holds_is_the_requests_fault() {
        let (table, column, found) = ("t".to_owned(), "gap".to_owned(), "interval".to_owned());
        let error = EngineError::from(WarehouseError::ColumnType { table, column, found, source: None });
        assert_eq!(error.kind(), FailureKind::Request);
        assert!(error.help().is_some_and(|help| help.contains("cast it in the model's SQL")), "{error:?}");
        assert!(error.source().is_some_and(|cause| cause.is::<WarehouseError>()), "{error:?}");
    }

    #[test]
    fn a_relation_that_is_read_fails_as_what_failed_in_it() {
        let held = EngineError::Held { message: "held".to_owned(), help: String::new(), source: None };
        for source in [EngineError::refused("`id` is no key of `calls`", ""), EngineError::Interrupted, held] {
            let kind = source.kind();
            let error = EngineError::Relation { relation: "calls".to_owned(), source: Box::new(source) };
            assert_eq!(error.kind(), kind, "{error:?}");
        }
    }

    #[test]
    fn a_relation_that_is_read_is_named_before_its_failure() {
        let source = Box::new(EngineError::Stale { message: "the source `calls` is stale".to_owned() });
        let error = EngineError::Relation { relation: "calls".to_owned(), source };
        assert_eq!(error.to_string(), "`calls`: the source `calls` is stale");
        assert!(error.help().is_some_and(|help| help.contains("error_after")));
    }
}
