//! The download of an S3 object.

mod begin;
mod check;

use std::ops::ControlFlow;
use std::sync::Arc;

use self::begin::Measuring;
use super::DownloadOptions;
use super::ranges::{Dialect, Object, Ranges};
use crate::checksum::{Digests, NotValidatedReason, Validation};
use crate::contract::{Machine, Needs, OnFailure, OpensHead, Operation as _, Step};
use crate::error::Error;
use crate::http::{Completion, Draft, Incoming, Opened, Reply};
use crate::machine::Call;
use crate::machine::compose::nest;
use crate::now::Now;
use crate::s3::{self, ByteRange, Conditions, ETag, GetObject, HeadObject, ObjectHead, Service};

/// Reads an S3 object, or a range of it. "GetObject" and "HeadObject", S3 API reference.
///
/// Resumes an interrupted response, validates the bytes if possible, and never returns fewer bytes
/// without saying so. With a concurrency of 1 it streams one GET, and another one after each
/// interruption. With more, it reads ranges in parallel. It falls back to one GET if the server
/// ignores `Range`, or if a checksum is needed that cannot be combined from those of ranges.
#[derive(Debug)]
pub struct S3Download {
    phase: Phase,
    ranges: Ranges<S3>,
}

/// The result of a [`S3Download`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Downloaded {
    /// The metadata of the object in the first response. Its length and range are those of that
    /// response.
    pub head: ObjectHead,
    /// How many bytes the sink received.
    pub bytes: u64,
    /// Whether these are known to be all requested bytes. False if no response stated a length, and
    /// the last one ended with a closed connection, which proves nothing.
    pub end_is_certain: bool,
    /// The digests of these bytes: the requested ones, and the one that was compared.
    pub digests: Digests,
    /// Whether the bytes were validated: by which algorithm, or why not.
    pub validation: Validation,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Asking(Box<Call<HeadObject>>),
    Measuring(Box<Measuring>),
    Reading,
    /// The last body ended without a length: a HEAD states whether the object is complete.
    Ending(Box<Call<HeadObject>>),
    Over,
}

/// The requests to S3.
#[derive(Debug)]
struct S3 {
    get: GetObject,
    service: Arc<Service>,
    /// Whether a checksum of the server's is requested and compared.
    validates: bool,
}

impl Dialect for S3 {
    type Service = Service;
    type Head = ObjectHead;

    const NAME: &'static str = GetObject::NAME;

    fn service(&self) -> &Service {
        &self.service
    }

    fn draft(
        &self,
        _: u64,
        range: Option<ByteRange>,
        tag: Option<&str>,
    ) -> Result<Box<Draft>, Error> {
        let mut get = self.get.clone();
        get.range = range;
        if let Some(tag) = tag {
            get.conditions = Conditions::matches(ETag::from(tag));
        }
        get.draft(&self.service)
    }

    fn success(&self, reply: &Reply) -> Result<(), Error> {
        s3::success(reply)
    }

    fn object(&self, reply: &Reply) -> Result<Object<ObjectHead>, Error> {
        Ok(object(ObjectHead::read(reply)))
    }

    fn can_ask(&self) -> bool {
        true
    }

    fn hashes_declared(&self) -> bool {
        self.validates
    }

    fn tags_are_md5(&self) -> bool {
        self.service.config().quirks.etag_is_md5
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.get.bucket)
    }
}

fn object(head: ObjectHead) -> Object<ObjectHead> {
    let (etag, size, coding) = (head.etag.clone(), head.size, head.content_encoding.clone());
    Object::new(head, etag.as_ref().map(ETag::as_str), size, coding.as_deref())
}

impl S3Download {
    /// Makes a download of the object, or the range of it, that `get` names.
    ///
    /// `seed` determines the jitter of retry delays. The service's checksum policy and
    /// [`checksum_mode`](GetObject::checksum_mode) of `get` determine whether the bytes are
    /// validated. A part number in `get` is an error, because several servers ignore it.
    pub fn new(get: GetObject, service: Arc<Service>, options: DownloadOptions, seed: u64) -> Self {
        let validates = service.asks_for_checksum(&get.checksum.overrides, get.checksum_mode);
        let wanted = get.range.clone();
        let dialect = S3 { get, service, validates };
        Self { phase: Phase::Begin, ranges: Ranges::new(dialect, wanted, options, seed) }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.ranges.auth = auth;
        self
    }

    /// Returns how many bytes the sink has without a gap, from the first requested byte.
    pub fn delivered(&self) -> u64 {
        self.ranges.delivered()
    }

