//! The exchanges of a [`Source`]: their order, and how their responses are read.
//!
//! ```text
//!  Static ─────────────────────────────────────────┐
//!  Process ── run the command ─────────────────────┤
//!  WebIdentity ── read the token ─▶ STS ───────────┤
//!  Sso ── read the token (─▶ OIDC) ─▶ portal ──────┼─▶ keys ─▶ AssumeRole ─▶ AssumeRole ─▶ keys
//!  Container ── read the token ─▶ endpoint ────────┤
//!  Instance ── token ─▶ name of the role ─▶ keys ──┘
//! ```

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use http::header::DATE;

use super::metadata::{self, InstanceStep};
use super::renewal::{ExpiringKeys, KeySource, KeyStep};
use super::source::{AssumeRole, Authorization, Source};
use super::sso::{self, Token};
use super::sts;
use crate::error::{Error, Kind};
use crate::http::Reply;
use crate::now::{Now, Timestamp};
use crate::secret::Secret;
use crate::sign::Keys;

/// Reads files and runs processes for the core, which does neither.
///
/// A lookup that is not finished returns `Pending`. When it is worth calling again, it wakes every
/// waker that it was given; the next call returns the result, once.
pub trait Lookup: Send {
    /// Reads the text of a file. A `~` at the start of the path is the home directory.
    fn file(&mut self, path: &str, waker: &Waker) -> Poll<Result<Secret, Error>>;

    /// Runs a command and returns what it prints, if it exits with success. No shell runs it:
    /// [`split_words`](super::split_words) splits it into words.
    fn process(&mut self, command: &str, waker: &Waker) -> Poll<Result<Secret, Error>>;

    /// Replaces the text of a file that [`file`](Self::file) read: the renewed token of a login. By
    /// default nothing is written, and the new token is used by this process only.
    ///
    /// # Errors
    ///
    /// The file could not be written. The new token is used nevertheless.
    fn replace_file(&mut self, path: &str, text: &Secret) -> Result<(), Error> {
        let _ = (path, text);
        Ok(())
    }
}

/// A [`Lookup`] that fails each call, for sources that need neither files nor processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn file(&mut self, _: &str, _: &Waker) -> Poll<Result<Secret, Error>> {
        Poll::Ready(Err(Error::invalid_input(
            "this provider can't read files: NoLookup supports neither files nor processes",
        )))
    }

    fn process(&mut self, _: &str, _: &Waker) -> Poll<Result<Secret, Error>> {
        Poll::Ready(Err(Error::invalid_input(
            "this provider can't run processes: NoLookup supports neither files nor processes",
        )))
    }
}

/// Obtains the keys of a [`Source`].
///
/// ```
/// use apus_core::credentials::{Credentials, Instance, NoLookup, Provider, Source};
/// use apus_core::machine::Auth;
///
/// let provider = Provider::new(Source::Instance(Instance::default()), NoLookup);
/// let auth = Auth::new(Credentials::renewed_from(provider, Default::default()));
/// ```
pub struct Provider {
    base: Source,
    /// In the order in which they are assumed.
    roles: Vec<AssumeRole>,
    lookup: Box<dyn Lookup>,
    stage: Stage,
    /// Seconds by which the clock of STS is ahead of ours.
    offset: i64,
    /// The token of the login, if this process has renewed it.
    token: Option<Token>,
}

/// The exchange in flight.
enum Stage {
    Nothing,
    /// The only exchange of the base.
    Base,
    Instance(InstanceStep),
    /// The renewal of this token.
    Token(Token),
    /// The role at this index, assumed with these keys.
    Role {
        at: usize,
        keys: Arc<Keys>,
        signed: Timestamp,
        corrected: bool,
    },
}

impl Provider {
    /// Creates a provider for this source. `lookup` reads its files and runs its processes.
    pub fn new(source: Source, lookup: impl Lookup + 'static) -> Self {
        let (mut base, mut roles) = (source, Vec::new());
        while let Source::AssumeRole(mut role) = base {
            base = std::mem::replace(&mut role.from, Source::Instance(super::Instance::default()));
            roles.push(*role);
        }
        roles.reverse();
        Self {
            base,
            roles,
            lookup: Box::new(lookup),
            stage: Stage::Nothing,
            offset: 0,
            token: None,
        }
    }

