//! The handling of a response to a range request.

use http::StatusCode;
use http::header::LAST_MODIFIED;

use super::piece::{Piece, State};
use super::plan::Plan;
use super::ranges::{Dialect, Object, Ranges};
use crate::contract::Service as _;
use crate::error::{Error, ExchangeError, ExchangeErrorKind, Kind};
use crate::http::{ByteRange, CHANGED, Coding, Reply, Timeouts, is_later, is_whole_object};
use crate::machine::call;
use crate::now::{Now, Wait};
use crate::retry::{Idempotency, RetryDecision};

impl<D: Dialect> Ranges<D> {
    /// Handles the response to the range number `at`. The error is one of this attempt.
    pub(super) fn answered(
        &mut self,
        at: usize,
        reply: &Reply,
        limits: &Timeouts,
    ) -> Result<(), Error> {
        if let Err(error) = self.dialect.success(reply) {
            self.in_doubt = self.object.is_none()
                && reply.rejected.is_some()
                && self.coded
                && self.dialect.can_ask()
                && Coding::of(&reply.head.headers).is_some();
            if self.in_doubt {
                return Err(error);
            }
            return self.refused(at, reply, error).map_err(|error| match self.pieces.get(at) {
                Some(piece) => self.dialect.explain(piece, reply, error),
                None => error,
            });
        }
        // Even with all bytes received, the sink may have failed.
        if let Some(cut) = reply.cut.as_ref().filter(|cut| cut.kind() == ExchangeErrorKind::Sink) {
            return Err(Error::from(cut.clone()).with_status(reply.status()));
        }
        match self.take(at, reply, limits) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let short = || {
                    ExchangeError::new(
                        ExchangeErrorKind::Cut,
                        "the body ended before its announced length",
                    )
                };
                let cut = reply.cut.clone().unwrap_or_else(short);
                Err(Error::from(cut).with_status(reply.status()))
            }
            // The sink has bytes of an invalid response, so nothing can be repeated.
            Err(error) => {
                self.error.get_or_insert(error.with_status(reply.status()));
                Ok(())
            }
        }
    }

    /// Handles the failure of an attempt at a range.
    pub(super) fn failed(&mut self, now: Now, at: usize, error: Error) {
        let asked = self.pieces.get(at).map_or(0, Piece::asked);
        let error = error.in_operation(D::NAME).with_attempts(asked);
        let wait = if self.error.is_none() { self.again(now, at, &error) } else { None };
        match (wait, self.pieces.get_mut(at)) {
            (Some(wait), Some(piece)) => piece.state = State::Backoff(wait),
            (None, Some(piece)) => {
                piece.state = State::Ready;
                self.error.get_or_insert(error);
            }
            (_, None) => {}
        }
    }

    /// Accounts for the bytes that the sink got of a successful response. Returns whether the range
    /// is complete.
    fn take(&mut self, at: usize, reply: &Reply, limits: &Timeouts) -> Result<bool, Error> {
        let Some(piece) = self.pieces.get_mut(at) else { return Ok(true) };
        // Before the first byte the object may still change.
        if self.object.is_none() && (reply.streamed > 0 || reply.cut.is_none()) {
            let object = self.dialect.object(reply)?;
            if let Some(until) = piece.until() {
                let end = match (&self.wanted, object.size) {
                    (Some(ByteRange::Span(span)), size) => size.unwrap_or(u64::MAX).min(span.end),
                    (_, Some(size)) => size,
                    (_, None) => {
                        let what = "Content-Range does not state the length of the object";
                        return Err(Error::invalid_response(what));
                    }
                };
                self.plan = Plan::new(until..end, self.options.range_size);
            }
            self.object = Some(object);
        }
        let in_segments = self.dialect.segment(piece.next()).is_some();
        if let Some(object) = &mut self.object {
            if object.etag.is_none() && !in_segments {
                // Ranges that were requested together.
                if is_later(object.modified.as_ref(), &reply.head) {
                    return Err(Error::integrity(CHANGED));
                }
                let modified = reply.head.headers.get(LAST_MODIFIED);
                object.modified = object.modified.take().or_else(|| modified.cloned());
            }
            // Not every first response states it.
            object.size = object.size.or(reply.content_range().and_then(|range| range.total));
        }
        // The caller's size is used if the server states none.
        let size = self.object.as_ref().and_then(|object| object.size).or(self.options.size);
        let retry_policy = self.dialect.service().retry_policy();
        piece.take(reply, size);
        let left = piece.left().map(|left| left.saturating_add(reply.streamed));
        if limits.is_progress(reply.streamed, left, reply.cut.as_ref()) {
            piece.progressed(retry_policy);
        }
        if reply.until_close && piece.is_open() {
            self.unsettled = true;
            self.certain = !reply.unproven;
            return Ok(true);
        }
        self.close(at, reply.cut.is_none())
    }

    /// Returns whether a range is complete, and finishes it if so. `ended`: the body of its last
    /// response was not cut.
    fn close(&mut self, at: usize, ended: bool) -> Result<bool, Error> {
        let Some(piece) = self.pieces.get_mut(at) else { return Ok(true) };
        match piece.is_complete(ended) {
            Some(true) => {
                if self.tally.is_running() {
                    self.hashers = piece.hashers().clone();
                }
                piece.finish(self.dialect.service().retry_policy());
                self.collect()?;
                Ok(true)
            }
            Some(false) => Ok(false),
            None => Err(Error::integrity("the response has more bytes than the object")),
        }
    }

    /// Settles the end of an object of unknown size, by the response to a HEAD if there is one.
    pub(super) fn settle(&mut self, told: Option<Object<D::Head>>) -> Result<(), Error> {
        self.unsettled = false;
        let Some(piece) = self.pieces.front_mut() else { return Ok(()) };
        let had = self.object.as_ref().and_then(Object::tag);
        if let (Some(had), Some(has)) = (had, told.as_ref().and_then(Object::tag))
            && had != has
        {
            return Err(Error::integrity(CHANGED));
        }
        // A HEAD that was refused takes nothing from a size that is known.
        let known = self.object.as_ref().and_then(|object| object.size).or(self.options.size);
        if let Some(size) = told.as_ref().and_then(|told| told.size).or(known) {
            if let Some(object) = &mut self.object {
                object.size = Some(size);
            }
            piece.ends_at(size);
            self.certain = true;
        }
        self.close(0, true).map(|_| ())
    }

    /// Adds the finished ranges at the front to the tally.
    fn collect(&mut self) -> Result<(), Error> {
        while let Some(piece) = self.pieces.front() {
            let State::Done(digests) = &piece.state else { break };
            self.tally.add(digests, piece.delivered())?;
            self.pieces.pop_front();
        }
        Ok(())
    }

    /// Handles an error response: some of them are not an error of the range.
    fn refused(&mut self, at: usize, reply: &Reply, error: Error) -> Result<(), Error> {
        let Some(piece) = self.pieces.get_mut(at) else { return Err(error) };
        let status = reply.status();
        let unsatisfiable = status == StatusCode::RANGE_NOT_SATISFIABLE;
        let ignores_range = reply.rejected.as_ref().is_some_and(is_whole_object);
        if self.object.is_some() || self.early.is_some() {
            // The connection was closed at the end of a body of unknown length.
            let total = reply.content_range().and_then(|range| range.total);
            let told = self.object.as_ref().or(self.early.as_ref());
            let size = told.and_then(|object| object.size).or(self.options.size);
            let ends = piece.until().is_none() && size.is_none_or(|size| size == piece.next());
            if unsatisfiable && ends && total == Some(piece.next()) {
                piece.finish(self.dialect.service().retry_policy());
                return self.collect();
            }
            // Not every server states the length here. Where the length is known, or the range has
            // a requested end, no refusal is the end.
            let untold = piece.until().is_none() && piece.is_open() && size.or(total).is_none();
            if unsatisfiable && untold && self.dialect.can_ask() {
                (self.unsettled, self.certain) = (true, false);
                return Ok(());
            }
            if error.is_precondition_failed() && piece.is_conditional() && self.dialect.relax() {
                return Ok(());
            }
            if unsatisfiable || error.is_precondition_failed() {
                let ids = (error.request_id(), error.host_id());
                return Err(Error::integrity(CHANGED)
                    .with_status(status)
                    .with_request_id(ids.0.map(str::to_owned), ids.1.map(str::to_owned)));
            }
        } else if self.wanted.is_none() && piece.until().is_some() {
            // An empty object has no ranges, and some servers do not support ranges.
            if unsatisfiable || ignores_range {
                *piece = Piece::new(0, None, self.hashers.clone(), self.seed);
                return Ok(());
            }
        }
        if ignores_range {
            return Err(error.with_hint(IGNORES_RANGE));
        }
        Err(error)
    }

    fn again(&mut self, now: Now, at: usize, error: &Error) -> Option<Wait> {
        let piece = self.pieces.get_mut(at)?;
        // For example the whole object in response to a range request: the server will do so again.
        let is_other_object =
            error.kind() == Kind::InvalidResponse && error.status() == Some(StatusCode::OK);
        let enough = self.options.total_attempts.is_some_and(|total| piece.asked() >= total);
        if error.kind() == Kind::Integrity || is_other_object || enough {
            return None;
        }
        let service = self.dialect.service();
        let decision =
            call::decision(error).unwrap_or_else(|| service.judge(error, Idempotency::Read));
        if decision == RetryDecision::Elsewhere {
            let twice = std::mem::replace(&mut self.redirected, true);
            if twice || !service.learn(self.dialect.resource()?, error) {
                return None;
            }
        }
        if decision == RetryDecision::Otherwise {
            let twice = std::mem::replace(&mut self.redrafted, true);
            if twice || !service.learn(self.dialect.resource()?, error) {
                return None;
            }
        }
        piece.attempts().next(now, service.retry_policy(), decision, error)
    }
}

const IGNORES_RANGE: &str = "the server ignores `Range`: set the concurrency to 1; an interrupted \
                             download can't be resumed";
