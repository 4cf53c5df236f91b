//! What a token is to be for.

use std::sync::{Arc, Mutex, PoisonError};

use crate::keystone::identity::{Domain, Project};

/// What a token is to be for: one thing, or nothing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Nothing is said. Keystone takes the user's default project, if there is one; an application
    /// credential brings its own.
    #[default]
    Unstated,
    /// For nothing: a token without project, roles and catalogue, which Swift refuses with 403.
    Unscoped,
    /// For a project.
    Project(Project),
    /// For a domain.
    Domain(Domain),
    /// For the whole system.
    System,
    /// For what a trust delegates.
    Trust(TrustSlot),
}

impl Scope {
    /// For a project by its id.
    pub fn project(id: impl Into<String>) -> Self {
        Self::Project(Project::Id(id.into()))
    }

    /// For a project by its name, in a domain.
    pub fn project_named(name: impl Into<String>, domain: Domain) -> Self {
        Self::Project(Project::named(name, domain))
    }

    /// For what this trust delegates.
    pub fn trust(id: impl Into<String>) -> Self {
        Self::Trust(TrustSlot::of(id))
    }
}

/// Where the id of a trust stands, once there is one. Clones share it: a session whose scope it is
/// denies while it is empty, and gets a new token when another id is put in.
#[derive(Clone, Debug, Default)]
pub struct TrustSlot(Arc<Mutex<Option<String>>>);

impl TrustSlot {
    /// A slot that is empty as yet.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A slot that holds the id of this trust.
    pub fn of(id: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(Some(id.into()))))
    }

    /// Puts in the id of a trust, or takes it out.
    pub fn set(&self, id: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// The id.
    pub fn id(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
