//! Stores by URLs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use url::{Position, Url};

use super::errors::generic;
use super::object_store::path::Path;
use super::object_store::{ObjectStore, Result};
use super::s3::S3Store;
#[cfg(feature = "swift")]
use super::swift::SwiftStore;
use crate::open::{Opened, open};

/// Opens the store that a URL names, with a client of its own, and returns it with the path in it.
/// Of the same shape as object_store's function of this name.
///
/// | URL | the store |
/// | --- | --- |
/// | `s3://bucket/path` (or `s3a`) | at the endpoint of the options, or AWS's of the region |
/// | `s3+https://host:port/bucket/path` | at this server |
/// | `swift://container/path` | of the cloud that the options describe |
/// | `swift+https://host:port/v3/container/path` | of the Keystone at this URL |
///
/// `s3+http` and `swift+http` are the same without TLS. A URL with credentials is an error: they
/// would be in logs. Options have the usual names, in any case; others are skipped, so that the
/// environment may be passed whole.
///
/// - S3: `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`, `aws_region`,
///   `aws_default_region`, `aws_endpoint`, `aws_endpoint_url`, `aws_endpoint_url_s3`,
///   `aws_virtual_hosted_style_request`, `aws_skip_signature`, `aws_profile`, `aws_unsigned_payload`,
///   `aws_server_side_encryption`, `aws_sse_kms_key_id`, `aws_sse_bucket_key_enabled`; also without
///   `aws_`. Without keys, those of `aws_profile`, `aws_web_identity_token_file` with `aws_role_arn`,
///   or `aws_container_credentials_*` are used, or else the default chain of the AWS SDKs is asked,
///   whose variables are options too; without region and endpoint, the SDKs' settings are read.
///   Refused: `aws_sse_customer_key_base64`, `aws_request_payer` and `aws_s3_express`.
/// - Swift: `OS_CLOUD`, which names a cloud of `clouds.yaml`, or `OS_AUTH_URL`, `OS_USERNAME`,
///   `OS_PASSWORD`, `OS_PROJECT_NAME`, `OS_APPLICATION_CREDENTIAL_ID`, `OS_TRUST_ID` and the rest,
///   as openstacksdk reads them. Without any, those of the process are used.
///
/// The proxies that the environment names are used.
///
/// ```no_run
/// # #[cfg(feature = "v0_14")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use apus_object_store::v0_14::parse_url_opts;
///
/// let url = url::Url::parse("swift+https://keystone.example.com/v3/lake/tables/")?;
/// let (store, path) = parse_url_opts(&url, std::env::vars())?;
/// # drop((store, path));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "v0_14"))]
/// # fn main() {}
/// ```
///
/// # Errors
///
/// The URL has another form; options are missing or invalid; a file can't be read.
pub fn parse_url_opts<I, K, V>(url: &Url, options: I) -> Result<(Box<dyn ObjectStore>, Path)>
where
    I: IntoIterator<Item = (K, V)>,
    K: AsRef<str>,
    V: Into<String>,
{
    let (store, path) = open_place(url, options)?;
    Ok((store, Path::from_url_path(path)?))
}

/// Opens a store, and returns it with the path as it is in the URL.
fn open_place<I, K, V>(url: &Url, options: I) -> Result<(Box<dyn ObjectStore>, String)>
where
    I: IntoIterator<Item = (K, V)>,
    K: AsRef<str>,
    V: Into<String>,
{
    let options = options.into_iter();
    let options = options.map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.into()));
    let opened = open(url, &options.collect()).map_err(|error| generic("URL", error))?;
    let (store, place): (Box<dyn ObjectStore>, _) = match opened {
        Opened::S3(client, encryption, place) => {
            let store = S3Store::new(client, place.bucket.clone());
            (Box::new(store.with_encryption(encryption)), place)
        }
        #[cfg(feature = "swift")]
        Opened::Swift(client, place) => {
            (Box::new(SwiftStore::new(client, place.bucket.clone())), place)
        }
    };
    Ok((store, place.path))
}

