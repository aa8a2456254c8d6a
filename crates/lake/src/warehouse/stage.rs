//! Rows written into a table's folder under names that no version mentions yet.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::data_writer::{FileWriter, Layout, Writing, Written, WrittenFile, all_or_first_failure};
use super::error::WarehouseError;
use super::part_writers::by_part;
use crate::stores::Location;

/// Writes each stream into files of its own, or all into the files of their parts, side by side. After a failure
/// nothing is left behind, as far as the store lets its files be removed.
pub(super) async fn write(
    table: &str,
    folder: &Location,
    stored: &SchemaRef,
    layout: &Layout,
    id: Uuid,
    streams: Vec<SendableRecordBatchStream>,
) -> Result<Written, WarehouseError> {
    let writing = Arc::new(Writing::new(folder, stored, layout, id));
    let written = match writing.layout {
        Layout::AsTheyCome { .. } => as_they_come(&writing, streams).await,
        Layout::BySettlement(parts, _) => by_part(&writing, parts, streams).await,
    };
    match written {
        Ok(written) => Ok(written),
        Err(error) => {
            writing.remove_begun().await.ok();
            Err(WarehouseError::Rows { table: table.into(), error: Box::new(error) })
        }
    }
}

/// Each stream into files of its own, in the order of the streams.
async fn as_they_come(writing: &Arc<Writing>, streams: Vec<SendableRecordBatchStream>) -> DataFusionResult<Written> {
    let mut tasks = JoinSet::new();
    for (partition, rows) in streams.into_iter().enumerate() {
        let writing = Arc::clone(writing);
        tasks.spawn(async move { one_stream(&writing, partition, rows).await.map(|files| (partition, files)) });
    }
    let mut written = all_or_first_failure(&mut tasks).await?;
    written.sort_unstable_by_key(|(partition, _)| *partition);
    Ok(Written { files: written.into_iter().flat_map(|(_, files)| files).collect(), unchanged: Vec::new() })
}

async fn one_stream(
    writing: &Writing,
    partition: usize,
    mut rows: SendableRecordBatchStream,
) -> DataFusionResult<Vec<WrittenFile>> {
    let mut writer = FileWriter::new(writing, partition, None);
    while let Some(batch) = rows.next().await {
        match batch {
            Ok(batch) if batch.num_rows() == 0 => {}
            Ok(batch) => writer.write(&writing.stored(&batch)?).await?,
            Err(error) => {
                writer.abort().await;
                return Err(error);
            }
        }
    }
    writer.finish().await
}
