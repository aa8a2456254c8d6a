//! Lists that break off in the middle are asked for again.
//!
//! `object_store` repeats requests that fail and goes on reading an object whose bytes break off, but a list whose
//! answer breaks off is an error to it (seen with 0.13), and with it the whole run.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Attempts at a list, with pauses that double.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A store whose lists are read to their end before they are handed on.
#[derive(Debug)]
pub(super) struct Relisting<S> {
    inner: Arc<S>,
}

impl<S> Relisting<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl<S: ObjectStore> fmt::Display for Relisting<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

/// Asks until an answer is whole. Errors that say something (not found, not allowed) are answers.
async fn whole<T, F: Future<Output = Result<T>>>(mut ask: impl FnMut() -> F) -> Result<T> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match ask().await {
            Err(Error::Generic { .. }) if attempt < ATTEMPTS => {
                tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
            }
            outcome => return outcome,
        }
    }
}

fn handed_on(listed: Result<Vec<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    match listed {
        Ok(objects) => futures::stream::iter(objects.into_iter().map(Ok)).boxed(),
        Err(error) => futures::stream::once(async { Err(error) }).boxed(),
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Relisting<S> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, prefix) = (Arc::clone(&self.inner), prefix.cloned());
        let listed = async move { handed_on(whole(|| inner.list(prefix.as_ref()).try_collect::<Vec<_>>()).await) };
        futures::stream::once(listed).flatten().boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, prefix, offset) = (Arc::clone(&self.inner), prefix.cloned(), offset.clone());
        let listed = async move {
            handed_on(whole(|| inner.list_with_offset(prefix.as_ref(), &offset).try_collect::<Vec<_>>()).await)
        };
        futures::stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        whole(|| self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
