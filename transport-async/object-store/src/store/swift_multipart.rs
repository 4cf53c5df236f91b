//! Large objects of Swift, whose segments the caller sends, and lists page by page.
//!
//! ```text
//!  container            key                          the manifest
//!  container_segments   key/id/00000001              a part
//!                       key/id/upload                of an upload by its ID: the properties
//!                       key/id/manifest-00000001     of more parts than a manifest holds
//! ```

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use apus_async::swift::{
    self, DeleteMany, Entry, GetContainer, GetInfo, GetManifest, HeadContainer, HeadObject,
    ObjectSegment, PutContainer, PutObject, PutSlo, Segment,
};
use apus_async::{Body, ETag, Error, Source};

use super::errors::{error, generic};
use super::object_store::list::{PaginatedListOptions, PaginatedListResult};
use super::object_store::multipart::PartId;
use super::object_store::path::Path;
use super::object_store::{MultipartId, PutMultipartOptions, PutPayload, PutResult, Result};
use super::swift::{SWIFT, SwiftStore, object_meta, properties, properties_of};
use super::{list, list_result, put_result, read, write};

/// Container and name of a segment.
type Name = (String, String);

impl SwiftStore {
    /// Returns the ID of an upload: no other process has the same.
    pub(super) fn id(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{:016x}{:016x}", now.as_nanos() as u64, self.client.seed())
    }

    pub(super) fn segments(&self) -> String {
        format!("{}_segments", self.container)
    }

    /// Returns what the names of an upload's segments begin with.
    pub(super) fn below(&self, path: &Path, id: &str) -> String {
        format!("{}/{id}/", self.key(path))
    }

    /// Creates the container of the segments, with the policy of the objects' container.
    pub(super) async fn make_segments_container(&self) -> Result<(), Error> {
        let segments = self.segments();
        match self.client.call(HeadContainer::new(&segments)).await {
            Err(error) if error.is_not_found() => {}
            found => return found.map(drop),
        }
        let beside = self.client.call(HeadContainer::new(&*self.container)).await?;
        let mut put = PutContainer::new(segments);
        put.storage_policy = beside.storage_policy;
        self.client.call(put).await.map(drop)
    }

    pub(super) async fn put_segment(
        &self,
        name: &str,
        data: PutPayload,
    ) -> Result<Option<ObjectSegment>, Error> {
        let length = data.content_length() as u64;
        if length == 0 {
            // A manifest names no empty segments.
            return Ok(None);
        }
        let body = Body::Source { range: 0..length, rewindable: true };
        let put = PutObject::from_body(self.segments(), name, body);
        let stored = self.client.call_from(put, write::source(data)).await?;
        Ok(Some(ObjectSegment::stored(self.segments(), name, stored.etag, length)))
    }

    /// Makes the object of the segments, and removes those of the object that it replaces.
    pub(super) async fn finish(
        &self,
        path: &Path,
        id: &str,
        properties: swift::Properties,
        segments: Vec<ObjectSegment>,
    ) -> Result<PutResult> {
        let failed = |failed| error(SWIFT, path.as_ref(), failed);
        if segments.is_empty() {
            return self.upload(path, Source::bytes(bytes::Bytes::new()), properties, false).await;
        }
        let key = self.key(path);
        let mut replaced = self.segments_of(&key).await.map_err(failed)?;
        // Where this completion is a repetition, the object may have been made by the one before.
        replaced.retain(|segment| !self.is_own(path, id, segment));
        let segments = self.nested(path, id, segments).await.map_err(failed)?;
        let segments = segments.into_iter().map(Segment::Object).collect();
        let mut put = PutSlo::new(&*self.container, &key, segments);
        put.properties = properties;
        let stored = self.client.call(put).await.map_err(failed)?;
        self.remove(replaced).await;
        Ok(put_result(read::tag(&stored.etag), None))
    }

    /// Makes manifests of manifests, until one manifest holds all segments.
    async fn nested(
        &self,
        path: &Path,
        id: &str,
        mut segments: Vec<ObjectSegment>,
    ) -> Result<Vec<ObjectSegment>, Error> {
        if segments.len() <= FEWEST_IN_MANIFEST {
            return Ok(segments);
        }
        let slo = self.client.call(GetInfo::new()).await?.slo.unwrap_or_default();
        let most = slo.max_manifest_segments.and_then(|most| usize::try_from(most).ok());
        let most = most.unwrap_or(USUAL_IN_MANIFEST).max(2);
        let mut number = 0;
        while segments.len() > most {
            let mut above = Vec::new();
            for group in segments.chunks(most) {
                number += 1;
                let name = format!("{}manifest-{number:08}", self.below(path, id));
                let size = group.iter().filter_map(|segment| segment.size).sum();
                let group = group.iter().cloned().map(Segment::Object).collect();
                let stored = self.client.call(PutSlo::new(self.segments(), &name, group)).await?;
                above.push(ObjectSegment::stored(self.segments(), name, stored.etag, size));
            }
            segments = above;
        }
        Ok(segments)
    }

    /// Returns the segments of a large object that is about to be replaced: those whose names begin
    /// with its own, because others may be shared.
    pub(super) async fn segments_of(&self, key: &str) -> Result<Vec<Name>, Error> {
        match self.client.call(HeadObject::new(&*self.container, key)).await {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
            Ok(head) if !head.is_slo => return Ok(Vec::new()),
            Ok(_) => {}
        }
        let manifest = self.client.call(GetManifest::new(&*self.container, key)).await?;
        let own = format!("{key}/");
        let segments = manifest.segments.into_iter().filter_map(|segment| match segment {
            Segment::Object(segment) if segment.object.starts_with(&own) => {
                Some((segment.container, segment.object))
            }
            _ => None,
        });
        Ok(segments.collect())
    }

