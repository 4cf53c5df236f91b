//! Keystone: identity, scope, and the tokens that Swift accepts.
//!
//! ```text
//!  Identity ─┐
//!  Scope ────┼─▶ Login ──┐  a TokenSource: makes the requests, reads the responses
//!  auth URL ─┘           │
//!                        ▼
//!            Session (authenticator) ── lease: is the token valid for another exchange? ─▶ Granted
//!                │    ▲                  no: one caller renews it, the others wait
//!                │    └── judge: a 401 renews once for that generation
//!                ▼
//!            seal: X-Auth-Token, and the storage URL from the catalogue before the path
//! ```
//!
//! [`Identity`] and [`Scope`] are plain data. A [`Login`] makes requests from them and reads the
//! [`Token`]s in the responses; a [`Session`] decides when. [`ValidateToken`], [`CreateTrust`] and
//! the others are ordinary [operations](crate::contract::Operation) of the [`Service`] here.
//!
//! What the documentation says about a server's behaviour was seen on Keystone 30, unless it names
//! a document. The protocol is that of the chapters "Identity API v3" and "OS-TRUST" of the
//! OpenStack API reference.

mod cached;
mod catalogue;
#[cfg(feature = "clouds")]
pub mod clouds;
mod discovery;
mod endpoint_filter;
mod error;
mod identity;
mod json;
mod login;
mod operations;
mod refresh;
mod scope;
mod service;
mod session;
mod source;
mod token;
mod v1;
mod v2;
mod v3;

pub use self::cached::CachedToken;
pub use self::catalogue::{Catalogue, CatalogueService, Endpoint, Interface};
pub use self::endpoint_filter::EndpointFilter;
pub use self::identity::{Domain, Identity, Project, SecondFactor, User};
pub use self::login::Login;
pub use self::operations::{
    CreateTrust, DeleteTrust, ListTrusts, RevokeToken, ShowTrust, Subject, Trust, ValidateToken,
    ValidatedToken,
};
pub use self::refresh::SessionOptions;
pub use self::scope::{Scope, TrustSlot};
pub use self::service::Service;
pub use self::session::{ServiceToken, Session};
pub use self::source::{Sourced, TokenSource};
pub use self::token::{Holder, Role, Token, TokenFacts, TrustFacts};
