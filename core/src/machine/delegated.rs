//! A transfer under a trust: it may outlive the token of the user that it is for.
//!
//! ```text
//!  party 0: the user's token     party 1: the service user     party 2: the service user, by trust
//!
//!  the machine inside, until it has something to send that may outlast a token: that is held
//!      │                                                    │ there is nothing of the kind
//!      ▼                                                    └──▶ over, and no trust was needed
//!  ValidateToken ─ roles, project ─▶ ValidateToken ─ user id ─┐
//!                                                             │
//!  CreateTrust ◀──────────────────────────────────────────────┘
//!      │ its answer is lost or can't be read: ListTrusts ─ the one that was not there before
//!      │ its id goes into the slot of party 2
//!      └──▶ ShowTrust under party 2: can a token be had by it?
//!             │                               │ no, or anything failed before
//!             ▼                               ▼
//!        the transfer under party 2      the transfer under party 0, whose token is not renewed:
//!             │                          said by a notice and in the result
//!             ▼
//!        DeleteTrust, under party 0 or else under party 2, however the transfer ended
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::contract::{Intake, Leave, Machine, Needs, Notice, Step};
use crate::error::{Error, Failure, Leftover};
use crate::http::{Completion, Draft};
use crate::keystone::{
    CreateTrust, DeleteTrust, ListTrusts, Service, ShowTrust, TokenFacts, Trust, TrustSlot,
    ValidateToken, ValidatedToken,
};
use crate::machine::Call;
use crate::machine::nest::{nest, seed};
use crate::now::{Now, Timestamp};

/// Who trusts whom with what.
#[derive(Clone, Debug)]
pub struct Delegation {
    /// The slot of the trust-scoped session's scope.
    pub slot: TrustSlot,
    /// The party whose token is the user's.
    pub user: usize,
    /// The party whose token is the service user's.
    pub trustee: usize,
    /// The party that has its tokens by the trust in the slot.
    pub trust: usize,
    /// The service user's id, where it is known; its token is not asked then.
    pub trustee_user_id: Option<String>,
    /// The names of the user's roles that are delegated; all of them where there are none.
    pub roles: Vec<String>,
    /// How long the trust lives, up to an hour more: long enough for the transfer. Without, it
    /// lives until it is revoked.
    pub lifetime: Option<Duration>,
    /// How many tokens can be had by it. Each renewal takes one.
    pub remaining_uses: Option<u32>,
}

impl Delegation {
    /// The user is party 0, the service user party 1, and what it has by the trust in `slot` party
    /// 2; all roles, for a day.
    pub fn new(slot: TrustSlot) -> Self {
        Self {
            slot,
            user: 0,
            trustee: 1,
            trust: 2,
            trustee_user_id: None,
            roles: Vec::new(),
            lifetime: Some(Duration::from_secs(86_400)),
            remaining_uses: None,
        }
    }
}

/// What a transfer came to, and by what right it was done.
#[derive(Clone, Debug)]
pub struct Entrusted<T> {
    /// What the transfer came to.
    pub output: T,
    /// By what right.
    pub trust: Trusted,
}

/// By what right a transfer was done.
#[derive(Clone, Debug)]
pub enum Trusted {
    /// By a trust, which is gone.
    ByTrust {
        /// Its id.
        id: String,
        /// Why it is not gone, but left behind until it ends by itself.
        leftover: Option<Error>,
    },
    /// By the user's own token: no trust could be had.
    OwnToken {
        /// Why.
        why: Error,
    },
    /// By the user's own token, as was asked for, or because nothing of it was long.
    NotNeeded,
}

