//! A bucket of S3.

use std::fmt;
use std::sync::Arc;

use apus_async::s3::{
    self, CopyObject, CopySource, DeleteMany, DeleteObject, Download, GetObject, HeadObject,
    ListObjectsV2, PutObject, ServerCopy, Service, Upload, UploadOptions,
};
use apus_async::{Body, Client, Conditions, ETag};
use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use http::StatusCode;

use super::errors::{self, generic, not_supported};
use super::object_store::path::Path;
use super::object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result, TagSet,
};
use super::read::{self, Head, Received};
use super::writer::Writer;
use super::{attributes, list, list_result, put_result, s3_multipart, write};
use crate::keys::{Keys, is_marker};

pub(super) const S3: &str = "S3";

/// A bucket of an S3 server, or what is below a prefix in it. Clones, and stores of other buckets,
/// share the client with its connections, limits and credentials.
///
/// | of the trait | what is sent |
/// | --- | --- |
/// | `put_opts` | one PutObject, with `If-None-Match` or `If-Match` where the mode says so; before it a HeadObject where the server is not known to respect these |
/// | `get_opts` | one GetObject, or one HeadObject; a stream that is cut is resumed |
/// | `get_ranges` | one GetObject for ranges that are less than 1 MiB apart |
/// | `delete_stream` | one DeleteObjects for 1,000 paths, four at a time; DeleteObject for one path |
/// | `list`, `list_with_offset`, `list_with_delimiter` | ListObjectsV2, page by page |
/// | `copy_opts` | a HeadObject, then CopyObject, or UploadPartCopy for more than 5 GiB |
/// | `put_multipart_opts` | CreateMultipartUpload, UploadPart, CompleteMultipartUpload |
///
/// A server that ignores the conditions of a write, against which the HeadObject is all that helps,
/// can't decide between two writers: [`PutMode::Create`] and [`PutMode::Update`] are not atomic there.
/// Say which provider it is, if it is known: `Provider::Ceph.quirks()`.
///
/// Errors have the kinds of the trait and ours as their source: `error.source()` downcasts to
/// [`apus_async::Error`].
#[derive(Clone)]
pub struct S3Store {
    pub(super) client: Client<Service>,
    pub(super) bucket: Arc<str>,
    pub(super) keys: Keys,
    pub(super) parts_in_flight: usize,
    pub(super) encryption: Option<Arc<s3::Encryption>>,
}

impl S3Store {
    /// Returns a store of this bucket.
    pub fn new(client: Client<Service>, bucket: impl Into<Arc<str>>) -> Self {
        let parts_in_flight = write::PARTS_IN_FLIGHT;
        let keys = Keys::default();
        Self { client, bucket: bucket.into(), keys, parts_in_flight, encryption: None }
    }

    /// Sets how what is written is encrypted. A key of the caller, with which reads would have to be
    /// sent too, is not among it.
    pub(super) fn with_encryption(self, encryption: s3::Encryption) -> Self {
        let encryption = (encryption != s3::Encryption::default()).then(|| Arc::new(encryption));
        Self { encryption, ..self }
    }

    /// Returns the properties of an object that is written.
    pub(super) fn properties(
        &self,
        attributes: &Attributes,
        tags: &TagSet,
    ) -> Result<s3::Properties> {
        let mut properties = attributes::s3(attributes, tags)?;
        if let Some(encryption) = &self.encryption {
            properties.encryption = s3::Encryption::clone(encryption);
        }
        Ok(properties)
    }

    /// Returns a store of what is below `prefix` in the bucket; paths are relative to it.
    #[must_use]
    pub fn with_prefix(self, prefix: &Path) -> Self {
        Self { keys: Keys::below(prefix.as_ref()), ..self }
    }

    /// Sets how many parts of one upload are in flight at most: 8, and at least 1. The others wait.
    #[must_use]
    pub fn with_parts_in_flight(self, parts_in_flight: usize) -> Self {
        Self { parts_in_flight, ..self }
    }

