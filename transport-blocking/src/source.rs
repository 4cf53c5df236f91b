//! Where the bytes of a request's body come from.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Stdin};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_core::checksum::{Digests, Hashers, Reading};
use apus_core::contract::GivenSource;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_host::length::{self, Reach, read_at};
use apus_host::pieces::Pieces;
use bytes::Bytes;

use crate::body_reader::{BodyReader, Watched, fill};
use crate::passes::OnePass;
use crate::spare::Spare;

/// Where the bytes of a request's body come from. Clones share the same bytes.
///
/// | made by | length | read |
/// | --- | --- | --- |
/// | [`bytes`](Self::bytes) | known | at any offset, any number of times |
/// | [`pieces`](Self::pieces) | known | at any offset, any number of times |
/// | [`file`](Self::file) | known, if the file has a length | at any offset, any number of times |
/// | [`reader`](Self::reader) | given, and enforced | once, in order |
/// | [`stream`](Self::stream) | unknown | once, in order |
///
/// Bytes of a source that can be read only once are kept in memory as long as the machine may need
/// them again; the machine bounds how many. A single request keeps none: its bytes go directly to
/// the network, and if the request fails after some of them were read, it can't be repeated.
///
/// A file must not change while it is sent. If it ends early, continues after its end, or yields
/// different bytes when a range is read again, the result is an
/// [error](apus_core::error::ExchangeError::is_source_changed).
#[derive(Clone)]
pub struct Source<'a> {
    kind: Arc<Kind<'a>>,
    tap: Option<Arc<OnePass>>,
    /// Absent if its bytes are in memory.
    spare: Option<Arc<Spare>>,
}

enum Kind<'a> {
    None,
    Bytes(Bytes),
    Pieces(Pieces),
    File(File),
    /// A file that can't be read.
    Unreadable(io::Error),
    Once {
        length: Option<u64>,
        slot: Mutex<Option<Ordered<'a>>>,
    },
}

/// A reader and its position.
pub(crate) struct Ordered<'a> {
    reader: Box<dyn Read + Send + 'a>,
    at: u64,
    ended: bool,
    /// A read failed, or has not returned: bytes may have been lost, so no more are read.
    failed: bool,
    /// The length that was given for it, in bytes.
    length: Option<u64>,
    /// Which pass the bytes are also hashed in.
    pass: Option<Arc<OnePass>>,
    /// Present if the source can be read again.
    reading: Option<Reading>,
}

impl<'a> Source<'a> {
    /// No source: a request or machine that needs one is refused. An empty source is
    /// [`bytes`](Self::bytes) of nothing.
    ///
    /// ```no_run
    /// # use apus_blocking::{Client, s3};
    /// use apus_blocking::Source;
    /// use apus_blocking::s3::Upload;
    ///
    /// # fn example(client: Client<s3::Service>) {
    /// let refused = client.run(Upload::new("bucket", "key")).body(Source::none()).send();
    /// assert!(refused.is_err());
    /// # }
    /// ```
    pub fn none() -> Self {
        Self::new(Kind::None)
    }

