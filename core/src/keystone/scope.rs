//! The scope of a token.

use std::sync::{Arc, Mutex, PoisonError};

use crate::keystone::identity::{Domain, Project};

/// The scope of a token: one project, domain, system or trust, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// The request names no scope. Keystone uses the user's default project, if there is one; an
    /// application credential has its own project.
    #[default]
    Unstated,
    /// No scope: a token without project, roles and catalogue. Swift refuses it with 403.
    Unscoped,
    /// A project.
    Project(Project),
    /// A domain.
    Domain(Domain),
    /// The whole system.
    System,
    /// The roles that a trust delegates.
    Trust(TrustSlot),
}

impl Scope {
    /// Returns the scope of a project by its id.
    pub fn project(id: impl Into<String>) -> Self {
        Self::Project(Project::Id(id.into()))
    }

    /// Returns the scope of a project by its name, in a domain.
    pub fn project_named(name: impl Into<String>, domain: Domain) -> Self {
        Self::Project(Project::named(name, domain))
    }

    /// Returns the scope of this trust.
    pub fn trust(id: impl Into<String>) -> Self {
        Self::Trust(TrustSlot::of(id))
    }
}

/// A slot for the id of a trust, which may be set later. Clones share it. A session with this scope
/// denies requests while the slot is empty, and requests a new token when the id changes.
#[derive(Clone, Debug, Default)]
pub struct TrustSlot(Arc<Mutex<Option<String>>>);

impl PartialEq for TrustSlot {
    /// Slots are equal while they hold the same trust.
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for TrustSlot {}

impl TrustSlot {
    /// Creates an empty slot.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates a slot that holds the id of this trust.
    pub fn of(id: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(Some(id.into()))))
    }

    /// Sets the id of the trust, or clears it.
    pub fn set(&self, id: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// Returns the id, `None` while the slot is empty.
    pub fn id(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
