//! What a transport runs.

use std::fmt;

use super::verb::Verb;
use crate::checksum::Hashers;
use crate::contract::{Machine, Needs, Notice, OnFailure, Step, StreamWindow};
use crate::error::{Error, Leftover};
use crate::http::{Completion, Opened};
use crate::machine::Auth;
use crate::now::Now;

/// A machine with everything that is needed to run it.
pub struct Job<T> {
    /// The action: [`Verb::error`] turns an error of the machine into the image service's terms.
    pub verb: Verb,
    /// The id of the backend whose [`Connection`](super::Connection) carries the requests.
    pub backend: String,
    /// The machine to run.
    pub machine: Box<dyn Machine<Output = T> + Send>,
    /// The authenticators, which the machine's requests name by index.
    pub auths: Vec<Auth>,
    /// The hashers for the bytes of the source. Empty if there is no source.
    pub hashers: Hashers,
}

impl<T: 'static> Job<T> {
    pub(super) fn new(
        verb: Verb,
        backend: &str,
        machine: impl Machine<Output = T> + Send + 'static,
        auths: Vec<Auth>,
    ) -> Self {
        let hashers = Hashers::default();
        Self { verb, backend: backend.to_owned(), machine: Box::new(machine), auths, hashers }
    }

    /// Converts the result.
    pub(super) fn map<U: 'static>(
        self,
        turn: impl FnOnce(Result<T, Error>) -> Result<U, Error> + Send + 'static,
    ) -> Job<U> {
        let Self { verb, backend, machine, auths, hashers } = self;
        let machine = Box::new(Mapped { machine, turn: Some(turn) });
        Job { verb, backend, machine, auths, hashers }
    }
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("verb", &self.verb)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

/// A machine whose result is converted.
pub(super) struct Mapped<M, F> {
    machine: M,
    turn: Option<F>,
}

impl<M, F, U> Machine for Mapped<M, F>
where
    M: Machine,
    F: FnOnce(Result<M::Output, Error>) -> Result<U, Error>,
{
    type Output = U;

    fn poll(&mut self, now: Now) -> Step<U> {
        match self.machine.poll(now) {
            Step::Send(draft) => Step::Send(draft),
            Step::Wait(wait) => Step::Wait(wait),
            Step::Done(result) => match self.turn.take() {
                Some(turn) => Step::Done(turn(result)),
                None => Step::Wait(None),
            },
        }
    }

    fn complete(&mut self, now: Now, done: Completion) {
        self.machine.complete(now, done);
    }

    fn opened(&mut self, now: Now, opened: Opened) {
        self.machine.opened(now, opened);
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.machine.cancel(now, on_failure);
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
        self.machine.notice()
    }

    fn needs(&self) -> Needs {
        self.machine.needs()
    }

    fn leftovers(&self) -> Vec<Leftover> {
        self.machine.leftovers()
    }
}
