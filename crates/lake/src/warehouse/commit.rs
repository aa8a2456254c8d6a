//! One atomic step from the version that was there to the staged rows.
//!
//! The log entry of the next version is created, never overwritten, with one conditional put of bytes that carry a
//! mark of their own. An answer that got lost is settled by reading that entry: our mark means committed, another's
//! means that the other one won. Repeating the put is harmless, because it creates or finds what is there.

use std::time::Duration;

use bytes::Bytes;
use deltalake::DeltaTable;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{Action, Add, Remove, StructType, Transaction, Version};
use object_store::Error as StoreError;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::data_file::{DataFile, row_sum_tag};
use super::data_writer::WrittenFile;
use super::delta_log;
use super::error::WarehouseError;
use super::file_statistics::delta_statistics;
use crate::stores::Location;

/// The key under which a table keeps its ledger.
pub(super) const LEDGER: &str = "throughline.ledger";

/// Attempts at a put whose answer did not come; object_store has retried within each.
const ATTEMPTS: u32 = 4;

/// Pause before the second attempt; each further one waits twice as long, up to half of it at random on top.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Who publishes, kept in the version's commit information.
#[derive(Debug, Clone, Default)]
pub struct CommitDetails {
    /// The run, e.g. `r00000042-20261124T065003123456Z-1a2b3c4d`.
    pub run_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// Microseconds since 1970-01-01 00:00 UTC; rows at or after it were not read.
    pub as_of: Option<i64>,
    /// What the rows were made from: a hash over definitions, SQL and inputs.
    pub fingerprint: String,
    /// What of the table's history is finished; kept with the table until the next commit.
    pub ledger: Option<String>,
    /// Anything else worth keeping beside the version.
    pub extra: Map<String, Value>,
}

/// A published version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The version that holds the rows.
    pub version: u64,
}

/// The version to be replaced, as it was when staging began.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) version: Version,
    pub(super) files: Vec<Remove>,
    pub(super) id: String,
    pub(super) created: Option<i64>,
    pub(super) schema: Value,
    pub(super) description: Option<String>,
    pub(super) ledger: Option<String>,
}

impl Base {
    /// Reads the newest version; `None` when there is no table yet.
    pub(super) async fn read(table: &str, folder: &Location) -> Result<Option<Self>, WarehouseError> {
        let Some(loaded) = delta_log::newest(table, folder).await? else { return Ok(None) };
        Self::of(table, &loaded).map(Some)
    }

    /// The version that was loaded.
    pub(super) fn of(table: &str, loaded: &DeltaTable) -> Result<Self, WarehouseError> {
        let failed = |error| WarehouseError::Log { table: table.into(), error: Box::new(error) };
        if let Some(features) = delta_log::foreign_features(loaded).map_err(failed)? {
            return Err(WarehouseError::ForeignProtocol { table: table.into(), features });
        }
        let snapshot = loaded.snapshot().map_err(failed)?;
        let metadata = snapshot.metadata();
        let schema = serde_json::to_value(snapshot.schema().as_ref()).map_err(|error| failed(error.into()))?;
        Ok(Self {
            version: snapshot.version(),
            files: snapshot.log_data().iter().map(|file| file.remove_action(true)).collect(),
            id: metadata.id().to_owned(),
            created: metadata.created_time(),
            schema,
            description: metadata.description().map(ToOwned::to_owned),
            ledger: metadata.configuration().get(LEDGER).cloned(),
        })
    }
}

/// What a commit publishes.
pub(super) struct Publication<'a> {
    pub(super) table: &'a str,
    pub(super) folder: &'a Location,
    pub(super) base: Option<&'a Base>,
    pub(super) stored: &'a arrow::datatypes::Schema,
    pub(super) description: Option<&'a str>,
    pub(super) files: &'a [WrittenFile],
    /// Identifies this commit.
    pub(super) mark: Uuid,
    /// Whether the rows that are there stay.
    pub(super) adds: bool,
    /// Files of the base that stay.
    pub(super) kept: &'a [DataFile],
    /// Further files of the base that stay, because their rows have not changed.
    pub(super) unchanged: &'a [DataFile],
}

