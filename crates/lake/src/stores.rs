//! Where data lies: a location as people write it, turned into an object store, a prefix and a URL.

mod cloud;
mod environment;
mod s3;
mod azure;
mod gcs;
mod cloud_store;
mod credentials;
mod storage_error;
mod store_error;

use std::collections::HashMap;
use std::fmt;
use std::path::{Component, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use cloud::Cloud;
pub use storage_error::plain_words;
pub(crate) use storage_error::{storage_help, storage_words};
pub use store_error::StoreError;

/// A place in an object store.
#[derive(Clone)]
pub struct Location {
    /// The store, whose root is the file system's or the bucket's.
    pub store: Arc<dyn ObjectStore>,
    /// The path inside the store; a file or a folder.
    pub prefix: Path,
    /// The whole address, without a slash at its end.
    pub url: Url,
    /// The store's address, under which it is registered with DataFusion.
    pub root: ObjectStoreUrl,
    /// The path on this machine's file system, for local stores that were not replaced by [`Stores::register`].
    pub local: Option<PathBuf>,
    /// The workspace, for showing paths relative to it.
    workspace: Arc<PathBuf>,
}

impl fmt::Debug for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Location").field(&self.url.as_str()).finish()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.show(&self.prefix))
    }
}

impl Location {
    /// The location of `name` inside this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let prefix = self.prefix.clone().join(name);
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(name);
        }
        let local = self.local.as_ref().map(|path| path.join(name));
        Self { prefix, url, local, ..self.clone() }
    }

    /// Whether it lies in a file system, where a folder that is not there is like an empty one.
    pub(crate) fn is_file(&self) -> bool {
        self.url.scheme() == "file"
    }

    /// A path of this store as shown to people: relative to the workspace where it lies inside it, a URL for
    /// object stores.
    pub fn show(&self, path: &Path) -> String {
        if self.url.scheme() != "file" {
            return format!("{}://{}/{path}", self.url.scheme(), self.url.authority());
        }
        let absolute = PathBuf::from(format!("/{path}"));
        match absolute.strip_prefix(self.workspace.as_path()) {
            Ok(inside) if !inside.as_os_str().is_empty() => inside.display().to_string(),
            _ => absolute.display().to_string(),
        }
    }
}

/// The object stores of one run, registered with its DataFusion runtime.
pub struct Stores {
    workspace: Arc<PathBuf>,
    runtime: Arc<RuntimeEnv>,
    /// By store address, e.g. `s3://bucket` (see [`store_key`]).
    known: Mutex<HashMap<String, KnownStore>>,
}

#[derive(Clone)]
struct KnownStore {
    store: Arc<dyn ObjectStore>,
    /// Whether it is the plain file system of this machine.
    plain: bool,
}

