//! Trusts: one user delegates roles in a project to another.

use serde_json::{Value, json};

use super::super::dates::parse_iso_date;
use super::super::digest::md5_hex;
use super::super::message::Reply;
use super::operation::{Call, Place};
use super::people::{role, role_id};
use super::reply::{self, Refusal};
use super::tokens::{Token, instant};
use super::{Answer, OpenStackModel};

/// A trust that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The user who delegates.
    pub trustor_user_id: String,
    /// The user who gets the roles.
    pub trustee_user_id: String,
    /// The project of the roles.
    pub project_id: Option<String>,
    /// The names of the delegated roles.
    pub roles: Vec<&'static str>,
    /// Whether its tokens are the trustor's.
    pub impersonation: bool,
    /// Seconds since 1970.
    pub expires_at: Option<u64>,
    /// How many tokens can still be issued by it.
    pub remaining_uses: Option<u64>,
    deleted: bool,
    /// The expiry as it was requested, which distinguishes two otherwise equal trusts.
    expiry: Option<String>,
}

impl Trust {
    /// Whether it was deleted; a trust that is used up is not.
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted
    }
}

impl OpenStackModel {
    /// Returns the trust of this id, unless it is deleted, used up or expired.
    pub(super) fn trust(&self, id: &str) -> Option<&Trust> {
        self.trusts.get(id).filter(|trust| {
            let expired = trust.expires_at.is_some_and(|end| self.now.as_secs() >= end);
            !trust.deleted && trust.remaining_uses != Some(0) && !expired
        })
    }

    /// Handles CreateTrust.
    pub(super) fn create_trust(&mut self, call: &Call<'_>) -> Answer {
        let caller = self.caller(call)?.clone();
        if caller.credential.is_some() {
            return Err(reply::forbidden("Delegated tokens cannot manage trusts.").into());
        }
        let wanted = wanted(call)?;
        let text = |name: &str| wanted[name].as_str().unwrap_or_default().to_owned();
        let trustor = text("trustor_user_id");
        if trustor != caller.user_id {
            return Err(reply::forbidden("identity:create_trust").into());
        }
        if caller.trust.is_some() {
            return Err(reply::forbidden("").into());
        }
        let project_id = wanted["project_id"].as_str().map(str::to_owned);
        let trust = Trust {
            id: String::new(),
            trustee_user_id: text("trustee_user_id"),
            roles: self.lent(&caller, project_id.as_deref(), &wanted["roles"])?,
            project_id,
            impersonation: wanted["impersonation"].as_bool().unwrap_or_default(),
            expires_at: self.expiry(&wanted["expires_at"])?,
            remaining_uses: uses(&wanted["remaining_uses"])?,
            deleted: false,
            expiry: wanted["expires_at"].as_str().map(str::to_owned),
            trustor_user_id: trustor,
        };
        if self.people.user(&trust.trustee_user_id).is_none() {
            let message = format!("Could not find user: {}.", trust.trustee_user_id);
            return Err(reply::error(404, message).into());
        }
        let shown = self.store_trust(trust)?;
        Ok(reply::document(201, &shown))
    }

    /// Handles ShowTrust, for the trustor and the trustee.
    pub(super) fn show_trust(&self, call: &Call<'_>) -> Answer {
        let caller = self.caller(call)?;
        let trust = self.named(call)?;
        if caller.user_id != trust.trustor_user_id && caller.user_id != trust.trustee_user_id {
            return Err(reply::forbidden("identity:get_trust").into());
        }
        Ok(reply::document(200, &self.trust_document(trust)))
    }

    /// Handles ListTrusts: the trusts of a trustor or a trustee.
    pub(super) fn list_trusts(&self, call: &Call<'_>) -> Answer {
        let caller = self.caller(call)?;
        let (trustor, trustee) = (call.query("trustor_user_id"), call.query("trustee_user_id"));
        let action = match (trustor, trustee) {
            (Some(user), _) if user != caller.user_id => Some("identity:list_trusts_for_trustor"),
            (_, Some(user)) if user != caller.user_id => Some("identity:list_trusts_for_trustee"),
            (None, None) => Some("identity:list_trusts"),
            _ => None,
        };
        if let Some(action) = action.filter(|_| !caller.roles.contains(&"admin")) {
            return Err(reply::forbidden(action).into());
        }
        let is = |wanted: Option<&str>, known: &str| wanted.is_none_or(|wanted| wanted == known);
        let trusts = self.trusts.values().filter(|trust| {
            self.trust(&trust.id).is_some()
                && is(trustor, &trust.trustor_user_id)
                && is(trustee, &trust.trustee_user_id)
        });
        let trusts: Vec<Value> = trusts
            .map(|trust| {
                let mut document = self.trust_document(trust)["trust"].take();
                if let Some(members) = document.as_object_mut() {
                    members.retain(|name, _| name != "roles" && name != "roles_links");
                }
                document
            })
            .collect();
        let url = format!("{}{}", self.identity_url, call.request.target);
        let links = json!({"next": null, "self": url, "previous": null});
        Ok(reply::document(200, &json!({"trusts": trusts, "links": links})))
    }

    /// Handles DeleteTrust, for the trustor and for a token that was issued by the trust.
    pub(super) fn delete_trust(&mut self, call: &Call<'_>) -> Answer {
        let caller = self.caller(call)?;
        let trust = self.named(call)?;
        if caller.credential.is_some() {
            return Err(reply::forbidden("Delegated tokens cannot manage trusts.").into());
        }
        if caller.user_id != trust.trustor_user_id {
            return Err(reply::forbidden("identity:delete_trust").into());
        }
        let id = trust.id.clone();
        if let Some(trust) = self.trusts.get_mut(&id) {
            trust.deleted = true;
        }
        Ok(Reply::new(204))
    }

