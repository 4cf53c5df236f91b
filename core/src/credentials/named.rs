//! Sources of keys by name, as an option has it.

use std::fmt;
use std::str::FromStr;

use super::resolve::Resolver;
use super::source::Source;
use crate::error::Error;

/// The name of a source of keys in a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialSource {
    /// The keys are in the configuration: `static`.
    #[default]
    Static,
    /// `AWS_ACCESS_KEY_ID` and the variables that belong to it: `environment`.
    Environment,
    /// A profile of the config and credentials files: `profile`.
    Profile,
    /// The default of the AWS SDKs: `default-chain`.
    DefaultChain,
    /// The role of `AWS_ROLE_ARN` for the token of `AWS_WEB_IDENTITY_TOKEN_FILE`: `web-identity`.
    WebIdentity,
    /// The endpoint of the container: `container`.
    Container,
    /// The instance metadata service: `instance`.
    Instance,
}

impl CredentialSource {
    /// All names.
    pub const ALL: [Self; 7] = [
        Self::Static,
        Self::Environment,
        Self::Profile,
        Self::DefaultChain,
        Self::WebIdentity,
        Self::Container,
        Self::Instance,
    ];

    /// Returns the word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Environment => "environment",
            Self::Profile => "profile",
            Self::DefaultChain => "default-chain",
            Self::WebIdentity => "web-identity",
            Self::Container => "container",
            Self::Instance => "instance",
        }
    }

    /// Returns whether this source uses the config and credentials files.
    pub fn reads_files(self) -> bool {
        matches!(self, Self::Profile | Self::DefaultChain | Self::Instance)
    }
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CredentialSource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|source| source.name() == text);
        found.ok_or_else(|| Error::invalid_input("unknown credential source"))
    }
}

impl Resolver<'_> {
    /// Returns the source of this name. `profile` is the name of the profile, for `profile` only.
    ///
    /// # Errors
    ///
    /// The errors of the method for each source. `static` is an error, as its keys are not here.
    pub fn named(&self, source: CredentialSource, profile: Option<&str>) -> Result<Source, Error> {
        match source {
            CredentialSource::Static => Err(Error::invalid_input(
                "credential source `static` has its keys in the configuration and can't be \
                 resolved",
            )),
            CredentialSource::Environment => self.environment(),
            CredentialSource::Profile => match profile {
                Some(profile) => self.profile(profile),
                None => Err(Error::invalid_input(
                    "credential source `profile` requires the name of a profile",
                )),
            },
            CredentialSource::DefaultChain => self.default_chain(),
            CredentialSource::WebIdentity => self.web_identity(),
            CredentialSource::Container => self.container(),
            CredentialSource::Instance => self.instance(),
        }
    }
}