    fn begin(&mut self, now: Now, waker: &Waker) -> Result<KeyStep, Error> {
        let (draft, stage) = match &self.base {
            Source::Static(keys) => {
                let keys =
                    ExpiringKeys { keys: Arc::clone(keys), expires_at: None, lifetime: None };
                return self.has(now, keys);
            }
            Source::Process(process) => {
                let keys = match self.lookup.process(&process.command, waker) {
                    Poll::Pending => return Ok(KeyStep::Pending),
                    Poll::Ready(output) => metadata::process_keys(&output?)?,
                };
                return self.has(now, keys);
            }
            Source::WebIdentity(identity) => {
                let token = match self.lookup.file(&identity.token_file, waker) {
                    Poll::Pending => return Ok(KeyStep::Pending),
                    Poll::Ready(token) => token?,
                };
                let name = session_name(identity.session_name.as_deref(), now);
                let duration = seconds(identity.duration);
                let parameters = [
                    ("RoleArn", Some(identity.role_arn.as_str())),
                    ("RoleSessionName", Some(&name)),
                    ("WebIdentityToken", Some(token.expose().trim_end())),
                    ("DurationSeconds", duration.as_deref()),
                ];
                (sts::draft(&identity.sts, sts::WITH_WEB_IDENTITY, &parameters)?, Stage::Base)
            }
            Source::Sso(sso) => {
                let file = match self.lookup.file(&sso.token_file(), waker) {
                    Poll::Pending => return Ok(KeyStep::Pending),
                    Poll::Ready(file) => file?,
                };
                let token = Token::read(&file)?.later(self.token.clone());
                match token.lasts(now, sso::WINDOW) {
                    true => (sso::draft(sso, &token)?, Stage::Base),
                    false => match token.renewal(sso, now)? {
                        Some(draft) => (draft, Stage::Token(token)),
                        None if token.lasts(now, Duration::ZERO) => {
                            (sso::draft(sso, &token)?, Stage::Base)
                        }
                        None => return Err(sso::expired()),
                    },
                }
            }
            Source::Container(container) => {
                let token = match &container.authorization {
                    Authorization::None => None,
                    Authorization::Token(token) => Some(token.clone()),
                    Authorization::File(path) => match self.lookup.file(path, waker) {
                        Poll::Pending => return Ok(KeyStep::Pending),
                        Poll::Ready(token) => Some(token?),
                    },
                };
                (metadata::container_draft(container, token.as_ref())?, Stage::Base)
            }
            Source::Instance(instance) => {
                (metadata::token_draft(instance)?, Stage::Instance(InstanceStep::Token))
            }
            Source::AssumeRole(_) => return Err(Error::auth("the role has no source of keys")),
        };
        self.stage = stage;
        Ok(KeyStep::Ask(draft))
    }

    /// Continues with the roles, once the base has keys.
    fn has(&mut self, now: Now, keys: ExpiringKeys) -> Result<KeyStep, Error> {
        self.assume(0, now, keys, false)
    }

    /// Assumes the role at this index. Beyond the last role, the keys are the result.
    fn assume(
        &mut self,
        at: usize,
        now: Now,
        keys: ExpiringKeys,
        corrected: bool,
    ) -> Result<KeyStep, Error> {
        let Some(role) = self.roles.get(at) else {
            self.stage = Stage::Nothing;
            return Ok(KeyStep::Keys(keys));
        };
        let name = session_name(role.session_name.as_deref(), now);
        let duration = seconds(role.duration);
        let parameters = [
            ("RoleArn", Some(role.role_arn.as_str())),
            ("RoleSessionName", Some(name.as_str())),
            ("DurationSeconds", duration.as_deref()),
            ("ExternalId", role.external_id.as_deref()),
        ];
        let mut draft = sts::draft(&role.sts, sts::ASSUME_ROLE, &parameters)?;
        let unix = Timestamp::from_duration(now.unix).unix();
        let signed = Timestamp::from_unix(unix.saturating_add(self.offset));
        sts::sign(&mut draft, &role.sts, &keys.keys, signed)?;
        self.stage = Stage::Role { at, keys: keys.keys, signed, corrected };
        Ok(KeyStep::Ask(draft))
    }

    fn instance(
        &mut self,
        step: InstanceStep,
        now: Now,
        outcome: Result<&Reply, Error>,
    ) -> Result<KeyStep, Error> {
        let Source::Instance(instance) = &self.base else {
            return Err(Error::auth("the source of keys is not an instance"));
        };
        let (draft, next) = match step {
            InstanceStep::Token => {
                let old = match &outcome {
                    Ok(reply) => metadata::knows_no_token(reply.status()),
                    Err(error) => !error.is_cancelled(),
                };
                let token = match outcome {
                    Ok(reply) => metadata::token(reply),
                    Err(error) => Err(metadata::no_token(error)),
                };
                let token = match token {
                    Ok(token) => Some(token),
                    Err(_) if old && instance.allow_v1 => None,
                    Err(error) => return Err(error.in_operation(metadata::INSTANCE_TOKEN)),
                };
                let draft = metadata::role_draft(instance, token.as_ref())?;
                (draft, InstanceStep::Role(token))
            }
            InstanceStep::Role(token) => {
                let role = outcome.and_then(metadata::role);
                let role = role.map_err(|error| error.in_operation(metadata::INSTANCE_ROLE))?;
                let draft = metadata::role_keys_draft(instance, &role, token.as_ref())?;
                (draft, InstanceStep::Keys)
            }
            InstanceStep::Keys => {
                let keys = outcome.and_then(|reply| metadata::role_keys(reply, now));
                let keys = keys.map_err(|error| error.in_operation(metadata::INSTANCE_KEYS))?;
                return self.has(now, keys);
            }
        };
        self.stage = Stage::Instance(next);
        Ok(KeyStep::Ask(draft))
    }

