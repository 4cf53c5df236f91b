//! Clouds from `clouds.yaml` and from the `OS_*` variables, as openstacksdk reads them.
//!
//! ```text
//!  clouds.yaml ◀ secure.yaml ┐   profile (clouds-public.yaml, or a built-in one)
//!                            ├─▶   ◀ the cloud ◀ its region ─▶ Cloud { auth, endpoint, TLS }
//!  OS_* ─ a cloud of its own ┘
//! ```
//!
//! The caller reads the files, and passes the environment if it is to be used. The variables make a
//! cloud named `envvars` beside those of the files, and `OS_CLOUD` names the one to use.
//!
//! In a few cases this differs from openstacksdk on purpose, and `conformance/vectors` has a case
//! for each: text stays as written (a password `0123` does not become 83), a missing value is not
//! the name `None`, and a file that can't be read is an error and is not skipped.

mod cloud;
mod error;
mod places;
mod settings;
mod yaml;

use std::collections::BTreeMap;

pub use self::cloud::{Cloud, CloudAuth, CloudTls};
pub use self::error::CloudsError;
pub use self::places::{CloudsFile, directories};
use self::settings::Settings;
use self::yaml::{Mapping, Node};
use crate::secret::Secret;

/// Clouds by name.
///
/// ```
/// use apus_core::keystone::SessionOptions;
/// use apus_core::keystone::clouds::Clouds;
///
/// let text = "
/// clouds:
///   prod:
///     auth:
///       auth_url: https://keystone.example:5000/v3
///       username: glance
///       password: PASSWORD
///       project_name: service
///       user_domain_name: Default
///       project_domain_name: Default
///     region_name: one
/// ";
/// let clouds = Clouds::parse(Some(("clouds.yaml", text)), None, None)?;
/// let cloud = clouds.cloud(None)?;
/// assert_eq!((cloud.name.as_str(), cloud.endpoint.region.as_deref()), ("prod", Some("one")));
/// let session = cloud.session(SessionOptions::default())?;
/// # Ok::<(), apus_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clouds {
    clouds: BTreeMap<String, Mapping>,
    /// The profiles of `clouds-public.yaml`.
    profiles: BTreeMap<String, Mapping>,
    /// The value of `OS_CLOUD`, or the name of the variables' own cloud.
    default: Option<String>,
    /// The name of the variables' own cloud.
    environment: Option<String>,
}

impl Clouds {
    /// Reads `clouds.yaml`, `secure.yaml` and `clouds-public.yaml`, those that exist: a name for
    /// errors, and the text. JSON is YAML too.
    ///
    /// # Errors
    ///
    /// A text is not valid YAML, has another form, is larger than 1 MiB, or needs more than 32 MiB
    /// of memory with its aliases resolved.
    pub fn parse(
        clouds: Option<(&str, &str)>,
        secure: Option<(&str, &str)>,
        public: Option<(&str, &str)>,
    ) -> Result<Self, CloudsError> {
        let mut all = Mapping::default();
        for (file, text) in clouds.into_iter().chain(secure) {
            let mut root = Mapping::parse(file, text)?;
            let named = of_name(&mut root, file, "clouds")?;
            all.merge(Mapping(named.into_iter().map(|(name, it)| (name, Node::Map(it))).collect()));
        }
        let clouds =
            each_mapping(all, |name| CloudsError::of_cloud(name, None, "expected a mapping"))?;
        let profiles = match public {
            Some((file, text)) => of_name(&mut Mapping::parse(file, text)?, file, "public-clouds")?,
            None => BTreeMap::new(),
        };
        Ok(Self { clouds, profiles, ..Self::default() })
    }

