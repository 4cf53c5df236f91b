//! Several exchanges as a state machine.

use super::notice::Notice;
use crate::error::{Error, Leftover};
use crate::http::{Completion, Draft, Needs, Opened};
use crate::now::{Now, Wait};

/// A state machine of one or more operations, without any I/O.
///
/// The laws for a transport and a machine are listed in the [crate's documentation](crate).
pub trait Machine {
    /// The result of a success.
    type Output;

    /// Returns the next step. Call it again until it is not [`Step::Send`].
    fn poll(&mut self, now: Now) -> Step<Self::Output>;

    /// Reports that an exchange of this machine has ended.
    fn complete(&mut self, now: Now, done: Completion);

    /// Reports that the head of a success has arrived whose body is passed to the sink. Called at
    /// most once for an exchange, before its [completion](Self::complete), by a transport that was
    /// asked for the head before the bytes. Ignores a head that is unknown, late or repeated.
    fn opened(&mut self, now: Now, opened: Opened) {
        let _ = (now, opened);
    }

    /// Cancels the machine. Continue to drive it until [`Step::Done`], whose error then [is
    /// cancelled](Error::is_cancelled).
    fn cancel(&mut self, now: Now, on_failure: OnFailure);

    /// The concurrency: how many exchanges of this machine may be in flight at most. A transport
    /// may perform those of a machine of concurrency 1 on the calling thread or task, and performs others
    /// on workers.
    fn concurrency(&self) -> usize {
        1
    }

    /// Whether the machine may take longer than a token lives: an upload in segments, a download
    /// that is resumed. It may become true, when an upload turns out to be large, and is read for
    /// each draft.
    fn is_long(&self) -> bool {
        true
    }

    /// The [`StreamWindow`] of a machine that reads from a source of unknown length: how far the source
    /// may be read, and how far it was.
    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        None
    }

    /// Takes the next event for an observer; each is returned once. Called after every step.
    fn notice(&mut self) -> Option<Notice> {
        None
    }

    /// What the machine needs from the caller. Read before the first step; if it is missing,
    /// nothing is sent.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// What would stay on the server if the machine were not driven any further, although the
    /// machine would remove it. Includes what is being created or removed at this moment.
    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }
}

/// A machine that knows the head of what it reads before the bytes arrive: a download.
pub trait OpensHead: Machine {
    /// The metadata that the head states: size, type, ETag.
    type Head;

    /// Returns the metadata as soon as it is known: from [`Machine::opened`], or from a request
    /// before the first byte. It does not change afterwards: another object in its place is an
    /// error of the machine.
    fn head(&self) -> Option<&Self::Head>;
}

impl<M: OpensHead + ?Sized> OpensHead for Box<M> {
    type Head = M::Head;

    fn head(&self) -> Option<&M::Head> {
        (**self).head()
    }
}

/// A boxed machine: cheap to move, or a machine of which only the output type is known.
impl<M: Machine + ?Sized> Machine for Box<M> {
    type Output = M::Output;

    fn poll(&mut self, now: Now) -> Step<M::Output> {
        (**self).poll(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        (**self).complete(now, done);
    }

    fn opened(&mut self, now: Now, opened: Opened) {
        (**self).opened(now, opened);
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        (**self).cancel(now, on_failure);
    }

    fn concurrency(&self) -> usize {
        (**self).concurrency()
    }

    fn is_long(&self) -> bool {
        (**self).is_long()
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        (**self).stream_window()
    }

    fn notice(&mut self) -> Option<Notice> {
        (**self).notice()
    }

    fn needs(&self) -> Needs {
        (**self).needs()
    }

    fn leftovers(&self) -> Vec<Leftover> {
        (**self).leftovers()
    }
}

/// What a machine requires next.
#[derive(Debug)]
pub enum Step<T> {
    /// Send this, and poll again.
    Send(Box<Draft>),
    /// Wait for a completion, or until this time if there is one.
    Wait(Option<Wait>),
    /// The result. Returned once, when nothing is in flight.
    Done(Result<T, Error>),
}

/// What a cancelled machine leaves on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Nothing.
    Abort,
    /// What a checkpoint needs to continue later.
    Keep,
}

/// How far a source of unknown length has been read, and how far it may be read. Positions are in
/// bytes.
///
/// ```text
///  0 ........ low ............ supplied ............ high
///    released    held by the      may be read, and
///                transport        announced
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamWindow {
    low: u64,
    supplied: u64,
    high: u64,
    ended: bool,
}

impl StreamWindow {
    /// Bytes before this position are never requested again.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// Bytes up to this position may be read now; a transport reads none beyond it.
    pub fn high(&self) -> u64 {
        self.high
    }

    /// Bytes up to this position have been read.
    pub fn supplied(&self) -> u64 {
        self.supplied
    }

    /// Whether the source has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Records that the source has been read up to the position `until`, and whether it `ended`
    /// there. Positions only grow, and calls after the end have no effect.
    pub fn supply(&mut self, until: u64, ended: bool) {
        if !self.ended {
            self.supplied = self.supplied.max(until);
            self.ended = ended;
        }
    }

    /// Sets which bytes may be read, and which are no longer needed.
    pub fn allow(&mut self, low: u64, high: u64) {
        self.low = self.low.max(low);
        self.high = self.high.max(high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns other values than the defaults of [`Machine`].
    struct Own(StreamWindow);

    impl Machine for Own {
        type Output = ();

        fn poll(&mut self, _: Now) -> Step<()> {
            Step::Done(Ok(()))
        }

        fn complete(&mut self, _: Now, _: Completion) {}

        fn cancel(&mut self, _: Now, _: OnFailure) {}

        fn concurrency(&self) -> usize {
            7
        }

        fn is_long(&self) -> bool {
            false
        }

        fn stream_window(&mut self) -> Option<&mut StreamWindow> {
            Some(&mut self.0)
        }

        fn needs(&self) -> Needs {
            Needs::sink()
        }

        fn leftovers(&self) -> Vec<Leftover> {
            vec![Leftover::Trust { id: "t".into() }]
        }
    }

    #[test]
    fn a_box_answers_as_the_machine_in_it() {
        fn answers(mut machine: impl Machine) -> (usize, bool, bool, Needs, usize) {
            let (needs, left) = (machine.needs(), machine.leftovers().len());
            (
                machine.concurrency(),
                machine.is_long(),
                machine.stream_window().is_some(),
                needs,
                left,
            )
        }
        let told = answers(Box::new(Own(StreamWindow::default())));
        assert_eq!(told, (7, false, true, Needs::sink(), 1));
    }
}
