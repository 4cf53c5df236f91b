//! Where the bytes of a response go.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::Incoming;
use apus_host::files::Output;
use apus_host::length::is_written_in_order;

use crate::cancel::Stop;

/// Where the bytes of a response's body go. Clones share the same place.
///
/// | made by | takes ranges |
/// | --- | --- |
/// | [`discard`](Self::discard) | drops them |
/// | [`memory`](Self::memory) | as they arrive |
/// | [`file`](Self::file) | as they arrive, each at its offset; in order to a FIFO or a device |
/// | [`writer`](Self::writer) | in order |
/// | [`path`](Self::path) | as they arrive, each at its offset; in order to a FIFO or a device |
///
/// Where ranges arrive in parallel and must be written in order, a range is kept in memory until
/// its turn. That takes at most the machine's concurrency times the length of a range.
#[derive(Clone)]
pub struct Sink<'a> {
    kind: Arc<Kind<'a>>,
    /// The file that is committed at the end of a run.
    output: Option<Arc<Output>>,
}

enum Kind<'a> {
    None,
    Discard,
    /// Locked for no longer than it takes to copy a piece.
    Memory(Mutex<Vec<u8>>),
    File(File),
    Path(Arc<Output>),
    Writer(OrderedWriter<'a>),
}

impl<'a> Sink<'a> {
    /// No sink: a request or machine that needs one is refused.
    ///
    /// ```no_run
    /// # use apus_blocking::{Client, s3};
    /// use apus_blocking::Sink;
    /// use apus_blocking::s3::Download;
    ///
    /// # fn example(client: Client<s3::Service>) {
    /// let refused = client.run(Download::new("bucket", "key")).write_to(Sink::none()).send();
    /// assert!(refused.is_err());
    /// # }
    /// ```
    pub fn none() -> Self {
        Self::of(Kind::None)
    }

    /// A sink that drops the bytes; they are nevertheless counted, validated and hashed.
    pub fn discard() -> Self {
        Self::of(Kind::Discard)
    }