impl Publication<'_> {
    pub(super) fn version(&self) -> Version {
        self.base.map_or(0, |base| base.version + 1)
    }

    /// Creates the entry and settles what became of it.
    pub(super) async fn publish(&self, details: &CommitDetails) -> Result<Committed, WarehouseError> {
        let version = self.version();
        let entry = self.entry(details)?;
        let mut ambiguous = false;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match delta_log::create_entry(self.folder, version, entry.clone()).await {
                Ok(()) => return Ok(Committed { version }),
                Err(error) => error,
            };
            let found = delta_log::commit_info(self.folder, version).await;
            match &found {
                Ok(Some(info)) if info.get("commitId") == Some(&json!(self.mark.to_string())) => {
                    return Ok(Committed { version });
                }
                Ok(Some(info)) => {
                    return Err(WarehouseError::Conflict { table: self.table.into(), version, holder: holder(info) });
                }
                Ok(None) | Err(_) => {}
            }
            // A local file system answers for good; a store's put may still be under way after its answer got lost.
            ambiguous |= match &self.folder.local {
                Some(_) => found.is_err(),
                None => !certainly_refused(&error),
            };
            if !ambiguous {
                return Err(WarehouseError::NotCommitted { table: self.table.into(), error });
            }
            if attempt == ATTEMPTS {
                return Err(WarehouseError::Unknown { table: self.table.into(), version, error });
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    }

    /// The entry's lines: commit information, protocol (once), metadata (when it changes), removals, additions, mark.
    fn entry(&self, details: &CommitDetails) -> Result<Bytes, WarehouseError> {
        let now = chrono::Utc::now().timestamp_millis();
        let mut lines = vec![self.commit_info(details, now)];
        if self.base.is_none() {
            lines.push(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }));
        }
        lines.extend(self.metadata(details, now)?);
        let kept = || self.kept.iter().chain(self.unchanged);
        let stays = |file: &&Remove| self.adds || kept().any(|kept| kept.path == file.path);
        for file in self.base.iter().flat_map(|base| &base.files).filter(|file| !stays(file)) {
            lines.push(self.action(Action::Remove(Remove { deletion_timestamp: Some(now), ..file.clone() }))?);
        }
        for file in self.files {
            let add = Add {
                path: file.name.clone(),
                size: i64::try_from(file.object.size).unwrap_or(i64::MAX),
                modification_time: file.object.last_modified.timestamp_millis(),
                data_change: true,
                stats: Some(delta_statistics(&file.metadata, self.stored)),
                tags: file.row_sum.map(row_sum_tag),
                ..Add::default()
            };
            lines.push(self.action(Action::Add(add))?);
        }
        let application = format!("{}/{}", details.pipeline, self.table);
        let number = i64::try_from(self.version()).unwrap_or(i64::MAX);
        lines.push(self.action(Action::Txn(Transaction::new_with_last_update(application, number, Some(now))))?);
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        Ok(Bytes::from(text.join("\n") + "\n"))
    }

    fn commit_info(&self, details: &CommitDetails, now: i64) -> Value {
        let mut info = details.extra.clone();
        let rows: u64 = self.files.iter().map(WrittenFile::rows).sum();
        let mode = if self.adds { "Append" } else { "Overwrite" };
        let fixed = json!({
            "timestamp": now,
            "operation": "WRITE",
            "operationParameters": { "mode": mode, "partitionBy": "[]" },
            "operationMetrics": { "numFiles": self.files.len().to_string(), "numOutputRows": rows.to_string() },
            "isBlindAppend": false,
            "engineInfo": concat!("throughline/", env!("CARGO_PKG_VERSION")),
            "commitId": self.mark.to_string(),
            "runId": details.run_id,
            "pipeline": details.pipeline,
            "fingerprint": details.fingerprint,
        });
        if let Value::Object(fixed) = fixed {
            info.extend(fixed);
        }
        if let Some(base) = self.base {
            info.insert("readVersion".into(), json!(base.version));
        }
        let as_of = details.as_of.and_then(chrono::DateTime::from_timestamp_micros);
        if let Some(as_of) = as_of {
            info.insert("asOf".into(), json!(as_of.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)));
        }
        json!({ "commitInfo": info })
    }

    /// The metadata line, where the table is new or its columns, comments, description or ledger differ.
    fn metadata(&self, details: &CommitDetails, now: i64) -> Result<Option<Value>, WarehouseError> {
        let columns: StructType = self.stored.try_into_kernel().map_err(|error| self.unstorable(error))?;
        let schema = serde_json::to_value(&columns).map_err(|error| self.unstorable(error))?;
        if let Some(base) = self.base
            && base.schema == schema
            && base.description.as_deref() == self.description
            && base.ledger == details.ledger
        {
            return Ok(None);
        }
        let configuration: Map<String, Value> =
            details.ledger.iter().map(|ledger| (LEDGER.to_owned(), json!(ledger))).collect();
        Ok(Some(json!({ "metaData": {
            "id": self.base.map_or_else(|| Uuid::new_v4().to_string(), |base| base.id.clone()),
            "name": self.table,
            "description": self.description,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": schema.to_string(),
            "partitionColumns": [],
            "configuration": configuration,
            "createdTime": self.base.map_or(Some(now), |base| base.created),
        }})))
    }

    fn action(&self, action: Action) -> Result<Value, WarehouseError> {
        serde_json::to_value(action)
            .map_err(|error| WarehouseError::Log { table: self.table.into(), error: Box::new(error.into()) })
    }

    /// `storage_schema` lets only storable types through, so this names the table rather than a column.
    fn unstorable(&self, error: impl std::error::Error + Send + Sync + 'static) -> WarehouseError {
        let found = self.stored.to_string();
        WarehouseError::ColumnType {
            table: self.table.into(),
            column: "*".into(),
            found,
            source: Some(Box::new(error)),
        }
    }
}

/// `run …` of the commit that is there, or what is known of a foreign one.
fn holder(info: &Value) -> String {
    match (info.get("runId").and_then(Value::as_str), info.get("engineInfo").and_then(Value::as_str)) {
        (Some(run), _) => format!("run {run}"),
        (None, Some(engine)) => engine.to_owned(),
        (None, None) => "another program".to_owned(),
    }
}

/// Errors after which the entry cannot appear later: the store refused the request as a whole.
fn certainly_refused(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::PermissionDenied { .. }
            | StoreError::Unauthenticated { .. }
            | StoreError::NotFound { .. }
            | StoreError::NotSupported { .. }
            | StoreError::NotImplemented { .. }
            | StoreError::InvalidPath { .. }
            | StoreError::UnknownConfigurationKey { .. }
    )
}

fn pause(attempt: u32) -> Duration {
    let pause = FIRST_PAUSE * 2_u32.saturating_pow(attempt - 1);
    let percent = u32::try_from(Uuid::new_v4().as_u128() % 50).unwrap_or(0);
    pause + pause * percent / 100
}
