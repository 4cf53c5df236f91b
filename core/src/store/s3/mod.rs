//! A backend in S3: one bucket, an object for each image.

use std::fmt;
use std::sync::Arc;

use super::config::S3Options;
use super::connection::Connection;
use super::error::{StoreError, StoreErrorKind};
use super::image::{Add, Address, Get, Got, Placed};
use super::job::Job;
use super::migration::S3Access;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::location::S3Place;
use crate::machine::Party;
use crate::s3::Service;

/// A backend in S3. Cheap to clone.
#[derive(Clone)]
pub struct S3Store {
    id: String,
    options: Arc<S3Options>,
    service: Arc<Service>,
    place: S3Place,
    connection: Connection,
    party: Option<Party>,
}

impl S3Store {
    pub(super) fn new(id: &str, options: &S3Options) -> Result<Self, Error> {
        Ok(Self {
            id: id.to_owned(),
            service: Arc::new(Service::new(options.config()?)?),
            place: options.place()?,
            connection: Connection::of_s3(options),
            party: options.keys().map(|keys| Party::new(Credentials::new(keys))),
            options: Arc::new(options.clone()),
        })
    }

    pub(super) fn set_party(&mut self, party: Party) {
        self.party = Some(party);
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its options.
    pub fn options(&self) -> &S3Options {
        &self.options
    }

    /// What its locations begin with: `s3+https://host/bucket/`.
    pub fn prefix(&self) -> String {
        self.place.prefix()
    }

    /// How its server is reached.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Where its requests go: for what goes beyond the verbs.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Its bucket.
    pub fn bucket(&self) -> &str {
        self.options.s3_store_bucket.as_deref().unwrap_or_default()
    }

    /// Who we are to it.
    ///
    /// # Errors
    ///
    /// No credentials are configured.
    pub fn party(&self) -> Result<Party, StoreError> {
        self.party.clone().ok_or_else(|| {
            let what = format!("backend {:?} has no credentials", self.id);
            StoreError::of_kind(StoreErrorKind::BadStoreConfiguration, Error::caller(what))
        })
    }

    pub(super) fn add(&self, _: &Add, _: u64) -> Result<Job<Placed>, StoreError> {
        Err(unsupported())
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("id", &self.id)
            .field("prefix", &self.prefix())
            .field("has_credentials", &self.party.is_some())
            .finish_non_exhaustive()
    }
}

/// An object in S3, the backend over whose connection it is reached, and whose credentials.
pub(super) struct S3Route<'a> {
    store: &'a S3Store,
    access: S3Access,
}

impl<'a> S3Route<'a> {
    pub(super) fn new(store: &'a S3Store, access: S3Access) -> Self {
        Self { store, access }
    }

    pub(super) fn address(&self) -> Address {
        Address {
            url: self.access.location.to_string(),
            backend: self.access.backend.clone(),
            own_credentials: self.access.credentials.is_some(),
        }
    }

    pub(super) fn get(&self, _: &Get, _: u64) -> Result<Job<Got>, StoreError> {
        self.store.party().and(Err(unsupported()))
    }

    pub(super) fn size(&self, _: u64) -> Result<Job<u64>, StoreError> {
        Err(unsupported())
    }

    pub(super) fn exists(&self, _: u64) -> Result<Job<bool>, StoreError> {
        Err(unsupported())
    }

    pub(super) fn delete(&self, _: u64) -> Result<Job<()>, StoreError> {
        Err(unsupported())
    }
}

fn unsupported() -> StoreError {
    let error = Error::caller("images in S3 can't be used");
    StoreError::of_kind(StoreErrorKind::NotSupported, error)
}
