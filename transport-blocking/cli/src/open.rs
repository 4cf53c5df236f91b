//! The backends, connected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use apus_blocking::{CancelToken, Client, Stores, Transport, TransportConfig, credentials};
use apus_core::Error;
use apus_core::contract::{Authenticator, Operation};
use apus_core::keystone::Session;
use apus_core::location::{S3Location, SwiftLocation};
use apus_core::machine::{Auth, Call, Observer, RateLimits};
use apus_core::s3;
use apus_core::store::config::{Backend, Configuration};
use apus_core::store::{self, S3Store, StoreBackend, StoredImage, SwiftStore, TenantContext};
use apus_core::swift;

use crate::Stage;
use crate::address::Address;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::place::Place;
use crate::settings::{self, Needs, Sound};
use crate::tenant;
use crate::watch::Watch;

/// All backends of the configuration.
pub(crate) struct Open {
    pub(crate) stores: Stores,
    pub(crate) watch: Arc<Watch>,
    pub(crate) interrupt: Interrupt,
    /// The id of the backend that was requested.
    wanted: Option<String>,
    /// The user of multi-tenant backends.
    tenant: Option<TenantContext>,
    /// The limits of requests and bytes, if there are any.
    rate: Option<Arc<RateLimits>>,
    /// Whether that backend has another bucket or container than the configured one.
    bucket: bool,
    /// The id of the backend with the bucket of [`Stage::other`].
    pub(crate) other: Option<String>,
    /// The accounts of backends: all requests of a command share a token.
    accounts: Mutex<BTreeMap<String, Account>>,
}

/// An object, or all objects whose names begin with a prefix, of a backend.
#[derive(Clone, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) backend: &'a StoreBackend,
    /// That of a location; otherwise it follows from the name.
    pub(crate) container: Option<String>,
    pub(crate) name: String,
}

/// A bucket of S3, for operations that `Stores` does not have.
pub(crate) struct Bucket {
    pub(crate) client: Client<s3::Service>,
    pub(crate) name: String,
    pub(crate) token: CancelToken,
}

/// An account of Swift, for operations that `Stores` does not have.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) client: Client<swift::Service>,
    pub(crate) session: Arc<Mutex<Session>>,
    pub(crate) token: CancelToken,
}

impl Stage {
    /// Reads the configuration and makes a transport for each backend. Sends nothing.
    pub(crate) fn open(&self) -> Result<Open, Failure> {
        self.connect(self.which.read(Needs::Connections)?)
    }

    /// Does what [`open`](Self::open) does, for a command that reads objects: the checksums of S3 are
    /// requested, unless the configuration says `never`.
    pub(crate) fn open_to_read(&self) -> Result<Open, Failure> {
        let mut sound = self.which.read(Needs::Connections)?;
        settings::request_checksums(&mut sound.configuration);
        self.connect(sound)
    }

    /// Does what [`open`](Self::open) does, for a shell that waits for words: each request is sent
    /// once, and a server has a few seconds for its response.
    pub(crate) fn open_briefly(&self) -> Result<Open, Failure> {
        let mut sound = self.which.read(Needs::Connections)?;
        settings::once(&mut sound.configuration);
        self.connect(sound)
    }

    fn connect(&self, mut sound: Sound) -> Result<Open, Failure> {
        if let Some(bucket) = &self.bucket {
            in_bucket(&mut sound.configuration, self.backend.as_deref(), bucket)?;
        }
        let other = match &self.other {
            Some((id, bucket)) => Some(with_other(&mut sound.configuration, id, bucket)?),
            None => None,
        };
        let core = store::Stores::new(&sound.configuration, &sound.references)?;
        if let Some(id) = &self.backend
            && core.backend(id).is_none()
        {
            return Err(no_backend(&core, id));
        }
        let watch = Arc::new(Watch::new(self.output));
        let interrupt = self.interrupt()?;
        let stores = core
            .with_credentials(credentials::named)
            .and_then(|core| Stores::with_transports(core, &trusting()?.cloud_tls(&sound.tls)?))
            .map_err(|error| Failure::configuration(error.message()))?
            .with_observer(Arc::clone(&watch) as Arc<dyn Observer>)
            .cancel_on(interrupt.token());
        let rate = self.which.limits.rate();
        let mut stores = match &rate {
            Some(limits) => stores.with_rate_limits(Arc::clone(limits)),
            None => stores,
        };
        let tenant = self.tenant(&stores, &interrupt)?;
        if let Some(tenant) = &tenant {
            stores = stores.for_tenant(tenant.clone());
        }
        interrupt.watch(&stores, &watch);
        Ok(Open {
            stores,
            watch,
            interrupt,
            wanted: self.backend.clone(),
            tenant,
            rate,
            bucket: self.bucket.is_some(),
            other,
            accounts: Mutex::default(),
        })
    }

