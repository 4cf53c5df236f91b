//! The parameters of a trust, and what a transfer under it returns.

use std::time::Duration;

use crate::error::Error;
use crate::keystone::{CreateTrust, TokenFacts, Trust, TrustSlot};
use crate::now::Timestamp;

/// The parameters of a trust: who trusts whom, with which roles, for how long.
#[derive(Clone, Debug)]
pub struct Delegation {
    /// The slot in the scope of the session that obtains tokens with the trust.
    pub slot: TrustSlot,
    /// The position of the user's authenticator in the pump's list.
    pub user: usize,
    /// The position of the service user's authenticator.
    pub trustee: usize,
    /// The position of the authenticator that obtains its tokens with the trust in the slot.
    pub trust: usize,
    /// The service user's id. `None` reads it from the service user's token.
    pub trustee_user_id: Option<String>,
    /// The names of the user's roles to delegate; empty for all roles.
    pub roles: Vec<String>,
    /// The lifetime of the trust, to which up to an hour is added; it must be long enough for the
    /// transfer. `None` creates a trust that lives until it is revoked.
    pub lifetime: Option<Duration>,
    /// How many tokens can be obtained with the trust. Each renewal takes one. `None` sets no
    /// limit.
    pub remaining_uses: Option<u32>,
}

impl Delegation {
    /// Creates the default parameters: authenticator 0 is the user's, 1 the service user's, 2 the
    /// one with the trust in `slot`; all roles, for a day.
    pub fn new(slot: TrustSlot) -> Self {
        Self {
            slot,
            user: 0,
            trustee: 1,
            trust: 2,
            trustee_user_id: None,
            roles: Vec::new(),
            lifetime: Some(Duration::from_secs(86_400)),
            remaining_uses: None,
        }
    }

    /// Returns the operation that creates the trust.
    pub(super) fn create(
        &self,
        user: &TokenFacts,
        trustee_user_id: String,
        date: Timestamp,
        random: u64,
    ) -> Result<CreateTrust, Error> {
        let refused = |what: &'static str| Err(Error::auth(what).in_operation("CreateTrust"));
        let Some(trustor) = &user.user else {
            return refused("the user's token names no user");
        };
        let Some(project) = &user.project else {
            return refused("the user's token has no project scope, so no roles can be delegated");
        };
        if user.trust.is_some() {
            return refused(
                "the user's token was obtained by a trust, which can't be delegated again",
            );
        }
        let mut roles = user.roles.clone();
        if !self.roles.is_empty() {
            roles.retain(|role| self.roles.contains(&role.name));
            if roles.len() < self.roles.len() {
                return refused("the user does not have all the roles to delegate");
            }
        }
        let expires_at = self.lifetime.map(|lifetime| {
            // Trusts that expire in the same second are indistinguishable in a list.
            let spread = i64::try_from(random % SPREAD).unwrap_or_default();
            let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_unix(date.unix().saturating_add(lifetime).saturating_add(spread))
        });
        Ok(CreateTrust {
            trustor_user_id: trustor.id.clone(),
            trustee_user_id,
            project_id: project.id.clone(),
            roles,
            impersonation: true,
            expires_at,
            microseconds: 0,
            remaining_uses: self.remaining_uses,
        })
    }
}

/// The result of a transfer, and the token that it used.
#[derive(Clone, Debug)]
pub struct TrustOutcome<T> {
    /// The result of the transfer.
    pub output: T,
    /// The kind of token that it used.
    pub trust: TrustUse,
}

/// The kind of token that a transfer used.
#[derive(Clone, Debug)]
pub enum TrustUse {
    /// A token obtained with a trust, which has been revoked.
    ByTrust {
        /// The trust's id.
        id: String,
        /// Why the trust could not be revoked; it is left behind until it expires.
        leftover: Option<Error>,
    },
    /// The user's own token: a trust could not be created or used.
    OwnToken {
        /// Why not.
        why: Error,
    },
    /// The user's own token, because no trust was requested, or because nothing in the transfer was
    /// long.
    NotNeeded,
}

/// Returns whether a trust may be the requested one. Lists do not contain the roles.
pub(super) fn is_like(trust: &Trust, create: &CreateTrust) -> bool {
    trust.trustee_user_id == create.trustee_user_id
        && trust.project_id.as_ref() == Some(&create.project_id)
        && trust.impersonation == create.impersonation
        && trust.expires_at == create.expires_at
}

/// Seconds over which the expiries of trusts are spread.
const SPREAD: u64 = 3600;