/// Opens the store that a URL names, with the options of the process's environment: see
/// [`parse_url_opts`].
///
/// # Errors
///
/// Those of [`parse_url_opts`].
pub fn parse_url(url: &Url) -> Result<(Box<dyn ObjectStore>, Path)> {
    parse_url_opts(
        url,
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    )
}

/// The stores of a program by their URLs: those that were registered, and those that were opened by
/// [`parse_url_opts`] when they were first asked for. Stores of one server's URLs in one bucket
/// are opened once.
///
/// `Debug` shows the names of the options, and no credentials in URLs.
#[derive(Default)]
pub struct Registry {
    options: Vec<(String, String)>,
    stores: RwLock<BTreeMap<Place, Arc<dyn ObjectStore>>>,
}

/// Scheme and authority of a URL, and the segments of its path.
type Place = (String, Vec<String>);

impl Registry {
    /// Returns a registry that opens stores with these options.
    pub fn new<K: Into<String>, V: Into<String>>(
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let options = options.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { options: options.collect(), stores: RwLock::default() }
    }

    fn find(&self, url: &Url) -> Option<(Arc<dyn ObjectStore>, usize)> {
        let (server, mut segments) = place(url);
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        loop {
            let depth = segments.len();
            let key = (server.clone(), segments);
            if let Some(store) = stores.get(&key) {
                return Some((Arc::clone(store), depth));
            }
            segments = key.1;
            segments.pop()?;
        }
    }

    /// Removes the store that is registered for exactly this URL, and returns it.
    pub fn remove(&self, url: &Url) -> Option<Arc<dyn ObjectStore>> {
        self.stores.write().unwrap_or_else(PoisonError::into_inner).remove(&place(url))
    }

    /// Registers a store for a URL, and returns the one that it replaces.
    pub fn insert(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.stores.write().unwrap_or_else(PoisonError::into_inner).insert(place(url), store)
    }

    /// Returns the store with the longest path that is a prefix of the URL's, and the rest of the
    /// path. Opens one if no store is registered there.
    ///
    /// # Errors
    ///
    /// Those of [`parse_url_opts`].
    pub fn find_or_open(&self, url: &Url) -> Result<(Arc<dyn ObjectStore>, Path)> {
        if let Some((store, depth)) = self.find(url) {
            return Ok((store, rest(url, depth)?));
        }
        let options = self.options.iter().map(|(name, value)| (name, value));
        let (store, path) = open_place(url, options)?;
        let (server, mut segments) = place(url);
        // Not those of the path, in which a slash may be escaped.
        let below = path.split('/').filter(|segment| !segment.is_empty());
        let depth = segments.len().saturating_sub(below.count());
        segments.truncate(depth);
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have opened it meanwhile.
        let store = stores.entry((server, segments)).or_insert_with(|| Arc::from(store));
        Ok((Arc::clone(store), rest(url, depth)?))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<_> = self.options.iter().map(|(name, _)| name).collect();
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        let places = stores.iter().map(|((server, path), store)| {
            let (scheme, rest) = server.split_once("://").unwrap_or(("", server));
            let host = rest.rsplit('@').next().unwrap_or_default();
            (format!("{scheme}://{host}/{}", path.join("/")), store)
        });
        let places: Vec<_> = places.collect();
        f.debug_struct("Registry").field("options", &options).field("stores", &places).finish()
    }
}

fn place(url: &Url) -> Place {
    let segments = url.path().split('/').filter(|segment| !segment.is_empty());
    (url[..Position::AfterPort].to_owned(), segments.map(str::to_owned).collect())
}

/// Returns the path of a URL without its first segments.
fn rest(url: &Url, depth: usize) -> Result<Path> {
    let (_, segments) = place(url);
    Ok(Path::from_url_path(segments.get(depth..).unwrap_or_default().join("/"))?)
}