    /// Whether a sink was given.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(*self.kind, Kind::None)
    }

    /// A sink that keeps the bytes in memory; [`take`](Self::take) returns them.
    pub fn memory() -> Self {
        Self::of(Kind::Memory(Mutex::default()))
    }

    /// A sink that writes each range at its offset from the file's start. What the file holds
    /// beyond the last byte stays. A FIFO, a socket, a character device, and on Linux a file that was
    /// opened for appending, are [writers](Self::writer).
    pub fn file(file: File) -> Self {
        match is_written_in_order(&file) {
            true => Self::writer(file),
            false => Self::of(Kind::File(file)),
        }
    }

    /// A sink that writes a file completely or leaves it as it was: the bytes are written to a
    /// temporary file in the same directory, created with the first byte, which replaces the file
    /// when the run has succeeded. Owner and mode stay, and links are followed. A FIFO or a device
    /// is written to directly, in order. [`remarks`](Self::remarks) lists what the caller should
    /// report about the file.
    ///
    /// # Errors
    ///
    /// The path can't be written to: a directory, a file in a directory that does not exist, a file
    /// without write permission.
    pub fn path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let output = Arc::new(Output::new(path).map_err(|error| Error::from(broken(error)))?);
        let sink = match output.is_ordered() {
            true => Self::writer(Through(Arc::clone(&output))),
            false => Self::of(Kind::Path(Arc::clone(&output))),
        };
        Ok(Self { output: Some(output), ..sink })
    }

    /// A sink that writes everything in order; a second run's bytes follow those of the first.
    pub fn writer(writer: impl Write + Send + 'a) -> Self {
        let state = SinkState {
            writer: Some(Box::new(writer)),
            next: None,
            waiting: Vec::new(),
            dismissed: None,
        };
        Self::of(Kind::Writer(OrderedWriter { state: Mutex::new(state), turned: Condvar::new() }))
    }

    fn of(kind: Kind<'a>) -> Self {
        Self { kind: Arc::new(kind), output: None }
    }

    /// Returns the bytes that [`memory`](Self::memory) kept; nothing for other sinks, or the second
    /// time.
    pub fn take(&self) -> Vec<u8> {
        match &*self.kind {
            Kind::Memory(bytes) => std::mem::take(&mut *lock(bytes)),
            _ => Vec::new(),
        }
    }

    /// Returns what the caller should report about the file of a [`path`](Self::path): other names
    /// of it that keep the old content, an owner that could not be kept. Nothing for other sinks.
    ///
    /// ```no_run
    /// # use apus_blocking::{Client, s3};
    /// use apus_blocking::Sink;
    /// use apus_blocking::s3::Download;
    ///
    /// # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let sink = Sink::path("copy.img")?;
    /// client.run(Download::new("bucket", "key")).write_to(sink.clone()).send()?;
    /// for remark in sink.remarks() {
    ///     eprintln!("copy.img: {remark}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn remarks(&self) -> Vec<String> {
        let remarks = self.output.as_ref().map(|output| output.remarks()).unwrap_or_default();
        remarks.iter().map(ToString::to_string).collect()
    }

    /// Ends a run: commits the file of a path if the run succeeded, discards it otherwise.
    pub(crate) fn end<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let Some(output) = &self.output else { return result };
        if result.is_err() {
            output.discard();
            return result;
        }
        output.commit().map_err(broken)?;
        result
    }

    /// Begins a run, which may start at another position.
    pub(crate) fn begin(&self) {
        if let Kind::Writer(ordered) = &*self.kind {
            lock(&ordered.state).next = None;
        }
    }

    /// Takes the start position of a writer from the first range that is launched.
    pub(crate) fn expect(&self, incoming: &Incoming) {
        if let (Kind::Writer(ordered), Incoming::Stream { at, .. }) = (&*self.kind, incoming) {
            lock(&ordered.state).next.get_or_insert(*at);
        }
    }

    /// Returns the outlet for one response.
    pub(crate) fn outlet(&self) -> Outlet<'_, 'a> {
        Outlet { sink: self, writer: None, at: 0 }
    }

    /// Wakes the exchanges that wait for their turn, so that they see that the run was stopped.
    pub(crate) fn stir(&self) {
        if let Kind::Writer(ordered) = &*self.kind {
            let state = lock(&ordered.state);
            ordered.turned.notify_all();
            drop(state);
        }
    }

    /// Dismisses the last of the exchanges that wait for their turn, if all `flying` exchanges wait
    /// and none of them is next: the next range can't start before another exchange has ended.
    pub(crate) fn unblock(&self, flying: usize) {
        let Kind::Writer(ordered) = &*self.kind else { return };
        let mut state = lock(&ordered.state);
        let stuck = flying > 0
            && state.dismissed.is_none()
            && state.waiting.len() == flying
            && !state.waiting.iter().any(|at| Some(*at) == state.next);
        if let Some(last) = state.waiting.iter().copied().max().filter(|_| stuck) {
            state.dismissed = Some(last);
            ordered.turned.notify_all();
        }
    }
}

impl Default for Sink<'_> {
    fn default() -> Self {
        Self::none()
    }
}

impl<'a> From<&'a mut Vec<u8>> for Sink<'a> {
    /// A sink that appends the bytes, in order.
    fn from(bytes: &'a mut Vec<u8>) -> Self {
        Self::writer(bytes)
    }
}

impl From<File> for Sink<'_> {
    fn from(file: File) -> Self {
        Self::file(file)
    }
}

impl<'a> From<&Sink<'a>> for Sink<'a> {
    fn from(sink: &Sink<'a>) -> Self {
        sink.clone()
    }
}

impl fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.kind {
            Kind::None => "Sink(none)",
            Kind::Discard => "Sink(discard)",
            Kind::Memory(_) => "Sink(memory)",
            Kind::File(_) => "Sink(file)",
            Kind::Path(_) => "Sink(path)",
            Kind::Writer(_) => "Sink(writer)",
        })
    }
}

/// Lets ranges write to a writer one after the other.
///
/// The range whose turn it is takes the writer out, so that no lock is held while bytes are
/// written.
struct OrderedWriter<'a> {
    state: Mutex<SinkState<'a>>,
    turned: Condvar,
}

struct SinkState<'a> {
    /// Absent while a range is written.
    writer: Option<Box<dyn Write + Send + 'a>>,
    /// The position that is written next; unknown before the first range is launched.
    next: Option<u64>,
    /// Positions of the ranges that wait for their turn.
    waiting: Vec<u64>,
    /// The waiting range that must give up.
    dismissed: Option<u64>,
}

/// Writes one response into a sink.
pub(crate) struct Outlet<'s, 'a> {
    sink: &'s Sink<'a>,
    writer: Option<Box<dyn Write + Send + 'a>>,
    at: u64,
}

