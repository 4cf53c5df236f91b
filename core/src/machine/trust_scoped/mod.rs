//! A transfer under a trust: it may outlast the token of the user for whom it runs.
//!
//! ```text
//!  authenticators: 0 of the user, 1 of the service user, 2 of the service user with the trust
//!
//!  the inner machine, until it sends something that may outlast a token: that draft is held
//!      │                                                    │ it never does
//!      ▼                                                    └──▶ over: no trust is created
//!  ValidateToken ─ roles, project ─▶ ValidateToken ─ user id ─┐
//!                                                             │
//!  CreateTrust ◀──────────────────────────────────────────────┘
//!      │ its response is lost or unreadable: ListTrusts ─ the one that did not exist before
//!      │ its id goes into the slot of authenticator 2
//!      └──▶ ShowTrust with authenticator 2: can it obtain a token?
//!             │                               │ no, or an earlier step failed
//!             ▼                               ▼
//!        the transfer with 2             the transfer with 0, whose token is not renewed:
//!             │                          a notice and the result say so
//!             ▼
//!        DeleteTrust with 0, or else with 2, after success and after failure
//! ```

mod delegation;

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use self::delegation::is_like;
pub use self::delegation::{Delegation, TrustOutcome, TrustUse};
use crate::contract::{Machine, Needs, Notice, OnFailure, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Leftover};
use crate::http::{Completion, Draft, Opened};
use crate::keystone::{
    CreateTrust, DeleteTrust, ListTrusts, Service, ShowTrust, TokenFacts, Trust, TrustSlot,
    ValidateToken, ValidatedToken,
};
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::now::{Now, Timestamp};

/// Runs a machine under a trust created for it, and revokes the trust after success and after
/// failure.
///
/// The user (authenticator 0) lets the service user (authenticator 1) act with the user's roles;
/// authenticator 2 obtains and renews its tokens with the trust. A trust impersonates: what the
/// service user does with it counts as done by the user. If no trust can be created, or no token
/// obtained with it, the transfer uses the user's own token without renewal; a notice and the
/// result say so. If the process is killed, the trust expires after its
/// [`lifetime`](Delegation::lifetime). Each transfer requires its own slot and its own
/// authenticator 2.
///
/// Keystone refuses the following (seen on Keystone 30): a trust created with a token that is
/// itself delegated, by a trust or by an application credential (403); an application credential as
/// the trustee, because it may not request a scope (401), and because its token cannot be exchanged
/// for one with a scope (403). [`Login::new`](crate::keystone::Login::new) reports the latter at
/// once; a caller that nevertheless continues with the user's own token uses
/// [`refused`](Self::refused).
#[derive(Debug)]
pub struct TrustScoped<M: Machine> {
    machine: M,
    delegation: Delegation,
    service: Arc<Service>,
    seed: u64,
    phase: Phase,
    /// The authenticator that the inner machine uses.
    auth: usize,
    /// The draft that the inner machine sends as soon as its authenticator is decided.
    held: Option<Box<Draft>>,
    /// Ids of similar trusts that existed before.
    before: BTreeSet<String>,
    /// The id of the created trust, until it is revoked.
    trust: Option<String>,
    /// Why the trust could not be revoked.
    left: Option<Error>,
    right: TrustUse,
    outcome: Option<Result<M::Output, Error>>,
    notices: VecDeque<Notice>,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    /// No draft was long so far.
    Short,
    /// Reads the user's id, project and roles.
    User(Call<ValidateToken>),
    /// Reads the service user's id.
    Trustee(Call<ValidateToken>, Box<TokenFacts>, Timestamp),
    /// Lists similar trusts before one without an expiry is created.
    Before(Call<ListTrusts>, Box<CreateTrust>),
    Create(Call<CreateTrust>, u32),
    /// Looks for a trust that was perhaps created, and whose id was lost.
    Find(Call<ListTrusts>, Box<CreateTrust>, Error),
    /// Checks that a token can be obtained with the trust.
    Probe(Call<ShowTrust>),
    Run,
    Revoke(Call<DeleteTrust>, Revoking),
    Over,
}

/// Which authenticator revokes the trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Revoking {
    AsUser,
    ByTrust,
}

