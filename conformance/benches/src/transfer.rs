//! The large transfer that several benchmarks make: parts of 8 MiB, four at a time.

use std::sync::Arc;

use apus_core::machine::{DownloadOptions, S3Download, S3Upload, UploadOptions, UploadSource};
use apus_core::s3::{ChecksumOptions, GetObject, Service};

/// Bytes of a part, or of a range.
pub const PART: u64 = 8 << 20;
/// Parts in flight.
pub const CONCURRENCY: usize = 4;

/// Makes an upload of so many bytes.
pub fn upload(length: u64, checksum: ChecksumOptions, service: &Arc<Service>) -> S3Upload {
    let options = UploadOptions {
        part_size: PART,
        concurrency: CONCURRENCY,
        checksum,
        ..UploadOptions::default()
    };
    let source = UploadSource::Seekable(length);
    S3Upload::new("bucket", "large", source, options, Arc::clone(service), 1).unwrap()
}

/// Makes a download of what was uploaded.
pub fn download(service: &Arc<Service>) -> S3Download {
    let get = GetObject { checksum_mode: true, ..GetObject::new("bucket", "large") };
    let options = DownloadOptions {
        range_size: PART,
        concurrency: CONCURRENCY,
        ..DownloadOptions::default()
    };
    S3Download::new(get, Arc::clone(service), options, 1)
}
