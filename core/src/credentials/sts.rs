//! The Security Token Service: "AssumeRole" and "AssumeRoleWithWebIdentity" of its API reference.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use sha2::{Digest, Sha256};

use super::document::bound;
use super::renewal::ExpiringKeys;
use super::source::Sts;
use crate::error::Error;
use crate::escape;
use crate::http::{Body, Draft, Reply};
use crate::now::Timestamp;
use crate::secret::Secret;
use crate::sign::{Keys, Payload, Rule, Signing};
use crate::xml::{Document, Element};

pub(super) const ASSUME_ROLE: &str = "AssumeRole";
pub(super) const WITH_WEB_IDENTITY: &str = "AssumeRoleWithWebIdentity";

/// Creates a request of the query API. Parameters without a value are left out.
pub(super) fn draft(
    sts: &Sts,
    action: &'static str,
    parameters: &[(&str, Option<&str>)],
) -> Result<Box<Draft>, Error> {
    let mut body = format!("Action={action}&Version=2011-06-15");
    for (name, value) in parameters {
        if let Some(value) = value {
            body.push('&');
            body.push_str(name);
            body.push('=');
            escape::query_into(&mut body, value);
        }
    }
    let mut draft = Draft::new(action, Method::POST, sts.endpoint.join("/")?);
    draft.header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")?;
    // Without this header, Ceph's gateway responds in JSON.
    draft.header(ACCEPT, "application/xml, text/xml")?;
    draft.body = Body::Bytes(Bytes::from(body));
    bound(&mut draft);
    Ok(draft)
}

/// Signs a request of the query API with these keys.
pub(super) fn sign(
    draft: &mut Draft,
    sts: &Sts,
    keys: &Arc<Keys>,
    at: Timestamp,
) -> Result<(), Error> {
    let default_port = if draft.is_https() { ":443" } else { ":80" };
    let host = sts.endpoint.authority().to_ascii_lowercase();
    draft.header(HOST, host.strip_suffix(default_port).unwrap_or(&host))?;
    let hash = match &draft.body {
        Body::Bytes(bytes) => Sha256::digest(bytes).into(),
        _ => Sha256::digest(b"").into(),
    };
    let signing = Signing::new(keys, at, &sts.region, "sts", Rule::GENERIC)?;
    let (method, target) = (draft.head.method.clone(), draft.target().to_owned());
    signing.sign(&method, &target, &mut draft.head.headers, &Payload::Hash(hash))?;
    Ok(())
}

/// Reads the keys in `<ActionResponse><ActionResult><Credentials>`.
pub(super) fn keys(reply: &Reply, action: &'static str) -> Result<ExpiringKeys, Error> {
    if !reply.status().is_success() {
        return Err(refusal(reply).in_operation(action));
    }
    if let Some(cut) = &reply.cut {
        return Err(Error::from(cut.clone()).with_status(reply.status()).in_operation(action));
    }
    read(&reply.body).map_err(|error| error.with_status(reply.status()).in_operation(action))
}

fn read(body: &[u8]) -> Result<ExpiringKeys, Error> {
    let document = Document::parse(body)?;
    let result = document.root().elements().find(|element| element.name().ends_with("Result"));
    let credentials = result.and_then(|result| result.child("Credentials"));
    let credentials = credentials
        .ok_or_else(|| Error::invalid_response("the response of STS has no `Credentials`"))?;
    let mut keys =
        Keys::new(credentials.required("AccessKeyId")?, credentials.required("SecretAccessKey")?);
    keys.session_token = Some(Secret::from(credentials.required("SessionToken")?));
    Ok(ExpiringKeys::new(keys, credentials.timestamp("Expiration")?))
}

/// Reads `<ErrorResponse><Error><Code>…</Code><Message>…</Message></Error><RequestId>…`, with or
/// without the outermost element.
fn refusal(reply: &Reply) -> Error {
    let document = Document::parse(&reply.body).ok();
    let root = document.as_ref().map(Document::root);
    let error = root.map(|root| root.child("Error").unwrap_or(root));
    let text = |element: Option<Element<'_>>, name| {
        element.and_then(|element| element.text_of(name)).map(str::to_owned)
    };
    Error::refused(reply.status(), text(error, "Code"), text(error, "Message"))
        .with_request_id(text(root, "RequestId").or_else(|| text(error, "RequestId")), None)
        .with_retry_after(reply.retry_after())
}
