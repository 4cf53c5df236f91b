//! Trusts: a trustor delegates some of their roles to a trustee, for a limited time.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};

use super::draft;
use crate::contract::Operation;
use crate::error::Error;
use crate::escape;
use crate::http::{Body, Draft, Reply};
use crate::keystone::json::{self, Json, Node};
use crate::keystone::service::Service;
use crate::keystone::token::Role;
use crate::keystone::{error, v3};
use crate::now::Timestamp;
use crate::operation::facts;
use crate::retry::Idempotency;

/// A trust, as Keystone describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Its id.
    pub id: String,
    /// The id of the trustor, who delegates roles.
    pub trustor_user_id: String,
    /// The id of the trustee, who receives them.
    pub trustee_user_id: String,
    /// The project of the roles.
    pub project_id: Option<String>,
    /// Whether tokens of the trust act as the trustor's.
    pub impersonation: bool,
    /// The delegated roles; lists leave them out.
    pub roles: Vec<Role>,
    /// When the trust expires, by Keystone's clock, in whole seconds.
    pub expires_at: Option<Timestamp>,
    /// How many more tokens the trust allows; `None` for any number.
    pub remaining_uses: Option<u64>,
}

/// Creates a trust. Only the trustor can, with a token that is not delegated itself: a token issued
/// for a trust or an application credential is refused with 403. "Create trust".
///
/// Keystone refuses with 409 a second trust of the same two users and project that expires at the
/// same microsecond, even if the first was deleted (seen on Keystone 30). A request with
/// `expires_at` can therefore be repeated without creating two trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateTrust {
    /// The id of the trustor: the session's user.
    pub trustor_user_id: String,
    /// The id of the trustee.
    pub trustee_user_id: String,
    /// The project of the roles.
    pub project_id: String,
    /// The delegated roles, sent by id where there is one, else by name. At least one is required.
    pub roles: Vec<Role>,
    /// Whether tokens of the trust act as the trustor's.
    pub impersonation: bool,
    /// When the trust expires; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Microseconds added to `expires_at`. Keystone distinguishes trusts by them, and does not show
    /// them.
    pub microseconds: u32,
    /// How many tokens the trust allows; `None` for any number.
    pub remaining_uses: Option<u32>,
}

impl Operation for CreateTrust {
    facts!(CreateTrust: Once -> Trust = one);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if self.roles.is_empty() {
            return Err(Error::invalid_input("a trust must delegate at least one role"));
        }
        let expires_at = self.expires_at.map(|at| {
            let date = at.iso8601();
            format!("{}.{:06}Z", date.trim_end_matches('Z'), self.microseconds % 1_000_000)
        });
        let mut trust = vec![
            ("trustor_user_id", (&self.trustor_user_id).into()),
            ("trustee_user_id", (&self.trustee_user_id).into()),
            ("project_id", (&self.project_id).into()),
            ("impersonation", Json::Flag(self.impersonation)),
            ("roles", Json::List(self.roles.iter().map(role_json).collect())),
        ];
        trust.extend(expires_at.map(|at| ("expires_at", Json::Text(at.into()))));
        trust.extend(self.remaining_uses.map(|uses| ("remaining_uses", Json::Number(uses))));
        let mut draft = draft(Self::NAME, Method::POST, "/OS-TRUST/trusts", service)?;
        draft.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        draft.body = Body::Bytes(Json::object([("trust", Json::Object(trust))]).body()?);
        Ok(draft)
    }

    fn look_at(&self) -> String {
        format!(
            "the trusts of user {} for user {} in project {}",
            self.trustor_user_id, self.trustee_user_id, self.project_id
        )
    }

    fn idempotency(&self) -> Idempotency {
        if self.expires_at.is_some() { Idempotency::Idempotent } else { Idempotency::Once }
    }
}

/// Shows details for a trust, to its trustor or its trustee. A trust that has expired, is used up
/// or was deleted is a 404. "Show trust details".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShowTrust {
    /// Its id.
    pub id: String,
}

impl Operation for ShowTrust {
    facts!(ShowTrust: Read -> Trust = one);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        draft(Self::NAME, Method::GET, &target(&self.id)?, service)
    }
}

/// Lists the trusts of a user; only administrators can list those of all users. "List trusts".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListTrusts {
    /// Lists those of this trustor.
    pub trustor_user_id: Option<String>,
    /// Lists those of this trustee.
    pub trustee_user_id: Option<String>,
}

impl Operation for ListTrusts {
    facts!(ListTrusts: Read -> Vec<Trust>);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut target = "/OS-TRUST/trusts".to_owned();
        let filters = [
            ("trustor_user_id", &self.trustor_user_id),
            ("trustee_user_id", &self.trustee_user_id),
        ];
        for (name, value) in filters {
            if let Some(value) = value {
                target.push(if target.contains('?') { '&' } else { '?' });
                target.push_str(name);
                target.push('=');
                escape::query_into(&mut target, value);
            }
        }
        draft(Self::NAME, Method::GET, &target, service)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Vec<Trust>, Error> {
        error::success(reply)?;
        json::answer(reply, |document| {
            Node::list(document, "trusts")?.iter().map(read_trust).collect()
        })
    }
}

/// Revokes a trust and all tokens that were issued for it. The trustor can, also with a token of
/// the trust itself if that impersonates; the trustee can't (seen on Keystone 30). A trust that no
/// longer exists counts as revoked. "Delete trust".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteTrust {
    /// Its id.
    pub id: String,
}

impl Operation for DeleteTrust {
    facts!(DeleteTrust: Idempotent -> ());

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        draft(Self::NAME, Method::DELETE, &target(&self.id)?, service)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        match reply.status() {
            StatusCode::NOT_FOUND => Ok(()),
            _ => error::success(reply),
        }
    }
}

fn target(id: &str) -> Result<String, Error> {
    if id.is_empty() {
        return Err(Error::invalid_input("the id of the trust is empty"));
    }
    Ok(format!("/OS-TRUST/trusts/{}", escape::query(id)))
}

fn one(reply: &Reply) -> Result<Trust, Error> {
    error::success(reply)?;
    json::answer(reply, |document| read_trust(&Node::root(document, "trust")?))
}

fn read_trust(trust: &Node<'_>) -> Result<Trust, Error> {
    Ok(Trust {
        id: trust.required("id")?,
        trustor_user_id: trust.text("trustor_user_id").unwrap_or_default(),
        trustee_user_id: trust.text("trustee_user_id").unwrap_or_default(),
        project_id: trust.text("project_id"),
        impersonation: trust.flag("impersonation"),
        roles: v3::roles(trust),
        expires_at: trust.date("expires_at"),
        remaining_uses: trust.number("remaining_uses"),
    })
}

fn role_json(role: &Role) -> Json<'_> {
    match &role.id {
        Some(id) => Json::object([("id", id.into())]),
        None => Json::object([("name", (&role.name).into())]),
    }
}
