//! `keystone-catalog`.

use apus_core::Now;
use apus_core::keystone::{
    EndpointFilter, Identity, Interface, Login, Scope, Sourced, Token, TokenSource, User,
};
use serde::Deserialize;
use serde_json::Value;

use super::reply;
use crate::run::compare::Check;
use crate::run::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    token: Value,
    service_type: String,
    interface: Option<Wished>,
    region: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(rename = "override")]
    endpoint_override: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wished {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    url: Option<String>,
    error: Option<String>,
}

pub(in crate::run) fn catalog(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let filter = EndpointFilter {
        interfaces: interfaces(input.interface)?,
        service_type: input.service_type,
        aliases: input.aliases,
        region: input.region,
        endpoint_override: input.endpoint_override,
    };
    let found = token(&input.token)?.and_then(|token| filter.resolve(token.facts()));
    match (found, expected) {
        // A slash at the end has no effect: paths are appended after it.
        (Ok(url), Expected { url: Some(expected), error: None }) => {
            check.same("url", expected.trim_end_matches('/'), &url.to_string());
        }
        (Ok(url), Expected { url: None, error: Some(error) }) => check.differs("error", error, url),
        (Err(error), Expected { url: Some(url), error: None }) => check.differs("url", url, error),
        (Err(_), Expected { url: None, error: Some(_) }) => {}
        _ => return Err("either a url or an error is expected".into()),
    }
    Ok(())
}

/// Returns the token of this document, as its version's login reads it.
fn token(document: &Value) -> Result<Result<Box<Token>, apus_core::error::Error>, String> {
    let user = User::Id("u".into());
    let login = if document.get("access").is_some() {
        let identity = Identity::V2Password { user, password: "p".into() };
        Login::new("http://identity/v2.0", identity, Scope::Unstated)
    } else {
        Login::new("http://identity/v3", Identity::password(user, "p"), Scope::Unstated)
    };
    let mut login = login.map_err(|error| error.to_string())?;
    login.renew(Now::new(Default::default(), Default::default())).map_err(|it| it.to_string())?;
    let headers = [("x-subject-token".to_owned(), "t".to_owned())];
    let answer = reply(201, &headers, document.to_string())?;
    match login.answered(&answer) {
        Ok(Sourced::Token(token)) => Ok(Ok(token)),
        Ok(Sourced::Ask(_)) => Err("the login goes on asking".into()),
        Err(error) => Ok(Err(error)),
    }
}

fn interfaces(wished: Option<Wished>) -> Result<Vec<Interface>, String> {
    let names = match wished {
        None => Vec::new(),
        Some(Wished::One(name)) => vec![name],
        Some(Wished::Several(names)) => names,
    };
    let read =
        |name: &String| Interface::parse(name).ok_or_else(|| format!("{name:?} is no interface"));
    names.iter().map(read).collect()
}
