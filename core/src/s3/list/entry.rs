//! An object in a list.

use std::io;

use crate::checksum::{Algorithm, Type};
use crate::error::Error;
use crate::http::ETag;
use crate::now::Timestamp;
use crate::s3::read::{Keys, text, word};
use crate::s3::types::Owner;
use crate::xml::Element;

/// An object in the response to ListObjectsV2 or ListObjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// The object key.
    pub key: String,
    /// When the object was last modified.
    pub last_modified: Option<Timestamp>,
    /// The ETag.
    pub etag: Option<ETag>,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The storage class.
    pub storage_class: Option<String>,
    /// The algorithms of the object's checksums; unknown ones are left out.
    pub checksum_algorithms: Vec<Algorithm>,
    /// Whether the checksums are full-object or composite.
    pub checksum_type: Option<Type>,
    /// The owner; ListObjectsV2 returns it with `fetch_owner`.
    pub owner: Option<Owner>,
    /// The status of the restore from an archive, where requested.
    pub restore_status: Option<RestoreStatus>,
}

impl Object {
    /// Returns whether the object was uploaded from these bytes, in one request or in parts of
    /// `part_size` bytes, by its ETag: see [`ETag::is_of`]. Compare the size first.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn is_of(&self, reader: impl io::Read, part_size: u64) -> io::Result<bool> {
        self.etag.as_ref().map_or(Ok(false), |etag| etag.is_of(reader, part_size))
    }

    pub(super) fn read(object: Element<'_>, keys: Keys<'_>) -> Result<Self, Error> {
        let algorithms = object.children("ChecksumAlgorithm");
        Ok(Self {
            key: keys.required(object, "Key")?,
            last_modified: object.optional_timestamp("LastModified"),
            etag: text(object, "ETag").map(ETag::from),
            size: object.optional("Size"),
            storage_class: text(object, "StorageClass"),
            checksum_algorithms: algorithms.filter_map(|word| word.text().parse().ok()).collect(),
            checksum_type: word(object, "ChecksumType"),
            owner: object.child("Owner").map(Owner::read),
            restore_status: object.child("RestoreStatus").map(RestoreStatus::read).transpose()?,
        })
    }
}

/// The status of an object's restore from an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreStatus {
    /// Whether the restore is in progress.
    pub is_restore_in_progress: Option<bool>,
    /// When the restored copy expires.
    pub restore_expiry_date: Option<Timestamp>,
}

impl RestoreStatus {
    fn read(status: Element<'_>) -> Result<Self, Error> {
        Ok(Self {
            is_restore_in_progress: status.optional_flag("IsRestoreInProgress"),
            restore_expiry_date: status.optional_timestamp("RestoreExpiryDate"),
        })
    }
}
