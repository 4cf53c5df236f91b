//! Documents of Swift and Keystone with one member damaged: the rest is read nevertheless.
//!
//! The documents have the members of the Object Storage API and the Identity API, as Swift 2.38 and
//! Keystone 30 send them.

use std::fmt::Debug;

use apus_core::contract::Operation;
use apus_core::error::Error;
use apus_core::http::Reply;
use apus_core::keystone::{
    self, Identity, ListTrusts, Login, Scope, ShowTrust, Sourced, TokenSource, User, ValidateToken,
};
use apus_core::swift::{self, BulkDelete, GetAccount, GetContainer, GetInfo, GetManifest};
use apus_core::{Now, Secret};
use serde_json::Value;

/// A document, how it is read, and what is required of it.
struct Case {
    name: &'static str,
    text: &'static str,
    read: fn(&str) -> Result<String, Error>,
    /// Members without which the document says nothing, by their path; `*` is any place in a list.
    required: &'static [&'static str],
    /// Members without which an entry says nothing, or that decide what others of it mean: more than
    /// themselves may be lost with these, and nothing outside of their entry.
    decisive: &'static [&'static str],
}

#[test]
fn a_damaged_member_costs_nothing_but_itself() {
    let mut failures = Vec::new();
    let mut damages = 0;
    for case in CASES {
        let document: Value = serde_json::from_str(case.text).unwrap();
        let whole = (case.read)(&document.to_string());
        let whole = whole.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        for path in members(&document) {
            let is = |known: &&str| matches(known, &path);
            if case.required.iter().any(is) {
                continue;
            }
            let is_leaf = !document.pointer(&path).is_some_and(Value::is_array)
                && !document.pointer(&path).is_some_and(Value::is_object);
            let (entry, last) = path.rsplit_once('/').unwrap_or_default();
            let is_named = last.parse::<usize>().is_err();
            for (how, text) in damaged(&document, &path) {
                damages += 1;
                let what = format!("{}: {path} {how}", case.name);
                let read = match (case.read)(&text) {
                    Ok(read) => read,
                    Err(error) => {
                        failures.push(format!("{what}: {error}"));
                        continue;
                    }
                };
                let lost = lost(&whole, &read);
                if is_leaf && is_named && !case.decisive.iter().any(is) {
                    if lost.len() > 1 {
                        failures.push(format!("{what}: {lost:?}"));
                    }
                    continue;
                }
                // All that is lost is of the damaged entry.
                let place = if is_leaf { entry } else { &path };
                let within = document.pointer(place).map(Value::to_string).unwrap_or_default();
                let outside =
                    texts(&document).filter(|text| !within.contains(&format!("{text:?}")));
                for text in outside.filter(|text| whole.contains(&format!("{text:?}"))) {
                    if !read.contains(&format!("{text:?}")) {
                        failures.push(format!("{what}: {text:?} is lost"));
                    }
                }
            }
        }
    }
    assert!(damages > 2000, "{damages}");
    let most = failures.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {damages}:\n{most}", failures.len());
}

/// Returns the paths of all members and elements.
fn members(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), document)];
    while let Some((path, value)) = open.pop() {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(map) => {
                map.iter().map(|(name, value)| (format!("{path}/{name}"), value)).collect()
            }
            Value::Array(list) => {
                let list = list.iter().enumerate();
                list.map(|(at, value)| (format!("{path}/{at}"), value)).collect()
            }
            _ => Vec::new(),
        };
        found.extend(children.iter().map(|(path, _)| path.clone()));
        open.extend(children);
    }
    found
}

