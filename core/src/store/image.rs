//! What goes into the verbs, and what comes out of them.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::migration::Migration;
use crate::checksum::{Algorithm, Digests, Hashers, Value, Verdict};
use crate::error::{Error, Leftover};
use crate::http::ByteRange;
use crate::keystone::Catalogue;
use crate::machine::UploadSource;
use crate::secret::Secret;

/// An image to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Add {
    /// Its id: it becomes the object's key or name.
    pub image_id: String,
    /// Where its bytes come from.
    pub source: UploadSource,
    /// How many bytes were announced. Another number than the source has fails, and leaves nothing
    /// behind.
    pub size: Option<u64>,
    /// What the multihash is made with.
    pub hash: Algorithm,
}

impl Add {
    /// This image, with SHA-512 for the multihash and no announced size.
    pub fn new(image_id: impl Into<String>, source: UploadSource) -> Self {
        Self { image_id: image_id.into(), source, size: None, hash: Algorithm::Sha512 }
    }

    /// So many bytes were announced.
    #[must_use]
    pub fn with_size(self, size: impl Into<Option<u64>>) -> Self {
        Self { size: size.into(), ..self }
    }

    /// Makes the multihash with this algorithm.
    #[must_use]
    pub fn with_hash(self, hash: Algorithm) -> Self {
        Self { hash, ..self }
    }

    /// The source, with the size that was announced.
    ///
    /// # Errors
    ///
    /// It has another one.
    pub(super) fn announced(&self) -> Result<UploadSource, StoreError> {
        let (source, size) = (self.source, self.size);
        let has = match source {
            UploadSource::Seekable(length) => Some(length),
            UploadSource::Stream(length) => length,
        };
        match (has, size) {
            (Some(has), Some(size)) if has != size => Err(StoreError::wrong_size(size, has)),
            (None, Some(size)) => Ok(UploadSource::Stream(Some(size))),
            _ => Ok(source),
        }
    }

    /// The digests that the source has to be tapped for.
    pub(super) fn hashers(&self) -> Result<Hashers, Error> {
        Hashers::new([Algorithm::Md5, self.hash])
    }
}

/// An image that was stored, before its digests are known: those are the transport's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// Where it is, without credentials.
    pub url: String,
    /// Its bytes.
    pub size: u64,
    /// The id of the backend; in single-store mode the name of the entry.
    pub store: String,
    /// What the multihash is made with.
    pub hash: Algorithm,
    /// What is left on the server, or may be, although the image was stored.
    pub leftovers: Vec<Leftover>,
}

impl Placed {
    /// With the digests of the tapped source.
    ///
    /// # Errors
    ///
    /// One is missing: the source was not tapped, or not read to its end.
    pub fn with_digests(self, digests: &Digests) -> Result<Added, Error> {
        let hex = |algorithm| match digests.value(algorithm) {
            Some(value) => Ok(value.hex()),
            None => Err(Error::caller(format!("there is no {algorithm} digest of the source"))),
        };
        Ok(Added {
            md5: hex(Algorithm::Md5)?,
            multihash: hex(self.hash)?,
            metadata: BTreeMap::from([("store".to_owned(), self.store)]),
            url: self.url,
            size: self.size,
            leftovers: self.leftovers,
        })
    }
}

/// An image that was stored: what an image service writes down of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Added {
    /// Where it is, without credentials.
    pub url: String,
    /// Its bytes.
    pub size: u64,
    /// The MD5 of its bytes, in hex.
    pub md5: String,
    /// The digest of its bytes by the algorithm of the multihash, in hex.
    pub multihash: String,
    /// The metadata of the location: `store`.
    pub metadata: BTreeMap<String, String>,
    /// What is left on the server, or may be, although the image was stored: segments of what it replaced, a
    /// multipart upload whose creation was never answered.
    pub leftovers: Vec<Leftover>,
}

/// A row of an image service: where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The location. An old one has credentials inside.
    pub url: Secret,
    /// `store` in its metadata.
    pub store: Option<String>,
}

impl Stored {
    /// This location, with this `store` in its metadata.
    pub fn new(url: impl Into<Secret>, store: Option<&str>) -> Self {
        Self { url: url.into(), store: store.map(str::to_owned) }
    }
}

/// What is to be done with a row, and what to store in its place.
///
/// The migration is that of the row alone: it says nothing of whether the object is there, and is
/// the same for every verb. Whoever persists it after a verb that failed changes the name of a place
/// and not what is there; after a `delete`, or one that found nothing, the row is to go instead.
#[derive(Clone, Debug)]
pub struct Access<T> {
    /// What is done.
    pub outcome: T,
    /// What to store in the row's place; none where it is as it should be.
    pub migration: Option<Migration>,
}

impl<T> Access<T> {
    /// The same, with the outcome turned into something else.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Access<U> {
        Access { outcome: turn(self.outcome), migration: self.migration }
    }
}

/// Where a row leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The location without credentials.
    pub url: String,
    /// The id of the backend that it lies in; none where it is in none's bucket or container.
    pub backend: Option<String>,
    /// Whether credentials of its own are used.
    pub own_credentials: bool,
}

/// What is read of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// These bytes alone.
    pub range: Option<ByteRange>,
    /// Digests of what is read.
    pub digests: Vec<Algorithm>,
    /// How many bytes the image has, by the image service: another number is an error, before any byte is
    /// delivered where the server tells it.
    pub size: Option<u64>,
    /// Digests of the whole image that the image service has: `checksum`, an MD5, and `os_hash_value`.
    /// They are compared where all of it is read. Other bytes are an error; the sink has them by then, and
    /// what was made of them is not to be kept.
    pub expected: Vec<Value>,
    /// How many ranges are read at once; 0 and 1 read one stream.
    pub width: usize,
}

/// What was read of an image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Got {
    /// Bytes of the whole image, where the server told.
    pub size: Option<u64>,
    /// Bytes that the sink got.
    pub bytes: u64,
    /// Digests of these.
    pub digests: Digests,
    /// Whether they were checked against something that the server or the caller knows.
    pub verdict: Verdict,
}

/// Who may use an image that lies in the account of the user who stored it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acls {
    /// Whether everybody may read it.
    pub public: bool,
    /// Ids of projects that may read it.
    pub read: Vec<String>,
    /// Ids of projects that may write it.
    pub write: Vec<String>,
}

/// For whom a request of an image service is made, where images lie in the accounts of users.
#[derive(Clone, Debug, Default)]
pub struct TenantContext {
    /// The user's token.
    pub token: Secret,
    /// The user's id.
    pub user_id: Option<String>,
    /// The id of the project that the token is for.
    pub project_id: Option<String>,
    /// The names of the roles that the user has there.
    pub roles: Vec<String>,
    /// The services that came with the token.
    pub catalogue: Catalogue,
}
