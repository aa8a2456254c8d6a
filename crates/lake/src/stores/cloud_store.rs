//! What `object_store` leaves to its callers (seen with 0.13), the same for every cloud.
//!
//! - It repeats requests that fail and goes on reading an object whose bytes break off, but a list whose answer breaks
//!   off is an error to it, and with it the whole run. Lists are asked for again here.
//! - A list that is refused is an error of no kind. Here it is of the kind that other refused requests are of.
//! - Azure is asked with a parameter for a list's offset that not every version of its protocol knows; one that does
//!   not answers with the whole list. Here the offset holds whatever the answer.
//! - Errors say which cloud they come from, so that the way out can name its variables.

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

use super::cloud::Cloud;

/// Attempts at a list, with pauses that double.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A store of a cloud, whose lists are read to their end before they are handed on.
#[derive(Debug)]
pub(super) struct CloudStore<S> {
    cloud: Cloud,
    inner: Arc<S>,
}

impl<S> CloudStore<S> {
    pub(super) fn new(cloud: Cloud, inner: S) -> Self {
        Self { cloud, inner: Arc::new(inner) }
    }
}

impl<S: ObjectStore> fmt::Display for CloudStore<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

/// Asks until an answer is whole. Errors that say something (not there, not allowed) are answers.
async fn whole<T, F: Future<Output = Result<T>>>(mut ask: impl FnMut() -> F) -> Result<T> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match ask().await {
            Err(error @ Error::Generic { .. }) if attempt < ATTEMPTS && !is_answer(&error) => {
                tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
            }
            outcome => return outcome,
        }
    }
}

/// Whether the store answered that the request is at fault. Only the text says so.
fn is_answer(error: &Error) -> bool {
    error.to_string().contains("non-2xx status code: 4")
}

/// A refused list is of no kind, and that of a bucket that is not there stays so: to those who list, "not found" is an
/// empty folder.
fn of_its_kind(error: Error, prefix: Option<&Path>) -> Error {
    let path = || prefix.map(ToString::to_string).unwrap_or_default();
    match error {
        Error::Generic { store, source } => {
            let text = source.to_string();
            if text.contains("non-2xx status code: 403") {
                Error::PermissionDenied { path: path(), source }
            } else if text.contains("non-2xx status code: 401") {
                Error::Unauthenticated { path: path(), source }
            } else {
                Error::Generic { store, source }
            }
        }
        other => other,
    }
}

fn handed_on(listed: Result<Vec<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    match listed {
        Ok(objects) => futures::stream::iter(objects.into_iter().map(Ok)).boxed(),
        Err(error) => futures::stream::once(async { Err(error) }).boxed(),
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for CloudStore<S> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await.map_err(|error| self.cloud.named(error))
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await.map_err(|error| self.cloud.named(error))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await.map_err(|error| self.cloud.named(error))
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await.map_err(|error| self.cloud.named(error))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let cloud = self.cloud;
        self.inner.delete_stream(locations).map_err(move |error| cloud.named(error)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, cloud, prefix) = (Arc::clone(&self.inner), self.cloud, prefix.cloned());
        let listed = async move {
            let objects = whole(|| inner.list(prefix.as_ref()).try_collect::<Vec<_>>()).await;
            handed_on(objects.map_err(|error| cloud.named(of_its_kind(error, prefix.as_ref()))))
        };
        futures::stream::once(listed).flatten().boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, cloud, prefix) = (Arc::clone(&self.inner), self.cloud, prefix.cloned());
        let offset = offset.clone();
        let listed = async move {
            let objects = whole(|| inner.list_with_offset(prefix.as_ref(), &offset).try_collect::<Vec<_>>()).await;
            let objects = objects.map(|mut objects| {
                objects.retain(|object| object.location > offset);
                objects
            });
            handed_on(objects.map_err(|error| cloud.named(of_its_kind(error, prefix.as_ref()))))
        };
        futures::stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = whole(|| self.inner.list_with_delimiter(prefix)).await;
        listed.map_err(|error| self.cloud.named(of_its_kind(error, prefix)))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await.map_err(|error| self.cloud.named(error))
    }
}