    /// A source of these bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(Kind::Bytes(bytes.into()))
    }

    /// A source of several pieces of bytes, which are sent in this order, without being copied.
    pub fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self::new(Kind::Pieces(pieces.into_iter().collect()))
    }

    /// A source of a file. A regular file and a block device are read from offset 0, whatever the
    /// file's cursor. A FIFO, a socket, a character device, and a file that a special file system
    /// reports no length of, are [streams](Self::stream).
    pub fn file(file: File) -> Self {
        match length::reach(&file) {
            Ok(Reach::Ranges) => Self::new(Kind::File(file)),
            Ok(Reach::InOrder) => Self::stream(file),
            Err(error) => Self::new(Kind::Unreadable(error)),
        }
    }

    /// A source of a reader of exactly `length` bytes: fewer or more bytes are an error. Limit a
    /// longer reader with [`Read::take`].
    pub fn reader(reader: impl Read + Send + 'a, length: u64) -> Self {
        Self::once(Box::new(reader), Some(length))
    }

    /// A source of a reader that is read to its end.
    pub fn stream(reader: impl Read + Send + 'a) -> Self {
        Self::once(Box::new(reader), None)
    }

    /// Also computes digests over the whole source, in order, while its bytes are read for sending:
    /// in a thread for each digest, as far as there are processor cores. If parts are read in
    /// parallel, those that are read ahead of their turn are kept in memory, within the machine's
    /// memory limit. [`digests`](Self::digests) returns the result after a run that succeeded.
    #[must_use]
    pub fn tap(mut self, hashers: Hashers) -> Self {
        self.tap = Some(Arc::new(OnePass::new(hashers)));
        self
    }

    /// Returns the digests of [`tap`](Self::tap); `None` before the whole source was sent.
    pub fn digests(&self) -> Option<Digests> {
        self.tap.as_ref()?.digests()
    }

    /// Returns the length in bytes; `None` if it is unknown.
    ///
    /// ```
    /// use apus_blocking::Source;
    ///
    /// assert_eq!(Source::bytes("hello").length()?, Some(5));
    /// assert_eq!(Source::stream(std::io::empty()).length()?, None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The file's length can't be determined.
    pub fn length(&self) -> io::Result<Option<u64>> {
        Ok(match &*self.kind {
            Kind::None => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::Pieces(pieces) => Some(pieces.length()),
            Kind::File(file) => Some(length::length(file)?),
            Kind::Unreadable(error) => return Err(copy(error)),
            Kind::Once { length, .. } => *length,
        })
    }

    /// Returns whether a range can be read again.
    ///
    /// ```
    /// use apus_blocking::Source;
    ///
    /// assert!(Source::bytes("hello").is_rewindable());
    /// assert!(!Source::stream(std::io::empty()).is_rewindable());
    /// ```
    pub fn is_rewindable(&self) -> bool {
        !matches!(*self.kind, Kind::Once { .. })
    }

    fn new(kind: Kind<'a>) -> Self {
        let spare = matches!(kind, Kind::File(_) | Kind::Once { .. }).then(Arc::default);
        Self { kind: Arc::new(kind), tap: None, spare }
    }

    fn once(reader: Box<dyn Read + Send + 'a>, length: Option<u64>) -> Self {
        let ordered = Ordered {
            reader,
            at: 0,
            ended: false,
            failed: false,
            length,
            pass: None,
            reading: None,
        };
        Self::new(Kind::Once { length, slot: Mutex::new(Some(ordered)) })
    }

    /// Returns the free buffers for what is read of it.
    pub(crate) fn spare(&self) -> Arc<Spare> {
        self.spare.clone().unwrap_or_default()
    }

    /// Whether a source was given, for a single request; its run compares the length.
    pub(crate) fn presence(&self) -> GivenSource {
        match *self.kind {
            Kind::None => GivenSource::Missing,
            _ => GivenSource::Unknown,
        }
    }

    /// What a run is told about its source.
    pub(crate) fn given(&self) -> Result<GivenSource, ExchangeError> {
        if matches!(*self.kind, Kind::None) {
            return Ok(GivenSource::Missing);
        }
        Ok(match self.length().map_err(broken)? {
            None => GivenSource::Unknown,
            Some(length) if self.is_rewindable() => GivenSource::Known(length),
            Some(length) => GivenSource::Once(length),
        })
    }

    /// Begins a run, which may hold `memory` bytes until it is their turn to be hashed. Returns the
    /// pass that the readings of this run are compared or hashed in, if they are.
    pub(crate) fn begin(&self, memory: u64) -> Result<Option<Arc<OnePass>>, ExchangeError> {
        if let Kind::Once { length: Some(0), slot } = &*self.kind
            && let Some(ordered) = &mut *lock(slot)
        {
            ordered.keep_promise()?;
        }
        let pass = match (&self.tap, &*self.kind) {
            (Some(tap), _) => Arc::clone(tap),
            // Bytes that are read again must be the same.
            (None, Kind::File(_)) => Arc::new(OnePass::new(Hashers::default())),
            _ => return Ok(None),
        };
        pass.begin(self.length().map_err(broken)?, memory);
        Ok(Some(pass))
    }

    /// Ends a run that succeeded with this pass. If the run `sends_all`, parts may have been stored
    /// before it began: their bytes are read now, because they were not hashed.
    pub(crate) fn settle(&self, pass: &OnePass, sends_all: bool) {
        while let Some(rest) = pass.rest().filter(|_| sends_all && self.is_rewindable()) {
            if fill(self, pass, rest).is_err() {
                return;
            }
        }
        pass.settle(match &*self.kind {
            Kind::Once { slot, .. } => lock(slot).as_ref().map(Ordered::is_over),
            _ => None,
        });
    }

    /// Takes the reader out, for use elsewhere.
    pub(crate) fn take_reader(&self) -> Option<Ordered<'a>> {
        let Kind::Once { slot, .. } = &*self.kind else { return None };
        let mut ordered = lock(slot).take()?;
        ordered.pass.clone_from(&self.tap);
        Some(ordered)
    }

    /// Returns a reader of the whole source, for a machine that takes the bytes of any source in
    /// order.
    ///
    /// # Errors
    ///
    /// It can be read only once, and another run reads it or has read some of it.
    pub(crate) fn in_order(
        &self,
        pass: Option<&Arc<OnePass>>,
    ) -> Result<Ordered<'a>, ExchangeError> {
        if !self.is_rewindable() {
            let ordered = self.take_reader().ok_or_else(|| failed(IN_USE))?;
            if ordered.at == 0 && !ordered.failed {
                return Ok(ordered);
            }
            self.give_back(ordered);
            return Err(failed("it can be read only once, and was read before"));
        }
        let reader = Box::new(InOrder { source: self.clone(), at: 0 });
        let length = pass.and_then(|pass| pass.length());
        let (pass, reading) = (pass.cloned(), Some(Reading::new(0)));
        Ok(Ordered { reader, at: 0, ended: false, failed: false, length, pass, reading })
    }

    /// Gives the reader back.
    pub(crate) fn give_back(&self, ordered: Ordered<'a>) {
        if let Kind::Once { slot, .. } = &*self.kind {
            *lock(slot) = Some(ordered);
        }
    }

    /// Returns the bytes of a range. A source that can be read only once is lent to one request at
    /// a time; if other requests run in parallel (`alone` is false), the range is read into memory
    /// now.
    pub(crate) fn feed(
        &self,
        range: Range<u64>,
        alone: bool,
        pass: Option<&Arc<OnePass>>,
    ) -> Result<BodyReader<'a>, ExchangeError> {
        let missing = |length: u64| {
            let (start, end) = (range.start, range.end);
            failed(format!("it has no bytes {start} to {end}: its length is {length}"))
        };
        let watched = || pass.map(|pass| Watched::new(self.clone(), Arc::clone(pass), range.start));
        let mut feed = match &*self.kind {
            Kind::None if range.is_empty() => BodyReader::pieces(VecDeque::new()),
            Kind::None => return Err(missing(0)),
            Kind::Bytes(bytes) => {
                let at = |position| usize::try_from(position).unwrap_or(usize::MAX);
                if range.start > range.end || at(range.end) > bytes.len() {
                    return Err(missing(bytes.len() as u64));
                }
                BodyReader::bytes(bytes.slice(at(range.start)..at(range.end))).watched(watched())
            }
            Kind::Pieces(pieces) => match pieces.slice(range.clone()) {
                Some(found) => BodyReader::pieces(found).watched(watched()),
                None => return Err(missing(pieces.length())),
            },
            Kind::File(_) => {
                let length = pass.and_then(|pass| pass.length());
                if let Some(length) = length.filter(|length| range.end > *length) {
                    return Err(missing(length));
                }
                let watched = watched();
                BodyReader::seekable(self.clone(), range).watched(watched)
            }
            Kind::Unreadable(error) => return Err(broken(copy(error))),
            Kind::Once { .. } => {
                let ordered = self.take_reader().ok_or_else(|| failed(IN_USE))?;
                let at = ordered.at;
                let feed = BodyReader::lent(self.clone(), ordered, &range);
                if at != range.start {
                    return Err(failed(format!(
                        "it can be read only once and is at byte {at}, but byte {} is required",
                        range.start
                    )));
                }
                feed
            }
        };
        if !alone {
            feed.settle()?;
        }
        Ok(feed)
    }

    /// Reads at an offset of a source that allows that; 0 at its end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match &*self.kind {
            Kind::None | Kind::Once { .. } => Ok(0),
            Kind::Unreadable(error) => Err(copy(error)),
            Kind::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                bytes.get(at..).unwrap_or_default().read(buffer)
            }
            Kind::Pieces(pieces) => Ok(pieces.read_at(buffer, at)),
            Kind::File(file) => read_at(file, buffer, at),
        }
    }
}

