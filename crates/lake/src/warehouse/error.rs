//! What can go wrong with the warehouse, and the way out of each.

use std::time::Duration;

use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

use super::lease_holder::LeaseHolder;
use crate::stores::{StoreError, storage_help, storage_words};

/// A table or a run record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WarehouseError {
    /// The warehouse's location is wrong.
    #[error("warehouse: {0}")]
    Location(#[from] StoreError),
    /// The object store refused or failed; nothing was published.
    #[error("`{path}`: {}", storage_words(error))]
    Storage {
        /// The file or folder.
        path: String,
        /// What the store says.
        #[source]
        error: object_store::Error,
    },
    /// The store overwrites an object that it was asked to create: two runs could both believe that they won.
    #[error("the object store of `{path}` ignores conditional puts, so two runs could overwrite each other")]
    NoConditionalPut {
        /// The warehouse.
        path: String,
    },
    /// Another run of the pipeline is at work.
    #[error("the pipeline `{pipeline}` is held by {holder}")]
    Held {
        /// The pipeline.
        pipeline: String,
        /// The run that holds it.
        holder: Box<LeaseHolder>,
        /// How long after its last sign of life it is followed; `None` when it holds a lock that ends with its process.
        lasts: Option<Duration>,
    },
    /// The run was not heard of for longer than its lease lasts, and another one followed.
    #[error("this run was not heard of for so long that {follower} took over the pipeline `{pipeline}`")]
    LeaseLost {
        /// The pipeline.
        pipeline: String,
        /// The other run.
        follower: String,
    },
    /// The table's log cannot be read.
    #[error("the log of table `{table}` cannot be read: {error}")]
    Log {
        /// The table.
        table: String,
        /// What the reader says.
        #[source]
        error: Box<DeltaTableError>,
    },
    /// Another program gave the table features that this one does not write.
    #[error("table `{table}` needs Delta features this program does not write: {features}")]
    ForeignProtocol {
        /// The table.
        table: String,
        /// The features or versions.
        features: String,
    },
    /// A column's name cannot be stored.
    #[error("table `{table}`: column `{column}` cannot be stored: {reason}")]
    ColumnName {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why not.
        reason: &'static str,
    },
    /// A column's type cannot be stored.
    #[error("table `{table}`: column `{column}` is {found}, which a Delta table does not hold")]
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What Arrow or Delta says of it, where they were asked.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A table name that is no plain word.
    #[error("`{table}` is not a table name")]
    TableName {
        /// The name.
        table: String,
    },
    /// The rows themselves could not be made.
    #[error("table `{table}`: {error}")]
    Rows {
        /// The table.
        table: String,
        /// What DataFusion says.
        #[source]
        error: Box<DataFusionError>,
    },
    /// Somebody else published a version since the rows were staged. Nothing of ours was published.
    #[error(
        "table `{table}` was published by {holder} as version {version} since this run began; nothing was replaced"
    )]
    Conflict {
        /// The table.
        table: String,
        /// The version that is there now.
        version: u64,
        /// Who made it.
        holder: String,
    },
    /// The commit failed and certainly did not happen.
    #[error("table `{table}` was not published: {}", storage_words(error))]
    NotCommitted {
        /// The table.
        table: String,
        /// What the store says.
        #[source]
        error: object_store::Error,
    },
    /// The commit's answer was lost and the log cannot be asked: it may or may not have happened, or still happen.
    #[error("whether version {version} of table `{table}` was published is unknown: {}", storage_words(error))]
    Unknown {
        /// The table.
        table: String,
        /// The version that may be there.
        version: u64,
        /// What the store says.
        #[source]
        error: object_store::Error,
    },
    /// A staged table that was already published or discarded, or whose commit is unknown.
    #[error("the staged rows of table `{table}` {state}")]
    Spent {
        /// The table.
        table: String,
        /// What became of them.
        state: &'static str,
    },
    /// A run id that is not one.
    #[error("`{run_id}` is not a run id")]
    RunId {
        /// The id.
        run_id: String,
    },
    /// A run record is there already.
    #[error("the record of run `{run_id}` exists already")]
    RunExists {
        /// The run.
        run_id: String,
    },
    /// A run record that is no JSON.
    #[error("the record of run `{run_id}` cannot be read: {error}")]
    RunRecord {
        /// The run.
        run_id: String,
        /// What is wrong with it.
        #[source]
        error: serde_json::Error,
    },
    /// What a run had done before it was killed cannot be read.
    #[error("what run {run_id} had done before it ended cannot be read: {error}")]
    Progress {
        /// The run.
        run_id: String,
        /// What is wrong with it.
        #[source]
        error: serde_json::Error,
    },
}

