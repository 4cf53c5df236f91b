//! The machines, and the pump that connects a machine to its authenticators.

mod abort_upload;
mod call;
mod cleanups;
pub mod compose;
mod copy;
mod delete_many;
mod delete_prefix;
mod download;
mod grant_only;
#[cfg(feature = "swift")]
pub(crate) mod numbered;
mod presign_key;
mod pump;
mod rate_limit;
#[cfg(feature = "swift")]
pub(crate) mod segments;
#[cfg(feature = "swift")]
mod swift_delete;
#[cfg(feature = "swift")]
mod swift_presign_key;
#[cfg(feature = "swift")]
mod trust_scoped;
pub mod upload;

pub use self::abort_upload::S3AbortUpload;
pub use self::call::{BoxedCall, Call};
pub use self::cleanups::{Claim, CleanUps, Running};
pub use self::copy::{S3Copy, ServerCopyOptions};
pub use self::delete_many::{DeleteManyOptions, DeletedMany, S3DeleteMany};
pub use self::delete_prefix::S3DeletePrefix;
pub use self::download::{DownloadOptions, Downloaded, S3Download};
#[cfg(feature = "swift")]
pub use self::download::{SwiftDownload, SwiftDownloaded};
pub use self::grant_only::GrantOnly;
pub use self::presign_key::PresignKeys;
pub use self::pump::{Auth, Event, Observer, Pump, Turn, observe_both};
pub use self::rate_limit::RateLimits;
#[cfg(feature = "swift")]
pub use self::swift_delete::{
    SwiftDelete, SwiftDeleteMany, SwiftDeleteOptions, SwiftDeleted, SwiftDeletedMany,
};
#[cfg(feature = "swift")]
pub use self::trust_scoped::{Delegation, TrustOutcome, TrustScoped, TrustUse};
pub use self::upload::{
    Checkpoint, CheckpointChange, CheckpointChanges, CheckpointPart, Checkpoints, NotCopied,
    PartLimits, Resumable, S3Upload, UploadOptions, UploadSource, Uploaded,
};
#[cfg(feature = "swift")]
pub use self::upload::{
    LargeObject, SegmentsIn, SwiftCheckpoint, SwiftCheckpointChange, SwiftCheckpointSegment,
    SwiftUpload, SwiftUploadOptions, SwiftUploaded,
};
