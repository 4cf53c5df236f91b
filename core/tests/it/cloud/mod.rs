//! A small cloud with a simulated clock: a Keystone, an object store, and machines that share
//! sessions.
//!
//! Its responses are those seen from Keystone 30 and Swift 2.38.
#![allow(dead_code, reason = "each test uses what it needs of it")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use apus_core::contract::{Machine, Notice, OnFailure, Step};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Draft, Exchange, Outgoing, Sealing, Ticket, UrlRoot};
use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::{Auth, Event, Observer, Pump, Turn};
use apus_core::now::Timestamp;
use apus_core::retry::{Budget, RetryPolicy};
use apus_core::{Error, Now};
use http::{Method, Uri, request};
use serde_json::{Value, json};

/// What the cloud says to a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) lost: Option<ExchangeErrorKind>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), lost: None }
    }

    pub(crate) fn lost(cause: ExchangeErrorKind) -> Self {
        Self { lost: Some(cause), ..Self::new(500) }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { body: body.to_string(), ..Self::new(status) }
    }

    pub(crate) fn error(status: u16, title: &str, message: &str) -> Self {
        let error = json!({"code": status, "title": title, "message": message});
        Self::json(status, &json!({ "error": error }))
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// A token that was given out.
pub(crate) struct Given {
    user: &'static str,
    trust: Option<String>,
    /// On the cloud's clock, in fractions of seconds too.
    issued: Duration,
    expires: Duration,
}

/// Keystone and the object store in one.
pub(crate) struct Cloud {
    /// How long tokens live.
    pub(crate) ttl: Duration,
    /// The cloud's clock, at tick zero.
    pub(crate) epoch: Duration,
    /// Whether answers have a `Date`.
    pub(crate) dates: bool,
    /// Successful logins.
    pub(crate) logins: u32,
    /// Attempts at logins, the successful ones included.
    pub(crate) attempts: u32,
    /// When all tokens are revoked, the next time last.
    pub(crate) revocations: Vec<Duration>,
    /// How long a login takes.
    pub(crate) login_takes: Duration,
    /// What the next logins are answered instead.
    pub(crate) trouble: Vec<Answer>,
    /// From when until when Keystone can't be reached.
    pub(crate) outage: Option<(Duration, Duration)>,
    /// From when until when every password is wrong.
    pub(crate) denial: Option<(Duration, Duration)>,
    /// Answers to these requests, by their `METHOD path`, the next one last.
    pub(crate) scripted: BTreeMap<String, Vec<Answer>>,
    /// A trust is made also where its answer is lost, or an error that is no conflict.
    pub(crate) loses_trusts: bool,
    /// Trusts that live.
    pub(crate) trusts: Vec<String>,
    /// The bodies of the trusts that were asked for.
    pub(crate) asked: Vec<Value>,
    /// `METHOD path` of every request, with the user of its token.
    pub(crate) log: Vec<String>,
    /// The storage URL's path in the catalogue.
    pub(crate) storage: String,
    pub(crate) tokens: BTreeMap<String, Given>,
    pub(crate) numbers: u32,
}

impl Default for Cloud {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(300),
            epoch: Duration::from_secs(1_767_322_800),
            dates: true,
            logins: 0,
            attempts: 0,
            revocations: Vec::new(),
            login_takes: Duration::from_millis(100),
            trouble: Vec::new(),
            outage: None,
            denial: None,
            scripted: BTreeMap::new(),
            loses_trusts: false,
            trusts: Vec::new(),
            asked: Vec::new(),
            log: Vec::new(),
            storage: "/v1/AUTH_p".into(),
            tokens: BTreeMap::new(),
            numbers: 0,
        }
    }
}

impl Cloud {
    /// A token out of the air, for a user.
    pub(crate) fn give(&mut self, user: &'static str, tick: Duration, life: Duration) -> String {
        let issued = self.epoch + tick;
        self.store(Given { user, trust: None, issued, expires: issued + life })
    }