/// Returns the texts with one damage each.
fn damaged(document: &Value, path: &str) -> Vec<(&'static str, String)> {
    let mut marked = document.clone();
    let place = marked.pointer_mut(path).unwrap();
    let own = std::mem::replace(place, Value::from("@here@")).to_string();
    let text = marked.to_string();
    let name = path.rsplit('/').next().unwrap();
    let is_member = name.parse::<usize>().is_err();
    let huge = format!("\"{}\"", "9".repeat(10_000));
    let mut all: Vec<(&str, String)> = [
        ("null", "null"),
        ("true", "true"),
        ("false", "false"),
        ("negative", "-1"),
        ("with a fraction", "1.5"),
        ("a large number", "1e300"),
        ("a number above 64 bits", "340282366920938463463374607431768211456"),
        ("empty", "\"\""),
        ("of another type", "\"none of it\""),
        ("as an HTTP date", "\"Tue, 03 Mar 2026 10:00:00 GMT\""),
        ("with control characters", r#""\u0001\u0000\n\u007f""#),
        ("half a character", r#""a\ud800b""#),
        ("in another alphabet", "\"Größe β\""),
        ("a list", "[]"),
        ("a list of a number", "[1]"),
        ("a list of texts", "[\"x\"]"),
        ("an object", "{}"),
        ("huge", huge.as_str()),
    ]
    .map(|(how, by)| (how, text.replace("\"@here@\"", by)))
    .into();
    if is_member {
        let member = format!("\"{name}\":\"@here@\"");
        let twice = format!("\"{name}\":{own},\"{name}\":{own}");
        all.push(("twice", text.replace(&member, &twice)));
        let without = text.replace(&format!("{member},"), "");
        all.push(("missing", without.replace(&format!(",{member}"), "").replace(&member, "")));
    }
    all
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("*"), Some(at)) if at.parse::<usize>().is_ok() => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Returns the fields of the output that are no longer there, as `Debug` writes them.
fn lost(whole: &str, read: &str) -> Vec<String> {
    let mut there: Vec<&str> = read.split(", ").collect();
    let mut lost = Vec::new();
    for field in whole.split(", ") {
        match there.iter().position(|other| *other == field) {
            Some(at) => drop(there.swap_remove(at)),
            None => lost.push(field.to_owned()),
        }
    }
    lost
}

/// Returns all texts of a document.
fn texts(document: &Value) -> impl Iterator<Item = String> {
    let paths = members(document);
    paths.into_iter().filter_map(|path| document.pointer(&path)?.as_str().map(str::to_owned))
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut head = http::Response::builder().status(status);
    for (name, value) in headers {
        head = head.header(*name, *value);
    }
    Reply::new(head.body(()).unwrap().into_parts().0, body.to_owned().into())
}

fn of_swift<O>(operation: &O, headers: &[(&str, &str)], body: &str) -> Result<String, Error>
where
    O: Operation<Service = swift::Service, Output: Debug>,
{
    let service = swift::Service::new(swift::Config::default())?;
    operation.parse(&service, &reply(200, headers, body)).map(|output| format!("{output:?}"))
}

fn of_keystone<O>(operation: &O, body: &str) -> Result<String, Error>
where
    O: Operation<Service = keystone::Service, Output: Debug>,
{
    let answer = reply(200, &[("x-subject-token", "t")], body);
    operation.parse(&keystone::Service::default(), &answer).map(|output| format!("{output:?}"))
}

/// Logs in: reads the versions where `is_versions`, else the token.
fn login(
    auth_url: &str,
    identity: Identity,
    body: &str,
    is_versions: bool,
) -> Result<String, Error> {
    let mut login = Login::new(auth_url, identity, Scope::Unstated)?;
    let mut asked = login.renew(Now::new(Default::default(), Default::default()))?;
    if is_versions {
        asked = login.answered(&reply(300, &[], body))?;
        return match asked {
            Sourced::Ask(draft) => Ok(draft.head.uri.to_string()),
            Sourced::Token(_) => Err(Error::invalid_response("a token of no request")),
        };
    }
    assert!(matches!(asked, Sourced::Ask(_)));
    match login.answered(&reply(201, &[("x-subject-token", "t")], body))? {
        Sourced::Token(token) => Ok(format!("{:?}", token.facts())),
        Sourced::Ask(draft) => Ok(draft.head.uri.to_string()),
    }
}

fn password() -> Identity {
    let user = User::Id("u".to_owned());
    Identity::Password { user, password: Secret::new("p"), second_factor: None }
}

fn old_password() -> Identity {
    Identity::V2Password { user: User::Id("u".to_owned()), password: Secret::new("p") }
}

const CASES: &[Case] = &[
    Case {
        name: "objects of a container",
        text: r#"[
            {"name": "a/1", "hash": "f814893777bcc2295fff05f00e508da6", "bytes": 600001,
             "content_type": "text/plain", "last_modified": "2025-01-02T03:04:05.123456"},
            {"name": "a/2", "hash": "7d793037a0760186574b0282f2f435e7", "bytes": 600002,
             "content_type": "text/html", "last_modified": "2025-01-02T03:04:06.123456",
             "slo_etag": "\"0d599f0ec05c3bda8c3b8a68c32a1b47\"", "symlink_path": "/v1/a/c/o",
             "symlink_bytes": 5, "symlink_etag": "x", "version_id": "null", "is_latest": true},
            {"subdir": "b/"}]"#,
        read: |body| of_swift(&GetContainer::new("c"), &[], body),
        required: &["/*", "/*/name", "/*/subdir"],
        decisive: &[],
    },
    Case {
        name: "containers of an account",
        text: r#"[
            {"name": "one", "count": 700001, "bytes": 600001,
             "last_modified": "2025-01-02T03:04:05.123456", "storage_policy": "gold"},
            {"name": "two", "count": 700002, "bytes": 600002,
             "last_modified": "2025-01-02T03:04:06.123456", "storage_policy": "silver"},
            {"subdir": "b/"}]"#,
        read: |body| of_swift(&GetAccount::default(), &[], body),
        required: &["/*", "/*/name", "/*/subdir"],
        decisive: &[],
    },
    Case {
        name: "a manifest",
        text: r#"[
            {"name": "/seg/a b/1", "hash": "f814893777bcc2295fff05f00e508da6", "bytes": 600001,
             "content_type": "text/plain", "last_modified": "2025-01-02T03:04:05.123456"},
            {"name": "/seg/2", "hash": "7d793037a0760186574b0282f2f435e7", "bytes": 600002,
             "range": "1-2", "sub_slo": true}]"#,
        read: |body| of_swift(&GetManifest::new("c", "o"), SLO, body),
        required: &["/*", "/*/name"],
        decisive: &["/*/range"],
    },
    Case {
        name: "a manifest as it was sent",
        text: r#"[
            {"path": "/seg/1", "etag": "f814893777bcc2295fff05f00e508da6", "size_bytes": 600001},
            {"path": "/seg/2", "etag": "7d793037a0760186574b0282f2f435e7", "size_bytes": 600002}]"#,
        read: |body| of_swift(&GetManifest::new("c", "o"), SLO, body),
        required: &["/*", "/*/path"],
        decisive: &[],
    },
    Case {
        name: "the limits of a cluster",
        text: r#"{"swift": {"version": "2.38.3", "max_file_size": 5368709122,
             "max_object_name_length": 1024, "max_container_name_length": 256,
             "container_listing_limit": 10000, "account_listing_limit": 10001,
             "max_meta_count": 90, "max_meta_name_length": 128, "max_meta_value_length": 257,
             "max_meta_overall_size": 4096, "max_header_size": 8192,
             "policies": [{"name": "gold", "default": true}, {"name": "silver"}]},
            "slo": {"max_manifest_segments": 1000, "max_manifest_size": 8388608,
             "min_segment_size": 1, "yield_frequency": 11}, "dlo": {},
            "bulk_delete": {"max_deletes_per_request": 10003, "max_failed_deletes": 1001},
            "tempurl": {"methods": ["GET", "HEAD"], "allowed_digests": ["sha1", "sha256"]}}"#,
        read: |body| of_swift(&GetInfo::default(), &[], body),
        required: &[],
        decisive: &["/swift/policies/*/name", "/swift/policies/*/default"],
    },
    Case {
        name: "a report of deletions",
        text: r#"{"Number Deleted": 600001, "Number Not Found": 600002, "Response Body": "",
            "Response Status": "200 OK", "Errors": [["/c/one", "409 Conflict"], ["/c/two", "403 Forbidden"]]}"#,
        read: |body| of_swift(&BulkDelete::default(), &[], body),
        // Whether a deletion succeeded.
        required: &["/Response Status", "/Errors", "/Errors/*", "/Errors/*/*", "/Number Deleted"],
        decisive: &[],
    },
    Case {
        name: "a token",
        text: TOKEN,
        read: |body| of_keystone(&ValidateToken::default(), body),
        required: &["/token", "/token/expires_at"],
        decisive: OF_ENTRIES,
    },
    Case {
        name: "a login",
        text: TOKEN,
        read: |body| login("http://k:5000/v3", password(), body, false),
        required: &["/token", "/token/expires_at"],
        decisive: OF_ENTRIES,
    },
    Case {
        name: "a login of v2.0",
        text: r#"{"access": {
            "token": {"id": "t", "expires": "2081-01-02T00:00:00Z",
             "issued_at": "2025-01-02T00:00:00.123456",
             "tenant": {"id": "the-tenant", "name": "tenant-name", "enabled": true}},
            "user": {"id": "the-user", "name": "user-name", "username": "user-name",
             "roles": [{"name": "member"}, {"name": "reader"}], "roles_links": []},
            "serviceCatalog": [
             {"type": "object-store", "name": "swift", "endpoints_links": [], "endpoints": [
              {"publicURL": "https://public", "internalURL": "https://internal",
               "adminURL": "https://admin", "region": "RegionOne", "id": "e1"}]},
             {"type": "image", "name": "glance", "endpoints": [
              {"publicURL": "https://image", "region": "RegionTwo"}]}],
            "metadata": {"is_admin": 0, "roles": ["r1"]}}}"#,
        read: |body| login("http://k:5000/v2.0", old_password(), body, false),
        required: &["/access", "/access/token", "/access/token/id", "/access/token/expires"],
        decisive: &[
            "/access/token/tenant/id",
            "/access/user/id",
            "/access/user/roles/*/name",
            "/access/serviceCatalog/*/type",
            "/access/serviceCatalog/*/endpoints/*/publicURL",
            "/access/serviceCatalog/*/endpoints/*/internalURL",
            "/access/serviceCatalog/*/endpoints/*/adminURL",
            "/access/serviceCatalog/*/endpoints/*/region",
        ],
    },
    Case {
        name: "a trust",
        text: r#"{"trust": {"id": "the-trust", "trustor_user_id": "trustor",
            "trustee_user_id": "trustee", "project_id": "project", "impersonation": true,
            "expires_at": "2081-01-02T03:04:05.123456Z", "remaining_uses": 600001,
            "roles": [{"id": "r1", "name": "member", "links": {}}, {"id": "r2", "name": "reader"}],
            "deleted_at": null, "redelegation_count": 0, "roles_links": {}, "links": {}}}"#,
        read: |body| of_keystone(&ShowTrust { id: "the-trust".to_owned() }, body),
        required: &["/trust", "/trust/id"],
        decisive: &["/trust/roles/*/id", "/trust/roles/*/name"],
    },
    Case {
        name: "a list of trusts",
        text: r#"{"trusts": [
            {"id": "one", "trustor_user_id": "trustor", "trustee_user_id": "trustee",
             "project_id": "project", "impersonation": true, "remaining_uses": 600001,
             "expires_at": "2081-01-02T03:04:05.123456Z", "deleted_at": null},
            {"id": "two", "trustor_user_id": "other", "trustee_user_id": "another",
             "project_id": null, "impersonation": false, "expires_at": null}],
            "links": {"next": null, "self": "x"}, "truncated": false}"#,
        read: |body| of_keystone(&ListTrusts::default(), body),
        required: &["/trusts", "/trusts/*", "/trusts/*/id"],
        decisive: &[],
    },
    Case {
        name: "the versions of Keystone",
        text: r#"{"versions": {"values": [
            {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
             "links": [{"rel": "self", "href": "http://k:5000/elsewhere/v3/"}],
             "media-types": [{"base": "application/json", "type": "x"}]},
            {"id": "v2.0", "status": "deprecated", "links": []}]}}"#,
        read: |body| login("http://k:5000/", password(), body, true),
        required: &["/versions/values/*/id", "/versions/values/0"],
        decisive: &[],
    },
];

