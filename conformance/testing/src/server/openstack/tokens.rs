//! Tokens: their scope, their form, and their expiry.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::dates::iso_micros;
use super::super::digest::md5_hex;
use super::super::message::Reply;
use super::operation::Call;
use super::people::role_id;
use super::reply::{self, Refusal};
use super::{Answer, OpenStackModel, Trust};

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The value of `X-Auth-Token`.
    pub id: String,
    /// Its user; for a trust with impersonation, the trustor.
    pub user_id: String,
    /// The project of its scope.
    pub project_id: Option<String>,
    /// The names of its roles.
    pub roles: Vec<&'static str>,
    /// `password`, `token`, `application_credential`, `totp`.
    pub methods: Vec<String>,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds since 1970.
    pub expires_at: u64,
    /// The trust that it comes from.
    pub trust: Option<String>,
    /// The application credential that it comes from.
    pub credential: Option<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl OpenStackModel {
    /// Returns the token of this id, while it is valid.
    pub(super) fn valid(&self, id: &str) -> Option<&Token> {
        self.tokens.get(id).filter(|token| self.is_alive(token, Duration::ZERO))
    }

    /// Returns the token of this id, while it is valid or if it expired not long ago. A service may
    /// use that together with a token of its own.
    pub(super) fn valid_lately(&self, id: &str) -> Option<&Token> {
        self.tokens.get(id).filter(|token| self.is_alive(token, EXPIRED_WINDOW))
    }

    /// Returns the token of the sender of a request to Keystone.
    pub(super) fn caller(&self, call: &Call<'_>) -> Result<&Token, Refusal> {
        let token = call.header("x-auth-token").and_then(|id| self.valid(id));
        token.ok_or_else(|| reply::unauthorized(&self.auth_url()).into())
    }

    /// Issues a token, which expires at `until` at the latest.
    pub(super) fn issue(&mut self, mut token: Token, until: Option<u64>) -> &Token {
        self.issued += 1;
        let seed = format!("token {}", self.issued);
        token.id = format!("gAAAAA{}{}", md5_hex(seed.as_bytes()).repeat(5), &"0".repeat(17));
        token.issued_at = self.now.as_secs();
        token.expires_at = token.issued_at + self.token_life.as_secs();
        token.expires_at = until.map_or(token.expires_at, |until| until.min(token.expires_at));
        self.tokens.entry(token.id.clone()).or_insert(token)
    }

    /// Handles ValidateToken. Every user may validate the own token.
    pub(super) fn validate_token(&self, call: &Call<'_>) -> Answer {
        let caller = self.caller(call)?;
        let forbidden = || reply::forbidden("identity:validate_token");
        let subject = self.subject(call, forbidden)?;
        if subject.user_id != caller.user_id && !caller.roles.contains(&"admin") {
            return Err(forbidden().into());
        }
        Ok(self.shown(subject, 200, call.query("nocatalog").is_none()))
    }

    /// Handles RevokeToken.
    pub(super) fn revoke_token(&mut self, call: &Call<'_>) -> Answer {
        let caller = self.caller(call)?;
        let forbidden = || reply::forbidden("identity:revoke_token");
        let subject = self.subject(call, forbidden)?;
        if subject.user_id != caller.user_id && !caller.roles.contains(&"admin") {
            return Err(forbidden().into());
        }
        let id = subject.id.clone();
        if let Some(token) = self.tokens.get_mut(&id) {
            token.revoked = true;
        }
        Ok(Reply::new(204))
    }

    /// Returns the response that shows a token.
    pub(super) fn shown(&self, token: &Token, status: u16, catalog: bool) -> Reply {
        let document = json!({"token": self.token_document(token, catalog)});
        reply::document(status, &document).header("X-Subject-Token", &token.id)
    }

    /// Returns the token of `X-Subject-Token`.
    fn subject(&self, call: &Call<'_>, none: impl Fn() -> Reply) -> Result<&Token, Refusal> {
        let id = call.header("x-subject-token").ok_or_else(|| Refusal::from(none()))?;
        let unknown = || reply::error(404, "Could not recognize Fernet token");
        let token = self.tokens.get(id).ok_or_else(unknown)?;
        let gone = |trust: &&str| self.trusts.get(*trust).is_none_or(Trust::is_deleted);
        if let Some(trust) = token.trust.as_deref().filter(gone) {
            return Err(reply::error(404, format!("Could not find trust: {trust}.")).into());
        }
        if self.valid(id).is_none() {
            return Err(reply::error(404, "Failed to validate token").into());
        }
        Ok(token)
    }

    fn is_alive(&self, token: &Token, window: Duration) -> bool {
        let trusted = token
            .trust
            .as_ref()
            .is_none_or(|trust| self.trusts.get(trust).is_some_and(|trust| !trust.is_deleted()));
        let expires = Duration::from_secs(token.expires_at).saturating_add(window);
        !token.revoked && trusted && self.now < expires
    }

    fn token_document(&self, token: &Token, catalog: bool) -> Value {
        let user = self.people.user(&token.user_id);
        let domain = || json!({"id": "default", "name": "Default"});
        let mut document = json!({
            "methods": token.methods,
            "user": {
                "domain": domain(),
                "id": token.user_id,
                "name": user.map(|user| &user.name),
                "password_expires_at": null,
            },
            "audit_ids": [&md5_hex(token.id.as_bytes())[..22]],
            "expires_at": instant(token.expires_at),
            "issued_at": instant(token.issued_at),
        });
        if let Some(trust) = token.trust.as_ref().and_then(|id| self.trusts.get(id)) {
            document["OS-TRUST:trust"] = json!({
                "id": trust.id,
                "trustor_user": {"id": trust.trustor_user_id},
                "trustee_user": {"id": trust.trustee_user_id},
                "impersonation": trust.impersonation,
            });
        }
        if let Some(credential) = &token.credential {
            let name = self.people.credentials().iter().find(|known| known.id == *credential);
            let name = name.map(|credential| &credential.name);
            document["application_credential"] =
                json!({"id": credential, "name": name, "restricted": true});
        }
        let Some(project) = token.project_id.as_ref().and_then(|id| self.people.project(id)) else {
            return document;
        };
        document["project"] = json!({"domain": domain(), "id": project.id, "name": project.name});
        document["roles"] = roles(&token.roles);
        if token.trust.is_none() {
            document["is_domain"] = json!(false);
        }
        if catalog {
            document["catalog"] = self.catalog(&project.id);
        }
        document
    }

    fn catalog(&self, project_id: &str) -> Value {
        let endpoints = |name: &str, url: &dyn Fn(&str) -> String| -> Value {
            ["public", "internal", "admin"]
                .into_iter()
                .map(|interface| {
                    json!({
                        "id": md5_hex(format!("{name} {interface}").as_bytes()),
                        "interface": interface,
                        "region_id": REGION,
                        "region": REGION,
                        "url": url(interface),
                    })
                })
                .collect()
        };
        let identity = |_: &str| self.auth_url();
        let storage = |interface: &str| match interface {
            "admin" => format!("{}/v1", self.storage_url),
            _ => format!("{}/v1/AUTH_{project_id}", self.storage_url),
        };
        json!([
            {
                "endpoints": endpoints("identity", &identity),
                "id": md5_hex(b"identity"),
                "type": "identity",
                "name": "keystone",
            },
            {
                "endpoints": endpoints("object-store", &storage),
                "id": md5_hex(b"object-store"),
                "type": "object-store",
                "name": "swift",
            },
        ])
    }
}

impl Token {
    /// Creates a token that is not issued yet.
    pub(super) fn draft(user_id: &str, methods: &[&str]) -> Self {
        Self {
            id: String::new(),
            user_id: user_id.to_owned(),
            project_id: None,
            roles: Vec::new(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            issued_at: 0,
            expires_at: 0,
            trust: None,
            credential: None,
            revoked: false,
        }
    }
}

/// Returns roles as tokens show them.
pub(super) fn roles(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"id": role_id(name), "name": name})).collect()
}

/// Formats a time as Keystone does: whole seconds, followed by six decimals.
pub(super) fn instant(unix: u64) -> String {
    format!("{}Z", iso_micros(Duration::from_secs(unix)))
}

/// The only region.
pub(super) const REGION: &str = "RegionOne";
/// How long an expired token may still be used by a service.
const EXPIRED_WINDOW: Duration = Duration::from_secs(48 * 3600);
