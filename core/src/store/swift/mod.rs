//! A backend in Swift: containers, an object for each image.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{Reference, SwiftOptions};
use super::connection::Connection;
use super::error::{StoreError, StoreErrorKind};
use super::image::{Access, Acls, Add, Address, Get, Got, Placed, TenantContext};
use super::job::Job;
use crate::error::Error;

/// A backend in Swift. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SwiftStore {
    id: String,
    options: Arc<SwiftOptions>,
    connection: Connection,
}

impl SwiftStore {
    pub(super) fn new(
        id: &str,
        options: &SwiftOptions,
        _: Option<&BTreeMap<String, Reference>>,
    ) -> Result<Self, Error> {
        Ok(Self {
            id: id.to_owned(),
            connection: Connection::of_swift(options),
            options: Arc::new(options.clone()),
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its options.
    pub fn options(&self) -> &SwiftOptions {
        &self.options
    }

    /// What its locations begin with: `swift+config://reference/container`. None where images lie in
    /// the accounts of users.
    pub fn prefix(&self) -> Option<String> {
        None
    }

    /// How its servers are reached.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn add(
        &self,
        _: &Add,
        _: Option<&TenantContext>,
        _: u64,
    ) -> Result<Job<Placed>, StoreError> {
        Err(unsupported())
    }
}

/// An object in Swift, the backend that it lies in, and by what right it is used.
pub(super) struct SwiftRoute<'a> {
    store: &'a SwiftStore,
}

/// What to do with a location whose metadata has this `store`.
pub(super) fn route<'a>(
    mut stores: impl Iterator<Item = &'a SwiftStore>,
    _: &str,
    _: Option<&str>,
) -> Result<Access<SwiftRoute<'a>>, StoreError> {
    let store = stores.next().ok_or_else(unsupported)?;
    Ok(Access { outcome: SwiftRoute { store }, migration: None })
}

impl SwiftRoute<'_> {
    pub(super) fn address(&self) -> Address {
        Address { url: String::new(), backend: Some(self.store.id.clone()), own_credentials: false }
    }

    pub(super) fn get(
        &self,
        _: &Get,
        _: Option<&TenantContext>,
        _: u64,
    ) -> Result<Job<Got>, StoreError> {
        Err(unsupported())
    }

    pub(super) fn size(&self, _: Option<&TenantContext>, _: u64) -> Result<Job<u64>, StoreError> {
        Err(unsupported())
    }

    pub(super) fn exists(
        &self,
        _: Option<&TenantContext>,
        _: u64,
    ) -> Result<Job<bool>, StoreError> {
        Err(unsupported())
    }

    pub(super) fn delete(&self, _: Option<&TenantContext>, _: u64) -> Result<Job<()>, StoreError> {
        Err(unsupported())
    }

    pub(super) fn set_acls(
        &self,
        _: &Acls,
        _: Option<&TenantContext>,
        _: u64,
    ) -> Result<Job<()>, StoreError> {
        Err(unsupported())
    }
}

fn unsupported() -> StoreError {
    let error = Error::caller("images in Swift can't be used");
    StoreError::of_kind(StoreErrorKind::NotSupported, error)
}
