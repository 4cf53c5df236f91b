//! Where the bytes of a body come from.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use apus_core::checksum::{Digests, Hashers};
use apus_core::error::{Cause, Failure};
use bytes::Bytes;

use crate::cancel::Stop;
use crate::feed::Feed;

/// Where the bytes of a body come from. Clones share the same bytes.
///
/// | made by | length | read |
/// | --- | --- | --- |
/// | [`bytes`](Self::bytes) | known | from anywhere, as often as needed |
/// | [`file`](Self::file) | known | from anywhere, as often as needed |
/// | [`reader`](Self::reader) | told | once, in order |
/// | [`stream`](Self::stream) | unknown | once, in order |
///
/// What can be read only once is kept in memory as far as a machine may ask for it again, which the
/// machine bounds; where it doesn't (a single request), the bytes go straight to the network, and a
/// request that failed after some of them can't be repeated.
#[derive(Clone)]
pub struct Source<'a> {
    kind: Arc<Kind<'a>>,
    tap: Option<Arc<Tap>>,
}

enum Kind<'a> {
    None,
    Bytes(Bytes),
    File(File),
    Once { length: Option<u64>, slot: Mutex<Option<Ordered<'a>>> },
}

/// Hashes what a run reads, in order.
struct Tap {
    hashers: Mutex<Option<Hashers>>,
    digests: OnceLock<Digests>,
}

/// A reader and how far it has been read.
pub(crate) struct Ordered<'a> {
    reader: Box<dyn Read + Send + 'a>,
    at: u64,
    ended: bool,
    hashers: Hashers,
}

