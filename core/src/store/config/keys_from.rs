//! Where the keys of a backend in S3 come from.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Where the keys of a backend in S3 come from.
///
/// All but the first two are looked for by whoever runs the requests, and handed over by
/// [`Stores::with_party`](crate::store::Stores::with_party); nothing is read from the environment
/// unless the configuration says so here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeysFrom {
    /// `s3_store_access_key` and `s3_store_secret_key`.
    #[default]
    Options,
    /// Nowhere: requests are not signed.
    Anonymous,
    /// The first of those below that there is, in the order of the AWS SDKs.
    Default,
    /// `AWS_ACCESS_KEY_ID` and the variables beside it.
    Environment,
    /// The profile `s3_store_profile` of the AWS configuration files: keys, roles, single sign-on, a
    /// process.
    Profile,
    /// The web identity token that the environment names.
    WebIdentity,
    /// The container's endpoint that the environment names.
    Container,
    /// The metadata of the instance.
    Instance,
}

impl KeysFrom {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Options,
        Self::Anonymous,
        Self::Default,
        Self::Environment,
        Self::Profile,
        Self::WebIdentity,
        Self::Container,
        Self::Instance,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::Anonymous => "anonymous",
            Self::Default => "default",
            Self::Environment => "environment",
            Self::Profile => "profile",
            Self::WebIdentity => "web_identity",
            Self::Container => "container",
            Self::Instance => "instance",
        }
    }
}

impl fmt::Display for KeysFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for KeysFrom {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = Self::ALL.into_iter().find(|one| one.as_str() == text);
        named.ok_or_else(|| Error::caller("it is none of the sources of credentials"))
    }
}
