//! OpenStack Swift: operations, manifests, errors.
//!
//! ```text
//!  Config ──▶ Service ─┐                          ┌──▶ Output
//!                      ├── draft ─▶ … ─▶ parse ───┤
//!  GetObject { .. } ───┘                          └──▶ Error
//! ```
//!
//! An operation is plain data: the parameters that the Object Storage API and Swift's documentation
//! describe. Optional ones are `Option`s or empty. An operation drafts its request for a
//! [`Service`] and reads the response; it holds no state. The account's URL is known to the
//! session: a draft has a path, which is appended to the storage URL when the draft is sealed.
//!
//! | file | operations |
//! | --- | --- |
//! | `account/` | the account and the listing of its containers |
//! | `container/` | containers and the listings of their objects |
//! | `object/` | objects |
//! | `slo/` | static large objects: manifests that list their segments |
//! | `dlo` | dynamic large objects: a prefix that names their segments |
//! | `bulk` | deletion of many objects with one request |
//! | `info` | the capabilities of a cluster |
//! | `temp_url` | URLs that give access without a token |
//! | `acl` | access control lists |
//! | `error` | what each status means |
//! | `report` | outcomes in the body of a response |
//! | `evidence` | what proves which write an object is of, when a response was lost |
//!
//! `operation` has the members that operations share, and the macro that declares an operation.

mod account;
mod acl;
mod bulk;
mod commit_check;
mod config;
mod container;
mod dlo;
mod error;
mod info;
mod listing;
mod object;
mod operation;
mod paged;
mod report;
mod request;
mod service;
mod slo;
mod temp_url;
#[cfg(test)]
mod testing;
mod types;

pub use self::account::*;
pub use self::acl::{AccountAcl, Acl, AclEntry};
pub use self::bulk::{BulkDelete, BulkPath, Deleted};
pub(crate) use self::commit_check::Evidence;
pub use self::config::Config;
pub use self::container::*;
pub use self::dlo::PutDlo;
pub(crate) use self::error::success;
pub use self::info::{BulkDeleteLimits, GetInfo, Info, SloLimits, SwiftLimits, TempUrlLimits};
pub use self::object::*;
pub use self::report::Failed;
pub use self::service::Service;
pub use self::slo::*;
pub use self::temp_url::{Digest, TempUrl};
pub use self::types::*;