impl<M: Machine> TrustScoped<M> {
    /// Runs `machine` under a trust, which is created when the machine first sends something that
    /// [is long](Machine::is_long); before that the machine uses the user's own token. `seed`
    /// decides the jitter of delays.
    pub fn new(machine: M, delegation: Delegation, service: Arc<Service>, seed: u64) -> Self {
        let mut this = Self::with_own_token(machine, delegation, TrustUse::NotNeeded);
        this.service = service;
        this.seed = seed;
        this.phase = Phase::Short;
        this
    }

    /// Runs `machine` with the user's own token, of authenticator 0, because no trust is requested:
    /// no request is sent to Keystone.
    pub fn not_needed(machine: M) -> Self {
        let delegation = Delegation::new(TrustSlot::empty());
        Self::with_own_token(machine, delegation, TrustUse::NotNeeded)
    }

    /// Runs `machine` with the user's own token, of authenticator 0, because no trust can be
    /// created, for the reason `why`. The notice and the result are those of a trust that Keystone
    /// refused.
    pub fn refused(machine: M, why: Error) -> Self {
        let delegation = Delegation::new(TrustSlot::empty());
        let notice = Notice::TrustRefused { error: why.clone() };
        let mut this = Self::with_own_token(machine, delegation, TrustUse::OwnToken { why });
        this.notices.push_back(notice);
        this
    }

    /// Returns the inner machine.
    pub fn inner(&self) -> &M {
        &self.machine
    }

    /// Returns the inner machine, for changes.
    pub fn inner_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    fn with_own_token(machine: M, delegation: Delegation, right: TrustUse) -> Self {
        Self {
            machine,
            auth: delegation.user,
            held: None,
            delegation,
            service: Arc::default(),
            seed: 0,
            phase: Phase::Run,
            before: BTreeSet::new(),
            trust: None,
            left: None,
            right,
            outcome: None,
            notices: VecDeque::new(),
            cancelled: false,
        }
    }

    fn call<O: crate::contract::Operation<Service = Service>>(
        &self,
        operation: O,
        slot: u32,
    ) -> Call<O> {
        Call::new(operation, Arc::clone(&self.service), seed(self.seed, slot))
    }

    /// Returns whether the draft just returned by the inner machine is the first that is long.
    fn wants_trust(&self) -> bool {
        matches!(self.phase, Phase::Short) && self.machine.is_long() && !self.cancelled
    }

    fn begin(&self) -> Phase {
        let who = ValidateToken { nocatalog: true, ..ValidateToken::default() };
        Phase::User(self.call(who, USER).with_auth(self.delegation.user))
    }

    fn user_known(&self, now: Now, user: ValidatedToken) -> Result<Phase, Error> {
        let date = user.date.unwrap_or(Timestamp::from_duration(now.unix));
        if let Some(id) = &self.delegation.trustee_user_id {
            let create = self.create(&user.facts, id.clone(), date)?;
            return Ok(self.prepare(create));
        }
        let who = ValidateToken { nocatalog: true, ..ValidateToken::default() };
        let call = self.call(who, TRUSTEE).with_auth(self.delegation.trustee);
        Ok(Phase::Trustee(call, Box::new(user.facts), date))
    }

    fn create(
        &self,
        user: &TokenFacts,
        trustee_user_id: String,
        date: Timestamp,
    ) -> Result<CreateTrust, Error> {
        self.delegation.create(user, trustee_user_id, date, seed(self.seed, CREATE))
    }

    fn list(&self, create: &CreateTrust) -> Call<ListTrusts> {
        let list = ListTrusts {
            trustor_user_id: Some(create.trustor_user_id.clone()),
            trustee_user_id: None,
        };
        self.call(list, FIND).with_auth(self.delegation.user)
    }

    /// After a lost response, a trust with an expiry is recognized by its expiry; one without is
    /// recognized because it did not exist before.
    fn prepare(&self, create: CreateTrust) -> Phase {
        match create.expires_at {
            Some(_) => self.creating(create, 0),
            None => Phase::Before(self.list(&create), Box::new(create)),
        }
    }

