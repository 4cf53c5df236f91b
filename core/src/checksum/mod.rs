//! The ten checksums of S3: when a request carries one, how it is computed, how responses are
//! validated.
//!
//! ```text
//! Policy ──decide──▶ Decision ──▶ Hasher ──update*──▶ Value ──▶ x-amz-checksum-crc32: NhCmhg==
//!                                                       │
//!                             parts, in their order ────┼─ combine ──▶ Value       FULL_OBJECT
//!                                                       └─ Composite::of           COMPOSITE
//! headers of a response ──▶ Declared ──compare──▶ Verdict
//! ```
//!
//! The rules are those of "Checking object integrity in Amazon S3" in the S3 User Guide and of
//! "Data Integrity Protections for Amazon S3" in the AWS SDKs and Tools Reference Guide.

#[macro_use]
mod words;

mod algorithm;
mod composite;
mod crc;
mod hasher;
mod hashers;
mod md5;
mod pass;
mod policy;
mod sections;
mod validation;
mod value;

pub use self::algorithm::Algorithm;
pub use self::composite::{Composite, Declared, Type};
pub use self::hasher::Hasher;
pub use self::hashers::{Digests, Hashers};
pub use self::pass::{Pass, Reading};
pub use self::policy::{
    Decision, Need, Overrides, Placement, Policy, RequestChecksumCalculation,
    ResponseChecksumValidation,
};
pub use self::validation::{NotValidatedReason, Validation};
pub(crate) use self::value::LONGEST_BASE64;
pub use self::value::{Value, combine};
