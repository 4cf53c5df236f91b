//! `keystone-auth`.

use apus_core::http::{Body, Draft};
use apus_core::keystone::{
    Domain, Identity, Login, Project, Scope, SecondFactor, Sourced, TokenSource, User,
};
use apus_core::{Now, error::Error};
use serde::Deserialize;
use serde_json::Value;

use super::reply;
use crate::run::compare::{Check, Header};
use crate::run::value::Fields;

/// The identity and the scope of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    auth_url: String,
    method: Method,
    user_id: Option<String>,
    username: Option<String>,
    user_domain_id: Option<String>,
    user_domain_name: Option<String>,
    password: Option<String>,
    passcode: Option<String>,
    token: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    application_credential_secret: Option<String>,
    scope: Option<Wanted>,
    catalog: Option<bool>,
    discovery: Option<Discovery>,
}

/// The versions that a server lists.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discovery {
    status: u16,
    json: Value,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
enum Method {
    #[serde(rename = "password")]
    Password,
    #[serde(rename = "password+totp")]
    PasswordAndTotp,
    #[serde(rename = "token")]
    Token,
    #[serde(rename = "application_credential")]
    ApplicationCredential,
    #[serde(rename = "v2-password")]
    V2Password,
    #[serde(rename = "v1")]
    V1,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Word(Word),
    Members(ScopeMembers),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Unscoped,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeMembers {
    project_id: Option<String>,
    project_name: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
    domain_id: Option<String>,
    domain_name: Option<String>,
    system: Option<String>,
    trust_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    url: String,
    json: Option<Value>,
    headers: Option<Vec<Header>>,
}

pub(in crate::run) fn auth(input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let (identity, scope) = (input.identity()?, input.scope()?);
    match asked(&input, identity, scope) {
        Ok(draft) => compare(&expected, &draft, check),
        Err(error) => check.differs("request", "one that can be sent", error),
    }
    Ok(())
}

/// Returns the request for a token. A server that is asked for its versions first does not list
/// them, unless the case does.
fn asked(input: &Input, identity: Identity, scope: Scope) -> Result<Box<Draft>, Error> {
    let now = Now::new(Default::default(), Default::default());
    let mut login = Login::new(&input.auth_url, identity, scope)?;
    if input.catalog == Some(false) {
        login = login.without_catalogue();
    }
    let mut asked = login.renew(now)?;
    loop {
        match asked {
            Sourced::Ask(draft) if draft.operation == "DiscoverVersions" => {
                let answer = match &input.discovery {
                    Some(told) => reply(told.status, &[], told.json.to_string()),
                    None => reply(404, &[], ""),
                };
                asked = login.answered(&answer.map_err(Error::invalid_input)?)?;
            }
            Sourced::Ask(draft) => return Ok(draft),
            Sourced::Token(_) => return Err(Error::invalid_input("a token that nobody asked for")),
        }
    }
}

fn compare(expected: &Expected, draft: &Draft, check: &mut Check) {
    check.same("method", &expected.method, draft.head.method.as_str());
    check.url(&expected.url, &draft.head.uri.to_string());
    if let Some(expected) = &expected.json {
        let body = match &draft.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            _ => Value::Null,
        };
        if body != *expected {
            check.differs("json", expected, body);
        }
    }
    if let Some(expected) = &expected.headers {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = draft.head.headers.iter();
        let headers: Vec<Header> =
            headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        check.headers(expected, &headers);
    }
}

impl Input {
    fn identity(&self) -> Result<Identity, String> {
        Ok(match self.method {
            Method::Password | Method::PasswordAndTotp => Identity::Password {
                user: self.user()?,
                password: required("password", &self.password)?.into(),
                second_factor: match self.method {
                    Method::PasswordAndTotp => {
                        Some(SecondFactor::Passcode(required("passcode", &self.passcode)?.into()))
                    }
                    _ => None,
                },
            },
            Method::Token => Identity::Token(required("token", &self.token)?.into()),
            Method::ApplicationCredential => {
                let secret = &self.application_credential_secret;
                let secret = required("application_credential_secret", secret)?;
                match &self.application_credential_id {
                    Some(id) => Identity::application_credential(id, secret),
                    None => Identity::NamedApplicationCredential {
                        name: required("its name", &self.application_credential_name)?.into(),
                        user: self.user()?,
                        secret: secret.into(),
                    },
                }
            }
            Method::V2Password => Identity::V2Password {
                user: match &self.user_id {
                    Some(id) => User::Id(id.clone()),
                    None => {
                        User::named(required("username", &self.username)?, Domain::default_id())
                    }
                },
                password: required("password", &self.password)?.into(),
            },
            Method::V1 => Identity::v1(
                required("username", &self.username)?,
                required("password", &self.password)?,
            ),
        })
    }

    fn user(&self) -> Result<User, String> {
        if let Some(id) = &self.user_id {
            return Ok(User::Id(id.clone()));
        }
        let domain = domain(&self.user_domain_id, &self.user_domain_name)?;
        Ok(User::named(required("username", &self.username)?, domain))
    }

    fn scope(&self) -> Result<Scope, String> {
        Ok(match &self.scope {
            None => Scope::Unstated,
            Some(Wanted::Word(Word::Unscoped)) => Scope::Unscoped,
            Some(Wanted::Members(members)) => members.scope(self.method)?,
        })
    }
}

impl ScopeMembers {
    fn scope(&self, method: Method) -> Result<Scope, String> {
        Ok(match self {
            Self { project_id: Some(id), .. } => Scope::project(id),
            Self { project_name: Some(name), .. } => {
                let domain = match method {
                    Method::V2Password => Domain::default_id(),
                    _ => domain(&self.project_domain_id, &self.project_domain_name)?,
                };
                Scope::Project(Project::named(name, domain))
            }
            Self { trust_id: Some(id), .. } => Scope::trust(id),
            Self { system: Some(all), .. } if all == "all" => Scope::System,
            _ => Scope::Domain(domain(&self.domain_id, &self.domain_name)?),
        })
    }
}

fn domain(id: &Option<String>, name: &Option<String>) -> Result<Domain, String> {
    match (id, name) {
        (Some(id), None) => Ok(Domain::Id(id.clone())),
        (None, Some(name)) => Ok(Domain::Name(name.clone())),
        _ => Err("a domain is an id or a name".into()),
    }
}

fn required<'a>(what: &str, value: &'a Option<String>) -> Result<&'a str, String> {
    value.as_deref().ok_or_else(|| format!("{what} is missing"))
}
