//! An object of S3.

mod begin;
mod check;

use std::ops::ControlFlow;
use std::sync::Arc;

use self::begin::Measuring;
use super::DownloadOptions;
use super::ranges::{Dialect, Object, Ranges};
use crate::checksum::{Digests, Verdict, Why};
use crate::contract::{Leave, Machine, Needs, Operation as _, Step};
use crate::error::Error;
use crate::http::{Completion, Draft, Incoming, Reply};
use crate::machine::Call;
use crate::machine::nest::nest;
use crate::now::Now;
use crate::s3::{self, ByteRange, Conditions, ETag, GetObject, HeadObject, ObjectHead, Service};

/// Reads an object, or a range of it: resumes what was cut, checks what can be checked, and is
/// never silently short. "GetObject" and "HeadObject", S3 API reference.
///
/// With a width of 1 it is one GET, streamed, and another one after each cut. With more, ranges are
/// read in parallel. It falls back to one GET where the server ignores `Range`, and where a checksum
/// is to be computed that can't be combined from those of ranges.
#[derive(Debug)]
pub struct Download {
    phase: Phase,
    ranges: Ranges<S3>,
}

/// What a [`Download`] comes to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Downloaded {
    /// What the first answer said of the object. Its length and range are those of that answer.
    pub head: ObjectHead,
    /// Bytes that the sink got.
    pub bytes: u64,
    /// Whether these are known to be all of the bytes that were asked for. Not where the server told no
    /// length in any answer, and ended the last one with a connection whose end proves nothing.
    pub end_is_certain: bool,
    /// Checksums of these bytes: those that were asked for, and the one that was compared.
    pub digests: Digests,
    /// Whether the bytes were checked against a checksum of the server's.
    pub verdict: Verdict,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Asking(Box<Call<HeadObject>>),
    Measuring(Box<Measuring>),
    Reading,
    /// All came that will come by itself: is that all of it?
    Ending(Box<Call<HeadObject>>),
    Over,
}

/// What S3 is asked for.
#[derive(Debug)]
struct S3 {
    get: GetObject,
    service: Arc<Service>,
    /// Whether a checksum of the server's is asked for and compared.
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

impl Download {
    /// Reads what `get` names from `service`; `seed` decides the jitter of the delays. Whether the
    /// bytes are checked is decided by the client's policy and `get`'s own
    /// [`checksum_mode`](GetObject::checksum_mode). A range is kept; a part number is refused, for
    /// several servers ignore it.
    pub fn new(get: GetObject, service: Arc<Service>, options: DownloadOptions, seed: u64) -> Self {
        let policy = service.config().checksum.with(&get.checksum.overrides);
        let validates = policy.validates(get.checksum_mode);
        let wanted = get.range.clone();
        let dialect = S3 { get, service, validates };
        Self { phase: Phase::Begin, ranges: Ranges::new(dialect, wanted, options, seed) }
    }

    /// Goes under this one of the pump's authorities.
    #[must_use]
    pub fn under(mut self, party: usize) -> Self {
        self.ranges.party = party;
        self
    }

    /// Bytes from the first one that was asked for which the sink has without a gap.
    pub fn delivered(&self) -> u64 {
        self.ranges.delivered()
    }

    fn finish(&self) -> Result<Downloaded, Error> {
        let Ranges { dialect, object, tally, .. } = &self.ranges;
        let head = match object {
            Some(object) => object.head.clone(),
            None => return Err(Error::broken("there was no answer")),
        };
        let expected = self.ranges.compare_expected()?;
        let verdict = if !dialect.validates {
            let asked = if head.checksums.is_empty() { Why::NotAsked } else { Why::Unasked };
            Verdict::NotValidated(asked)
        } else if !self.ranges.is_whole() {
            Verdict::NotValidated(Why::Partial)
        } else {
            check::verdict(tally, &head)?
        };
        let verdict = match (verdict, expected) {
            (Verdict::NotValidated(_), Some(expected)) => expected,
            (Verdict::NotValidated(why), None) if self.ranges.compares_tag() => {
                check::tag(tally, &head)?.unwrap_or(Verdict::NotValidated(why))
            }
            (verdict, _) => verdict,
        };
        Ok(Downloaded {
            head,
            bytes: tally.length(),
            end_is_certain: self.ranges.certain || verdict.is_validated(),
            digests: tally.digests(),
            verdict,
        })
    }

    fn over(&mut self, result: Result<Downloaded, Error>) -> Step<Downloaded> {
        self.phase = Phase::Over;
        Step::Done(result.map_err(|error| error.in_operation(GetObject::NAME)))
    }
}

impl Machine for Download {
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

    /// What is in flight is waited for, and nothing more is asked for.
    fn cancel(&mut self, now: Now, leave: Leave) {
        match &mut self.phase {
            Phase::Asking(call) | Phase::Ending(call) => call.cancel(now, leave),
            Phase::Measuring(measuring) => measuring.call.cancel(now, leave),
            Phase::Begin | Phase::Reading => {}
            Phase::Over => return,
        }
        self.ranges.cancel();
    }

    fn width(&self) -> usize {
        self.ranges.width
    }

    fn needs(&self) -> Needs {
        Needs::sink()
    }
}

/// The outermost numbers of tickets.
const HEAD: u32 = 0;
const PARTS: u32 = 1;
const RANGE: u32 = 2;
const END: u32 = 3;
/// Bytes of an answer with 1,000 parts and all their checksums, and more. A server that does not
/// know the question may answer with the object.
const SIZES: usize = 2 << 20;
