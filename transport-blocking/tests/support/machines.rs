//! Small machines that need of a transport what uploads and downloads need.

use std::collections::VecDeque;
use std::ops::Range;

use apus_core::contract::{Machine, OnFailure, Step, StreamWindow};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Body, Completion, Expect, Incoming, Ticket};
use apus_core::now::{Wait, WaitReason};
use apus_core::{Error, Now};
use http::Method;
use http::header::{HeaderValue, RANGE};

use super::{Ask, Plain};

/// Requests ranges of an object in parallel, and again when a response was cut.
pub struct Ranges {
    service: Plain,
    todo: VecDeque<Range<u64>>,
    flying: Vec<(u32, Range<u64>)>,
    concurrency: usize,
    sequence: u32,
    failed: Option<Error>,
    pub cut: u32,
    again: Option<Wait>,
}

impl Ranges {
    pub fn new(service: Plain, length: u64, part: u64, concurrency: usize) -> Self {
        let starts = (0..length).step_by(part as usize);
        let todo = starts.map(|start| start..(start + part).min(length)).collect();
        let (flying, failed) = (Vec::new(), None);
        Self { service, todo, flying, concurrency, sequence: 0, failed, cut: 0, again: None }
    }
}

impl Machine for Ranges {
    /// How many responses were cut.
    type Output = u32;

    fn poll(&mut self, now: Now) -> Step<u32> {
        if let Some(error) = &self.failed {
            let error = error.clone();
            return if self.flying.is_empty() { Step::Done(Err(error)) } else { Step::Wait(None) };
        }
        if let Some(wait) = self.again.filter(|wait| now.tick < wait.until) {
            return Step::Wait(Some(wait));
        }
        self.again = None;
        if self.flying.len() == self.concurrency
            || (self.todo.is_empty() && !self.flying.is_empty())
        {
            return Step::Wait(None);
        }
        let Some(range) = self.todo.pop_front() else { return Step::Done(Ok(self.cut)) };
        self.sequence += 1;
        let mut ask = Ask::new(Method::GET, "/object");
        let value = format!("bytes={}-{}", range.start, range.end - 1);
        ask.headers.insert(RANGE, HeaderValue::try_from(value).unwrap());
        ask.incoming = Incoming::Stream {
            at: range.start,
            hashers: apus_core::checksum::Hashers::default(),
            declared: false,
            tag: false,
            expect: Expect { range: Some(range.clone()), ..Expect::default() },
        };
        let mut draft = ask.draft(&self.service);
        draft.ticket = Ticket::new(self.sequence);
        self.flying.push((self.sequence, range));
        Step::Send(draft)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        let (number, _) = done.draft().ticket.split().unwrap();
        let at = self.flying.iter().position(|(flying, _)| *flying == number).unwrap();
        let (_, range) = self.flying.swap_remove(at);
        match done.into_parts().1 {
            Ok(reply) => match (&reply.cut, reply.rejected) {
                (None, None) if reply.head.status.is_success() => {}
                (None, None) => {
                    self.failed.get_or_insert(Error::refused(reply.head.status, None, None));
                }
                (Some(cut), None)
                    if cut.kind() == ExchangeErrorKind::Cut && self.failed.is_none() =>
                {
                    self.cut += 1;
                    let rest = range.start + reply.streamed..range.end;
                    let before = self.todo.iter().filter(|todo| todo.start < rest.start).count();
                    self.todo.insert(before, rest);
                    let until = now.tick + std::time::Duration::from_millis(20);
                    self.again = Some(Wait { until, reason: WaitReason::Backoff });
                }
                (Some(cut), _) => {
                    self.failed.get_or_insert(cut.clone().into());
                }
                (None, Some(error)) => {
                    self.failed.get_or_insert(error);
                }
            },
            Err(error) => {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn cancel(&mut self, _: Now, _: OnFailure) {
        self.failed.get_or_insert(ExchangeError::cancelled().into());
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }
}

/// Sends a stream in parts, each as often as needed; after a failure, a DELETE cleans up.
pub struct Parts {
    service: Plain,
    part: u64,
    concurrency: usize,
    window: StreamWindow,
    planned: u64,
    /// Number and range of what is in flight.
    flying: Vec<(u32, Range<u64>)>,
    again: VecDeque<Range<u64>>,
    sequence: u32,
    failed: Option<Error>,
    cleaning: Cleaning,
}

#[derive(PartialEq)]
enum Cleaning {
    Not,
    Sent,
    Over,
}

impl Parts {
    pub fn new(service: Plain, part: u64, concurrency: usize) -> Self {
        Self {
            service,
            part,
            concurrency,
            window: StreamWindow::default(),
            planned: 0,
            flying: Vec::new(),
            again: VecDeque::new(),
            sequence: 0,
            failed: None,
            cleaning: Cleaning::Not,
        }
    }

    fn send(&mut self, ask: &Ask, range: Range<u64>) -> Step<u64> {
        self.sequence += 1;
        let mut draft = ask.draft(&self.service);
        draft.ticket = Ticket::new(self.sequence);
        self.flying.push((self.sequence, range));
        Step::Send(draft)
    }
}

impl Machine for Parts {
    /// Length of the stream.
    type Output = u64;

    fn poll(&mut self, _: Now) -> Step<u64> {
        let oldest = self.flying.iter().map(|(_, range)| range.start);
        let oldest = oldest.chain(self.again.iter().map(|range| range.start)).min();
        let low = oldest.unwrap_or(self.planned);
        self.window.allow(low, low + self.part * (self.concurrency as u64 + 1));
        if let Some(error) = &self.failed {
            let error = error.clone();
            if !self.flying.is_empty() {
                return Step::Wait(None);
            }
            return match self.cleaning {
                Cleaning::Not => {
                    self.cleaning = Cleaning::Sent;
                    self.send(&Ask::new(Method::DELETE, "/upload"), 0..0)
                }
                _ => Step::Done(Err(error)),
            };
        }
        if self.flying.len() == self.concurrency {
            return Step::Wait(None);
        }
        let (supplied, ended) = (self.window.supplied(), self.window.has_ended());
        let range = self.again.pop_front().or_else(|| {
            let end = (self.planned + self.part).min(supplied);
            let whole = end - self.planned == self.part || (ended && end > self.planned);
            whole.then_some(self.planned..end)
        });
        match range {
            Some(range) => {
                self.planned = self.planned.max(range.end);
                let body = Body::Source { range: range.clone(), rewindable: true };
                let target = format!("/upload/{}", range.start);
                self.send(&Ask { body, ..Ask::new(Method::PUT, &target) }, range)
            }
            None if ended && self.flying.is_empty() => Step::Done(Ok(supplied)),
            None => Step::Wait(None),
        }
    }

    fn complete(&mut self, _: Now, done: Completion) {
        let (number, _) = done.draft().ticket.split().unwrap();
        let at = self.flying.iter().position(|(flying, _)| *flying == number).unwrap();
        let (_, range) = self.flying.swap_remove(at);
        if self.cleaning == Cleaning::Sent {
            self.cleaning = Cleaning::Over;
            return;
        }
        match done.into_parts().1 {
            Ok(reply) if reply.status().is_success() => {}
            Ok(reply) if reply.status().is_server_error() => self.again.push_back(range),
            Ok(reply) => {
                self.failed.get_or_insert(Error::refused(reply.status(), None, None));
            }
            Err(error) => {
                self.failed.get_or_insert(error);
            }
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
