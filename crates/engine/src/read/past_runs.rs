//! The runs of a pipeline, for a list of them.

use throughline_lake::WarehouseError;

use crate::failure::EngineError;
use crate::record::run_record::RunRecord;
use crate::record::stored::read_record;
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;

/// A run that has ended.
#[derive(Debug)]
pub enum PastRun {
    /// A run of the pipeline.
    Recorded(Box<RunRecord>),
    /// A run whose record cannot be read, so that nobody knows of which pipeline it was.
    Unreadable {
        /// The run.
        run_id: String,
        /// What is wrong with its record.
        error: EngineError,
    },
}

/// The newest `most` runs of a pipeline, newest first. A record that is damaged, or of another version of the program,
/// hides no other run.
///
/// # Errors
/// The pipeline cannot be loaded, or the warehouse cannot be read.
pub async fn past_runs(options: PrepareOptions, most: usize) -> Result<Vec<PastRun>, EngineError> {
    let (pipeline, warehouse, _) = locate(&options)?;
    let mut runs = Vec::new();
    for run_id in warehouse.run_ids().await? {
        if runs.len() == most {
            break;
        }
        match read_record(&warehouse, &run_id).await {
            Ok(Some(record)) if record.pipeline == pipeline.name.value => {
                runs.push(PastRun::Recorded(Box::new(record)));
            }
            Ok(_) => {}
            Err(error) if is_of_one_record(&error) => runs.push(PastRun::Unreadable { run_id, error }),
            Err(error) => return Err(error),
        }
    }
    Ok(runs)
}

/// Whether one record is wrong, rather than the store that holds all of them.
fn is_of_one_record(error: &EngineError) -> bool {
    match error {
        EngineError::Unreadable { .. } => true,
        EngineError::Warehouse(error) => matches!(**error, WarehouseError::RunRecord { .. }),
        _ => false,
    }
}
