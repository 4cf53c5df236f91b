//! The verbs.

use std::fmt;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::contract::{Machine, Operation, Service};
use apus_core::error::Leftover;
use apus_core::machine::{Call, CleanUps, GrantOnly, Observer, Party, Traffic};
use apus_core::sign::Presigned;
use apus_host::clock;

use crate::exchange::Transport;
use crate::reader::Reader;
use crate::run::{Means, Run};
use crate::sink::Sink;
use crate::source::Source;

/// A service, who we are there, and the way to it. Clones share connections, limits and what was
/// learnt of the service.
pub struct Client<S: Service> {
    service: Arc<S>,
    means: Means,
}

impl<S: Service> Client<S> {
    /// A client of `service` under `party`.
    pub fn new(transport: Transport, service: S, party: Party) -> Self {
        let parties = [party].into();
        let means = Means {
            transport,
            parties,
            traffic: Arc::default(),
            observer: None,
            cleanups: CleanUps::new(),
        };
        Self { service: Arc::new(service), means }
    }

    /// Adds another authority, under the next number: the first one added is party 1.
    #[must_use]
    pub fn with_party(mut self, party: Party) -> Self {
        self.means.parties = self.means.parties.iter().cloned().chain([party]).collect();
        self
    }

    /// Keeps these limits, which other clients may share. Without this there are
    /// [`Traffic::AT_ONCE`] requests at once (256), and the rest wait, first in, first out.
    #[must_use]
    pub fn with_traffic(mut self, traffic: impl Into<Arc<Traffic>>) -> Self {
        self.means.traffic = traffic.into();
        self
    }

    /// Tells this observer what happens.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.means.observer = Some(observer);
        self
    }

    /// The service.
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// The transport.
    pub fn transport(&self) -> &Transport {
        &self.means.transport
    }

    /// A random seed for the jitter of a machine's delays.
    pub fn seed(&self) -> u64 {
        clock::seed()
    }

    /// Calls an operation, with retries.
    ///
    /// # Errors
    ///
    /// The server's refusal, what went wrong on the way, or what the operation can't say.
    pub fn call<O: Operation<Service = S>>(&self, operation: O) -> Result<O::Output, Error> {
        self.operation(operation).go()
    }

    /// Calls an operation whose body is a range of `source`.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), and when the source can't be read.
    pub fn call_from<'a, O: Operation<Service = S>>(
        &self,
        operation: O,
        source: impl Into<Source<'a>>,
    ) -> Result<O::Output, Error> {
        self.operation(operation).from(source).go()
    }

    /// A URL that carries its own proof for `expires`, 1 second to 7 days, and the headers that have
    /// to be sent with it. Keys that are renewed are asked for first, where it is time to; the URL
    /// is good for no longer than the keys that signed it.
    ///
    /// # Errors
    ///
    /// A duration out of bounds; there are no keys to be had; the operation's.
    pub fn presign<O: Operation<Service = S>>(
        &self,
        operation: O,
        expires: Duration,
    ) -> Result<Presigned, Error> {
        let of_operation = |error: Error| error.in_operation(O::NAME);
        let draft = operation.draft(&self.service).map_err(of_operation)?;
        self.call(GrantOnly::new())?;
        self.means.parties[0].presign(draft, expires, clock::now()).map_err(of_operation)
    }

    /// A run of any machine: say what it runs with, then [`go`](Run::go).
    pub fn run<'a, M: Machine>(&self, machine: M) -> Run<'a, M> {
        self.named(short_name::<M>(), machine)
    }

    /// Runs a machine in a thread of its own, and reads what it downloads.
    pub fn reader<M>(&self, machine: M) -> Reader<M::Output>
    where
        M: Machine + Send + 'static,
        M::Output: Send + 'static,
    {
        self.run(machine).reader()
    }

    /// Waits until all runs have cleaned up whose [`Reader`] was dropped before their end: no longer
    /// than `deadline`. What is still on the server then is returned, each once it is sure: what could
    /// not be removed, and what has yet to be removed.
    ///
    /// Call it before the process ends, which ends all cleaning up. Runs whose callers still wait are not
    /// stopped, and tell their own errors.
    pub fn shutdown(&self, deadline: Duration) -> Vec<Leftover> {
        shutdown(&self.means.cleanups, deadline)
    }

    fn operation<'a, O: Operation<Service = S>>(&self, operation: O) -> Run<'a, Box<Call<O>>> {
        let call = Call::new(operation, Arc::clone(&self.service), clock::seed());
        // Boxed, because a machine is moved several times before it runs.
        self.named(O::NAME, Box::new(call))
    }

    fn named<'a, M: Machine>(&self, name: &'static str, machine: M) -> Run<'a, M> {
        Run {
            machine,
            means: self.means.clone(),
            name,
            source: Source::none(),
            sink: Sink::none(),
            token: None,
            running: None,
        }
    }
}

impl<S: Service> Clone for Client<S> {
    fn clone(&self) -> Self {
        Self { service: Arc::clone(&self.service), means: self.means.clone() }
    }
}

impl<S: Service> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("parties", &self.means.parties.len()).finish_non_exhaustive()
    }
}

/// Waits for runs that clean up; what is left.
pub(crate) fn shutdown(cleanups: &CleanUps, deadline: Duration) -> Vec<Leftover> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (begun, mut place) = (Instant::now(), None);
    while !cleanups.is_idle(&waker, &mut place) {
        let Some(left) = deadline.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())
        else {
            break;
        };
        thread::park_timeout(left);
    }
    cleanups.leave(place);
    cleanups.leftovers()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// `Upload` of `apus_core::machine::upload::Upload<..>`.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}