    /// How many requests had a log line that begins so.
    pub(crate) fn count(&self, begin: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(begin)).count()
    }

    fn store(&mut self, given: Given) -> String {
        self.numbers += 1;
        let token = format!("secret-token-{}", self.numbers);
        self.tokens.insert(token.clone(), given);
        token
    }

    fn user(&self, tick: Duration, head: &request::Parts, header: &str) -> Option<&Given> {
        let token = head.headers.get(header)?.to_str().ok()?;
        let given = self.tokens.get(token)?;
        let trusted = given.trust.as_ref().is_none_or(|trust| self.trusts.contains(trust));
        (given.expires > self.epoch + tick && trusted).then_some(given)
    }

    pub(crate) fn answer(&mut self, tick: Duration, head: &request::Parts, body: &[u8]) -> Answer {
        if let Some(at) = self.revocations.pop_if(|at| *at <= tick) {
            // A token that is on its way yet is spared.
            let spared = self.epoch + at.saturating_sub(self.login_takes);
            self.tokens.retain(|_, given| given.issued > spared);
        }
        let path = head.uri.path().to_owned();
        let user = self.user(tick, head, "x-auth-token").map_or("-", |given| given.user);
        let key = format!("{} {path}", head.method);
        self.log.push(format!("{key} {user}"));
        let scripted = self.scripted.get_mut(&key).and_then(Vec::pop);
        let carried_out = scripted.as_ref().is_some_and(|answer| answer.status != 409);
        if self.loses_trusts && carried_out && key == "POST /v3/OS-TRUST/trusts" {
            self.trust(body);
        }
        let mut answer = scripted.unwrap_or_else(|| match path.strip_prefix("/v3") {
            Some(path) => self.keystone(tick, head, path, body),
            None => self.store_answer(tick, head),
        });
        if self.dates {
            let date = Timestamp::from_duration(self.epoch + tick).http_date();
            answer.headers.push(("date", date));
        }
        answer
    }

    fn keystone(
        &mut self,
        tick: Duration,
        head: &request::Parts,
        path: &str,
        body: &[u8],
    ) -> Answer {
        if let Some((from, until)) = self.outage
            && (from..until).contains(&tick)
        {
            return Answer::lost(ExchangeErrorKind::Connect);
        }
        if head.method == Method::POST && path == "/auth/tokens" {
            self.attempts += 1;
            if let Some(answer) = self.trouble.pop() {
                return answer;
            }
            return self.login(tick, body);
        }
        let unauthorized = || Answer::error(401, "Unauthorized", "requires authentication.");
        let Some(given) = self.user(tick, head, "x-auth-token") else { return unauthorized() };
        let (user, by_trust) = (given.user, given.trust.is_some());
        if path == "/auth/tokens" {
            if by_trust {
                return Answer::error(403, "Forbidden", "identity:validate_token.");
            }
            return match self.user(tick, head, "x-subject-token") {
                Some(subject) => Answer::json(200, &self.document(tick, subject)),
                None => Answer::error(404, "Not Found", "Failed to validate token"),
            };
        }
        match (head.method.as_str(), path.strip_prefix("/OS-TRUST/trusts").unwrap_or_default()) {
            ("POST", "") if by_trust => Answer::error(403, "Forbidden", "delegated"),
            ("POST", "") => self.trust(body),
            ("GET", "") => {
                let trusts: Vec<Value> = self.trusts.iter().map(|id| self.describe(id)).collect();
                Answer::json(200, &json!({ "trusts": trusts }))
            }
            (method, id) => {
                let id = id.trim_start_matches('/').to_owned();
                let at = self.trusts.iter().position(|trust| *trust == id);
                match (method, at) {
                    ("GET", Some(_)) => Answer::json(200, &json!({"trust": self.describe(&id)})),
                    ("DELETE", Some(_)) if user != "demo" => Answer::error(403, "Forbidden", "no"),
                    ("DELETE", Some(at)) => {
                        self.trusts.remove(at);
                        Answer::new(204)
                    }
                    _ => Answer::error(404, "Not Found", "Could not find trust"),
                }
            }
        }
    }

    fn login(&mut self, tick: Duration, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap();
        let auth = &body["auth"];
        if let Some(token) = auth["identity"]["token"]["id"].as_str() {
            return self.rescope(tick, token);
        }
        let user = &auth["identity"]["password"]["user"];
        let wrong = || Answer::error(401, "Unauthorized", "requires authentication.");
        let denied = self.denial.is_some_and(|(from, until)| (from..until).contains(&tick));
        if denied || user["password"] != "hunter2" {
            return wrong();
        }
        let trust = auth["scope"]["OS-TRUST:trust"]["id"].as_str().map(str::to_owned);
        if trust.as_ref().is_some_and(|trust| !self.trusts.contains(trust)) {
            return wrong();
        }
        // A token had by a trust that impersonates is the trustor's.
        let user = if trust.is_some() || user["name"] == "demo" { "demo" } else { "glance" };
        // Cut to the whole second, as Keystone does.
        let issued = self.epoch + tick;
        let expires = Duration::from_secs(issued.as_secs()) + self.ttl;
        self.logins += 1;
        let token = self.store(Given { user, trust, issued, expires });
        let document = self.document(tick, &self.tokens[&token]);
        Answer::json(201, &document).header("x-subject-token", token)
    }

    /// A token for a token lives no longer.
    fn rescope(&mut self, tick: Duration, token: &str) -> Answer {
        let given = self.tokens.get(token).filter(|given| given.expires > self.epoch + tick);
        let Some((user, expires)) = given.map(|given| (given.user, given.expires)) else {
            return Answer::error(401, "Unauthorized", "requires authentication.");
        };
        self.logins += 1;
        let issued = self.epoch + tick;
        let token = self.store(Given { user, trust: None, issued, expires });
        let document = self.document(tick, &self.tokens[&token]);
        Answer::json(201, &document).header("x-subject-token", token)
    }

    fn document(&self, tick: Duration, given: &Given) -> Value {
        let date = |at: Duration| Timestamp::from_duration(at).iso8601().replace('Z', ".000000Z");
        let url = format!("http://swift:8080{}", self.storage);
        let mut token = json!({
            "methods": ["password"],
            "user": {"id": format!("{}-id", given.user), "name": given.user,
                     "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r1", "name": "member"}, {"id": "r2", "name": "swiftoperator"}],
            "expires_at": date(given.expires),
            "issued_at": date(self.epoch + tick),
            "catalog": [{"type": "object-store", "name": "swift", "endpoints": [
                {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": url}
            ]}],
        });
        if let Some(trust) = &given.trust {
            token["OS-TRUST:trust"] = json!({"id": trust, "impersonation": true,
                "trustor_user": {"id": "demo-id"}, "trustee_user": {"id": "glance-id"}});
        }
        json!({ "token": token })
    }

    /// Makes a trust.
    pub(crate) fn trust(&mut self, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap();
        let same = |had: &Value| {
            !had["expires_at"].is_null() && had["expires_at"] == body["trust"]["expires_at"]
        };
        if self.asked.iter().any(same) {
            return Answer::error(409, "Conflict", "Duplicate entry found");
        }
        self.asked.push(body["trust"].clone());
        let id = format!("trust-{}", self.asked.len());
        self.trusts.push(id.clone());
        Answer::json(201, &json!({"trust": self.describe(&id)}))
    }

    fn describe(&self, id: &str) -> Value {
        let number: usize = id.trim_start_matches("trust-").parse().unwrap();
        let mut trust = self.asked[number - 1].clone();
        trust["id"] = id.into();
        // Microseconds are kept, and not shown.
        if let Some(text) = trust["expires_at"].as_str() {
            trust["expires_at"] = format!("{}.000000Z", &text[..19]).into();
        }
        trust
    }

    fn store_answer(&mut self, tick: Duration, head: &request::Parts) -> Answer {
        match self.user(tick, head, "x-auth-token") {
            None => Answer::new(401).header("www-authenticate", "Swift realm=\"AUTH_p\""),
            Some(given) if given.user != "demo" => Answer::new(403),
            Some(_) => Answer::new(201),
        }
    }
}

