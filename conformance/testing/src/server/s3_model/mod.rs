//! A small S3 in memory, as a pure function from request to response.
//!
//! ```text
//!   Request ─ Call::parse ─ Plan: a fault in its place? ─ region, clock ─┬─ buckets   (lists)
//!                                                                        ├─ objects
//!                                              Payload::read (digests) ──┴─ multipart
//!   Reply  ─ Plan: a fault that spoils it ─ request id, date ────────────── Reply | Refusal
//! ```
//!
//! Responses follow the API reference of Amazon S3; [`Manners`] has the differences of other
//! servers. The model has no clock: [`S3Model::set_now`] sets the time. It checks no signatures,
//! and supports no versions or access control (501). Of tags it has those that a write
//! gives, and GetObjectTagging.

mod attached;
mod buckets;
mod call;
mod conditions;
mod document;
mod faults;
mod manners;
mod multipart;
mod objects;
mod payload;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use self::call::Call;
pub use self::manners::{CompleteEtag, Manners};
use self::refusal::Refusal;
use super::dates::http_date;
use super::digest::{self, Algorithm};
use super::message::{Reply, Request};
use super::plan::{Fault, Operation, Plan};

/// The state of the server, and its planned faults.
#[derive(Debug, Clone, Default)]
pub struct S3Model {
    plan: Plan,
    manners: Manners,
    buckets: BTreeMap<String, Bucket>,
    /// Objects that are not deleted: buckets and keys.
    locked: BTreeSet<(String, String)>,
    uploads: BTreeMap<String, OpenUpload>,
    /// Uploads that were completed, with the resulting ETag.
    completed: BTreeMap<String, String>,
    /// Uploads that were completed or aborted.
    ended: BTreeMap<String, OpenUpload>,
    counts: BTreeMap<Operation, u64>,
    requests: u64,
    upload_ids: u64,
    now: u64,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Bytes,
    /// Without quotes.
    pub etag: String,
    /// Content headers and `x-amz-meta-*`, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Its tags, as `x-amz-tagging` has them.
    pub tags: String,
    /// Its annotations by their names.
    pub annotations: BTreeMap<String, Bytes>,
    /// Seconds since 1970.
    pub last_modified: u64,
    /// The checksum that the server keeps.
    pub checksum: Option<Checksum>,
    /// The parts of a multipart upload: length in bytes and digest; empty for a single PUT.
    pub parts: Vec<(u64, Option<Checksum>)>,
}

/// A checksum that the server keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// The name, such as `CRC64NVME`.
    pub algorithm: &'static str,
    /// Base64, with `-N` where it is composite.
    pub value: String,
    /// What it covers.
    pub covers: ChecksumType,
}

/// What a checksum covers (`x-amz-checksum-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumType {
    /// The bytes of the whole object.
    FullObject,
    /// The checksums of its parts.
    Composite,
}

/// A multipart upload that was neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Upload ID.
    pub id: String,
    /// Part numbers and lengths in bytes.
    pub parts: BTreeMap<u32, u64>,
    details: multipart::Details,
}

#[derive(Debug, Clone, Default)]
struct Bucket {
    region: Option<String>,
    created: u64,
    objects: BTreeMap<String, Object>,
}

type Answer = Result<Reply, Refusal>;

impl S3Model {
    /// Creates an empty server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the planned faults.
    pub fn with_plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Sets the behaviour.
    pub fn with_manners(mut self, manners: Manners) -> Self {
        self.manners = manners;
        self
    }

    pub(crate) fn manners(&self) -> &Manners {
        &self.manners
    }

    /// Adds an empty bucket.
    pub fn with_bucket(mut self, name: &str) -> Self {
        self.buckets.insert(name.to_owned(), Bucket::default());
        self
    }

    /// Adds an empty bucket in a region of its own; see [`Manners::check_region`].
    pub fn bucket_in(mut self, name: &str, region: &str) -> Self {
        let bucket = Bucket { region: Some(region.to_owned()), ..Bucket::default() };
        self.buckets.insert(name.to_owned(), bucket);
        self
    }

    /// Adds an object, as PutObject without any header stores it, and its bucket where it is
    /// missing.
    pub fn with_object(mut self, bucket: &str, key: &str, body: impl Into<Bytes>) -> Self {
        let object = self.single(body.into(), Vec::new(), None);
        self.buckets.entry(bucket.to_owned()).or_default().objects.insert(key.to_owned(), object);
        self
    }

    /// Refuses to delete this object, with `AccessDenied`.
    pub fn with_locked(mut self, bucket: &str, key: &str) -> Self {
        self.locked.insert((bucket.to_owned(), key.to_owned()));
        self
    }

