//! The tables of a snapshot that exists or is being made, as they are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use throughline_lake::{Snapshot, SnapshotDraft, Warehouse};

use crate::failure::EngineError;
use crate::instants::rfc3339;

/// Tables to compare, frozen or about to be.
pub(super) struct Tables {
    pub(super) name: String,
    pub(super) as_of: String,
    pub(super) fingerprint: String,
    pub(super) tables: BTreeMap<String, Table>,
}

pub(super) struct Table {
    pub(super) provider: Arc<dyn TableProvider>,
    pub(super) schema: SchemaRef,
    pub(super) rows: u64,
    pub(super) grain: Vec<String>,
    pub(super) fingerprint: String,
    /// Checksums of the files, where they are known: equal ones mean equal rows.
    pub(super) files: Option<BTreeSet<String>>,
}

impl Tables {
    pub(super) fn of_snapshot(snapshot: &Snapshot) -> Self {
        let manifest = snapshot.manifest();
        let tables = manifest.tables.iter().filter_map(|(name, table)| {
            let frozen = Table {
                provider: snapshot.table(name)?,
                schema: snapshot.schema(name)?,
                rows: table.rows,
                grain: table.grain.clone(),
                fingerprint: table.fingerprint.clone(),
                files: Some(table.files.iter().map(|file| file.sha256.clone()).collect()),
            };
            Some((name.clone(), frozen))
        });
        Self {
            name: manifest.snapshot.clone(),
            as_of: manifest.as_of.clone(),
            fingerprint: manifest.fingerprint.clone(),
            tables: tables.collect(),
        }
    }

    pub(super) async fn of_scratch(
        warehouse: &Warehouse,
        draft: &SnapshotDraft,
        name: &str,
    ) -> Result<Self, EngineError> {
        let mut tables = BTreeMap::new();
        for (table, drafted) in &draft.tables {
            let Some(made) = warehouse.table_at(table, drafted.version).await? else {
                return Err(EngineError::VersionRemoved {
                    table: table.clone(),
                    version: drafted.version,
                    place: warehouse.location().to_string(),
                    help: "something removed it while the snapshot was made; ask again",
                });
            };
            let frozen = Table {
                provider: made.provider,
                schema: made.schema,
                rows: made.rows.unwrap_or(0),
                grain: drafted.grain.clone(),
                fingerprint: drafted.fingerprint.clone(),
                files: None,
            };
            tables.insert(table.clone(), frozen);
        }
        let as_of = rfc3339(draft.name.period.end().timestamp_micros());
        Ok(Self { name: name.to_owned(), as_of, fingerprint: draft.fingerprint.clone(), tables })
    }

    /// The rows of a table; `None` when it is not there.
    pub(super) fn rows(&self, session: &SessionContext, table: &str) -> Result<Option<DataFrame>, EngineError> {
        match self.tables.get(table) {
            Some(table) => Ok(Some(session.read_table(Arc::clone(&table.provider))?)),
            None => Ok(None),
        }
    }
}
