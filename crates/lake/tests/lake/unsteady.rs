//! An object store that fails by dice with a seed: before a request is applied, or after it, when only the answer is
//! lost. Nothing retries in between, so every failure reaches the code under test.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Memory behind dice.
#[derive(Debug)]
pub(crate) struct Unsteady {
    inner: InMemory,
    dice: AtomicU64,
    /// Of a thousand requests, so many fail.
    failing: AtomicU32,
    /// Puts that were applied though the client heard of a failure, and puts that were not.
    pub(crate) lost_answers: AtomicUsize,
    pub(crate) never_arrived: AtomicUsize,
}

impl Unsteady {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            dice: AtomicU64::new(seed),
            failing: AtomicU32::new(0),
            lost_answers: AtomicUsize::new(0),
            never_arrived: AtomicUsize::new(0),
        })
    }

    /// From now on so many of a thousand requests fail.
    pub(crate) fn fail(&self, of_a_thousand: u32) {
        self.failing.store(of_a_thousand, Ordering::SeqCst);
    }

    /// A number below a thousand (splitmix64, Steele, Lea and Flood 2014).
    pub(crate) fn throw(&self) -> u32 {
        let state = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % 1000) as u32
    }

    fn fails(&self) -> bool {
        self.throw() < self.failing.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<()> {
        if self.fails() { Err(reset()) } else { Ok(()) }
    }
}

fn reset() -> Error {
    Error::Generic { store: "Unsteady", source: "connection reset".into() }
}

impl fmt::Display for Unsteady {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Unsteady")
    }
}

#[async_trait]
impl ObjectStore for Unsteady {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if !self.fails() {
            return self.inner.put_opts(location, payload, opts).await;
        }
        if self.throw() < 500 {
            self.never_arrived.fetch_add(1, Ordering::SeqCst);
        } else {
            self.inner.put_opts(location, payload, opts).await?;
            self.lost_answers.fetch_add(1, Ordering::SeqCst);
        }
        Err(reset())
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => Box::pin(futures::stream::once(async { Err(error) })),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check()?;
        self.inner.copy_opts(from, to, options).await
    }
}
