//! The download of a Swift object.
//!
//! ```text
//!  HEAD ─ plain, or a range of any ───────────────────────────────────────────▶ GET
//!   │
//!   ├─ static large object ──▶ its manifest ── checksums of its segments ─────▶ GET
//!   │
//!   └─ dynamic large object ──▶ its listing ─┬─ checksums of its segments ────▶ GET
//!                                            └─ longer than a page ───────────▶ GET of each segment
//! ```
//!
//! For a dynamic large object with more segments than a page of a listing, Swift states 0 bytes in
//! the response to HEAD and no length in that to GET. If a segment is missing, the body ends
//! regularly: a client cannot detect that it is short. It cannot be resumed either, because ranges
//! beyond the first page are ignored. So its segments are listed and read one by one, each pinned
//! by its own tag.

mod begin;
mod layout;

use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;

use self::layout::Layout;
use super::DownloadOptions;
use super::piece::Piece;
use super::ranges::{Dialect, Held, Object, Ranges};
use crate::checksum::{Algorithm, Digests, NotValidatedReason, Validation};
use crate::contract::{Machine, Needs, OnFailure, OpensHead, Operation as _, Step};
use crate::error::{Error, Kind};
use crate::http::{ByteRange, Completion, Conditions, Draft, ETag, Opened, Reply};
use crate::machine::Call;
use crate::machine::compose::nest;
use crate::machine::segments::Listed;
use crate::now::Now;
use crate::swift::{self, GetManifest, GetObject, HeadObject, ObjectHead, Service};

/// Reads a Swift object, or a range of it. "Get object content and metadata", Object Storage API;
/// "Large objects", Swift.
///
/// Resumes an interrupted response, validates the bytes if possible, and never returns fewer bytes
/// without saying so. It sends a HEAD first, and then a GET; after an interruption a GET of the
/// rest with `Range` and `If-Match`, because Swift ignores `If-Range`. Each attempt takes a token
/// of the session, so a download may outlast any number of tokens. If a gateway compares conditions
/// on a large object with another tag than it returns, only the tags of responses are compared.
///
/// | object | what its bytes are compared with |
/// | --- | --- |
/// | plain | its ETag, if that is an MD5 |
/// | static large object | the MD5 of each segment, if the manifest may be read |
/// | dynamic large object | the MD5 of each segment, if the listing matches the ETag and has as many bytes as the prefix states |
///
/// Segments that a listing omits, because it lags behind or they are lost, are missing in the
/// bytes, the length and the tag of a dynamic large object. An object that is known to be short is
/// an error: its prefix states another length (`name/…/size/segment size/`, as this library and
/// swiftclient write it), the numbers of its segments have a gap, or no segment is listed. If
/// nothing shows whether it is short, the bytes are [not validated](crate::checksum::NotValidatedReason::Listing).
///
/// MD5s of parts cannot be combined. So a plain object is read by one GET, whatever the concurrency. A
/// large object is read segment by segment, up to `concurrency` at once if each segment is at most
/// `range_size` long. With [`unchecked`](GetObject::unchecked), ranges of any object are read in
/// parallel. Set it also for a gateway with encryption whose tags look like an MD5 but are not.
///
/// The names of a large object's segments are held in memory: at most those of a manifest of 32
/// MiB, or a million of a listing.
///
/// For glance's `swift_store_retry_get_count`, use [`with_retries`](DownloadOptions::with_retries):
/// with 0 nothing is resumed, and no token is renewed for a second attempt. Whether a session
/// renews tokens at all is an option of the [session](crate::keystone).
#[derive(Debug)]
pub struct SwiftDownload {
    phase: Phase,
    ranges: Ranges<Swift>,
}

/// The result of a [`SwiftDownload`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SwiftDownloaded {
    /// The metadata of the object in the response to HEAD.
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
    Manifest(Box<Call<GetManifest>>),
    Listing(Box<Listed>),
    Reading,
    Over,
}