    /// Goes on with the renewed token of a login, or with the old one while it is valid.
    fn logged_in(
        &mut self,
        old: Token,
        now: Now,
        outcome: Result<&Reply, Error>,
    ) -> Result<KeyStep, Error> {
        let Source::Sso(sso) = &self.base else {
            return Err(Error::auth("the source of keys is not a login"));
        };
        let renewed = outcome.and_then(|reply| old.renewed(reply, now));
        let draft = match renewed {
            Ok(token) => {
                // A file that can't be written costs others a login, and this process nothing.
                let _ = self.lookup.replace_file(&sso.token_file(), &token.file());
                sso::draft(sso, self.token.insert(token))?
            }
            Err(error) if error.is_cancelled() => return Err(error),
            Err(_) if old.lasts(now, Duration::ZERO) => sso::draft(sso, &old)?,
            Err(error) => {
                let error = match error.kind() {
                    Kind::Refused => error.with_hint(sso::LOGIN),
                    _ => error,
                };
                return Err(error.in_operation(sso::CREATE_TOKEN));
            }
        };
        self.stage = Stage::Base;
        Ok(KeyStep::Ask(draft))
    }

    fn based(&mut self, now: Now, reply: &Reply) -> Result<KeyStep, Error> {
        let keys = match &self.base {
            Source::WebIdentity(_) => sts::keys(reply, sts::WITH_WEB_IDENTITY),
            Source::Sso(_) => sso::keys(reply).map_err(|error| error.in_operation(sso::SSO)),
            Source::Container(_) => metadata::container_keys(reply)
                .map_err(|error| error.in_operation(metadata::CONTAINER)),
            _ => Err(Error::auth("a response arrived, but no request was sent")),
        }?;
        self.has(now, keys)
    }

    /// Returns the time of STS in a refusal, and `None` if ours is near enough.
    fn clock(reply: &Reply, signed: Timestamp) -> Option<i64> {
        let server = reply.header(&DATE).and_then(Timestamp::parse_http)?;
        let off = server.unix().saturating_sub(signed.unix());
        (off.unsigned_abs() > FORGIVEN).then_some(server.unix())
    }
}

impl KeySource for Provider {
    fn renew(&mut self, now: Now, waker: &Waker) -> Result<KeyStep, Error> {
        self.stage = Stage::Nothing;
        self.begin(now, waker)
    }

    fn answered(&mut self, now: Now, reply: &Reply) -> Result<KeyStep, Error> {
        match std::mem::replace(&mut self.stage, Stage::Nothing) {
            Stage::Nothing => Err(Error::auth("a response arrived, but no request was sent")),
            Stage::Base => self.based(now, reply),
            Stage::Instance(step) => self.instance(step, now, Ok(reply)),
            Stage::Token(token) => self.logged_in(token, now, Ok(reply)),
            Stage::Role { at, keys, signed, corrected } => match sts::keys(reply, sts::ASSUME_ROLE)
            {
                Ok(keys) => self.assume(at + 1, now, keys, false),
                Err(error) => match Self::clock(reply, signed) {
                    Some(server) if !corrected && error.kind() == Kind::Refused => {
                        let local = Timestamp::from_duration(now.unix).unix();
                        self.offset = server.saturating_sub(local);
                        let keys = ExpiringKeys { keys, expires_at: None, lifetime: None };
                        self.assume(at, now, keys, true)
                    }
                    _ => Err(error),
                },
            },
        }
    }

    fn failed(&mut self, now: Now, error: Error) -> Result<KeyStep, Error> {
        match std::mem::replace(&mut self.stage, Stage::Nothing) {
            Stage::Instance(step) => self.instance(step, now, Err(error)),
            Stage::Token(token) => self.logged_in(token, now, Err(error)),
            Stage::Role { .. } => Err(error.in_operation(sts::ASSUME_ROLE)),
            Stage::Base | Stage::Nothing => Err(match &self.base {
                Source::WebIdentity(_) => error.in_operation(sts::WITH_WEB_IDENTITY),
                Source::Sso(_) => error.in_operation(sso::SSO),
                Source::Container(_) => error.in_operation(metadata::CONTAINER),
                _ => error,
            }),
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("base", &self.base)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Returns the configured session name, or one made of the time.
fn session_name(written: Option<&str>, now: Now) -> String {
    written.map_or_else(|| format!("apus-{}", now.unix.as_secs()), str::to_owned)
}

fn seconds(duration: Option<Duration>) -> Option<String> {
    duration.map(|duration| duration.as_secs().to_string())
}

/// Seconds by which a clock may differ before it is corrected.
const FORGIVEN: u64 = 240;