/// Sends this many PUTs, so many at once, each of which takes so long.
#[derive(Debug)]
pub(crate) struct Puts {
    todo: u32,
    next: u32,
    concurrency: usize,
    flying: Vec<Ticket>,
    stored: u32,
    error: Option<Error>,
    over: bool,
    long_from: u32,
}

impl Puts {
    pub(crate) fn new(todo: u32, concurrency: usize) -> Self {
        let (flying, error) = (Vec::new(), None);
        Self { todo, next: 0, concurrency, flying, stored: 0, error, over: false, long_from: 0 }
    }

    /// With short requests alone before this one.
    pub(crate) fn long_from(self, long_from: u32) -> Self {
        Self { long_from, ..self }
    }
}

impl Machine for Puts {
    type Output = u32;

    fn poll(&mut self, _: Now) -> Step<u32> {
        let more = self.error.is_none() && self.next < self.todo;
        if more && self.flying.len() < self.concurrency {
            self.next += 1;
            let uri = Uri::try_from(format!("/c/o-{}", self.next)).unwrap();
            let mut draft = Draft::new("PutObject", Method::PUT, uri);
            draft.sealing = Sealing::Token(UrlRoot::Storage);
            draft.ticket = Ticket::new(self.next);
            self.flying.push(draft.ticket);
            return Step::Send(draft);
        }
        if more || !self.flying.is_empty() || self.over {
            return Step::Wait(None);
        }
        self.over = true;
        Step::Done(self.error.take().map_or(Ok(self.stored), Err))
    }

