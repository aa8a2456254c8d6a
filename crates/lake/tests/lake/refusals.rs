//! What is reported of a store that refuses: real ones give the reason in the body of their answer, and an answer to a
//! question about one object (HEAD) has none.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use throughline_config::{ColumnType, Format};
use throughline_lake::{OpenSource, SourceError};
use url::Url;

use crate::support::{Workspace, refusal, source};

/// Refuses lists with a reason, and looks at single objects without one.
#[derive(Debug)]
struct Refusing {
    inner: InMemory,
    reason: &'static str,
    refuses_single: bool,
}

impl fmt::Display for Refusing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Refusing")
    }
}

fn refused(path: String, body: &str) -> Error {
    Error::PermissionDenied { path, source: format!("403 Forbidden: {body}").into() }
}

#[async_trait]
impl ObjectStore for Refusing {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.refuses_single && options.head {
            return Err(refused(location.to_string(), ""));
        }
        self.inner.get_opts(location, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let error = refused(prefix.map(ToString::to_string).unwrap_or_default(), self.reason);
        futures::stream::once(async { Err(error) }).boxed()
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

async fn opened(store: Refusing, path: &str) -> std::result::Result<OpenSource, SourceError> {
    let workspace = Workspace::new();
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), Arc::new(store));
    let columns = [("call_id", ColumnType::Int64)];
    workspace.open(&source(path, Format::Csv { delimiter: b',' }, &columns)).await
}

#[tokio::test]
async fn a_refusal_is_reported_with_its_reason_and_the_variable_to_check() {
    for (reason, words, variable) in [
        (
            "<Error><Code>SignatureDoesNotMatch</Code><Message>The signatures differ</Message></Error>",
            "SignatureDoesNotMatch: The signatures differ",
            "AWS_SECRET_ACCESS_KEY",
        ),
        ("<Error><Code>InvalidAccessKeyId</Code></Error>", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("<Error><Code>AccessDenied</Code></Error>", "AccessDenied", "grant read, write and list"),
    ] {
        let store = Refusing { inner: InMemory::new(), reason, refuses_single: true };
        let (message, help) = refusal(opened(store, "s3://bucket/raw/calls.csv").await);
        assert!(message.contains(words), "{message}");
        assert!(help.contains(variable), "{help}");
    }
}

/// Who may read an object need not be allowed to list.
#[tokio::test]
async fn a_single_object_is_read_without_the_right_to_list() {
    let inner = InMemory::new();
    let path = Path::from("raw/calls.csv");
    inner.put(&path, "call_id\n1\n".into()).await.unwrap();
    let store = Refusing { inner, reason: "<Error><Code>AccessDenied</Code></Error>", refuses_single: false };
    let open = opened(store, "s3://bucket/raw/calls.csv").await.unwrap();
    assert_eq!(open.files, [("s3://bucket/raw/calls.csv".to_owned(), 10)]);
}
