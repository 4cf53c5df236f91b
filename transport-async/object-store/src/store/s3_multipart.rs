//! Multipart uploads of S3, with a handle or by their ID, and lists page by page.

use apus_async::checksum::{Algorithm, Decision, Need, Value};
use apus_async::s3::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, CreateMultipartUpload,
    HeadObject, ListObjectsV2, Service, UploadPart,
};
use apus_async::{Body, Client, ETag, Started, s3};
use async_trait::async_trait;

use super::errors::{error, generic};
use super::object_store::list::{PaginatedListOptions, PaginatedListResult};
use super::object_store::multipart::PartId;
use super::object_store::path::Path;
use super::object_store::{
    MultipartId, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result,
    UploadPart as Part,
};
use super::s3::{S3, S3Store, object_meta};
use super::write::Places;
use super::{list, list_result, put_result, read, write};

impl S3Store {
    pub(super) async fn begin(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let started = self.client.start(self.creation(location, &opts)?).await;
        let started = started.map_err(|failed| error(S3, location.as_ref(), failed))?;
        let client = self.client.clone();
        let (path, key) = (location.to_string(), self.key(location));
        let bucket = self.bucket.to_string();
        let places = Places::new(self.parts_in_flight);
        Ok(Box::new(S3MultipartUpload { client, started, path, bucket, key, places, begun: 0 }))
    }

    fn creation(
        &self,
        location: &Path,
        opts: &PutMultipartOptions,
    ) -> Result<CreateMultipartUpload> {
        let mut create = CreateMultipartUpload::new(&*self.bucket, self.key(location));
        create.properties = self.properties(&opts.attributes, &opts.tags)?;
        create.checksum_algorithm = self.algorithm();
        Ok(create)
    }

    /// Returns the algorithm of the checksums that parts are sent with.
    fn algorithm(&self) -> Option<Algorithm> {
        let policy = self.client.service().config().checksum;
        match policy.decide(Need::Supported, None, false) {
            Decision::Flexible(algorithm) => Some(algorithm),
            Decision::ContentMd5 | Decision::None => None,
        }
    }

    pub(in super::super) async fn create(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<MultipartId> {
        let created = self.client.call(self.creation(path, &opts)?).await;
        Ok(created.map_err(|failed| error(S3, path.as_ref(), failed))?.upload_id)
    }

    pub(in super::super) async fn part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let number = number(part_idx)?;
        let range = 0..data.content_length() as u64;
        let body = Body::Source { range, rewindable: true };
        let mut part = UploadPart::from_body(&*self.bucket, self.key(path), id, number, body);
        part.checksum.algorithm = self.algorithm();
        let stored = self.client.call_from(part, write::source(data)).await;
        let stored = stored.map_err(|failed| error(S3, path.as_ref(), failed))?;
        Ok(PartId { content_id: content_id(&stored.completed(number)) })
    }

    pub(in super::super) async fn complete(
        &self,
        path: &Path,
        id: &MultipartId,
        mut parts: Vec<PartId>,
    ) -> Result<PutResult> {
        if parts.is_empty() {
            // An upload has one part at least.
            parts.push(self.part(path, id, 0, PutPayload::new()).await?);
        }
        let parts = parts.iter().enumerate().map(|(at, part)| completed(at, part));
        let parts = parts.collect::<Result<_>>()?;
        let complete = CompleteMultipartUpload::new(&*self.bucket, self.key(path), id, parts);
        let done = self.client.call(complete).await;
        let done = done.map_err(|failed| error(S3, path.as_ref(), failed))?;
        let tag = tag_of(&self.client, &self.bucket, &self.key(path), &done.stored.etag).await;
        Ok(put_result(tag, done.stored.version_id))
    }

    pub(in super::super) async fn abort(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let abort = AbortMultipartUpload::new(&*self.bucket, self.key(path), id);
        let aborted = self.client.call(abort).await;
        aborted.map(drop).map_err(|failed| error(S3, path.as_ref(), failed))
    }

