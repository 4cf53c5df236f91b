//! All backends of an image service.
//!
//! ```text
//!  several backends                         one backend
//!  ────────────────                         ───────────
//!  [DEFAULT]                                [glance_store]
//!  enabled_backends = fast:s3, cold:swift   stores = s3
//!  [glance_store]                           default_store = s3
//!  default_backend = fast                   s3_store_host = …
//!  [backend_defaults]
//!  s3_store_retries = 9
//!  [fast]
//!  s3_store_host = …
//! ```
//!
//! An option of a backend is read from its own section, or else from `[backend_defaults]`.

use std::collections::BTreeMap;

use super::error::{ConfigError, ConfigErrors};
use super::option::OptionSpec;
use super::oslo::{OsloConfig, OsloValue};
use super::references::Reference;
use super::s3::S3Options;
use super::section::{Section, Written};
use super::swift::SwiftOptions;
use crate::error::Error;

/// The configuration of all backends, checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Configuration {
    /// One backend, or several by name.
    pub mode: Mode,
    /// The backends by id. In [`Mode::Single`] the id is the entry's name in `stores`.
    pub backends: BTreeMap<String, Backend>,
    /// The id of the backend for new objects.
    pub default: Option<String>,
    /// The backends of kinds other than S3 and Swift: id and kind.
    pub others: BTreeMap<String, String>,
    /// Options that do not exist: probably a mistake, but not an error.
    pub warnings: Vec<ConfigError>,
}

/// How the backend of a location is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// By the scheme of the location: there is at most one backend of each kind.
    Single,
    /// By the id in the metadata of the location.
    Multi,
}

/// One backend.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of them, and they stay where they are"
)]
pub enum Backend {
    /// In S3.
    S3(S3Options),
    /// In Swift.
    Swift(SwiftOptions),
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
}