impl fmt::Debug for Stores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stores").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl Stores {
    /// Stores for a workspace; each is registered with `runtime` when it is first used.
    pub fn new(workspace: impl Into<PathBuf>, runtime: Arc<RuntimeEnv>) -> Self {
        let workspace = workspace.into();
        let workspace = std::path::absolute(&workspace).unwrap_or(workspace);
        Self { workspace: Arc::new(without_dots(&workspace)), runtime, known: Mutex::default() }
    }

    /// The runtime the stores are registered with.
    pub fn runtime(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }

    /// Uses `store` for every location under `root`, e.g. `s3://bucket` or `file:///`: for wrappers that count,
    /// throttle or fail.
    pub fn register(&self, root: &Url, store: Arc<dyn ObjectStore>) {
        let key = store_key(root);
        if let Ok(root) = Url::parse(&key) {
            self.runtime.register_object_store(&root, Arc::clone(&store));
        }
        self.known_mut().insert(key, KnownStore { store, plain: false });
    }

    /// Turns a location of the pipeline into a place: a path relative to the workspace, an absolute path,
    /// `file:///path`, `s3://bucket/prefix`, `az://container/prefix`,
    /// `abfss://container@account.dfs.core.windows.net/prefix` or `gs://bucket/prefix`. Nothing is read.
    pub fn locate(&self, location: &str) -> Result<Location, StoreError> {
        let invalid = |reason: &str| StoreError::Invalid { location: location.into(), reason: reason.into() };
        if location.trim().is_empty() {
            return Err(invalid("it is empty"));
        }
        let url = match location.split_once("://") {
            None => {
                let path = without_dots(&self.workspace.join(location));
                Url::from_file_path(path).map_err(|()| invalid("it is not a path"))?
            }
            Some(_) => Url::parse(location).map_err(|error| invalid(&error.to_string()))?,
        };
        let local = url.scheme() == "file";
        if let Some(cloud) = Cloud::of_scheme(url.scheme()) {
            check_address(location, &url, cloud)?;
        }
        let prefix = Path::from_url_path(url.path()).map_err(|error| invalid(&error.to_string()))?;
        let KnownStore { store, plain } = self.store(location, &url)?;
        let mut trimmed = url.clone();
        trimmed.set_path(url.path().trim_end_matches('/'));
        let root = ObjectStoreUrl::parse(store_key(&url)).map_err(|error| invalid(&error.to_string()))?;
        let path = if local && plain { url.to_file_path().ok() } else { None };
        Ok(Location { store, prefix, url: trimmed, root, local: path, workspace: Arc::clone(&self.workspace) })
    }

    fn store(&self, location: &str, url: &Url) -> Result<KnownStore, StoreError> {
        let key = store_key(url);
        if let Some(known) = self.known_mut().get(&key) {
            return Ok(known.clone());
        }
        let bucket = url.host_str().unwrap_or_default();
        let (store, plain): (Arc<dyn ObjectStore>, bool) = match (url.scheme(), Cloud::of_scheme(url.scheme())) {
            ("file", _) => (Arc::new(LocalFileSystem::new()), true),
            (_, Some(Cloud::Amazon)) => (s3::store(location, bucket)?, false),
            (_, Some(Cloud::Azure)) => (azure::store(location, url)?, false),
            (_, Some(Cloud::Google)) => (gcs::store(location, bucket)?, false),
            (scheme, None) => {
                return Err(StoreError::UnsupportedScheme { location: location.into(), scheme: scheme.into() });
            }
        };
        if let Ok(root) = Url::parse(&key) {
            self.runtime.register_object_store(&root, Arc::clone(&store));
        }
        let known = KnownStore { store, plain };
        self.known_mut().insert(key, known.clone());
        Ok(known)
    }

    fn known_mut(&self) -> MutexGuard<'_, HashMap<String, KnownStore>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address under which a store is kept. DataFusion looks up scheme and host alone, so the container of
/// `abfss://container@account.dfs.core.windows.net` is made part of the host; no container's name has a dot.
fn store_key(url: &Url) -> String {
    match url.host_str() {
        Some(host) if url.scheme() != "file" && !url.username().is_empty() => {
            format!("{}://{}.{host}", url.scheme(), url.username())
        }
        Some(host) if url.scheme() != "file" => format!("{}://{host}", url.scheme()),
        _ => format!("{}:///", url.scheme()),
    }
}

