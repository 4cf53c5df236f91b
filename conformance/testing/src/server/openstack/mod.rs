//! A small Keystone and a small Swift in memory, as a pure function from request to response.
//!
//! ```text
//!   head ─ Call::parse ─ Plan: a fault? ─┬─ Keystone ───────────────────────────── read on
//!                                        └─ Swift: identify, authorize, admit ──┬─ read on
//!                                                                               └─ answered now
//!   body ─ Plan: a fault in its place? ─┬─ keystone: login, tokens, trusts
//!                                       └─ accounts, containers, objects, slo, dlo, bulk
//!   Reply ─ Plan: a fault that spoils it ─ transaction id ─ HEAD, 204: no body
//! ```
//!
//! Its responses are those that were seen from Keystone 30.0.0 and Swift 2.38.3, except v2 and v1
//! authentication, which those do not have. The model has no clock: [`OpenStackModel::set_now`]
//! sets the time. It checks a token when the head arrives, and never again.

mod access;
mod accounts;
mod bulk;
mod conditions;
mod containers;
mod copy;
mod dlo;
mod embedded;
mod faults;
mod headers;
mod info;
mod keystone;
mod legacy;
mod listing;
mod login;
mod look;
mod manifest;
mod objects;
mod operation;
mod people;
mod reads;
mod reply;
mod slo;
mod slo_read;
mod temp_url;
mod tokens;
mod trusts;

use std::collections::BTreeMap;
use std::time::Duration;

use self::access::Caller;
pub use self::accounts::{Account, Container};
pub use self::embedded::EmbeddedOpenStack;
pub use self::login::Login;
pub use self::objects::SwiftObject;
pub use self::operation::OpenStackOperation;
use self::operation::{Call, Place, Target};
use self::people::People;
pub use self::people::{ApplicationCredential, User};
use self::reply::Refusal;
pub use self::slo::Segment;
pub use self::tokens::Token;
pub use self::trusts::Trust;
use super::message::{BodyReading, Ending, Reply, Request};
use super::plan::{Fault, Plan};

/// The state of the two servers, and their planned faults.
#[derive(Debug, Clone)]
pub struct OpenStackModel {
    plan: Plan<OpenStackOperation>,
    identity_url: String,
    storage_url: String,
    token_life: Duration,
    legacy: bool,
    ignores_conditions: bool,
    limits: Limits,
    /// The time until a listing shows an object.
    listing_lag: Duration,
    /// The same for objects whose names have these endings.
    lagging: Vec<(String, Lag)>,
    people: People,
    tokens: BTreeMap<String, Token>,
    trusts: BTreeMap<String, Trust>,
    logins: Vec<Login>,
    accounts: BTreeMap<String, Account>,
    counts: BTreeMap<OpenStackOperation, u64>,
    requests: u64,
    issued: u64,
    /// Segments that are deleted when the daemons run.
    unsettled: Vec<Target>,
    /// The shortest remaining life of a token when Swift accepted it.
    least_left: Duration,
    now: Duration,
    /// The time of the last change; no two changes have the same time.
    computed: Duration,
}

/// The limits in `/info` that tests change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest object of one piece, in bytes.
    pub max_file_size: u64,
    /// Entries of one page of a listing.
    pub container_listing_limit: usize,
    /// Segments of one manifest; `None` where static large objects are not supported.
    pub max_manifest_segments: Option<usize>,
    /// Objects of one bulk deletion; `None` where bulk deletions are not supported.
    pub max_deletes_per_request: Option<usize>,
    /// Storage policies, the default first.
    pub policies: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_size: 5_368_709_122,
            container_listing_limit: 10_000,
            max_manifest_segments: Some(1000),
            max_deletes_per_request: Some(10_000),
            policies: vec!["Policy-0".to_owned()],
        }
    }
}

/// How long listings do not show an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// For this long after the object was written.
    For(Duration),
    /// Until this many more requests have come.
    Requests(u64),
}

/// What to do with a request whose head has arrived.
#[derive(Debug)]
pub enum HeadOutcome {
    /// Send this response now; its [`BodyReading`] states what is done with the body.
    Answered(Reply),
    /// Read its body.
    Admitted(Admission),
}

/// An admitted request.
#[derive(Debug)]
pub struct Admission {
    caller: Caller,
    fault: Option<Fault>,
}

type Answer = Result<Reply, Refusal>;

impl Default for OpenStackModel {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenStackModel {
    /// Creates the servers with their users and without containers. Tokens live an hour.
    pub fn new() -> Self {
        let people = People::new();
        let mut model = Self {
            plan: Plan::new(),
            identity_url: "http://keystone.test:5000".to_owned(),
            storage_url: "http://swift.test:8080".to_owned(),
            token_life: Duration::from_secs(3600),
            legacy: false,
            ignores_conditions: false,
            limits: Limits::default(),
            listing_lag: Duration::ZERO,
            lagging: Vec::new(),
            people,
            tokens: BTreeMap::new(),
            trusts: BTreeMap::new(),
            logins: Vec::new(),
            accounts: BTreeMap::new(),
            counts: BTreeMap::new(),
            requests: 0,
            issued: 0,
            unsettled: Vec::new(),
            least_left: Duration::MAX,
            now: Duration::ZERO,
            computed: Duration::ZERO,
        };
        let account = model.account_of("demo");
        model.account_mut(&account).set_header("X-Account-Meta-Temp-Url-Key", TEMP_URL_KEY);
        model
    }

