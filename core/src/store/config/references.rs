//! References: the Keystone of a Swift backend, and the credentials for it.
//!
//! ```text
//!  [ref1]                            a section for each, in the file swift_store_config_file
//!  auth_address = https://keystone.example/v3
//!  user = service:glance             project:user
//!  key = "password"
//!  user_domain_id = default          and project_domain_id; or user_domain_name, …
//! ```

use std::collections::BTreeMap;
use std::fmt;

use super::error::{ConfigError, ConfigErrors};
use super::ini::{Ini, IniProblem};
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::keystone::{Domain, EndpointFilter, Identity, Project, Scope, User};
use crate::secret::Secret;

/// One reference: a Keystone, and credentials for it.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reference {
    /// Keystone's URL. Without a scheme, `https` is used.
    pub auth_address: String,
    /// `project:user`.
    pub user: Option<String>,
    /// The password.
    pub key: Option<Secret>,
    /// The id of an application credential, instead of user and key.
    pub application_credential_id: Option<String>,
    /// The secret of the application credential.
    pub application_credential_secret: Option<Secret>,
    /// The name of the application credential's project. Not sent: the credential determines it.
    pub project_name: Option<String>,
    /// The id of the application credential's project. Not sent.
    pub project_id: Option<String>,
    /// The id of the user's domain; `default` if there is no name either.
    pub user_domain_id: Option<String>,
    /// The name of the user's domain.
    pub user_domain_name: Option<String>,
    /// The id of the project's domain; `default` if there is no name either.
    pub project_domain_id: Option<String>,
    /// The name of the project's domain.
    pub project_domain_name: Option<String>,
    /// What a cloud of openstacksdk's says instead of all of the above but the address.
    pub(in crate::store) cloud: Option<OfCloud>,
}

/// The credentials of a cloud, and its endpoint.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::store) struct OfCloud {
    pub(in crate::store) by: By,
    pub(in crate::store) endpoint: EndpointFilter,
}

/// How to authenticate at a cloud.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "clouds"), expect(dead_code, reason = "only clouds have these"))]
pub(in crate::store) enum By {
    Login(Identity, Scope),
    /// A token that is sent to the endpoint as it is.
    Token(Secret),
}

impl Reference {
    /// Returns the reference of a cloud of `clouds.yaml` or of the `OS_*` variables: its identity,
    /// scope, region, interface and endpoint, whatever of them the options of a backend do not set.
    ///
    /// # Errors
    ///
    /// The cloud is used without authentication.
    #[cfg(feature = "clouds")]
    pub fn of_cloud(cloud: &crate::keystone::clouds::Cloud) -> Result<Self, Error> {
        use crate::keystone::clouds::CloudAuth;

        let endpoint = cloud.endpoint.clone();
        let (auth_address, by) = match &cloud.auth {
            CloudAuth::Login { auth_url, identity, scope } => {
                (auth_url.clone(), By::Login(identity.clone(), scope.clone()))
            }
            CloudAuth::Token(token) => {
                (endpoint.endpoint_override.clone().unwrap_or_default(), By::Token(token.clone()))
            }
            CloudAuth::None => {
                return Err(Error::invalid_input(format!(
                    "cloud {:?}: its auth_type none has no credentials",
                    cloud.name
                )));
            }
        };
        Ok(Self { auth_address, cloud: Some(OfCloud { by, endpoint }), ..Self::default() })
    }

    /// Returns Keystone's URL.
    ///
    /// # Errors
    ///
    /// The URL is missing or invalid.
    pub fn address(&self) -> Result<BaseUrl, Error> {
        let address = self.auth_address.trim();
        if address.is_empty() {
            return Err(Error::invalid_input("missing required option `auth_address`"));
        }
        if address.contains("://") {
            return BaseUrl::parse(address);
        }
        BaseUrl::parse(&format!("https://{address}"))
    }

    /// Returns whether the URL is one of the Identity API v2.0 or of v1 authentication.
    pub(super) fn is_of_older_api(&self) -> bool {
        let address = self.address();
        let last = address.as_ref().ok().and_then(|url| url.path().rsplit('/').next());
        matches!(last, Some("v2.0" | "v1.0" | "v1"))
    }

    /// Returns the project and the user of `project:user`; `None` for an application credential.
    pub fn project_and_user(&self) -> Option<(Option<&str>, &str)> {
        if let Some(OfCloud { by, .. }) = &self.cloud {
            let By::Login(Identity::Password { user: User::Name { name, .. }, .. }, scope) = by
            else {
                return None;
            };
            let project = match scope {
                Scope::Project(Project::Name { name, .. }) => Some(name.as_str()),
                _ => None,
            };
            return Some((project, name));
        }
        if self.application_credential().is_some() {
            return None;
        }
        let user = self.user.as_deref()?;
        Some(match user.split_once(':') {
            Some((project, user)) => (Some(project), user),
            None => (None, user),
        })
    }

