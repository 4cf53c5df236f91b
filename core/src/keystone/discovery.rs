//! Discovers the versions of Keystone's API, where the auth URL names none.
//!
//! "API versions" of the Identity API: a `GET` of the root gets a 300 with a document that lists
//! the versions; `GET /v3` gets a 200 with the document of one.

use http::header::ACCEPT;
use http::{HeaderValue, Method};
use serde_json::Value;

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Draft, Incoming, Reply, json};

/// Returns the request for the versions.
pub(super) fn draft(base: &BaseUrl) -> Result<Box<Draft>, Error> {
    let mut draft = Draft::new("DiscoverVersions", Method::GET, base.join("/")?);
    draft.head.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    draft.incoming = Incoming::Collect { limit: LONGEST };
    Ok(draft)
}

/// Returns the URL of v3 by the response, always on the host that was asked: the document is not
/// authenticated and must not send a password elsewhere, and the host in it is often reachable
/// inside the cloud only. Where the response says nothing about versions, v3 is assumed under
/// `/v3`.
///
/// # Errors
///
/// The response lists versions, and v3 is not among them.
pub(super) fn v3(base: &BaseUrl, reply: &Reply) -> Result<BaseUrl, Error> {
    let told = matches!(reply.status().as_u16(), 200 | 300) && reply.cut.is_none();
    let document = Some(&reply.body).filter(|_| told);
    let document: Option<Value> = document.and_then(|body| json::parse(body).ok());
    let versions = document.as_ref().map(versions).unwrap_or_default();
    if versions.is_empty() {
        return Ok(usual(base));
    }
    let Some(version) = versions.iter().find(|version| is_v3(version)) else {
        let ids: Vec<&str> = versions.iter().filter_map(|version| id(version)).take(8).collect();
        return Err(Error::auth(format!(
            "Keystone at auth_url does not offer the Identity API v3, only {ids:?}"
        )));
    };
    let links = version.get("links").and_then(Value::as_array).into_iter().flatten();
    let own = |link: &&Value| link.get("rel").and_then(Value::as_str) == Some("self");
    let href = links.into_iter().find(own).and_then(|link| link.get("href")?.as_str());
    Ok(href.and_then(|href| on_the_same_host(base, href)).unwrap_or_else(|| usual(base)))
}

/// Returns the auth URL with `/v3` appended.
pub(super) fn usual(base: &BaseUrl) -> BaseUrl {
    base.with_path(&format!("{}/v3", base.path()))
}

/// Returns the versions in a document of either form.
fn versions(document: &Value) -> Vec<&Value> {
    if let Some(version) = document.get("version").filter(|version| id(version).is_some()) {
        return vec![version];
    }
    let list = document.get("versions");
    let list = list.and_then(|list| list.get("values").or(Some(list))).and_then(Value::as_array);
    list.into_iter().flatten().filter(|version| id(version).is_some()).collect()
}

fn id(version: &Value) -> Option<&str> {
    version.get("id")?.as_str()
}

fn is_v3(version: &Value) -> bool {
    id(version).is_some_and(|id| id == "v3" || id.starts_with("v3."))
}

fn on_the_same_host(base: &BaseUrl, href: &str) -> Option<BaseUrl> {
    if href.starts_with('/') && !href.starts_with("//") {
        return BaseUrl::parse_as(&format!("{}{href}", base.origin()), "the version").ok();
    }
    let address = BaseUrl::parse_as(href, "the version").ok()?;
    let same = address.authority().eq_ignore_ascii_case(base.authority());
    same.then(|| base.with_path(address.path()))
}

/// In bytes. A Keystone's document has about 1 kB.
const LONGEST: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn at(base: &str, status: u16, body: &str) -> Result<String, String> {
        let head = http::Response::builder().status(status).body(()).unwrap().into_parts().0;
        let reply = Reply::new(head, Bytes::copy_from_slice(body.as_bytes()));
        let base = BaseUrl::parse_as(base, "auth_url").unwrap();
        v3(&base, &reply).map(|it| it.to_string()).map_err(|error| error.message().to_owned())
    }

    // Seen on Keystone 30.
    const ROOT: &str = r#"{"versions": {"values": [{"id": "v3.14", "status": "stable",
        "updated": "2020-04-07T00:00:00Z", "links": [{"rel": "self",
        "href": "http://127.0.0.1:5000/v3/"}], "media-types": []}]}}"#;

    #[test]
    fn the_link_is_followed_on_the_host_that_was_asked_alone() {
        assert_eq!(at("http://127.0.0.1:5000", 300, ROOT).unwrap(), "http://127.0.0.1:5000/v3");
        assert_eq!(at("https://cloud/identity", 300, ROOT).unwrap(), "https://cloud/identity/v3");
        let relative = ROOT.replace("http://127.0.0.1:5000/v3/", "/elsewhere/v3/");
        assert_eq!(at("https://cloud/", 300, &relative).unwrap(), "https://cloud/elsewhere/v3");
    }

    #[test]
    fn an_answer_that_says_nothing_leads_to_v3() {
        for (status, body) in [(404, ""), (500, ROOT), (200, "<html>"), (200, "{}"), (300, "[1]")] {
            assert_eq!(at("http://h:5000/", status, body).unwrap(), "http://h:5000/v3");
        }
    }

    #[test]
    fn a_cloud_without_v3_is_told() {
        let old = ROOT.replace("v3.14", "v2.0");
        let error = "Keystone at auth_url does not offer the Identity API v3, only [\"v2.0\"]";
        assert_eq!(at("http://h", 300, &old).unwrap_err(), error);
    }

    #[test]
    fn the_document_of_one_version_will_do() {
        let one = r#"{"version": {"id": "v3.14", "links": []}}"#;
        assert_eq!(at("http://h/identity", 200, one).unwrap(), "http://h/identity/v3");
    }
}
