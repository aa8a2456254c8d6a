//! A workspace in a temporary folder, sources over it, and queries.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;
use throughline_config::{
    Column, ColumnType, Format, Located, Place, RejectedLimits, RowLimits, Source, SourceFile, SourceKind,
};
use throughline_lake::{OpenSource, SourceError, Stores, open_source};

/// A workspace with its stores and a session over them.
pub(crate) struct Workspace {
    folder: TempDir,
    pub(crate) session: SessionContext,
    pub(crate) stores: Stores,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
        let stores = Stores::new(folder.path(), session.runtime_env());
        Self { folder, session, stores }
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Writes a file, making its folders.
    pub(crate) fn write(&self, inside: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Writes columns as a Parquet file.
    pub(crate) fn write_parquet(&self, inside: &str, columns: Vec<(&str, ArrayRef)>) {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        self.write(inside, bytes);
    }

    pub(crate) async fn open(&self, source: &Source) -> Result<OpenSource, SourceError> {
        open_source(source, &self.stores).await
    }

    /// The rows of a query over `t`, as DataFusion prints them.
    pub(crate) async fn query(&self, provider: Arc<dyn TableProvider>, sql: &str) -> Result<String> {
        self.session.deregister_table("t")?;
        self.session.register_table("t", provider)?;
        let batches = self.session.sql(sql).await?.collect().await?;
        Ok(pretty_format_batches(&batches)?.to_string())
    }

    /// The plan of a query over `t`, as DataFusion prints it.
    pub(crate) async fn explain(&self, provider: Arc<dyn TableProvider>, sql: &str) -> String {
        self.query(provider, &format!("EXPLAIN {sql}")).await.unwrap()
    }

    /// The rows of a query, as the partitioned streams that staging takes.
    pub(crate) async fn streams(&self, sql: &str) -> Vec<SendableRecordBatchStream> {
        self.session.sql(sql).await.unwrap().execute_stream_partitioned().await.unwrap()
    }
}

fn located<T>(value: T) -> Located<T> {
    let file = SourceFile { path: PathBuf::from("pipelines/test.yaml"), text: String::new() };
    Located { value, place: Place { file: Arc::new(file), span: 0..0 } }
}

/// A source named `calls` with the given columns.
pub(crate) fn source(path: impl AsRef<Path>, format: Format, columns: &[(&str, ColumnType)]) -> Source {
    let column = |data_type| Column { data_type: located(data_type), format: None };
    Source {
        name: located("calls".into()),
        kind: SourceKind::Source,
        path: located(path.as_ref().display().to_string()),
        format,
        columns: columns.iter().map(|(name, data_type)| ((*name).to_owned(), column(*data_type))).collect(),
        time_column: None,
        key: Vec::new(),
        active_at: Vec::new(),
        sorted_by: Vec::new(),
        contract: Vec::new(),
        freshness: None,
        rejected: RejectedLimits::default(),
        rows: RowLimits::default(),
        description: None,
        owner: None,
    }
}

/// The same source with a strftime pattern for one column.
pub(crate) fn with_pattern(mut source: Source, column: &str, pattern: &str) -> Source {
    source.columns[column].format = Some(located(pattern.to_owned()));
    source
}

/// What a broken source says and what it advises.
pub(crate) fn refusal(opened: Result<OpenSource, SourceError>) -> (String, String) {
    let error = opened.unwrap_err();
    (error.to_string(), error.help())
}
