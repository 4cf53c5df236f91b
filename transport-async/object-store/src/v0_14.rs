//! The stores behind the trait of object_store 0.14.

use object_store_014 as object_store;

#[path = "store/mod.rs"]
mod store;

pub use self::store::*;

use std::sync::Arc;

use self::object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use self::object_store::multipart::{MultipartStore, PartId};
use self::object_store::path::Path;
use self::object_store::registry::ObjectStoreRegistry;
use self::object_store::{
    Attributes, GetResult, GetResultPayload, ListResult, MultipartId, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutPayload, PutResult, Result,
};
use async_trait::async_trait;
use url::Url;

fn put_result(e_tag: Option<String>, version: Option<String>) -> PutResult {
    PutResult { e_tag, version, extensions: Default::default() }
}

fn get_result(
    payload: GetResultPayload,
    meta: ObjectMeta,
    range: std::ops::Range<u64>,
    attributes: Attributes,
) -> GetResult {
    GetResult { payload, meta, range, attributes, extensions: Default::default() }
}

fn list_result(common_prefixes: Vec<Path>, objects: Vec<ObjectMeta>) -> ListResult {
    ListResult { common_prefixes, objects, extensions: Default::default() }
}

macro_rules! multipart_store {
    ($($store:ty),*) => {$(
        #[async_trait]
        impl MultipartStore for $store {
            async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
                self.create(path, PutMultipartOptions::default()).await
            }

            async fn create_multipart_opts(
                &self,
                path: &Path,
                opts: PutMultipartOptions,
            ) -> Result<MultipartId> {
                self.create(path, opts).await
            }

            async fn put_part(
                &self,
                path: &Path,
                id: &MultipartId,
                part_idx: usize,
                data: PutPayload,
            ) -> Result<PartId> {
                self.part(path, id, part_idx, data).await
            }

            async fn complete_multipart(
                &self,
                path: &Path,
                id: &MultipartId,
                parts: Vec<PartId>,
            ) -> Result<PutResult> {
                self.complete(path, id, parts).await
            }

            async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
                self.abort(path, id).await
            }
        }

        #[async_trait]
        impl PaginatedListStore for $store {
            async fn list_paginated(
                &self,
                prefix: Option<&str>,
                opts: PaginatedListOptions,
            ) -> Result<PaginatedListResult> {
                self.page(prefix, opts).await
            }
        }
    )*};
}

multipart_store!(S3Store);
#[cfg(feature = "swift")]
multipart_store!(SwiftStore);

impl ObjectStoreRegistry for Registry {
    fn register(&self, url: Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.insert(&url, store)
    }

    fn resolve(&self, url: &Url) -> Result<(Arc<dyn ObjectStore>, Path)> {
        self.find_or_open(url)
    }

    fn deregister(&self, url: &Url) -> Option<Arc<dyn ObjectStore>> {
        self.remove(url)
    }
}

#[cfg(feature = "signer")]
macro_rules! signer {
    ($($store:ty),*) => {$(
        #[async_trait]
        impl self::object_store::signer::Signer for $store {
            async fn signed_url(
                &self,
                method: http::Method,
                path: &Path,
                expires_in: std::time::Duration,
            ) -> Result<Url> {
                self.presign(method, path, expires_in).await
            }
        }
    )*};
}

#[cfg(feature = "signer")]
signer!(S3Store);
#[cfg(all(feature = "signer", feature = "swift"))]
signer!(SwiftStore);
