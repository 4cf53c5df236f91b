//! The API for an image service: its configured backends, and the images in them.
//!
//! ```text
//!  Configuration ──▶ Stores ── by id ──▶ StoreBackend: S3Store | SwiftStore
//!                      │
//!     add ─────────────┤ into the named backend, or the default one
//!     get size exists  │ from the stored location: url, metadata["store"]
//!     delete set_acls ─┘
//!                      │
//!                      ▼
//!            Access { outcome: Job, migration } ──▶ what replaces the stored location, if anything
//!                        │
//!                        ▼
//!  Job { machine, auths, backend, hashers } ──▶ a transport runs it ──▶ Placed, Got, …
//!                                                        └── an Error ──▶ Verb::error: a StoreError
//! ```
//!
//! This module sends nothing. A [`Job`] is a machine with the authenticators of its requests.
//! [`Connection`] holds the transport settings of a backend. [`migration`](S3Places) determines the
//! backend and the credentials of a stored location before anything is sent.
//!
//! | file | what |
//! | --- | --- |
//! | `config/` | the options of backends, from text |
//! | `stores.rs` | all backends, and the actions on images |
//! | `image.rs`, `properties.rs` | arguments and results of the actions |
//! | `job.rs` | what a transport runs |
//! | `backend.rs`, `connection.rs` | one backend, and its transport settings |
//! | `s3/`, `swift/` | the two kinds of backends |
//! | `migration/`, `table.rs` | outdated locations, and how they are replaced |
//! | `error.rs` | errors in the image service's terms |

mod backend;
pub mod config;
mod connection;
mod error;
mod image;
mod job;
mod migration;
mod properties;
mod s3;
mod stores;
mod swift;
mod table;
mod verb;

pub use self::backend::StoreBackend;
pub use self::connection::Connection;
pub use self::error::{StoreError, StoreErrorKind};
pub use self::image::{
    Access, Acls, Add, AddResult, Address, Get, GetResult, PendingAdd, StoredImage, TenantContext,
};
pub use self::job::Job;
pub use self::migration::{
    Migration, Refusal, S3Access, S3Places, SwiftAccess, SwiftAuthorization, SwiftPlaces,
};
pub use self::properties::Properties;
pub use self::s3::S3Store;
pub use self::stores::Stores;
pub use self::swift::SwiftStore;
pub use self::table::{Applied, LocationTable};
pub use self::verb::Verb;
pub use crate::machine::UploadSource;
