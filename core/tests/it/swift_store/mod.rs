//! A small Swift in memory, and a run of a machine against it with a simulated clock.
//!
//! ```text
//!  Pump::turn ── Launch ──▶ Store::answer, or a fault ──▶ in flight until its time ──┐
//!      ▲ └────── Park ────▶ a piece of the source is announced                        │
//!      └─────── complete ◀──────────────────────────────────────────────────────────┘
//! ```
//!
//! It responds as Swift 2.38 was seen to respond: MD5s without quotes, tags of large objects in
//! quotes, 422 for a wrong ETag, 412 for an object that exists, segments checked when a manifest is
//! stored, 200 and an empty body for an empty listing.
#![allow(dead_code, unused_imports, reason = "each test uses what it needs of it")]

mod store;
mod tokens;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::contract::{Machine, OnFailure};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Exchange, Outgoing};
use apus_core::machine::{Auth, Pump, Turn};
use apus_core::now::WaitReason;
use apus_core::swift::{Config, Service};
use apus_core::{Error, Now};
use bytes::Bytes;

pub(crate) use self::store::{Object, Store};
pub(crate) use self::tokens::Tokens;

/// What goes wrong with a request, instead of an answer or after it was acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status, and nothing is done.
    Refuse(u16),
    /// The connection ends before anything is done.
    Lost,
    /// It is done, and the connection ends before the answer.
    AnswerLost,
    /// The connection ends before an answer, and it is done after the object was deleted.
    Late,
    /// It is done, and answered so.
    Answer(u16),
    /// It is done, and the answer has another tag.
    OtherTag,
    /// It is done, and the answer tells one byte more.
    OtherSize,
    /// It is done, and the answer has no tag.
    NoTag,
    /// Nothing is done, and the answer is a success with this in it.
    Says(&'static str),
}

/// A request that something goes wrong with: `PUT c/o`, its nth to its last of so many.
struct Rule {
    what: String,
    from: u32,
    to: u32,
    seen: u32,
    fault: Fault,
}

/// A server, a source, and what goes wrong.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) source: Bytes,
    pub(crate) now: Now,
    /// Seconds that the server's clock is ahead.
    pub(crate) clock_of_the_server: u64,
    /// After how many requests to cancel, and how.
    pub(crate) cancel_at: Option<(u32, OnFailure)>,
    /// The segment whose name ends so vanishes before a manifest is made.
    pub(crate) forget: Option<String>,
    /// `METHOD container/object?query`, as they were sent.
    pub(crate) log: Vec<String>,
    /// When each was sent.
    pub(crate) sent_at: Vec<Duration>,
    /// The token of each.
    pub(crate) tokens: Vec<String>,
    /// The most exchanges that were in flight at once.
    pub(crate) peak: usize,
    /// What was waited for.
    pub(crate) reasons: Vec<WaitReason>,
    /// The most bytes of a stream that were held.
    pub(crate) held: u64,
    rules: Vec<Rule>,
    /// Requests that are done after the deletion of the same object.
    late: Vec<(http::request::Parts, Bytes)>,
}

impl World {
    pub(crate) fn new(source: impl Into<Bytes>) -> Self {
        Self {
            store: Store::new(),
            source: source.into(),
            now: Now::new(Duration::from_secs(5), Duration::from_secs(1_440_938_160)),
            clock_of_the_server: 0,
            cancel_at: None,
            forget: None,
            log: Vec::new(),
            sent_at: Vec::new(),
            tokens: Vec::new(),
            peak: 0,
            reasons: Vec::new(),
            held: 0,
            rules: Vec::new(),
            late: Vec::new(),
        }
    }

    /// The nth request (from 1) that begins with `what` meets this fault.
    pub(crate) fn fault(mut self, what: &str, nth: u32, fault: Fault) -> Self {
        let what = what.to_owned();
        self.rules.push(Rule { what, from: nth, to: nth, seen: 0, fault });
        self
    }

    /// Every request that begins with `what`, from the nth on, meets this fault.
    pub(crate) fn fault_from(mut self, what: &str, nth: u32, fault: Fault) -> Self {
        let what = what.to_owned();
        self.rules.push(Rule { what, from: nth, to: u32::MAX, seen: 0, fault });
        self
    }