/// Whether the address of a bucket's or container's object is one. What could be a secret is not repeated.
fn check_address(location: &str, url: &Url, cloud: Cloud) -> Result<(), StoreError> {
    let invalid = |location: &str, reason: String| StoreError::Invalid { location: location.into(), reason };
    if url.password().is_some() || (!url.username().is_empty() && cloud != Cloud::Azure) {
        let after = location.split_once('@').map_or("", |(_, after)| after);
        let shown = format!("{}://…@{after}", url.scheme());
        return Err(invalid(&shown, "credentials come from the environment, not from the location".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let shown = format!("{}…", location.split(['?', '#']).next().unwrap_or_default());
        let token = if cloud == Cloud::Azure { "; a SAS token belongs into AZURE_STORAGE_SAS_TOKEN" } else { "" };
        return Err(invalid(
            &shown,
            format!("nothing may follow the path, and `?` and `#` in it are %3F and %23{token}"),
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(invalid(location, format!("the {} is missing: write {}", cloud.container(), cloud.example())));
    }
    Ok(())
}

/// The path without `.` and `..`, by its text alone: object stores have no such names.
fn without_dots(path: &std::path::Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores() -> Stores {
        Stores::new("/somewhere/workspace", Arc::new(RuntimeEnv::default()))
    }

    #[test]
    fn a_relative_path_lies_in_the_workspace() {
        let location = stores().locate("data/../data/lake/calls/").unwrap();
        assert_eq!(location.url.as_str(), "file:///somewhere/workspace/data/lake/calls");
        assert_eq!(location.prefix.as_ref(), "somewhere/workspace/data/lake/calls");
        assert_eq!(location.to_string(), "data/lake/calls");
        assert_eq!(location.child("a b").to_string(), "data/lake/calls/a b");
    }

    #[test]
    fn absolute_paths_and_file_urls_agree() {
        let stores = stores();
        let path = stores.locate("/tmp/lake").unwrap();
        let url = stores.locate("file:///tmp/lake").unwrap();
        assert_eq!(path.url, url.url);
        assert_eq!(path.local, Some(PathBuf::from("/tmp/lake")));
        assert_eq!(path.to_string(), "/tmp/lake");
    }

    #[test]
    fn s3_has_the_bucket_as_its_root() {
        let location = stores().locate("s3://bucket/some/prefix/").unwrap();
        assert_eq!(location.prefix.as_ref(), "some/prefix");
        assert_eq!(location.root.as_str(), "s3://bucket/");
        assert_eq!(location.child("t").url.as_str(), "s3://bucket/some/prefix/t");
        assert_eq!(location.to_string(), "s3://bucket/some/prefix");
    }

    /// Two containers of one account are two stores, though their host is the same.
    #[test]
    fn azures_long_form_keeps_containers_apart() {
        let stores = stores();
        let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        for container in ["raw", "tables"] {
            let root = format!("abfss://{container}@company.dfs.core.windows.net");
            stores.register(&Url::parse(&root).unwrap(), Arc::clone(&store));
        }
        let located = |text: &str| stores.locate(text).unwrap();
        let raw = located("abfss://raw@company.dfs.core.windows.net/calls/");
        let tables = located("abfss://tables@company.dfs.core.windows.net/calls/");
        assert_ne!(raw.root.as_str(), tables.root.as_str());
        assert!(stores.runtime().object_store(&raw.root).is_ok());
        assert_eq!(raw.prefix.as_ref(), "calls");
        assert_eq!(raw.to_string(), "abfss://raw@company.dfs.core.windows.net/calls");
        assert_eq!(raw.child("t").url.as_str(), "abfss://raw@company.dfs.core.windows.net/calls/t");
    }

    #[test]
    fn other_schemes_are_refused_with_the_way_out() {
        let error = stores().locate("hdfs://name/prefix").unwrap_err();
        assert_eq!(error.to_string(), "`hdfs://name/prefix` has the scheme `hdfs`, which is not supported");
        for scheme in ["s3://bucket/prefix", "az://container/prefix", "gs://bucket/prefix"] {
            assert!(error.help().contains(scheme), "{}", error.help());
        }
        assert!(stores().locate(" ").is_err());
        for (scheme, what) in [("s3", "bucket"), ("az", "container"), ("gs", "bucket")] {
            let error = stores().locate(&format!("{scheme}:///prefix")).unwrap_err().to_string();
            assert!(error.contains(&format!("the {what} is missing: write {scheme}://{what}/prefix")), "{error}");
        }
    }

    #[test]
    fn secrets_in_a_location_are_refused_and_not_repeated() {
        for location in [
            "s3://key:hidden@bucket/lake",
            "gs://hidden@bucket/lake",
            "az://lake:hidden@company.dfs.core.windows.net/",
            "az://lake/calls?sv=2024&sig=hidden",
            "az://lake/calls#hidden",
        ] {
            let error = stores().locate(location).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
        let error = stores().locate("az://lake/calls?sig=hidden").unwrap_err().to_string();
        assert!(error.starts_with("`az://lake/calls…` is not a location"), "{error}");
        assert!(error.contains("AZURE_STORAGE_SAS_TOKEN"), "{error}");
    }
}
