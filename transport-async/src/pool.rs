//! Idle connections.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::task::JoinHandle;

use crate::cancel::lock;
use crate::connect::Route;
use crate::http_connection::HttpConnection;

/// The idle connections of a transport, by runtime and by route: a socket belongs to the runtime
/// that opened it and does not work under another one.
pub(crate) struct Pool {
    age: Duration,
    most: usize,
    idle: Mutex<HashMap<runtime::Id, Idle>>,
}

/// The idle connections of one runtime.
#[derive(Default)]
struct Idle {
    links: BTreeMap<Route, Vec<(Instant, Box<HttpConnection>)>>,
    /// Closes connections that are too old.
    sweeper: Option<JoinHandle<()>>,
}

impl Pool {
    /// A pool that keeps `most` connections of a route, each for up to `age`.
    pub(crate) fn new(age: Duration, most: usize) -> Self {
        Self { age, most, idle: Mutex::default() }
    }

    /// Takes the connection that was used last, among those that are still open.
    pub(crate) fn take(&self, route: &Route) -> Option<Box<HttpConnection>> {
        let runtime = runtime::Handle::current().id();
        loop {
            let (since, mut link) =
                lock(&self.idle).get_mut(&runtime)?.links.get_mut(route)?.pop()?;
            if since.elapsed() < self.age && link.is_fresh() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection for another exchange.
    pub(crate) fn put(self: &Arc<Self>, link: Box<HttpConnection>) {
        if self.most == 0 || self.age.is_zero() {
            return;
        }
        let runtime = runtime::Handle::current().id();
        let mut idle = lock(&self.idle);
        let idle = idle.entry(runtime).or_default();
        match idle.links.get_mut(&link.route) {
            Some(links) if links.len() < self.most => links.push((Instant::now(), link)),
            Some(_) => {}
            None => {
                idle.links.insert(link.route.clone(), vec![(Instant::now(), link)]);
            }
        }
        if idle.sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            idle.sweeper = Some(tokio::spawn(sweep(Arc::downgrade(self), self.age, runtime)));
        }
    }

    /// Closes connections that are too old. False if none of this runtime is left, and its sweeper
    /// is no longer needed.
    fn expire(&self, runtime: runtime::Id) -> bool {
        let mut idle = lock(&self.idle);
        let Some(here) = idle.get_mut(&runtime) else { return false };
        here.links.retain(|_, links| {
            links.retain(|(since, _)| since.elapsed() < self.age);
            !links.is_empty()
        });
        let needed = !here.links.is_empty();
        if !needed {
            idle.remove(&runtime);
        }
        needed
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for sweeper in lock(&self.idle).drain().filter_map(|(_, idle)| idle.sweeper) {
            sweeper.abort();
        }
    }
}

/// Closes the idle connections of one runtime when they are too old, as long as there are any.
async fn sweep(pool: Weak<Pool>, age: Duration, runtime: runtime::Id) {
    loop {
        tokio::time::sleep(age / 4).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.expire(runtime) {
            return;
        }
    }
}
