//! All backends of an image service, and the actions on images in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::backend::StoreBackend;
use super::config::{Backend, ConfigError, ConfigErrors, Configuration, Mode, Reference};
use super::error::{StoreError, StoreErrorKind};
use super::image::{
    Access, Acls, Add, Address, Get, GetResult, PendingAdd, StoredImage, TenantContext,
};
use super::job::Job;
use super::migration::{S3Places, SwiftPlaces};
use super::s3::{S3Route, S3Store};
use super::swift::{SwiftRoute, SwiftStore};
use crate::base_url::BaseUrl;
use crate::credentials::{CredentialSource, Credentials};
use crate::error::Error;
use crate::machine::{Auth, UploadSource};

/// All backends of an image service.
///
/// Cheap to clone: clones share tokens, clock offsets and what was learnt about servers. The `seed`
/// of a method determines the jitter of its retry delays.
#[derive(Clone, Debug)]
pub struct Stores {
    inner: Arc<Inner>,
    tenant: Option<Arc<TenantContext>>,
}

#[derive(Clone, Debug)]
struct Inner {
    mode: Mode,
    backends: BTreeMap<String, StoreBackend>,
    default: Option<String>,
    s3: S3Places,
    swift: SwiftPlaces,
    /// The S3 and the Swift backend whose connections reach hosts of no backend.
    foreign: [Option<String>; 2],
}

