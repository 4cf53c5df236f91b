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
    let holder = |node: &Node<'_>| {
        Some(Holder { id: node.text("id")?, name: node.text("name"), domain_id: None })
    };
    let user = access.member("user");
    let names = user.iter().flat_map(|user| user.objects("roles"));
    let roles = names.filter_map(|role| Some(Role { id: None, name: role.text("name")? }));
    let facts = TokenFacts {
        expires_at: Some(token.required_date("expires")?),
        issued_at: token.date("issued_at"),
        user: user.as_ref().and_then(holder),
        project: token.member("tenant").as_ref().and_then(holder),
        roles: roles.collect(),
        catalogue: Catalogue::read_v2(access),
        methods: vec!["password".to_owned()],
        ..TokenFacts::default()
    };
    Ok(Token::new(Secret::new(token.required("id")?), facts))
}
