//! A container of Swift.

use std::fmt;
use std::sync::Arc;

use apus_async::swift::{
    self, CopyObject, DeleteMany, Download, Entry, GetContainer, GetObject, HeadObject,
    LargeObject, ListedObject, Service, SwiftUploadOptions, Upload,
};
use apus_async::{Client, Source};
use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};

use super::errors::{self, generic, not_implemented, not_supported};
use super::object_store::path::Path;
use super::object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result, TagSet,
};
use super::read::{self, Head, Received};
use super::writer::Writer;
use super::{attributes, list, list_result, put_result, write};
use crate::keys::{Keys, is_marker};

pub(super) const SWIFT: &str = "Swift";

/// A container of Swift, or what is below a prefix in it. Clones, and stores of other containers,
/// share the client with its connections, limits and session.
///
/// | of the trait | what is sent |
/// | --- | --- |
/// | `put_opts` | a HeadObject, then PutObject; above 32 MiB segments and their manifest |
/// | `get_opts` of at most 8 MiB | one GetObject; a HeadObject where `head` is set |
/// | `get_opts` of more | a HeadObject, the manifest of a large object, GetObject; resumed where it is cut |
/// | `get_ranges` | one GetObject for ranges that are less than 1 MiB apart |
/// | `get_opts` of the last bytes | of an object without bytes, a HeadObject more |
/// | `delete_stream` | HeadObject and DeleteObject for each path; a large object with its segments |
/// | `list`, `list_with_offset`, `list_with_delimiter` | GetContainer, page by page |
/// | `copy_opts` | the server copies the bytes, 5 GiB at most |
/// | `copy_opts` that must replace nothing | the bytes are read and written: Swift has no such copy |
/// | `put_multipart_opts` | a segment in `<container>_segments` for each part, then the manifest of a static large object |
///
/// Swift's HTTP server drops header fields whose names have an underscore, without an error: the
/// metadata `a_b` is stored as `a%5Fb`, and read as `a_b`.
///
/// A listing states the size of a dynamic large object's manifest, mostly 0 bytes, as Swift does;
/// `head` states that of the object.
///
/// Not supported, because Swift has no such thing: tags, storage classes, versions, and updates of
/// an ETag ([`PutMode::Update`]).
///
/// Errors have the kinds of the trait and ours as their source: `error.source()` downcasts to
/// [`apus_async::Error`].
#[derive(Clone)]
pub struct SwiftStore {
    pub(super) client: Client<Service>,
    pub(super) container: Arc<str>,
    pub(super) keys: Keys,
    pub(super) parts_in_flight: usize,
}

impl SwiftStore {
    /// Returns a store of this container.
    pub fn new(client: Client<Service>, container: impl Into<Arc<str>>) -> Self {
        let parts_in_flight = write::PARTS_IN_FLIGHT;
        Self { client, container: container.into(), keys: Keys::default(), parts_in_flight }
    }

    /// Returns a store of what is below `prefix` in the container; paths are relative to it.
    #[must_use]
    pub fn with_prefix(self, prefix: &Path) -> Self {
        Self { keys: Keys::below(prefix.as_ref()), ..self }
    }

    /// Sets how many segments of one upload are in flight at most: 8, and at least 1. The others
    /// wait.
    #[must_use]
    pub fn with_parts_in_flight(self, parts_in_flight: usize) -> Self {
        Self { parts_in_flight, ..self }
    }

    /// Returns a writer of an object of any size, which holds no more than the segments in flight: an
    /// object above 32 MiB is a static large object. It replaces the object that is there.
    ///
    /// # Errors
    ///
    /// The attributes can't be stored. Those of the upload are errors of the writer.
    pub fn writer(&self, location: &Path, opts: PutMultipartOptions) -> Result<Writer> {
        let properties = properties(&opts.attributes, &opts.tags)?;
        let (store, location) = (self.clone(), location.clone());
        Ok(Writer::new(
            |source| async move { store.upload(&location, source, properties, false).await },
        ))
    }

    /// Returns the client, for what the trait has not.
    pub fn client(&self) -> &Client<Service> {
        &self.client
    }

    /// Returns the name of the container.
    pub fn container(&self) -> &str {
        &self.container
    }

    pub(super) fn key(&self, location: &Path) -> String {
        self.keys.key(location.as_ref())
    }