    /// Counts one use of a trust.
    pub(super) fn consume(&mut self, id: &str) {
        if let Some(uses) = self.trusts.get_mut(id).and_then(|trust| trust.remaining_uses.as_mut())
        {
            *uses = uses.saturating_sub(1);
        }
    }

    /// Returns the trust that the path names.
    fn named(&self, call: &Call<'_>) -> Result<&Trust, Refusal> {
        let id = match &call.place {
            Place::Identity(path) => path.last().map_or("", String::as_str),
            _ => "",
        };
        let none = || reply::error(404, format!("Could not find trust: {id}."));
        self.trust(id).ok_or_else(|| none().into())
    }

    /// Returns the delegated roles: no more than the trustor has.
    fn lent(
        &self,
        caller: &Token,
        project: Option<&str>,
        wanted: &Value,
    ) -> Result<Vec<&'static str>, Refusal> {
        let Some(project) = project else { return Ok(Vec::new()) };
        let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
        if wanted.is_empty() {
            return Err(reply::forbidden("At least one role should be specified").into());
        }
        let granted = self.people.roles(&caller.user_id, project);
        let mut roles = Vec::new();
        for entry in wanted {
            let (name, id) = (entry["name"].as_str(), entry["id"].as_str());
            let Some(role) = role(name, id) else {
                let message = match (name, id) {
                    (Some(name), _) => format!("Role {name} is not defined"),
                    (None, id) => format!("Could not find role: {}.", id.unwrap_or_default()),
                };
                return Err(reply::error(404, message).into());
            };
            if !granted.contains(&role) {
                let message = format!("Could not find role: {}.", role_id(role));
                return Err(reply::error(404, message).into());
            }
            roles.push(role);
        }
        Ok(roles)
    }

    fn expiry(&self, wanted: &Value) -> Result<Option<u64>, Refusal> {
        let Some(text) = wanted.as_str() else { return Ok(None) };
        let expires =
            parse_iso_date(text).ok_or_else(|| reply::malformed("Unable to parse timestamp."))?;
        if expires <= self.now.as_secs() {
            return Err(reply::malformed("The 'expires_at' must not be before now.").into());
        }
        Ok(Some(expires))
    }

    /// Stores a trust. A second one between the same users with the same expiry is a conflict, even
    /// when the first was deleted or used up.
    fn store_trust(&mut self, mut trust: Trust) -> Result<Value, Refusal> {
        let alike = |known: &&Trust| {
            trust.expiry.is_some()
                && known.expiry == trust.expiry
                && known.trustor_user_id == trust.trustor_user_id
                && known.trustee_user_id == trust.trustee_user_id
                && known.project_id == trust.project_id
                && known.impersonation == trust.impersonation
        };
        let number = self.trusts.len();
        trust.id = md5_hex(format!("trust {number}").as_bytes());
        if self.trusts.values().find(alike).is_some() {
            let message = format!(
                "Conflict occurred attempting to store trust - Duplicate entry found with ID {}.",
                trust.id
            );
            return Err(reply::error(409, message).into());
        }
        let document = self.trust_document(&trust);
        self.trusts.insert(trust.id.clone(), trust);
        Ok(document)
    }

    fn trust_document(&self, trust: &Trust) -> Value {
        let url = self.auth_url();
        let roles: Vec<Value> = trust
            .roles
            .iter()
            .map(|name| {
                let id = role_id(name);
                let link = format!("{url}/roles/{id}");
                json!({
                    "id": id, "name": name, "domain_id": null, "description": null,
                    "options": {}, "links": {"self": link},
                })
            })
            .collect();
        let own = format!("{url}/{}/roles", trust.id);
        json!({"trust": {
            "roles": roles,
            "id": trust.id,
            "trustor_user_id": trust.trustor_user_id,
            "trustee_user_id": trust.trustee_user_id,
            "project_id": trust.project_id,
            "impersonation": trust.impersonation,
            "expires_at": trust.expires_at.map(instant),
            "remaining_uses": trust.remaining_uses,
            "deleted_at": null,
            "redelegated_trust_id": null,
            "redelegation_count": 0,
            "roles_links": {"self": own, "next": null, "previous": null},
            "links": {"self": format!("{url}/OS-TRUST/trusts/{}", trust.id)},
        }})
    }
}

fn wanted(call: &Call<'_>) -> Result<Value, Refusal> {
    let mut document: Value = serde_json::from_slice(&call.request.body)
        .map_err(|_| reply::malformed("Expecting to find valid JSON in request body."))?;
    match document.get_mut("trust") {
        Some(trust) if trust.is_object() => Ok(trust.take()),
        _ => Err(reply::malformed("Expecting to find trust in request body.").into()),
    }
}

fn uses(wanted: &Value) -> Result<Option<u64>, Refusal> {
    if wanted.is_null() {
        return Ok(None);
    }
    wanted.as_u64().filter(|uses| *uses > 0).map(Some).ok_or_else(|| {
        let message = format!(
            "Invalid input for field/attribute remaining_uses. Value: {wanted}. {wanted} is less \
             than the minimum of 1"
        );
        reply::error(400, message).into()
    })
}