impl<'a> Source<'a> {
    /// No bytes at all.
    pub fn none() -> Self {
        Self::new(Kind::None)
    }

    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(Kind::Bytes(bytes.into()))
    }

    /// A file from its start, whatever its cursor says; the cursor stays where it is on Unix. The
    /// file must not change while it is sent.
    pub fn file(file: File) -> Self {
        Self::new(Kind::File(file))
    }

    /// `length` bytes of a reader.
    pub fn reader(reader: impl Read + Send + 'a, length: u64) -> Self {
        Self::once(Box::new(reader.take(length)), Some(length))
    }

    /// A reader until its end.
    pub fn stream(reader: impl Read + Send + 'a) -> Self {
        Self::once(Box::new(reader), None)
    }

    /// Also computes digests of everything in order, beside the requests: from a reader as it is
    /// read, from a file by a reader of its own. [`digests`](Self::digests) has them after a run
    /// that succeeded.
    #[must_use]
    pub fn tap(mut self, hashers: Hashers) -> Self {
        let hashers = Mutex::new(Some(hashers));
        self.tap = Some(Arc::new(Tap { hashers, digests: OnceLock::new() }));
        self
    }

    /// What [`tap`](Self::tap) came to; `None` before the source was read to its end.
    pub fn digests(&self) -> Option<Digests> {
        self.tap.as_ref()?.digests.get().cloned()
    }

    /// Length in bytes; `None` where it is unknown.
    ///
    /// # Errors
    ///
    /// The file does not tell.
    pub fn length(&self) -> io::Result<Option<u64>> {
        Ok(match &*self.kind {
            Kind::None => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::File(file) => Some(file.metadata()?.len()),
            Kind::Once { length, .. } => *length,
        })
    }

    /// Whether a range can be read again.
    pub fn is_rewindable(&self) -> bool {
        !matches!(*self.kind, Kind::Once { .. })
    }

    fn new(kind: Kind<'a>) -> Self {
        Self { kind: Arc::new(kind), tap: None }
    }

    fn once(reader: Box<dyn Read + Send + 'a>, length: Option<u64>) -> Self {
        let ordered = Ordered { reader, at: 0, ended: false, hashers: Hashers::default() };
        Self::new(Kind::Once { length, slot: Mutex::new(Some(ordered)) })
    }

    /// Takes the reader away, for as long as it is used elsewhere.
    pub(crate) fn take_reader(&self) -> Option<Ordered<'a>> {
        let Kind::Once { slot, .. } = &*self.kind else { return None };
        let mut ordered = lock(slot).take()?;
        if let Some(hashers) = self.take_hashers() {
            ordered.hashers = hashers;
        }
        Some(ordered)
    }

    /// A reader of everything, for a machine that takes its bytes in order from any source.
    pub(crate) fn in_order(&self) -> Option<Ordered<'a>> {
        if !self.is_rewindable() {
            return self.take_reader();
        }
        let reader = Box::new(InOrder { source: self.clone(), at: 0 });
        let hashers = self.take_hashers().unwrap_or_default();
        Some(Ordered { reader, at: 0, ended: false, hashers })
    }

    /// Gives the reader back; at its end, its digests are told.
    pub(crate) fn give_back(&self, mut ordered: Ordered<'a>) {
        let length = match &*self.kind {
            Kind::Once { length, .. } => *length,
            Kind::None | Kind::Bytes(_) | Kind::File(_) => None,
        };
        if length.map_or(ordered.ended, |length| ordered.at == length) {
            self.tell(std::mem::take(&mut ordered.hashers));
        }
        if let Kind::Once { slot, .. } = &*self.kind {
            *lock(slot) = Some(ordered);
        }
    }

    /// The bytes of a range. What can be read only once is lent to one request at a time; with
    /// others beside it (`alone` is false), it is read into memory now.
    pub(crate) fn feed(&self, range: Range<u64>, alone: bool) -> Result<Feed<'a>, Failure> {
        let missing = || failed(format!("it has no bytes {} to {}", range.start, range.end));
        let mut feed = match &*self.kind {
            Kind::None if range.is_empty() => Feed::pieces(VecDeque::new()),
            Kind::None => return Err(missing()),
            Kind::Bytes(bytes) => {
                let at = |position| usize::try_from(position).unwrap_or(usize::MAX);
                if range.start > range.end || at(range.end) > bytes.len() {
                    return Err(missing());
                }
                Feed::bytes(bytes.slice(at(range.start)..at(range.end)))
            }
            Kind::File(_) => Feed::seekable(self.clone(), range),
            Kind::Once { .. } => {
                let ordered = self.take_reader().ok_or_else(|| {
                    failed("it can be read only once, and another request is reading it")
                })?;
                let at = ordered.at;
                let feed = Feed::lent(self.clone(), ordered, &range);
                if at != range.start {
                    return Err(failed(format!(
                        "it can be read only once; it stands at byte {at} where byte {} is needed",
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

    /// Reads of a source that can be read from anywhere; 0 at its end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match &*self.kind {
            Kind::None | Kind::Once { .. } => Ok(0),
            Kind::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                bytes.get(at..).unwrap_or_default().read(buffer)
            }
            Kind::File(file) => read_at(file, buffer, at),
        }
    }

    /// Hashes a source that can be read from anywhere, where a tap asks for it.
    pub(crate) fn run_tap(&self, stop: &Stop) {
        let Some(mut hashers) = self.take_hashers() else { return };
        let mut reader = InOrder { source: self.clone(), at: 0 };
        let mut buffer = vec![0; PIECE];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => hashers.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            if stop.is_raised() {
                return;
            }
        }
        self.tell(hashers);
    }

    /// Whether [`run_tap`](Self::run_tap) has something to do.
    pub(crate) fn has_own_tap(&self) -> bool {
        self.is_rewindable() && self.tap.is_some()
    }

    fn take_hashers(&self) -> Option<Hashers> {
        lock(&self.tap.as_ref()?.hashers).take()
    }

    fn tell(&self, hashers: Hashers) {
        if let Some(tap) = &self.tap {
            // The first run counts.
            let _ = tap.digests.set(hashers.finish());
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
            Kind::File(_) => "Source(file)",
            Kind::Once { length: Some(_), .. } => "Source(reader)",
            Kind::Once { length: None, .. } => "Source(stream)",
        })
    }
}

impl Ordered<'_> {
    /// Reads up to `most` bytes, fewer only at the end.
    pub(crate) fn read_piece(&mut self, most: usize) -> io::Result<Bytes> {
        let mut piece = Vec::with_capacity(most);
        let read = self.reader.by_ref().take(most as u64).read_to_end(&mut piece)?;
        self.passed(&piece);
        self.ended = read < most;
        Ok(piece.into())
    }

    /// Where it stands.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Whether its end was seen.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what comes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => {
                    self.ended |= read == 0 && !buffer.is_empty();
                    self.passed(buffer.get(..read).unwrap_or_default());
                    return Ok(read);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.hashers.update(bytes);
        self.at += bytes.len() as u64;
    }
}

/// Reads a source that can be read from anywhere from its start to its end.
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

/// A failure of the source.
pub(crate) fn failed(detail: impl Into<String>) -> Failure {
    Failure::new(Cause::Source, detail)
}

/// A source that can't be read.
pub(crate) fn broken(error: io::Error) -> Failure {
    failed(error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Bytes that are read at a time.
pub(crate) const PIECE: usize = 256 << 10;
