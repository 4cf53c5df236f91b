//! Trusts: a user lets another act with some of the own roles, for a while.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;

use super::draft;
use crate::contract::Operation;
use crate::error::Error;
use crate::escape;
use crate::http::{Body, Draft, Reply};
use crate::keystone::{
    error,
    json::{self, Node},
    service::Service,
    token::Role,
};
use crate::now::Timestamp;
use crate::retry::Idempotency;

/// A trust, as Keystone describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Its id.
    pub id: String,
    /// The id of the user who trusts.
    pub trustor_user_id: String,
    /// The id of the user who is trusted.
    pub trustee_user_id: String,
    /// The project that it is for.
    pub project_id: Option<String>,
    /// Whether its tokens pass for the trustor's.
    pub impersonation: bool,
    /// What is delegated; lists leave it out.
    pub roles: Vec<Role>,
    /// When it ends, by Keystone's clock; shown in whole seconds.
    pub expires_at: Option<Timestamp>,
    /// How many tokens can be had by it yet; any number where there is none.
    pub remaining_uses: Option<u64>,
}

/// Makes a trust. Only the trustor may, with a token that is not delegated itself: one had by a
/// trust or by an application credential is refused with 403. "Create trust".
///
/// Keystone refuses with 409 a second trust of the same two users and project that ends at the same
/// microsecond, also when the first one is deleted already (seen on Keystone 30). With an end, the
/// request can therefore be repeated without making two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateTrust {
    /// The id of the user who trusts: the session's.
    pub trustor_user_id: String,
    /// The id of the user who is trusted.
    pub trustee_user_id: String,
    /// The project that it is for.
    pub project_id: String,
    /// What is delegated, by id where there is one, else by name; Keystone refuses none at all.
    pub roles: Vec<Role>,
    /// Whether its tokens pass for the trustor's.
    pub impersonation: bool,
    /// When it ends; never, where there is none.
    pub expires_at: Option<Timestamp>,
    /// How many microseconds later it ends. Keystone tells trusts apart by them, and does not show
    /// them.
    pub microseconds: u32,
    /// How many tokens can be had by it; any number where there is none.
    pub remaining_uses: Option<u32>,
}

impl Operation for CreateTrust {
    type Service = Service;
    type Output = Trust;

    const NAME: &'static str = "CreateTrust";
    const IDEMPOTENCY: Idempotency = Idempotency::Once;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if self.roles.is_empty() {
            return Err(Error::caller("a trust delegates one role at least"));
        }
        let expires_at = self.expires_at.map(|at| {
            let date = at.iso8601();
            format!("{}.{:06}Z", date.trim_end_matches('Z'), self.microseconds % 1_000_000)
        });
        let trust = TrustJson {
            trustor_user_id: &self.trustor_user_id,
            trustee_user_id: &self.trustee_user_id,
            project_id: &self.project_id,
            impersonation: self.impersonation,
            roles: self.roles.iter().map(RoleJson::of).collect(),
            expires_at,
            remaining_uses: self.remaining_uses,
        };
        let mut draft = draft(Self::NAME, Method::POST, "/OS-TRUST/trusts", service)?;
        draft.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = serde_json::to_vec(&Request { trust })
            .map_err(|_| Error::caller("the trust can't be written as JSON"))?;
        draft.body = Body::Bytes(Bytes::from(body));
        Ok(draft)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Trust, Error> {
        one(reply)
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

/// A trust, for its trustor and its trustee. One that is over, spent or deleted is 404. "Show trust
/// details".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShowTrust {
    /// Its id.
    pub id: String,
}

impl Operation for ShowTrust {
    type Service = Service;
    type Output = Trust;

    const NAME: &'static str = "ShowTrust";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        draft(Self::NAME, Method::GET, &target(&self.id)?, service)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Trust, Error> {
        one(reply)
    }
}

/// The trusts of a user; everybody's are for administrators. "List trusts".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListTrusts {
    /// Those of this user, who trusts.
    pub trustor_user_id: Option<String>,
    /// Those for this user, who is trusted.
    pub trustee_user_id: Option<String>,
}

impl Operation for ListTrusts {
    type Service = Service;
    type Output = Vec<Trust>;

    const NAME: &'static str = "ListTrusts";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

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
        let read = || {
            let document = json::parse(&reply.body, "Keystone's answer")?;
            let list = Node::list(&document, "trusts")?;
            list.iter().map(read_trust).collect::<Result<Vec<_>, Error>>()
        };
        read().map_err(|error| error::named(error.with_status(reply.status()), reply))
    }
}

/// Revokes a trust and all tokens that were had by it. The trustor may, also with a token had by
/// the trust itself where it impersonates; the trustee may not (seen on Keystone 30). One that is
/// gone already counts as revoked. "Delete trust".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteTrust {
    /// Its id.
    pub id: String,
}

impl Operation for DeleteTrust {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteTrust";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

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
        return Err(Error::caller("the id of the trust is empty"));
    }
    Ok(format!("/OS-TRUST/trusts/{}", escape::query(id)))
}

fn one(reply: &Reply) -> Result<Trust, Error> {
    error::success(reply)?;
    let read = || {
        let document = json::parse(&reply.body, "Keystone's answer")?;
        read_trust(&Node::root(&document, "trust")?)
    };
    read().map_err(|error| error::named(error.with_status(reply.status()), reply))
}

fn read_trust(trust: &Node<'_>) -> Result<Trust, Error> {
    let expires_at = match trust.text("expires_at")? {
        None => None,
        Some(text) => Some(
            Timestamp::parse_iso8601(&text)
                .ok_or_else(|| trust.broken("has an `expires_at` that is no date"))?,
        ),
    };
    let mut roles = Vec::new();
    for role in trust.objects("roles")? {
        roles.push(Role { id: role.text("id")?, name: role.text("name")?.unwrap_or_default() });
    }
    Ok(Trust {
        id: trust.required("id")?,
        trustor_user_id: trust.text("trustor_user_id")?.unwrap_or_default(),
        trustee_user_id: trust.text("trustee_user_id")?.unwrap_or_default(),
        project_id: trust.text("project_id")?,
        impersonation: trust.flag("impersonation"),
        roles,
        expires_at,
        remaining_uses: trust.number("remaining_uses")?,
    })
}

#[derive(Serialize)]
struct Request<'a> {
    trust: TrustJson<'a>,
}

#[derive(Serialize)]
struct TrustJson<'a> {
    trustor_user_id: &'a str,
    trustee_user_id: &'a str,
    project_id: &'a str,
    impersonation: bool,
    roles: Vec<RoleJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_uses: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum RoleJson<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl<'a> RoleJson<'a> {
    fn of(role: &'a Role) -> Self {
        match &role.id {
            Some(id) => Self::Id(id),
            None => Self::Name(&role.name),
        }
    }
}
