//! A Swift backend: containers, with an object for each image.
//!
//! ```text
//!                  single-tenant                         multi-tenant
//!  container       glance, or glance_0e with a seed      glance_<image id>: one for each image
//!  account         that of the reference                 that of the requesting user
//!  location        swift+config://ref1/glance/<id>       swift+https://storage/v1/AUTH_x/glance_<id>/<id>
//!  token           the reference's: one session, shared  the user's; for long transfers, that of a
//!                  by all requests                       trust from the user to the reference
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `rights.rs` | sessions: the reference's, a location's own, the user's with a trust |
//! | `add.rs` | the upload of an image: the container, then the object |
//! | `route.rs` | the actions on the object of a location |
//! | `size.rs`, `remove.rs` | actions of more than one request |
//!
//! A segment of a stream is held in memory until the server has it, and can be sent again. So no
//! buffering in files is needed (`swift_buffer_on_upload`).

mod add;
mod authorization;
mod remove;
mod route;
mod size;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use self::add::Adding;
use self::authorization::Authorization;
pub(super) use self::route::SwiftRoute;
use super::config::{Reference, SwiftOptions};
use super::connection::Connection;
use super::error::{StoreError, StoreErrorKind};
use super::image::{Add, PendingAdd, TenantContext};
use super::job::Job;
use super::verb::Verb;
use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::keystone::{self, Session};
use crate::location::SwiftLocation;
use crate::machine::{Auth, SwiftUpload, UploadSource};
use crate::swift::Service;

/// A Swift backend. Cheap to clone.
#[derive(Clone)]
pub struct SwiftStore {
    id: String,
    options: Arc<SwiftOptions>,
    references: Arc<BTreeMap<String, Reference>>,
    /// The authenticator of each reference, which all requests share.
    auths: Arc<BTreeMap<String, Auth>>,
    service: Arc<Service>,
    keystone: Arc<keystone::Service>,
    connection: Connection,
}

impl SwiftStore {
    /// `references` are [its own](SwiftOptions::references).
    pub(super) fn new(
        id: &str,
        options: &SwiftOptions,
        references: &BTreeMap<String, Reference>,
    ) -> Result<Self, Error> {
        let auth = |(name, reference): (&String, &Reference)| {
            Ok((name.clone(), Auth::new(authorization::session(options, reference)?)))
        };
        Ok(Self {
            id: id.to_owned(),
            auths: Arc::new(references.iter().map(auth).collect::<Result<_, Error>>()?),
            references: Arc::new(references.clone()),
            service: Arc::new(Service::new(options.config())?),
            keystone: Arc::new(options.keystone()),
            connection: Connection::of_swift(options)?,
            options: Arc::new(options.clone()),
        })
    }

    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the options.
    pub fn options(&self) -> &SwiftOptions {
        &self.options
    }

    /// Returns the prefix of its locations: `swift+config://reference/container`.
    ///
    /// `None` in multi-tenant mode, unless `swift_store_endpoint` is one configured URL.
    pub fn prefix(&self) -> Option<String> {
        self.options.location_prefix()
    }

    /// Returns the transport settings.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the service, for operations other than the actions of [`Stores`](super::Stores).
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Returns the authenticator of its default reference.
    ///
    /// # Errors
    ///
    /// There is no default reference, which a multi-tenant backend need not have.
    pub fn auth(&self) -> Result<Auth, StoreError> {
        self.party_of(&self.options.default_swift_reference)
    }

    /// Makes a session of its default reference that no other request shares.
    ///
    /// # Errors
    ///
    /// Those of [`auth`](Self::auth).
    pub fn session(&self) -> Result<Session, StoreError> {
        let name = &self.options.default_swift_reference;
        let reference = self.references.get(name).ok_or_else(|| self.no_reference(name))?;
        authorization::session(&self.options, reference)
            .map_err(|error| StoreError::of_kind(StoreErrorKind::BadStoreConfiguration, error))
    }

