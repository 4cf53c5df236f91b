//! Connections that wait for their next exchange.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::task::JoinHandle;

use crate::cancel::lock;
use crate::connect::Route;
use crate::link::Link;

/// Idle connections of a transport, by route and by runtime: a socket belongs to the runtime that
/// opened it and is dead or asleep under any other.
pub(crate) struct Pool {
    age: Duration,
    most: usize,
    idle: Mutex<Idle>,
}

/// Whose, and where to.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    runtime: runtime::Id,
    route: Route,
}

#[derive(Default)]
struct Idle {
    links: HashMap<Place, Vec<(Instant, Box<Link>)>>,
    sweepers: HashMap<runtime::Id, JoinHandle<()>>,
}

impl Pool {
    /// Keeps `most` connections of a route for up to `age`.
    pub(crate) fn new(age: Duration, most: usize) -> Self {
        Self { age, most, idle: Mutex::default() }
    }

    /// The connection that was used last, if there is one that still stands.
    pub(crate) fn take(&self, route: &Route) -> Option<Box<Link>> {
        let runtime = runtime::Handle::current().id();
        let place = Place { runtime, route: route.clone() };
        loop {
            let (since, mut link) = lock(&self.idle).links.get_mut(&place)?.pop()?;
            if since.elapsed() < self.age && link.is_fresh() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection for the next who asks.
    pub(crate) fn put(self: &Arc<Self>, link: Box<Link>) {
        let runtime = runtime::Handle::current().id();
        let mut idle = lock(&self.idle);
        if self.most == 0 || self.age.is_zero() {
            return;
        }
        let place = Place { runtime, route: link.route.clone() };
        let links = idle.links.entry(place).or_default();
        if links.len() < self.most {
            links.push((Instant::now(), link));
        }
        let sweeping = idle.sweepers.get(&runtime);
        if sweeping.is_none_or(JoinHandle::is_finished) {
            let sweeper = tokio::spawn(sweep(Arc::downgrade(self), self.age, runtime));
            idle.sweepers.insert(runtime, sweeper);
        }
    }

    /// Drops what is too old. False when nothing of this runtime is left, and the sweeper that asks
    /// is no longer needed.
    fn expire(&self, runtime: runtime::Id) -> bool {
        let mut idle = lock(&self.idle);
        idle.links.retain(|_, links| {
            links.retain(|(since, _)| since.elapsed() < self.age);
            !links.is_empty()
        });
        let needed = idle.links.keys().any(|place| place.runtime == runtime);
        if !needed {
            idle.sweepers.remove(&runtime);
        }
        needed
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for (_, sweeper) in lock(&self.idle).sweepers.drain() {
            sweeper.abort();
        }
    }
}

/// Looks after the connections of one runtime for as long as it has any.
async fn sweep(pool: Weak<Pool>, age: Duration, runtime: runtime::Id) {
    loop {
        tokio::time::sleep(age / 4).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.expire(runtime) {
            return;
        }
    }
}
