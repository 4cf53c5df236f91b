//! A container for a check, which is removed afterwards.

use std::fmt;
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::Operation;
use apus_core::http::Timeouts;
use apus_core::machine::Auth;
use apus_core::retry::RetryPolicy;
use apus_core::swift::{
    Config, DeleteContainer, DeleteObject, GetContainer, HeadContainer, PutContainer, Service,
};

use crate::site::{Server, Site};
use crate::store::{Store, Transport};

/// The place of a check: one server, scheme and transport.
#[derive(Clone, Copy)]
pub struct Place {
    pub server: Server,
    pub https: bool,
    pub transport: Transport,
}

/// A client and a container of its own.
pub struct Stage<'a> {
    pub site: &'a Site,
    pub place: Place,
    pub store: Store<Service>,
    pub container: String,
    closed: bool,
}

impl Place {
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} over {} ({:?})", self.server, self.scheme(), self.transport)
    }
}

impl<'a> Stage<'a> {
    /// Creates the container; `name` is its purpose.
    pub fn open(site: &'a Site, place: Place, name: &str) -> Self {
        let store = client(site, place, vec![site.auth(place.https)]);
        let container = format!(
            "apus-{name}-{}-{}-{}",
            format!("{:?}", place.transport).to_lowercase(),
            place.scheme(),
            std::process::id()
        );
        store.call(PutContainer::new(&container)).unwrap();
        Self { site, place, store, container, closed: false }
    }

    /// Another client of the same place.
    pub fn client(&self, auths: Vec<Auth>) -> Store<Service> {
        client(self.site, self.place, auths)
    }

    pub fn call<O: Operation<Service = Service>>(&self, operation: O) -> Result<O::Output, Error> {
        self.store.call(operation)
    }

    /// The names of what is in the container.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        names(&self.store, &self.container)
    }

    /// Empties the container and removes it.
    pub fn close(mut self) {
        self.closed = true;
        sweep(&self.store, &self.container).unwrap();
        let gone = self.call(HeadContainer::new(&self.container)).unwrap_err();
        assert!(gone.is_not_found(), "{gone}");
    }
}

impl Drop for Stage<'_> {
    /// A check that panicked leaves nothing either, as far as that can be done.
    fn drop(&mut self) {
        if !self.closed {
            let _ = sweep(&self.store, &self.container);
        }
    }
}

/// The names of what is in a container, of all pages.
pub fn names(store: &Store<Service>, container: &str) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    let mut list = Some(GetContainer::new(container));
    while let Some(page) = list {
        let answer = store.call(page.clone())?;
        names.extend(answer.objects().map(|object| object.name.clone()));
        list = page.next(&answer)?;
    }
    Ok(names)
}

/// Removes a container with all that is in it.
pub fn sweep(store: &Store<Service>, container: &str) -> Result<(), Error> {
    for name in names(store, container)? {
        match store.call(DeleteObject::new(container, name)) {
            Err(error) if error.is_not_found() => {}
            other => drop(other?),
        }
    }
    store.call(DeleteContainer::new(container)).map(drop)
}

fn client(site: &Site, place: Place, auths: Vec<Auth>) -> Store<Service> {
    Store::new(place.transport, Service::new(config()).unwrap(), &site.ca, auths)
}

/// A configuration that shows soon what does not work.
pub fn config() -> Config {
    Config {
        retry_policy: RetryPolicy { attempts: 3, ..RetryPolicy::default() },
        timeouts: Timeouts {
            first_byte: Some(Duration::from_secs(30)),
            idle: Some(Duration::from_secs(5)),
            ..Timeouts::default()
        },
        ..Config::default()
    }
}
