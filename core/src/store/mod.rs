//! What an image service calls: its backends, as its configuration names them, and an image in one.
//!
//! ```text
//!  Configuration ──▶ Stores ── by id ──▶ StoreBackend: S3Store | SwiftStore
//!                      │
//!     add ─────────────┤ into the backend named, or the default one
//!     get size exists  │ from where a row of the image service says: url, metadata["store"]
//!     delete set_acls ─┘
//!                      │
//!                      ▼
//!            Access { outcome: Job, migration } ──▶ what to store in the row's place, or nothing
//!                        │
//!                        ▼
//!  Job { machine, parties, backend, hashers } ──▶ a transport runs it ──▶ Placed, Got, …
//!                                                        └── an Error ──▶ Verb::error: a StoreError
//! ```
//!
//! Nothing is sent in here: a [`Job`] is a machine with the authorities that its drafts go under, and
//! [`Connection`] says what a transport has to do otherwise for a backend. What a row says is decided
//! by [`migration`](S3Places) before anything is sent: which backend, whose credentials.
//!
//! | file | what |
//! | --- | --- |
//! | `config/` | the options of backends, from text |
//! | `stores.rs` | all backends, and the verbs |
//! | `image.rs` | what goes into the verbs and comes out |
//! | `job.rs` | what a transport runs |
//! | `backend.rs`, `connection.rs` | one backend, and the way to it |
//! | `s3/`, `swift/` | the two kinds of backends |
//! | `migration/`, `table.rs` | rows that are not as they should be, and how they are replaced |
//! | `error.rs` | what went wrong, in the image service's words |

mod backend;
pub mod config;
mod connection;
mod error;
mod image;
mod job;
mod migration;
mod s3;
mod stores;
mod swift;
mod table;
mod verb;

pub use self::backend::StoreBackend;
pub use self::connection::Connection;
pub use self::error::{StoreError, StoreErrorKind};
pub use self::image::{Access, Acls, Add, Added, Address, Get, Got, Placed, Stored, TenantContext};
pub use self::job::Job;
pub use self::migration::{
    Migration, Refusal, S3Access, S3Places, SwiftAccess, SwiftPlaces, SwiftRight,
};
pub use self::s3::S3Store;
pub use self::stores::Stores;
pub use self::swift::SwiftStore;
pub use self::table::{Applied, LocationTable};
pub use self::verb::Verb;
