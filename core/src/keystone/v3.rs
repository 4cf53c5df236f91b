//! `POST /auth/tokens` of the Identity API v3, and the token document.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Body, Draft, Incoming, Reply};
use crate::keystone::{
    catalogue::Catalogue,
    error,
    identity::{Domain, Identity, Project, SecondFactor, User},
    json::{self, Node},
    scope::Scope,
    token::{Holder, Role, Token, TokenFacts, TrustFacts},
};
use crate::now::Timestamp;
use crate::secret::Secret;

/// The request for a token. `base` ends in `/v3`.
pub(super) fn draft(
    base: &BaseUrl,
    identity: &Identity,
    scope: &Scope,
    nocatalog: bool,
) -> Result<Box<Draft>, Error> {
    let target = if nocatalog { "/auth/tokens?nocatalog" } else { "/auth/tokens" };
    let mut draft = Draft::new("Authenticate", Method::POST, base.join(target)?);
    draft.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    draft.head.headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    draft.body = Body::Bytes(body(identity, scope)?);
    draft.incoming = Incoming::Collect { limit: LONGEST };
    Ok(draft)
}

/// The token that an answer to the request brings.
pub(super) fn token(reply: &Reply) -> Result<Token, Error> {
    error::success(reply)?;
    let secret = reply.header(&SUBJECT_TOKEN).filter(|token| !token.is_empty());
    let Some(secret) = secret else {
        let what = "Keystone's answer has no X-Subject-Token";
        return Err(error::named(Error::broken(what).with_status(reply.status()), reply));
    };
    Ok(Token::new(Secret::new(secret), facts(reply)?))
}

/// What a token document says.
pub(super) fn facts(reply: &Reply) -> Result<TokenFacts, Error> {
    let read = || {
        let document = json::parse(&reply.body, "Keystone's answer")?;
        read_facts(&Node::root(&document, "token")?)
    };
    read().map_err(|error| error::named(error.with_status(reply.status()), reply))
}

fn read_facts(token: &Node<'_>) -> Result<TokenFacts, Error> {
    let expires_at = token.required("expires_at")?;
    let expires_at = Timestamp::parse_iso8601(&expires_at)
        .ok_or_else(|| token.broken("has an `expires_at` that is no date"))?;
    let issued_at = token.text("issued_at")?;
    let issued_at = match issued_at {
        None => None,
        Some(text) => Some(
            Timestamp::parse_iso8601(&text)
                .ok_or_else(|| token.broken("has an `issued_at` that is no date"))?,
        ),
    };
    let mut roles = Vec::new();
    for role in token.objects("roles")? {
        roles.push(Role { id: role.text("id")?, name: role.text("name")?.unwrap_or_default() });
    }
    let trust = token.member("OS-TRUST:trust").map(|trust| {
        let user = |name| match trust.member(name) {
            Some(user) => user.text("id").map(Option::unwrap_or_default),
            None => Ok(String::new()),
        };
        Ok::<_, Error>(TrustFacts {
            id: trust.required("id")?,
            trustor_user_id: user("trustor_user")?,
            trustee_user_id: user("trustee_user")?,
            impersonation: trust.flag("impersonation"),
        })
    });
    let credential = token.member("application_credential");
    Ok(TokenFacts {
        expires_at: Some(expires_at),
        issued_at,
        lifetime: None,
        user: holder(token, "user")?,
        project: holder(token, "project")?,
        domain: holder(token, "domain")?,
        system: token.member("system").is_some(),
        roles,
        catalogue: Catalogue::read_v3(token)?,
        storage_url: None,
        trust: trust.transpose()?,
        methods: token.texts("methods"),
        application_credential: credential.map(|it| it.text("id")).transpose()?.flatten(),
    })
}

fn holder(token: &Node<'_>, name: &str) -> Result<Option<Holder>, Error> {
    let Some(node) = token.member(name) else { return Ok(None) };
    let domain = node.member("domain").map(|domain| domain.text("id")).transpose()?;
    let (id, name) = (node.required("id")?, node.text("name")?);
    Ok(Some(Holder { id, name, domain_id: domain.flatten() }))
}

/// The JSON body. It is made in memory that is overwritten when the last copy of it is gone.
fn body(identity: &Identity, scope: &Scope) -> Result<Bytes, Error> {
    let scope = scope_json(scope)?;
    let identity = identity_json(identity)?;
    // Room for it all, so that no half of a secret is left where it grew out of its memory.
    let mut out = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *out, &Request { auth: Auth { identity, scope } })
        .map_err(|_| Error::caller("the identity can't be written as JSON"))?;
    Ok(Bytes::from_owner(out))
}