    /// Starts attempt number `again`. Keystone distinguishes two trusts by the microseconds of
    /// their expiry.
    fn creating(&self, mut create: CreateTrust, again: u32) -> Phase {
        let random = seed(seed(self.seed, MICROSECONDS), again);
        create.microseconds = u32::try_from(random >> 40).unwrap_or_default() % 1_000_000;
        let call = self.call(create, CREATE).with_auth(self.delegation.user);
        Phase::Create(call, again)
    }

    /// Returns how to go on after a failed creation; `None` to give up.
    fn create_failed(
        &self,
        create: CreateTrust,
        doubtful: bool,
        again: u32,
        error: &Error,
    ) -> Option<Phase> {
        if doubtful {
            return Some(Phase::Find(self.list(&create), Box::new(create), error.clone()));
        }
        let repeats = error.is_conflict() && again < MOST_CONFLICTS && !self.cancelled;
        repeats.then(|| self.creating(create, again + 1))
    }

    /// Handles the list of trusts after a lost response. An unnoticed trust would let the service
    /// user act for the user: if the outcome stays unknown, the error says where to look.
    fn found(
        &mut self,
        list: Result<Vec<Trust>, Error>,
        create: &CreateTrust,
        why: Error,
    ) -> Phase {
        let CreateTrust { trustor_user_id, trustee_user_id, project_id, .. } = create;
        let trusts = format!(
            "the trusts of user {trustor_user_id} for user {trustee_user_id} in project \
             {project_id}"
        );
        let end = create.expires_at.map(|end| format!(" that expire at {}", end.iso8601()));
        let trusts = trusts + end.as_deref().unwrap_or_default();
        let Ok(list) = list else { return self.fall_back(why.with_outcome_unknown(trusts)) };
        let mut alike = list
            .into_iter()
            .filter(|trust| is_like(trust, create) && !self.before.contains(&trust.id));
        match (alike.next(), alike.next()) {
            (None, _) => self.fall_back(why.with_outcome_known()),
            (Some(trust), None) => self.made(trust),
            (Some(one), Some(other)) => {
                let ids: Vec<String> =
                    [one, other].into_iter().chain(alike).map(|it| it.id).collect();
                let trusts = format!("{trusts}: one of {}", ids.join(", "));
                self.fall_back(why.with_outcome_unknown(trusts))
            }
        }
    }

    fn made(&mut self, trust: Trust) -> Phase {
        self.delegation.slot.set(Some(trust.id.clone()));
        self.notices.push_back(Notice::TrustCreated { id: trust.id.clone() });
        self.trust = Some(trust.id.clone());
        if self.cancelled {
            return Phase::Run;
        }
        let show = ShowTrust { id: trust.id };
        Phase::Probe(self.call(show, PROBE).with_auth(self.delegation.trust))
    }

    /// Goes on with the user's own token.
    fn fall_back(&mut self, why: Error) -> Phase {
        if !self.cancelled {
            self.notices.push_back(Notice::TrustRefused { error: why.clone() });
        }
        self.right = TrustUse::OwnToken { why };
        self.auth = self.delegation.user;
        match self.trust.clone() {
            Some(id) => self.revoke(id, Revoking::AsUser),
            None => Phase::Run,
        }
    }

    fn revoke(&self, id: String, how: Revoking) -> Phase {
        let (slot, auth) = match how {
            Revoking::AsUser => (REVOKE, self.delegation.user),
            Revoking::ByTrust => (REVOKE_BY_TRUST, self.delegation.trust),
        };
        Phase::Revoke(self.call(DeleteTrust { id }, slot).with_auth(auth), how)
    }

    /// Handles the end of the revocation; `error` says why the trust is left behind.
    fn revoked(&mut self, id: String, error: Option<Error>) -> Phase {
        self.delegation.slot.set(None);
        self.trust = None;
        match error {
            None => self.notices.push_back(Notice::TrustRevoked { id }),
            Some(error) => {
                self.notices.push_back(Notice::TrustLeft { id: id.clone(), error: error.clone() });
                self.left = Some(error.with_leftover(Leftover::Trust { id }));
            }
        }
        if self.outcome.is_some() { Phase::Over } else { Phase::Run }
    }

