//! One pass over a source: its bytes go to a task for each digest, in order, and are compared if
//! they are read again.
//!
//! ```text
//!  pieces ──▶ Pass (in the core: order, bytes due, bytes read before) ──▶ a worker for each digest
//!    ▲                                                                       │
//!    └──────────── wait while the workers are too far behind ◀───────────────┘
//! ```

use std::future::poll_fn;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use apus_core::checksum::{Digests, Hashers, Pass, Reading};
use apus_core::error::ExchangeError;
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::lock;

/// The pass over a source: of one run, or of all its runs if the source is tapped.
pub(crate) struct OnePass(Mutex<State>);

struct State {
    pass: Pass,
    /// A group of hashers for each worker; absent while the worker runs.
    groups: Vec<Option<Hashers>>,
    /// The wakers of workers that have nothing to do.
    idle: Vec<Option<Waker>>,
    /// The wakers of readings that wait for the workers.
    waiting: Vec<Waker>,
    working: usize,
    closing: bool,
    /// All bytes of the source were read.
    is_whole: bool,
    /// Bytes of the source when a run began; `None` if unknown.
    length: Option<u64>,
    /// Bytes that may be held until it is their turn.
    memory: u64,
}

impl OnePass {
    /// A pass that feeds these hashers. With none, it only compares.
    pub(crate) fn new(hashers: Hashers) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let groups = match hashers.is_empty() {
            true => Vec::new(),
            false => hashers.split(cores).into_iter().map(Some).collect(),
        };
        Self(Mutex::new(State {
            pass: Pass::new(groups.len()),
            idle: vec![None; groups.len()],
            groups,
            waiting: Vec::new(),
            working: 0,
            closing: false,
            is_whole: false,
            length: None,
            memory: 0,
        }))
    }

    /// Begins a run over a source of this length. The workers end when the value returned is
    /// [finished](Workers::finish) or dropped.
    pub(crate) fn begin(self: &Arc<Self>, length: Option<u64>, memory: u64) -> Workers {
        let mut state = lock(&self.0);
        state.length = length;
        state.memory = memory;
        let mut tasks = Vec::new();
        if state.working == 0 {
            state.closing = false;
            state.working = state.groups.len();
            tasks = (0..state.working)
                .map(|worker| tokio::spawn(Arc::clone(self).work(worker)))
                .collect();
        }
        Workers { pass: Arc::clone(self), tasks }
    }

    /// Records whether all bytes of the source were read: as `whole` says, or, if that is `None`,
    /// if as many bytes were read as the source had when the run began.
    pub(crate) fn settle(&self, whole: Option<bool>) {
        let mut state = lock(&self.0);
        let all = || state.length == Some(state.pass.position());
        let whole = whole.unwrap_or_else(all);
        state.is_whole |= whole;
    }

    /// Returns the digests of the whole source, once all of it was read.
    pub(crate) fn digests(&self) -> Option<Digests> {
        let state = lock(&self.0);
        let groups: Option<Vec<Hashers>> = state.groups.iter().cloned().collect();
        let groups = groups.filter(|_| state.is_whole)?;
        Some(Digests::join(groups.into_iter().map(Hashers::finish)))
    }

    /// Ready when the workers are not too far behind to read on.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        if state.pass.backlog() <= BEHIND || state.working == 0 {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes the next bytes of a reading, which may be passed on afterwards. Returns the bytes that
    /// must be read before this reading continues, if too many bytes wait for them.
    pub(crate) fn read(
        &self,
        reading: &mut Reading,
        bytes: &Bytes,
    ) -> Result<Option<Range<u64>>, ExchangeError> {
        let mut state = lock(&self.0);
        state.pass.read_shared(reading, bytes)?;
        state.wake_workers();
        Ok(state.pass.gap().filter(|_| state.pass.held() > state.memory))
    }

    /// Takes the next bytes of a source that is read once and in order.
    pub(crate) fn append(&self, bytes: Bytes) {
        let mut state = lock(&self.0);
        state.pass.append(bytes);
        state.wake_workers();
    }

    /// Returns the next bytes that were not hashed but should have been.
    pub(crate) fn rest(&self) -> Option<Range<u64>> {
        let state = lock(&self.0);
        if state.groups.is_empty() {
            return None;
        }
        let all = || {
            let range = state.pass.position()..state.length?;
            (!range.is_empty()).then_some(range)
        };
        state.pass.gap().or_else(all)
    }

    /// Returns the length of the source when the run began, in bytes.
    pub(crate) fn length(&self) -> Option<u64> {
        lock(&self.0).length
    }

    async fn work(self: Arc<Self>, worker: usize) {
        let hashers = lock(&self.0).groups.get_mut(worker).and_then(Option::take);
        // Returned to the pass even if this task is dropped.
        let mut group = Group { pass: self, worker, hashers };
        while let Some(pieces) = poll_fn(|cx| group.pass.poll_pieces(worker, cx)).await {
            let Some(mut hashers) = group.hashers.take() else { return };
            let length: usize = pieces.iter().map(Bytes::len).sum();
            let work = move || {
                pieces.iter().for_each(|piece| hashers.update(piece));
                hashers
            };
            // Hashing so few bytes takes less time than waking another thread.
            group.hashers = match length <= LITTLE {
                true => Some(work()),
                false => spawn_blocking(work).await.ok(),
            };
        }
    }

    /// Returns all pieces that are due to this worker; `None` when no more will be.
    fn poll_pieces(&self, worker: usize, cx: &mut Context<'_>) -> Poll<Option<Vec<Bytes>>> {
        let mut state = lock(&self.0);
        let pass = &mut state.pass;
        let pieces: Vec<Bytes> = std::iter::from_fn(|| pass.piece(worker)).collect();
        if !pieces.is_empty() {
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
            return Poll::Ready(Some(pieces));
        }
        if state.closing {
            return Poll::Ready(None);
        }
        if let Some(idle) = state.idle.get_mut(worker) {
            *idle = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl State {
    fn wake_workers(&mut self) {
        self.idle.iter_mut().filter_map(Option::take).for_each(Waker::wake);
    }
}

/// The hashers of a worker.
struct Group {
    pass: Arc<OnePass>,
    worker: usize,
    hashers: Option<Hashers>,
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut state = lock(&self.pass.0);
        if let Some(group) = state.groups.get_mut(self.worker) {
            *group = self.hashers.take();
        }
        state.working -= 1;
        std::mem::take(&mut state.waiting).into_iter().for_each(Waker::wake);
    }
}

/// The workers of a run. They end when this is dropped.
pub(crate) struct Workers {
    pass: Arc<OnePass>,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn pass(&self) -> &Arc<OnePass> {
        &self.pass
    }

    /// Waits until the workers have hashed what is due; nothing more is read.
    pub(crate) async fn finish(mut self) {
        self.close();
        for task in std::mem::take(&mut self.tasks) {
            // A worker that the end of the runtime stopped has no result.
            let _ = task.await;
        }
    }

    fn close(&self) {
        let mut state = lock(&self.pass.0);
        state.closing = true;
        state.wake_workers();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if !self.tasks.is_empty() {
            self.close();
        }
    }
}

/// Bytes that the slowest worker may be behind before readings wait for it.
const BEHIND: u64 = 4 << 20;
/// Bytes that are hashed without another thread.
const LITTLE: usize = 32 << 10;
