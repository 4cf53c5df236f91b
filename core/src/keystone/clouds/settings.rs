//! The settings of one cloud, merged from its profile, itself and its region.

use super::error::CloudsError;
use super::yaml::{Mapping, Node};
use super::{Clouds, of_name};
use crate::secret::Secret;

/// The settings of one cloud in one region.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) cloud: String,
    /// Empty if no region is known.
    pub(super) region: String,
    pub(super) warnings: Vec<String>,
    /// What is wrong with the profile's name, if there is no such profile.
    pub(super) no_profile: Option<CloudsError>,
    /// Whether the cloud is that of the variables.
    pub(super) of_variables: bool,
    top: Mapping,
    auth: Mapping,
}

impl Settings {
    pub(super) fn of(
        clouds: &Clouds,
        name: &str,
        region: Option<&str>,
    ) -> Result<Self, CloudsError> {
        let nothing = Mapping::default();
        let own = clouds.clouds.get(name).unwrap_or(&nothing);
        let cloud = name.to_owned();
        let mut all = Self {
            cloud,
            of_variables: clouds.environment.as_deref() == Some(name),
            ..Self::default()
        };
        let profile = all.profile(clouds, own)?;
        let region = all.choose(&all.regions(own, &profile)?, region)?;
        all.put(profile)?;
        all.put(own.clone())?;
        // An empty value in a region leaves that of the cloud.
        all.put(Mapping(
            region.values.0.into_iter().filter(|(_, it)| *it != Node::Null).collect(),
        ))?;
        all.region = region.name;
        all.warn_of_names();
        Ok(all)
    }

    /// Returns the text of this key under any of its names, from the mapping `auth` or beside it.
    /// An empty text counts as absent.
    pub(super) fn text(&self, key: &str) -> Result<Option<&Secret>, CloudsError> {
        let outer = ALIASES.iter().find(|(name, _)| *name == key);
        let (names, outer_first) = match outer {
            Some((_, names)) => (*names, true),
            None => (&[key][..], false),
        };
        // Of several names the last has precedence. Of two places, the one beside `auth` has
        // precedence for keys that the command line and the environment are expected to override.
        for name in names.iter().rev() {
            let (inner, outer) = (self.inner(name)?, self.outer(name)?);
            let found = if outer_first { outer.or(inner) } else { inner.or(outer) };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// As [`text`](Self::text), for a value that is not secret.
    pub(super) fn plain(&self, key: &str) -> Result<Option<&str>, CloudsError> {
        Ok(self.text(key)?.map(Secret::expose))
    }

    /// Returns a text beside `auth`, with each `{name}` replaced by another setting.
    pub(super) fn expanded(&self, key: &str) -> Result<Option<String>, CloudsError> {
        match self.outer(key)? {
            Some(text) => self.expand(key, text.expose()).map(Some),
            None => Ok(None),
        }
    }

    /// Replaces each `{name}` in a text by the cloud's setting of that name, and `{{` and `}}` by
    /// one brace.
    pub(super) fn expand(&self, key: &str, text: &str) -> Result<String, CloudsError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            if let Some(after) = ["{{", "}}"].iter().find_map(|pair| from.strip_prefix(pair)) {
                out.push_str(from.get(..1).unwrap_or_default());
                rest = after;
                continue;
            }
            let inside = from.strip_prefix('{').and_then(|from| from.split_once('}'));
            let Some((name, after)) = inside else {
                return Err(self.wrong(key, "unmatched brace: write {{ or }} for a literal brace"));
            };
            match (name, self.outer(name)) {
                ("region_name", _) => out.push_str(&self.region),
                (name, Ok(Some(value))) if !SECRETS.contains(&name) => out.push_str(value.expose()),
                _ => {
                    let problem = "unknown placeholder: expected {region_name} or an option of the \
                                   cloud outside of auth";
                    return Err(self.wrong(key, problem));
                }
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Returns a truth value.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, CloudsError> {
        let Some(text) = self.outer(key)? else { return Ok(None) };
        let flag = flag_of(text.expose());
        flag.map(Some).ok_or_else(|| self.wrong(key, "expected true or false"))
    }

    /// Returns a list of texts. A text is split at its commas.
    pub(super) fn list(&self, key: &str) -> Result<Option<Vec<String>>, CloudsError> {
        let texts = match self.auth.get(key).or(self.top.get(key)) {
            None | Some(Node::Null) => return Ok(None),
            Some(Node::Text(text)) => return Ok(Some(split(text.expose()))),
            Some(Node::List(texts)) => texts,
            Some(Node::Map(_)) => return Err(self.wrong(key, "expected a list")),
        };
        let text = |node: &Node| match node {
            Node::Text(text) => Ok(text.expose().to_owned()),
            _ => Err(self.wrong(key, "expected a list of texts")),
        };
        texts.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// Returns the value of this name beside `auth`, null included.
    pub(super) fn outer_node(&self, key: &str) -> Option<&Node> {
        self.top.get(key)
    }

    pub(super) fn names_in_auth(&self) -> impl Iterator<Item = &str> {
        self.auth.0.keys().map(String::as_str)
    }

    /// Returns an error about a setting, under the name that it has where the reader wrote it.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> CloudsError {
        let key = self.name_of(key);
        CloudsError::of_cloud(&self.cloud, Some(&key), problem)
    }

    /// Returns the name of a setting, such as `auth.username` or `OS_USERNAME`.
    pub(super) fn name_of(&self, key: &str) -> String {
        match self.of_variables {
            true => format!("OS_{}", key.strip_prefix("auth.").unwrap_or(key).to_uppercase()),
            false => key.to_owned(),
        }
    }

    /// Warns about names that are taken for those of settings, and are none.
    fn warn_of_names(&mut self) {
        let wrong = NO_NAMES.iter().filter(|(name, _)| !self.top.is_empty(name));
        let warnings = wrong.map(|(name, right)| {
            let problem = format!("ignored, use {}", self.name_of(right));
            self.wrong(name, problem).to_string()
        });
        self.warnings.extend(warnings.collect::<Vec<_>>());
    }

    fn inner(&self, name: &str) -> Result<Option<&Secret>, CloudsError> {
        self.read(self.auth.get(name), || format!("auth.{name}"))
    }

    pub(super) fn outer(&self, name: &str) -> Result<Option<&Secret>, CloudsError> {
        self.read(self.top.get(name), || name.to_owned())
    }

    fn read<'a>(
        &self,
        node: Option<&'a Node>,
        key: impl Fn() -> String,
    ) -> Result<Option<&'a Secret>, CloudsError> {
        match node {
            None | Some(Node::Null) => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(&key(), "expected a text")),
        }
    }

