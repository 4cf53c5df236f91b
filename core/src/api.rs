//! What a program imports: the operations and the tasks of each protocol in one module.
//!
//! Both transports re-export these modules, so that a program depends on one crate.

/// S3: operations, tasks, the service and its configuration.
pub mod s3 {
    pub use crate::machine::{
        Checkpoint, CheckpointChange, CheckpointChanges, CheckpointPart, Checkpoints,
        DeleteManyOptions, DeletedMany, DownloadOptions, Downloaded, NotCopied, PartLimits,
        ServerCopyOptions, UploadOptions, Uploaded,
    };
    pub use crate::s3::*;
    pub use crate::task::multipart::MultipartUpload;
    pub use crate::task::s3::{DeleteMany, Download, ServerCopy, Upload};
}

/// Swift: operations, tasks, the service and its configuration.
#[cfg(feature = "swift")]
pub mod swift {
    pub use crate::machine::{
        CheckpointChanges, Checkpoints, DownloadOptions, LargeObject, SegmentsIn, SwiftCheckpoint,
        SwiftCheckpointChange, SwiftCheckpointSegment, SwiftDeleteOptions, SwiftDeleted,
        SwiftDeletedMany, SwiftDownloaded, SwiftUploadOptions, SwiftUploaded,
    };
    pub use crate::swift::*;
    pub use crate::task::swift::{Delete, DeleteMany, Download, Upload};
}
