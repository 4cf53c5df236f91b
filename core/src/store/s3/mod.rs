//! An S3 backend: one bucket, with an object for each image.
//!
//! | file | what |
//! | --- | --- |
//! | `add.rs` | the upload of an image |
//! | `remove.rs` | the removal of an image |
//! | `route.rs` | the actions on the object of a location |

mod add;
mod remove;
mod route;

use std::fmt;
use std::sync::Arc;

use self::add::{Adding, Target};
pub(super) use self::route::S3Route;
use super::config::S3Options;
use super::connection::Connection;
use super::error::{StoreError, StoreErrorKind};
use super::image::{Add, PendingAdd};
use super::job::Job;
use super::verb::Verb;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::location::S3Place;
use crate::machine::{Auth, S3Upload, UploadOptions, UploadSource};
use crate::s3::{Conditions, ETag, Service};

/// An S3 backend. Cheap to clone.
#[derive(Clone)]
pub struct S3Store {
    id: String,
    options: Arc<S3Options>,
    service: Arc<Service>,
    place: S3Place,
    connection: Connection,
    auth: Option<Auth>,
}

impl S3Store {
    pub(super) fn new(id: &str, options: &S3Options) -> Result<Self, Error> {
        Ok(Self {
            id: id.to_owned(),
            service: Arc::new(Service::new(options.config()?)?),
            place: options.place()?,
            connection: Connection::of_s3(options)?,
            auth: options.keys().map(|keys| Auth::new(Credentials::new(keys))),
            options: Arc::new(options.clone()),
        })
    }

    pub(super) fn set_party(&mut self, auth: Auth) {
        self.auth = Some(auth);
    }

    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the options.
    pub fn options(&self) -> &S3Options {
        &self.options
    }

    /// Returns the prefix of its locations: `s3+https://host/bucket/`.
    pub fn prefix(&self) -> String {
        self.place.prefix()
    }

    /// Returns the transport settings.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the service, for operations other than the actions of [`Stores`](super::Stores).
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Returns the bucket.
    pub fn bucket(&self) -> &str {
        self.options.s3_store_bucket.as_deref().unwrap_or_default()
    }

    /// Returns the authenticator of its requests.
    ///
    /// # Errors
    ///
    /// The options contain no keys, and [`Stores::with_auth`](super::Stores::with_auth) or
    /// [`Stores::with_credentials`](super::Stores::with_credentials) has set none.
    pub fn auth(&self) -> Result<Auth, StoreError> {
        self.auth.clone().ok_or_else(|| {
            let what = format!(
                "backend {:?} has no credentials: set its keys, or pass credentials to the stores",
                self.id
            );
            StoreError::of_kind(StoreErrorKind::BadStoreConfiguration, Error::invalid_input(what))
        })
    }

    /// Uploads an image into the bucket.
    pub(super) fn add(
        &self,
        image: &Add,
        source: UploadSource,
        seed: u64,
    ) -> Result<Job<PendingAdd>, StoreError> {
        let source = image.announced(source)?;
        let invalid = |error| StoreError::new(Verb::Add, error);
        if image.image_id.is_empty() {
            return Err(invalid(Error::invalid_input("the image has no id")));
        }
        let service = Arc::clone(&self.service);
        let mut options = self.upload_options(source);
        options.properties = image.properties.clone().into();
        let heeds = match source {
            UploadSource::Seekable(length) if length <= options.threshold => {
                service.config().quirks.conditional_put
            }
            // It is not known yet whether a stream is uploaded in parts.
            _ => {
                let quirks = service.config().quirks;
                quirks.conditional_put && quirks.conditional_complete
            }
        };
        let place = Target { bucket: self.bucket().to_owned(), key: image.image_id.clone() };
        let upload =
            S3Upload::new(&place.bucket, &place.key, source, options, Arc::clone(&service), seed)
                .map_err(invalid)?;
        let creates = self.options.s3_store_create_bucket_on_put;
        let url = self.place.location(&image.image_id).to_string();
        let (store, hash) = (self.id.clone(), image.hash);
        let machine = Adding::new(place, upload, service, !heeds, creates, seed);
        let mut job = Job::new(Verb::Add, &self.id, machine, vec![self.auth()?]);
        job.hashers = image.hashers().map_err(invalid)?;
        Ok(job.map(move |uploaded| {
            let uploaded = uploaded?;
            let (size, leftovers) = (uploaded.size, uploaded.leftovers);
            Ok(PendingAdd { url, size, store, hash, leftovers })
        }))
    }

    /// Returns the options of an upload into the bucket, which replaces no object.
    pub fn upload_options(&self, source: UploadSource) -> UploadOptions {
        let options = &self.options;
        let part_size = options.s3_store_large_object_chunk_size.saturating_mul(MIB);
        let memory = MEMORY.max(part_size.saturating_mul(2));
        // Images smaller than the option go in one request, those of its size do not.
        let whole = options.s3_store_large_object_size.saturating_mul(MIB).saturating_sub(1);
        let threshold = match source {
            UploadSource::Seekable(_) => whole,
            UploadSource::Stream(_) => whole.min(memory),
        };
        let conditions = match self.service.config().quirks.conditional_put {
            true => Conditions { if_none_match: Some(ETag::from("*")), ..Conditions::default() },
            false => Conditions::default(),
        };
        UploadOptions {
            threshold,
            part_size,
            concurrency: usize::try_from(options.s3_store_thread_pools).unwrap_or(usize::MAX),
            memory,
            conditions,
            verify_etag: true,
            ..UploadOptions::default()
        }
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("id", &self.id)
            .field("prefix", &self.prefix())
            .field("has_credentials", &self.auth.is_some())
            .finish_non_exhaustive()
    }
}

const MIB: u64 = 1 << 20;
/// The memory limit for a stream in bytes, unless two parts are more.
const MEMORY: u64 = 256 * MIB;
