//! Requests for tokens: `POST /v3/auth/tokens`, with a method and a scope.
//!
//! ```text
//!   method ─ password | token | application_credential ─▶ user
//!   scope  ─ none: the default project · unscoped · project · trust ─▶ Token
//! ```

use serde_json::{Value, json};

use super::operation::Call;
use super::reply::{self, Refusal};
use super::tokens::Token;
use super::{Answer, OpenStackModel};

/// An attempted authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// When, in seconds since 1970.
    pub at: u64,
    /// `password`, `token`, `application_credential`; `v2`, `v1`.
    pub method: String,
    /// The name or id of the user or of the application credential; for a token, its user's id.
    pub who: String,
    /// The requested trust.
    pub trust: Option<String>,
    /// The issued token, or the status of the refusal.
    pub outcome: Result<String, u16>,
}

/// The authenticated user, and the limits of the token.
struct Known {
    token: Token,
    /// The expiry of the token that it is made from.
    until: Option<u64>,
}

impl OpenStackModel {
    /// Handles Authenticate.
    pub(super) fn authenticate(&mut self, call: &Call<'_>) -> Answer {
        let document: Value = serde_json::from_slice(&call.request.body)
            .map_err(|_| reply::malformed("Expecting to find valid JSON in request body."))?;
        let auth = &document["auth"];
        if !auth.is_object() {
            return Err(reply::malformed("Expecting to find auth in request body.").into());
        }
        let method = auth["identity"]["methods"][0].as_str().unwrap_or_default().to_owned();
        let trust = auth["scope"]["OS-TRUST:trust"]["id"].as_str().map(str::to_owned);
        // A second factor is not supported, as in a Keystone that is not configured for it.
        let methods = auth["identity"]["methods"].as_array().map(Vec::as_slice).unwrap_or_default();
        let second = methods.get(1).and_then(|method| method.as_str());
        let outcome = self
            .recognise(second.unwrap_or(&method), &auth["identity"])
            .and_then(|known| self.scope(known, &auth["scope"]));
        let who = self.named_in(&method, &auth["identity"]);
        let mut login =
            Login { at: self.now.as_secs(), method, who, trust, outcome: Ok(String::new()) };
        let answer = match outcome {
            Ok(known) => {
                let catalog = call.query("nocatalog").is_none();
                let token = self.issue(known.token, known.until).clone();
                login.outcome = Ok(token.id.clone());
                Ok(self.shown(&token, 201, catalog))
            }
            Err(refusal) => {
                let reply = refusal.into_reply();
                login.outcome = Err(reply.status);
                Err(reply.into())
            }
        };
        self.logins.push(login);
        answer
    }

    fn recognise(&self, method: &str, identity: &Value) -> Result<Known, Refusal> {
        match method {
            "password" => self.by_password(&identity["password"]["user"]),
            "token" => self.by_token(&identity["token"]),
            "application_credential" => self.by_credential(&identity["application_credential"]),
            "" => Err(self.unauthorized()),
            _ => Err(self.unsupported()),
        }
    }

    fn by_password(&self, user: &Value) -> Result<Known, Refusal> {
        let known = self.user_of(user)?;
        if user["password"] != known.password {
            return Err(self.unauthorized());
        }
        Ok(Known { token: Token::draft(&known.id, &["password"]), until: None })
    }

    fn by_token(&self, token: &Value) -> Result<Known, Refusal> {
        let id = token["id"].as_str().unwrap_or_default();
        if !self.tokens.contains_key(id) {
            return Err(reply::error(404, "Could not recognize Fernet token").into());
        }
        let dead = || reply::error(404, "Failed to validate token");
        let known = self.valid(id).ok_or_else(dead)?;
        if known.trust.is_some() {
            let action = "Using trust-scoped token to create another token. Create a new \
                          trust-scoped token instead";
            return Err(reply::forbidden(action).into());
        }
        let mut token = Token::draft(&known.user_id, &["token"]);
        token.credential.clone_from(&known.credential);
        for method in known.methods.iter().filter(|method| *method != "token") {
            token.methods.insert(0, method.clone());
        }
        Ok(Known { token, until: Some(known.expires_at) })
    }

    fn by_credential(&self, wanted: &Value) -> Result<Known, Refusal> {
        let id = wanted["id"].as_str();
        let owner = match id {
            Some(_) => None,
            None => Some(self.user_of(&wanted["user"])?.id.clone()),
        };
        let known = self.people.credentials().iter().find(|known| match &owner {
            None => id == Some(&*known.id),
            Some(owner) => known.user_id == *owner && wanted["name"] == known.name,
        });
        let known = known.filter(|known| wanted["secret"] == known.secret);
        let known = known.ok_or_else(|| self.unauthorized())?;
        let mut token = Token::draft(&known.user_id, &["application_credential"]);
        token.credential = Some(known.id.clone());
        Ok(Known { token, until: None })
    }

