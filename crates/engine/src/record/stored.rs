//! Records of runs in the warehouse.

use throughline_lake::{Warehouse, WarehouseError};

use super::run_record::RunRecord;
use crate::failure::EngineError;

const OTHER_VERSION: &str = "it was written by another version of throughline, or damaged; move it away and run again";

/// The record of a run; `None` when there is none of this id.
pub(crate) async fn read_record(warehouse: &Warehouse, run_id: &str) -> Result<Option<RunRecord>, EngineError> {
    let Some(value) = warehouse.read_run(run_id).await? else { return Ok(None) };
    serde_json::from_value(value).map(Some).map_err(|source| EngineError::Unreadable {
        what: format!("the run record {run_id}"),
        help: OTHER_VERSION,
        source,
    })
}

/// Stores the record of a run that has ended.
pub(crate) async fn store_record(record: &RunRecord, warehouse: &Warehouse) -> Result<(), EngineError> {
    let value = serde_json::to_value(record)
        .map_err(|error| EngineError::unexpected("the run record cannot be written", error))?;
    Ok(warehouse.write_run(&record.run_id, &value).await?)
}

/// Whether one record is wrong, rather than the store that holds all of them.
pub(crate) fn is_of_one_record(error: &EngineError) -> bool {
    match error {
        EngineError::Unreadable { .. } => true,
        EngineError::Warehouse(error) => matches!(**error, WarehouseError::RunRecord { .. }),
        _ => false,
    }
}