    fn listing(&self, prefix: Option<&Path>, offset: Option<&Path>) -> GetContainer {
        let prefix = self.keys.all_below(prefix.map_or("", |prefix| prefix.as_ref()));
        GetContainer {
            prefix: (!prefix.is_empty()).then_some(prefix),
            marker: offset.map(|offset| self.key(offset)).filter(|key| !key.is_empty()),
            ..GetContainer::new(&*self.container)
        }
    }

    fn listed(&self, first: GetContainer) -> BoxStream<'static, Result<ObjectMeta>> {
        let keys = self.keys.clone();
        let path = keys.path().to_owned();
        let items = self.client.items(first);
        let objects = items.filter_map(move |entry| {
            let object = match entry {
                Ok(Entry::Object(object)) => object_meta(&keys, object).transpose(),
                Ok(Entry::Subdir(_)) => None,
                Err(failed) => Some(Err(errors::error(SWIFT, &path, failed))),
            };
            std::future::ready(object)
        });
        objects.boxed()
    }

    async fn delete_all(self, paths: Vec<Result<Path>>) -> Vec<Result<Path>> {
        let names: Vec<String> = paths.iter().flatten().map(|path| self.key(path)).collect();
        let delete = DeleteMany::new(&*self.container, names);
        let failed = match paths.iter().any(Result::is_ok) {
            true => self.client.run(delete).send().await.map(|deleted| deleted.errors),
            false => Ok(Vec::new()),
        };
        let each = |path: Path| {
            let failed = match &failed {
                Ok(errors) => {
                    let name = self.key(&path);
                    errors.iter().find(|(one, _)| *one == name).map(|(_, error)| error)
                }
                Err(failed) => Some(failed),
            };
            match failed {
                Some(failed) => Err(errors::error(SWIFT, path.as_ref(), failed.clone())),
                None => Ok(path),
            }
        };
        paths.into_iter().map(|path| path.and_then(each)).collect()
    }

    /// Stores an object that must replace none, or that may replace one.
    pub(super) async fn upload(
        &self,
        to: &Path,
        source: Source,
        properties: swift::Properties,
        if_absent: bool,
    ) -> Result<PutResult> {
        let options = SwiftUploadOptions {
            properties,
            if_absent,
            large_object: Some(LargeObject::Static),
            ..SwiftUploadOptions::default()
        };
        let upload = Upload::new(&*self.container, self.key(to)).options(options);
        let stored = self.client.run(upload).body(source).send().await.map_err(|failed| {
            let error = if if_absent { errors::create } else { errors::error };
            error(SWIFT, to.as_ref(), failed)
        })?;
        Ok(put_result(read::tag(&stored.etag), None))
    }

    /// Copies through this process: Swift compares `If-None-Match` of a copy with the source, and
    /// responds with 304 whether there is a destination or not (`copy_get` of its copy middleware).
    async fn copy_if_absent(&self, from: &Path, to: &Path) -> Result<()> {
        let failed = |failed| errors::error(SWIFT, from.as_ref(), failed);
        // Nothing is read if the copy is going to fail.
        let look = HeadObject::new(&*self.container, self.key(to));
        match self.client.call(look).await {
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(errors::error(SWIFT, to.as_ref(), error)),
            Ok(_) => {
                let look = HeadObject::new(&*self.container, self.key(from));
                self.client.call(look).await.map_err(failed)?;
                let path = to.to_string();
                let source = "the destination exists".into();
                return Err(super::object_store::Error::AlreadyExists { path, source });
            }
        }
        let download = Download::new(&*self.container, self.key(from));
        let (head, reader) = self.client.run(download).open().await.map_err(failed)?;
        let size = head.size;
        let properties = properties_of(head);
        let source = match size {
            // Bytes in memory can be sent again.
            Some(size) if size <= IN_MEMORY => {
                Source::pieces(reader.try_collect::<Vec<_>>().await.map_err(failed)?)
            }
            _ => Source::stream(reader),
        };
        self.upload(to, source, properties, true).await.map(drop)
    }
}

pub(super) fn properties(attributes: &Attributes, tags: &TagSet) -> Result<swift::Properties> {
    if !tags.encoded().is_empty() {
        return Err(not_supported("tags: Swift has none"));
    }
    let common = attributes::Common::of(attributes)?;
    if let Some(class) = common.storage_class {
        let what = format!("the storage class {class}: a container of Swift has one policy");
        return Err(not_supported(what));
    }
    Ok(swift::Properties {
        cache_control: common.cache_control,
        content_disposition: common.content_disposition,
        content_encoding: common.content_encoding,
        content_language: common.content_language,
        content_type: common.content_type,
        metadata: common.metadata.into_iter().map(|(k, v)| (escaped(&k), v)).collect(),
        ..swift::Properties::default()
    })
}

