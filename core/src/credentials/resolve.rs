//! Finds the [`Source`] that files and environment configure, in the order of botocore.
//!
//! ```text
//!  default_chain:  keys of the environment ─▶ the profile ─▶ container ─▶ instance
//!  a profile:      role ─▶ web identity ─▶ SSO ─▶ keys of the credentials file ─▶ process
//!                  └ of its source_profile or credential_source   ─▶ keys of the config file
//! ```
//!
//! The first that is configured is used. A wrong configuration is an error, and is never skipped.

use std::collections::BTreeSet;
use std::time::Duration;

use super::config::{AwsConfig, Profile, Referred};
use super::environment::Environment;
use super::ini::AwsConfigError;
use super::source::{AssumeRole, Process, Source, Sso, WebIdentity};
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::secret::Secret;
use crate::sign::Keys;

/// Finds the source of keys that a profile, the environment or both configure, without any I/O.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a> {
    pub(super) config: &'a AwsConfig,
    pub(super) environment: &'a Environment,
    pub(super) region: Option<&'a str>,
}

/// The state of following a profile to its source.
struct Walk<'a> {
    /// The profile whose region and endpoints are used.
    first: Option<Profile<'a>>,
    visited: BTreeSet<&'a str>,
    with_environment: bool,
}

impl<'a> Resolver<'a> {
    /// Creates a resolver for these files and this environment.
    pub fn new(config: &'a AwsConfig, environment: &'a Environment) -> Self {
        Self { config, environment, region: None }
    }

    /// Sets the region of STS for the case that neither the environment nor the profile names one.
    #[must_use]
    pub fn with_region(self, region: &'a str) -> Self {
        Self { region: Some(region), ..self }
    }

    /// Returns the source that the AWS SDKs use by default.
    ///
    /// # Errors
    ///
    /// The configuration is invalid, or it is missing and `AWS_EC2_METADATA_DISABLED` is `true`.
    pub fn default_chain(&self) -> Result<Source, Error> {
        if let Some(source) = self.keys_of_environment()? {
            return Ok(source);
        }
        let named = self.environment.profile();
        let profile = self.config.usable(named.unwrap_or("default"))?;
        if let (Some(name), None) = (named, profile) {
            return Err(no_profile(name));
        }
        let mut walk = Walk::new(profile, true);
        let source = match profile {
            Some(profile) => self.source_of(profile, &mut walk)?,
            None => self.web_identity_of(None, &walk)?,
        };
        if let Some(source) = source {
            return Ok(source);
        }
        if let Some(container) = self.container_if_any()? {
            return Ok(Source::Container(container));
        }
        self.instance_of(profile).map(Source::Instance).map_err(|error| {
            if !self.is_instance_disabled() {
                return error;
            }
            Error::invalid_input(
                "found no keys in the environment, the profile or a container credentials \
                 endpoint, and AWS_EC2_METADATA_DISABLED is true",
            )
        })
    }

    /// Returns the source that this profile configures, and no other: no keys of the environment,
    /// and no metadata service that the profile does not name.
    ///
    /// # Errors
    ///
    /// There is no profile of this name, it configures no keys, or it is wrong.
    pub fn profile(&self, name: &str) -> Result<Source, Error> {
        let profile = self.config.usable(name)?.ok_or_else(|| no_profile(name))?;
        let mut walk = Walk::new(Some(profile), false);
        let source = self.source_of(profile, &mut walk)?;
        source.ok_or_else(|| profile.wrong("", "it says nothing of keys").into())
    }

    /// Returns the keys of the environment.
    ///
    /// # Errors
    ///
    /// The access key is not set, or the secret key is not.
    pub fn environment(&self) -> Result<Source, Error> {
        let keys = self.keys_of_environment()?;
        keys.ok_or_else(|| Error::invalid_input("AWS_ACCESS_KEY_ID is not set"))
    }