    fn complete(&mut self, _: Now, done: Completion) {
        let Some(at) = self.flying.iter().position(|it| *it == done.draft().ticket) else { return };
        self.flying.swap_remove(at);
        match done.outcome() {
            Ok(reply) if reply.status().is_success() => self.stored += 1,
            Ok(reply) => {
                let error = Error::refused(reply.status(), None, None);
                self.error.get_or_insert(error);
            }
            Err(error) => {
                self.error.get_or_insert(error.clone());
            }
        }
    }

    fn cancel(&mut self, _: Now, _: OnFailure) {
        self.error.get_or_insert(ExchangeError::cancelled().into());
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    fn is_long(&self) -> bool {
        self.next >= self.long_from
    }
}

/// Runs machines against a cloud until all have ended.
pub(crate) struct World<M: Machine> {
    pub(crate) cloud: Cloud,
    pumps: Vec<Runner<M>>,
    notices: Arc<Notices>,
    flights: Vec<(Duration, usize, Exchange, Answer)>,
    tick: Duration,
    /// How far our clock is from the cloud's, in seconds; and when it jumps to another distance.
    pub(crate) skew: i64,
    pub(crate) jump: Option<(Duration, i64)>,
    /// How long requests to the store take.
    pub(crate) takes: Duration,
    /// When this pump is cancelled.
    pub(crate) cancel: Option<(Duration, usize)>,
    /// When this pump is dropped.
    pub(crate) drop: Option<(Duration, usize)>,
    /// What happens elsewhere, and when.
    pub(crate) meanwhile: Option<(Duration, Box<dyn FnOnce()>)>,
}

struct Runner<M: Machine> {
    pump: Option<Pump<M>>,
    flag: Arc<Flag>,
    until: Option<Duration>,
    result: Option<Result<M::Output, Error>>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Notices(Mutex<Vec<Notice>>);

impl Observer for Notices {
    fn event(&self, _: Now, event: &Event<'_>) {
        let text = format!("{event:?}");
        assert!(!text.contains("secret-token") && !text.contains("hunter2"), "{text}");
        if let Event::Noticed(notice) = event {
            self.0.lock().unwrap().push((*notice).clone());
        }
    }
}

impl<M: Machine> World<M> {
    pub(crate) fn new(cloud: Cloud, machines: Vec<M>, auths: &[Auth]) -> Self {
        let notices = Arc::new(Notices::default());
        let runner = |machine| {
            let flag = Arc::new(Flag::default());
            let pump = Pump::new(machine, auths.to_vec(), Waker::from(Arc::clone(&flag)));
            let pump = Some(pump.with_observer(Arc::clone(&notices) as _));
            flag.0.store(true, Ordering::Relaxed);
            Runner { pump, flag, until: None, result: None }
        };
        Self {
            cloud,
            pumps: machines.into_iter().map(runner).collect(),
            notices,
            flights: Vec::new(),
            tick: START,
            skew: 0,
            jump: None,
            takes: Duration::from_secs(1),
            cancel: None,
            drop: None,
            meanwhile: None,
        }
    }

    /// The moment, on our clocks.
    pub(crate) fn now(&self) -> Now {
        let unix = self.cloud.epoch + self.tick;
        let skew = Duration::from_secs(self.skew.unsigned_abs());
        Now::new(self.tick, if self.skew < 0 { unix - skew } else { unix + skew })
    }

    /// Starts so much later than the others do.
    pub(crate) fn start_at(&mut self, after: Duration) {
        self.tick = START + after;
    }

    /// Everything that was to be heard of.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.notices.0.lock().unwrap().clone()
    }

    /// How long it took.
    pub(crate) fn elapsed(&self) -> Duration {
        self.tick - START
    }

    /// Runs all machines to their ends; those of dropped ones have none.
    pub(crate) fn run(&mut self) -> Vec<Option<Result<M::Output, Error>>> {
        for _ in 0..MOST_EVENTS {
            for at in 0..self.pumps.len() {
                self.turn(at);
            }
            if self.pumps.iter().any(|it| it.pump.is_some() && it.flag.0.load(Ordering::Relaxed)) {
                continue;
            }
            if self.pumps.iter().all(|it| it.pump.is_none()) {
                return self.pumps.iter_mut().map(|it| it.result.take()).collect();
            }
            let landing = self.flights.iter().map(|flight| flight.0);
            let waits = self.pumps.iter().filter(|it| it.pump.is_some()).filter_map(|it| it.until);
            let ends = self.cancel.iter().chain(&self.drop).map(|(at, _)| START + *at);
            let jump = self.jump.iter().map(|(at, _)| START + *at);
            let elsewhere = self.meanwhile.iter().map(|(at, _)| START + *at);
            let next = landing.chain(waits).chain(ends).chain(jump).chain(elsewhere).min();
            self.tick = self.tick.max(next.expect("something is waited for"));
            self.happen();
        }
        panic!("it does not end: {:?}", self.cloud.log.last());
    }

