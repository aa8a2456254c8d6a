//! Statements of this program, with the pipeline's parameters bound.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use throughline_config::SourceFile;
use throughline_plan::{Parameters, SqlText, select};

use crate::failure::EngineError;

/// A statement of this program; `name` is what an error calls it.
pub(crate) async fn planned(
    name: &str,
    text: &str,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<LogicalPlan, EngineError> {
    let file = Arc::new(SourceFile { path: PathBuf::from(format!("{name}.sql")), text: text.to_owned() });
    Ok(select(&SqlText::parse(&file)?, parameters, session).await?)
}

/// Its rows, to be read.
pub(crate) async fn frame(
    name: &str,
    text: &str,
    parameters: &Parameters,
    session: &SessionContext,
) -> Result<DataFrame, EngineError> {
    let plan = planned(name, text, parameters, session).await?;
    Ok(DataFrame::new(session.state(), plan))
}

/// Gives a relation a name in the session, in place of what had it.
pub(crate) fn register(
    name: &str,
    relation: Arc<dyn TableProvider>,
    session: &SessionContext,
) -> Result<(), EngineError> {
    session.deregister_table(name)?;
    session.register_table(name, relation)?;
    Ok(())
}

/// The same for the rows of a plan, computed where they are read.
pub(crate) fn register_view(name: &str, plan: LogicalPlan, session: &SessionContext) -> Result<(), EngineError> {
    register(name, Arc::new(ViewTable::new(plan, None)), session)
}

/// The same for the rows of a frame, computed once and kept.
pub(crate) async fn register_rows(name: &str, rows: DataFrame, session: &SessionContext) -> Result<(), EngineError> {
    let schema = Arc::new(rows.schema().as_arrow().clone());
    register(name, Arc::new(in_memory(&schema, rows.collect_partitioned().await?)?), session)
}

/// Rows in memory, with the types that they have; `planned` are the columns where there is no row. Whether a column may
/// be null and what is noted about it differs between what is planned and what comes of it, and plays no part here.
pub(crate) fn in_memory(planned: &Schema, partitions: Vec<Vec<RecordBatch>>) -> Result<MemTable, DataFusionError> {
    let first = partitions.iter().flatten().next().map(RecordBatch::schema);
    let fields = first.as_deref().unwrap_or(planned).fields();
    let fields: Vec<Field> =
        fields.iter().map(|field| Field::new(field.name(), field.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let partitions = partitions.into_iter().map(|batches| {
        let batches = batches.into_iter();
        batches.map(|batch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())).collect()
    });
    let partitions: Vec<Vec<RecordBatch>> = partitions.collect::<Result<_, ArrowError>>()?;
    MemTable::try_new(schema, partitions)
}