    /// Returns the web identity that `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN` name.
    ///
    /// # Errors
    ///
    /// One of the two variables is not set.
    pub fn web_identity(&self) -> Result<Source, Error> {
        let source = self.web_identity_of(None, &Walk::new(None, true))?;
        source.ok_or_else(|| Error::invalid_input("AWS_WEB_IDENTITY_TOKEN_FILE is not set"))
    }

    /// Returns the container's endpoint that the environment names.
    ///
    /// # Errors
    ///
    /// The environment names no endpoint, or one that [`Container::at`](super::Container::at)
    /// refuses.
    pub fn container(&self) -> Result<Source, Error> {
        let container = self.container_if_any()?.ok_or_else(|| {
            Error::invalid_input(
                "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor \
                 AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
            )
        })?;
        Ok(Source::Container(container))
    }

    /// Returns the instance metadata service.
    ///
    /// # Errors
    ///
    /// `AWS_EC2_METADATA_DISABLED` is `true`, or the configured endpoint or its mode is invalid.
    pub fn instance(&self) -> Result<Source, Error> {
        let profile = self.config.usable(self.environment.profile().unwrap_or("default"))?;
        self.instance_of(profile).map(Source::Instance)
    }

    /// Returns the source that a profile configures, and `None` if it configures none.
    fn source_of(
        &self,
        profile: Profile<'a>,
        walk: &mut Walk<'a>,
    ) -> Result<Option<Source>, Error> {
        if has_role(profile) {
            return self.role(profile, walk).map(Some);
        }
        self.providers(profile, walk)
    }

    /// Returns the source that a profile configures beside a role.
    fn providers(&self, profile: Profile<'a>, walk: &Walk<'a>) -> Result<Option<Source>, Error> {
        if let Some(source) = self.web_identity_of(Some(profile), walk)? {
            return Ok(Some(source));
        }
        if let Some(sso) = self.sso(profile, walk)? {
            return Ok(Some(Source::Sso(sso)));
        }
        let [of_credentials, of_config] = profile.keys_part(ACCESS_KEY);
        if let Some(part) = of_credentials {
            return keys_of_part(profile, part).map(Some);
        }
        if profile.has("login_session") {
            return Err(profile.wrong("login_session", "this option is not supported").into());
        }
        if let Some(command) = text(profile, "credential_process")? {
            return Ok(Some(Source::Process(Process { command: command.to_owned() })));
        }
        of_config.map(|part| keys_of_part(profile, part)).transpose()
    }

    fn role(&self, profile: Profile<'a>, walk: &mut Walk<'a>) -> Result<Source, Error> {
        let wrong = |option: &str, problem: &str| Error::from(profile.wrong(option, problem));
        let role_arn =
            text(profile, "role_arn")?.ok_or_else(|| wrong("role_arn", "the value is empty"))?;
        if profile.has("mfa_serial") {
            let why = "a role that requires a one-time password is not supported";
            return Err(wrong("mfa_serial", why));
        }
        let duration = match text(profile, "duration_seconds")? {
            None => None,
            Some(text) => {
                let seconds = text.parse().ok().filter(|seconds| DURATIONS.contains(seconds));
                let expected = "expected a whole number from 900 to 43200";
                let seconds = seconds.ok_or_else(|| wrong("duration_seconds", expected))?;
                Some(Duration::from_secs(seconds))
            }
        };
        let from = match (text(profile, "source_profile")?, text(profile, "credential_source")?) {
            (Some(_), Some(_)) => {
                return Err(wrong("credential_source", "can't be combined with source_profile"));
            }
            (None, None) => {
                let why = "missing source_profile or credential_source: one of them is required to \
                           assume a role";
                return Err(wrong("role_arn", why));
            }
            (None, Some(name)) => self.named_source(profile, name)?,
            (Some(name), None) => self.source_profile(profile, name, walk)?,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Source::AssumeRole(Box::new(AssumeRole {
            from,
            role_arn: role_arn.to_owned(),
            session_name: owned(text(profile, "role_session_name")?),
            external_id: owned(text(profile, "external_id")?),
            duration,
            sts: self.sts(walk.first)?,
        })))
    }

