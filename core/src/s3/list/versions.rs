//! ListObjectVersions.

use crate::s3::list::Object;
use crate::s3::operation::*;
use crate::s3::read::{Keys, onward};
use crate::s3::types::Owner;
use crate::xml::Element;

operation! {
    /// Lists a page of the versions of a bucket's objects, in the order of their keys, newest
    /// first. "ListObjectVersions", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::ListObjectVersions;
    ///
    /// let mut list = ListObjectVersions::new("bucket");
    /// // Continues within the versions of one key; without the key the version has no effect.
    /// list.key_marker = Some("disk.img".into());
    /// list.version_id_marker = Some("3HL4kqtJvjVBH40Nrjfkd".into());
    /// ```
    pub struct ListObjectVersions on listing {
        /// The maximum number of versions and common prefixes in a page: 1,000 by default and at
        /// most.
        pub max_keys: Option<u32>,
        /// Only versions of keys after this one.
        pub key_marker: Option<String>,
        /// With `key_marker`: the list starts after this version of that key.
        pub version_id_marker: Option<String>,
        /// Whether the response includes the restore status of archived objects.
        pub restore_status: bool,
    }
}

impl ListObjectVersions {
    /// Returns the request for the next page, or `None` after the last page.
    ///
    /// # Errors
    ///
    /// The page is truncated, and the start of the next page is missing or is that of this page.
    pub fn next(&self, page: &ListObjectVersionsOutput) -> Result<Option<Self>, Error> {
        if page.is_truncated != Some(true) {
            return Ok(None);
        }
        let version = page.next_version_id_marker.clone().filter(|version| !version.is_empty());
        let to = page.next_key_marker.clone().map(|key| (key, version));
        let from = self.key_marker.clone().map(|key| (key, self.version_id_marker.clone()));
        let (key, version) = onward(from.as_ref(), to)?;
        Ok(Some(Self { key_marker: Some(key), version_id_marker: version, ..self.clone() }))
    }
}

/// The response to [`ListObjectVersions`]: a page of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListObjectVersionsOutput {
    /// The versions, without the delete markers.
    pub versions: Vec<ObjectVersion>,
    /// The delete markers.
    pub delete_markers: Vec<DeleteMarker>,
    /// Key prefixes that end with the delimiter; each groups all keys that begin with it.
    pub common_prefixes: Vec<String>,
    /// Whether there are more results.
    pub is_truncated: Option<bool>,
    /// Echoed from the request.
    pub key_marker: Option<String>,
    /// Echoed from the request.
    pub version_id_marker: Option<String>,
    /// The `key_marker` of the next page.
    pub next_key_marker: Option<String>,
    /// The `version_id_marker` of the next page.
    pub next_version_id_marker: Option<String>,
    /// The bucket name.
    pub name: Option<String>,
    /// Echoed from the request.
    pub prefix: Option<String>,
    /// Echoed from the request.
    pub delimiter: Option<String>,
    /// Echoed from the request, or the server's own limit.
    pub max_keys: Option<u32>,
    /// `url` where the server percent-encoded the keys; here they are decoded.
    pub encoding_type: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

/// A version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectVersion {
    /// The object.
    pub object: Object,
    /// The version ID: `null` where the object was stored without versioning.
    pub version_id: Option<String>,
    /// Whether this is the current version.
    pub is_latest: Option<bool>,
}

/// A delete marker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteMarker {
    /// The object key.
    pub key: String,
    /// The version ID of the delete marker.
    pub version_id: Option<String>,
    /// Whether this is the current version, which means that the object is deleted.
    pub is_latest: Option<bool>,
    /// When the delete marker was created.
    pub last_modified: Option<Timestamp>,
    /// The owner.
    pub owner: Option<Owner>,
}

impl Operation for ListObjectVersions {
    facts!(ListObjectVersions in bucket: Read -> ListObjectVersionsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("versions")
            .query("prefix", self.prefix.as_ref())
            .query("delimiter", self.delimiter.as_ref())
            .query_number("max-keys", self.max_keys)
            .query("key-marker", self.key_marker.as_ref())
            .query("version-id-marker", self.version_id_marker.as_ref())
            .encoding(self.raw_keys)
            .restore_status(self.restore_status)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ListObjectVersionsOutput, Error> {
        let document = error::document(
            reply,
            "ListVersionsResult",
            &["Version", "DeleteMarker", "CommonPrefixes", "IsTruncated", "Name"],
        )?;
        let root = document.root();
        let keys = Keys::of(root, self.prefix.as_deref());
        let versions = root.children("Version").map(|version| ObjectVersion::read(version, keys));
        let markers = root.children("DeleteMarker").map(|marker| DeleteMarker::read(marker, keys));
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        let delete_markers = markers.collect::<Result<Vec<_>, _>>()?;
        let common_prefixes = keys.common_prefixes(root)?;
        let names = versions.iter().map(|version| &version.object.key);
        let names = names.chain(delete_markers.iter().map(|marker| &marker.key));
        let last = names.chain(&common_prefixes).max().cloned();
        Ok(ListObjectVersionsOutput {
            versions,
            delete_markers,
            common_prefixes,
            is_truncated: root.flag("IsTruncated")?,
            key_marker: keys.known(root, "KeyMarker", self.key_marker.as_deref()),
            version_id_marker: text(root, "VersionIdMarker"),
            next_key_marker: keys.marker(root, "NextKeyMarker", last.as_deref())?,
            next_version_id_marker: text(root, "NextVersionIdMarker"),
            name: text(root, "Name"),
            prefix: keys.known(root, "Prefix", self.prefix.as_deref()),
            delimiter: keys.known(root, "Delimiter", self.delimiter.as_deref()),
            max_keys: root.optional("MaxKeys"),
            encoding_type: text(root, "EncodingType"),
            request_charged: Headers(&reply.head.headers).text("x-amz-request-charged"),
        })
    }
}

impl ObjectVersion {
    fn read(version: Element<'_>, keys: Keys<'_>) -> Result<Self, Error> {
        Ok(Self {
            object: Object::read(version, keys)?,
            version_id: text(version, "VersionId"),
            is_latest: version.optional_flag("IsLatest"),
        })
    }
}

impl DeleteMarker {
    fn read(marker: Element<'_>, keys: Keys<'_>) -> Result<Self, Error> {
        Ok(Self {
            key: keys.required(marker, "Key")?,
            version_id: text(marker, "VersionId"),
            is_latest: marker.optional_flag("IsLatest"),
            last_modified: marker.optional_timestamp("LastModified"),
            owner: marker.child("Owner").map(Owner::read),
        })
    }
}
