//! Idle connections.

use std::collections::BTreeMap;
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
    /// Few: a search is faster than hashing.
    idle: Mutex<Vec<(runtime::Id, Idle)>>,
}

/// The idle connections of one runtime.
#[derive(Default)]
struct Idle {
    #[expect(
        clippy::vec_box,
        reason = "an exchange takes a connection in its box, without a copy"
    )]
    links: BTreeMap<Route, Vec<Box<HttpConnection>>>,
    /// Closes connections that are too old.
    sweeper: Option<JoinHandle<()>>,
}

impl Pool {
    /// A pool that keeps `most` connections of a route, each for up to `age`.
    pub(crate) fn new(age: Duration, most: usize) -> Self {
        Self { age, most, idle: Mutex::default() }
    }

    /// Takes the connection that was used last, among those that are still open, for an exchange
    /// that begins now.
    pub(crate) fn take(&self, route: &Route) -> Option<Box<HttpConnection>> {
        let runtime = runtime::Handle::current().id();
        loop {
            let mut link = of(runtime, &mut lock(&self.idle))?.links.get_mut(route)?.pop()?;
            let now = Instant::now();
            if link.idle(now) < self.age && link.is_fresh() {
                link.pulse.restart(now);
                return Some(link);
            }
        }
    }

    /// Keeps a connection for another exchange.
    pub(crate) fn put(self: &Arc<Self>, link: Box<HttpConnection>) {
        if self.most == 0 || self.age.is_zero() {
            return;
        }
        link.pulse.rest();
        let runtime = runtime::Handle::current().id();
        let mut all = lock(&self.idle);
        if of(runtime, &mut all).is_none() {
            all.push((runtime, Idle::default()));
        }
        let Some(idle) = of(runtime, &mut all) else { return };
        match idle.links.get_mut(&link.route) {
            Some(links) if links.len() < self.most => links.push(link),
            Some(_) => {}
            None => {
                idle.links.insert(link.route.clone(), vec![link]);
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
        let Some(here) = of(runtime, &mut idle) else { return false };
        let now = Instant::now();
        here.links.retain(|_, links| {
            links.retain(|link| link.idle(now) < self.age);
            !links.is_empty()
        });
        let needed = !here.links.is_empty();
        if !needed {
            idle.retain(|(id, _)| *id != runtime);
        }
        needed
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for sweeper in lock(&self.idle).drain(..).filter_map(|(_, idle)| idle.sweeper) {
            sweeper.abort();
        }
    }
}

fn of(runtime: runtime::Id, all: &mut [(runtime::Id, Idle)]) -> Option<&mut Idle> {
    all.iter_mut().find_map(|(id, idle)| (*id == runtime).then_some(idle))
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
