//! A conversation of several exchanges.

use super::notice::Notice;
use crate::error::{Error, Leftover};
use crate::http::{Completion, Draft, Needs};
use crate::now::{Now, Wait};

/// A conversation of several exchanges, as a state machine without any I/O.
///
/// The laws that a driver and a machine keep are at the [crate's top](crate).
pub trait Machine {
    /// What it comes to.
    type Output;

    /// What to do next. Call again until it is not [`Step::Send`].
    fn poll(&mut self, now: Now) -> Step<Self::Output>;

    /// An exchange that was asked for has ended.
    fn complete(&mut self, now: Now, done: Completion);

    /// Stop early: go on driving until [`Step::Done`], which then says an error that
    /// [is cancelled](Error::is_cancelled).
    fn cancel(&mut self, now: Now, leave: Leave);

    /// How many of its exchanges may be in flight at once. A driver performs those of a machine of
    /// width 1 where it stands, and others on workers.
    fn width(&self) -> usize {
        1
    }

    /// Whether what it does may outlast a token: an upload in segments, a download that is resumed. It
    /// may become so, as an upload does that turns out to be large, and is asked with each draft.
    fn is_long(&self) -> bool {
        true
    }

    /// Where bytes of a source of unknown length are asked for and announced, for a machine that
    /// reads from one.
    fn intake(&mut self) -> Option<&mut Intake> {
        None
    }

    /// Something that an observer should hear of, each said once. Asked for after every step.
    fn notice(&mut self) -> Option<Notice> {
        None
    }

    /// What it needs of the caller. Asked for before the first step: without it nothing is sent.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// What would stay on the server that it means to remove, were it not driven any further. What is
    /// being made or removed just now is among it.
    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }
}

/// A machine that is moved without its state, or of which only the output is known.
impl<M: Machine + ?Sized> Machine for Box<M> {
    type Output = M::Output;

    fn poll(&mut self, now: Now) -> Step<M::Output> {
        (**self).poll(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        (**self).complete(now, done);
    }

    fn cancel(&mut self, now: Now, leave: Leave) {
        (**self).cancel(now, leave);
    }

    fn width(&self) -> usize {
        (**self).width()
    }

    fn is_long(&self) -> bool {
        (**self).is_long()
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        (**self).intake()
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

/// What a machine wants.
#[derive(Debug)]
pub enum Step<T> {
    /// Send this, and poll again.
    Send(Box<Draft>),
    /// Wait for a completion, or until this time.
    Wait(Option<Wait>),
    /// It is over. Said once, when nothing is in flight.
    Done(Result<T, Error>),
}

/// What a machine that is stopped early leaves on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leave {
    /// Nothing.
    Abort,
    /// What a checkpoint needs to go on later.
    Keep,
}

/// How far a source of unknown length has been read, and how far it may be.
///
/// ```text
///  0 ........ low ............ supplied ............ high
///    released    held by the      may be read, and
///                driver           announced
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    low: u64,
    supplied: u64,
    high: u64,
    ended: bool,
}

impl Intake {
    /// Bytes before this position are never asked for again.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// Bytes up to this position may be read now; a driver reads none beyond it.
    pub fn high(&self) -> u64 {
        self.high
    }

    /// Bytes up to this position were read.
    pub fn supplied(&self) -> u64 {
        self.supplied
    }

    /// Whether the source has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The source has been read up to this position, and `ended` there. Positions only grow, and
    /// nothing counts after the end.
    pub fn supply(&mut self, until: u64, ended: bool) {
        if !self.ended {
            self.supplied = self.supplied.max(until);
            self.ended = ended;
        }
    }

    /// Says what may be read, and what is no longer needed.
    pub fn allow(&mut self, low: u64, high: u64) {
        self.low = self.low.max(low);
        self.high = self.high.max(high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each question otherwise than a machine that says nothing of itself.
    struct Own(Intake);

    impl Machine for Own {
        type Output = ();

        fn poll(&mut self, _: Now) -> Step<()> {
            Step::Done(Ok(()))
        }

        fn complete(&mut self, _: Now, _: Completion) {}

        fn cancel(&mut self, _: Now, _: Leave) {}

        fn width(&self) -> usize {
            7
        }

        fn is_long(&self) -> bool {
            false
        }

        fn intake(&mut self) -> Option<&mut Intake> {
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
            (machine.width(), machine.is_long(), machine.intake().is_some(), needs, left)
        }
        let told = answers(Box::new(Own(Intake::default())));
        assert_eq!(told, (7, false, true, Needs::sink(), 1));
    }
}
