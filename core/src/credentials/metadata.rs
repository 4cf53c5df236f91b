//! The services that return keys to programs on an instance or in a container, and the output of
//! processes.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, DATE, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};

use super::document::{Document, Names, bound, success};
use super::renewal::ExpiringKeys;
use super::source::{Container, Instance};
use crate::error::Error;
use crate::escape;
use crate::http::{Draft, Reply};
use crate::now::{Now, Timestamp};
use crate::secret::Secret;

/// The exchanges with the instance metadata service.
pub(super) enum InstanceStep {
    /// Requests a token.
    Token,
    /// Requests the name of the role. Version 1 has no token.
    Role(Option<Secret>),
    /// Requests the keys of the role.
    Keys,
}

/// `PUT /latest/api/token`
pub(super) fn token_draft(instance: &Instance) -> Result<Box<Draft>, Error> {
    let uri = instance.endpoint.join("/latest/api/token")?;
    let mut draft = near(INSTANCE_TOKEN, Method::PUT, uri);
    draft.header(TOKEN_TTL, "21600")?;
    Ok(draft)
}

pub(super) fn token(reply: &Reply) -> Result<Secret, Error> {
    let body = success(reply).map_err(|error| match knows_no_token(reply.status()) {
        true => error.with_hint(V1),
        false => error,
    })?;
    let token = text(body)?.trim();
    if token.is_empty() {
        return Err(Error::invalid_response(
            "the instance metadata service returned an empty token",
        ));
    }
    Ok(Secret::from(token))
}

/// Returns the error for a token request that has no response. It is final: a response that does
/// not come within its time never comes, as the service sends it with a hop limit of 1 by default,
/// and it does not leave the instance to a container ("Configure the instance metadata options" of
/// the Amazon EC2 user guide).
pub(super) fn no_token(error: Error) -> Error {
    match error.is_cancelled() {
        true => error,
        false => Error::auth(format!(
            "the instance metadata service did not respond: {}",
            error.message()
        ))
        .with_hint(HOPS),
    }
}

/// Returns whether the response to the token request means that there is no version 2.
pub(super) fn knows_no_token(status: StatusCode) -> bool {
    matches!(status.as_u16(), 403..=405)
}

/// Requests the list of roles. An instance has at most one.
pub(super) fn role_draft(instance: &Instance, token: Option<&Secret>) -> Result<Box<Draft>, Error> {
    let uri = instance.endpoint.join(ROLES)?;
    with_token(near(INSTANCE_ROLE, Method::GET, uri), token)
}

pub(super) fn role(reply: &Reply) -> Result<String, Error> {
    if reply.status() == StatusCode::NOT_FOUND {
        return Err(success(reply)
            .err()
            .unwrap_or_else(|| Error::invalid_response("the instance has no IAM role"))
            .with_hint("attach an IAM role to the instance"));
    }
    let list = text(success(reply)?)?;
    let role = list.lines().map(str::trim).find(|line| !line.is_empty());
    let role = role.ok_or_else(|| {
        Error::auth("the instance has no IAM role").with_hint("attach an IAM role to the instance")
    })?;
    Ok(role.to_owned())
}

pub(super) fn role_keys_draft(
    instance: &Instance,
    role: &str,
    token: Option<&Secret>,
) -> Result<Box<Draft>, Error> {
    let uri = instance.endpoint.join(&format!("{ROLES}{}", escape::query(role)))?;
    with_token(near(INSTANCE_KEYS, Method::GET, uri), token)
}