    /// Sets these settings, over those that exist.
    fn put(&mut self, mut over: Mapping) -> Result<(), CloudsError> {
        match over.0.remove("auth") {
            None | Some(Node::Null) => {}
            Some(Node::Map(auth)) => self.auth.0.extend(auth.0),
            Some(_) => return Err(self.wrong("auth", "expected a mapping")),
        }
        // Two names of one setting: that of the profile does not count beside that of the cloud.
        for names in INTERFACE {
            if names.iter().any(|name| over.0.contains_key(*name)) {
                names.iter().for_each(|name| drop(self.top.0.remove(*name)));
            }
        }
        self.top.0.extend(over.0);
        Ok(())
    }

    /// Returns the profile that the cloud names: empty where it names none, or an unknown one.
    fn profile(&mut self, clouds: &Clouds, own: &Mapping) -> Result<Mapping, CloudsError> {
        let key = if own.get("profile").is_some() { "profile" } else { "cloud" };
        let Some(name) = self.read(own.get(key), || key.to_owned())? else {
            return Ok(Mapping::default());
        };
        let name = name.expose();
        if let Some(profile) = clouds.profiles.get(name) {
            return Ok(profile.clone());
        }
        let mut vendors = Mapping::parse("vendors.yaml", VENDORS)?;
        let mut vendors = of_name(&mut vendors, "vendors.yaml", "public-clouds")?;
        let Some(mut profile) = vendors.remove(name) else {
            let known: Vec<&str> =
                clouds.profiles.keys().chain(vendors.keys()).map(String::as_str).collect();
            let problem = match name.contains("://") {
                // openstacksdk requests it from there.
                true => format!(
                    "no such profile {name:?}: a profile is not requested from a URL: set auth_url \
                     and region_name, or use one of {}",
                    known.join(", ")
                ),
                false => {
                    format!("no such profile {name:?}: expected one of {}", known.join(", "))
                }
            };
            let error = self.wrong(key, problem);
            self.warnings.push(error.to_string());
            self.no_profile = Some(error);
            return Ok(Mapping::default());
        };
        let mut told = |name| match profile.0.remove(name) {
            Some(Node::Text(text)) => text.expose().to_owned(),
            _ => String::new(),
        };
        let (status, message) = (told("status"), told("message"));
        match status.as_str() {
            "shutdown" => {
                return Err(self.wrong(key, format!("the cloud was shut down: {message}")));
            }
            "deprecated" => self.warnings.push(self.wrong(key, message).to_string()),
            _ => {}
        }
        Ok(profile)
    }

