//! How an upload ends: completed, or removed, or with its leftovers in the error.

use super::{
    ABORT, ABORTS, CHECK, COMPLETE, Listing, Multipart, PartsFrom, Phase, StoredPart, create,
};
use crate::checksum::{Algorithm, Composite, Declared, Type, Value, combine};
use crate::contract::{Notice, OnFailure, Operation as _, Proof};
use crate::error::{Error, Kind, Leftover};
use crate::machine::abort_upload::another_id;
use crate::machine::upload::flight::WATCHES;
use crate::machine::upload::multipart::Uploaded;
use crate::machine::upload::{absent, tag};
use crate::now::{Now, Wait, WaitReason};
use crate::s3::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, ETag, Evidence, HeadObject,
    ListPartsOutput, ObjectHead, Stored, multipart_etag,
};

impl Multipart {
    /// Returns the checksums of the whole object, computed from those of the parts.
    pub(super) fn checksums(&self) -> Result<Vec<Declared>, Error> {
        let parts: Option<Vec<(Value, u64)>> = self
            .flight
            .stored
            .values()
            .map(|part| part.checksum.map(|sum| (sum, part.size)))
            .collect();
        let (Some(parts), Some(algorithm)) = (parts, self.job.algorithm) else {
            return Ok(Vec::new());
        };
        let mut sums = Vec::new();
        if algorithm.combines() {
            sums.push(Declared::FullObject(combine(parts.iter().copied())?));
        }
        if algorithm != Algorithm::Crc64Nvme {
            let composite = Composite::of(parts.iter().map(|(value, _)| *value))?;
            sums.push(Declared::Composite(composite));
        }
        Ok(sums)
    }

    /// Makes the object after all parts are stored, and after the check that its condition may
    /// require.
    pub(super) fn complete_upload(&mut self, now: Now) {
        let forgoes = self.service.forgoes_create_only(CompleteMultipartUpload::NAME);
        self.unconditional = forgoes && absent::is_create_only(&self.job.conditions);
        let heeds = self.service.config().quirks.conditional_complete && !forgoes;
        match absent::is_needed(&self.job.conditions, heeds) {
            true => self.phase = self.look(),
            false => self.make(now),
        }
    }

    fn look(&self) -> Phase {
        Phase::Absent(Box::new(self.call(self.job.head(), CHECK).keeping_place()))
    }

    /// Goes on after the check that there is no object.
    pub(super) fn looked(&mut self, now: Now, looked: Result<(), Error>) {
        match looked {
            Ok(()) if self.failure.is_none() && self.upload_id.is_some() => return self.make(now),
            Ok(()) if self.failure.is_none() => {
                self.phase = Phase::Create(Box::new(create(&self.job, &self.service)));
                return;
            }
            Ok(()) => {}
            Err(error) => self.fail(now, error),
        }
        self.phase = self.cleanup();
    }

    fn make(&mut self, now: Now) {
        if self.unconditional {
            let operation = CompleteMultipartUpload::NAME;
            self.notice = Some(Notice::Unconditional { operation });
        }
        let heeds = self.service.config().quirks.conditional_complete;
        let call = self.completion().and_then(|complete| {
            let call = self.call(complete, COMPLETE);
            self.job.guarded(call, &self.service, heeds, self.unconditional)
        });
        match call {
            Ok(call) => {
                self.completing = true;
                self.phase = Phase::Complete(Box::new(call));
            }
            Err(error) => {
                self.fail(now, error);
                self.phase = self.cleanup();
            }
        }
    }

    pub(super) fn completion(&self) -> Result<CompleteMultipartUpload, Error> {
        let sums = self.checksums()?;
        let (job, id) = (&self.job, self.upload_id.clone().unwrap_or_default());
        let part = |(number, part): (&u32, &StoredPart)| CompletedPart {
            part_number: *number,
            etag: part.etag.clone(),
            checksums: part.checksum.into_iter().collect(),
        };
        let parts = self.flight.stored.iter().map(part).collect();
        let mut complete = CompleteMultipartUpload::new(&job.bucket, &job.key, id, parts);
        complete.if_match.clone_from(&job.conditions.if_match);
        if !self.unconditional {
            complete.if_none_match.clone_from(&job.conditions.if_none_match);
        }
        complete.customer_key = job.customer_key();
        complete.common.clone_from(&job.common);
        if job.checksum_type == Some(Type::FullObject) {
            let full = sums.iter().find(|sum| sum.checksum_type() == Type::FullObject);
            complete.checksum = full.copied();
            complete.checksum_type = full.map(Declared::checksum_type);
        }
        if job.algorithm.is_some() {
            complete.object_size = Some(self.flight.size());
        }
        Ok(complete)
    }