    /// Says what is wrong with a user that is not `project:user`.
    pub(super) fn problem_of_user(&self) -> Option<&'static str> {
        let (project, user) = self.project_and_user()?;
        match project {
            _ if self.cloud.is_some() => None,
            None | Some("") => Some(
                "expected project:user: without a project, a login is for the user's default \
                 project, if there is one, and the image service refuses it",
            ),
            Some(_) if user.contains(':') => {
                Some("expected project:user: with more than one `:`, the image service refuses it")
            }
            Some(_) => None,
        }
    }

    /// Returns whether there are an address and credentials.
    pub(super) fn is_complete(&self) -> bool {
        self.address().is_ok() && self.identity().is_ok()
    }

    /// Returns id and secret of the application credential, if both are set.
    fn application_credential(&self) -> Option<(&str, &Secret)> {
        let id = self.application_credential_id.as_deref().filter(|id| !id.is_empty())?;
        let secret = self.application_credential_secret.as_ref();
        Some((id, secret.filter(|secret| !secret.is_empty())?))
    }

    /// Returns the identity to log in with.
    ///
    /// # Errors
    ///
    /// There is neither a user with a key nor an application credential.
    pub fn identity(&self) -> Result<Identity, Error> {
        match self.cloud.as_ref().map(|cloud| &cloud.by) {
            Some(By::Login(identity, _)) => return Ok(identity.clone()),
            Some(By::Token(_)) => {
                let what = "the cloud's auth_type admin_token has a token and no identity";
                return Err(Error::invalid_input(what));
            }
            None => {}
        }
        if let Some((id, secret)) = self.application_credential() {
            return Ok(Identity::application_credential(id, secret.clone()));
        }
        let key = self.key.as_ref().filter(|key| !key.is_empty());
        let user = self.project_and_user().filter(|_| self.user.as_deref() != Some(""));
        let (Some((_, name)), Some(key)) = (user, key) else {
            return Err(Error::invalid_input(
                "missing required options: user and key, or an application credential",
            ));
        };
        let domain = domain(&self.user_domain_id, &self.user_domain_name);
        Ok(Identity::password(User::named(name, domain), key.clone()))
    }

    /// Returns the scope of the tokens: the project of `project:user`. An application credential
    /// has its own scope.
    pub fn scope(&self) -> Scope {
        if let Some(OfCloud { by: By::Login(_, scope), .. }) = &self.cloud {
            return scope.clone();
        }
        match self.project_and_user() {
            Some((Some(project), _)) => {
                let domain = domain(&self.project_domain_id, &self.project_domain_name);
                Scope::Project(Project::named(project, domain))
            }
            _ => Scope::Unstated,
        }
    }

    /// Parses a file of references: the dialect is that of Python's `configparser`.
    ///
    /// A section that can't be used is skipped, as in glance_store, and is a warning: it matters only
    /// where it is the default reference, or the one that a location names.
    ///
    /// # Errors
    ///
    /// Invalid lines, and values with a `%` that is neither doubled nor a reference.
    pub fn read_file(file: &str, text: &str) -> Result<References, ConfigErrors> {
        let told = |(line, problem): &(usize, IniProblem)| ConfigError {
            place: Some((file.to_owned(), *line)),
            section: String::new(),
            option: None,
            value: None,
            problem: problem.to_string(),
        };
        let mut found = References::default();
        let mut errors = Vec::new();
        match Ini::parse(text) {
            Err(lines) => errors.extend(lines.iter().map(told)),
            Ok(ini) => {
                for name in ini.sections() {
                    let ini = &ini;
                    let mut reader = Reader {
                        ini,
                        file,
                        name,
                        skipped: Vec::new(),
                        remarks: Vec::new(),
                        is_over: false,
                        errors: &mut errors,
                    };
                    let reference = reader.reference();
                    if reader.skipped.is_empty() {
                        found.references.insert(name.to_owned(), reference);
                        found.remarks.append(&mut reader.remarks);
                    }
                    found.warnings.append(&mut reader.skipped);
                }
            }
        }
        ConfigErrors::check(errors)?;
        Ok(found)
    }

    /// Parses a file of references, and refuses it if any of them can't be used.
    ///
    /// # Errors
    ///
    /// Those of [`read_file`](Self::read_file), and its warnings: a value with a quote at one end
    /// only, a reference without an address or without credentials.
    pub fn read_all(file: &str, text: &str) -> Result<BTreeMap<String, Self>, ConfigErrors> {
        let found = Self::read_file(file, text)?;
        ConfigErrors::check(found.warnings)?;
        Ok(found.references)
    }
}

