//! The model behind two sockets: Keystone's and Swift's.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::message::{Reply, Request};
use super::super::scripted::{Script, Scripted};
use super::super::tls::Identity;
use super::people::OPERATOR;
use super::tokens::REGION;
use super::{Admission, HeadOutcome, OpenStackModel};

/// A running Keystone and a running Swift; dropping it stops both. They use the wall clock.
pub struct EmbeddedOpenStack {
    identity: Scripted,
    storage: Scripted,
    model: Arc<Mutex<OpenStackModel>>,
}

impl EmbeddedOpenStack {
    /// Starts both over http.
    ///
    /// # Errors
    /// A port or a thread is not available.
    pub fn start(model: OpenStackModel) -> io::Result<Self> {
        Self::launch(model, Scripted::start)
    }

    /// Starts both over TLS, with one new certificate.
    ///
    /// # Errors
    /// A port or a thread is not available.
    pub fn start_tls(model: OpenStackModel) -> io::Result<Self> {
        let certificate = Identity::generate();
        Self::launch(model, |script| Scripted::start_with(script, certificate.clone()))
    }

    /// Returns the URL of Keystone's v3, such as `http://127.0.0.1:40123/v3`.
    pub fn auth_url(&self) -> String {
        format!("{}/v3", self.identity.endpoint())
    }

    /// Returns the URL of the account of a user's project.
    pub fn storage_url_of(&self, user: &str) -> String {
        self.model().storage_url_of(user)
    }

    /// Returns the certificate of the CA to trust, in PEM; `None` over http.
    pub fn ca_pem(&self) -> Option<&str> {
        self.identity.ca_pem()
    }

    /// Returns the model, to read or to change it. The servers wait while this guard is held.
    pub fn model(&self) -> MutexGuard<'_, OpenStackModel> {
        at_present(&self.model)
    }

    /// Returns Keystone's server, which has recorded the requests.
    pub fn identity(&self) -> &Scripted {
        &self.identity
    }

    /// Returns Swift's server, which has recorded the requests.
    pub fn storage(&self) -> &Scripted {
        &self.storage
    }

    /// Returns users, passwords and URLs, by the names of `conformance/live/openstack env`.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let model = self.model();
        let credential = model.application_credential();
        let mut variables = vec![
            ("", self.auth_url()),
            ("_STORAGE_URL", model.storage_url_of("demo")),
            ("_REGION", REGION.to_owned()),
            ("_ROLE", OPERATOR.to_owned()),
            ("_USER_ID", model.user("demo").id.clone()),
            ("_PROJECT_ID", model.project_id("demo").to_owned()),
            ("_TEMPURL_KEY", super::TEMP_URL_KEY.to_owned()),
            ("_POLICY", model.limits.policies.first().cloned().unwrap_or_default()),
            ("_APPLICATION_CREDENTIAL_ID", credential.id.clone()),
            ("_APPLICATION_CREDENTIAL", credential.name.clone()),
            ("_APPLICATION_CREDENTIAL_SECRET", credential.secret.clone()),
            ("_OTHER_PROJECT_ID", model.project_id("alt").to_owned()),
            ("_TOKEN_TTL", model.token_life.as_secs().to_string()),
            ("_SERVICE_USER_ID", model.user("glance").id.clone()),
        ];
        let people = [
            ("demo", "_USER", "_PASSWORD", "_PROJECT"),
            ("glance", "_SERVICE_USER", "_SERVICE_PASSWORD", "_SERVICE_PROJECT"),
            ("alt", "_OTHER_USER", "_OTHER_PASSWORD", "_OTHER_PROJECT"),
            ("admin", "_ADMIN_USER", "_ADMIN_PASSWORD", "_ADMIN_PROJECT"),
            ("reader", "_READER_USER", "_READER_PASSWORD", "_READER_PROJECT"),
        ];
        for (name, user, password, project) in people {
            let known = model.user(name);
            variables.push((user, known.name.clone()));
            variables.push((password, known.password.clone()));
            variables.push((project, known.project.clone()));
        }
        let named = variables.into_iter();
        named.map(|(name, value)| (format!("APUS_LIVE_OPENSTACK{name}"), value)).collect()
    }

    fn launch(
        model: OpenStackModel,
        start: impl Fn(Adapter) -> io::Result<Scripted>,
    ) -> io::Result<Self> {
        let model = Arc::new(Mutex::new(model));
        let adapter = || Adapter { model: Arc::clone(&model), admitted: HashMap::new() };
        let (identity, storage) = (start(adapter())?, start(adapter())?);
        lock(&model).set_endpoints(identity.endpoint(), storage.endpoint());
        Ok(Self { identity, storage, model })
    }
}

/// One of the two servers.
struct Adapter {
    model: Arc<Mutex<OpenStackModel>>,
    /// Requests whose body is being read, by connection and number.
    admitted: HashMap<(usize, usize), Admission>,
}

impl Script for Adapter {
    fn head(&mut self, head: &Request) -> Option<Reply> {
        let outcome = at_present(&self.model).head(head);
        match outcome {
            HeadOutcome::Answered(reply) => Some(reply),
            HeadOutcome::Admitted(admission) => {
                self.admitted.insert((head.connection, head.sequence), admission);
                None
            }
        }
    }

    fn reply(&mut self, request: &Request) -> Reply {
        match self.admitted.remove(&(request.connection, request.sequence)) {
            Some(admission) => at_present(&self.model).body(admission, request),
            None => at_present(&self.model).handle(request),
        }
    }

    fn broken(&mut self, request: &Request) -> Option<Reply> {
        Some(self.reply(request))
    }
}

/// Returns the model after setting its time.
fn at_present(model: &Mutex<OpenStackModel>) -> MutexGuard<'_, OpenStackModel> {
    let mut model = lock(model);
    model.set_now(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    model
}

// A test that panics while it holds the model fails by itself; the servers continue.
fn lock(model: &Mutex<OpenStackModel>) -> MutexGuard<'_, OpenStackModel> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}