    /// Returns the result.
    fn result(
        &mut self,
        outcome: Result<M::Output, Error>,
    ) -> Result<TrustOutcome<M::Output>, Error> {
        let left = self.left.take();
        let leftovers = left.as_ref().map(Error::leftovers).unwrap_or_default().iter().cloned();
        let mut trust = std::mem::replace(&mut self.right, TrustUse::NotNeeded);
        let look_at = match &trust {
            TrustUse::OwnToken { why } => why.look_at().map(str::to_owned),
            _ => None,
        };
        match &mut trust {
            TrustUse::OwnToken { why } => {
                *why = leftovers.clone().fold(why.clone(), Error::with_leftover);
            }
            TrustUse::ByTrust { leftover, .. } => leftover.clone_from(&left),
            TrustUse::NotNeeded => {}
        }
        match outcome {
            Ok(output) => Ok(TrustOutcome { output, trust }),
            Err(error) => {
                let error = leftovers.fold(error, Error::with_leftover);
                Err(match look_at.filter(|_| !error.outcome_unknown()) {
                    Some(look_at) => error.with_outcome_unknown(look_at),
                    None => error,
                })
            }
        }
    }

    /// Handles the end of the transfer: the trust is revoked.
    fn ran(&mut self, outcome: Result<M::Output, Error>) -> Phase {
        self.outcome = Some(outcome);
        match self.trust.clone() {
            Some(id) => self.revoke(id, Revoking::AsUser),
            None => Phase::Over,
        }
    }
}

impl<M: Machine> Machine for TrustScoped<M> {
    type Output = TrustOutcome<M::Output>;