    /// Removes segments that no manifest names any more. The write has succeeded, whatever is left.
    pub(super) async fn remove(&self, segments: Vec<Name>) {
        let mut by_container = BTreeMap::<_, Vec<_>>::new();
        for (container, name) in segments {
            by_container.entry(container).or_default().push(name);
        }
        for (container, names) in by_container {
            drop(self.client.run(DeleteMany::new(container, names)).send().await);
        }
    }

    /// Removes what an upload has stored.
    pub(super) async fn discard(&self, path: &Path, id: &str) -> Result<()> {
        let failed = |failed| error(SWIFT, path.as_ref(), failed);
        let delete = DeleteMany::prefix(self.segments(), self.below(path, id));
        let deleted = self.client.run(delete).send().await.map_err(failed)?;
        deleted.errors.into_iter().next().map_or(Ok(()), |(_, error)| Err(failed(error)))
    }

    pub(in super::super) async fn create(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<MultipartId> {
        let failed = |failed| error(SWIFT, path.as_ref(), failed);
        let properties = properties(&opts.attributes, &opts.tags)?;
        self.make_segments_container().await.map_err(failed)?;
        let id = self.id();
        let name = format!("{}{PROPERTIES}", self.below(path, &id));
        let mut put = PutObject::new(self.segments(), name, "");
        put.properties = properties;
        self.client.call(put).await.map_err(failed)?;
        Ok(id)
    }

    pub(in super::super) async fn part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let name = format!("{}{:08}", self.below(path, id), part_idx + 1);
        let stored = self.put_segment(&name, data).await;
        let stored = stored.map_err(|failed| error(SWIFT, path.as_ref(), failed))?;
        let content_id = match stored {
            None => String::new(),
            Some(segment) => {
                let etag = segment.etag.unwrap_or_default();
                format!("{};{};{name}", etag.opaque(), segment.size.unwrap_or_default())
            }
        };
        Ok(PartId { content_id })
    }

    pub(in super::super) async fn complete(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let failed = |failed| error(SWIFT, path.as_ref(), failed);
        let name = format!("{}{PROPERTIES}", self.below(path, id));
        let look = HeadObject::new(self.segments(), &name);
        let head = self.client.call(look).await.map_err(failed)?;
        let properties = properties_of(head);
        let mut segments = Vec::new();
        for part in parts.iter().filter(|part| !part.content_id.is_empty()) {
            let mut words = part.content_id.splitn(3, ';');
            let (Some(etag), Some(Ok(size)), Some(name)) =
                (words.next(), words.next().map(str::parse), words.next())
            else {
                let what = format!("the part's ID {:?} is not valid", part.content_id);
                return Err(generic(SWIFT, what));
            };
            segments.push(ObjectSegment::stored(self.segments(), name, ETag::from(etag), size));
        }
        let done = self.finish(path, id, properties, segments).await?;
        self.remove(vec![(self.segments(), name)]).await;
        Ok(done)
    }

    /// Whether a segment is one of this upload.
    fn is_own(&self, path: &Path, id: &str, (container, name): &Name) -> bool {
        *container == self.segments() && name.starts_with(&self.below(path, id))
    }

    pub(in super::super) async fn abort(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let failed = |failed| error(SWIFT, path.as_ref(), failed);
        let named = self.segments_of(&self.key(path)).await.map_err(failed)?;
        if named.iter().any(|segment| self.is_own(path, id, segment)) {
            let source = "the upload is complete: the object has its segments".into();
            return Err(super::object_store::Error::NotFound { path: path.to_string(), source });
        }
        self.discard(path, id).await
    }

    pub(in super::super) async fn page(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let failed = |failed| error(SWIFT, self.keys.path(), failed);
        let prefix = self.keys.key(prefix.unwrap_or_default());
        let first = GetContainer {
            prefix: (!prefix.is_empty()).then_some(prefix),
            delimiter: opts.delimiter.map(Into::into),
            marker: opts.page_token.or(opts.offset.map(|offset| self.keys.key(&offset))),
            limit: opts
                .max_keys
                .map(|most| u32::try_from(most).unwrap_or(u32::MAX).min(MOST_LISTED)),
            ..GetContainer::new(&*self.container)
        };
        let page = self.client.call(first.clone()).await.map_err(failed)?;
        // A page does not say whether it is the last one.
        let full = first.limit.is_none_or(|limit| page.entries.len() >= limit as usize);
        let next = if full { first.next(&page).map_err(failed)? } else { None };
        let mut page_token = next.and_then(|next| next.marker);
        if let Some(marker) = &page_token {
            let rest =
                GetContainer { marker: Some(marker.clone()), limit: Some(1), ..first.clone() };
            if self.client.call(rest).await.map_err(failed)?.entries.is_empty() {
                page_token = None;
            }
        }
        let (mut prefixes, mut objects) = (Vec::new(), Vec::new());
        for entry in page.entries {
            match entry {
                Entry::Subdir(prefix) => prefixes.push(list::prefix(SWIFT, &self.keys, &prefix)?),
                Entry::Object(object) => objects.extend(object_meta(&self.keys, object)?),
            }
        }
        Ok(PaginatedListResult { result: list_result(prefixes, objects), page_token })
    }
}

/// The name of the object with the properties of an upload by its ID.
const PROPERTIES: &str = "upload";
/// Segments that every server takes in one manifest.
const FEWEST_IN_MANIFEST: usize = 100;
/// Segments in a manifest where the server does not say: Swift's default.
const USUAL_IN_MANIFEST: usize = 1_000;
/// The entries that Swift returns in a page, unless `/info` says otherwise.
const MOST_LISTED: u32 = 10_000;