/// Returns the properties of an object, for another one.
pub(super) fn properties_of(head: swift::ObjectHead) -> swift::Properties {
    swift::Properties {
        cache_control: head.cache_control,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_type: head.content_type,
        metadata: head.metadata,
        ..swift::Properties::default()
    }
}

/// Escapes a name of metadata. Swift's HTTP server drops header fields whose names have an
/// underscore (`formalize_key_naming` of eventlet's `wsgi.py`), without an error.
fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('_', "%5F")
}

/// Reads what [`escaped`] has written; servers return names in any case.
fn unescaped(name: &str) -> String {
    name.replace("%5f", "_").replace("%5F", "_").replace("%25", "%")
}

/// Returns the metadata of a listed object; `None` for the marker of a directory.
pub(super) fn object_meta(keys: &Keys, object: ListedObject) -> Result<Option<ObjectMeta>> {
    if is_marker(&object.name, object.bytes) {
        return Ok(None);
    }
    let Some(size) = object.bytes else {
        return Err(generic(SWIFT, format!("the listing states no size of {}", object.name)));
    };
    Ok(Some(ObjectMeta {
        location: list::path(SWIFT, keys, &object.name)?,
        last_modified: read::time(SWIFT, &object.name, object.last_modified)?,
        size,
        e_tag: object.slo_etag.as_ref().or(object.hash.as_ref()).and_then(read::tag),
        version: None,
    }))
}

fn head(head: swift::ObjectHead) -> Head {
    let common = attributes::Common {
        cache_control: head.cache_control,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_type: head.content_type,
        storage_class: None,
        metadata: head.metadata.into_iter().map(|(k, v)| (unescaped(&k), v)).collect(),
    };
    Head {
        size: head.size,
        last_modified: head.last_modified,
        etag: head.etag,
        version: None,
        attributes: common.attributes(),
    }
}

#[async_trait]
impl ObjectStore for SwiftStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let if_absent = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => {
                return Err(not_implemented(SWIFT, "an update of an ETag (`If-Match` of a PUT)"));
            }
        };
        let properties = properties(&opts.attributes, &opts.tags)?;
        self.upload(location, write::source(payload), properties, if_absent).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.begin(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.version.is_some() {
            return Err(not_supported("a version of an object of Swift"));
        }
        let mut get = GetObject::new(&*self.container, self.key(location));
        get.range = read::byte_range(SWIFT, options.range.as_ref())?;
        get.conditions = read::conditions(&options);
        let look = async || {
            let look = HeadObject {
                conditions: read::conditions(&options),
                ..HeadObject::new(&*self.container, self.key(location))
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
        read::get(SWIFT, location, &options, look, read).await
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
        let first = GetContainer { delimiter: Some("/".to_owned()), ..self.listing(prefix, None) };
        let mut pages = self.client.pages(first);
        let (mut prefixes, mut objects) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| errors::error(SWIFT, self.keys.path(), error))?;
            for entry in page.entries {
                match entry {
                    Entry::Subdir(prefix) => {
                        prefixes.push(list::prefix(SWIFT, &self.keys, &prefix)?);
                    }
                    Entry::Object(object) => objects.extend(object_meta(&self.keys, object)?),
                }
            }
        }
        Ok(list_result(prefixes, objects))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if from == to {
            return write::copy_to_itself(self, to, options.mode).await;
        }
        if options.mode == CopyMode::Create {
            return self.copy_if_absent(from, to).await;
        }
        let failed = |failed| errors::error(SWIFT, from.as_ref(), failed);
        let key = self.key(to);
        let replaced = self.segments_of(&key).await.map_err(failed)?;
        let copy = CopyObject::new(&*self.container, self.key(from), &*self.container, key);
        self.client.call(copy).await.map_err(failed)?;
        self.remove(replaced).await;
        Ok(())
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        write::rename(self, from, to, options).await
    }
}

impl fmt::Display for SwiftStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwiftStore({}/{})", self.container, self.keys.path())
    }
}

impl fmt::Debug for SwiftStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwiftStore")
            .field("container", &self.container)
            .field("prefix", &self.keys.path())
            .finish_non_exhaustive()
    }
}

/// Paths of one run.
const BATCH: usize = 1_000;
/// Runs of one `delete_stream` at a time.
const BATCHES: usize = 2;
/// An object of up to this many bytes is copied through memory.
const IN_MEMORY: u64 = 32 << 20;
