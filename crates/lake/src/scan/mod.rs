//! A DataFusion table over exactly known Parquet files: pruning by statistics, pushed-down predicates and
//! projections, declared order, and errors that name the file.

mod pruning;
mod statistics;
mod named_errors;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, Result, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{LexOrdering, create_ordering};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion_datasource::{PartitionedFile, TableSchema, compute_all_files_statistics};

use named_errors::NamedErrors;
pub(crate) use statistics::file_statistics;

/// A column by which rows are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortColumn {
    /// The column.
    pub name: String,
    /// Greatest first.
    pub descending: bool,
    /// Nulls before everything else.
    pub nulls_first: bool,
}

impl SortColumn {
    /// Smallest first, nulls last.
    pub fn ascending(name: impl Into<String>) -> Self {
        Self { name: name.into(), descending: false, nulls_first: false }
    }
}

/// Exactly these files, read with this schema: a column that a file lacks is null, a column of another type is cast.
#[derive(Debug)]
pub(crate) struct ParquetTable {
    schema: SchemaRef,
    root: ObjectStoreUrl,
    /// How a file's path is shown in errors.
    shown: named_errors::Shown,
    groups: Groups,
    order: Vec<SortColumn>,
}

#[derive(Debug)]
enum Groups {
    /// Any file may be read by any partition.
    Free(Vec<PartitionedFile>),
    /// Each partition reads its files one after the other, which keeps the order of the rows.
    Ordered(Vec<Vec<PartitionedFile>>),
}

impl ParquetTable {
    /// A table over files that may be read in any order. `files` should carry statistics in terms of `schema`.
    pub(crate) fn new(schema: SchemaRef, location: &crate::stores::Location, files: Vec<PartitionedFile>) -> Self {
        let shown = named_errors::Shown::of(location);
        Self { schema, root: location.root.clone(), shown, groups: Groups::Free(files), order: Vec::new() }
    }

    /// A table over files of which every one is ordered by `order`.
    pub(crate) fn ordered(
        schema: SchemaRef,
        location: &crate::stores::Location,
        files: Vec<PartitionedFile>,
        order: Vec<SortColumn>,
    ) -> Self {
        let groups = Groups::Ordered(files.into_iter().map(|file| vec![file]).collect());
        Self { groups, order, ..Self::new(schema, location, Vec::new()) }
    }

    /// A table over files that are ordered by `order` one after the other.
    pub(crate) fn chained(
        schema: SchemaRef,
        location: &crate::stores::Location,
        files: Vec<PartitionedFile>,
        order: Vec<SortColumn>,
    ) -> Self {
        let groups = Groups::Ordered(vec![files]);
        Self { groups, order, ..Self::new(schema, location, Vec::new()) }
    }

    /// The files that may hold a row which passes the filters.
    fn file_groups(&self, filters: &[Expr], state: &dyn Session) -> Result<(Vec<FileGroup>, Statistics)> {
        let kept = |files: &[PartitionedFile]| -> Vec<PartitionedFile> {
            let files: Vec<&PartitionedFile> = files.iter().collect();
            // What cannot be pruned by is no error here: the filter runs behind the scan anyway.
            let keeps = pruning::may_pass(filters, &files, &self.schema, state).ok();
            let keeps = keeps.unwrap_or_else(|| vec![true; files.len()]);
            files.into_iter().zip(keeps).filter(|(_, keeps)| *keeps).map(|(file, _)| file.clone()).collect()
        };
        let partitions = state.config().target_partitions().max(1);
        let groups = match &self.groups {
            Groups::Free(files) => FileGroup::new(kept(files)).split_files(partitions),
            Groups::Ordered(groups) => groups.iter().map(|files| FileGroup::new(kept(files))).collect(),
        };
        compute_all_files_statistics(groups, Arc::clone(&self.schema), true, false)
    }

    fn ordering(&self) -> Result<Vec<LexOrdering>> {
        if self.order.is_empty() {
            return Ok(Vec::new());
        }
        let by: Vec<_> = self
            .order
            .iter()
            .map(|by| Expr::Column(Column::from_name(&by.name)).sort(!by.descending, by.nulls_first))
            .collect();
        create_ordering(&self.schema, &[by])
    }
}

#[async_trait]
impl TableProvider for ParquetTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Inexact: the physical optimizer hands the predicates to the scan, which prunes with them.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (groups, statistics) = self.file_groups(filters, state)?;
        if groups.iter().all(FileGroup::is_empty) {
            let projected = datafusion::common::project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(projected)));
        }
        let runtime = state.runtime_env();
        let reader = CachedParquetFileReaderFactory::new(
            runtime.object_store(&self.root)?,
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let mut options =
            TableParquetOptions { global: state.config_options().execution.parquet.clone(), ..Default::default() };
        // INT96 has no unit; Spark and Hive mean UTC instants, and microseconds are what everything else here has.
        options.global.coerce_int96 = Some("us".into());
        let source = ParquetSource::new(TableSchema::from(Arc::clone(&self.schema)))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(reader));
        let source = Arc::new(NamedErrors::new(Arc::new(source), self.shown.clone()));
        let config = FileScanConfigBuilder::new(self.root.clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_output_ordering(self.ordering()?)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