    /// Returns the user of the multi-tenant backends, if there are any and a user is named.
    fn tenant(
        &self,
        stores: &Stores,
        interrupt: &Interrupt,
    ) -> Result<Option<TenantContext>, Failure> {
        let core = stores.core();
        let is_for_several = |backend: &StoreBackend| match backend {
            StoreBackend::Swift(store) if store.options().swift_store_multi_tenant => {
                Some(store.clone())
            }
            _ => None,
        };
        let wanted = self.backend.as_deref().and_then(|id| core.backend(id));
        let first = wanted.or_else(|| core.default_backend()).and_then(is_for_several);
        let any = || core.ids().filter_map(|id| core.backend(id)).find_map(is_for_several);
        let Some(store) = first.or_else(any) else { return Ok(None) };
        let Some(user) = self.which.user()? else { return Ok(None) };
        tenant::context(stores, &store, &user, &interrupt.token()).map(Some)
    }
}

impl Open {
    /// Returns the requested backend, or the default one.
    pub(crate) fn backend(&self) -> Result<&StoreBackend, Failure> {
        let core = self.stores.core();
        match &self.wanted {
            Some(id) => self.named(id),
            None => core.default_backend().ok_or_else(|| {
                let ids: Vec<&str> = core.ids().collect();
                if ids.is_empty() {
                    return Failure::configuration(NO_BACKEND);
                }
                Failure::usage(format!(
                    "missing --backend: no default backend is configured: use one of {}",
                    ids.join(", ")
                ))
            }),
        }
    }

    /// Returns the backend with this id.
    pub(crate) fn named(&self, id: &str) -> Result<&StoreBackend, Failure> {
        self.stores.core().backend(id).ok_or_else(|| no_backend(self.stores.core(), id))
    }

    /// Returns the object that an argument names: by location, or by its name in a backend.
    pub(crate) fn stored(&self, argument: &str) -> Result<StoredImage, Failure> {
        let (id, name) = match self.address(argument)? {
            Address::Location(url) => return Ok(StoredImage::new(url, self.wanted.as_deref())),
            Address::Object(id, name) => (id, name),
        };
        if name.is_empty() {
            return Err(Failure::usage("the name of the object is empty"));
        }
        let backend = self.backend_of(id)?;
        let url = match backend {
            StoreBackend::S3(store) => store.options().place()?.location(name).to_string(),
            StoreBackend::Swift(store) if store.options().swift_store_multi_tenant => {
                let storage = self.user_session(store)?.storage_url()?;
                let container = store.options().tenant_container(name);
                SwiftLocation::of_storage_url(&storage, container, name).to_string()
            }
            StoreBackend::Swift(store) => {
                let options = store.options();
                let container = options.container(name);
                let reference = &options.default_swift_reference;
                SwiftLocation::of_reference(reference, container, name).to_string()
            }
            _ => return Err(Failure::usage("objects of this kind of backend can't be named")),
        };
        Ok(StoredImage::new(url, Some(backend.id())))
    }