impl Configuration {
    /// Parses `glance-api.conf`, or several files: pairs of name and text. A later file overrides
    /// an earlier one.
    ///
    /// # Errors
    ///
    /// All lines that cannot be parsed, or else all invalid options.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigErrors> {
        let config = OsloConfig::parse(files).map_err(|errors| ConfigErrors::of_lines(&errors))?;
        Self::of_oslo(&config)
    }

    /// Reads a parsed `glance-api.conf`.
    ///
    /// # Errors
    ///
    /// All invalid options.
    pub fn of_oslo(config: &OsloConfig) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut reader = OsloReader { config, errors: &mut errors };
        let enabled = reader.list("DEFAULT", "enabled_backends");
        let is_multi = !enabled.is_empty();
        let mut plain = Plain::default();
        if is_multi {
            plain.default_backend = reader.text("glance_store", "default_backend");
            for entry in enabled {
                match entry.split_once(':') {
                    Some((id, kind)) if !id.trim().is_empty() && !kind.trim().is_empty() => {
                        let (id, kind) = (id.trim().to_owned(), kind.trim().to_owned());
                        if plain.enabled_backends.insert(id, kind).is_some() {
                            reader.wrong(
                                "DEFAULT",
                                "enabled_backends",
                                "a backend id is listed twice",
                            );
                        }
                    }
                    _ => {
                        reader.wrong("DEFAULT", "enabled_backends", "expected id:kind, id:kind, …")
                    }
                }
            }
            plain.backend_defaults = reader.section("backend_defaults");
        } else {
            let stores = reader.list("glance_store", "stores");
            let default = reader.text("glance_store", "default_store");
            plain.default_backend = default.or_else(|| stores.first().cloned());
            plain.enabled_backends =
                stores.iter().map(|kind| (kind.clone(), kind.clone())).collect();
        }
        for id in plain.enabled_backends.keys() {
            let group = if is_multi { id.as_str() } else { "glance_store" };
            plain.backends.insert(id.clone(), reader.section(group));
        }
        let mode = if is_multi { Mode::Multi } else { Mode::Single };
        Self::checked(&plain, mode, errors)
    }

    /// Reads a configuration of a serde format. The mode is [`Mode::Multi`], even for one backend.
    ///
    /// # Errors
    ///
    /// All invalid options.
    pub fn of_plain(plain: &Plain) -> Result<Self, ConfigErrors> {
        Self::checked(plain, Mode::Multi, Vec::new())
    }

    /// Makes the configuration of one backend of its options.
    ///
    /// ```
    /// use apus_core::store::Stores;
    /// use apus_core::store::config::{Backend, Configuration, S3Options};
    /// # use std::collections::BTreeMap;
    ///
    /// let mut options = S3Options::default();
    /// options.s3_store_host = Some("http://127.0.0.1:9000".to_owned());
    /// options.s3_store_bucket = Some("images".to_owned());
    /// options.s3_store_access_key = Some("AK".into());
    /// options.s3_store_secret_key = Some("SK".into());
    /// let configuration = Configuration::of_backend("fast", Backend::S3(options))?;
    /// let stores = Stores::new(&configuration, &BTreeMap::new())?;
    /// assert_eq!(stores.default_backend().unwrap().id(), "fast");
    /// # Ok::<(), apus_core::store::config::ConfigErrors>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the options.
    pub fn of_backend(id: impl Into<String>, backend: Backend) -> Result<Self, ConfigErrors> {
        let id = id.into();
        let mut errors = Vec::new();
        let section = Section { name: &id, layers: Vec::new() };
        match &backend {
            Backend::S3(options) => options.check(&section, &mut errors),
            Backend::Swift(options) => options.check(&section, &mut errors),
        }
        ConfigErrors::check(errors)?;
        Ok(Self {
            mode: Mode::Multi,
            default: Some(id.clone()),
            backends: BTreeMap::from([(id, backend)]),
            others: BTreeMap::new(),
            warnings: Vec::new(),
        })
    }

    /// Checks the configuration. Errors carry the warnings too: a misspelt option may be the cause
    /// of an error.
    fn checked(
        plain: &Plain,
        mode: Mode,
        mut errors: Vec<ConfigError>,
    ) -> Result<Self, ConfigErrors> {
        let configuration = Self::check(plain, mode, &mut errors);
        match ConfigErrors::check(errors) {
            Ok(()) => Ok(configuration),
            Err(errors) => Err(errors.with_warnings(configuration.warnings)),
        }
    }

    fn check(plain: &Plain, mode: Mode, errors: &mut Vec<ConfigError>) -> Self {
        let mut found = Self {
            mode,
            backends: BTreeMap::new(),
            default: plain.default_backend.clone(),
            others: BTreeMap::new(),
            warnings: Vec::new(),
        };
        let nothing = BTreeMap::new();
        for (id, kind) in &plain.enabled_backends {
            let own = plain.backends.get(id).unwrap_or(&nothing);
            let name = if mode == Mode::Multi { id.as_str() } else { "glance_store" };
            let section = Section { name, layers: vec![own, &plain.backend_defaults] };
            let specs = match kind.as_str() {
                "s3" => {
                    let options = S3Options::of_section(&section, errors);
                    options.check(&section, errors);
                    found.backends.insert(id.clone(), Backend::S3(options));
                    S3Options::specs()
                }
                "swift" => {
                    let options = SwiftOptions::of_section(&section, errors);
                    options.check(&section, errors);
                    found.backends.insert(id.clone(), Backend::Swift(options));
                    SwiftOptions::specs()
                }
                _ => {
                    found.others.insert(id.clone(), kind.clone());
                    continue;
                }
            };
            found.warn(&section, own, &specs, mode);
        }
        let defaults = Section { name: "backend_defaults", layers: vec![&plain.backend_defaults] };
        let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
        found.warn_of_defaults(&defaults, &plain.backend_defaults, &specs.collect::<Vec<_>>());
        if let Some(default) = &found.default
            && !plain.enabled_backends.contains_key(default)
        {
            let option = if mode == Mode::Multi { "default_backend" } else { "default_store" };
            let ids: Vec<&str> = plain.enabled_backends.keys().map(String::as_str).collect();
            errors.push(ConfigError {
                place: None,
                section: "glance_store".to_owned(),
                option: Some(option.to_owned()),
                value: Some(default.clone()),
                problem: format!("expected one of {}", ids.join(", ")),
            });
        }
        found
    }

    /// Warns about options of a backend that do not exist.
    ///
    /// `[glance_store]` has options of other kinds of backends too: in it, only names with the
    /// prefix of this kind are checked.
    fn warn(
        &mut self,
        section: &Section<'_>,
        own: &BTreeMap<String, Written>,
        specs: &[OptionSpec],
        mode: Mode,
    ) {
        let prefix = specs.first().and_then(|spec| spec.name.split('_').next());
        let looked_at = |name: &str| match mode {
            Mode::Single => is_ours(name) && name.split('_').next() == prefix,
            Mode::Multi => true,
        };
        self.warn_of(section, own.keys().filter(|name| looked_at(name)), specs);
    }

    /// Warns about default options that neither S3 nor Swift has, except those with the prefix of
    /// another kind of backend.
    fn warn_of_defaults(
        &mut self,
        section: &Section<'_>,
        defaults: &BTreeMap<String, Written>,
        specs: &[OptionSpec],
    ) {
        let is_of_others = |name: &str| OTHERS.iter().any(|prefix| name.starts_with(prefix));
        self.warn_of(section, defaults.keys().filter(|name| !is_of_others(name)), specs);
    }

    /// Warns about those of these options that do not exist, with the nearest existing name.
    fn warn_of<'a>(
        &mut self,
        section: &Section<'_>,
        names: impl Iterator<Item = &'a String>,
        specs: &[OptionSpec],
    ) {
        let is_known = |name: &str| {
            specs.iter().any(|spec| spec.name == name) || OF_EVERY_BACKEND.contains(&name)
        };
        for name in names.filter(|name| !is_known(name)) {
            let known = specs.iter().map(|spec| spec.name).chain(OF_EVERY_BACKEND);
            let nearest = known
                .map(|known| (distance(name, known), known))
                .min()
                .filter(|(distance, known)| *distance * 3 <= known.len());
            let problem = match nearest {
                Some((_, known)) => format!("unknown option: did you mean {known}?"),
                None => "unknown option".to_owned(),
            };
            self.warnings.push(section.wrong(name, true, problem));
        }
    }

    /// Returns the references of each `swift_store_config_file`, by its path.
    ///
    /// `read` returns the content of the file at a path.
    ///
    /// # Errors
    ///
    /// Those of `read`, and all errors in a file.
    pub fn references(
        &self,
        mut read: impl FnMut(&str) -> Result<Vec<u8>, Error>,
    ) -> Result<BTreeMap<String, BTreeMap<String, Reference>>, Error> {
        let mut references = BTreeMap::new();
        for backend in self.backends.values() {
            if let Backend::Swift(options) = backend
                && let Some(path) = &options.swift_store_config_file
                && !references.contains_key(path)
            {
                let text = String::from_utf8(read(path)?)
                    .map_err(|_| Error::invalid_input(format!("{path}: the file is not UTF-8")))?;
                references.insert(path.clone(), Reference::read_all(path, &text)?);
            }
        }
        Ok(references)
    }
}