/// Runs a machine under a trust made for it, and revokes the trust however that ends.
///
/// The user (party 0) lets the service user (party 1) act with the user's roles; party 2 has its
/// tokens by that, and renews them. A trust impersonates: what is done by it is the user's, in the
/// user's account. Where none can be made, or no token be had by it, the user's own token is used and
/// not renewed: a notice says so, and the result does. The trust ends by itself too, should the
/// process be killed meanwhile. Each transfer wants a slot and a party 2 of its own.
///
/// What Keystone refuses (seen on Keystone 30): a trust by a token that is delegated itself, be it by
/// a trust or by an application credential (403); an application credential as the trustee, for it
/// may ask for no scope (401), and a token had by one can't be exchanged for one with a scope (403).
/// [`Login::new`](crate::keystone::Login::new) says the latter at once;
/// [`refused`](Self::refused) is for who wants to go on with the user's own token.
#[derive(Debug)]
pub struct Delegated<M: Machine> {
    machine: M,
    delegation: Delegation,
    service: Arc<Service>,
    seed: u64,
    phase: Phase,
    /// The party that the inner machine goes under.
    party: usize,
    /// What the inner machine wants to send as soon as its party is known.
    held: Option<Box<Draft>>,
    /// Trusts like the one to be made that were there before it.
    before: BTreeSet<String>,
    /// The trust that was made, until it is revoked.
    trust: Option<String>,
    /// Why it could not be revoked.
    left: Option<Error>,
    right: Trusted,
    outcome: Option<Result<M::Output, Error>>,
    notices: VecDeque<Notice>,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    /// Nothing was long yet.
    Short,
    /// Whose token is it, and with which roles?
    User(Call<ValidateToken>),
    /// Who is the service user?
    Trustee(Call<ValidateToken>, Box<TokenFacts>, Timestamp),
    /// What is there already of trusts like one that has no end to tell it by.
    Before(Call<ListTrusts>, Box<CreateTrust>),
    Create(Call<CreateTrust>, u32),
    /// A trust was perhaps made, and its id lost.
    Find(Call<ListTrusts>, Box<CreateTrust>, Error),
    /// Can a token be had by it?
    Probe(Call<ShowTrust>),
    Run,
    Revoke(Call<DeleteTrust>, Revoking),
    Over,
}

/// A revocation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Revoking {
    AsUser,
    ByTrust,
}

impl<M: Machine> Delegated<M> {
    /// Runs `machine` under a trust, which is made when the machine first has something to send
    /// that [is long](Machine::is_long); what it sends before goes under the user's own token.
    /// `seed` decides the jitter of delays.
    pub fn new(machine: M, delegation: Delegation, service: Arc<Service>, seed: u64) -> Self {
        let mut this = Self::under_own_token(machine, delegation, Trusted::NotNeeded);
        this.service = service;
        this.seed = seed;
        this.phase = Phase::Short;
        this
    }

    /// Runs `machine` under the user's own token, party 0, because no trust is wanted: nothing is
    /// asked of Keystone.
    pub fn not_needed(machine: M) -> Self {
        let delegation = Delegation::new(TrustSlot::empty());
        Self::under_own_token(machine, delegation, Trusted::NotNeeded)
    }

    /// Runs `machine` under the user's own token, party 0, because no trust can be had, for this
    /// reason. It is told as that of a trust that Keystone refused.
    pub fn refused(machine: M, why: Error) -> Self {
        let delegation = Delegation::new(TrustSlot::empty());
        let notice = Notice::TrustRefused { error: why.clone() };
        let mut this = Self::under_own_token(machine, delegation, Trusted::OwnToken { why });
        this.notices.push_back(notice);
        this
    }

    /// The machine inside.
    pub fn inner(&self) -> &M {
        &self.machine
    }

