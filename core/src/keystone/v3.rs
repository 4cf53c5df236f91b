//! `POST /auth/tokens` of the Identity API v3, and the document of a token.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Uri};

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Body, Draft, Incoming, Reply};
use crate::keystone::catalogue::Catalogue;
use crate::keystone::error;
use crate::keystone::identity::{Domain, Identity, Project, SecondFactor, User};
use crate::keystone::json::{self, Json, Node};
use crate::keystone::scope::Scope;
use crate::keystone::token::{Holder, Role, Token, TokenFacts, TrustFacts};
use crate::secret::Secret;

/// Returns the request for a token. `base` ends in `/v3`.
pub(super) fn draft(
    base: &BaseUrl,
    identity: &Identity,
    scope: &Scope,
    nocatalog: bool,
) -> Result<Box<Draft>, Error> {
    let target = if nocatalog { "/auth/tokens?nocatalog" } else { "/auth/tokens" };
    let mut auth = vec![("identity", identity_json(identity)?)];
    auth.extend(scope_json(scope)?.map(|scope| ("scope", scope)));
    authenticate(base.join(target)?, auth)
}

/// Returns a request for a token, for the Identity API v2.0 or v3.
pub(super) fn authenticate(
    uri: Uri,
    auth: Vec<(&'static str, Json<'_>)>,
) -> Result<Box<Draft>, Error> {
    let mut draft = Draft::new("Authenticate", Method::POST, uri);
    draft.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    draft.head.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    draft.body = Body::Bytes(Json::object([("auth", Json::object(auth))]).body()?);
    draft.incoming = Incoming::Collect { limit: LONGEST };
    Ok(draft)
}

/// Reads the token of a response.
pub(super) fn token(reply: &Reply) -> Result<Token, Error> {
    error::success(reply)?;
    let secret = error::header(reply, &SUBJECT_TOKEN)?.filter(|token| !token.is_empty());
    let Some(secret) = secret else {
        let what = "Keystone's response has no X-Subject-Token";
        return Err(error::named(Error::invalid_response(what).with_status(reply.status()), reply));
    };
    Ok(Token::new(Secret::new(secret), facts(reply)?))
}

/// Reads the document of a token.
pub(super) fn facts(reply: &Reply) -> Result<TokenFacts, Error> {
    json::answer(reply, |document| read_facts(&Node::root(document, "token")?))
}

fn read_facts(token: &Node<'_>) -> Result<TokenFacts, Error> {
    let credential = token.member("application_credential");
    Ok(TokenFacts {
        expires_at: Some(token.required_date("expires_at")?),
        issued_at: token.date("issued_at"),
        lifetime: None,
        user: holder(token, "user"),
        project: holder(token, "project"),
        domain: holder(token, "domain"),
        system: token.member("system").is_some(),
        roles: roles(token),
        catalogue: Catalogue::read_v3(token),
        storage_url: None,
        trust: token.member("OS-TRUST:trust").and_then(|trust| trust_facts(&trust)),
        methods: token.texts("methods"),
        application_credential: credential.and_then(|it| it.text("id")),
    })
}

fn trust_facts(trust: &Node<'_>) -> Option<TrustFacts> {
    let user = |name| trust.member(name).and_then(|user| user.text("id")).unwrap_or_default();
    Some(TrustFacts {
        id: trust.text("id")?,
        trustor_user_id: user("trustor_user"),
        trustee_user_id: user("trustee_user"),
        impersonation: trust.flag("impersonation"),
    })
}

/// Reads a user, project or domain. One without an id is left out.
fn holder(token: &Node<'_>, name: &str) -> Option<Holder> {
    let node = token.member(name)?;
    let domain_id = node.member("domain").and_then(|domain| domain.text("id"));
    Some(Holder { id: node.text("id")?, name: node.text("name"), domain_id })
}

/// Reads the roles of a token or of a trust. A role without id and name is left out.
pub(super) fn roles(node: &Node<'_>) -> Vec<Role> {
    let role = |role: Node<'_>| {
        let (id, name) = (role.text("id"), role.text("name"));
        (id.is_some() || name.is_some()).then(|| Role { id, name: name.unwrap_or_default() })
    };
    node.objects("roles").into_iter().filter_map(role).collect()
}

fn identity_json(identity: &Identity) -> Result<Json<'_>, Error> {
    let by = |method: &'static str, proof| {
        Json::object([("methods", Json::List(vec![method.into()])), (method, proof)])
    };
    Ok(match identity {
        Identity::Password { user, password, second_factor: None } => {
            by("password", of_user(user, "password", password))
        }
        Identity::Password {
            user,
            password,
            second_factor: Some(SecondFactor::Passcode(passcode)),
        } => Json::object([
            ("methods", Json::List(vec!["password".into(), "totp".into()])),
            ("password", of_user(user, "password", password)),
            ("totp", of_user(user, "passcode", passcode)),
        ]),
        Identity::Totp { user, passcode } => by("totp", of_user(user, "passcode", passcode)),
        Identity::Token(token) => by("token", Json::object([("id", token.into())])),
        Identity::ApplicationCredential { id, secret } => by(
            "application_credential",
            Json::object([("id", id.into()), ("secret", secret.into())]),
        ),
        Identity::NamedApplicationCredential { name, user, secret } => by(
            "application_credential",
            Json::object([
                ("name", name.into()),
                ("user", Json::Object(user_json(user))),
                ("secret", secret.into()),
            ]),
        ),
        Identity::V2Password { .. } | Identity::V1 { .. } => {
            return Err(Error::invalid_input("the identity is not one of the Identity API v3"));
        }
    })
}

/// Returns a user with one secret.
fn of_user<'a>(user: &'a User, name: &'static str, proof: &'a Secret) -> Json<'a> {
    let mut user = user_json(user);
    user.push((name, proof.into()));
    Json::object([("user", Json::Object(user))])
}

fn user_json(user: &User) -> Vec<(&'static str, Json<'_>)> {
    match user {
        User::Id(id) => vec![("id", id.into())],
        User::Name { name, domain } => vec![("name", name.into()), ("domain", domain_json(domain))],
    }
}

fn domain_json(domain: &Domain) -> Json<'_> {
    match domain {
        Domain::Id(id) => Json::object([("id", id.into())]),
        Domain::Name(name) => Json::object([("name", name.into())]),
    }
}

fn scope_json(scope: &Scope) -> Result<Option<Json<'_>>, Error> {
    let of = |name, value| Json::object([(name, value)]);
    Ok(Some(match scope {
        Scope::Unstated => return Ok(None),
        Scope::Unscoped => "unscoped".into(),
        Scope::Project(Project::Id(id)) => of("project", of("id", id.into())),
        Scope::Project(Project::Name { name, domain }) => {
            let members = [("name", name.into()), ("domain", domain_json(domain))];
            of("project", Json::object(members))
        }
        Scope::Domain(domain) => of("domain", domain_json(domain)),
        Scope::System => of("system", of("all", Json::Flag(true))),
        Scope::Trust(slot) => match slot.id() {
            Some(id) => of("OS-TRUST:trust", of("id", Json::Text(id.into()))),
            None => {
                return Err(Error::auth(
                    "can't request a token by trust: the trust has not been created",
                ));
            }
        },
    }))
}

/// The header of a token in responses, and of the token that a request is about.
pub(super) const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
/// In bytes. A catalogue of a thousand services in ten regions has 2 MB.
pub(super) const LONGEST: usize = 4 << 20;
