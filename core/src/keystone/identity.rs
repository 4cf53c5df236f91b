//! Identities of Keystone and of Swift's v1 authentication, as plain data.

use crate::secret::Secret;

/// An identity and its secret, for which tokens are requested.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// A user and a password, Identity API v3.
    Password {
        /// The user.
        user: User,
        /// The password.
        password: Secret,
        /// The second factor, where the user's rules require one.
        second_factor: Option<SecondFactor>,
    },
    /// A user and a one-time passcode (TOTP), Identity API v3. The passcode is valid for one login
    /// within its half minute: the token is not renewed.
    Totp {
        /// The user.
        user: User,
        /// The passcode.
        passcode: Secret,
    },
    /// A token, Identity API v3. The new token may have another scope; it does not expire later.
    Token(Secret),
    /// An application credential by its id, Identity API v3. It belongs to one project, so Keystone
    /// accepts no [`Scope`](crate::keystone::Scope) beside it.
    ApplicationCredential {
        /// The credential's id.
        id: String,
        /// Its secret.
        secret: Secret,
    },
    /// An application credential by its name and its user, Identity API v3.
    NamedApplicationCredential {
        /// The credential's name, unique among those of its user.
        name: String,
        /// The user who created it.
        user: User,
        /// Its secret.
        secret: Secret,
    },
    /// A user and a password, Identity API v2.0, which old clouds have. Users have no domain there.
    V2Password {
        /// The user; the domain of a user by name is not sent.
        user: User,
        /// The password.
        password: Secret,
    },
    /// Swift's own authentication, v1, of TempAuth and of Ceph's gateway.
    V1 {
        /// `account:user`.
        user: String,
        /// The key.
        key: Secret,
    },
}

impl Identity {
    /// Creates a v3 password identity without a second factor.
    pub fn password(user: User, password: impl Into<Secret>) -> Self {
        Self::Password { user, password: password.into(), second_factor: None }
    }

    /// Creates an identity of an application credential by its id.
    pub fn application_credential(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::ApplicationCredential { id: id.into(), secret: secret.into() }
    }

    /// Creates an identity of Swift's v1 authentication: `account:user` and its key.
    pub fn v1(user: impl Into<String>, key: impl Into<Secret>) -> Self {
        Self::V1 { user: user.into(), key: key.into() }
    }

    /// Whether this is an application credential, by id or by name.
    pub fn is_application_credential(&self) -> bool {
        matches!(self, Self::ApplicationCredential { .. } | Self::NamedApplicationCredential { .. })
    }
}

/// A user in Keystone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// By its id, which is unique.
    Id(String),
    /// By its name, which is unique in its domain.
    Name {
        /// The name.
        name: String,
        /// The user's domain.
        domain: Domain,
    },
}

impl User {
    /// Returns a user by name, in a domain.
    pub fn named(name: impl Into<String>, domain: Domain) -> Self {
        Self::Name { name: name.into(), domain }
    }
}

/// A domain in Keystone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// By its id. Every Keystone has a domain with the id `default`; no request names it
    /// implicitly.
    Id(String),
    /// By its name.
    Name(String),
}

impl Domain {
    /// Returns the domain with the id `default`.
    pub fn default_id() -> Self {
        Self::Id("default".into())
    }
}

/// A project in Keystone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Project {
    /// By its id, which is unique.
    Id(String),
    /// By its name, which is unique in its domain.
    Name {
        /// The name.
        name: String,
        /// The project's domain; the Identity API v2.0 does not send it.
        domain: Domain,
    },
}

impl Project {
    /// Returns a project by name, in a domain.
    pub fn named(name: impl Into<String>, domain: Domain) -> Self {
        Self::Name { name: name.into(), domain }
    }
}

/// A second factor beside a password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecondFactor {
    /// One passcode of a TOTP device (RFC 6238), valid for about 30 seconds: a session gets its
    /// first token with it, and the renewal of that token is denied.
    Passcode(Secret),
}