    fn turn(&mut self, at: usize) {
        let now = self.now();
        let runner = &mut self.pumps[at];
        let due = runner.until.is_some_and(|until| until <= self.tick);
        if !runner.flag.0.swap(false, Ordering::Relaxed) && !due {
            return;
        }
        let Some(pump) = &mut runner.pump else { return };
        loop {
            match pump.turn(now) {
                Turn::Launch(mut exchange) => {
                    let body = match exchange.outgoing() {
                        Outgoing::Bytes(bytes) => bytes.clone(),
                        _ => bytes::Bytes::new(),
                    };
                    let head = exchange.request().unwrap().clone();
                    let debug = format!("{exchange:?}");
                    assert!(
                        !debug.contains("secret-token") && !debug.contains("hunter2"),
                        "{debug}"
                    );
                    let answer = self.cloud.answer(self.tick, &head, &body);
                    let keystone = head.uri.path().starts_with("/v3");
                    let takes = if keystone { self.cloud.login_takes } else { self.takes };
                    self.flights.push((self.tick + takes, at, exchange, answer));
                }
                Turn::Park(wait) => {
                    runner.until = wait.map(|wait| wait.until);
                    return;
                }
                Turn::Done(result) => {
                    assert_eq!(pump.in_flight(), 0);
                    runner.result = Some(result);
                    runner.pump = None;
                    return;
                }
            }
        }
    }

    fn happen(&mut self) {
        let now = self.now();
        if let Some((_, skew)) = self.jump.take_if(|(at, _)| START + *at <= self.tick) {
            self.skew = skew;
        }
        if let Some((_, at)) = self.cancel.take_if(|(at, _)| START + *at <= self.tick)
            && let Some(pump) = &mut self.pumps[at].pump
        {
            pump.cancel(now, OnFailure::Abort);
            self.pumps[at].flag.0.store(true, Ordering::Relaxed);
        }
        if let Some((_, at)) = self.drop.take_if(|(at, _)| START + *at <= self.tick) {
            self.pumps[at].pump = None;
            self.flights.retain(|flight| flight.1 != at);
        }
        if let Some((_, act)) = self.meanwhile.take_if(|(at, _)| START + *at <= self.tick) {
            act();
        }
        while let Some(flight) = self.flights.iter().position(|flight| flight.0 <= self.tick) {
            let (_, at, exchange, answer) = self.flights.remove(flight);
            let Some(pump) = &mut self.pumps[at].pump else { continue };
            pump.complete(now, land(exchange, answer));
            self.pumps[at].flag.0.store(true, Ordering::Relaxed);
        }
    }
}

/// How an exchange ends that is answered so.
pub(crate) fn land(exchange: Exchange, answer: Answer) -> Completion {
    if let Some(cause) = answer.lost {
        return exchange.fail(ExchangeError::new(cause, ""));
    }
    let mut head = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        head = head.header(*name, value);
    }
    let mut receiving = exchange.respond(head.body(()).unwrap().into_parts().0);
    receiving.push(answer.body.as_bytes()).unwrap();
    let done = receiving.finish(None);
    let debug = format!("{done:?}");
    assert!(!debug.contains("secret-token") && !debug.contains("hunter2"), "{debug}");
    done
}

/// A session of this user's, whose password is right.
pub(crate) fn session(user: &str, scope: Scope, options: SessionOptions) -> Session {
    Session::new(login(user, "hunter2", scope), options)
}

pub(crate) fn login(user: &str, password: &str, scope: Scope) -> Login {
    let user = User::named(user, Domain::default_id());
    Login::new("http://keystone:5000/v3", Identity::password(user, password), scope).unwrap()
}

/// With this interval.
pub(crate) fn interval(seconds: u64) -> SessionOptions {
    let expire_soon_interval = Duration::from_secs(seconds);
    SessionOptions { expire_soon_interval, retry_policy: Some(long()), ..SessionOptions::default() }
}

/// Eight attempts from half a second up to 20 s.
pub(crate) fn long() -> RetryPolicy {
    let (base, budget) = (Duration::from_millis(500), Arc::new(Budget::unlimited()));
    RetryPolicy { attempts: 8, base, budget, ..RetryPolicy::default() }
}

pub(crate) const START: Duration = Duration::from_millis(1_000_300);
const MOST_EVENTS: usize = 200_000;