    fn source_profile(
        &self,
        profile: Profile<'a>,
        name: &str,
        walk: &mut Walk<'a>,
    ) -> Result<Source, Error> {
        let wrong = |why: String| Error::from(profile.wrong("source_profile", why));
        let source = self.config.usable(name)?;
        let source = source.ok_or_else(|| wrong(format!("profile {name:?} does not exist")))?;
        let has_keys = KEYS.iter().any(|option| source.has(option));
        // A profile may be its own source, if it has keys beside its role.
        let own = source.name() == profile.name() && has_keys;
        if !walk.visited.insert(source.name()) && !own {
            return Err(wrong(format!("the chain of source profiles returns to profile {name:?}")));
        }
        if walk.visited.len() > DEEPEST {
            return Err(wrong(format!(
                "the chain of source profiles has more than {DEEPEST} profiles"
            )));
        }
        if has_role(source) && !has_keys {
            return self.role(source, walk);
        }
        let alone = Walk { with_environment: false, ..Walk::new(walk.first, false) };
        let found = self.providers(source, &alone)?;
        found.ok_or_else(|| wrong(format!("profile {name:?} configures no keys")))
    }

    fn named_source(&self, profile: Profile<'a>, name: &str) -> Result<Source, Error> {
        let wrong = |why: &str| Error::from(profile.wrong("credential_source", why));
        match name {
            "Environment" => {
                let keys = self.keys_of_environment()?;
                keys.ok_or_else(|| wrong("AWS_ACCESS_KEY_ID is not set"))
            }
            "EcsContainer" => {
                let container = self.container_if_any()?.map(Source::Container);
                container.ok_or_else(|| {
                    wrong(
                        "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor \
                         AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
                    )
                })
            }
            "Ec2InstanceMetadata" => self.instance_of(Some(profile)).map(Source::Instance),
            _ => Err(wrong("expected Environment, EcsContainer or Ec2InstanceMetadata")),
        }
    }

