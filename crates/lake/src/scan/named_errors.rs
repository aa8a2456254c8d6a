//! A file source whose errors name the file: DataFusion says only what is wrong with a page, not where it lies.

use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::config::ConfigOptions;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr, projection::ProjectionExprs};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::file::FileSource;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_datasource::file_stream::FileOpener;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer, PendingMorselPlanner};
use datafusion_datasource::{PartitionedFile, TableSchema};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::ObjectStore;

use crate::stores::Location;

/// How a path of the store is shown to people.
#[derive(Clone)]
pub(crate) struct Shown(Arc<Location>);

impl Shown {
    pub(super) fn of(location: &Location) -> Self {
        Self(Arc::new(location.clone()))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Shown")
    }
}

/// Wraps a source of files and adds the file's name to every error of reading it; everything else is the inner one's.
#[derive(Clone)]
pub(crate) struct NamedErrors {
    inner: Arc<dyn FileSource>,
    shown: Shown,
}

impl NamedErrors {
    pub(super) fn new(inner: Arc<dyn FileSource>, shown: Shown) -> Self {
        Self { inner, shown }
    }

    fn around(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, shown: self.shown.clone() })
    }
}

impl FileSource for NamedErrors {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(object_store, base_config, partition)
    }

    fn create_morselizer(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(object_store, base_config, partition)?;
        Ok(Box::new(NamedMorselizer { inner, shown: self.shown.clone() }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.around(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt_extra(format, formatter)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_filters(filters, config)?;
        let updated_node = pushed.updated_node.map(|inner| self.around(inner));
        Ok(FilterPushdownPropagation { filters: pushed.filters, updated_node })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        eq_properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(match self.inner.try_pushdown_sort(order, eq_properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner: self.around(inner) },
            SortOrderPushdownResult::Inexact { inner } => {
                SortOrderPushdownResult::Inexact { inner: self.around(inner) }
            }
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(|inner| self.around(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<datafusion::common::tree_node::TreeNodeRecursion>,
    ) -> Result<datafusion::common::tree_node::TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

/// `file … cannot be read` around the error, once.
fn named(error: DataFusionError, name: &Arc<str>) -> DataFusionError {
    let cut_short =
        ["EOF", "eof", "out of bounds", "requested range", "Requested range", "failed to fill whole buffer"];
    let text = error.to_string();
    let way_out = if cut_short.iter().any(|sign| text.contains(sign)) {
        "it is cut short or damaged: copy it again from its source, or move it away"
    } else {
        "it may be damaged, or was replaced while it was read: copy it again from its source and run again"
    };
    error.context(format!("file `{name}` cannot be read; {way_out}"))
}

#[derive(Debug)]
struct NamedMorselizer {
    inner: Box<dyn Morselizer>,
    shown: Shown,
}

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let name: Arc<str> = self.shown.0.show(file.path()).into();
        let inner = self.inner.plan_file(file).map_err(|error| named(error, &name))?;
        Ok(Box::new(NamedPlanner { inner, name }))
    }
}

#[derive(Debug)]
struct NamedPlanner {
    inner: Box<dyn MorselPlanner>,
    name: Arc<str>,
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, name } = *self;
        let Some(mut plan) = inner.plan().map_err(|error| named(error, &name))? else {
            return Ok(None);
        };
        let morsels = plan
            .take_morsels()
            .into_iter()
            .map(|inner| Box::new(NamedMorsel { inner, name: Arc::clone(&name) }) as Box<dyn Morsel>);
        let planners = plan
            .take_ready_planners()
            .into_iter()
            .map(|inner| Box::new(NamedPlanner { inner, name: Arc::clone(&name) }) as Box<dyn MorselPlanner>);
        let mut wrapped = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        if let Some(pending) = plan.take_pending_planner() {
            wrapped.set_pending_planner(named_pending(pending, name));
        }
        Ok(Some(wrapped))
    }
}

async fn named_pending(pending: PendingMorselPlanner, name: Arc<str>) -> Result<Box<dyn MorselPlanner>> {
    let inner = pending.into_future().await.map_err(|error| named(error, &name))?;
    Ok(Box::new(NamedPlanner { inner, name }))
}

#[derive(Debug)]
struct NamedMorsel {
    inner: Box<dyn Morsel>,
    name: Arc<str>,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, name } = *self;
        inner.into_stream().map(move |batch| batch.map_err(|error| named(error, &name))).boxed()
    }
}
