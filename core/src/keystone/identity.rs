//! Who we are, as plain data.

use crate::secret::Secret;

/// Who asks for a token, and by what proof.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// A user's password, Identity API v3.
    Password {
        /// The user.
        user: User,
        /// The password.
        password: Secret,
        /// What the user has to show beside it.
        second_factor: Option<SecondFactor>,
    },
    /// A token, Identity API v3: changes its scope, and never makes it live longer.
    Token(Secret),
    /// An application credential by its id, Identity API v3. It has a project of its own, so that
    /// Keystone lets it ask for no [`Scope`](crate::keystone::Scope).
    ApplicationCredential {
        /// The credential's id.
        id: String,
        /// Its secret.
        secret: Secret,
    },
    /// An application credential by its name and its user.
    NamedApplicationCredential {
        /// The credential's name, unique for its user.
        name: String,
        /// The user who made it.
        user: User,
        /// Its secret.
        secret: Secret,
    },
    /// A user's password, Identity API v2.0, which old clouds have. A user has no domain there.
    V2Password {
        /// The user; the domain of a name is not sent.
        user: User,
        /// The password.
        password: Secret,
    },
    /// Swift's own authentication, v1: what TempAuth and Ceph's gateway have.
    V1 {
        /// `account:user`.
        user: String,
        /// The key.
        key: Secret,
    },
}

impl Identity {
    /// A v3 password.
    pub fn password(user: User, password: impl Into<Secret>) -> Self {
        Self::Password { user, password: password.into(), second_factor: None }
    }

    /// An application credential by its id.
    pub fn application_credential(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::ApplicationCredential { id: id.into(), secret: secret.into() }
    }

    /// Swift's v1 authentication.
    pub fn v1(user: impl Into<String>, key: impl Into<Secret>) -> Self {
        Self::V1 { user: user.into(), key: key.into() }
    }

    /// Whether it is an application credential.
    pub fn is_application_credential(&self) -> bool {
        matches!(self, Self::ApplicationCredential { .. } | Self::NamedApplicationCredential { .. })
    }
}

/// A user of Keystone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// By its id, which is unique.
    Id(String),
    /// By its name, which is unique in its domain.
    Name {
        /// The name.
        name: String,
        /// The domain it is in.
        domain: Domain,
    },
}

impl User {
    /// A user by name, in a domain.
    pub fn named(name: impl Into<String>, domain: Domain) -> Self {
        Self::Name { name: name.into(), domain }
    }
}

/// A domain of Keystone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// By its id. `default` is that of the domain every Keystone has; no request means it tacitly.
    Id(String),
    /// By its name.
    Name(String),
}

impl Domain {
    /// The domain with the id `default`.
    pub fn default_id() -> Self {
        Self::Id("default".into())
    }
}

/// A project of Keystone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Project {
    /// By its id, which is unique.
    Id(String),
    /// By its name, which is unique in its domain.
    Name {
        /// The name.
        name: String,
        /// The domain it is in; v2.0 does not send it.
        domain: Domain,
    },
}

impl Project {
    /// A project by name, in a domain.
    pub fn named(name: impl Into<String>, domain: Domain) -> Self {
        Self::Name { name: name.into(), domain }
    }
}

/// A second proof, beside a password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecondFactor {
    /// One passcode of a TOTP device (RFC 6238). It holds for half a minute or so: a session gets
    /// its first token by it, and the next one is denied.
    Passcode(Secret),
}
