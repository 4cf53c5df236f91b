//! The servers under test, and their users.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apus_conformance::server::{EmbeddedOpenStack, OpenStackModel};
use serde_json::{Value, json};

use super::raw::{Answer, exchange};

/// Two servers, and a container that is a test's own.
pub(crate) struct Stage {
    variables: BTreeMap<String, String>,
    /// The name of an existing container, which is removed when the test ends.
    pub(crate) container: String,
    token: String,
    _embedded: Option<EmbeddedOpenStack>,
}

impl Stage {
    /// With a container named after the test.
    pub(crate) fn set(test: &str) -> Self {
        let live = env::var_os("APUS_LIVE_OPENSTACK").is_some();
        let embedded = (!live).then(|| EmbeddedOpenStack::start(OpenStackModel::new()).unwrap());
        let variables = match &embedded {
            None => env::vars().collect(),
            Some(server) => server.environment(),
        };
        let container = format!("facts-{test}-{}", std::process::id());
        let token = String::new();
        let mut stage = Self { variables, container, token, _embedded: embedded };
        stage.token = stage.login(&stage.password("demo", "demo"));
        let url = stage.url("");
        exchange("PUT", &url, &[("X-Auth-Token", &stage.token)], Some(b"")).is(201);
        stage
    }

    /// A variable of the environment, by the end of its name.
    #[track_caller]
    pub(crate) fn var(&self, name: &str) -> &str {
        let name = format!("APUS_LIVE_OPENSTACK{name}");
        self.variables.get(&name).unwrap_or_else(|| panic!("{name} is not set"))
    }

    /// A token of `demo`.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Returns the target of a request to Keystone.
    pub(crate) fn keystone(&self, path: &str) -> String {
        format!("{}{path}", self.var(""))
    }

    /// Returns the target of a request to `demo`'s account.
    pub(crate) fn account(&self, path: &str) -> String {
        format!("{}{path}", self.var("_STORAGE_URL"))
    }

    /// Returns the target of a request to the test's container.
    pub(crate) fn url(&self, path: &str) -> String {
        self.account(&format!("/{}{path}", self.container))
    }

    /// The name and password of one of the people.
    pub(crate) fn credentials(&self, who: &str) -> (&str, &str) {
        let (user, password) = match who {
            "demo" => ("_USER", "_PASSWORD"),
            "glance" => ("_SERVICE_USER", "_SERVICE_PASSWORD"),
            "alt" => ("_OTHER_USER", "_OTHER_PASSWORD"),
            "reader" => ("_READER_USER", "_READER_PASSWORD"),
            _ => ("_ADMIN_USER", "_ADMIN_PASSWORD"),
        };
        (self.var(user), self.var(password))
    }

    /// A login by password, into a project.
    pub(crate) fn password(&self, who: &str, project: &str) -> Value {
        let scope = json!({"project": {"name": project, "domain": {"name": "Default"}}});
        self.password_for(who, scope)
    }

    /// A login by password, with a scope; null for none.
    pub(crate) fn password_for(&self, who: &str, scope: Value) -> Value {
        let (name, password) = self.credentials(who);
        let user = json!({"name": name, "domain": {"name": "Default"}, "password": password});
        let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
        if !scope.is_null() {
            auth["scope"] = scope;
        }
        json!({"auth": auth})
    }

    /// A login by trust.
    pub(crate) fn by_trust(&self, who: &str, trust: &str) -> Value {
        self.password_for(who, json!({"OS-TRUST:trust": {"id": trust}}))
    }

    /// Asks Keystone for a token.
    pub(crate) fn authenticate(&self, document: &Value) -> Answer {
        self.ask("POST", "/auth/tokens", &[], document)
    }

    /// The token of a login that must succeed.
    #[track_caller]
    pub(crate) fn login(&self, document: &Value) -> String {
        let answer = self.authenticate(document).is(201);
        answer.header("x-subject-token").unwrap().to_owned()
    }

    /// A request with a JSON document to Keystone.
    #[track_caller]
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        exchange(method, &self.keystone(path), &all, Some(body.to_string().as_bytes()))
    }

    /// A request without a body to Keystone.
    #[track_caller]
    pub(crate) fn ask_bare(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        exchange(method, &self.keystone(path), headers, None)
    }

    /// A request of `demo` to its container.
    #[track_caller]
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.call_as(&self.token, method, path, headers, body)
    }

    /// A request with a token to the test's container.
    #[track_caller]
    pub(crate) fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut all = vec![("X-Auth-Token", token)];
        all.extend_from_slice(headers);
        let sends = matches!(method, "PUT" | "POST");
        exchange(method, &self.url(path), &all, sends.then_some(body.as_bytes()))
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &str) -> Answer {
        self.call("PUT", path, &[], body)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "")
    }

    /// A trust of `demo` for `glance` with these members besides; its id.
    #[track_caller]
    pub(crate) fn trust(&self, members: Value) -> String {
        let answer = self.create_trust(self.token(), members).is(201);
        answer.json()["trust"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn create_trust(&self, token: &str, members: Value) -> Answer {
        let mut trust = json!({
            "trustor_user_id": self.var("_USER_ID"),
            "trustee_user_id": self.var("_SERVICE_USER_ID"),
            "project_id": self.var("_PROJECT_ID"),
            "impersonation": true,
            "roles": [{"name": self.var("_ROLE")}],
        });
        for (name, value) in members.as_object().unwrap() {
            trust[name] = value.clone();
        }
        let path = "/OS-TRUST/trusts";
        self.ask("POST", path, &[("X-Auth-Token", token)], &json!({"trust": trust}))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self._embedded.is_some() || std::thread::panicking() {
            return;
        }
        let names = self.get("").text();
        for name in names.lines() {
            self.call("DELETE", &format!("/{}", escape(name)), &[], "");
        }
        self.call("DELETE", "", &[], "");
    }
}

/// So many seconds from now, as Keystone reads instants.
pub(crate) fn instant(ahead: u64) -> String {
    use time::format_description::well_known::Rfc3339;

    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(ahead);
    let at = time::OffsetDateTime::from_unix_timestamp(at.as_secs() as i64).unwrap();
    at.format(&Rfc3339).unwrap().replace('Z', ".000000Z")
}

/// Every byte that is no letter or digit, escaped.
pub(crate) fn escape(name: &str) -> String {
    let spell = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(spell).collect()
}