    pub(in super::super) async fn page(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let prefix = self.keys.key(prefix.unwrap_or_default());
        let first = ListObjectsV2 {
            prefix: (!prefix.is_empty()).then_some(prefix),
            delimiter: opts.delimiter.map(Into::into),
            start_after: opts.offset.map(|offset| self.keys.key(&offset)),
            max_keys: opts.max_keys.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
            continuation_token: opts.page_token,
            ..ListObjectsV2::new(&*self.bucket)
        };
        let failed = |failed| error(S3, self.keys.path(), failed);
        let page = self.client.call(first.clone()).await.map_err(failed)?;
        let next = first.next(&page).map_err(failed)?;
        let page_token = next.and_then(|next| next.continuation_token);
        let prefixes = page.common_prefixes.iter();
        let prefixes = prefixes.map(|prefix| list::prefix(S3, &self.keys, prefix));
        let prefixes = prefixes.collect::<Result<_>>()?;
        let objects = page.contents.into_iter();
        let objects = objects.filter_map(|object| object_meta(&self.keys, object).transpose());
        let result = list_result(prefixes, objects.collect::<Result<_>>()?);
        Ok(PaginatedListResult { result, page_token })
    }
}

/// An upload whose parts the caller sends. Dropped before its end, it is aborted.
#[derive(Debug)]
struct S3MultipartUpload {
    client: Client<Service>,
    started: Started<s3::MultipartUpload>,
    path: String,
    bucket: String,
    key: String,
    places: Places,
    /// How many parts were begun.
    begun: usize,
}

#[async_trait]
impl MultipartUpload for S3MultipartUpload {
    fn put_part(&mut self, data: PutPayload) -> Part {
        let number = number(self.begun);
        self.begun += 1;
        let (client, upload, path) =
            (self.client.clone(), s3::MultipartUpload::clone(&self.started), self.path.clone());
        self.places.send(S3, async move {
            let part = client.run(upload.part(number?)).body(write::source(data));
            part.send().await.map(drop).map_err(|failed| error(S3, &path, failed))
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.begun == 0 {
            // An upload has one part at least.
            self.put_part(PutPayload::new()).await?;
        }
        let stored = self.started.parts().len();
        if stored != self.begun {
            let (path, begun) = (&self.path, self.begun);
            let what = format!(
                "of the {begun} parts of {path}, {stored} are stored: a part failed, or its future was dropped"
            );
            return Err(generic(S3, what));
        }
        let done = self.client.run(self.started.complete()).send().await;
        let done = done.map_err(|failed| error(S3, &self.path, failed))?;
        self.places.end();
        let tag = tag_of(&self.client, &self.bucket, &self.key, &done.stored.etag).await;
        Ok(put_result(tag, done.stored.version_id))
    }

    async fn abort(&mut self) -> Result<()> {
        self.places.end();
        let aborted = self.client.run(self.started.abort()).send().await;
        aborted.map_err(|failed| error(S3, &self.path, failed))
    }
}

impl Drop for S3MultipartUpload {
    fn drop(&mut self) {
        self.places.end();
    }
}

/// Returns the ETag of a completed object. Ceph 16 leaves it empty in its response to the
/// completion; then a HeadObject returns it.
pub(super) async fn tag_of(
    client: &Client<Service>,
    bucket: &str,
    key: &str,
    stored: &ETag,
) -> Option<String> {
    if let Some(tag) = read::tag(stored) {
        return Some(tag);
    }
    let head = client.call(HeadObject::new(bucket, key)).await.ok()?;
    head.etag.as_ref().and_then(read::tag)
}

/// Returns the number of a part, from 1.
fn number(index: usize) -> Result<u32> {
    let number = index.checked_add(1).and_then(|number| u32::try_from(number).ok());
    number.filter(|number| *number <= MOST_PARTS).ok_or_else(|| {
        generic(S3, format!("an upload has at most {MOST_PARTS} parts: send larger ones"))
    })
}

/// Writes the ETag of a part, and the checksums that the completion names: `"etag";CRC32=base64`.
fn content_id(part: &CompletedPart) -> String {
    let mut text = part.etag.as_str().to_owned();
    for sum in &part.checksums {
        text.push_str(&format!(";{}={}", sum.algorithm().name(), sum.base64()));
    }
    text
}

/// Reads what [`content_id`] has written.
fn completed(index: usize, part: &PartId) -> Result<CompletedPart> {
    let mut words = part.content_id.split(';');
    let etag = ETag::from(words.next().unwrap_or_default());
    let mut completed = CompletedPart::new(number(index)?, etag);
    for word in words {
        let sum = word
            .split_once('=')
            .and_then(|(algorithm, sum)| Value::from_base64(algorithm.parse().ok()?, sum).ok());
        completed.checksums.push(
            sum.ok_or_else(|| generic(S3, format!("part {index} has no valid ID: {word:?}")))?,
        );
    }
    Ok(completed)
}

/// The parts that S3 accepts.
const MOST_PARTS: u32 = 10_000;