impl Default for Source<'_> {
    fn default() -> Self {
        Self::none()
    }
}

impl From<Bytes> for Source<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Vec<Bytes>> for Source<'_> {
    fn from(pieces: Vec<Bytes>) -> Self {
        Self::pieces(pieces)
    }
}

impl From<&'static str> for Source<'_> {
    fn from(text: &'static str) -> Self {
        Self::bytes(text)
    }
}

impl From<&'static [u8]> for Source<'_> {
    fn from(bytes: &'static [u8]) -> Self {
        Self::bytes(bytes)
    }
}

impl From<String> for Source<'_> {
    fn from(text: String) -> Self {
        Self::bytes(text)
    }
}

impl From<Stdin> for Source<'_> {
    /// A source of standard input, which is read to its end.
    fn from(stdin: Stdin) -> Self {
        Self::stream(stdin)
    }
}

impl From<Vec<u8>> for Source<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<File> for Source<'_> {
    fn from(file: File) -> Self {
        Self::file(file)
    }
}

impl<'a> From<&Source<'a>> for Source<'a> {
    fn from(source: &Source<'a>) -> Self {
        source.clone()
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.kind {
            Kind::None => "Source(none)",
            Kind::Bytes(_) => "Source(bytes)",
            Kind::Pieces(_) => "Source(pieces)",
            Kind::File(_) | Kind::Unreadable(_) => "Source(file)",
            Kind::Once { length: Some(_), .. } => "Source(reader)",
            Kind::Once { length: None, .. } => "Source(stream)",
        })
    }
}

