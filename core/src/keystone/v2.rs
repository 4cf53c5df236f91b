//! `POST /tokens` of the Identity API v2.0, which Keystone had until 2017 and some clouds still
//! have.

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::keystone::catalogue::Catalogue;
use crate::keystone::error;
use crate::keystone::identity::{Project, User};
use crate::keystone::json::{self, Json, Node};
use crate::keystone::scope::Scope;
use crate::keystone::token::{Holder, Role, Token, TokenFacts};
use crate::keystone::v3;
use crate::now::Timestamp;
use crate::secret::Secret;

/// Returns the request for a token. `base` ends in `/v2.0`.
pub(super) fn draft(
    base: &BaseUrl,
    user: &User,
    password: &Secret,
    scope: &Scope,
) -> Result<Box<Draft>, Error> {
    let user = match user {
        User::Id(id) => ("userId", id.into()),
        User::Name { name, .. } => ("username", name.into()),
    };
    let credentials = Json::object([user, ("password", password.into())]);
    let mut auth = vec![("passwordCredentials", credentials)];
    match scope {
        Scope::Project(Project::Id(id)) => auth.push(("tenantId", id.into())),
        Scope::Project(Project::Name { name, .. }) => auth.push(("tenantName", name.into())),
        _ => {}
    }
    v3::authenticate(base.join("/tokens")?, auth)
}

/// Reads the token of a response.
pub(super) fn token(reply: &Reply) -> Result<Token, Error> {
    error::success(reply)?;
    json::answer(reply, |document| read_token(&Node::root(document, "access")?))
}

fn read_token(access: &Node<'_>) -> Result<Token, Error> {
    let Some(token) = access.member("token") else { return Err(access.broken("has no `token`")) };
    token.required("expires")?;
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
        expires_at: token.date("expires")?,
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