    /// The machine inside, to be told something.
    pub fn inner_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    fn under_own_token(machine: M, delegation: Delegation, right: Trusted) -> Self {
        Self {
            machine,
            party: delegation.user,
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

    /// Whether what the inner machine has just asked for is the first that is long.
    fn wants_trust(&self) -> bool {
        matches!(self.phase, Phase::Short) && self.machine.is_long() && !self.cancelled
    }

    fn begin(&self) -> Phase {
        let who = ValidateToken { nocatalog: true, ..ValidateToken::default() };
        Phase::User(self.call(who, USER).under(self.delegation.user))
    }

    fn user_known(&self, now: Now, user: ValidatedToken) -> Result<Phase, Error> {
        let date = user.date.unwrap_or(Timestamp::from_duration(now.unix));
        if let Some(id) = &self.delegation.trustee_user_id {
            let create = self.create(&user.facts, id.clone(), date)?;
            return Ok(self.prepare(create));
        }
        let who = ValidateToken { nocatalog: true, ..ValidateToken::default() };
        let call = self.call(who, TRUSTEE).under(self.delegation.trustee);
        Ok(Phase::Trustee(call, Box::new(user.facts), date))
    }

    /// The trust to be made.
    fn create(
        &self,
        user: &TokenFacts,
        trustee_user_id: String,
        date: Timestamp,
    ) -> Result<CreateTrust, Error> {
        let refused = |what: &'static str| Err(Error::authority(what).in_operation("CreateTrust"));
        let Some(trustor) = &user.user else {
            return refused("the user's token does not say whose it is");
        };
        let Some(project) = &user.project else {
            return refused("the user's token is for no project, so there is nothing to delegate");
        };
        if user.trust.is_some() {
            return refused("the user's token was had by a trust, which can't be passed on");
        }
        let mut roles = user.roles.clone();
        if !self.delegation.roles.is_empty() {
            roles.retain(|role| self.delegation.roles.contains(&role.name));
            if roles.len() < self.delegation.roles.len() {
                return refused("the user does not have all the roles that are to be delegated");
            }
        }
        let random = seed(self.seed, CREATE);
        let expires_at = self.delegation.lifetime.map(|lifetime| {
            // Trusts that end in one second can't be told apart in a list.
            let spread = i64::try_from(random % SPREAD).unwrap_or_default();
            let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_unix(date.unix().saturating_add(lifetime).saturating_add(spread))
        });
        Ok(CreateTrust {
            trustor_user_id: trustor.id.clone(),
            trustee_user_id,
            project_id: project.id.clone(),
            roles,
            impersonation: true,
            expires_at,
            microseconds: 0,
            remaining_uses: self.delegation.remaining_uses,
        })
    }

    fn list(&self, create: &CreateTrust) -> Call<ListTrusts> {
        let list = ListTrusts {
            trustor_user_id: Some(create.trustor_user_id.clone()),
            trustee_user_id: None,
        };
        self.call(list, FIND).under(self.delegation.user)
    }

    /// A trust that ends is known by its end, should the answer be lost; one that does not, by not having
    /// been there before.
    fn prepare(&self, create: CreateTrust) -> Phase {
        match create.expires_at {
            Some(_) => self.creating(create, 0),
            None => Phase::Before(self.list(&create), Box::new(create)),
        }
    }

    /// The `again`th attempt to make it. Keystone tells two trusts by the microseconds of their end.
    fn creating(&self, mut create: CreateTrust, again: u32) -> Phase {
        let random = seed(seed(self.seed, MICROSECONDS), again);
        create.microseconds = u32::try_from(random >> 40).unwrap_or_default() % 1_000_000;
        let call = self.call(create, CREATE).under(self.delegation.user);
        Phase::Create(call, again)
    }

    /// What may still come of a trust that was not made; nothing where it is given up.
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

    /// What became of a trust whose answer was lost. A trust that nobody knows lets the service user act
    /// for the user: what can't be told is said, with where to look.
    fn found(
        &mut self,
        list: Result<Vec<Trust>, Error>,
        create: &CreateTrust,
        why: Error,
    ) -> Phase {
        let CreateTrust { trustor_user_id, trustee_user_id, project_id, .. } = create;
        let trusts = format!(
            "the trusts of user {trustor_user_id} for user {trustee_user_id} in project {project_id}"
        );
        let end = create.expires_at.map(|end| format!(" that end at {}", end.iso8601()));
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
        Phase::Probe(self.call(show, PROBE).under(self.delegation.trust))
    }

    /// No trust: the user's own token it is.
    fn fall_back(&mut self, why: Error) -> Phase {
        if !self.cancelled {
            self.notices.push_back(Notice::TrustRefused { error: why.clone() });
        }
        self.right = Trusted::OwnToken { why };
        self.party = self.delegation.user;
        match self.trust.clone() {
            Some(id) => self.revoke(id, Revoking::AsUser),
            None => Phase::Run,
        }
    }

    fn revoke(&self, id: String, how: Revoking) -> Phase {
        let (slot, party) = match how {
            Revoking::AsUser => (REVOKE, self.delegation.user),
            Revoking::ByTrust => (REVOKE_BY_TRUST, self.delegation.trust),
        };
        Phase::Revoke(self.call(DeleteTrust { id }, slot).under(party), how)
    }

    /// The trust is gone, or, with an error, is left behind.
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

    /// What it all came to.
    fn result(&mut self, outcome: Result<M::Output, Error>) -> Result<Entrusted<M::Output>, Error> {
        let left = self.left.take();
        let leftovers = left.as_ref().map(Error::leftovers).unwrap_or_default().iter().cloned();
        let mut trust = std::mem::replace(&mut self.right, Trusted::NotNeeded);
        let look_at = match &trust {
            Trusted::OwnToken { why } => why.look_at().map(str::to_owned),
            _ => None,
        };
        match &mut trust {
            Trusted::OwnToken { why } => {
                *why = leftovers.clone().fold(why.clone(), Error::with_leftover);
            }
            Trusted::ByTrust { leftover, .. } => leftover.clone_from(&left),
            Trusted::NotNeeded => {}
        }
        match outcome {
            Ok(output) => Ok(Entrusted { output, trust }),
            Err(error) => {
                let error = leftovers.fold(error, Error::with_leftover);
                Err(match look_at.filter(|_| !error.outcome_unknown()) {
                    Some(look_at) => error.with_outcome_unknown(look_at),
                    None => error,
                })
            }
        }
    }

    /// The transfer has ended; with it, the trust does.
    fn ran(&mut self, outcome: Result<M::Output, Error>) -> Phase {
        self.outcome = Some(outcome);
        match self.trust.clone() {
            Some(id) => self.revoke(id, Revoking::AsUser),
            None => Phase::Over,
        }
    }
}

impl<M: Machine> Machine for Delegated<M> {
    type Output = Entrusted<M::Output>;

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
                            draft.ticket = draft.ticket.under(INNER);
                            draft.party = self.party;
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
                        // The other trust may be one that an earlier attempt has made, although it
                        // was answered with an error.
                        let conflicts = error.is_conflict() && call.attempts() > 1;
                        let doubtful = call.is_doubtful() || conflicts;
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
                        self.party = self.delegation.trust;
                        let id = self.trust.clone().unwrap_or_default();
                        self.right = Trusted::ByTrust { id, leftover: None };
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

    /// A trust that is being made is waited for, so that it can be revoked; a revocation goes on.
    fn cancel(&mut self, now: Now, leave: Leave) {
        self.cancelled = true;
        // After its end a machine is told nothing any more.
        if self.outcome.is_none() && !matches!(self.phase, Phase::Over) {
            self.machine.cancel(now, leave);
            if let Some(draft) = self.held.take() {
                let cancelled = Failure::cancelled().into();
                self.machine.complete(now, Completion::denied(draft, now, cancelled));
            }
        }
        match &mut self.phase {
            Phase::User(call) => call.cancel(now, leave),
            Phase::Trustee(call, ..) => call.cancel(now, leave),
            Phase::Before(call, _) => call.cancel(now, leave),
            Phase::Create(call, _) => call.cancel(now, leave),
            Phase::Probe(call) => call.cancel(now, leave),
            _ => {}
        }
    }

    fn width(&self) -> usize {
        self.machine.width()
    }

    fn is_long(&self) -> bool {
        self.machine.is_long()
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        self.machine.intake()
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

/// Whether a trust may be the one that was to be made. Lists leave the roles out.
fn is_like(trust: &Trust, create: &CreateTrust) -> bool {
    trust.trustee_user_id == create.trustee_user_id
        && trust.project_id.as_ref() == Some(&create.project_id)
        && trust.impersonation == create.impersonation
        && trust.expires_at == create.expires_at
}

const INNER: u32 = 0;
const USER: u32 = 1;
const TRUSTEE: u32 = 2;
const CREATE: u32 = 3;
const FIND: u32 = 4;
const PROBE: u32 = 5;
const REVOKE: u32 = 6;
const REVOKE_BY_TRUST: u32 = 7;
/// No machine; what the microseconds of a trust's end are drawn from.
const MICROSECONDS: u32 = 8;

/// Seconds over which the ends of trusts are spread.
const SPREAD: u64 = 3600;
/// How often another trust may have had the same microsecond.
const MOST_CONFLICTS: u32 = 3;
