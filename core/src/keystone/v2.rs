//! `POST /tokens` of the Identity API v2.0, which Keystone had until 2017 and some clouds have yet.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Body, Draft, Incoming, Reply};
use crate::keystone::{
    catalogue::Catalogue,
    error,
    identity::{Project, User},
    json::{self, Node},
    scope::Scope,
    token::{Holder, Role, Token, TokenFacts},
    v3,
};
use crate::now::Timestamp;
use crate::secret::Secret;

/// The request for a token. `base` ends in `/v2.0`.
pub(super) fn draft(
    base: &BaseUrl,
    user: &User,
    password: &Secret,
    scope: &Scope,
) -> Result<Box<Draft>, Error> {
    let mut credentials =
        Credentials { username: None, user_id: None, password: password.expose() };
    match user {
        User::Id(id) => credentials.user_id = Some(id),
        User::Name { name, .. } => credentials.username = Some(name),
    }
    let mut auth = Auth { credentials, tenant_id: None, tenant_name: None };
    match scope {
        Scope::Project(Project::Id(id)) => auth.tenant_id = Some(id),
        Scope::Project(Project::Name { name, .. }) => auth.tenant_name = Some(name),
        _ => {}
    }
    let mut out = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *out, &Request { auth })
        .map_err(|_| Error::caller("the identity can't be written as JSON"))?;
    let mut draft = Draft::new("Authenticate", Method::POST, base.join("/tokens")?);
    draft.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    draft.head.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    draft.body = Body::Bytes(Bytes::from_owner(out));
    draft.incoming = Incoming::Collect { limit: v3::LONGEST };
    Ok(draft)
}

/// The token that an answer brings.
pub(super) fn token(reply: &Reply) -> Result<Token, Error> {
    error::success(reply)?;
    let read = || {
        let document = json::parse(&reply.body, "Keystone's answer")?;
        read_token(&Node::root(&document, "access")?)
    };
    read().map_err(|error| error::named(error.with_status(reply.status()), reply))
}

fn read_token(access: &Node<'_>) -> Result<Token, Error> {
    let Some(token) = access.member("token") else { return Err(access.broken("has no `token`")) };
    let expires = token.required("expires")?;
    let expires_at = Timestamp::parse_iso8601(&expires)
        .ok_or_else(|| token.broken("has an `expires` that is no date"))?;
    let issued_at = token.text("issued_at")?.and_then(|text| Timestamp::parse_iso8601(&text));
    let holder = |node: Option<Node<'_>>| match node {
        None => Ok(None),
        Some(node) => {
            let (id, name) = (node.required("id")?, node.text("name")?);
            Ok::<_, Error>(Some(Holder { id, name, domain_id: None }))
        }
    };
    let user = access.member("user");
    let mut roles = Vec::new();
    for role in user.iter().map(|user| user.objects("roles")) {
        for role in role? {
            roles.push(Role { id: None, name: role.text("name")?.unwrap_or_default() });
        }
    }
    let facts = TokenFacts {
        expires_at: Some(expires_at),
        issued_at,
        user: holder(user)?,
        project: holder(token.member("tenant"))?,
        roles,
        catalogue: Catalogue::read_v2(access)?,
        methods: vec!["password".to_owned()],
        ..TokenFacts::default()
    };
    Ok(Token::new(Secret::new(token.required("id")?), facts))
}

#[derive(Serialize)]
struct Request<'a> {
    auth: Auth<'a>,
}

#[derive(Serialize)]
struct Auth<'a> {
    #[serde(rename = "passwordCredentials")]
    credentials: Credentials<'a>,
    #[serde(rename = "tenantId", skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
    #[serde(rename = "tenantName", skip_serializing_if = "Option::is_none")]
    tenant_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(rename = "userId", skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    password: &'a str,
}

/// More than any request for a token has.
const ROOM: usize = 8 << 10;