fn identity_json(identity: &Identity) -> Result<IdentityJson<'_>, Error> {
    let none = IdentityJson::default();
    Ok(match identity {
        Identity::Password { user, password, second_factor } => {
            let passcode = second_factor.as_ref().map(|SecondFactor::Passcode(code)| code);
            let methods: &[_] =
                if passcode.is_some() { &["password", "totp"] } else { &["password"] };
            let with = UserJson::of(user);
            let totp = passcode
                .map(|code| UserOf { user: UserJson { passcode: Some(code.expose()), ..with } });
            let password = UserOf { user: UserJson { password: Some(password.expose()), ..with } };
            IdentityJson { methods, password: Some(password), totp, ..none }
        }
        Identity::Token(token) => IdentityJson {
            methods: &["token"],
            token: Some(TokenJson { id: token.expose() }),
            ..none
        },
        Identity::ApplicationCredential { id, secret } => {
            let credential =
                CredentialJson { id: Some(id), name: None, user: None, secret: secret.expose() };
            IdentityJson {
                methods: &["application_credential"],
                application_credential: Some(credential),
                ..none
            }
        }
        Identity::NamedApplicationCredential { name, user, secret } => {
            let user = Some(UserJson::of(user));
            let credential =
                CredentialJson { id: None, name: Some(name), user, secret: secret.expose() };
            IdentityJson {
                methods: &["application_credential"],
                application_credential: Some(credential),
                ..none
            }
        }
        Identity::V2Password { .. } | Identity::V1 { .. } => {
            return Err(Error::caller("this identity is none of the Identity API v3"));
        }
    })
}

fn scope_json(scope: &Scope) -> Result<Option<ScopeJson>, Error> {
    Ok(Some(match scope {
        Scope::Unstated => return Ok(None),
        Scope::Unscoped => ScopeJson::Unscoped,
        Scope::Project(Project::Id(id)) => {
            ScopeJson::Project(ProjectJson { id: Some(id.clone()), name: None, domain: None })
        }
        Scope::Project(Project::Name { name, domain }) => ScopeJson::Project(ProjectJson {
            id: None,
            name: Some(name.clone()),
            domain: Some(DomainJson::of(domain)),
        }),
        Scope::Domain(domain) => ScopeJson::Domain(DomainJson::of(domain)),
        Scope::System => ScopeJson::System { all: true },
        Scope::Trust(slot) => match slot.id() {
            Some(id) => ScopeJson::Trust { id },
            None => return Err(Error::authority("there is no trust to ask a token for")),
        },
    }))
}

#[derive(Serialize)]
struct Request<'a> {
    auth: Auth<'a>,
}

#[derive(Serialize)]
struct Auth<'a> {
    identity: IdentityJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<ScopeJson>,
}

#[derive(Default, Serialize)]
struct IdentityJson<'a> {
    methods: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<UserOf<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp: Option<UserOf<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_credential: Option<CredentialJson<'a>>,
}

#[derive(Serialize)]
struct UserOf<'a> {
    user: UserJson<'a>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct UserJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<DomainRef<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passcode: Option<&'a str>,
}

impl<'a> UserJson<'a> {
    fn of(user: &'a User) -> Self {
        match user {
            User::Id(id) => Self { id: Some(id), ..Self::default() },
            User::Name { name, domain } => {
                Self { name: Some(name), domain: Some(DomainRef::of(domain)), ..Self::default() }
            }
        }
    }
}

#[derive(Serialize)]
struct TokenJson<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct CredentialJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserJson<'a>>,
    secret: &'a str,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum DomainRef<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl<'a> DomainRef<'a> {
    fn of(domain: &'a Domain) -> Self {
        match domain {
            Domain::Id(id) => Self::Id(id),
            Domain::Name(name) => Self::Name(name),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum DomainJson {
    Id(String),
    Name(String),
}

impl DomainJson {
    fn of(domain: &Domain) -> Self {
        match domain {
            Domain::Id(id) => Self::Id(id.clone()),
            Domain::Name(name) => Self::Name(name.clone()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum ScopeJson {
    Unscoped,
    Project(ProjectJson),
    Domain(DomainJson),
    System {
        all: bool,
    },
    #[serde(rename = "OS-TRUST:trust")]
    Trust {
        id: String,
    },
}

#[derive(Serialize)]
struct ProjectJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<DomainJson>,
}

/// The token, in answers and where a request is about one.
pub(super) const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
/// The longest token document: a catalogue of a thousand services in ten regions has 2 MB.
pub(super) const LONGEST: usize = 4 << 20;
/// More than any request for a token has: a token of the oldest kind had 8 KiB.
const ROOM: usize = 32 << 10;