/// The object that a stored location names.
enum Route<'a> {
    S3(S3Route<'a>),
    Swift(SwiftRoute<'a>),
}

impl Stores {
    /// Makes the backends of a checked configuration.
    ///
    /// `references` holds the references of each `swift_store_config_file`, by the path in the
    /// option: [`Configuration::references`] reads them.
    ///
    /// # Errors
    ///
    /// All inconsistencies, for example a missing file of references, or an endpoint that the
    /// configured provider cannot have.
    pub fn new(
        configuration: &Configuration,
        references: &BTreeMap<String, BTreeMap<String, Reference>>,
    ) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut backends = BTreeMap::new();
        let mut swift = SwiftPlaces::default();
        for (id, backend) in &configuration.backends {
            let made = match backend {
                Backend::S3(options) => S3Store::new(id, options).map(StoreBackend::S3),
                Backend::Swift(options) => {
                    let named = match options.references(id, references) {
                        Ok(named) => named,
                        Err(wrong) => {
                            errors.extend(wrong.iter().cloned());
                            continue;
                        }
                    };
                    if let Err(error) = swift.add(id, options, &named) {
                        errors.push(wrong(id, &error));
                        continue;
                    }
                    SwiftStore::new(id, options, &named).map(StoreBackend::Swift)
                }
            };
            match made {
                Ok(backend) => drop(backends.insert(id.clone(), backend)),
                Err(error) => errors.push(wrong(id, &error)),
            }
        }
        ConfigErrors::check(errors)?;
        // Does not fail: `S3Store::new` has read the place of every backend.
        let s3 = S3Places::of(configuration).unwrap_or_default();
        let inner = Inner {
            mode: configuration.mode,
            backends,
            default: configuration.default.clone(),
            s3,
            swift,
            foreign: [None, None],
        };
        Ok(Self { inner: Arc::new(inner), tenant: None })
    }

    /// Replaces the configured keys of the S3 backend `id` by this authenticator.
    ///
    /// # Errors
    ///
    /// There is no S3 backend with this id.
    pub fn with_auth(mut self, id: &str, auth: Auth) -> Result<Self, StoreError> {
        match Arc::make_mut(&mut self.inner).backends.get_mut(id) {
            Some(StoreBackend::S3(store)) => store.set_party(auth),
            _ => return Err(unknown(id)),
        }
        Ok(self)
    }

    /// Sets the credentials of the S3 backends whose options do not contain the keys.
    ///
    /// `named` makes the credentials from the source, the profile and the region of a backend.
    ///
    /// # Errors
    ///
    /// The error of `named`, with the id of the backend.
    pub fn with_credentials(
        mut self,
        named: impl Fn(CredentialSource, Option<&str>, Option<&str>) -> Result<Credentials, Error>,
    ) -> Result<Self, Error> {
        for (id, backend) in &mut Arc::make_mut(&mut self.inner).backends {
            let StoreBackend::S3(store) = backend else { continue };
            let options = store.options();
            let source = options.s3_store_credential_source;
            if source != CredentialSource::Static {
                let profile = options.s3_store_profile.as_deref();
                let wrong = |error: Error| {
                    Error::invalid_input(format!("backend {id}: {}", error.message()))
                };
                let made = named(source, profile, Some(&options.region())).map_err(wrong)?;
                store.set_party(Auth::new(made));
            }
        }
        Ok(self)
    }

    /// Returns the backends for the user of one request, where images are in the users' accounts.
    #[must_use]
    pub fn for_tenant(&self, context: TenantContext) -> Self {
        Self { inner: Arc::clone(&self.inner), tenant: Some(Arc::new(context)) }
    }

    /// Allows locations at hosts of no backend.
    ///
    /// Their requests use the credentials in the location and the connection of the backend `via`.
    /// An S3 backend allows it for S3 locations, a Swift backend for Swift locations.
    ///
    /// # Errors
    ///
    /// There is no backend with this id.
    pub fn with_foreign_hosts(mut self, via: &str) -> Result<Self, StoreError> {
        let inner = Arc::make_mut(&mut self.inner);
        let [s3, swift] = &mut inner.foreign;
        match inner.backends.get(via) {
            Some(StoreBackend::S3(_)) => {
                *s3 = Some(via.to_owned());
                inner.s3 = std::mem::take(&mut inner.s3).with_foreign_hosts();
            }
            Some(StoreBackend::Swift(_)) => {
                *swift = Some(via.to_owned());
                inner.swift = std::mem::take(&mut inner.swift).with_foreign_hosts();
            }
            None => return Err(unknown(via)),
        }
        Ok(self)
    }

    /// Returns how the backend of a location is found.
    pub fn mode(&self) -> Mode {
        self.inner.mode
    }

    /// Returns the ids of all backends.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.inner.backends.keys().map(String::as_str)
    }

    /// Returns the backend with this id.
    pub fn backend(&self, id: &str) -> Option<&StoreBackend> {
        self.inner.backends.get(id)
    }

    /// Returns the backend for images whose backend is not named.
    ///
    /// Without a configured default it is the only backend, if there is exactly one.
    pub fn default_backend(&self) -> Option<&StoreBackend> {
        match &self.inner.default {
            Some(id) => self.backend(id),
            None if self.inner.backends.len() == 1 => self.inner.backends.values().next(),
            None => None,
        }
    }

    /// Returns the object that a stored location names, and the migration of the location.
    ///
    /// Sends nothing.
    ///
    /// # Errors
    ///
    /// The reason why the location is not used.
    pub fn access(&self, stored: &StoredImage) -> Result<Access<Address>, StoreError> {
        Ok(self.route(stored)?.map(|route| match route {
            Route::S3(route) => route.address(),
            Route::Swift(route) => route.address(),
        }))
    }

    /// Stores an image in the backend with this id, or in the default one.
    ///
    /// [`PendingAdd::with_digests`] completes the result with the digests of the source.
    ///
    /// # Errors
    ///
    /// There is no such backend, it has no credentials, or the size of the source differs from the
    /// announced size.
    pub fn add(
        &self,
        backend: Option<&str>,
        image: &Add,
        source: UploadSource,
        seed: u64,
    ) -> Result<Job<PendingAdd>, StoreError> {
        let store = match backend {
            Some(id) => self.backend(id).ok_or_else(|| unknown(id))?,
            None => self.default_backend().ok_or_else(no_default)?,
        };
        match store {
            StoreBackend::S3(store) => store.add(image, source, seed),
            StoreBackend::Swift(store) => store.add(image, source, self.tenant.as_deref(), seed),
        }
    }

    /// Reads an image, or a range of it.
    ///
    /// Resumes an interrupted response: in Swift up to `swift_store_retry_get_count` times.
    ///
    /// # Errors
    ///
    /// Those of [`access`](Self::access); the backend has no credentials.
    pub fn get(
        &self,
        stored: &StoredImage,
        get: &Get,
        seed: u64,
    ) -> Result<Access<Job<GetResult>>, StoreError> {
        self.job(stored, |route| route.get(get, seed), |route, tenant| route.get(get, tenant, seed))
    }

    /// Returns the size of an image in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub fn size(&self, stored: &StoredImage, seed: u64) -> Result<Access<Job<u64>>, StoreError> {
        self.job(stored, |route| route.size(seed), |route, tenant| route.size(tenant, seed))
    }

    /// Returns whether an image exists.
    ///
    /// S3 hides from credentials without the permission to list whether an object exists. The job
    /// then fails with [`Forbidden`](StoreErrorKind::Forbidden).
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub fn exists(&self, stored: &StoredImage, seed: u64) -> Result<Access<Job<bool>>, StoreError> {
        self.job(stored, |route| route.exists(seed), |route, tenant| route.exists(tenant, seed))
    }

    /// Removes an image.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub fn delete(&self, stored: &StoredImage, seed: u64) -> Result<Access<Job<()>>, StoreError> {
        self.job(stored, |route| route.delete(seed), |route, tenant| route.delete(tenant, seed))
    }

    /// Sets who may read and write an image in the account of the user who stored it.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get). In S3, and in single-tenant Swift,
    /// [`NotSupported`](StoreErrorKind::NotSupported).
    pub fn set_acls(
        &self,
        stored: &StoredImage,
        acls: &Acls,
        seed: u64,
    ) -> Result<Access<Job<()>>, StoreError> {
        let in_s3 = |_: &S3Route<'_>| {
            Err(StoreError::of_kind(
                StoreErrorKind::NotSupported,
                Error::invalid_input("access to images in S3 is configured by the bucket policy"),
            ))
        };
        self.job(stored, in_s3, |route, tenant| route.set_acls(acls, tenant, seed))
    }

    /// Makes a job on the object that a stored location names.
    fn job<T>(
        &self,
        stored: &StoredImage,
        s3: impl FnOnce(&S3Route<'_>) -> Result<Job<T>, StoreError>,
        swift: impl FnOnce(&SwiftRoute<'_>, Option<&TenantContext>) -> Result<Job<T>, StoreError>,
    ) -> Result<Access<Job<T>>, StoreError> {
        let Access { outcome, migration } = self.route(stored)?;
        let outcome = match &outcome {
            Route::S3(route) => s3(route),
            Route::Swift(route) => swift(route, self.tenant.as_deref()),
        }?;
        Ok(Access { outcome, migration })
    }

    fn route(&self, stored: &StoredImage) -> Result<Access<Route<'_>>, StoreError> {
        let (url, store) = (stored.url.expose(), stored.store.as_deref());
        let scheme = url.split([':', '+']).next().unwrap_or_default();
        let is_swift = scheme.eq_ignore_ascii_case("swift");
        if is_swift { self.swift_route(url, store) } else { self.s3_route(url, store) }
    }

    fn s3_route(&self, url: &str, store: Option<&str>) -> Result<Access<Route<'_>>, StoreError> {
        let mut access = self.inner.s3.access(url, store).map_err(StoreError::of_s3_location)?;
        let migration = access.migration.take();
        let via = access.via.as_deref().or(self.inner.foreign[0].as_deref());
        let store = match via.and_then(|id| self.backend(id)) {
            Some(StoreBackend::S3(store)) => store,
            _ => return Err(unknown(via.unwrap_or_default())),
        };
        Ok(Access { outcome: Route::S3(S3Route::new(store, access)), migration })
    }

    fn swift_route(&self, url: &str, store: Option<&str>) -> Result<Access<Route<'_>>, StoreError> {
        let places = &self.inner.swift;
        let access = places.access(url, store, self.tenant_storage(store).as_ref());
        let mut access = access.map_err(StoreError::of_swift_location)?;
        let migration = access.migration.take();
        let via = access.via.as_deref().or(self.inner.foreign[1].as_deref());
        let store = match via.and_then(|id| self.backend(id)) {
            Some(StoreBackend::Swift(store)) => store,
            _ => return Err(unknown(via.unwrap_or_default())),
        };
        Ok(Access { outcome: Route::Swift(SwiftRoute::new(store, access)), migration })
    }

    /// Returns the storage URL of the user of this request, by the named backend or else by the
    /// first multi-tenant one.
    fn tenant_storage(&self, store: Option<&str>) -> Option<BaseUrl> {
        let tenant = self.tenant.as_deref()?;
        let named = store.and_then(|id| self.backend(id));
        named.into_iter().chain(self.inner.backends.values()).find_map(|backend| match backend {
            StoreBackend::Swift(store) => store.storage_of(tenant),
            StoreBackend::S3(_) => None,
        })
    }
}

fn wrong(id: &str, error: &Error) -> ConfigError {
    ConfigError {
        place: None,
        section: id.to_owned(),
        option: None,
        value: None,
        problem: error.message().to_owned(),
    }
}

fn unknown(id: &str) -> StoreError {
    let what = format!("backend {id:?} is not configured");
    StoreError::of_kind(StoreErrorKind::UnknownStore, Error::invalid_input(what))
}

fn no_default() -> StoreError {
    let what = "no backend is named, and no default backend is configured";
    StoreError::of_kind(StoreErrorKind::BadStoreConfiguration, Error::invalid_input(what))
}