    fn finish(&self) -> Result<Downloaded, Error> {
        let Ranges { dialect, object, tally, .. } = &self.ranges;
        let head = match object {
            Some(object) => object.head.clone(),
            None => return Err(Error::invalid_response("no response was received")),
        };
        let expected = self.ranges.compare_expected()?;
        let verdict = if !dialect.validates {
            let asked = if head.checksums.is_empty() {
                NotValidatedReason::NotAsked
            } else {
                NotValidatedReason::Unasked
            };
            Validation::NotValidated(asked)
        } else if !self.ranges.is_whole() {
            Validation::NotValidated(NotValidatedReason::Partial)
        } else {
            check::verdict(tally, &head)?
        };
        let verdict = match (verdict, expected) {
            (Validation::NotValidated(_), Some(expected)) => expected,
            (Validation::NotValidated(why), None) if self.ranges.compares_tag() => {
                check::tag(tally, &head)?.unwrap_or(Validation::NotValidated(why))
            }
            (verdict, _) => verdict,
        };
        Ok(Downloaded {
            head,
            bytes: tally.length(),
            end_is_certain: self.ranges.certain || verdict.is_validated(),
            digests: tally.digests(),
            validation: verdict,
        })
    }

    fn over(&mut self, result: Result<Downloaded, Error>) -> Step<Downloaded> {
        self.phase = Phase::Over;
        Step::Done(result.map_err(|error| error.in_operation(GetObject::NAME)))
    }
}

impl Machine for S3Download {
    type Output = Downloaded;

    fn poll(&mut self, now: Now) -> Step<Downloaded> {
        loop {
            let begun = match &mut self.phase {
                Phase::Asking(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        self.phase = Phase::Reading;
                        head.and_then(|head| self.asked(head))
                    }
                },
                Phase::Measuring(measuring) => match nest(measuring.call.poll(now), PARTS) {
                    ControlFlow::Break(Step::Send(mut draft)) => {
                        draft.incoming = Incoming::Collect { limit: SIZES };
                        return Step::Send(draft);
                    }
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(answer) => self.measured(answer),
                },
                Phase::Ending(call) => match nest(call.poll(now), END) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        self.phase = Phase::Reading;
                        self.ended(head)
                    }
                },
                Phase::Begin if self.ranges.error.is_none() => self.begin(),
                Phase::Reading if self.ranges.error.is_none() && self.ranges.in_doubt => {
                    self.ranges.start_over();
                    self.ask();
                    continue;
                }
                Phase::Reading if self.ranges.error.is_none() && self.ranges.unsettled => {
                    self.phase = Phase::Ending(Box::new(self.head()));
                    continue;
                }
                Phase::Begin | Phase::Reading => Ok(()),
                Phase::Over => return Step::Wait(None),
            };
            if let Err(error) = begun {
                self.ranges.error.get_or_insert(error);
            }
            if self.ranges.error.is_some() || matches!(self.phase, Phase::Reading) {
                return match nest(self.ranges.poll(now), RANGE) {
                    ControlFlow::Break(step) => step,
                    ControlFlow::Continue(read) => {
                        let result = read.and_then(|()| self.finish());
                        self.over(result)
                    }
                };
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(HEAD), Phase::Asking(call)) => call.complete(now, done),
            (Some(PARTS), Phase::Measuring(measuring)) => measuring.call.complete(now, done),
            (Some(END), Phase::Ending(call)) => call.complete(now, done),
            (Some(RANGE), Phase::Reading | Phase::Ending(_)) => self.ranges.complete(now, done),
            _ => {}
        }
    }

    fn opened(&mut self, now: Now, mut opened: Opened) {
        if let (Some(RANGE), Phase::Reading) = (opened.route(), &self.phase) {
            self.ranges.opened(now, &opened);
        }
    }

    /// Sends no more requests, and waits for what is in flight.
    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Phase::Asking(call) | Phase::Ending(call) => call.cancel(now, on_failure),
            Phase::Measuring(measuring) => measuring.call.cancel(now, on_failure),
            Phase::Begin | Phase::Reading => {}
            Phase::Over => return,
        }
        self.ranges.cancel();
    }

    fn concurrency(&self) -> usize {
        self.ranges.most_in_flight()
    }

    fn needs(&self) -> Needs {
        Needs::sink()
    }
}

impl OpensHead for S3Download {
    type Head = ObjectHead;

    fn head(&self) -> Option<&ObjectHead> {
        self.ranges.head()
    }
}

/// The outermost numbers of the tickets.
const HEAD: u32 = 0;
const PARTS: u32 = 1;
const RANGE: u32 = 2;
const END: u32 = 3;
/// The size limit of a response with the parts, in bytes: more than 1,000 parts with all their
/// checksums need. A server that does not support the operation may respond with the object.
const SIZES: usize = 2 << 20;
