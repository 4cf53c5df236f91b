//! What is written about backends, before it is checked.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::section::Written;

/// How the backend of a location is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// By the scheme of the location: there is at most one backend of each kind.
    Single,
    /// By the id in the metadata of the location.
    Multi,
}

/// The configuration in a form for any serde format.
///
/// ```
/// use apus_core::store::config::{Configuration, Plain};
///
/// let plain: Plain = serde_json::from_str(r#"{
///     "enabled_backends": {"fast": "s3"},
///     "default_backend": "fast",
///     "backends": {"fast": {
///         "s3_store_host": "https://objects.example", "s3_store_bucket": "images",
///         "s3_store_access_key": "AKID", "s3_store_secret_key": "SECRET",
///         "s3_store_thread_pools": 4
///     }}
/// }"#)?;
/// let configuration = Configuration::of_plain(&plain)?;
/// assert_eq!(configuration.default.as_deref(), Some("fast"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plain {
    /// The kind of each backend, by id.
    pub enabled_backends: BTreeMap<String, String>,
    /// The id of the backend for new objects.
    pub default_backend: Option<String>,
    /// The options of each backend, by id.
    pub backends: BTreeMap<String, BTreeMap<String, Written>>,
    /// The options of backends that do not set their own.
    pub backend_defaults: BTreeMap<String, Written>,
    /// The key that the image service encrypts locations with.
    pub metadata_encryption_key: Option<Written>,
}

/// What is written about backends.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) mode: Mode,
    pub(super) plain: Plain,
    /// Where the backends are named.
    pub(super) list: Option<ConfigError>,
    pub(super) warnings: Vec<ConfigError>,
    pub(super) unstartable: Vec<ConfigError>,
    /// Where the backend for new objects is named.
    pub(super) default: Option<ConfigError>,
    /// Why there are no options at all.
    pub(super) nothing: Option<&'static str>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            mode: Mode::Multi,
            plain: Plain::default(),
            list: None,
            warnings: Vec::new(),
            unstartable: Vec::new(),
            default: None,
            nothing: None,
        }
    }
}
