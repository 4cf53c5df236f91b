//! Reads a parsed `glance-api.conf` as glance_store reads it.

use super::draft::{Draft, Mode, Plain};
use super::error::ConfigError;
use super::kinds::Kind;
use super::oslo::{OsloConfig, OsloValue};
use super::python;
use super::s3::S3Options;
use super::section::Written;
use super::strays;
use super::swift::SwiftOptions;

/// Collects what is written about backends. Appends values that can't be read to `errors`.
pub(super) fn draft(config: &OsloConfig, errors: &mut Vec<ConfigError>) -> Draft {
    let mut reader = Reader { config, errors, draft: Draft::default() };
    let enabled = reader.text("DEFAULT", "enabled_backends").unwrap_or_default();
    if python::trim(&enabled).is_empty() {
        reader.one_backend();
    } else {
        reader.several_backends(&enabled);
    }
    let option = "metadata_encryption_key";
    let key = config.raw("DEFAULT", option).map(|raw| reader.written("DEFAULT", option, raw));
    let Reader { mut draft, .. } = reader;
    draft.plain.metadata_encryption_key = key;
    strays::warn(config, &mut draft);
    draft
}

struct Reader<'a> {
    config: &'a OsloConfig,
    errors: &'a mut Vec<ConfigError>,
    draft: Draft,
}

impl Reader<'_> {
    fn several_backends(&mut self, enabled: &str) {
        let (section, option) = ("DEFAULT", "enabled_backends");
        self.draft.mode = Mode::Multi;
        self.draft.list = Some(self.told(section, option, ""));
        let mut plain = Plain::default();
        let (pairs, is_whole) = pairs(enabled);
        if !is_whole {
            self.errors.push(self.told(section, option, "expected id:kind, id:kind, …"));
        }
        for (id, kind) in pairs {
            if id.is_empty() {
                self.errors.push(self.told(section, option, "expected id:kind, id:kind, …"));
                continue;
            }
            if id.contains(',') {
                let problem = format!("the id {id:?} has a comma: a pair before it has no kind");
                self.draft.warnings.push(self.told(section, option, &problem));
            }
            if id.starts_with(RESERVED) {
                let problem = "the image service reserves ids that begin with `os_glance_`, and does \
                               not start with one in this list";
                self.draft.unstartable.push(self.told(section, option, problem));
            }
            let options = self.section(&id);
            plain.backends.insert(id.clone(), options);
            if plain.enabled_backends.insert(id, kind).is_some() {
                self.errors.push(self.told(section, option, "a backend id is listed twice"));
            }
        }
        plain.backend_defaults = self.section("backend_defaults");
        for option in OWN_ONLY {
            if plain.backend_defaults.remove(option).is_some() {
                let problem = "this option is read from the section of a backend only";
                self.draft.warnings.push(self.told("backend_defaults", option, problem));
            }
        }
        let (section, option) = ("glance_store", "default_backend");
        plain.default_backend = self.text(section, option).filter(|text| !text.is_empty());
        self.draft.default = Some(self.told(section, option, ""));
        if plain.default_backend.is_none() {
            let problem = "missing option: without it the image service does not start";
            self.draft.unstartable.push(self.told(section, option, problem));
        }
        self.draft.plain = plain;
    }

    /// Without `enabled_backends`: a backend of each kind, all of them in `[glance_store]`.
    fn one_backend(&mut self) {
        let section = "glance_store";
        self.draft.mode = Mode::Single;
        let stores = self.text(section, "stores");
        if stores.is_some() {
            self.draft.list = Some(self.told(section, "stores", ""));
        }
        let mut plain = Plain::default();
        let mut words: Vec<&str> = Vec::new();
        let mut first_of_ours = None;
        for entry in list(stores.as_deref().unwrap_or(STORES)) {
            let kind = Kind::named(entry, true);
            let id = kind.map_or(entry, |kind| kind.name).to_owned();
            words.extend(kind.iter().flat_map(|kind| kind.schemes));
            if first_of_ours.is_none() && matches!(&*id, "s3" | "swift") {
                first_of_ours = Some(id.clone());
                let options = self.section(section);
                plain.backends.insert("s3".to_owned(), options.clone());
                plain.backends.insert("swift".to_owned(), options);
            }
            plain.enabled_backends.insert(id.clone(), id);
        }
        let default = self.text(section, "default_store");
        self.draft.default = Some(self.told(section, "default_store", ""));
        let kind = Kind::of_scheme(default.as_deref().unwrap_or("file"));
        plain.default_backend = kind.map(|kind| kind.name.to_owned());
        if plain.default_backend.as_ref().is_none_or(|id| !plain.enabled_backends.contains_key(id))
        {
            plain.default_backend = first_of_ours;
            let expected = if words.is_empty() {
                "no backend in `stores` is of a kind that the image service knows".to_owned()
            } else {
                format!("expected one of {}", words.join(", "))
            };
            if default.is_some() {
                self.errors.push(self.told(section, "default_store", &expected));
            } else {
                let problem = format!(
                    "missing option: its default is file, which is not in stores, and the image \
                     service does not start; {expected}"
                );
                self.draft.unstartable.push(self.told(section, "default_store", &problem));
            }
        }
        self.draft.plain = plain;
    }

    fn section(&mut self, group: &str) -> std::collections::BTreeMap<String, Written> {
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
        Some(self.written(group, name, value).text)
    }

    fn told(&self, group: &str, name: &str, problem: &str) -> ConfigError {
        let value = self.config.raw(group, name);
        ConfigError {
            place: value.map(|value| (value.file.clone(), value.line)),
            section: group.to_owned(),
            option: Some(name.to_owned()),
            value: value.map(|value| value.text.clone()),
            problem: problem.to_owned(),
        }
    }
}

/// Splits `id:kind, id:kind` at commas. As in oslo.config, an item without a colon is the beginning
/// of the next one; returns whether there was a next one.
fn pairs(text: &str) -> (Vec<(String, String)>, bool) {
    let mut found = Vec::new();
    let mut begun: Option<String> = None;
    for item in python::trim(text).split(',') {
        let item = match begun.take() {
            Some(begun) => begun + "," + item,
            None => item.to_owned(),
        };
        match item.split_once(':') {
            Some((id, kind)) => {
                found.push((python::trim(id).to_owned(), python::trim(kind).to_owned()));
            }
            None => begun = Some(item),
        }
    }
    (found, begun.is_none())
}

/// Splits a list at commas. Commas at its end do not count.
fn list(text: &str) -> impl Iterator<Item = &str> {
    let text = python::trim(text).trim_end_matches(',');
    text.split(',').map(python::trim).filter(move |_| !text.is_empty())
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

/// What the ids of the stores begin with that Glance adds itself.
const RESERVED: &str = "os_glance_";
/// The default of `stores`.
const STORES: &str = "file,http";
/// The options that glance_store takes from the section of a backend, and never from
/// `[backend_defaults]`.
const OWN_ONLY: [&str; 2] = ["swift_store_config_file", "swift_store_multi_tenant"];