/// The requests to Swift.
#[derive(Debug)]
struct Swift {
    get: GetObject,
    service: Arc<Service>,
    /// The segments of a large object, if known.
    layout: Option<Layout>,
    /// Whether the segments are read one by one, as objects of their own.
    apart: bool,
    /// Whether it is a large object.
    is_large: bool,
    /// Whether requests have no conditions.
    unconditional: bool,
}

impl Dialect for Swift {
    type Service = Service;
    type Head = ObjectHead;

    const NAME: &'static str = GetObject::NAME;

    fn service(&self) -> &Service {
        &self.service
    }

    fn draft(
        &self,
        at: u64,
        range: Option<ByteRange>,
        tag: Option<&str>,
    ) -> Result<Box<Draft>, Error> {
        let mut get = self.get.clone();
        if let Some(part) = self.layout.as_ref().filter(|_| self.apart).and_then(|all| all.at(at)) {
            (get.container, get.object) = (part.container.clone(), part.object.clone());
            get.conditions = Conditions::default();
        }
        get.range = range;
        if self.unconditional {
            get.conditions = Conditions::default();
        } else if let Some(tag) = tag {
            get.conditions = Conditions::matches(ETag::from(tag));
        }
        get.draft(&self.service)
    }

    fn success(&self, reply: &Reply) -> Result<(), Error> {
        swift::success(reply)
    }

    fn object(&self, reply: &Reply) -> Result<Object<ObjectHead>, Error> {
        Ok(object(ObjectHead::read(reply)))
    }

    fn hashes_declared(&self) -> bool {
        false
    }

    fn segment(&self, at: u64) -> Option<Held<'_>> {
        let part = self.layout.as_ref().filter(|_| self.apart)?.at(at)?;
        Some(Held { start: part.start, length: part.length, tag: part.tag.as_deref() })
    }

    /// Ceph's gateway compares conditions with the tag of the manifest, which it never returns.
    fn relax(&mut self) -> bool {
        let relaxes = self.is_large && !self.apart;
        self.unconditional |= relaxes;
        relaxes
    }

    fn explain(&self, piece: &Piece, reply: &Reply, error: Error) -> Error {
        let ids = |told: Error| {
            let (id, host_id) = (error.request_id(), error.host_id());
            told.with_request_id(id.map(str::to_owned), host_id.map(str::to_owned))
        };
        let status = reply.status();
        if error.kind() == Kind::InvalidResponse
            && status == StatusCode::OK
            && piece.delivered() > 0
        {
            let what = "the response has the whole object, but the rest of it was requested";
            return ids(Error::integrity(what).with_status(status));
        }
        // The response to a range whose first segment cannot be read. If a later segment cannot be
        // read, the connection is closed instead.
        let lost = match status {
            StatusCode::CONFLICT => true,
            StatusCode::NOT_FOUND => self.apart,
            _ => false,
        };
        if !lost {
            return error;
        }
        let at = piece.next();
        let segment = match self.layout.as_ref().and_then(|layout| layout.at(at)) {
            Some(part) => format!("segment {} of the object ({part})", part.number),
            None => "a segment of the object".to_owned(),
        };
        let what =
            format!("{segment} was removed or changed: the object can't be read from byte {at} on");
        let told = Error::integrity(what);
        // A missing segment does not mean that the object is missing.
        ids(if status == StatusCode::NOT_FOUND { told } else { told.with_status(status) })
    }
}

fn object(head: ObjectHead) -> Object<ObjectHead> {
    let (etag, size, coding) = (head.etag.clone(), head.size, head.content_encoding.clone());
    Object::new(head, etag.as_ref().map(ETag::as_str), size, coding.as_deref())
}

