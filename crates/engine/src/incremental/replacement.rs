//! What an incremental step writes, and what becomes of it in the record.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionContext, ident};
use throughline_config::Timestamp;
use throughline_lake::{PartLayout, SplitParts, StagedTable};
use throughline_plan::ReplacedRows;

use super::carry::OpenInstances;
use super::rebuild::Rebuild;
use crate::failure::EngineError;
use crate::instants::rfc3339;
use crate::record::step_record::IncrementRecord;
use crate::record::usage::StepUsage;

/// The rows that an incremental step writes, and the files that stay.
pub(crate) struct Replacement {
    /// The rows to be written; the last column says when each is settled.
    pub(crate) rows: LogicalPlan,
    /// Which rows go into which files.
    pub(crate) layout: PartLayout,
    /// The files that are replaced, and those that stay.
    pub(crate) files: Option<SplitParts>,
    /// The rows that are rebuilt, where there is room for them in memory.
    pub(crate) rebuilt: Option<RebuiltRows>,
    /// What it cost to read rows that are read more than once.
    pub(crate) usage: StepUsage,
    /// The instances that were open since touchpoints were matched.
    pub(super) open_instances: Option<OpenInstances>,
    /// The rows of the files that are replaced.
    pub(super) old_rows: Option<Arc<dyn TableProvider>>,
    /// True for rows of customers who are matched; `None` when all are.
    pub(super) is_matched: Option<Expr>,
}

/// Rows that are rebuilt, in memory: they are written, and tested.
pub(crate) struct RebuiltRows {
    pub(crate) rows: Arc<dyn TableProvider>,
    /// How they were computed.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
}

impl Replacement {
    /// The rows that are written, from memory where they are there.
    pub(crate) fn written(&self, staged: &StagedTable) -> Arc<dyn TableProvider> {
        match self.rebuilt {
            Some(_) => Arc::new(ViewTable::new(self.rows.clone(), None)),
            None => staged.provider(),
        }
    }

    /// The record of what was rebuilt, once it is staged. `as_of` is the run's.
    pub(crate) async fn record(
        &self,
        rebuild: &Rebuild,
        staged: &StagedTable,
        as_of: Timestamp,
        session: &SessionContext,
    ) -> Result<IncrementRecord, EngineError> {
        let replaced_ids = match (&rebuild.replaced, &self.old_rows) {
            (ReplacedRows::Instances { .. }, Some(old_rows)) => {
                Some(self.ids_gone(Arc::clone(old_rows), self.written(staged), session).await?)
            }
            _ => None,
        };
        Ok(IncrementRecord {
            from: rebuild.since.map(rfc3339),
            until: rfc3339(as_of),
            why: rebuild.why.clone(),
            open_instances: self.open_instances.as_ref().map(|open| open.number),
            written: staged.rows(),
            kept: staged.table_rows() - staged.rows(),
            replaced_ids,
        })
    }

    /// How many ids of instances were there before and are not now; those of customers who are not matched stay.
    async fn ids_gone(
        &self,
        before: Arc<dyn TableProvider>,
        now: Arc<dyn TableProvider>,
        session: &SessionContext,
    ) -> Result<u64, EngineError> {
        let ids = |table: Arc<dyn TableProvider>, name: &str| -> Result<DataFrame, EngineError> {
            let rows = session.read_table(table)?;
            let rows = match &self.is_matched {
                Some(is_matched) => rows.filter(is_matched.clone())?,
                None => rows,
            };
            Ok(rows.select(vec![ident("journey_id").alias(name)])?)
        };
        let gone = ids(before, "before")?.join(ids(now, "now")?, JoinType::LeftAnti, &["before"], &["now"], None)?;
        Ok(gone.distinct()?.count().await? as u64)
    }
}