    /// Returns the result after the server has confirmed the object.
    pub(super) fn completed(
        &mut self,
        etag: ETag,
        version_id: Option<String>,
        told: Vec<Declared>,
    ) -> Uploaded {
        self.job.checkpoints.end();
        let ours = self.checksums().unwrap_or_default();
        let checksums = if told.is_empty() { ours } else { told };
        let parts = u32::try_from(self.flight.stored.len()).unwrap_or(u32::MAX);
        let mut leftovers = std::mem::take(&mut self.possible);
        if self.flight.lost() > 0 && !self.is_gone {
            leftovers.push(self.late_parts());
        }
        let size = self.flight.size();
        Uploaded { etag, version_id, size, parts, checksums, leftovers, ..Uploaded::default() }
    }

    /// Compares the server's checksums of the object with those computed from the parts.
    pub(super) fn confirm(&self, stored: &Stored) -> Result<(), Error> {
        let told = &stored.checksums;
        for ours in self.checksums()? {
            let theirs = told.iter().find(|theirs| {
                theirs.algorithm() == ours.algorithm()
                    && theirs.checksum_type() == ours.checksum_type()
            });
            if let Some(theirs) = theirs.filter(|theirs| **theirs != ours) {
                return Err(Error::integrity(format!(
                    "the server stored the object with {} {theirs}, but the sent bytes have {ours}",
                    ours.algorithm()
                ))
                .in_operation(CompleteMultipartUpload::NAME));
            }
        }
        if self.job.verify_whole_etag {
            let parts = self.flight.stored.values().map(|part| &part.etag);
            return tag::confirm_whole(stored, parts)
                .map_err(|error| error.in_operation(CompleteMultipartUpload::NAME));
        }
        Ok(())
    }

    /// Ends the upload with the first error. An unknown outcome of a later error is added to the
    /// first.
    pub(super) fn fail(&mut self, now: Now, error: Error) {
        // Also where another request failed before it: the error that is told is another one then.
        if self.upload_id.is_some() && error.code() == Some("NoSuchUpload") {
            (self.is_gone, self.vanished) = (true, true);
        }
        Error::keep_first(&mut self.failure, error);
        self.flight.stop(now);
    }

    /// Returns the next phase when nothing is in flight any more.
    pub(super) fn cleanup(&mut self) -> Phase {
        match self.job.on_failure {
            OnFailure::Keep if self.vanished => self.check(),
            OnFailure::Keep => Phase::Over,
            OnFailure::Abort => self.abort(),
        }
    }

    pub(super) fn abort(&mut self) -> Phase {
        let Some(id) = self.upload_id.clone() else { return Phase::Over };
        self.aborts += 1;
        let mut abort = AbortMultipartUpload::new(&self.job.bucket, &self.job.key, id);
        abort.common.clone_from(&self.job.common);
        Phase::Abort(self.call(abort, ABORT + self.aborts))
    }

    /// Handles a list that shows the upload after its abort was acknowledged.
    pub(super) fn still_listed(&mut self, now: Now, page: &ListPartsOutput) {
        page.parts.iter().for_each(|part| self.flight.came(part.part_number));
        let is_empty = page.parts.is_empty() && page.is_truncated != Some(true);
        self.listing = match self.listing {
            Listing::Meaningless if is_empty => return self.gone(now, true),
            known @ Listing::Meaningless => known,
            _ if is_empty => Listing::Empty,
            _ => Listing::Unclear,
        };
        match self.aborts < ABORTS {
            true => self.phase = self.abort(),
            false => self.contradicted(),
        }
    }

    /// Handles an abort that was refused, or that had no effect on the list of parts. If an earlier
    /// abort was acknowledged and no part has been listed since, the list is compared with that of
    /// an upload that does not exist: s3s-fs lists any upload, without parts, and refuses to abort
    /// one that it has aborted. There the acknowledged abort is all that can be known.
    pub(super) fn contradicted(&mut self) {
        let id = self.upload_id.as_deref().and_then(another_id);
        match id.filter(|_| self.listing == Listing::Empty) {
            Some(id) => self.phase = Phase::Compare(self.list_of(id, None)),
            None => self.left_behind(),
        }
    }

