//! Access control of Swift. It decides when the head has arrived, and never again.

use std::time::Duration;

use super::operation::{Call, OpenStackOperation, Target};
use super::people::OPERATOR;
use super::reply::{self, Refusal};
use super::tokens::Token;
use super::{Answer, OpenStackModel, Reply};

/// The sender of a request to Swift.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// Without a token, or with an invalid one.
    Nobody,
    /// With a valid token.
    Known(Token),
    /// With a verified temporary URL.
    TempUrl,
}

impl OpenStackModel {
    /// Returns the sender of this request.
    pub(super) fn identify(&mut self, call: &Call<'_>) -> Result<Caller, Refusal> {
        if call.query("temp_url_sig").is_some() || call.query("temp_url_expires").is_some() {
            self.verify_temp_url(call)?;
            return Ok(Caller::TempUrl);
        }
        let Some(id) = call.header("x-auth-token").or(call.header("x-storage-token")) else {
            return Ok(Caller::Nobody);
        };
        let service = call.header("x-service-token").and_then(|id| self.valid(id));
        let vouched = service.is_some_and(|service| service.roles.contains(&"service"));
        let token = if vouched { self.valid_lately(id) } else { self.valid(id) };
        let Some(token) = token.cloned() else { return Ok(Caller::Nobody) };
        let left = Duration::from_secs(token.expires_at).saturating_sub(self.now);
        self.least_left = self.least_left.min(left);
        Ok(Caller::Known(token))
    }

    /// Checks the caller's permission, as Swift's Keystone middleware does.
    pub(super) fn authorize(
        &self,
        caller: &Caller,
        operation: OpenStackOperation,
        target: &Target,
    ) -> Result<(), Refusal> {
        let token = match caller {
            Caller::TempUrl => return Ok(()),
            Caller::Known(token) => Some(token),
            Caller::Nobody => None,
        };
        let reads = operation.reads();
        let reader =
            |token: &Token| reads && token.is_of(target) && token.roles.contains(&"reader");
        if caller.owns(target) || token.is_some_and(reader) {
            return Ok(());
        }
        let list = if reads { "X-Container-Read" } else { "X-Container-Write" };
        let list = self.container(target).and_then(|container| container.header(list));
        // A list for writing is valid for objects only.
        let listed = reads || !target.object.is_empty();
        if listed && list.is_some_and(|list| admits(list, token, operation, target)) {
            return Ok(());
        }
        match token {
            Some(_) => Err(reply::page(403).into()),
            None => Err(self.unauthenticated(&target.account)),
        }
    }

    /// Returns Swift's 401, which names its own realm and Keystone.
    pub(super) fn unauthenticated(&self, account: &str) -> Refusal {
        reply::page(401)
            .header("Www-Authenticate", format!("Swift realm=\"{account}\""))
            .header("WWW-Authenticate", format!("Keystone uri=\"{}\"", self.identity_url))
            .into()
    }

    /// Checks what can be checked before any of the body is read.
    pub(super) fn admit(&self, call: &Call<'_>, caller: &Caller) -> Answer {
        use OpenStackOperation as Is;
        let read_on = || Ok(Reply::new(100));
        let Some(target) = call.target() else { return read_on() };
        match call.operation {
            // These check each of their objects, after the body was read.
            Is::PutSlo | Is::DeleteSlo | Is::BulkDelete => return read_on(),
            Is::Other => {}
            operation => self.authorize(caller, operation, target)?,
        }
        if matches!(call.operation, Is::PutObject | Is::PutDlo | Is::CopyObject) {
            self.admit_put(call, target)?;
        }
        read_on()
    }
}

impl Caller {
    /// Whether the caller owns the account.
    pub(super) fn owns(&self, target: &Target) -> bool {
        let Self::Known(token) = self else { return false };
        let operates = token.roles.iter().any(|role| [OPERATOR, "admin"].contains(role));
        token.roles.contains(&"ResellerAdmin") || operates && token.is_of(target)
    }
}

impl Token {
    /// Whether the token is scoped to the project of this account.
    fn is_of(&self, target: &Target) -> bool {
        let project = self.project_id.as_ref();
        project.is_some_and(|project| target.account == format!("AUTH_{project}"))
    }
}

impl OpenStackOperation {
    /// Whether the operation changes nothing.
    pub(super) fn reads(self) -> bool {
        matches!(
            self,
            Self::HeadAccount
                | Self::GetAccount
                | Self::HeadContainer
                | Self::GetContainer
                | Self::HeadObject
                | Self::GetObject
                | Self::GetManifest
        )
    }
}

/// Removes what only an owner sees: access control lists, and keys of temporary URLs.
pub(super) fn conceal(mut reply: Reply) -> Reply {
    reply.headers.retain(|(name, _)| {
        let name = name.to_ascii_lowercase();
        !["x-container-read", "x-container-write"].contains(&&*name)
            && !name.contains("-meta-temp-url-key")
    });
    reply
}

/// Whether an access control list admits the caller.
fn admits(
    list: &str,
    token: Option<&Token>,
    operation: OpenStackOperation,
    target: &Target,
) -> bool {
    let items: Vec<&str> = list.split(',').map(str::trim).collect();
    let public = items.contains(&".r:*");
    if public && operation.reads() && !target.object.is_empty() {
        return true;
    }
    if public && operation.reads() && items.contains(&".rlistings") {
        return true;
    }
    let Some(token) = token else { return false };
    items.iter().any(|item| match item.split_once(':') {
        Some((project, user)) => {
            (project == "*" || token.project_id.as_deref() == Some(project))
                && (user == "*" || token.user_id == user)
        }
        None => token.roles.contains(item),
    })
}