    /// Makes a session of a user in multi-tenant mode, with the user's token and storage URL.
    ///
    /// # Errors
    ///
    /// The token can't be sent in a header; the user's catalogue has no such endpoint.
    pub fn session_of(&self, tenant: &TenantContext) -> Result<Session, StoreError> {
        let lacks = |error| StoreError::of_kind(StoreErrorKind::BadStoreConfiguration, error);
        authorization::session_of(self, tenant).map_err(lacks)
    }

    /// Returns the URL of the Keystone of its default reference.
    ///
    /// # Errors
    ///
    /// Those of [`auth`](Self::auth).
    pub fn auth_address(&self) -> Result<&str, StoreError> {
        let name = &self.options.default_swift_reference;
        let reference = self.references.get(name).ok_or_else(|| self.no_reference(name))?;
        Ok(&reference.auth_address)
    }

    /// Returns the storage URL of a user in multi-tenant mode.
    pub(super) fn storage_of(&self, tenant: &TenantContext) -> Option<BaseUrl> {
        let is_for_several = self.options.swift_store_multi_tenant;
        is_for_several.then(|| authorization::storage(self, tenant).ok())?
    }

    fn party_of(&self, reference: &str) -> Result<Auth, StoreError> {
        self.auths.get(reference).cloned().ok_or_else(|| self.no_reference(reference))
    }

    fn no_reference(&self, reference: &str) -> StoreError {
        let what = format!("backend {:?} has no reference {reference:?}", self.id);
        StoreError::of_kind(StoreErrorKind::BadStoreConfiguration, Error::invalid_input(what))
    }

    /// Uploads an image.
    pub(super) fn add(
        &self,
        image: &Add,
        source: UploadSource,
        tenant: Option<&TenantContext>,
        seed: u64,
    ) -> Result<Job<PendingAdd>, StoreError> {
        let source = image.announced(source)?;
        let invalid = |error| StoreError::new(Verb::Add, error);
        let id = image.image_id.as_str();
        if id.is_empty() {
            return Err(invalid(Error::invalid_input("the image has no id")));
        }
        let (options, for_each) = (&self.options, self.options.swift_store_multi_tenant);
        let (container, location, rights);
        if for_each {
            let (user, storage) = Authorization::of_user(self, tenant, None)?;
            container = options.tenant_container(id);
            location = SwiftLocation::of_storage_url(&storage, &container, id);
            rights = user;
        } else {
            container = options.container(id);
            let reference = options.default_swift_reference.as_str();
            location = SwiftLocation::of_reference(reference, &container, id);
            rights = Authorization::of_one(self.auth()?);
        }
        let is_stream = matches!(source, UploadSource::Stream(_));
        let mut sent = options.upload(is_stream);
        sent.properties = image.properties.clone().into();
        let upload =
            SwiftUpload::new(&container, id, source, sent, Arc::clone(&self.service), seed)
                .map_err(invalid)?;
        // A stream of unknown length may turn out to be large.
        let may_be_long = upload.is_segmented() != Some(false);
        let creates = options.swift_store_create_container_on_put;
        let machine =
            Adding::new(container, upload, Arc::clone(&self.service), creates, for_each, seed);
        let mut job = rights.job(self, Verb::Add, machine, may_be_long, seed);
        job.hashers = image.hashers().map_err(invalid)?;
        let (url, store, hash) = (location.to_string(), self.id.clone(), image.hash);
        Ok(job.map(move |uploaded| {
            let uploaded = uploaded?;
            let (size, leftovers) = (uploaded.size, uploaded.leftovers);
            Ok(PendingAdd { url, size, store, hash, leftovers })
        }))
    }
}

impl fmt::Debug for SwiftStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwiftStore")
            .field("id", &self.id)
            .field("prefix", &self.prefix())
            .field("references", &self.references.keys())
            .finish_non_exhaustive()
    }
}