    /// Returns a writer of an object of any size, which holds no more than the parts in flight. It
    /// replaces the object that is there.
    ///
    /// ```no_run
    /// # use apus_object_store::v0_14::S3Store;
    /// # async fn example(store: S3Store) -> Result<(), Box<dyn std::error::Error>> {
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let mut writer = store.writer(&"logs/today".into(), Default::default())?;
    /// for line in 0..1_000_000 {
    ///     writer.write_all(format!("{line}\n").as_bytes()).await?;
    /// }
    /// // Only now the object is stored:
    /// writer.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The attributes can't be stored. Those of the upload are errors of the writer.
    pub fn writer(&self, location: &Path, opts: PutMultipartOptions) -> Result<Writer> {
        let properties = self.properties(&opts.attributes, &opts.tags)?;
        let (client, bucket, key) =
            (self.client.clone(), Arc::clone(&self.bucket), self.key(location));
        let options = UploadOptions { properties, ..UploadOptions::default() };
        let upload = Upload::new(&*bucket, &key).options(options);
        let path = location.to_string();
        Ok(Writer::new(|source| async move {
            let stored = client.run(upload).body(source).send().await;
            let stored = stored.map_err(|failed| errors::error(S3, &path, failed))?;
            let tag = s3_multipart::tag_of(&client, &bucket, &key, &stored.etag).await;
            Ok(put_result(tag, stored.version_id))
        }))
    }

    /// Returns the client, for what the trait has not, and for
    /// [`shutdown`](Client::shutdown), which waits for uploads that are being aborted.
    pub fn client(&self) -> &Client<Service> {
        &self.client
    }

    /// Returns the name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn key(&self, location: &Path) -> String {
        self.keys.key(location.as_ref())
    }

    fn listing(&self, prefix: Option<&Path>, offset: Option<&Path>) -> ListObjectsV2 {
        let prefix = self.keys.all_below(prefix.map_or("", |prefix| prefix.as_ref()));
        ListObjectsV2 {
            prefix: (!prefix.is_empty()).then_some(prefix),
            start_after: offset.map(|offset| self.key(offset)).filter(|key| !key.is_empty()),
            ..ListObjectsV2::new(&*self.bucket)
        }
    }

    fn listed(&self, first: ListObjectsV2) -> BoxStream<'static, Result<ObjectMeta>> {
        let keys = self.keys.clone();
        let path = keys.path().to_owned();
        let items = self.client.items(first);
        let objects = items.filter_map(move |object| {
            let object = match object {
                Ok(object) => object_meta(&keys, object).transpose(),
                Err(failed) => Some(Err(errors::error(S3, &path, failed))),
            };
            std::future::ready(object)
        });
        objects.boxed()
    }

    /// Looks at the object before a write with conditions, which a server may ignore that is not known
    /// to respect them.
    async fn look_before(
        &self,
        location: &Path,
        conditions: &Conditions,
        failed: fn(&'static str, &str, apus_async::Error) -> Error,
    ) -> Result<()> {
        if conditions.is_empty() || self.client.service().config().quirks.conditional_put {
            return Ok(());
        }
        let key = self.key(location);
        let refused = |what: &str| {
            let status = StatusCode::PRECONDITION_FAILED;
            let error = apus_async::Error::refused(status, None, Some(what.to_owned()));
            Err(failed(S3, location.as_ref(), error.in_operation("HeadObject")))
        };
        match self.client.call(HeadObject::new(&*self.bucket, key)).await {
            Ok(_) if conditions.if_none_match.is_some() => refused("the object exists already"),
            Ok(head) if head.etag == conditions.if_match => Ok(()),
            Ok(_) => refused("the object has another ETag"),
            Err(error) if error.is_not_found() && conditions.if_match.is_none() => Ok(()),
            Err(error) => Err(failed(S3, location.as_ref(), error)),
        }
    }

    async fn delete_all(self, paths: Vec<Result<Path>>) -> Vec<Result<Path>> {
        let keys: Vec<String> = paths.iter().flatten().map(|path| self.key(path)).collect();
        let failed = match keys.as_slice() {
            [] => Ok(Vec::new()),
            [key] => {
                self.client.call(DeleteObject::new(&*self.bucket, key)).await.map(|_| Vec::new())
            }
            _ => {
                let delete = DeleteMany::new(&*self.bucket, keys);
                self.client.run(delete).send().await.map(|deleted| deleted.errors)
            }
        };
        let each = |path: Path| match &failed {
            Ok(errors) => {
                let key = self.key(&path);
                match errors.iter().find(|error| error.key == key) {
                    Some(failed) => Err(errors::error(S3, path.as_ref(), failed.clone().into())),
                    None => Ok(path),
                }
            }
            Err(failed) => Err(errors::error(S3, path.as_ref(), failed.clone())),
        };
        paths.into_iter().map(|path| path.and_then(each)).collect()
    }
}