const SLO: &[(&str, &str)] =
    &[("x-static-large-object", "True"), ("etag", "0d599f0ec05c3bda8c3b8a68c32a1b47")];

const TOKEN: &str = r#"{"token": {"methods": ["password", "totp"], "expires_at": "2081-01-02T00:00:00.000000Z",
    "issued_at": "2025-01-02T00:00:00.000000Z", "audit_ids": ["x"],
    "user": {"id": "the-user", "name": "user-name", "domain": {"id": "user-domain", "name": "D"},
     "password_expires_at": null},
    "project": {"id": "the-project", "name": "project-name",
     "domain": {"id": "project-domain", "name": "E"}},
    "is_domain": false,
    "roles": [{"id": "r1", "name": "member"}, {"id": "r2", "name": "reader"}],
    "OS-TRUST:trust": {"id": "the-trust", "impersonation": true,
     "trustor_user": {"id": "trustor"}, "trustee_user": {"id": "trustee"}},
    "application_credential": {"id": "credential", "name": "x", "restricted": true},
    "catalog": [
     {"id": "s1", "type": "object-store", "name": "swift", "endpoints": [
      {"id": "e1", "interface": "public", "region": "RegionOne", "region_id": "RegionOne",
       "url": "https://public"},
      {"id": "e2", "interface": "internal", "region": "RegionOne", "region_id": "RegionOne",
       "url": "https://internal"}]},
     {"id": "s2", "type": "image", "name": "glance", "endpoints": [
      {"id": "e3", "interface": "public", "region": "RegionTwo", "region_id": "RegionTwo",
       "url": "https://image"}]}]}}"#;

/// The members that make an entry of a token's document one.
const OF_ENTRIES: &[&str] = &[
    "/token/user/id",
    "/token/project/id",
    "/token/roles/*/id",
    "/token/roles/*/name",
    "/token/OS-TRUST:trust/id",
    "/token/catalog/*/type",
    "/token/catalog/*/endpoints/*/interface",
];