    /// Sets the planned faults.
    pub fn with_plan(mut self, plan: Plan<OpenStackOperation>) -> Self {
        self.plan = plan;
        self
    }

    /// Sets the life of tokens, in whole seconds from the beginning of the second in which they are
    /// issued.
    pub fn with_token_life(mut self, life: Duration) -> Self {
        self.token_life = life;
        self
    }

    /// Ignores `If-None-Match` of PUT, as Ceph's gateway does.
    pub fn ignore_conditions(&mut self) {
        self.ignores_conditions = true;
    }

    /// Sets the limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Enables v2 and v1 authentication.
    pub fn with_legacy_authentication(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// Adds a user with a password and all rights in this project, which is added too; a known user
    /// gets these rights beside the others.
    pub fn with_user(mut self, name: &str, project: &str) -> Self {
        self.people.add(name, project, &["member", "reader", people::OPERATOR]);
        self
    }

    /// Adds an empty container to the account of a user's project.
    pub fn with_container(mut self, user: &str, name: &str) -> Self {
        let account = self.account_of(user);
        let (now, policy) = (self.stamp(), self.limits.policies.first().cloned());
        let container = Container::new(now, policy.unwrap_or_default());
        self.account_mut(&account).containers.insert(name.to_owned(), container);
        self
    }

    /// Sets scheme, host and port of both servers.
    pub fn set_endpoints(&mut self, identity: impl Into<String>, storage: impl Into<String>) {
        self.identity_url = identity.into();
        self.storage_url = storage.into();
    }

    /// Replaces the planned faults. The counts of requests continue.
    pub fn set_plan(&mut self, plan: Plan<OpenStackOperation>) {
        self.plan = plan;
    }

    /// Sets the time until a listing, and with it a dynamic large object, shows an object that was
    /// written: Swift updates containers after objects. An object that is written again stays
    /// listed meanwhile.
    pub fn set_listing_lag(&mut self, lag: Duration) {
        self.listing_lag = lag;
    }

    /// Sets the same for objects with this ending of their names, whether they exist already or
    /// not: a time after each was written, or a number of further requests.
    pub fn lag_listing_of(&mut self, ending: impl Into<String>, lag: Lag) {
        let lag = match lag {
            Lag::For(time) => Lag::For(time),
            Lag::Requests(more) => Lag::Requests(self.requests + more),
        };
        self.lagging.push((ending.into(), lag));
    }

    /// Whether listings already show an object.
    fn is_listed(&self, name: &str, object: &SwiftObject) -> bool {
        let now = self.now.max(self.computed);
        object.listed + self.listing_lag <= now
            && self.lagging.iter().filter(|(end, _)| name.ends_with(end)).all(
                |(_, lag)| match lag {
                    Lag::For(time) => object.listed.saturating_add(*time) <= now,
                    Lag::Requests(until) => self.requests > *until,
                },
            )
    }

    /// Sets the life of tokens that are issued from now on.
    pub fn set_token_life(&mut self, life: Duration) {
        self.token_life = life;
    }

    /// Sets the time since 1970.
    pub fn set_now(&mut self, now: Duration) {
        self.now = now;
    }

    /// Handles a request with its body.
    pub fn handle(&mut self, request: &Request) -> Reply {
        match self.head(request) {
            HeadOutcome::Answered(reply) => reply,
            HeadOutcome::Admitted(admission) => self.body(admission, request),
        }
    }

    /// Handles the head of a request whose body has not been read.
    pub fn head(&mut self, head: &Request) -> HeadOutcome {
        let call = self.parse(head);
        self.requests += 1;
        let nth = self.counts.entry(call.operation).or_default();
        *nth += 1;
        let fault = self.plan.fault(call.operation, *nth, self.requests).cloned();
        if let Some(Fault::RefuseEarly(status, _)) = fault {
            return HeadOutcome::Answered(self.early(self.refusal(status, &call), head));
        }
        let caller = match &call.place {
            Place::Storage(_) => self.identify(&call),
            _ => Ok(Caller::Nobody),
        };
        let admitted = caller.and_then(|caller| self.admit(&call, &caller).map(|_| caller));
        match admitted {
            Ok(caller) => HeadOutcome::Admitted(Admission { caller, fault }),
            Err(refusal) => match &fault {
                // A fault of the connection does not depend on the response.
                Some(Fault::Lost(_) | Fault::Instead(_) | Fault::AnswerLost(_)) => {
                    HeadOutcome::Admitted(Admission { caller: Caller::Nobody, fault })
                }
                _ => HeadOutcome::Answered(self.early(refusal.into_reply(), head)),
            },
        }
    }

    /// Handles an admitted request, and applies the faults of the plan.
    pub fn body(&mut self, admission: Admission, request: &Request) -> Reply {
        let Admission { caller, fault } = admission;
        let mut call = self.parse(request);
        if !request.complete {
            return self.finish(reply::page(499), request).then_close();
        }
        if let Some(reply) = fault.as_ref().and_then(|fault| self.instead(fault, &call)) {
            return self.finish(reply, request);
        }
        call.rangeless = fault == Some(Fault::RangeIgnored);
        let answer = match &call.place {
            Place::Identity(_) => self.keystone(&call),
            Place::Front(path) => Ok(self.front(path)),
            Place::Nowhere(404, _) => Err(reply::page(404).into()),
            Place::Nowhere(status, text) => Err(reply::said(*status, *text).into()),
            Place::Storage(target) => self.storage(&call, target, &caller),
        };
        let mut reply = answer.unwrap_or_else(Refusal::into_reply);
        if matches!(caller, Caller::TempUrl) {
            reply = temp_url::dress(&call, reply);
        }
        let reply = self.finish(reply, request);
        match fault {
            Some(fault) => faults::spoil(&fault, reply),
            None => reply,
        }
    }

    /// Parses a request. Keystone and Swift have only the root in common.
    fn parse<'a>(&self, request: &'a Request) -> Call<'a> {
        let mut call = Call::parse(request);
        let host = self.storage_url.split_once("://").map(|(_, host)| host);
        if request.path() == "/" && host.is_some() && request.header("host") == host {
            call.place = Place::Nowhere(404, "");
            call.operation = OpenStackOperation::Other;
        }
        call
    }