    /// Names the upload as a leftover in the error, because it could not be removed.
    pub(super) fn left_behind(&mut self) {
        let leftover = self.leftover();
        let error = self.failure.take().or(self.restarting.take());
        self.failure = error.map(|error| error.with_leftover(leftover));
        self.phase = if self.vanished { self.check() } else { Phase::Over };
    }

    /// Returns the upload as a leftover.
    pub(super) fn leftover(&self) -> Leftover {
        Leftover::MultipartUpload {
            bucket: self.job.bucket.clone(),
            key: self.job.key.clone(),
            upload_id: self.upload_id.clone().unwrap_or_default(),
        }
    }

    /// Handles an acknowledged abort after which no list showed the upload; `seen` says whether a
    /// list has shown that the upload does not exist, rather than failed. Parts whose attempts were
    /// in flight may be stored after the abort, and bring the upload back, so that it is looked for
    /// again. A server that did not respond to an attempt may take longer than that
    /// ("AbortMultipartUpload", S3 API reference: parts in progress may succeed after it): late
    /// parts that did not appear meanwhile are named as possible leftovers. A part that a
    /// cancellation ended is not: its server was responding. If the last list failed, the error names the upload, because a late part
    /// may have been stored.
    pub(super) fn gone(&mut self, now: Now, seen: bool) {
        if self.flight.late() > 0
            && let Some(delay) = WATCHES.get(self.watches)
        {
            self.watches += 1;
            self.phase =
                Phase::Watch(Wait { until: now.tick + *delay, reason: WaitReason::Pacing });
            return;
        }
        // It is unknown which parts another process had in flight.
        if (self.flight.late() > 0 || self.resumed) && !seen {
            return self.left_behind();
        }
        if self.flight.lost() > 0 {
            let late = self.late_parts();
            self.possible.push(late);
        }
        self.is_gone = true;
        self.phase = Phase::Over;
        let restarts = self.restarting.take().is_some() && self.failure.is_none();
        let unknown = self.failure.as_ref().is_some_and(Error::outcome_unknown);
        let vanished = self.vanished && self.failure.is_some();
        if (unknown || vanished) && self.upload_id.is_some() {
            // Now nothing can complete the upload any more, so a HEAD settles the outcome. Until
            // then the next process needs the checkpoint for that.
            self.phase = self.check();
            return;
        }
        self.job.checkpoints.end();
        if restarts {
            self.upload_id = None;
            (self.aborts, self.is_gone) = (0, false);
            self.listing = Listing::default();
            self.flight.restart();
            self.phase = Phase::Create(Box::new(create(&self.job, &self.service)));
        }
    }

    /// Handles a resumed upload that does not exist: it was aborted, or completed by a process that
    /// ended before it read the response. If the checkpoint has all parts, a HEAD of the object
    /// decides.
    pub(super) fn gone_before(&mut self, error: Error) -> Phase {
        (self.is_gone, self.vanished) = (true, true);
        if self.unlisted(error) {
            return self.check();
        }
        // No process can tell what came of it.
        self.job.checkpoints.end();
        Phase::Over
    }

    /// Returns whether the checkpoint has all parts of an upload that cannot be listed: the process
    /// that wrote the checkpoint may have completed the upload.
    pub(super) fn unlisted(&mut self, error: Error) -> bool {
        self.flight.stored = std::mem::take(&mut self.known);
        let all = self.is_whole();
        let (bucket, key) = (&self.job.bucket, &self.job.key);
        // The checkpoint may be older than the completion.
        let error = error.with_outcome_unknown(format!("the object {bucket}/{key}"));
        self.failure.get_or_insert(error);
        all
    }