    /// Adds an object that was uploaded in this many parts, equal except the last, and its bucket
    /// where it is missing.
    pub fn with_multipart_object(
        mut self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        parts: usize,
    ) -> Self {
        let body: Bytes = body.into();
        let step = body.len().div_ceil(parts.max(1)).max(1);
        let pieces: Vec<&[u8]> = body.chunks(step).collect();
        let digests: Vec<u8> = pieces.iter().flat_map(|part| Algorithm::Md5.digest(part)).collect();
        let (many, lengths) = (pieces.len(), pieces.iter().map(|part| part.len() as u64));
        let lengths: Vec<_> = lengths.map(|length| (length, None)).collect();
        let mut object = self.single(body.clone(), Vec::new(), None);
        object.etag = format!("{}-{many}", digest::md5_hex(&digests));
        object.parts = lengths;
        self.buckets.entry(bucket.to_owned()).or_default().objects.insert(key.to_owned(), object);
        self
    }

    /// Stores a part that was in flight while its upload was aborted or completed: S3 may keep it,
    /// and the upload then exists again ("Aborting a multipart upload", Amazon S3 User Guide).
    /// Returns whether that happened.
    pub fn land(&mut self, request: &Request) -> bool {
        let Ok(call) = Call::parse(request, &self.manners.domain) else { return false };
        let id = call.query("uploadId").unwrap_or_default().to_owned();
        if call.operation != Operation::UploadPart || self.uploads.contains_key(&id) {
            return false;
        }
        let Some(mut upload) = self.ended.get(&id).cloned() else { return false };
        upload.forget_parts();
        self.uploads.insert(id.clone(), upload);
        let landed = self.upload_part(&call).is_ok();
        if !landed {
            self.uploads.remove(&id);
        }
        landed
    }

