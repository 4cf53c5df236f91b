//! Multipart uploads.
//!
//! ```text
//! CreateMultipartUpload ─▶ UploadPart, UploadPartCopy … ─┬▶ CompleteMultipartUpload
//!                          ListParts, ListMultipartUploads └▶ AbortMultipartUpload
//! ```

mod abort;
mod complete;
mod create;
mod list_parts;
mod list_uploads;
mod upload_part;
mod upload_part_copy;

pub use self::abort::AbortMultipartUpload;
pub use self::complete::{CompleteMultipartUpload, CompleteMultipartUploadOutput, CompletedPart};
pub use self::create::{CreateMultipartUpload, CreateMultipartUploadOutput};
pub use self::list_parts::{ListParts, ListPartsOutput, Part};
pub use self::list_uploads::{ListMultipartUploads, ListMultipartUploadsOutput, MultipartUpload};
pub use self::upload_part::UploadPart;
pub use self::upload_part_copy::{UploadPartCopy, UploadPartCopyOutput};