    /// Returns what proves that an object was made of these parts.
    fn evidence(&self) -> Evidence<'_> {
        // Some parts prove nothing of the whole.
        let whole = self.is_whole();
        let etag = || multipart_etag(self.flight.stored.values().map(|part| &part.etag));
        Evidence {
            size: self.flight.plan.length(),
            etag: whole.then(etag).flatten(),
            checksums: if whole { self.checksums().unwrap_or_default() } else { Vec::new() },
            replaces: self.job.conditions.if_match.as_ref(),
            properties: Some(&self.job.properties),
        }
    }

    /// Returns whether all parts are known.
    fn is_whole(&self) -> bool {
        self.flight.plan.length() == Some(self.flight.size())
    }

    /// Returns whether the object of another client may have replaced ours: the upload vanished, so
    /// that it may have been completed. One that was there until its abort was not. The object of
    /// `If-Match` has replaced nothing.
    fn may_be_replaced(&self, there: Option<&ObjectHead>) -> bool {
        let named = self.job.conditions.if_match.as_ref();
        let is_other = |head: &ObjectHead| named.is_none() || head.etag.as_ref() != named;
        self.vanished && self.completing && there.is_some_and(is_other)
    }

    fn check(&self) -> Phase {
        let head = HeadObject { checksum_mode: true, ..self.job.head() };
        Phase::Check(Box::new(self.call(head, CHECK)))
    }

    /// Returns the parts that the server may store after the upload was completed or removed, as a
    /// leftover.
    fn late_parts(&self) -> Leftover {
        let (bucket, key, late) = (&self.job.bucket, &self.job.key, self.flight.lost());
        let id = self.upload_id.as_deref().unwrap_or_default();
        let parts = if late == 1 { "a part" } else { "parts" };
        let look_at = format!(
            "{parts} of the multipart upload {id} of {bucket}/{key}: {late} had no response, and \
             may be stored although the upload has ended"
        );
        Leftover::Perhaps { look_at }
    }

    /// Returns the upload of a CreateMultipartUpload whose response was lost, as a leftover.
    pub(super) fn nameless(&self) -> Leftover {
        let (bucket, key) = (&self.job.bucket, &self.job.key);
        let look_at = format!(
            "a multipart upload of {bucket}/{key} without parts: one response to \
             CreateMultipartUpload was lost"
        );
        Leftover::Perhaps { look_at }
    }

    /// Returns the error with which the upload ends.
    pub(super) fn failed(&mut self) -> Option<Error> {
        let possible = std::mem::take(&mut self.possible);
        let failure = self.failure.take();
        failure.map(|error| possible.into_iter().fold(error, Error::with_leftover))
    }

    /// Handles the HEAD after an upload was removed whose completion is unknown. If the object is
    /// the one that was sent, the upload has succeeded.
    pub(super) fn checked(&mut self, head: Result<ObjectHead, Error>) -> Option<Uploaded> {
        self.phase = Phase::Over;
        if self.is_gone && head.as_ref().map_or_else(Error::is_not_found, |_| true) {
            // Another look would tell the same.
            self.job.checkpoints.end();
        }
        let proof = match &head {
            Ok(head) => self.evidence().weigh(head, &self.service.config().quirks),
            Err(error) if error.is_not_found() => Proof::Another,
            Err(_) => Proof::Unknown,
        };
        let may_be_replaced = self.may_be_replaced(head.as_ref().ok());
        // Another process may have made the object of other bytes.
        let of_the_bytes =
            |error: &Error| matches!(error.kind(), Kind::Integrity | Kind::InvalidInput);
        match (proof, head) {
            (Proof::Ours, Ok(head)) if !self.failure.as_ref().is_some_and(of_the_bytes) => {
                let failure = self.failure.take();
                self.possible.extend(failure.iter().flat_map(Error::leftovers).cloned());
                let etag = head.etag.unwrap_or_default();
                let done = self.completed(etag, head.version_id, head.checksums);
                Some(Uploaded { recovered: true, ..done })
            }
            (Proof::Another, _) if self.is_gone && !may_be_replaced => {
                self.failure = self.failure.take().map(Error::with_outcome_known);
                None
            }
            _ => {
                if let Some(error) = self.failure.take_if(|error| !error.outcome_unknown()) {
                    let look_at = format!("the object {}/{}", self.job.bucket, self.job.key);
                    self.failure = Some(error.with_outcome_unknown(look_at));
                }
                None
            }
        }
    }

    pub(super) fn refused_completion(&mut self, now: Now, error: Error) {
        if !self.unconditional
            && self.failure.is_none()
            && absent::may_be_refused(&self.job.conditions, &error)
        {
            self.unconditional = true;
            self.phase = self.look();
            return;
        }
        let conflict = error.code() == Some("ConditionalRequestConflict");
        let resendable = !matches!(self.from, PartsFrom::Stream);
        if conflict
            && resendable
            && !error.outcome_unknown()
            && !std::mem::replace(&mut self.restarted, true)
        {
            self.restarting = Some(error);
            self.phase = self.abort();
            return;
        }
        let keeps = error.outcome_unknown() && self.job.on_failure == OnFailure::Keep;
        self.fail(now, error);
        self.phase = if keeps { self.check() } else { self.cleanup() };
    }
}