    /// Replaces the planned faults. The counts of requests continue.
    pub fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// Sets the time, in seconds since 1970.
    pub fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    /// An object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.buckets.get(bucket)?.objects.get(key)
    }

    /// Whether a bucket of this name exists.
    pub fn has_bucket(&self, name: &str) -> bool {
        self.buckets.contains_key(name)
    }

    /// Returns all keys of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Vec<&str> {
        let objects = self.buckets.get(bucket).map(|bucket| &bucket.objects);
        objects.into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }

    /// Returns the uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> Vec<&OpenUpload> {
        self.uploads.values().collect()
    }

    /// Returns the number of requests of an operation, failed ones included.
    pub fn count(&self, operation: Operation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }

    /// Returns the number of all requests.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Handles a request, and applies the faults of the plan.
    pub fn handle(&mut self, request: &Request) -> Reply {
        let call = Call::parse(request, &self.manners.domain);
        let operation = call.as_ref().map_or(Operation::Other, |call| call.operation);
        self.requests += 1;
        let nth = self.counts.entry(operation).or_default();
        *nth += 1;
        let fault = self.plan.fault(operation, *nth, self.requests).cloned();
        if let Some(reply) = fault.as_ref().and_then(|fault| self.instead(fault, request, &call)) {
            return reply;
        }
        let answer = match call {
            Ok(mut call) => {
                if fault == Some(Fault::RangeIgnored) {
                    call.forget_range();
                } else if let Some(Fault::OtherRange(later)) = fault {
                    call.move_range(later);
                }
                let spoils = fault == Some(Fault::Misassembled);
                let keeps = fault == Some(Fault::PartsLeft);
                self.admit(&call).and_then(|()| match call.operation {
                    Operation::CompleteMultipartUpload if spoils => self.misassemble(&call),
                    Operation::AbortMultipartUpload if keeps => self.abort_in_vain(&call),
                    _ => self.execute(&call),
                })
            }
            Err(refusal) => Err(refusal),
        };
        let reply = self.finish(answer, request);
        match fault {
            Some(fault) => fault.spoil(reply),
            None => reply,
        }
    }

    /// Responds to the head alone where the plan says so. Otherwise read the request, and call
    /// [`handle`](Self::handle).
    pub fn handle_head(&mut self, head: &Request) -> Option<Reply> {
        let call = Call::parse(head, &self.manners.domain);
        let operation = call.as_ref().map_or(Operation::Other, |call| call.operation);
        match self.plan.fault(operation, self.count(operation) + 1, self.requests + 1) {
            Some(Fault::RefuseEarly(..)) => Some(self.handle(head)),
            _ => None,
        }
    }

    /// Checks region, clock and headers.
    fn admit(&self, call: &Call<'_>) -> Result<(), Refusal> {
        let refuses = |name: &str| {
            let name = name.to_ascii_lowercase();
            self.manners.refused_headers.iter().any(|refused| name.starts_with(refused))
        };
        if let Some((name, _)) = call.request.headers.iter().find(|(name, _)| refuses(name)) {
            return Err(refusal::header_not_implemented(name));
        }
        if self.manners.check_clock
            && let Some(date) = call.signed_at()
            && date.abs_diff(self.now) > refusal::MAX_SKEW
        {
            return Err(refusal::skewed(call.request, self.now));
        }
        let region = self.region(&call.bucket);
        if self.manners.check_region && call.region().is_some_and(|signed| signed != region) {
            let named = self.manners.region_in_body.as_deref().unwrap_or(region);
            return Err(refusal::wrong_region(region, named));
        }
        Ok(())
    }

    fn execute(&mut self, call: &Call<'_>) -> Answer {
        match call.operation {
            Operation::ListBuckets => Ok(self.list_buckets()),
            Operation::HeadBucket => self.head_bucket(call),
            Operation::CreateBucket => self.create_bucket(call),
            Operation::DeleteBucket => self.delete_bucket(call),
            Operation::GetBucketLocation => self.bucket_location(call),
            Operation::ListObjects | Operation::ListObjectsV2 => self.list_objects(call),
            Operation::ListMultipartUploads => self.list_uploads(call),
            Operation::DeleteObjects => self.delete_objects(call),
            Operation::HeadObject | Operation::GetObject => self.get_object(call),
            Operation::PutObject => self.put_object(call),
            Operation::CopyObject => self.copy_object(call),
            Operation::DeleteObject => self.delete_object(call),
            Operation::CreateMultipartUpload => self.create_upload(call),
            Operation::UploadPart => self.upload_part(call),
            Operation::UploadPartCopy => self.upload_part_copy(call),
            Operation::CompleteMultipartUpload => self.complete_upload(call),
            Operation::AbortMultipartUpload => self.abort_upload(call),
            Operation::ListParts => self.list_parts(call),
            Operation::GetObjectTagging => self.get_tagging(call),
            Operation::PutObjectAnnotation => self.put_annotation(call),
            Operation::GetObjectAnnotation => self.get_annotation(call),
            Operation::DeleteObjectAnnotation => self.delete_annotation(call),
            Operation::ListObjectAnnotations => self.list_annotations(call),
            Operation::Other => Err(refusal::not_implemented()),
        }
    }

    /// Adds the headers of every response.
    fn finish(&self, answer: Answer, request: &Request) -> Reply {
        let id = format!("{:016X}", self.requests);
        let head = request.method == "HEAD";
        let reply = answer.unwrap_or_else(|refusal| refusal.reply(head, request.path(), &id));
        reply
            .header("x-amz-request-id", id)
            .header("Date", http_date(self.now))
            .header("Server", "AmazonS3")
    }

    fn bucket(&self, name: &str) -> Result<&Bucket, Refusal> {
        self.buckets.get(name).ok_or_else(|| refusal::no_such_bucket().detail("BucketName", name))
    }

    fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, Refusal> {
        self.buckets
            .get_mut(name)
            .ok_or_else(|| refusal::no_such_bucket().detail("BucketName", name))
    }

    fn region(&self, bucket: &str) -> &str {
        let own = self.buckets.get(bucket).and_then(|bucket| bucket.region.as_deref());
        own.unwrap_or(&self.manners.region)
    }

    /// Creates an object of one piece.
    fn single(
        &self,
        body: Bytes,
        headers: Vec<(String, String)>,
        checksum: Option<(Algorithm, String)>,
    ) -> Object {
        let default = || {
            let keeps = self.manners.checksums && self.manners.default_checksum;
            keeps.then(|| (Algorithm::Crc64Nvme, Algorithm::Crc64Nvme.value(&body)))
        };
        let checksum = checksum.or_else(default).map(|(algorithm, value)| Checksum {
            algorithm: algorithm.name(),
            value,
            covers: ChecksumType::FullObject,
        });
        let etag = digest::md5_hex(&body);
        Object {
            body,
            etag,
            headers,
            tags: String::new(),
            annotations: BTreeMap::new(),
            last_modified: self.now,
            checksum,
            parts: Vec::new(),
        }
    }
}

impl ChecksumType {
    fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

impl Checksum {
    /// Returns the headers of this checksum.
    fn headers(&self) -> [(String, String); 2] {
        let name = format!("x-amz-checksum-{}", self.algorithm.to_ascii_lowercase());
        let covers = ("x-amz-checksum-type".to_owned(), self.covers.name().to_owned());
        [(name, self.value.clone()), covers]
    }
}