/// Reads the keys. If the service returns expired keys, they are used for 15 more minutes: an
/// outage of the service need not be one of S3.
pub(super) fn role_keys(reply: &Reply, now: Now) -> Result<ExpiringKeys, Error> {
    let document =
        Document::parse(success(reply)?, "the response of the instance metadata service")?;
    if let Some(code) = document.text("Code").filter(|code| *code != "Success") {
        let message = document.text("Message").unwrap_or_default();
        return Err(Error::auth(format!(
            "the instance metadata service returned no keys for the role: {code}: {message}"
        )));
    }
    let expires = document.date("Expiration")?;
    let mut keys = document.keys(&Names::METADATA, expires)?;
    let server = reply.header(&DATE).and_then(Timestamp::parse_http);
    let server = server.unwrap_or(Timestamp::from_duration(now.unix));
    if expires.is_some_and(|expires| expires <= server) {
        keys.lifetime = Some(EXTENSION);
    }
    Ok(keys)
}

/// Requests the keys of a container's endpoint.
pub(super) fn container_draft(
    container: &Container,
    authorization: Option<&Secret>,
) -> Result<Box<Draft>, Error> {
    let uri = Uri::try_from(container.url.as_str()).map_err(|_| {
        Error::invalid_input("the URL of the container credentials endpoint is invalid")
    })?;
    let mut draft = near(CONTAINER, Method::GET, uri);
    draft.header(ACCEPT, "application/json")?;
    if let Some(authorization) = authorization {
        // The file may end in a newline. A newline elsewhere is an error.
        sensitive(&mut draft, AUTHORIZATION, authorization.expose().trim_end())?;
    }
    Ok(draft)
}

pub(super) fn container_keys(reply: &Reply) -> Result<ExpiringKeys, Error> {
    let document =
        Document::parse(success(reply)?, "the response of the container credentials endpoint")?;
    let expires = document.date("Expiration")?;
    document.keys(&Names::METADATA, expires)
}

/// Reads the output of a process: "Sourcing credentials with an external process".
pub(super) fn process_keys(output: &Secret) -> Result<ExpiringKeys, Error> {
    let document = Document::parse(output.expose().as_bytes(), "the output of credential_process")?;
    match document.number("Version") {
        Some(1) => {}
        Some(other) => {
            return Err(document.broken(&format!("has `Version` {other}, but only 1 is supported")));
        }
        None => return Err(document.broken("has no number member `Version`")),
    }
    let expires = document.date("Expiration")?;
    let names = Names { session_token: "SessionToken", ..Names::METADATA };
    document.keys(&names, expires)
}

/// Creates a request to a nearby service, with short time limits.
fn near(operation: &'static str, method: Method, uri: Uri) -> Box<Draft> {
    let mut draft = Draft::new(operation, method, uri);
    bound(&mut draft);
    draft.timeouts.connect = Some(Duration::from_secs(1));
    draft.timeouts.first_byte = Some(Duration::from_secs(2));
    draft.timeouts.whole = Some(Duration::from_secs(5));
    draft
}

fn with_token(mut draft: Box<Draft>, token: Option<&Secret>) -> Result<Box<Draft>, Error> {
    if let Some(token) = token {
        sensitive(&mut draft, TOKEN, token.expose())?;
    }
    Ok(draft)
}

pub(super) fn sensitive(draft: &mut Draft, name: HeaderName, value: &str) -> Result<(), Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::invalid_input(format!("the token for header {name} contains a control character"))
    })?;
    value.set_sensitive(true);
    draft.head.headers.insert(name, value);
    Ok(())
}

fn text(body: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(body);
    text.map_err(|_| {
        Error::invalid_response("the response of the instance metadata service is not UTF-8")
    })
}

pub(super) const INSTANCE_TOKEN: &str = "GetInstanceMetadataToken";
pub(super) const INSTANCE_ROLE: &str = "GetInstanceRole";
pub(super) const INSTANCE_KEYS: &str = "GetInstanceRoleCredentials";
pub(super) const CONTAINER: &str = "GetContainerCredentials";

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const HOPS: &str = "in a container, raise the hop limit of the instance's metadata service to 2; \
                    outside of EC2, use another source of keys";
const V1: &str = "the instance may only have version 1 of the metadata service: set \
                  `ec2_metadata_v1_disabled` to false to use it";
/// How long botocore continues to use expired keys.
const EXTENSION: Duration = Duration::from_secs(900);