impl WarehouseError {
    /// Another run holds the pipeline or the table.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Held { .. } | Self::LeaseLost { .. })
    }

    /// A stable kebab-case word for the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Location(_) => "bad-location",
            Self::Storage { .. } => "storage",
            Self::NoConditionalPut { .. } => "no-conditional-put",
            Self::Held { .. } => "held",
            Self::LeaseLost { .. } => "lease-lost",
            Self::Log { .. } => "delta-log",
            Self::ForeignProtocol { .. } => "foreign-protocol",
            Self::ColumnName { .. } | Self::ColumnType { .. } | Self::TableName { .. } => "not-storable",
            Self::Rows { .. } => "rows",
            Self::Conflict { .. } => "conflict",
            Self::NotCommitted { .. } => "not-committed",
            Self::Unknown { .. } => "unknown-commit",
            Self::Spent { .. } => "spent",
            Self::RunId { .. } | Self::RunExists { .. } | Self::RunRecord { .. } | Self::Progress { .. } => {
                "run-record"
            }
        }
    }

    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::Location(error) => error.help(),
            Self::Storage { error, .. } | Self::NotCommitted { error, .. } => storage_help(error),
            Self::NoConditionalPut { .. } => {
                "keep the warehouse in a store that honours `If-None-Match: *` (AWS S3, Azure Blob Storage, Google Cloud \
                 Storage, SeaweedFS, recent MinIO), or on a disk"
                    .into()
            }
            Self::Held { holder, lasts, .. } => match lasts {
                None => format!(
                    "wait until it has ended; should it hang, end it (`kill {}` on host {}) and run again",
                    holder.pid, holder.host
                ),
                Some(lasts) => format!(
                    "wait until it has ended; should it have been killed, run again {} s after it was last heard of: \
                     the next run then takes over",
                    lasts.as_secs()
                ),
            },
            Self::LeaseLost { .. } => "see how the other run ends, and run again if need be".into(),
            Self::Log { table, .. } => format!(
                "check that other programs can read it; a damaged `_last_checkpoint` in `{table}/_delta_log` can be \
                 removed without loss"
            ),
            Self::ForeignProtocol { table, .. } => {
                format!("move the folder `{table}` out of the warehouse; the next run makes a new table")
            }
            Self::ColumnName { .. } => "give the column a plain name: `SELECT count(*) AS customers`".into(),
            Self::ColumnType { column, .. } => {
                format!("cast it in the model's SQL, e.g. an interval `{column}` to seconds as DOUBLE")
            }
            Self::TableName { .. } => "a name is letters, digits and `_`, and begins with a letter".into(),
            Self::Rows { error, .. } => {
                let lacks_memory = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
                if lacks_memory { "raise `--memory-limit`, or free space for spilling" } else { "correct the model and run again" }
                    .into()
            }
            Self::Conflict { .. } => "run again when the other run has ended".into(),
            Self::Unknown { .. } => {
                "run again once the store answers: the next run sees which of the two it was, and either is sound".into()
            }
            Self::Spent { .. } => "stage the rows again".into(),
            Self::RunId { .. } => "a run id looks like `r00000042-20261124T065003123456Z-1a2b3c4d`".into(),
            Self::RunExists { .. } => "every run has an id of its own".into(),
            Self::RunRecord { run_id, .. } => format!("remove `_runs/{run_id}.json` from the warehouse"),
            Self::Progress { run_id, .. } => format!("remove `_runs/{run_id}.partial.json` from the warehouse"),
        }
    }
}