impl Outlet<'_, '_> {
    /// Whether bytes at this position can be written now.
    pub(crate) fn is_open(&mut self, position: u64) -> bool {
        let Kind::Writer(ordered) = &*self.sink.kind else { return true };
        if self.writer.is_some() {
            return true;
        }
        let mut state = lock(&ordered.state);
        if state.next.is_none_or(|next| next == position) {
            self.writer = state.writer.take();
            self.at = position;
        }
        self.writer.is_some()
    }

    /// Waits until bytes at this position can be written. Wakes `waker` when the wait starts;
    /// without a waker there is no other exchange to wait for.
    pub(crate) fn open(
        &mut self,
        position: u64,
        waker: Option<&Waker>,
        stop: &Stop,
    ) -> Result<(), ExchangeError> {
        if self.is_open(position) {
            return Ok(());
        }
        let Kind::Writer(ordered) = &*self.sink.kind else { return Ok(()) };
        let mut state = lock(&ordered.state);
        state.waiting.push(position);
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
        let outcome = loop {
            if stop.is_raised() {
                break Err(ExchangeError::cancelled());
            }
            match state.next {
                Some(next) if next > position => {
                    break Err(failed(format!("byte {position} was already written")));
                }
                Some(next) if next < position && waker.is_none() => {
                    break Err(failed(format!("byte {position} arrived, but byte {next} is next")));
                }
                Some(next) if next < position => {}
                _ => {
                    if let Some(writer) = state.writer.take() {
                        self.writer = Some(writer);
                        self.at = position;
                        break Ok(());
                    }
                }
            }
            if state.dismissed == Some(position) {
                let detail = "an earlier range must be written first";
                break Err(ExchangeError::new(ExchangeErrorKind::Cut, detail));
            }
            state = ordered.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        if let Some(at) = state.waiting.iter().position(|at| *at == position) {
            state.waiting.swap_remove(at);
        }
        state.dismissed = state.dismissed.filter(|at| *at != position);
        outcome
    }

    /// Writes `bytes` at `position`, after [`open`](Self::open) has returned.
    pub(crate) fn write(&mut self, position: u64, bytes: &[u8]) -> Result<(), ExchangeError> {
        match &*self.sink.kind {
            Kind::None => Err(failed("no sink was given")),
            Kind::Discard => Ok(()),
            Kind::Memory(kept) => keep(&mut lock(kept), position, bytes),
            Kind::File(file) => write_at(file, bytes, position).map_err(broken),
            Kind::Path(output) => {
                let file = output.file().map_err(broken)?;
                write_at(&file, bytes, position).map_err(broken)
            }
            Kind::Writer(_) => {
                let Some(writer) = &mut self.writer else {
                    return Err(failed("an earlier range has not been written yet"));
                };
                writer.write_all(bytes).map_err(broken)?;
                self.at = position + bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// Ends a response: flushes the writer.
    pub(crate) fn finish(&mut self) -> Result<(), ExchangeError> {
        self.writer.as_mut().map_or(Ok(()), |writer| writer.flush().map_err(broken))
    }
}

impl Drop for Outlet<'_, '_> {
    fn drop(&mut self) {
        if let (Kind::Writer(ordered), Some(writer)) = (&*self.sink.kind, self.writer.take()) {
            let mut state = lock(&ordered.state);
            state.writer = Some(writer);
            state.next = Some(self.at);
            ordered.turned.notify_all();
        }
    }
}

/// A file that is written in order, and opened with the first byte.
struct Through(Arc<Output>);

impl Write for Through {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn keep(kept: &mut Vec<u8>, position: u64, bytes: &[u8]) -> Result<(), ExchangeError> {
    let range = usize::try_from(position)
        .ok()
        .and_then(|start| Some(start..start.checked_add(bytes.len())?))
        .ok_or_else(|| failed("the object exceeds the addressable memory"))?;
    if kept.len() == range.start {
        kept.extend_from_slice(bytes);
        return Ok(());
    }
    if kept.len() < range.end {
        kept.resize(range.end, 0);
    }
    if let Some(place) = kept.get_mut(range) {
        place.copy_from_slice(bytes);
    }
    Ok(())
}

fn failed(detail: impl Into<String>) -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Sink, detail)
}

fn broken(error: io::Error) -> ExchangeError {
    ExchangeError::of_io(ExchangeErrorKind::Sink, error)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                at += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
