//! A token, and what it says of itself.

use std::fmt;
use std::time::Duration;

use http::header::HeaderName;
use serde::{Deserialize, Serialize};

use crate::keystone::catalogue::Catalogue;
use crate::now::Timestamp;
use crate::secret::Secret;

/// A token: the secret that goes into `X-Auth-Token`, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    secret: Secret,
    facts: TokenFacts,
}

impl Token {
    /// A token of which this is known.
    pub fn new(secret: impl Into<Secret>, facts: TokenFacts) -> Self {
        Self { secret: secret.into(), facts }
    }

    /// What is sent.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What is known of it.
    pub fn facts(&self) -> &TokenFacts {
        &self.facts
    }
}

/// What a token says of itself. None of it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenFacts {
    /// When it ends, by Keystone's clock. Keystone cuts it to the whole second.
    #[serde(with = "iso")]
    pub expires_at: Option<Timestamp>,
    /// When it was made, by Keystone's clock.
    #[serde(with = "iso")]
    pub issued_at: Option<Timestamp>,
    /// How long it lives from the answer that brought it: what v1 says instead of a date.
    pub lifetime: Option<Duration>,
    /// Whose it is.
    pub user: Option<Holder>,
    /// The project it is for.
    pub project: Option<Holder>,
    /// The domain it is for.
    pub domain: Option<Holder>,
    /// Whether it is for the whole system.
    pub system: bool,
    /// What its user may do there.
    pub roles: Vec<Role>,
    /// Where the services are; none where the token is for nothing, or the catalogue was not asked
    /// for.
    pub catalogue: Option<Catalogue>,
    /// The storage URL that came with it: v1's answer to a catalogue.
    pub storage_url: Option<String>,
    /// The trust it was had by.
    pub trust: Option<TrustFacts>,
    /// How its user proved to be that user: `password`, `token`, `application_credential`.
    pub methods: Vec<String>,
    /// The id of the application credential it was had by.
    pub application_credential: Option<String>,
}

/// A user, project or domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// The id of the domain it is in; a domain is in none.
    #[serde(default)]
    pub domain_id: Option<String>,
}

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its id; v2.0 tells none.
    #[serde(default)]
    pub id: Option<String>,
    /// Its name.
    pub name: String,
}

/// What a token says of the trust it was had by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustFacts {
    /// The trust's id.
    pub id: String,
    /// The id of the user who trusts.
    pub trustor_user_id: String,
    /// The id of the user who is trusted.
    pub trustee_user_id: String,
    /// Whether the token passes for one of the trustor's.
    pub impersonation: bool,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The header that carries a token.
pub(super) const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Dates as ISO 8601 text.
mod iso {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::now::Timestamp;

    pub(super) fn serialize<S: Serializer>(
        date: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        date.map(Timestamp::iso8601).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let date = Timestamp::parse_iso8601(&text);
        date.map(Some).ok_or_else(|| de::Error::custom("a date that is none"))
    }
}