/// Returns the metadata of a listed object; `None` for the marker of a directory.
pub(super) fn object_meta(keys: &Keys, object: s3::Object) -> Result<Option<ObjectMeta>> {
    if is_marker(&object.key, object.size) {
        return Ok(None);
    }
    let Some(size) = object.size else {
        return Err(generic(S3, format!("the listing states no size of {}", object.key)));
    };
    Ok(Some(ObjectMeta {
        location: list::path(S3, keys, &object.key)?,
        last_modified: read::time(S3, &object.key, object.last_modified)?,
        size,
        e_tag: object.etag.as_ref().and_then(read::tag),
        version: None,
    }))
}

fn head(mut head: s3::ObjectHead) -> Head {
    Head {
        size: head.size,
        last_modified: head.last_modified,
        etag: head.etag.take(),
        version: head.version_id.take(),
        attributes: attributes::of_s3(head),
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let length = payload.content_length() as u64;
        let body = Body::Source { range: 0..length, rewindable: true };
        let mut put = PutObject::from_body(&*self.bucket, self.key(location), body);
        put.properties = self.properties(&opts.attributes, &opts.tags)?;
        let failed: fn(_, &str, _) -> _ = match opts.mode {
            PutMode::Overwrite => errors::error,
            PutMode::Create => {
                put.conditions = Conditions::absent();
                errors::create
            }
            PutMode::Update(version) => {
                let Some(e_tag) = version.e_tag else {
                    return Err(not_supported("an update without the ETag of what it replaces"));
                };
                put.conditions = Conditions::matches(ETag::from(e_tag));
                errors::update
            }
        };
        self.look_before(location, &put.conditions, failed).await?;
        let stored = self.client.call_from(put, write::source(payload)).await;
        let stored = stored.map_err(|error| failed(S3, location.as_ref(), error))?;
        Ok(put_result(read::tag(&stored.etag), stored.version_id))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.begin(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut get = GetObject::new(&*self.bucket, self.key(location));
        get.range = read::byte_range(S3, options.range.as_ref())?;
        get.conditions = read::conditions(&options);
        get.version_id.clone_from(&options.version);
        let look = async || {
            let look = HeadObject {
                conditions: read::conditions(&options),
                version_id: options.version.clone(),
                ..HeadObject::new(&*self.bucket, self.key(location))
            };
            self.client.call(look).await.map(head)
        };
        let read = async |collected| {
            get.collect_limit = collected;
            if collected.is_some() {
                let got = self.client.call(get).await?;
                return Ok((head(got.head), Received::Collected(got.body)));
            }
            let (found, reader) = self.client.run(Download::from(get)).open().await?;
            Ok((head(found), Received::Stream(reader)))
        };
        read::get(S3, location, &options, look, read).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let batches = locations.chunks(BATCH);
        let batches = batches.map(move |paths| store.clone().delete_all(paths));
        batches.buffered(BATCHES).flat_map(futures_util::stream::iter).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.listing(prefix, None))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.listing(prefix, Some(offset)))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let first = ListObjectsV2 { delimiter: Some("/".to_owned()), ..self.listing(prefix, None) };
        let mut pages = self.client.pages(first);
        let (mut prefixes, mut objects) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| errors::error(S3, self.keys.path(), error))?;
            for prefix in page.common_prefixes {
                prefixes.push(list::prefix(S3, &self.keys, &prefix)?);
            }
            for object in page.contents {
                objects.extend(object_meta(&self.keys, object)?);
            }
        }
        Ok(list_result(prefixes, objects))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if from == to {
            return write::copy_to_itself(self, to, options.mode).await;
        }
        let source = CopySource::new(&*self.bucket, self.key(from));
        let mut copy = CopyObject::new(&*self.bucket, self.key(to), source);
        if let Some(encryption) = &self.encryption {
            copy.properties.encryption = s3::Encryption::clone(encryption);
        }
        let copy = ServerCopy::from(copy);
        let (copy, failed): (_, fn(_, &str, _) -> _) = match options.mode {
            CopyMode::Overwrite => (copy, errors::error),
            CopyMode::Create => (copy.if_absent(), errors::create),
        };
        let copied = self.client.run(copy).send().await;
        copied.map(drop).map_err(|error| {
            let path = if error.is_not_found() { from } else { to };
            failed(S3, path.as_ref(), error)
        })
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        write::rename(self, from, to, options).await
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({}/{})", self.bucket, self.keys.path())
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("bucket", &self.bucket)
            .field("prefix", &self.keys.path())
            .finish_non_exhaustive()
    }
}

/// Paths of one request: what DeleteObjects accepts.
const BATCH: usize = 1_000;
/// Requests of one `delete_stream` at a time.
const BATCHES: usize = 4;
