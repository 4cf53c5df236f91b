//! The arguments and results of the actions on images.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::migration::Migration;
use super::properties::Properties;
use crate::checksum::{Algorithm, Digests, Hashers, Validation, Value};
use crate::error::{Error, Leftover};
use crate::http::ByteRange;
use crate::keystone::Catalogue;
use crate::machine::UploadSource;
use crate::secret::Secret;

/// An image to store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Add {
    /// The image's id: the object's key (S3) or name (Swift).
    pub image_id: String,
    /// The announced size in bytes. If the source has another size, the upload fails and leaves no
    /// image.
    pub size: Option<u64>,
    /// The algorithm of the multihash.
    pub hash: Algorithm,
    /// What is stored with the image. By default nothing: the server decides on a content type.
    pub properties: Properties,
}

impl Add {
    /// Makes an image with SHA-512 for the multihash and no announced size.
    pub fn new(image_id: impl Into<String>) -> Self {
        Self {
            image_id: image_id.into(),
            size: None,
            hash: Algorithm::Sha512,
            properties: Properties::default(),
        }
    }

    /// Sets the announced size in bytes.
    #[must_use]
    pub fn with_size(self, size: impl Into<Option<u64>>) -> Self {
        Self { size: size.into(), ..self }
    }

    /// Sets the algorithm of the multihash.
    #[must_use]
    pub fn with_hash(self, hash: Algorithm) -> Self {
        Self { hash, ..self }
    }

    /// Sets what is stored with the image.
    #[must_use]
    pub fn with_properties(self, properties: Properties) -> Self {
        Self { properties, ..self }
    }

    /// Returns `source` with the announced size.
    ///
    /// # Errors
    ///
    /// The source has another size.
    pub(super) fn announced(&self, source: UploadSource) -> Result<UploadSource, StoreError> {
        let has = match source {
            UploadSource::Seekable(length) => Some(length),
            UploadSource::Stream(length) => length,
        };
        match (has, self.size) {
            (Some(has), Some(size)) if has != size => Err(StoreError::wrong_size(size, has)),
            (None, Some(size)) => Ok(UploadSource::Stream(Some(size))),
            _ => Ok(source),
        }
    }

    /// Returns the hashers for the bytes of the source.
    pub(super) fn hashers(&self) -> Result<Hashers, Error> {
        Hashers::new([Algorithm::Md5, self.hash])
    }
}

/// A stored image, without its digests: the transport computes them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingAdd {
    /// The location, without credentials.
    pub url: String,
    /// The size in bytes.
    pub size: u64,
    /// The id of the backend; in single-store mode the name of its entry in `stores`.
    pub store: String,
    /// The algorithm of the multihash.
    pub hash: Algorithm,
    /// What is, or may be, left on the server although the image was stored.
    pub leftovers: Vec<Leftover>,
}

impl PendingAdd {
    /// Adds the digests of the source.
    ///
    /// # Errors
    ///
    /// A digest is missing: the source was not hashed, or not read to its end.
    pub fn with_digests(self, digests: &Digests) -> Result<AddResult, Error> {
        let hex = |algorithm| match digests.value(algorithm) {
            Some(value) => Ok(value.hex()),
            None => Err(Error::invalid_input(format!(
                "the {algorithm} digest of the source is missing"
            ))),
        };
        Ok(AddResult {
            md5: hex(Algorithm::Md5)?,
            multihash: hex(self.hash)?,
            metadata: BTreeMap::from([("store".to_owned(), self.store)]),
            url: self.url,
            size: self.size,
            leftovers: self.leftovers,
        })
    }
}

/// A stored image, with everything that an image service records of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddResult {
    /// The location, without credentials.
    pub url: String,
    /// The size in bytes.
    pub size: u64,
    /// The MD5 of the image, in hex.
    pub md5: String,
    /// The multihash of the image, in hex.
    pub multihash: String,
    /// The metadata of the location: `store`.
    pub metadata: BTreeMap<String, String>,
    /// What is, or may be, left on the server although the image was stored: segments of a replaced
    /// object, or a multipart upload whose creation has an unknown outcome.
    pub leftovers: Vec<Leftover>,
}

/// A location as an image service stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// The URL. An old one may contain credentials.
    pub url: Secret,
    /// `store` in the location's metadata.
    pub store: Option<String>,
}

impl StoredImage {
    /// Makes a location of a URL and the `store` in its metadata.
    pub fn new(url: impl Into<Secret>, store: Option<&str>) -> Self {
        Self { url: url.into(), store: store.map(str::to_owned) }
    }
}

/// The outcome of an action on a stored location, and the migration of the location.
///
/// The migration depends on the location alone: it is the same for every action, and says nothing
/// about whether the object exists. It may be persisted after a failed action. After a `delete`, or
/// if the object does not exist, remove the location instead.
#[derive(Clone, Debug)]
pub struct Access<T> {
    /// The result: a [`Job`](super::Job) to run, or an [`Address`].
    pub outcome: T,
    /// What to replace the stored location by; `None` if it is up to date.
    pub migration: Option<Migration>,
}

impl<T> Access<T> {
    /// Converts the outcome.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Access<U> {
        Access { outcome: turn(self.outcome), migration: self.migration }
    }
}

/// The object that a stored location names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The location without credentials.
    pub url: String,
    /// The id of the backend that the object is in; `None` if it is in no backend's bucket or
    /// account.
    pub backend: Option<String>,
    /// Whether the credentials in the location are used.
    pub own_credentials: bool,
}

/// How an image is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// The bytes to read; `None` for the whole image.
    pub range: Option<ByteRange>,
    /// The digests to compute of the bytes read.
    pub digests: Vec<Algorithm>,
    /// The size of the image in bytes, as the image service recorded it. Another size is an error:
    /// before the first byte is delivered if the response states the size.
    pub size: Option<u64>,
    /// The digests of the whole image, as the image service recorded them: `checksum`, an MD5, and
    /// `os_hash_value`. They are compared if the whole image is read. A difference is an error; the
    /// sink has the bytes by then, so discard what it made of them.
    pub expected: Vec<Value>,
    /// The concurrency: how many ranges are read at once. 0 and 1 read one stream.
    pub concurrency: usize,
}

/// The result of reading an image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GetResult {
    /// The size of the whole image in bytes, if the server stated it.
    pub size: Option<u64>,
    /// How many bytes the sink received.
    pub bytes: u64,
    /// The digests of these bytes.
    pub digests: Digests,
    /// Whether the bytes were validated: by which algorithm, or why not.
    pub validation: Validation,
}

/// Who may read and write an image in the account of the user who stored it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acls {
    /// Whether everybody with a token may read it. `read` is then not used.
    pub public: bool,
    /// The ids of the projects that may read it.
    pub read: Vec<String>,
    /// The ids of the projects that may write it.
    pub write: Vec<String>,
}

/// The user of a request to the image service, where images are in the users' accounts.
#[derive(Clone, Debug, Default)]
pub struct TenantContext {
    /// The user's token.
    pub token: Secret,
    /// The user's id.
    pub user_id: Option<String>,
    /// The id of the project that the token is scoped to.
    pub project_id: Option<String>,
    /// The names of the user's roles in this project.
    pub roles: Vec<String>,
    /// The service catalogue of the token.
    pub catalogue: Catalogue,
}
