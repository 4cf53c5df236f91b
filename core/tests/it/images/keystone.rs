//! A Keystone with users and passwords, and a scripted Swift behind it.
//!
//! Its responses are those of Keystone 30, as far as the tests use them.

use apus_core::keystone::{Catalogue, CatalogueService, Endpoint, Interface};
use apus_core::secret::Secret;
use apus_core::store::TenantContext;
use http::request;
use serde_json::{Value, json};

use super::header;
use crate::support::Answer;

/// What it was asked.
#[derive(Default)]
pub(crate) struct Keystone {
    /// The URL, the user, and what for, of every login.
    pub(crate) logins: Vec<String>,
    /// The trusts that were asked for, and live.
    pub(crate) trusts: Vec<Value>,
    /// How many there were.
    pub(crate) made: usize,
}

impl Keystone {
    /// The answer to a request that is for Keystone, and else that of `swift`.
    pub(crate) fn or(
        &mut self,
        head: &request::Parts,
        body: &[u8],
        swift: impl FnOnce(&request::Parts, &[u8]) -> Answer,
    ) -> Answer {
        let path = head.uri.path();
        let method = head.method.as_str();
        match path.split_once("/v3/").map(|(_, resource)| (method, resource)) {
            Some(("POST", "auth/tokens")) => self.login(head, body),
            Some(("GET", "auth/tokens")) => {
                let token = header(head, "x-subject-token").unwrap();
                assert_eq!(header(head, "x-auth-token"), Some(token));
                Answer::new(200).body(document(owner(token), None).to_string())
            }
            Some(("POST", "OS-TRUST/trusts")) => {
                assert_eq!(header(head, "x-auth-token"), Some("token-of-demo"));
                let mut trust: Value = serde_json::from_slice(body).unwrap();
                self.made += 1;
                trust["trust"]["id"] = format!("trust-{}", self.made).into();
                self.trusts.push(trust["trust"].clone());
                Answer::new(201).body(trust.to_string())
            }
            Some(("GET", trust)) if trust.starts_with("OS-TRUST/") => {
                assert_eq!(header(head, "x-auth-token"), Some("token-of-demo-by-trust-1"));
                Answer::new(200).body(json!({"trust": self.trusts[0]}).to_string())
            }
            Some(("DELETE", trust)) if trust.starts_with("OS-TRUST/") => {
                self.trusts.retain(|it| {
                    trust != format!("OS-TRUST/trusts/{}", it["id"].as_str().unwrap())
                });
                Answer::new(204)
            }
            Some(other) => panic!("nobody asks {other:?}"),
            None => swift(head, body),
        }
    }

    fn login(&mut self, head: &request::Parts, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap();
        let (identity, scope) = (&body["auth"]["identity"], &body["auth"]["scope"]);
        let user = &identity["password"]["user"];
        let name = user["name"].as_str().unwrap_or("app");
        let project = scope["project"]["name"].as_str().unwrap_or_default();
        let trust = scope["OS-TRUST:trust"]["id"].as_str();
        self.logins.push(format!("{} {name} {project}{}", head.uri, trust.unwrap_or_default()));
        let password = identity["password"]["user"]["password"].as_str();
        let secret = identity["application_credential"]["secret"].as_str();
        if password.or(secret) != Some(&format!("password of {name}")) {
            let error = json!({"error": {"code": 401, "title": "Unauthorized", "message": "No."}});
            return Answer::new(401).body(error.to_string());
        }
        let (owner, token) = match trust {
            Some(trust) => ("demo", format!("token-of-demo-by-{trust}")),
            None => (name, format!("token-of-{name}")),
        };
        let mut document = document(owner, Some(&format!("http://swift:8080/v1/AUTH_{owner}")));
        if let Some(trust) = trust {
            document["token"]["OS-TRUST:trust"] = json!({"id": trust, "impersonation": true,
                "trustor_user": {"id": "demo-id"}, "trustee_user": {"id": "glance-id"}});
        }
        Answer::new(201).header("x-subject-token", token).body(document.to_string())
    }
}

/// The user of a request that came to the image service.
pub(crate) fn demo() -> TenantContext {
    let endpoint = |region: &str, url: &str| Endpoint {
        interface: Interface::Public,
        region: Some(region.into()),
        url: url.into(),
    };
    let catalogue = Catalogue {
        services: vec![CatalogueService {
            service_type: "object-store".into(),
            name: None,
            endpoints: vec![
                endpoint("one", "http://swift:8080/v1/AUTH_demo"),
                endpoint("two", "http://two:8080/v1/AUTH_demo"),
            ],
        }],
    };
    TenantContext {
        token: Secret::new("token-of-demo"),
        user_id: Some("demo-id".into()),
        project_id: Some("demo-project".into()),
        roles: vec!["member".into()],
        catalogue,
    }
}

fn owner(token: &str) -> &str {
    token.strip_prefix("token-of-").unwrap()
}

fn document(user: &str, storage: Option<&str>) -> Value {
    let domain = json!({"id": "default", "name": "Default"});
    let mut token = json!({
        "methods": ["password"],
        "user": {"id": format!("{user}-id"), "name": user, "domain": domain},
        "project": {"id": format!("{user}-project"), "name": user, "domain": domain},
        "roles": [{"id": "r1", "name": "member"}],
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2015-08-30T12:36:00.000000Z",
    });
    if let Some(url) = storage {
        token["catalog"] = json!([{"type": "object-store", "name": "swift", "endpoints": [
            {"interface": "public", "region": "one", "region_id": "one", "url": url}
        ]}]);
    }
    json!({ "token": token })
}
