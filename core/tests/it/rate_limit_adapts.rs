//! How the limit of requests in flight adapts: many callers, and a server that answers so many
//! requests at once and refuses the others with 503.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use apus_core::Now;
use apus_core::credentials::Credentials;
use apus_core::http::Exchange;
use apus_core::machine::{Auth, Call, Pump, RateLimits, Turn};
use apus_core::now::Wait;
use apus_core::s3::{HeadBucket, Service};
use apus_core::sign::Keys;

use crate::support::service;

/// What came of the calls of one run.
#[derive(Debug, Default)]
struct Outcome {
    done: usize,
    failed: usize,
    requests: usize,
    refused: usize,
}

/// A server that answers after 50 ms, and of more than `places` requests at once refuses the rest
/// after 1 ms.
struct Server {
    places: usize,
    busy: usize,
}

/// Callers in virtual time. Each calls again as soon as its call has ended.
struct Callers {
    services: Vec<Arc<Service>>,
    limits: Vec<Arc<RateLimits>>,
    auth: Auth,
    woken: Arc<Woken>,
    pumps: Vec<Pump<Call<HeadBucket>>>,
    flying: Vec<Option<(Exchange, u16)>>,
    events: BinaryHeap<Reverse<(Duration, usize, Event)>>,
    server: Server,
    outcome: Outcome,
    seed: u64,
}

/// What happens to one caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Answered,
    Time,
}

#[derive(Default)]
struct Woken(Mutex<VecDeque<usize>>);

struct Bell(usize, Arc<Woken>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.1.0.lock().unwrap().push_back(self.0);
    }
}

impl Callers {
    /// Creates so many callers, who share a client for each of `limits`.
    fn new(callers: usize, places: usize, limits: Vec<RateLimits>) -> Self {
        let services = limits.iter().map(|_| service(|_| {})).collect();
        Self {
            services,
            limits: limits.into_iter().map(Arc::new).collect(),
            auth: Auth::new(Credentials::new(Keys::new("AKID", "secret"))),
            woken: Arc::default(),
            pumps: Vec::new(),
            flying: (0..callers).map(|_| None).collect(),
            events: BinaryHeap::new(),
            server: Server { places, busy: 0 },
            outcome: Outcome::default(),
            seed: 0,
        }
    }

    fn pump(&mut self, caller: usize) -> Pump<Call<HeadBucket>> {
        self.seed += 1;
        let client = caller % self.services.len();
        let call =
            Call::new(HeadBucket::new("bucket"), Arc::clone(&self.services[client]), self.seed);
        let waker = Waker::from(Arc::new(Bell(caller, Arc::clone(&self.woken))));
        Pump::new(call, [self.auth.clone()], waker)
            .with_rate_limits(Arc::clone(&self.limits[client]))
    }

    /// Runs all callers for `span`.
    fn run(mut self, span: Duration) -> Outcome {
        let end = START + span;
        for caller in 0..self.flying.len() {
            let pump = self.pump(caller);
            self.pumps.push(pump);
            self.events.push(Reverse((START, caller, Event::Time)));
        }
        while let Some(Reverse((tick, caller, event))) = self.events.pop()
            && tick < end
        {
            let now = Now::new(tick, UNIX + tick);
            if event == Event::Answered {
                let (mut exchange, status) = self.flying[caller].take().unwrap();
                self.server.busy -= usize::from(status == 200);
                exchange.request().unwrap();
                let head = http::Response::builder().status(status).body(()).unwrap();
                let done = exchange.respond(head.into_parts().0).finish(None);
                self.pumps[caller].complete(now, done);
            }
            self.turn(now, caller);
            loop {
                let woken = self.woken.0.lock().unwrap().pop_front();
                let Some(caller) = woken else { break };
                self.turn(now, caller);
            }
        }
        self.outcome
    }

    fn turn(&mut self, now: Now, caller: usize) {
        match self.pumps[caller].turn(now) {
            Turn::Launch(exchange) => {
                self.outcome.requests += 1;
                let accepted = self.server.busy < self.server.places;
                let (status, after) = if accepted { (200, 50) } else { (503, 1) };
                self.server.busy += usize::from(accepted);
                self.outcome.refused += usize::from(!accepted);
                self.flying[caller] = Some((exchange, status));
                let at = now.tick + Duration::from_millis(after);
                self.events.push(Reverse((at, caller, Event::Answered)));
            }
            Turn::Park(Some(Wait { until, .. })) => {
                self.events.push(Reverse((until, caller, Event::Time)));
            }
            Turn::Park(None) => {}
            Turn::Done(result) => {
                self.outcome.done += usize::from(result.is_ok());
                self.outcome.failed += usize::from(result.is_err());
                self.pumps[caller] = self.pump(caller);
                self.events.push(Reverse((now.tick, caller, Event::Time)));
            }
        }
    }
}

#[test]
fn a_limit_adapts_to_a_server_with_fewer_places_than_callers() {
    for places in [1, 16, 64] {
        let outcome = Callers::new(256, places, vec![RateLimits::new(256)]).run(SPAN);
        // As many as the places can answer.
        let capacity = places * SPAN.as_millis() as usize / 50;
        assert!(outcome.done * 10 >= capacity * 9, "{places} places: {outcome:?}");
        // The first burst is refused but for the places; afterwards about one request a round.
        let probes = capacity / places * 2;
        assert!(outcome.refused <= 256 + probes, "{places} places: {outcome:?}");
        // Calls fail when the budget of retries is used up, which only the first burst does.
        assert!(outcome.failed <= 300, "{places} places: {outcome:?}");
    }
}

#[test]
fn a_limit_that_adapts_does_as_much_as_callers_that_each_wait_for_themselves() {
    for places in [16, 64] {
        let adaptive = Callers::new(256, places, vec![RateLimits::new(256)]).run(SPAN);
        let single = (0..256).map(|_| RateLimits::new(1)).collect();
        let fixed = Callers::new(256, places, single).run(SPAN);
        assert!(adaptive.done * 10 >= fixed.done * 8, "{adaptive:?} beside {fixed:?}");
        assert!(adaptive.refused <= fixed.refused, "{adaptive:?} beside {fixed:?}");
    }
}

#[test]
fn a_server_that_refuses_everything_gets_ten_requests_a_second() {
    let outcome = Callers::new(256, 0, vec![RateLimits::new(256)]).run(SPAN);
    assert_eq!(outcome.done, 0);
    assert!(outcome.requests <= 256 + 10 * SPAN.as_secs() as usize, "{outcome:?}");
}

#[test]
fn clients_that_share_a_server_share_its_places() {
    let limits = (0..4).map(|_| RateLimits::new(256)).collect();
    let outcome = Callers::new(256, 64, limits).run(SPAN);
    let capacity = 64 * SPAN.as_millis() as usize / 50;
    assert!(outcome.done * 10 >= capacity * 9, "{outcome:?}");
    assert!(outcome.requests * 10 <= outcome.done * 13, "{outcome:?}");
}

const START: Duration = Duration::from_secs(5);
const UNIX: Duration = Duration::from_secs(1_440_938_160);
const SPAN: Duration = Duration::from_secs(10);