    fn storage(&mut self, call: &Call<'_>, target: &Target, caller: &Caller) -> Answer {
        use OpenStackOperation as Is;
        let answer = match call.operation {
            Is::HeadAccount | Is::GetAccount => self.get_account(call, target),
            Is::PutAccount => Ok(reply::page(202)),
            Is::PostAccount => Ok(self.post_account(call, target)),
            Is::PutContainer => self.put_container(call, target),
            Is::HeadContainer | Is::GetContainer => self.get_container(call, target),
            Is::PostContainer => self.post_container(call, target),
            Is::DeleteContainer => self.delete_container(target),
            Is::PutObject | Is::PutDlo => self.put_object(call, target),
            Is::CopyObject => self.copy_object(call, target, caller),
            Is::PutSlo => self.put_slo(call, target, caller),
            Is::HeadObject | Is::GetObject | Is::GetManifest => self.get_object(call, target),
            Is::PostObject => self.post_object(call, target),
            Is::DeleteObject => self.delete_object(target),
            Is::DeleteSlo => self.delete_slo(call, target, caller),
            Is::BulkDelete => self.bulk_delete(call, target, caller),
            _ => Err(reply::page(405)
                .header("Allow", "DELETE, HEAD, PUT, OPTIONS, POST, GET")
                .into()),
        };
        match caller.owns(target) {
            true => answer,
            false => answer.map(access::conceal),
        }
    }

    /// Returns a response that is sent before the body is read: with `Expect` the connection ends,
    /// otherwise the body is read and dropped.
    fn early(&self, reply: Reply, head: &Request) -> Reply {
        let reply = self.finish(reply, head);
        match head.expects_continue() {
            true => reply.header("Connection", "close").intake(BodyReading::Refuse(Ending::Close)),
            false => reply.intake(BodyReading::Drain),
        }
    }

    /// Adds the headers that every response has, and removes what no response has.
    fn finish(&self, mut reply: Reply, request: &Request) -> Reply {
        let length = match (request.method.as_str(), reply.status) {
            (_, 204 | 304) => Some(0),
            ("HEAD", 400..) => Some(0),
            ("HEAD", _) => Some(reply.body.len()),
            _ => None,
        };
        if let Some(length) = length {
            if reply.find_header("content-length").is_none() {
                reply = reply.header("Content-Length", length.to_string());
            }
            reply.body = bytes::Bytes::new();
        }
        let reply = reply.header("Date", super::dates::http_date(self.now.as_secs()));
        let id = format!("tx{:021x}-{:010x}", self.requests, self.now.as_secs());
        if matches!(self.parse(request).place, Place::Identity(_)) {
            let id = format!("req-{:08x}-0000-4000-8000-{:012x}", self.requests, self.requests);
            return reply.header("Vary", "X-Auth-Token").header("x-openstack-request-id", id);
        }
        reply.header("X-Trans-Id", &id).header("X-Openstack-Request-Id", id)
    }

    /// Returns the time of a change: now, with Swift's resolution, and later than any before.
    fn stamp(&mut self) -> Duration {
        let now = Duration::from_micros(self.now.as_micros() as u64 / 10 * 10);
        self.computed = now.max(self.computed + Duration::from_micros(10));
        self.computed
    }
}

/// The key of temporary URLs in `demo`'s account.
const TEMP_URL_KEY: &str = "tempurl-key";