/// The references of a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct References {
    /// The references by name.
    pub references: BTreeMap<String, Reference>,
    /// Why the other sections of the file are no references.
    pub warnings: Vec<ConfigError>,
    /// What references say that has no effect, or keeps a login from succeeding: another version
    /// than 3 of Keystone's API.
    pub remarks: Vec<ConfigError>,
}

/// Reads one section.
struct Reader<'a> {
    ini: &'a Ini,
    file: &'a str,
    name: &'a str,
    /// Why the section is no reference.
    skipped: Vec<ConfigError>,
    /// What it says that has no effect.
    remarks: Vec<ConfigError>,
    /// Whether glance_store has given the section up.
    is_over: bool,
    /// Why the file can't be used.
    errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    fn reference(&mut self) -> Reference {
        // As in glance_store: an application credential counts only if it is complete, and what comes
        // after the first option that is missing or can't be read is not looked at.
        let is_there = |option: &str| self.ini.written(self.name, option).is_some();
        let credential =
            ["application_credential_id", "application_credential_secret", "auth_address"];
        let missing = credential.iter().position(|option| !is_there(option));
        let mut reference = Reference::default();
        if missing.is_none() {
            reference.application_credential_id = self.text("application_credential_id");
            reference.application_credential_secret =
                self.text("application_credential_secret").map(Secret::new);
            reference.auth_address = self.text("auth_address").unwrap_or_default();
            reference.project_name = self.text("project_name");
            reference.project_id = self.text("project_id");
        } else {
            for option in &credential[..missing.unwrap_or_default()] {
                let _ = self.text(option);
            }
            reference.auth_address = self.required("auth_address").unwrap_or_default();
            reference.user = self.required("user");
            reference.key = self.required("key").map(Secret::new);
        }
        reference.user_domain_id = self.text("user_domain_id");
        reference.user_domain_name = self.text("user_domain_name");
        reference.project_domain_id = self.text("project_domain_id");
        reference.project_domain_name = self.text("project_domain_name");
        // glance_store takes any version for 3 since 5.0.
        let version = self.text("auth_version").filter(|version| version != "3");
        if let Some(version) = version {
            let problem = "expected 3: the Identity API v3 is used whatever is written here";
            self.remark("auth_version", Some(version), problem);
        }
        if reference.is_of_older_api() {
            let problem = "expected the URL of the Identity API v3, or one without a version: each \
                           login fails";
            self.remark("auth_address", Some(reference.auth_address.clone()), problem);
        }
        if let Some(problem) = reference.problem_of_user() {
            self.remark("user", None, problem);
        }
        if reference.auth_address.trim().is_empty() {
            self.wrong("auth_address", "missing required option");
        } else if let Err(error) = reference.address() {
            self.wrong("auth_address", error.message());
        }
        if let Err(error) = reference.identity() {
            self.wrong("user", error.message());
        }
        reference
    }

    /// Returns a value of this section, or of `[DEFAULT]`.
    fn text(&mut self, option: &str) -> Option<String> {
        match self.ini.value(self.name, option) {
            Ok(value) => value,
            Err(problem) => {
                self.wrong(option, &problem.to_string());
                // Any other problem ends the reading of the whole file in glance_store.
                if problem == IniProblem::Quote {
                    self.is_over = true;
                } else if !self.is_over {
                    self.errors.extend(self.skipped.pop());
                }
                None
            }
        }
    }

    /// Returns a value without which the section is no reference.
    fn required(&mut self, option: &str) -> Option<String> {
        self.is_over |= self.ini.written(self.name, option).is_none();
        self.text(option)
    }

    /// Adds a problem; with the value only if that is no credential.
    fn remark(&mut self, option: &str, value: Option<String>, problem: &str) {
        let written = self.ini.written(self.name, option);
        self.remarks.push(ConfigError {
            place: written.map(|written| (self.file.to_owned(), written.line)),
            section: self.name.to_owned(),
            option: Some(option.to_owned()),
            value,
            problem: problem.to_owned(),
        });
    }

    /// Adds a problem without the value: values are credentials here.
    fn wrong(&mut self, option: &str, problem: &str) {
        let value = self.ini.written(self.name, option);
        self.skipped.push(ConfigError {
            place: value.map(|value| (self.file.to_owned(), value.line)),
            section: self.name.to_owned(),
            option: Some(option.to_owned()),
            value: None,
            problem: problem.to_owned(),
        });
    }
}

fn domain(id: &Option<String>, name: &Option<String>) -> Domain {
    match (id, name) {
        (Some(id), _) => Domain::Id(id.clone()),
        (None, Some(name)) => Domain::Name(name.clone()),
        (None, None) => Domain::default_id(),
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference")
            .field("auth_address", &self.auth_address)
            .finish_non_exhaustive()
    }
}