    /// Reads an argument.
    pub(crate) fn address<'a>(&self, argument: &'a str) -> Result<Address<'a>, Failure> {
        Address::read(argument, |id| self.stores.core().backend(id).is_some())
    }

    /// Returns the backend of a name with this id before it, or without one.
    pub(crate) fn backend_of(&self, id: Option<&str>) -> Result<&StoreBackend, Failure> {
        let own = self.backend();
        let Some(id) = id else { return own };
        if self.bucket && !own.is_ok_and(|own| own.id() == id) {
            return Err(Failure::usage(format!(
                "--bucket is for one backend: use --backend {id} with it"
            )));
        }
        self.named(id)
    }

    /// Returns the object or the prefix that an argument names in a configured backend.
    pub(crate) fn target(&self, argument: &str) -> Result<Target<'_>, Failure> {
        let url = match self.address(argument)? {
            Address::Object(id, name) => {
                let backend = self.backend_of(id)?;
                return Ok(Target { backend, container: None, name: name.to_owned() });
            }
            Address::Location(url) => url,
        };
        let stored = StoredImage::new(url, self.wanted.as_deref());
        let address = self.stores.core().access(&stored)?.outcome;
        let backend = match address.backend.as_deref().filter(|_| !address.own_credentials) {
            Some(id) => self.named(id)?,
            None => {
                let what = "the location is not in a configured backend";
                return Err(Failure::usage(what));
            }
        };
        let (container, name) = match backend {
            StoreBackend::S3(store) => {
                let (at, _) = S3Location::parse(&address.url, &[store.options().place()?])?;
                (at.bucket().to_owned(), at.key().to_owned())
            }
            _ => {
                let (at, _) = SwiftLocation::parse(&address.url, &[])?;
                (at.container().to_owned(), at.object().to_owned())
            }
        };
        Ok(Target { backend, container: Some(container), name })
    }

    /// Returns a function that names the place of a stored object in a failure.
    pub(crate) fn at<E: Into<Failure>>(&self, stored: &StoredImage) -> impl Fn(E) -> Failure {
        let place = Place::of_stored(self, stored);
        move |error| error.into().at(&place)
    }

    /// Returns a bucket, with a client.
    pub(crate) fn bucket(&self, store: &S3Store) -> Result<Bucket, Failure> {
        let service = s3::Service::clone(store.service());
        let auth = store.auth().map_err(Failure::from)?;
        let client = Client::with_transport(self.transport(store.id())?, service, auth)
            .with_observer(Arc::clone(&self.watch) as Arc<dyn Observer>)
            .with_cleanups(self.stores.cleanups().clone());
        let client = match &self.rate {
            Some(limits) => client.with_rate_limits(Arc::clone(limits)),
            None => client,
        };
        let name = store.bucket().to_owned();
        Ok(Bucket { client, name, token: self.interrupt.token() })
    }

    /// Returns an account, with a client: that of the user of a multi-tenant backend.
    pub(crate) fn account(&self, store: &SwiftStore) -> Result<Account, Failure> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(store.id()) {
            return Ok(account.clone());
        }
        let account = match store.options().swift_store_multi_tenant {
            true => self.account_of(store, self.user_session(store)?),
            false => self.service_account(store),
        }?;
        accounts.insert(store.id().to_owned(), account.clone());
        Ok(account)
    }

    /// Returns the account of the backend's own user.
    pub(crate) fn service_account(&self, store: &SwiftStore) -> Result<Account, Failure> {
        self.account_of(store, store.session()?)
    }

    fn account_of(&self, store: &SwiftStore, session: Session) -> Result<Account, Failure> {
        let session = Arc::new(Mutex::new(session));
        let service = swift::Service::clone(store.service());
        let auth = Auth::from_shared(Arc::clone(&session) as Arc<Mutex<dyn Authenticator>>);
        let transport = self.transport(store.id())?;
        let client = Client::with_transport(transport, service, auth)
            .with_observer(Arc::clone(&self.watch) as Arc<dyn Observer>)
            .with_cleanups(self.stores.cleanups().clone());
        let client = match &self.rate {
            Some(limits) => client.with_rate_limits(Arc::clone(limits)),
            None => client,
        };
        Ok(Account { client, session, token: self.interrupt.token() })
    }

    /// Returns a session of the user of a multi-tenant backend.
    fn user_session(&self, store: &SwiftStore) -> Result<Session, Failure> {
        match &self.tenant {
            Some(tenant) => Ok(store.session_of(tenant)?),
            None => Err(tenant::nobody(store)),
        }
    }

    /// Refuses a multi-tenant backend of which no user is named.
    pub(crate) fn named_user(&self, backend: &StoreBackend) -> Result<(), Failure> {
        match backend {
            StoreBackend::Swift(store) if store.options().swift_store_multi_tenant => {
                self.user_session(store).map(drop)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn transport(&self, id: &str) -> Result<Transport, Failure> {
        let missing = || Failure::new(Exit::Other, format!("backend {id} has no transport"));
        self.stores.transport(id).cloned().ok_or_else(missing)
    }

    /// Removes an object that was stored and is not what it should be, and says so.
    pub(crate) fn removed(&self, stored: &StoredImage, failure: Failure) -> Failure {
        let what = match self.stores.delete(stored) {
            Ok(_) => "the object was removed".to_owned(),
            Err(error) => format!("the object could not be removed: {error}"),
        };
        let url = stored.url.expose();
        Failure { message: format!("{url}: {}; {what}", failure.message), ..failure }
    }
}

impl Bucket {
    /// Calls an operation, with retries.
    pub(crate) fn call<O>(&self, operation: O) -> Result<O::Output, Error>
    where
        O: Operation<Service = s3::Service>,
    {
        let call = Call::new(operation, Arc::clone(self.client.service()), self.client.seed());
        self.client.run(call).cancel_on(self.token.clone()).send()
    }
}

impl Account {
    /// Calls an operation, with retries.
    pub(crate) fn call<O>(&self, operation: O) -> Result<O::Output, Error>
    where
        O: Operation<Service = swift::Service>,
    {
        let call = Call::new(operation, Arc::clone(self.client.service()), self.client.seed());
        self.client.run(call).cancel_on(self.token.clone()).send()
    }

    /// Returns the storage URL. A token must have been obtained before.
    pub(crate) fn storage(&self) -> Result<apus_core::BaseUrl, Failure> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(session.storage_url()?)
    }
}

/// Puts another bucket or container in place of that of a backend: the one with this id, or the
/// default one.
fn in_bucket(found: &mut Configuration, id: Option<&str>, bucket: &str) -> Result<(), Failure> {
    let id = id.or(found.default.as_deref()).map(str::to_owned);
    let Some(backend) = id.and_then(|id| found.backends.get_mut(&id)) else {
        return Err(Failure::usage("--bucket is for one backend: use --backend ID with it"));
    };
    set_bucket(backend, bucket);
    Ok(())
}

/// Adds a backend that is the one of this id with another bucket or container. Returns its id.
fn with_other(found: &mut Configuration, id: &str, bucket: &str) -> Result<String, Failure> {
    let Some(backend) = found.backends.get(id) else {
        let ids: Vec<&str> = found.backends.keys().map(String::as_str).collect();
        return Err(Failure::usage(format!(
            "unknown backend {id:?}: use one of {}",
            ids.join(", ")
        )));
    };
    let mut backend = backend.clone();
    set_bucket(&mut backend, bucket);
    let other = format!("{id}/{bucket}");
    found.backends.insert(other.clone(), backend);
    Ok(other)
}

/// Puts a bucket or a container in place of the configured one.
fn set_bucket(backend: &mut Backend, bucket: &str) {
    match backend {
        Backend::S3(options) => options.s3_store_bucket = Some(bucket.to_owned()),
        Backend::Swift(options) => {
            bucket.clone_into(&mut options.swift_store_container);
            options.swift_store_multiple_containers_seed = 0;
        }
    }
}

/// Trusts what the operating system trusts, or Mozilla's list where it has no certificates, as in a
/// container without the package `ca-certificates`. What `SSL_CERT_FILE` or `SSL_CERT_DIR` names
/// must be readable.
fn trusting() -> Result<TransportConfig, Error> {
    let is_named = |name| std::env::var_os(name).is_some();
    // A part of a file is read twice, from the system's cache, in place of being held in memory.
    let new = || TransportConfig::new().reread(true);
    match new().native_roots() {
        Err(_) if !is_named("SSL_CERT_FILE") && !is_named("SSL_CERT_DIR") => Ok(new()),
        native => native,
    }
}

fn no_backend(stores: &store::Stores, id: &str) -> Failure {
    let ids: Vec<&str> = stores.ids().collect();
    Failure::usage(format!("unknown backend {id:?}: use one of {}", ids.join(", ")))
}

const NO_BACKEND: &str =
    "the configuration has no backend in S3 or Swift: `apus config check` shows what it has";