    fn poll(&mut self, now: Now) -> Step<Self::Output> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Short | Phase::Run => {
                    let held = self.held.take();
                    match held.map_or_else(|| self.machine.poll(now), Step::Send) {
                        Step::Send(draft) if self.wants_trust() => {
                            self.held = Some(draft);
                            self.begin()
                        }
                        Step::Send(mut draft) => {
                            draft.ticket = draft.ticket.nested(INNER);
                            draft.auth = self.auth;
                            return Step::Send(draft);
                        }
                        Step::Wait(wait) => return Step::Wait(wait),
                        Step::Done(outcome) => self.ran(outcome),
                    }
                }
                Phase::User(call) => match nest(call.poll(now), USER) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(user) => {
                        match user.and_then(|user| self.user_known(now, user)) {
                            Ok(_) if self.cancelled => Phase::Run,
                            Ok(next) => next,
                            Err(why) => self.fall_back(why),
                        }
                    }
                },
                Phase::Trustee(call, user, date) => match nest(call.poll(now), TRUSTEE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(trustee) => {
                        let (user, date) = (std::mem::take(user), *date);
                        let create = trustee.and_then(|trustee| {
                            let id = trustee.facts.user.map(|user| user.id).unwrap_or_default();
                            self.create(&user, id, date)
                        });
                        match create {
                            Ok(create) if !self.cancelled => self.prepare(create),
                            Ok(_) => Phase::Run,
                            Err(why) => self.fall_back(why),
                        }
                    }
                },
                Phase::Before(call, create) => match nest(call.poll(now), FIND) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(_)) if self.cancelled => Phase::Run,
                    ControlFlow::Continue(Ok(list)) => {
                        let create = std::mem::take(&mut **create);
                        let alike = list.into_iter().filter(|trust| is_like(trust, &create));
                        self.before = alike.map(|trust| trust.id).collect();
                        self.creating(create, 0)
                    }
                    ControlFlow::Continue(Err(why)) => self.fall_back(why),
                },
                Phase::Create(call, again) => match nest(call.poll(now), CREATE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(trust)) => self.made(trust),
                    ControlFlow::Continue(Err(error)) => {
                        // The conflicting trust may come from an earlier attempt, although the
                        // response to that attempt was an error.
                        let conflicts = error.is_conflict() && call.attempts() > 1;
                        let doubtful = call.outcome_unknown() || conflicts;
                        let (create, again) = (call.operation().clone(), *again);
                        let next = self.create_failed(create, doubtful, again, &error);
                        next.unwrap_or_else(|| self.fall_back(error))
                    }
                },
                Phase::Find(call, create, why) => match nest(call.poll(now), FIND) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(list) => {
                        let (why, create) = (why.clone(), std::mem::take(&mut **create));
                        self.found(list, &create, why)
                    }
                },
                Phase::Probe(call) => match nest(call.poll(now), PROBE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Err(why)) => self.fall_back(why),
                    ControlFlow::Continue(Ok(_)) => {
                        self.auth = self.delegation.trust;
                        let id = self.trust.clone().unwrap_or_default();
                        self.right = TrustUse::ByTrust { id, leftover: None };
                        Phase::Run
                    }
                },
                Phase::Revoke(call, how) => match nest(call.poll(now), REVOKE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(result) => {
                        let (id, how) = (call.operation().id.clone(), *how);
                        match (result, how) {
                            (Ok(()), _) => self.revoked(id, None),
                            (Err(_), Revoking::AsUser) => self.revoke(id, Revoking::ByTrust),
                            (Err(error), Revoking::ByTrust) => self.revoked(id, Some(error)),
                        }
                    }
                },
                Phase::Over => {
                    let Some(outcome) = self.outcome.take() else { return Step::Wait(None) };
                    return Step::Done(self.result(outcome));
                }
            };
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (&mut self.phase, done.route()) {
            (_, Some(INNER)) => self.machine.complete(now, done),
            (Phase::User(call), Some(USER)) => call.complete(now, done),
            (Phase::Trustee(call, ..), Some(TRUSTEE)) => call.complete(now, done),
            (Phase::Create(call, _), Some(CREATE)) => call.complete(now, done),
            (Phase::Before(call, _) | Phase::Find(call, ..), Some(FIND)) => {
                call.complete(now, done)
            }
            (Phase::Probe(call), Some(PROBE)) => call.complete(now, done),
            (Phase::Revoke(call, _), Some(REVOKE)) => call.complete(now, done),
            _ => {}
        }
    }

    fn opened(&mut self, now: Now, mut opened: Opened) {
        if opened.route() == Some(INNER) {
            self.machine.opened(now, opened);
        }
    }

    /// Waits for a trust that is being created, so that it can be revoked; a revocation continues.
    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        // A machine is not called after its end.
        if self.outcome.is_none() && !matches!(self.phase, Phase::Over) {
            self.machine.cancel(now, on_failure);
            if let Some(draft) = self.held.take() {
                let cancelled = ExchangeError::cancelled().into();
                self.machine.complete(now, Completion::denied(draft, now, cancelled));
            }
        }
        match &mut self.phase {
            Phase::User(call) => call.cancel(now, on_failure),
            Phase::Trustee(call, ..) => call.cancel(now, on_failure),
            Phase::Before(call, _) => call.cancel(now, on_failure),
            Phase::Create(call, _) => call.cancel(now, on_failure),
            Phase::Probe(call) => call.cancel(now, on_failure),
            _ => {}
        }
    }

    fn concurrency(&self) -> usize {
        self.machine.concurrency()
    }

    fn is_long(&self) -> bool {
        self.machine.is_long()
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        self.machine.stream_window()
    }

    fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front().or_else(|| self.machine.notice())
    }

    fn needs(&self) -> Needs {
        self.machine.needs()
    }

    fn leftovers(&self) -> Vec<Leftover> {
        let unknown = matches!(self.phase, Phase::Create(..)).then(String::new);
        let trust = self.trust.clone().or(unknown).map(|id| Leftover::Trust { id });
        self.machine.leftovers().into_iter().chain(trust).collect()
    }
}

const INNER: u32 = 0;
const USER: u32 = 1;
const TRUSTEE: u32 = 2;
const CREATE: u32 = 3;
const FIND: u32 = 4;
const PROBE: u32 = 5;
const REVOKE: u32 = 6;
const REVOKE_BY_TRUST: u32 = 7;
/// Not a machine: the seed for the microseconds of a trust's expiry.
const MICROSECONDS: u32 = 8;

/// How often to try again after a conflict of microseconds.
const MOST_CONFLICTS: u32 = 3;