    fn user_of(&self, user: &Value) -> Result<&super::User, Refusal> {
        if let Some(id) = user["id"].as_str() {
            return self.people.user(id).ok_or_else(|| self.unauthorized());
        }
        let Some(name) = user["name"].as_str() else {
            return Err(reply::malformed("Expecting to find id or name in user.").into());
        };
        if !user["domain"].is_object() {
            return Err(reply::malformed("Expecting to find domain in user.").into());
        }
        let known = self.people.user_named(name).filter(|_| is_default(&user["domain"]));
        known.ok_or_else(|| self.unauthorized())
    }

    fn scope(&mut self, known: Known, scope: &Value) -> Result<Known, Refusal> {
        if let Some(credential) = &known.token.credential {
            if !scope.is_null() {
                let text = "Error authenticating with application credential: Application \
                            credentials cannot request a scope.";
                return Err(self.unauthorized_because(text, &json!({})));
            }
            let credential = self.people.credentials().iter().find(|known| known.id == *credential);
            let credential = credential.ok_or_else(|| self.unauthorized())?;
            let (project, roles) = (credential.project_id.clone(), credential.roles.clone());
            return Ok(known.scoped(&project, roles));
        }
        if scope == "unscoped" {
            return Ok(known);
        }
        if scope.is_null() {
            let user = self.people.user(&known.token.user_id);
            let project = user.and_then(|user| self.people.project_named(&user.project));
            let project = project.map(|project| project.id.clone());
            return match project {
                Some(project) => self.in_project(known, &project),
                None => Ok(known),
            };
        }
        if scope["OS-TRUST:trust"].is_object() {
            return self.by_trust(known, scope["OS-TRUST:trust"]["id"].as_str());
        }
        let project = &scope["project"];
        let found = match (project["id"].as_str(), project["name"].as_str()) {
            (Some(id), _) => self.people.project(id),
            (None, Some(name)) => {
                self.people.project_named(name).filter(|_| is_default(&project["domain"]))
            }
            (None, None) => None,
        };
        let id = found.map(|project| project.id.clone()).ok_or_else(|| self.unauthorized())?;
        self.in_project(known, &id)
    }

    fn in_project(&self, known: Known, project_id: &str) -> Result<Known, Refusal> {
        let roles = self.people.roles(&known.token.user_id, project_id);
        if roles.is_empty() {
            return Err(self.unauthorized());
        }
        Ok(known.scoped(project_id, roles))
    }

    fn by_trust(&mut self, mut known: Known, id: Option<&str>) -> Result<Known, Refusal> {
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Err(reply::malformed("Expecting to find trust_id in trust.").into());
        };
        let trust = self.trust(id).cloned().ok_or_else(|| self.unauthorized())?;
        if trust.trustee_user_id != known.token.user_id {
            return Err(reply::forbidden("").into());
        }
        let project = trust.project_id.clone().ok_or_else(|| self.unauthorized())?;
        // Roles that the trustor has lost meanwhile are not delegated any more.
        let granted = self.people.roles(&trust.trustor_user_id, &project);
        if trust.roles.iter().any(|role| !granted.contains(role)) {
            return Err(reply::forbidden("").into());
        }
        self.consume(id);
        if trust.impersonation {
            known.token.user_id.clone_from(&trust.trustor_user_id);
        }
        known.token.trust = Some(trust.id);
        known.until = [known.until, trust.expires_at].into_iter().flatten().min();
        Ok(known.scoped(&project, trust.roles))
    }

    /// Returns the name in an authentication.
    fn named_in(&self, method: &str, identity: &Value) -> String {
        let of = |value: &Value| {
            let text = value["id"].as_str().or(value["name"].as_str());
            text.unwrap_or_default().to_owned()
        };
        match method {
            "token" => {
                let id = identity["token"]["id"].as_str().unwrap_or_default();
                self.tokens.get(id).map(|token| token.user_id.clone()).unwrap_or_default()
            }
            "application_credential" => of(&identity["application_credential"]),
            method => of(&identity[method]["user"]),
        }
    }

    pub(super) fn unauthorized(&self) -> Refusal {
        reply::unauthorized(&self.auth_url()).into()
    }

    fn unsupported(&self) -> Refusal {
        let methods = json!({"methods": ["password", "token", "application_credential"]});
        self.unauthorized_because("Attempted to authenticate with an unsupported method.", &methods)
    }

    fn unauthorized_because(&self, message: &str, identity: &Value) -> Refusal {
        let error = json!({
            "code": 401, "identity": identity, "message": message, "title": "Unauthorized",
        });
        let challenge = format!("Keystone uri=\"{}\"", self.auth_url());
        reply::document(401, &json!({"error": error})).header("WWW-Authenticate", challenge).into()
    }
}

impl Known {
    fn scoped(mut self, project_id: &str, roles: Vec<&'static str>) -> Self {
        self.token.project_id = Some(project_id.to_owned());
        self.token.roles = roles;
        self
    }
}

fn is_default(domain: &Value) -> bool {
    domain["id"] == "default" || domain["name"] == "Default"
}
