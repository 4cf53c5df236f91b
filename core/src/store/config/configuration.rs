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

use super::distance;
use super::draft::{Draft, Mode, Plain};
use super::error::{ConfigError, ConfigErrors};
use super::glance;
use super::kinds::Kind;
use super::option::OptionSpec;
use super::oslo::OsloConfig;
use super::references::Reference;
use super::s3::S3Options;
use super::section::{Section, Written};
use super::strays::{is_of_all, is_ours};
use super::swift::SwiftOptions;
use crate::error::Error;
use crate::secret::Secret;

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
    /// What is probably a mistake, but no error: options that do not exist or are not read, unknown
    /// kinds of backends, values that are too large.
    pub warnings: Vec<ConfigError>,
    /// What would keep Glance from starting or from storing images, though the backends are sound:
    /// no default backend, or a `metadata_encryption_key` that is no key.
    pub unstartable: Vec<ConfigError>,
    /// The key that Glance encrypts the URLs of locations with before it stores them, as AES in CBC
    /// mode; `None` if they are stored in plain text. The feature `encrypted-locations` has the
    /// cipher.
    pub metadata_encryption_key: Option<Secret>,
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
        let (config, wrong) = OsloConfig::read(files);
        let mut errors = ConfigErrors::lines(&wrong);
        let draft = glance::draft(&config, &mut errors);
        Self::checked(draft, errors)
    }

    /// Reads a parsed `glance-api.conf`.
    ///
    /// # Errors
    ///
    /// All invalid options.
    pub fn of_oslo(config: &OsloConfig) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let draft = glance::draft(config, &mut errors);
        Self::checked(draft, errors)
    }

    /// Reads a configuration of a serde format. The mode is [`Mode::Multi`], even for one backend.
    ///
    /// # Errors
    ///
    /// All invalid options.
    pub fn of_plain(plain: &Plain) -> Result<Self, ConfigErrors> {
        Self::checked(Draft { plain: plain.clone(), ..Draft::default() }, Vec::new())
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
            unstartable: Vec::new(),
            metadata_encryption_key: None,
        })
    }

    /// Checks the configuration. Errors carry the warnings too: a misspelt option may be the cause
    /// of an error.
    fn checked(draft: Draft, mut errors: Vec<ConfigError>) -> Result<Self, ConfigErrors> {
        let configuration = Self::check(draft, &mut errors);
        match ConfigErrors::check(errors) {
            Ok(()) => Ok(configuration),
            Err(errors) => {
                let more = configuration.unstartable;
                Err(errors.with_warnings(configuration.warnings.into_iter().chain(more).collect()))
            }
        }
    }

    fn check(draft: Draft, errors: &mut Vec<ConfigError>) -> Self {
        let Draft { mode, plain, list, warnings, unstartable, default: named, nothing } = draft;
        let default = plain.default_backend.clone();
        let mut found = Self {
            mode,
            backends: BTreeMap::new(),
            default,
            others: BTreeMap::new(),
            warnings,
            unstartable,
            metadata_encryption_key: None,
        };
        found.take_encryption_key(plain.metadata_encryption_key.as_ref());
        let list = list.unwrap_or_else(|| ConfigError {
            place: None,
            section: String::new(),
            option: Some("enabled_backends".to_owned()),
            value: None,
            problem: String::new(),
        });
        let nothing_own = BTreeMap::new();
        let mut unknown = BTreeMap::new();
        for (id, kind) in &plain.enabled_backends {
            let own = plain.backends.get(id).unwrap_or(&nothing_own);
            let section = match mode {
                Mode::Multi => Section { name: id, layers: vec![own, &plain.backend_defaults] },
                Mode::Single => Section { name: "glance_store", layers: vec![own] },
            };
            let specs = match Kind::named(kind, false).map(|kind| kind.name) {
                Some("s3") => {
                    let options = S3Options::of_section(&section, errors);
                    options.check(&section, errors);
                    options.warn(&section, &mut found.warnings);
                    found.backends.insert(id.clone(), Backend::S3(options));
                    S3Options::specs()
                }
                Some("swift") => {
                    let options = SwiftOptions::read(&section, errors);
                    options.check(&section, errors);
                    options.warn(&section, &mut found.warnings);
                    found.backends.insert(id.clone(), Backend::Swift(options));
                    SwiftOptions::specs()
                }
                Some(other) => {
                    found.others.insert(id.clone(), other.to_owned());
                    continue;
                }
                None => {
                    unknown.insert(id.clone(), Kind::problem(kind));
                    continue;
                }
            };
            found.warnings.extend(specs.iter().filter_map(|spec| section.above(spec)));
            found.warn(&section, own, &specs, mode);
        }
        let defaults = Section { name: "backend_defaults", layers: vec![&plain.backend_defaults] };
        let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
        found.warn_of_defaults(&defaults, &plain.backend_defaults, &specs.collect::<Vec<_>>());
        for (id, problem) in &unknown {
            let who = if mode == Mode::Multi { format!("backend {id}") } else { format!("{id:?}") };
            let problem = format!("{who} is left out: {problem}");
            found.warnings.push(ConfigError { problem, ..list.clone() });
        }
        if found.backends.is_empty() {
            let problem = nothing.unwrap_or("no backend is in S3 or Swift").to_owned();
            let option = list.option.clone().filter(|_| nothing.is_none() && list.value.is_some());
            found.warnings.push(ConfigError { problem, option, ..list });
        }
        found.check_default(&unknown, named, errors);
        found
    }

    /// Takes the key of the locations. An empty one counts as none, as in Glance.
    fn take_encryption_key(&mut self, written: Option<&Written>) {
        let Some(written) = written.filter(|written| !written.text.is_empty()) else { return };
        let told = |problem: String| ConfigError {
            place: written.place.clone(),
            section: "DEFAULT".to_owned(),
            option: Some("metadata_encryption_key".to_owned()),
            value: None,
            problem,
        };
        match written.text.len() {
            16 | 24 | 32 => self.warnings.push(told(ENCRYPTED.to_owned())),
            length => self.unstartable.push(told(format!(
                "the key has {length} bytes: an AES key has 16, 24 or 32, and with another no image \
                 can be stored"
            ))),
        }
        self.metadata_encryption_key = Some(Secret::new(written.text.as_str()));
    }

    /// Checks that the default backend is there.
    fn check_default(
        &self,
        unknown: &BTreeMap<String, String>,
        named: Option<ConfigError>,
        errors: &mut Vec<ConfigError>,
    ) {
        let Some(default) = &self.default else { return };
        if self.backends.contains_key(default) || self.others.contains_key(default) {
            return;
        }
        let option = if self.mode == Mode::Multi { "default_backend" } else { "default_store" };
        let ids: Vec<&str> =
            self.backends.keys().chain(self.others.keys()).map(String::as_str).collect();
        errors.push(ConfigError {
            place: named.and_then(|named| named.place),
            section: "glance_store".to_owned(),
            option: Some(option.to_owned()),
            value: Some(default.clone()),
            problem: match unknown.get(default) {
                Some(problem) => problem.clone(),
                None => format!("expected one of {}", ids.join(", ")),
            },
        });
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
            Mode::Single => is_ours(name) && name.split(['_', '-']).next() == prefix,
            Mode::Multi => section.name != "glance_store" || !is_of_all(name),
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

    /// Returns the references of each `swift_store_config_file`, by its path, as
    /// [`Reference::read_file`] reads them.
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
                references.insert(path.clone(), Reference::read_file(path, &text)?.references);
            }
        }
        Ok(references)
    }
}

const ENCRYPTED: &str = "the image service stores locations encrypted with this key, and only programs \
                         with the key read them; Glance deprecates the option since 2024.2";
/// The options that the image service has for every backend.
const OF_EVERY_BACKEND: [&str; 2] = ["store_description", "weight"];
/// The prefixes of the options of the other kinds of backends.
const OTHERS: [&str; 7] =
    ["filesystem_", "rbd_", "rados_", "cinder_", "vmware_", "http_", "https_"];