    /// Returns the known regions.
    fn regions(&self, own: &Mapping, profile: &Mapping) -> Result<Vec<Region>, CloudsError> {
        for (map, is_own) in [(own, true), (profile, false)] {
            match map.get("regions") {
                None | Some(Node::Null) => {}
                Some(Node::List(regions)) => {
                    return regions.iter().map(|region| self.region(region)).collect();
                }
                Some(_) => return Err(self.wrong("regions", "expected a list")),
            }
            match map.get("region_name") {
                None | Some(Node::Null) => {}
                Some(Node::List(names)) if is_own => {
                    return names.iter().map(|region| self.region(region)).collect();
                }
                Some(Node::Text(names)) if names.is_empty() => {}
                Some(Node::Text(names)) => {
                    return Ok(split(names.expose()).into_iter().map(Region::named).collect());
                }
                Some(_) => return Err(self.wrong("region_name", "expected a text")),
            }
        }
        Ok(Vec::new())
    }

    /// Reads a region: a name, or a mapping of a name and the settings that differ there.
    fn region(&self, node: &Node) -> Result<Region, CloudsError> {
        let wrong =
            || self.wrong("regions", "expected region names, or mappings with name and values");
        match node {
            Node::Text(name) => Ok(Region::named(name.expose().to_owned())),
            Node::Map(map) if map.0.keys().all(|key| key == "name" || key == "values") => {
                let Some(Node::Text(name)) = map.get("name") else { return Err(wrong()) };
                let values = match map.get("values") {
                    None | Some(Node::Null) => Mapping::default(),
                    Some(Node::Map(values)) => values.clone().with_underscores(),
                    Some(_) => return Err(wrong()),
                };
                Ok(Region { name: name.expose().to_owned(), values })
            }
            _ => Err(wrong()),
        }
    }

    /// Returns the wanted region, or the first.
    fn choose(&self, regions: &[Region], wanted: Option<&str>) -> Result<Region, CloudsError> {
        let Some(wanted) = wanted.filter(|name| !name.is_empty()) else {
            return Ok(regions.first().cloned().unwrap_or_default());
        };
        if regions.is_empty() {
            return Ok(Region::named(wanted.to_owned()));
        }
        let found = regions.iter().find(|region| region.name == wanted);
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = regions.iter().map(|region| region.name.as_str()).collect();
            let problem =
                format!("unknown region {wanted:?}: expected one of {}", names.join(", "));
            self.wrong("region_name", problem)
        })
    }
}

/// A region of a cloud, with the settings that differ there.
#[derive(Clone, Debug, Default)]
struct Region {
    name: String,
    values: Mapping,
}

impl Region {
    fn named(name: String) -> Self {
        Self { name, values: Mapping::default() }
    }
}

/// Reads a truth value as YAML 1.1 spells it, in any case.
pub(super) fn flag_of(word: &str) -> Option<bool> {
    let is = |words: [&str; 3]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(["true", "yes", "on"]) {
        Some(true)
    } else if is(["false", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}

/// The names of the interface of Swift, and of all services.
const INTERFACE: [[&str; 2]; 2] =
    [["object_store_interface", "object_store_endpoint_type"], ["interface", "endpoint_type"]];

/// Other names of a key; the last has precedence.
const ALIASES: &[(&str, &[&str])] = &[
    ("domain_id", &["domain_id"]),
    ("domain_name", &["domain_name"]),
    ("user_domain_id", &["user_domain_id"]),
    ("user_domain_name", &["user_domain_name"]),
    ("project_domain_id", &["project_domain_id"]),
    ("project_domain_name", &["project_domain_name"]),
    ("project_id", &["tenant_id", "project_id"]),
    ("project_name", &["tenant_name", "project_name"]),
    ("token", &["auth_token", "token"]),
    ("passcode", &["passcode"]),
];

/// Names that openstacksdk passes over, and those that are meant.
const NO_NAMES: &[(&str, &str)] = &[
    ("region", "region_name"),
    ("os_region_name", "region_name"),
    ("ca_cert", "cacert"),
    ("ca_file", "cacert"),
    ("cafile", "cacert"),
    ("ca_bundle", "cacert"),
    ("ssl_verify", "verify"),
    ("verify_ssl", "verify"),
    ("endpoint_override", "object_store_endpoint_override"),
    ("timeout", "api_timeout"),
    ("user", "auth.username"),
    ("project", "auth.project_name"),
    ("tenant", "auth.project_name"),
    ("user_domain", "auth.user_domain_name"),
    ("project_domain", "auth.project_domain_name"),
];

/// Settings that are never put into another text.
const SECRETS: [&str; 6] =
    ["password", "token", "auth_token", "passcode", "application_credential_secret", "auth"];

const VENDORS: &str = include_str!("vendors.yaml");
