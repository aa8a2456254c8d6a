//! The data files of a table's version, as its log names them.

use std::sync::Arc;

use arrow::datatypes::Schema;
use chrono::DateTime;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion_datasource::PartitionedFile;
use deltalake::{DeltaResult, DeltaTable};
use object_store::ObjectMeta;

use crate::stores::Location;

/// One file of a table's version.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// Its path inside the table's folder, as the log has it.
    pub(super) path: String,
    pub(crate) object: ObjectMeta,
    /// Its rows, where the log says so.
    pub(super) rows: Option<usize>,
}

impl DataFile {
    /// All files of a loaded version whose table lies in `folder`.
    pub(crate) fn all_of(table: &DeltaTable, folder: &Location) -> DeltaResult<Vec<Self>> {
        let files = table.snapshot()?.log_data();
        let files = files.iter().map(|file| {
            let object = ObjectMeta {
                location: folder.prefix.parts().chain(file.object_store_path().parts()).collect(),
                last_modified: DateTime::from_timestamp_millis(file.modification_time()).unwrap_or_default(),
                size: file.size().try_into().unwrap_or(0),
                e_tag: None,
                version: None,
            };
            Self { path: file.path().to_string(), object, rows: file.num_records() }
        });
        Ok(files.collect())
    }

    /// The file as a scan takes it, with its number of rows.
    pub(super) fn partitioned(&self, schema: &Schema) -> PartitionedFile {
        let num_rows = self.rows.map_or(Precision::Absent, Precision::Exact);
        let statistics = Statistics { num_rows, ..Statistics::new_unknown(schema) };
        PartitionedFile::from(self.object.clone()).with_statistics(Arc::new(statistics))
    }
}
