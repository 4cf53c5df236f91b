//! A token and its facts.

use std::fmt;
use std::time::Duration;

use http::header::HeaderName;
use serde::{Deserialize, Serialize};

use crate::keystone::catalogue::Catalogue;
use crate::now::Timestamp;
use crate::secret::Secret;

/// A token: the secret that is sent in `X-Auth-Token`, and the facts about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    secret: Secret,
    facts: TokenFacts,
}

impl Token {
    /// Creates a token with these facts.
    pub fn new(secret: impl Into<Secret>, facts: TokenFacts) -> Self {
        Self { secret: secret.into(), facts }
    }

    /// Returns the token's secret value, which is sent.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the facts about the token.
    pub fn facts(&self) -> &TokenFacts {
        &self.facts
    }
}

/// What a token's document says about the token. Nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenFacts {
    /// When the token expires, by Keystone's clock. Keystone cuts it to the whole second.
    #[serde(with = "iso")]
    pub expires_at: Option<Timestamp>,
    /// When the token was issued, by Keystone's clock.
    #[serde(with = "iso")]
    pub issued_at: Option<Timestamp>,
    /// How long the token is valid: v1 says this instead of a date. A session counts it from the
    /// request for the token.
    pub lifetime: Option<Duration>,
    /// The token's user.
    pub user: Option<Holder>,
    /// The project of the token's scope.
    pub project: Option<Holder>,
    /// The domain of the token's scope.
    pub domain: Option<Holder>,
    /// Whether the token's scope is the whole system.
    pub system: bool,
    /// The user's roles in this scope.
    pub roles: Vec<Role>,
    /// The services and their endpoints; `None` for a token without a scope, or one that was
    /// requested without the catalogue.
    pub catalogue: Option<Catalogue>,
    /// The storage URL that came with the token: v1 has it instead of a catalogue.
    pub storage_url: Option<String>,
    /// The trust that the token was issued for.
    pub trust: Option<TrustFacts>,
    /// The authentication methods of the token: `password`, `token`, `application_credential`.
    pub methods: Vec<String>,
    /// The id of the application credential that the token was issued for.
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
    /// The id of its domain; a domain has none.
    #[serde(default)]
    pub domain_id: Option<String>,
}

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its id; `None` in the Identity API v2.0.
    #[serde(default)]
    pub id: Option<String>,
    /// Its name.
    pub name: String,
}

/// What a token's document says about the trust that the token was issued for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustFacts {
    /// The trust's id.
    pub id: String,
    /// The id of the trustor, who delegates roles.
    pub trustor_user_id: String,
    /// The id of the trustee, who receives them.
    pub trustee_user_id: String,
    /// Whether the token acts as the trustor's.
    pub impersonation: bool,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The header of a request's token.
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
        date.map(Some).ok_or_else(|| de::Error::custom("an invalid date"))
    }
}
