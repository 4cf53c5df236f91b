//! How an upload ends: completed, or removed, or with what is left behind in the error.

use super::{ABORT, CHECK, COMPLETE, Multipart, PartsFrom, Phase, StoredPart, create};
use crate::checksum::{Algorithm, Composite, Declared, Type, Value, combine};
use crate::contract::{Leave, Operation as _};
use crate::error::{Error, Leftover};
use crate::machine::upload::evidence::{Evidence, multipart_etag};
use crate::machine::upload::multipart::Uploaded;
use crate::machine::upload::tag;
use crate::now::Now;
use crate::s3::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, ETag, HeadObject, Stored,
};

impl Multipart {
    /// The checksums of the whole that the parts' come to.
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

    pub(super) fn complete_upload(&mut self, now: Now) {
        let sums = match self.checksums() {
            Ok(sums) => sums,
            Err(error) => return self.fail(now, error),
        };
        let (job, id) = (&self.job, self.upload_id.clone().unwrap_or_default());
        let part = |(number, part): (&u32, &StoredPart)| CompletedPart {
            part_number: *number,
            etag: part.etag.clone(),
            checksums: part.checksum.into_iter().collect(),
        };
        let parts = self.flight.stored.iter().map(part).collect();
        let mut complete = CompleteMultipartUpload::new(&job.bucket, &job.key, id, parts);
        complete.if_match.clone_from(&job.conditions.if_match);
        complete.if_none_match.clone_from(&job.conditions.if_none_match);
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
        self.phase = Phase::Complete(Box::new(self.call(complete, COMPLETE)));
    }

    /// The server says that the object is there.
    pub(super) fn completed(
        &self,
        etag: ETag,
        version_id: Option<String>,
        told: Vec<Declared>,
    ) -> Uploaded {
        self.job.checkpoints.end();
        let ours = self.checksums().unwrap_or_default();
        let checksums = if told.is_empty() { ours } else { told };
        let parts = u32::try_from(self.flight.stored.len()).unwrap_or(u32::MAX);
        Uploaded { etag, version_id, size: self.flight.size(), parts, checksums, recovered: false }
    }

    /// What the server has of the whole against what the parts came to.
    pub(super) fn confirm(&self, stored: &Stored) -> Result<(), Error> {
        let told = &stored.checksums;
        for ours in self.checksums()? {
            let theirs = told.iter().find(|theirs| {
                theirs.algorithm() == ours.algorithm()
                    && theirs.checksum_type() == ours.checksum_type()
            });
            if let Some(theirs) = theirs.filter(|theirs| **theirs != ours) {
                return Err(Error::integrity(format!(
                    "the server has {theirs} as {} of the object that was sent as {ours}",
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

    pub(super) fn evidence(&self) -> Evidence {
        Evidence {
            length: self.flight.size(),
            etag: multipart_etag(self.flight.stored.values().map(|part| &part.etag)),
            checksums: self.checksums().unwrap_or_default(),
            length_suffices: self.job.conditions.is_empty(),
        }
    }

    pub(super) fn fail(&mut self, now: Now, error: Error) {
        self.failure.get_or_insert(error);
        self.flight.stop(now);
    }

    /// What follows when nothing is in flight any more.
    pub(super) fn cleanup(&mut self) -> Phase {
        if self.job.leave == Leave::Keep { Phase::Over } else { self.abort() }
    }

    pub(super) fn abort(&mut self) -> Phase {
        let Some(id) = self.upload_id.clone() else { return Phase::Over };
        self.aborts += 1;
        let mut abort = AbortMultipartUpload::new(&self.job.bucket, &self.job.key, id);
        abort.common.clone_from(&self.job.common);
        Phase::Abort(self.call(abort, ABORT + self.aborts))
    }

    /// The upload could not be removed: the error says so.
    pub(super) fn left_behind(&mut self) {
        let leftover = Leftover::MultipartUpload {
            bucket: self.job.bucket.clone(),
            key: self.job.key.clone(),
            upload_id: self.upload_id.clone().unwrap_or_default(),
        };
        let error = self.failure.take().or(self.restarting.take());
        self.failure = error.map(|error| error.with_leftover(leftover));
        self.phase = Phase::Over;
    }

    /// The upload is removed.
    pub(super) fn gone(&mut self) {
        self.job.checkpoints.end();
        self.phase = Phase::Over;
        if self.restarting.take().is_some() && self.failure.is_none() {
            self.upload_id = None;
            self.aborts = 0;
            self.flight.restart();
            self.phase = Phase::Create(Box::new(create(&self.job, &self.service)));
        }
    }

    pub(super) fn refused_completion(&mut self, now: Now, error: Error, doubtful: bool) {
        let conflict = error.code() == Some("ConditionalRequestConflict");
        let resendable = !matches!(self.from, PartsFrom::Stream);
        if doubtful {
            let mut head = HeadObject::new(&self.job.bucket, &self.job.key);
            head.checksum_mode = self.job.algorithm.is_some();
            head.customer_key = self.job.customer_key();
            head.common.clone_from(&self.job.common);
            self.phase = Phase::Check(Box::new(self.call(head, CHECK)), error);
        } else if conflict && resendable && !std::mem::replace(&mut self.restarted, true) {
            self.restarting = Some(error);
            self.phase = self.abort();
        } else {
            self.fail(now, error);
            self.phase = self.cleanup();
        }
    }
}