impl Ordered<'_> {
    /// Reads up to `most` bytes, fewer only at the end.
    pub(crate) fn read_piece(&mut self, most: usize) -> Result<Bytes, ExchangeError> {
        let mut piece = Vec::with_capacity(most);
        let room = self.room(most);
        self.reading(|reader| reader.take(room as u64).read_to_end(&mut piece).map_err(broken))?;
        self.ended |= piece.len() < room;
        let piece = Bytes::from(piece);
        self.passed(&piece, |piece| piece.clone())?;
        Ok(piece)
    }

    /// The position.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Whether the end was read.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what comes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExchangeError> {
        let room = self.room(buffer.len());
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let read = self.reading(|reader| read_some(reader, buffer))?;
        self.ended |= read == 0 && !buffer.is_empty();
        self.passed(buffer.get(..read).unwrap_or_default(), Bytes::copy_from_slice)?;
        Ok(read)
    }

    /// Whether everything was read.
    fn is_over(&self) -> bool {
        self.length.map_or(self.ended, |length| self.at == length)
    }

    /// Calls the reader, unless it has failed before. A panic counts as a failure.
    fn reading<T>(
        &mut self,
        read: impl FnOnce(&mut (dyn Read + Send)) -> Result<T, ExchangeError>,
    ) -> Result<T, ExchangeError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(failed("an earlier read of it failed"));
        }
        let done = read(&mut *self.reader)?;
        self.failed = false;
        Ok(done)
    }

    /// Returns how many of `most` bytes may be read.
    fn room(&self, most: usize) -> usize {
        let left = self.length.map_or(u64::MAX, |length| length.saturating_sub(self.at));
        most.min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    fn passed<P: AsRef<[u8]> + ?Sized>(
        &mut self,
        piece: &P,
        share: impl FnOnce(&P) -> Bytes,
    ) -> Result<(), ExchangeError> {
        let bytes = piece.as_ref();
        match (&self.pass, &mut self.reading) {
            (Some(pass), Some(reading)) => {
                pass.read(reading, bytes)?;
            }
            (Some(pass), None) => pass.append(share(piece)),
            (None, _) => {}
        }
        self.at += bytes.len() as u64;
        self.keep_promise()
    }

    /// Checks that the reader neither ends before the length that was given for it nor continues
    /// after it. This happens before the last of its bytes is passed on.
    fn keep_promise(&mut self) -> Result<(), ExchangeError> {
        let Some(length) = self.length else { return Ok(()) };
        let at = self.at;
        if self.ended {
            let early = || format!("it ended after {at} of {length} bytes");
            return if at < length { Err(self.broke_promise(early())) } else { Ok(()) };
        }
        if at < length {
            return Ok(());
        }
        if self.reading(|reader| read_some(reader, &mut [0]))? > 0 {
            self.failed = true;
            return Err(self.broke_promise(format!("it has more than {length} bytes")));
        }
        self.ended = true;
        Ok(())
    }

    /// If the source can be read again, it had that length when the run began.
    fn broke_promise(&self, detail: String) -> ExchangeError {
        match &self.reading {
            Some(_) => ExchangeError::source_changed(detail),
            None => ExchangeError::new(ExchangeErrorKind::Length, detail),
        }
    }
}

/// Reads a source that can be read at any offset, from its start to its end.
struct InOrder<'a> {
    source: Source<'a>,
    at: u64,
}

impl Read for InOrder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Reads once; repeats an interrupted read.
fn read_some(reader: &mut (dyn Read + Send), buffer: &mut [u8]) -> Result<usize, ExchangeError> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(broken),
        }
    }
}

/// Copies an error.
fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// A failure of the source.
pub(crate) fn failed(detail: impl Into<String>) -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Source, detail)
}

/// The failure of a source that can't be read.
pub(crate) fn broken(error: io::Error) -> ExchangeError {
    ExchangeError::of_io(ExchangeErrorKind::Source, error)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const IN_USE: &str = "it can be read only once, and another request is reading it";
/// Bytes that are read at a time.
pub(crate) const PIECE: usize = 256 << 10;
