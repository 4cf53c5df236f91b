//! Legacy authentication: Keystone v2, and v1 as TempAuth and Ceph implement it.
//!
//! A present Keystone responds to both paths with 404, and so does the model by default.

use serde_json::{Value, json};

use super::super::message::Reply;
use super::login::Login;
use super::operation::Call;
use super::reply::{self, Refusal};
use super::tokens::{self, REGION, Token, instant};
use super::{Answer, OpenStackModel, User};

impl OpenStackModel {
    /// Handles `POST /v2.0/tokens` with a name, a password and a tenant.
    pub(super) fn authenticate_v2(&mut self, call: &Call<'_>) -> Answer {
        let document: Value = serde_json::from_slice(&call.request.body).unwrap_or_default();
        let auth = &document["auth"];
        let credentials = &auth["passwordCredentials"];
        let name = credentials["username"].as_str().unwrap_or_default();
        let user = self.people.user_named(name);
        let user = user.filter(|user| credentials["password"] == user.password).cloned();
        let tenant = auth["tenantName"].as_str().and_then(|name| self.people.project_named(name));
        let tenant = tenant.or(auth["tenantId"].as_str().and_then(|id| self.people.project(id)));
        let tenant = tenant.map(|tenant| tenant.id.clone());
        let (token, user) = self.log_in("v2", name, user, tenant)?;
        let project = token.project_id.clone().unwrap_or_default();
        let storage = format!("{}/v1/AUTH_{project}", self.storage_url);
        let name = self.people.project(&project).map(|project| project.name.clone());
        let access = json!({"access": {
            "token": {
                "id": token.id,
                "issued_at": instant(token.issued_at),
                "expires": instant(token.expires_at),
                "tenant": {"id": project, "name": name},
            },
            "user": {
                "id": user.id,
                "username": user.name,
                "name": user.name,
                "roles": tokens::roles(&token.roles),
            },
            "serviceCatalog": [{
                "type": "object-store",
                "name": "swift",
                "endpoints": [{
                    "region": REGION,
                    "publicURL": storage,
                    "internalURL": storage,
                    "adminURL": format!("{}/v1", self.storage_url),
                }],
            }],
        }});
        Ok(reply::document(200, &access))
    }

    /// Handles `GET /auth/v1.0` with a user (`project:name`) and a key.
    pub(super) fn authenticate_v1(&mut self, call: &Call<'_>) -> Answer {
        let header = |one, other| call.header(one).or(call.header(other)).unwrap_or_default();
        let who = header("x-auth-user", "x-storage-user").to_owned();
        let key = header("x-auth-key", "x-storage-pass").to_owned();
        let (project, name) = who.split_once(':').unwrap_or(("", &who));
        let project = self.people.project_named(project).map(|project| project.id.clone());
        let user = self.people.user_named(name).filter(|user| key == user.password).cloned();
        let (token, _) = self.log_in("v1", &who, user, project)?;
        let project = token.project_id.as_deref().unwrap_or_default();
        let life = token.expires_at.saturating_sub(self.now.as_secs());
        Ok(Reply::new(200)
            .header("Content-Type", "text/html; charset=UTF-8")
            .header("X-Storage-Url", format!("{}/v1/AUTH_{project}", self.storage_url))
            .header("X-Auth-Token", &token.id)
            .header("X-Storage-Token", &token.id)
            .header("X-Auth-Token-Expires", life.to_string()))
    }

    fn log_in(
        &mut self,
        method: &str,
        who: &str,
        user: Option<User>,
        project: Option<String>,
    ) -> Result<(Token, User), Refusal> {
        let roles =
            |user: &User| self.people.roles(&user.id, project.as_deref().unwrap_or_default());
        let known = user.map(|user| (roles(&user), user)).filter(|(roles, _)| !roles.is_empty());
        let mut login = Login {
            at: self.now.as_secs(),
            method: method.to_owned(),
            who: who.to_owned(),
            trust: None,
            outcome: Err(401),
        };
        let Some((roles, user)) = known else {
            self.logins.push(login);
            return Err(match method {
                "v1" => {
                    reply::page(401).header("Www-Authenticate", "Swift realm=\"unknown\"").into()
                }
                _ => self.unauthorized(),
            });
        };
        let mut token = Token::draft(&user.id, &["password"]);
        (token.project_id, token.roles) = (project, roles);
        let token = self.issue(token, None).clone();
        login.outcome = Ok(token.id.clone());
        self.logins.push(login);
        Ok((token, user))
    }
}