    fn keys_of_environment(&self) -> Result<Option<Source>, Error> {
        let Some(access) = self.environment.get("AWS_ACCESS_KEY_ID") else { return Ok(None) };
        let secret = self.environment.get("AWS_SECRET_ACCESS_KEY").ok_or_else(|| {
            Error::invalid_input("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")
        })?;
        let mut keys = Keys::new(access, secret);
        let token = self.environment.first(&["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]);
        keys.session_token = token.map(Secret::from);
        Ok(Some(Source::Static(keys.into())))
    }

    fn web_identity_of(
        &self,
        profile: Option<Profile<'a>>,
        walk: &Walk<'a>,
    ) -> Result<Option<Source>, Error> {
        let value = |option: &str, variable: &str| -> Result<Option<String>, Error> {
            let variable = self.environment.get(variable).filter(|_| walk.with_environment);
            let written = profile.map(|profile| text(profile, option)).transpose()?.flatten();
            Ok(variable.or(written).map(str::to_owned))
        };
        let token_file = value("web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE")?;
        let Some(token_file) = token_file else { return Ok(None) };
        let role_arn = value("role_arn", "AWS_ROLE_ARN")?.ok_or_else(|| {
            let why = "a web identity token requires a role: set role_arn or AWS_ROLE_ARN";
            match profile {
                Some(profile) => profile.wrong("web_identity_token_file", why).into(),
                None => Error::invalid_input(why),
            }
        })?;
        Ok(Some(Source::WebIdentity(WebIdentity {
            role_arn,
            session_name: value("role_session_name", "AWS_ROLE_SESSION_NAME")?,
            token_file,
            duration: None,
            sts: self.sts(walk.first)?,
        })))
    }

    fn sso(&self, profile: Profile<'a>, walk: &Walk<'a>) -> Result<Option<Sso>, Error> {
        if !profile.has("sso_role_name") && !profile.has("sso_account_id") {
            return Ok(None);
        }
        let session = text(profile, "sso_session")?;
        let referred = match session {
            None => None,
            Some(name) => Some(self.config.sso_session(name)?.ok_or_else(|| {
                profile.wrong("sso_session", format!("section [sso-session {name}] does not exist"))
            })?),
        };
        if let Some(section) = referred {
            for (name, found) in section.all() {
                let own = profile.option(name);
                if own.is_some() && own != found.text() {
                    let why = "the profile and its sso-session have different values";
                    return Err(profile.wrong(name, why).into());
                }
            }
        }
        let required = |name: &str| -> Result<String, Error> {
            let own = text(profile, name)?;
            let value = own.or_else(|| referred?.option(name).filter(|text| !text.is_empty()));
            let missing =
                || profile.wrong("", format!("missing option {name}, required for SSO")).into();
            value.map(str::to_owned).ok_or_else(missing)
        };
        let portal = match self.endpoint_of("sso", walk.first)? {
            Some(url) => BaseUrl::parse_as(url, "the SSO endpoint")?,
            None => Sso::portal_of(&required("sso_region")?)?,
        };
        let oidc = match (self.endpoint_of("sso_oidc", walk.first)?, required("sso_region")) {
            (Some(url), _) => Some(BaseUrl::parse_as(url, "the SSO OIDC endpoint")?),
            (None, Ok(region)) => Some(Sso::oidc_of(&region)?),
            (None, Err(_)) => None,
        };
        Ok(Some(Sso {
            account_id: required("sso_account_id")?,
            role_name: required("sso_role_name")?,
            start_url: required("sso_start_url")?,
            session: session.map(str::to_owned),
            portal,
            oidc,
        }))
    }
}

impl<'a> Walk<'a> {
    fn new(first: Option<Profile<'a>>, with_environment: bool) -> Self {
        let visited = first.iter().map(Profile::name).collect();
        Self { first, visited, with_environment }
    }
}

/// Returns whether a profile assumes a role. With a token file, it is a web identity instead.
fn has_role(profile: Profile<'_>) -> bool {
    profile.has("role_arn") && !profile.has("web_identity_token_file")
}

/// Returns the keys that one file has for a profile.
fn keys_of_part(profile: Profile<'_>, part: Referred<'_>) -> Result<Source, Error> {
    let required = |name: &str| -> Result<&str, Error> {
        let found = part.found(name);
        let missing = || match (found, part.found(ACCESS_KEY)) {
            (Some(found), _) | (None, Some(found)) => {
                found.wrong(format!("profile {:?}: missing option {name}", profile.name()))
            }
            (None, None) => profile.wrong(name, "the value is empty"),
        };
        let text = found.and_then(|found| found.text()).filter(|text| !text.is_empty());
        text.ok_or_else(|| missing().into())
    };
    let mut keys = Keys::new(required(ACCESS_KEY)?, required(SECRET_KEY)?);
    let tokens = ["aws_session_token", "aws_security_token"];
    let token = tokens.iter().find_map(|name| part.option(name));
    keys.session_token = token.filter(|token| !token.is_empty()).map(Secret::from);
    Ok(Source::Static(keys.into()))
}

/// Returns the text of an option, and `None` if it is missing or empty.
fn text<'a>(profile: Profile<'a>, name: &str) -> Result<Option<&'a str>, AwsConfigError> {
    match profile.found(name) {
        None => Ok(None),
        Some(found) => match found.text() {
            Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            None => Err(profile.wrong(name, "expected a string, found a map")),
        },
    }
}

pub(super) fn no_profile(name: &str) -> Error {
    Error::invalid_input(format!(
        "profile {name:?} does not exist in the config or credentials file"
    ))
}

const ACCESS_KEY: &str = "aws_access_key_id";
const SECRET_KEY: &str = "aws_secret_access_key";
const KEYS: [&str; 2] = [ACCESS_KEY, SECRET_KEY];
/// The durations that STS accepts, in seconds.
const DURATIONS: std::ops::RangeInclusive<u64> = 900..=43200;
/// How many profiles a chain of `source_profile` may have.
const DEEPEST: usize = 32;