    /// Adds the `OS_*` variables. `OS_CLOUD` names the cloud to use; the others, if there are any,
    /// make a cloud named `envvars`, or as `OS_CLOUD_NAME` says. Other variables are skipped.
    ///
    /// # Errors
    ///
    /// A file has a cloud of that name.
    pub fn with_environment<N, V>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, CloudsError>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        let (mut own, mut selects) = (Mapping::default(), BTreeMap::new());
        for (name, value) in variables {
            let name = name.as_ref();
            let Some(key) = name.strip_prefix("OS_") else { continue };
            if ["TEST", "STD", "LOG"].iter().any(|other| key.starts_with(other)) {
                continue;
            }
            match key {
                "CLOUD" | "CLOUD_NAME" => drop(selects.insert(key.to_owned(), value.into())),
                "CLIENT_CONFIG_FILE" | "CLIENT_SECURE_FILE" => {}
                _ => {
                    let value: String = value.into();
                    own.0.insert(key.to_lowercase(), Node::Text(value.into()));
                }
            }
        }
        let name = selects.remove("CLOUD_NAME").unwrap_or_else(|| "envvars".to_owned());
        if self.clouds.contains_key(&name) {
            return Err(CloudsError::of_cloud(
                &name,
                None,
                "this name is reserved for the cloud of the OS_* variables: rename the cloud, or \
                 set OS_CLOUD_NAME to another name",
            ));
        }
        self.default = selects.remove("CLOUD").filter(|name| !name.is_empty());
        // A region alone makes no cloud.
        if own.0.keys().any(|key| key != "region_name") {
            self.default.get_or_insert_with(|| name.clone());
            // As in openstacksdk, this cloud states the defaults too: a profile does not change them.
            let defaults = [
                ("auth_type", Node::Text("password".into())),
                ("interface", Node::Text("public".into())),
                ("verify", Node::Text("true".into())),
                ("cacert", Node::Null),
                ("cert", Node::Null),
                ("key", Node::Null),
                ("api_timeout", Node::Null),
            ];
            let has_plugin = own.get("auth_plugin").is_some();
            for (key, default) in defaults.into_iter().skip(usize::from(has_plugin)) {
                own.0.entry(key.to_owned()).or_insert(default);
            }
            self.clouds.insert(name.clone(), own);
            self.environment = Some(name);
        }
        Ok(self)
    }

    /// Sets the auth URL of the cloud of the variables, if there is one and `OS_AUTH_URL` is not
    /// set.
    #[must_use]
    pub fn with_auth_url(mut self, url: impl Into<Secret>) -> Self {
        let own = self.environment.as_ref().and_then(|name| self.clouds.get_mut(name));
        if let Some(own) = own
            && own.is_empty("auth_url")
        {
            own.0.insert("auth_url".to_owned(), Node::Text(url.into()));
        }
        self
    }

    /// Returns the names of all clouds.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.clouds.keys().map(String::as_str)
    }

    /// Returns the cloud of this name, in its first region. Without a name, it is the cloud that
    /// `OS_CLOUD` names, or that of the variables, or the only one.
    ///
    /// # Errors
    ///
    /// There is no such cloud, or one of its settings is wrong.
    pub fn cloud(&self, name: Option<&str>) -> Result<Cloud, CloudsError> {
        Cloud::of(Settings::of(self, self.named(name)?, None)?)
    }

    /// As [`cloud`](Self::cloud), in this region.
    ///
    /// # Errors
    ///
    /// As [`cloud`](Self::cloud); the cloud has regions, and this is not one of them.
    pub fn cloud_in(&self, name: Option<&str>, region: &str) -> Result<Cloud, CloudsError> {
        Cloud::of(Settings::of(self, self.named(name)?, Some(region))?)
    }

    fn named<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str, CloudsError> {
        let only = || self.clouds.keys().next().filter(|_| self.clouds.len() == 1);
        let name = name.or(self.default.as_deref()).or_else(|| only().map(String::as_str));
        let has = match self.clouds.len() {
            0 => "none are defined".to_owned(),
            _ => format!("expected one of {}", self.names().collect::<Vec<_>>().join(", ")),
        };
        match name {
            Some(name) if self.clouds.contains_key(name) => Ok(name),
            Some(name) => Err(CloudsError::of_cloud(name, None, format!("unknown cloud: {has}"))),
            None => Err(CloudsError::general(format!("no cloud is selected: {has}"))),
        }
    }
}

/// Returns the mappings under one name of a file.
fn of_name(
    root: &mut Mapping,
    file: &str,
    name: &str,
) -> Result<BTreeMap<String, Mapping>, CloudsError> {
    match root.0.remove(name) {
        None | Some(Node::Null) => Ok(BTreeMap::new()),
        Some(Node::Map(named)) => each_mapping(named, |each| {
            CloudsError::of_file(file, None, format!("{name}.{each}: expected a mapping"))
        }),
        Some(_) => Err(CloudsError::of_file(file, None, format!("{name}: expected a mapping"))),
    }
}

/// Returns the named mappings. In the names of settings, `-` becomes `_`; the names of clouds are
/// kept.
fn each_mapping(
    named: Mapping,
    wrong: impl Fn(&str) -> CloudsError,
) -> Result<BTreeMap<String, Mapping>, CloudsError> {
    let each = named.0.into_iter().map(|(name, node)| match node {
        Node::Map(map) => Ok((name, map.with_underscores())),
        Node::Null => Ok((name, Mapping::default())),
        _ => Err(wrong(&name)),
    });
    each.collect()
}