impl SwiftDownload {
    /// Makes a download of the object, or the range of it, that `get` names.
    ///
    /// `seed` determines the jitter of retry delays. A part number in `get` is an error.
    pub fn new(get: GetObject, service: Arc<Service>, options: DownloadOptions, seed: u64) -> Self {
        let wanted = get.range.clone();
        let dialect = Swift {
            get,
            service,
            layout: None,
            apart: false,
            is_large: false,
            unconditional: false,
        };
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

    fn finish(&self) -> Result<SwiftDownloaded, Error> {
        let Ranges { object, tally, .. } = &self.ranges;
        let head = match object {
            Some(object) => object.head.clone(),
            None => return Err(Error::invalid_response("no response was received")),
        };
        let expected = self.ranges.compare_expected()?;
        let verdict = match (self.verdict(&head)?, expected) {
            (Validation::NotValidated(_), Some(expected)) => expected,
            (verdict, _) => verdict,
        };
        Ok(SwiftDownloaded {
            head,
            bytes: tally.length(),
            end_is_certain: self.ranges.certain || verdict.is_validated(),
            digests: tally.digests(),
            validation: verdict,
        })
    }

    fn verdict(&self, head: &ObjectHead) -> Result<Validation, Error> {
        let Ranges { dialect, tally, .. } = &self.ranges;
        if dialect.get.unchecked {
            let asked = if head.md5().is_ok() {
                NotValidatedReason::Unasked
            } else {
                NotValidatedReason::NotAsked
            };
            return Ok(Validation::NotValidated(asked));
        }
        if !self.ranges.is_whole() {
            return Ok(Validation::NotValidated(NotValidatedReason::Partial));
        }
        if head.is_large() {
            return match &dialect.layout {
                Some(layout) => layout.verdict(tally.parts().unwrap_or_default()),
                None => Ok(Validation::NotValidated(NotValidatedReason::Manifest)),
            };
        }
        let md5 = match head.md5() {
            Ok(md5) => md5,
            Err(why) => return Ok(Validation::NotValidated(why)),
        };
        match tally.digests().value(Algorithm::Md5).map(|computed| computed.hex()) {
            Some(computed) if computed.eq_ignore_ascii_case(md5) => {
                Ok(Validation::Validated(Algorithm::Md5))
            }
            Some(computed) => Err(Error::integrity(format!(
                "the MD5 of the object is {computed}, but the server declares {md5}"
            ))),
            // An empty object, of which no byte was read.
            None => Ok(Validation::NotValidated(NotValidatedReason::Absent)),
        }
    }

    fn over(&mut self, result: Result<SwiftDownloaded, Error>) -> Step<SwiftDownloaded> {
        self.phase = Phase::Over;
        Step::Done(result.map_err(|error| error.in_operation(GetObject::NAME)))
    }
}

impl Machine for SwiftDownload {
    type Output = SwiftDownloaded;

    fn poll(&mut self, now: Now) -> Step<SwiftDownloaded> {
        loop {
            let begun = match &mut self.phase {
                Phase::Asking(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        self.phase = Phase::Reading;
                        head.and_then(|head| self.asked(head))
                    }
                },
                Phase::Manifest(call) => match nest(call.poll(now), MANIFEST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(manifest) => {
                        self.phase = Phase::Reading;
                        self.manifest(manifest)
                    }
                },
                Phase::Listing(listed) => match nest(listed.poll(now), LISTING) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(entries) => {
                        self.phase = Phase::Reading;
                        self.listed(entries)
                    }
                },
                Phase::Begin if self.ranges.error.is_none() => self.begin(),
                // The first HEAD stated no size, and another one would not either.
                Phase::Reading if self.ranges.unsettled => self.ranges.settle(None),
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
            (Some(MANIFEST), Phase::Manifest(call)) => call.complete(now, done),
            (Some(LISTING), Phase::Listing(listed)) => listed.complete(now, done),
            (Some(RANGE), Phase::Reading) => self.ranges.complete(now, done),
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
            Phase::Asking(call) => call.cancel(now, on_failure),
            Phase::Manifest(call) => call.cancel(now, on_failure),
            Phase::Listing(listed) => listed.cancel(now, on_failure),
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

    fn is_long(&self) -> bool {
        self.ranges.options.total_attempts != Some(1)
    }
}

impl OpensHead for SwiftDownload {
    type Head = ObjectHead;

    fn head(&self) -> Option<&ObjectHead> {
        self.ranges.head()
    }
}

/// The outermost numbers of the tickets.
const HEAD: u32 = 0;
const MANIFEST: u32 = 1;
const LISTING: u32 = 2;
const RANGE: u32 = 3;
