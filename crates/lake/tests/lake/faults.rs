//! An object store that loses answers, refuses and falls silent, at the log entries of Delta tables and the manifests
//! of snapshots.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to the put of a log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It is applied, but the client hears of a broken connection.
    LostAnswer,
    /// It is not applied, and the client hears of a broken connection, each time.
    NeverArrives,
    /// It is not applied, and reads of log entries fail too.
    Silence,
    /// It is applied, and reads of log entries fail.
    AppliedThenSilence,
    /// The store says no.
    Refused,
    /// The store overwrites what it was asked to create.
    Overwrites,
    /// Half of a checkpoint arrives, and the client hears that all is well.
    TornCheckpoint,
}

/// Memory behind faults.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: InMemory,
    fault: AtomicU8,
    /// Puts of log entries, and objects read.
    pub(crate) puts: AtomicUsize,
    pub(crate) gets: AtomicUsize,
}

const FAULTS: [Fault; 8] = [
    Fault::None,
    Fault::LostAnswer,
    Fault::NeverArrives,
    Fault::Silence,
    Fault::AppliedThenSilence,
    Fault::Refused,
    Fault::Overwrites,
    Fault::TornCheckpoint,
];

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            fault: AtomicU8::new(Fault::None as u8),
            puts: AtomicUsize::new(0),
            gets: AtomicUsize::new(0),
        })
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    fn fault(&self) -> Fault {
        FAULTS[usize::from(self.fault.load(Ordering::SeqCst))]
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Faulty")
    }
}

fn reset() -> Error {
    Error::Generic { store: "Faulty", source: "connection reset".into() }
}

fn is_log_entry(path: &Path) -> bool {
    path.as_ref().contains("_delta_log/") || path.filename() == Some("manifest.json")
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let fault = self.fault();
        if fault == Fault::Overwrites {
            return self.inner.put_opts(location, payload, PutOptions { mode: PutMode::Overwrite, ..opts }).await;
        }
        if !is_log_entry(location) {
            return self.inner.put_opts(location, payload, opts).await;
        }
        self.puts.fetch_add(1, Ordering::SeqCst);
        match fault {
            Fault::LostAnswer | Fault::AppliedThenSilence => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(reset())
            }
            Fault::NeverArrives | Fault::Silence => Err(reset()),
            Fault::Refused => {
                Err(Error::PermissionDenied { path: location.to_string(), source: "access denied".into() })
            }
            Fault::TornCheckpoint if location.as_ref().ends_with(".checkpoint.parquet") => {
                let whole: Vec<u8> = payload.iter().flat_map(|part| part.iter().copied()).collect();
                self.inner.put_opts(location, whole[..whole.len() / 2].to_vec().into(), opts).await
            }
            Fault::None | Fault::Overwrites | Fault::TornCheckpoint => {
                self.inner.put_opts(location, payload, opts).await
            }
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if is_log_entry(location) && matches!(self.fault(), Fault::Silence | Fault::AppliedThenSilence) {
            return Err(reset());
        }
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