    /// Nothing goes wrong any more.
    pub(crate) fn mend(&mut self) {
        self.rules.clear();
        self.cancel_at = None;
    }

    /// How many requests began so.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(what)).count()
    }

    pub(crate) fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, Error> {
        self.drive(&mut pump(machine, Auth::new(Tokens::default())))
    }

    pub(crate) fn drive<M: Machine>(&mut self, pump: &mut Pump<M>) -> Result<M::Output, Error> {
        self.drive_with(pump, || ())
    }

    /// Drives a machine, and calls `each` after each of its turns.
    pub(crate) fn drive_with<M: Machine>(
        &mut self,
        pump: &mut Pump<M>,
        mut each: impl FnMut(),
    ) -> Result<M::Output, Error> {
        let mut flying: Vec<(Duration, Exchange, Outcome)> = Vec::new();
        let mut launched = 0u32;
        for _ in 0..1_000_000 {
            if let Some((_, on_failure)) = self.cancel_at.take_if(|(at, _)| launched >= *at) {
                pump.cancel(self.now, on_failure);
            }
            let turn = pump.turn(self.now);
            each();
            let wait = match turn {
                Turn::Launch(mut exchange) => {
                    launched += 1;
                    let outcome = self.perform(&mut exchange);
                    // The later ones are faster: they come home out of order.
                    let takes = Duration::from_millis(40 - u64::from(launched % 4) * 9);
                    flying.push((self.now.tick + takes, exchange, outcome));
                    self.peak = self.peak.max(flying.len());
                    continue;
                }
                Turn::Done(result) => {
                    assert!(flying.is_empty(), "it ended with exchanges in flight");
                    assert!(matches!(pump.turn(self.now), Turn::Park(None)), "it is done again");
                    return result;
                }
                Turn::Park(wait) => {
                    self.reasons.extend(wait.map(|wait| wait.reason));
                    wait
                }
            };
            if self.supply(pump) {
                continue;
            }
            let next = (0..flying.len()).min_by_key(|at| flying[*at].0);
            let times = [next.map(|at| flying[at].0), wait.map(|wait| wait.until)];
            let time = times.into_iter().flatten().min().expect("it waits for nothing");
            self.now = self.now.after(time.saturating_sub(self.now.tick));
            if let Some(at) = next.filter(|at| flying[*at].0 <= self.now.tick) {
                let (_, exchange, outcome) = flying.remove(at);
                let done = match outcome {
                    Outcome::Broken(error) => exchange.reject(error),
                    Outcome::Lost => {
                        exchange.fail(ExchangeError::new(ExchangeErrorKind::Closed, "by the test"))
                    }
                    Outcome::Answered(answer) => {
                        let (head, body) = answer.into_parts();
                        let mut receiving = exchange.respond(head);
                        if receiving.has_body() {
                            receiving.push(&body).unwrap();
                        }
                        receiving.finish(None)
                    }
                };
                pump.complete(self.now, done);
            }
        }
        panic!("it does not end: {:?}", self.log.last());
    }

    /// Announces a piece of a source that is read in order.
    fn supply<M: Machine>(&mut self, pump: &mut Pump<M>) -> bool {
        let Some(window) = pump.stream_window() else { return false };
        self.held = self.held.max(window.supplied() - window.low().min(window.supplied()));
        if window.has_ended() || window.supplied() >= window.high() {
            return false;
        }
        let length = self.source.len() as u64;
        let until = (window.supplied() + PIECE).min(window.high()).min(length);
        // Like a pipe, it reports its end only when read beyond the last byte.
        let ended = until == length && until < window.high();
        window.supply(until, ended);
        true
    }

    fn perform(&mut self, exchange: &mut Exchange) -> Outcome {
        let body = match exchange.outgoing() {
            Outgoing::Empty => Bytes::new(),
            Outgoing::Bytes(bytes) => bytes.clone(),
            Outgoing::Source { range } => {
                let (start, end) = (range.start as usize, range.end as usize);
                match self.source.get(start..end) {
                    Some(_) => self.source.slice(start..end),
                    None => {
                        let failure =
                            ExchangeError::new(ExchangeErrorKind::Source, "it ended too early");
                        return Outcome::Broken(failure.into());
                    }
                }
            }
        };
        if exchange.measures() {
            exchange.load(body.clone()).unwrap();
        }
        let head = match exchange.request() {
            Ok(head) => head.clone(),
            Err(error) => return Outcome::Broken(error),
        };
        let target = head.uri.path_and_query().unwrap().as_str();
        let target = target.strip_prefix(ACCOUNT).unwrap_or(target);
        let line = format!("{} {}", head.method, target.trim_start_matches('/'));
        let token = head.headers.get("x-auth-token").map(|token| token.to_str().unwrap());
        self.tokens.push(token.unwrap_or_default().to_owned());
        self.log.push(line.clone());
        self.sent_at.push(self.now.tick);
        let mut encoder = exchange.encoder().unwrap();
        if !body.is_empty() {
            encoder.frame(&body).unwrap();
        }
        encoder.end().unwrap();
        let mut met = None;
        for rule in self.rules.iter_mut().filter(|rule| line.starts_with(&rule.what)) {
            rule.seen += 1;
            if (rule.from..=rule.to).contains(&rule.seen) && met.is_none() {
                met = Some(rule.fault);
            }
        }
        match met {
            Some(Fault::Refuse(status)) => return Outcome::Answered(store::plain(status)),
            Some(Fault::Lost) => return Outcome::Lost,
            Some(Fault::Late) => {
                self.late.push((head, body));
                return Outcome::Lost;
            }
            Some(Fault::Says(what)) => {
                let slo = ("x-static-large-object", "True".parse().unwrap());
                let mut answer = store::plain(200).map(|_| Bytes::from_static(what.as_bytes()));
                answer.headers_mut().insert(slo.0, slo.1);
                return Outcome::Answered(answer);
            }
            _ => {}
        }
        if let Some(end) =
            self.forget.as_deref().filter(|_| line.contains("multipart-manifest=put"))
        {
            let objects = self.store.containers.values_mut();
            objects.for_each(|objects| objects.retain(|name, _| !name.ends_with(end)));
        }
        let unix = self.now.unix.as_secs() + self.clock_of_the_server;
        let mut answer = self.store.answer(unix, &head, &body);
        if head.method == http::Method::DELETE {
            let now_due = |(late, _): &mut (http::request::Parts, Bytes)| late.uri == head.uri;
            for (late, body) in self.late.extract_if(.., now_due) {
                self.store.answer(unix, &late, &body);
            }
        }
        match met {
            Some(Fault::AnswerLost) => return Outcome::Lost,
            Some(Fault::Answer(status)) => return Outcome::Answered(store::plain(status)),
            Some(Fault::OtherTag) => {
                let other = "0123456789abcdef0123456789abcdef".parse().unwrap();
                answer.headers_mut().insert("etag", other);
            }
            Some(Fault::NoTag) => {
                answer.headers_mut().remove("etag");
            }
            Some(Fault::OtherSize) => {
                let size = answer.headers()["content-length"].to_str().unwrap().parse::<u64>();
                answer.headers_mut().insert("content-length", (size.unwrap() + 1).into());
            }
            _ => {}
        }
        Outcome::Answered(answer)
    }
}

enum Outcome {
    Answered(http::Response<Bytes>),
    Lost,
    Broken(Error),
}

/// Creates a pump for this machine, without a waker.
pub(crate) fn pump<M: Machine>(machine: M, auth: Auth) -> Pump<M> {
    Pump::new(machine, vec![auth], Waker::noop().clone())
}

pub(crate) fn service() -> Arc<Service> {
    Arc::new(Service::new(Config::at(format!("http://swift.test:8080{ACCOUNT}"))).unwrap())
}

/// Bytes that differ from segment to segment.
pub(crate) fn object(length: usize) -> Bytes {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// Bytes of a stream that are announced at a time.
const PIECE: u64 = 700;

const ACCOUNT: &str = "/v1/AUTH_test";