/// Returns whether an option's name has the prefix of S3 or Swift.
fn is_ours(name: &str) -> bool {
    ["s3_store_", "swift_store_"].iter().any(|ours| name.starts_with(ours))
}

struct OsloReader<'a> {
    config: &'a OsloConfig,
    errors: &'a mut Vec<ConfigError>,
}

impl OsloReader<'_> {
    fn section(&mut self, group: &str) -> BTreeMap<String, Written> {
        let config = self.config;
        let options = config.options(group);
        options.map(|(name, value)| (name.to_owned(), self.written(group, name, value))).collect()
    }

    fn written(&mut self, group: &str, name: &str, value: &OsloValue) -> Written {
        let place = Some((value.file.clone(), value.line));
        match self.config.substitute(group, value, &default_of) {
            Ok(text) => Written { text, place },
            Err(error) => {
                self.errors.push(ConfigError {
                    place: place.clone(),
                    section: group.to_owned(),
                    option: Some(name.to_owned()),
                    value: None,
                    problem: if may_be_shown(name) {
                        error.problem.to_string()
                    } else {
                        error.problem.without_names()
                    },
                });
                Written { text: String::new(), place }
            }
        }
    }

    fn text(&mut self, group: &str, name: &str) -> Option<String> {
        let value = self.config.raw(group, name)?;
        let text = self.written(group, name, value).text.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn list(&mut self, group: &str, name: &str) -> Vec<String> {
        let text = self.text(group, name).unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    }

    fn wrong(&mut self, group: &str, name: &str, problem: &str) {
        let value = self.config.raw(group, name);
        self.errors.push(ConfigError {
            place: value.map(|value| (value.file.clone(), value.line)),
            section: group.to_owned(),
            option: Some(name.to_owned()),
            value: value.map(|value| value.text.clone()),
            problem: problem.to_owned(),
        });
    }
}

/// Returns the default of an option that a value refers to: empty if the option has none.
fn default_of(_: &str, name: &str) -> Option<String> {
    let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
    let spec = specs.into_iter().find(|spec| spec.name == name)?;
    Some(spec.default.unwrap_or_default())
}

/// Returns whether the value of an option is known not to be a secret.
fn may_be_shown(name: &str) -> bool {
    let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
    specs.into_iter().any(|spec| spec.name == name && !spec.is_secret)
}

/// Returns the edit distance of two texts (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, char) in a.chars().take(LONGEST_NAME).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(char != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

/// The options that the image service has for every backend.
const OF_EVERY_BACKEND: [&str; 2] = ["store_description", "weight"];
/// The prefixes of the options of the other kinds of backends.
const OTHERS: [&str; 7] =
    ["filesystem_", "rbd_", "rados_", "cinder_", "vmware_", "http_", "https_"];
/// How many characters of an unknown name are compared.
const LONGEST_NAME: usize = 128;
