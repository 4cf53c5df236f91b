//! Machines that do what uploads and downloads do, and nothing more.

use std::collections::BTreeMap;
use std::ops::Range;

use apus_core::contract::{Machine, OnFailure, Step, StreamWindow};
use apus_core::error::ExchangeError;
use apus_core::http::{Body, Completion, Draft, Ticket};
use apus_core::{Error, Now};
use http::Method;

use super::stream_at;

/// GETs ranges of `target`, each at `target?start-end`, `concurrency` at a time, and delivers them at
/// their offsets.
pub(crate) struct Ranges {
    pub(crate) url: String,
    pub(crate) left: Vec<Range<u64>>,
    pub(crate) concurrency: usize,
    flying: usize,
    failed: Option<Error>,
    pub(crate) ended: Vec<String>,
}

impl Ranges {
    pub(crate) fn new(url: String, length: u64, step: u64, concurrency: usize) -> Self {
        let mut left: Vec<_> = (0..length)
            .step_by(step as usize)
            .map(|start| start..(start + step).min(length))
            .collect();
        left.reverse();
        Self { url, left, concurrency, flying: 0, failed: None, ended: Vec::new() }
    }
}

impl Machine for Ranges {
    type Output = Vec<String>;

    fn poll(&mut self, _: Now) -> Step<Vec<String>> {
        if self.failed.is_none()
            && self.flying < self.concurrency
            && let Some(range) = self.left.pop()
        {
            self.flying += 1;
            let uri = format!("{}?{}-{}", self.url, range.start, range.end);
            let mut draft = Draft::new("Range", Method::GET, uri.parse().unwrap());
            draft.incoming = stream_at(range.start);
            draft.ticket = Ticket::new(u32::try_from(range.start).unwrap());
            return Step::Send(draft);
        }
        if self.flying > 0 {
            return Step::Wait(None);
        }
        match self.failed.take() {
            Some(error) => Step::Done(Err(error)),
            None => Step::Done(Ok(std::mem::take(&mut self.ended))),
        }
    }

    fn complete(&mut self, _: Now, done: Completion) {
        self.flying -= 1;
        self.ended.push(done.draft().target().to_owned());
        let error = match done.into_parts().1 {
            Err(error) => Some(error),
            Ok(reply) => match reply.cut {
                Some(cut) => Some(cut.into()),
                None if reply.status().is_success() => None,
                None => Some(Error::refused(reply.status(), None, None)),
            },
        };
        if let Some(error) = error {
            self.failed.get_or_insert(error);
        }
    }

    fn cancel(&mut self, _: Now, _: OnFailure) {
        self.failed.get_or_insert(ExchangeError::cancelled().into());
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }
}

/// Uploads a stream in parts: POST to begin, a PUT for each part, POST to complete; DELETE if it
/// fails after the beginning.
pub(crate) struct Parts {
    pub(crate) url: String,
    pub(crate) part: u64,
    pub(crate) concurrency: usize,
    window: StreamWindow,
    phase: Phase,
    next: u64,
    flying: BTreeMap<u64, u64>,
    failed: Option<Error>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    New,
    Beginning,
    Open,
    Closing,
    Aborting,
    Over,
}

impl Parts {
    pub(crate) fn new(url: String, part: u64, concurrency: usize) -> Self {
        Self {
            url,
            part,
            concurrency,
            window: StreamWindow::default(),
            phase: Phase::New,
            next: 0,
            flying: BTreeMap::new(),
            failed: None,
        }
    }

    fn send(&self, method: Method, query: &str) -> Box<Draft> {
        let uri = format!("{}?{query}", self.url).parse().unwrap();
        let mut draft = Draft::new("Part", method, uri);
        draft.ticket = Ticket::new(u32::MAX);
        draft
    }
}

impl Machine for Parts {
    type Output = u64;

    fn poll(&mut self, _: Now) -> Step<u64> {
        match self.phase {
            Phase::New if self.failed.is_some() => self.phase = Phase::Over,
            Phase::New => {
                self.phase = Phase::Beginning;
                return Step::Send(self.send(Method::POST, "begin"));
            }
            Phase::Open if self.failed.is_none() => {
                let low = self.flying.keys().next().copied().unwrap_or(self.next);
                self.window.allow(low, low + self.part * (self.concurrency as u64 + 1));
                let have = self.window.supplied() - self.next;
                let full = have >= self.part || (self.window.has_ended() && have > 0);
                if full && self.flying.len() < self.concurrency {
                    let range = self.next..self.next + have.min(self.part);
                    let mut draft = self.send(Method::PUT, &format!("{}", range.start));
                    draft.body = Body::Source { range: range.clone(), rewindable: true };
                    draft.ticket = Ticket::new(u32::try_from(range.start).unwrap());
                    self.next = range.end;
                    self.flying.insert(range.start, range.end);
                    return Step::Send(draft);
                }
                if self.flying.is_empty() && self.window.has_ended() && have == 0 {
                    self.phase = Phase::Closing;
                    return Step::Send(self.send(Method::POST, "complete"));
                }
            }
            Phase::Open if self.flying.is_empty() => {
                self.phase = Phase::Aborting;
                return Step::Send(self.send(Method::DELETE, "abort"));
            }
            _ => {}
        }
        if self.phase != Phase::Over {
            return Step::Wait(None);
        }
        Step::Done(self.failed.take().map_or(Ok(self.next), Err))
    }

    fn complete(&mut self, _: Now, done: Completion) {
        let start = done.draft().ticket.split().map_or(0, |(number, _)| u64::from(number));
        self.flying.remove(&start);
        let error = match done.into_parts().1 {
            Err(error) => Some(error),
            Ok(reply) if reply.status().is_success() => None,
            Ok(reply) => Some(Error::refused(reply.status(), None, None)),
        };
        self.phase = match self.phase {
            Phase::Beginning if error.is_none() => Phase::Open,
            Phase::Open => Phase::Open,
            _ => Phase::Over,
        };
        if let Some(error) = error {
            self.failed.get_or_insert(error);
        }
    }

    fn cancel(&mut self, _: Now, _: OnFailure) {
        self.failed.get_or_insert(ExchangeError::cancelled().into());
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        Some(&mut self.window)
    }
}

/// One PUT of `length` bytes of the source, by a worker.
pub(crate) struct Put {
    pub(crate) url: String,
    pub(crate) length: u64,
    pub(crate) sent: bool,
    pub(crate) done: Option<Result<(), Error>>,
}

impl Machine for Put {
    type Output = ();

    fn poll(&mut self, _: Now) -> Step<()> {
        if !std::mem::replace(&mut self.sent, true) {
            let mut draft = Draft::new("Put", Method::PUT, self.url.parse().unwrap());
            draft.body = Body::Source { range: 0..self.length, rewindable: false };
            return Step::Send(draft);
        }
        self.done.take().map_or(Step::Wait(None), Step::Done)
    }

    fn complete(&mut self, _: Now, done: Completion) {
        self.done = Some(done.into_parts().1.map(drop));
    }

    fn cancel(&mut self, _: Now, _: OnFailure) {}

    fn concurrency(&self) -> usize {
        2
    }
}
