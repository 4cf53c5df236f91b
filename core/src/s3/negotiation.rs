//! What a server refused in requests of a kind, so that later ones do without.
//!
//! | refused | from then on |
//! | --- | --- |
//! | `x-amz-sdk-checksum-algorithm` | not sent |
//! | the checksum header of a document that needs a digest | `Content-MD5` |
//! | the checksum header of an object's or a part's bytes | `Content-MD5` |
//! | `x-amz-checksum-mode`, if the policy asks for it and not the call | not sent |
//! | an object or a part without a digest | a digest, in this bucket |
//! | DeleteObjects | DeleteObject for each object |
//! | `If-None-Match: *` on PutObject, on CompleteMultipartUpload | a HEAD before the request, which must find no object |
//!
//! What the configuration or the call asks for is not replaced: an algorithm that the call names, a
//! placement other than `auto`. A refusal of these has a hint (`super::error`).

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Kind};

/// A part of a request that a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// `x-amz-sdk-checksum-algorithm`.
    AlgorithmName,
    /// The checksum header of a document that needs a digest.
    DocumentChecksum,
    /// The checksum header of the bytes of an object or a part.
    Checksum,
    /// The bytes of an object or a part without a digest.
    MissingDigest,
    /// `x-amz-checksum-mode`.
    ChecksumMode,
}

impl Refused {
    /// Returns what the refusal is about, if it is one of these.
    pub(super) fn of(error: &Error) -> Option<Self> {
        if error.kind() != Kind::Refused || !matches!(error.status()?.as_u16(), 400 | 501) {
            return None;
        }
        let message = error.server_message().unwrap_or_default().to_ascii_lowercase();
        let says = |text: &str| message.contains(text);
        let unbound = matches!(error.operation()?, "PutObject" | "UploadPart");
        match error.code()? {
            "InvalidRequest" | "InvalidArgument" | "NotImplemented" | "BadRequest"
            | "MissingContentMD5" | "MissingDigest" => {}
            _ => return None,
        }
        if says("x-amz-sdk-checksum-algorithm") {
            return Some(Self::AlgorithmName);
        }
        if says("x-amz-checksum-mode") {
            return Some(Self::ChecksumMode);
        }
        let digest = says("content-md5") || says("content_md5") || says("x-amz-checksum");
        let unnamed = matches!(error.code()?, "MissingContentMD5" | "MissingDigest");
        if !digest && !unnamed {
            return None;
        }
        // "Value for x-amz-checksum-crc32 header is invalid": the value, not the header.
        if says("value for x-amz-checksum") {
            return None;
        }
        Some(match unbound {
            false => Self::DocumentChecksum,
            true if unnamed || says("required") || says("missing") => Self::MissingDigest,
            true => Self::Checksum,
        })
    }
}

/// What one server refused so far.
#[derive(Debug, Default)]
pub(super) struct Negotiated(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    algorithm_name: bool,
    document_checksum: bool,
    checksum: bool,
    checksum_mode: bool,
    delete_objects: bool,
    /// Operations with which `If-None-Match` was refused.
    create_only: BTreeSet<&'static str>,
    /// Buckets with a default retention, as it seems: each PutObject needs a digest.
    digests: BTreeSet<String>,
}

impl Negotiated {
    /// Remembers a refusal of a request on `bucket`.
    pub(super) fn remember(&self, refused: Refused, bucket: &str) {
        self.with(|facts| match refused {
            Refused::AlgorithmName => facts.algorithm_name = true,
            Refused::DocumentChecksum => facts.document_checksum = true,
            Refused::Checksum => facts.checksum = true,
            Refused::ChecksumMode => facts.checksum_mode = true,
            Refused::MissingDigest => {
                if facts.digests.len() >= MOST_BUCKETS {
                    facts.digests.clear();
                }
                facts.digests.insert(bucket.to_owned());
            }
        });
    }

    /// Remembers that the server does not support DeleteObjects.
    pub(super) fn forgo_delete_objects(&self) {
        self.with(|facts| facts.delete_objects = true);
    }

    /// Whether the server does not support DeleteObjects.
    pub(super) fn forgoes_delete_objects(&self) -> bool {
        self.with(|facts| facts.delete_objects)
    }

    /// Remembers that the server does not support `If-None-Match` with this operation.
    pub(super) fn forgo_create_only(&self, operation: &'static str) {
        self.with(|facts| facts.create_only.insert(operation));
    }

    /// Whether the server does not support `If-None-Match` with this operation.
    pub(super) fn forgoes_create_only(&self, operation: &'static str) -> bool {
        self.with(|facts| facts.create_only.contains(operation))
    }

    /// Whether `x-amz-sdk-checksum-algorithm` was refused.
    pub(super) fn refuses_algorithm_name(&self) -> bool {
        self.with(|facts| facts.algorithm_name)
    }

    /// Whether `x-amz-checksum-mode` was refused.
    pub(super) fn refuses_checksum_mode(&self) -> bool {
        self.with(|facts| facts.checksum_mode)
    }

    /// Whether `Content-MD5` replaces a checksum header, of a document or of the bytes of objects.
    pub(super) fn replaces_checksum(&self, document: bool) -> bool {
        self.with(|facts| if document { facts.document_checksum } else { facts.checksum })
    }

    /// Whether objects in `bucket` need a digest.
    pub(super) fn needs_digest(&self, bucket: &str) -> bool {
        self.with(|facts| facts.digests.contains(bucket))
    }

    fn with<T>(&self, of: impl FnOnce(&mut Facts) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The maximum number of buckets whose objects need a digest; beyond it all are forgotten.
const MOST_BUCKETS: usize = 10_000;
