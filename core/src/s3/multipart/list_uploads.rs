//! ListMultipartUploads.

use crate::checksum::{Algorithm, Type};
use crate::escape;
use crate::s3::operation::*;
use crate::s3::read::{Keys, onward, word};
use crate::s3::types::Owner;
use crate::xml::Element;

operation! {
    /// Lists a page of a bucket's in-progress multipart uploads: neither completed nor aborted.
    /// "ListMultipartUploads", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::ListMultipartUploads;
    ///
    /// let mut list = ListMultipartUploads::new("bucket");
    /// list.prefix = Some("images/".into());
    /// // Uploads after this one; without the key the upload has no effect.
    /// list.key_marker = Some("images/debian".into());
    /// list.upload_id_marker = Some("upload-id".into());
    /// ```
    pub struct ListMultipartUploads on listing {
        /// The maximum number of uploads in a page: 1,000 by default and at most.
        pub max_uploads: Option<u32>,
        /// Only uploads of keys after this one.
        pub key_marker: Option<String>,
        /// With `key_marker`: the list starts after this upload of that key.
        pub upload_id_marker: Option<String>,
    }
}

impl ListMultipartUploads {
    /// Returns the request for the next page, or `None` after the last page.
    ///
    /// # Errors
    ///
    /// The page is truncated, and the start of the next page is missing or is that of this page.
    pub fn next(&self, page: &ListMultipartUploadsOutput) -> Result<Option<Self>, Error> {
        if page.is_truncated != Some(true) {
            return Ok(None);
        }
        let upload = page.next_upload_id_marker.clone().filter(|upload| !upload.is_empty());
        let to = page.next_key_marker.clone().map(|key| (key, upload));
        let from = self.key_marker.clone().map(|key| (key, self.upload_id_marker.clone()));
        let (key, upload) = onward(from.as_ref(), to)?;
        Ok(Some(Self { key_marker: Some(key), upload_id_marker: upload, ..self.clone() }))
    }

    /// Returns whether the keys are percent-encoded as requested although the response has no
    /// EncodingType. Ceph 16 does so in this list only. Its NextKeyMarker proves it: every page has
    /// one, and it is not encoded.
    fn is_silently_encoded(&self, root: Element<'_>) -> bool {
        if self.raw_keys || root.child("EncodingType").is_some() {
            return false;
        }
        let keys = || root.children("Upload").filter_map(|upload| upload.text_of("Key"));
        let (Some(last), Some(marker)) = (keys().last(), root.text_of("NextKeyMarker")) else {
            return false;
        };
        keys().all(|key| !key.bytes().any(is_encoded_by_ceph))
            && escape::decode_form(last).is_some_and(|decoded| decoded == marker)
    }
}

/// Returns whether Ceph percent-encodes this byte of a key.
fn is_encoded_by_ceph(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !b"%-_.~/!*'()".contains(&byte)
}

/// The response to [`ListMultipartUploads`]: a page of uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListMultipartUploadsOutput {
    /// The uploads.
    pub uploads: Vec<MultipartUpload>,
    /// Key prefixes that end with the delimiter; each groups all keys that begin with it.
    pub common_prefixes: Vec<String>,
    /// Whether there are more results.
    pub is_truncated: Option<bool>,
    /// Echoed from the request.
    pub key_marker: Option<String>,
    /// Echoed from the request.
    pub upload_id_marker: Option<String>,
    /// The `key_marker` of the next page.
    pub next_key_marker: Option<String>,
    /// The `upload_id_marker` of the next page.
    pub next_upload_id_marker: Option<String>,
    /// The bucket name.
    pub bucket: Option<String>,
    /// Echoed from the request.
    pub prefix: Option<String>,
    /// Echoed from the request.
    pub delimiter: Option<String>,
    /// Echoed from the request, or the server's own limit.
    pub max_uploads: Option<u32>,
    /// `url` where the server percent-encoded the keys; here they are decoded.
    pub encoding_type: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

/// An in-progress multipart upload: neither completed nor aborted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultipartUpload {
    /// The object key.
    pub key: String,
    /// The upload ID.
    pub upload_id: String,
    /// When the upload was initiated.
    pub initiated: Option<Timestamp>,
    /// The initiator of the upload.
    pub initiator: Option<Owner>,
    /// The owner of the object that the upload creates.
    pub owner: Option<Owner>,
    /// The storage class that the object will have.
    pub storage_class: Option<String>,
    /// The algorithm of the parts' checksums.
    pub checksum_algorithm: Option<Algorithm>,
    /// Whether the object's checksum will be full-object or composite.
    pub checksum_type: Option<Type>,
}

impl Operation for ListMultipartUploads {
    facts!(ListMultipartUploads in bucket: Read -> ListMultipartUploadsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("uploads")
            .query("prefix", self.prefix.as_ref())
            .query("delimiter", self.delimiter.as_ref())
            .query_number("max-uploads", self.max_uploads)
            .query("key-marker", self.key_marker.as_ref())
            .query("upload-id-marker", self.upload_id_marker.as_ref())
            .encoding(self.raw_keys)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ListMultipartUploadsOutput, Error> {
        let document = error::document(
            reply,
            "ListMultipartUploadsResult",
            &["Upload", "IsTruncated", "UploadIdMarker"],
        )?;
        let root = document.root();
        let keys = if self.is_silently_encoded(root) {
            Keys::encoded()
        } else {
            Keys::of(root, self.prefix.as_deref())
        };
        let uploads = root.children("Upload").map(|upload| MultipartUpload::read(upload, keys));
        let uploads = uploads.collect::<Result<Vec<_>, _>>()?;
        let common_prefixes = keys.common_prefixes(root)?;
        let names = uploads.iter().map(|upload| &upload.key);
        let last = names.chain(&common_prefixes).max().cloned();
        Ok(ListMultipartUploadsOutput {
            uploads,
            common_prefixes,
            is_truncated: root.flag("IsTruncated")?,
            key_marker: keys.known(root, "KeyMarker", self.key_marker.as_deref()),
            upload_id_marker: text(root, "UploadIdMarker"),
            next_key_marker: keys.marker(root, "NextKeyMarker", last.as_deref())?,
            next_upload_id_marker: text(root, "NextUploadIdMarker"),
            bucket: text(root, "Bucket"),
            prefix: keys.known(root, "Prefix", self.prefix.as_deref()),
            delimiter: keys.known(root, "Delimiter", self.delimiter.as_deref()),
            max_uploads: root.optional("MaxUploads"),
            encoding_type: text(root, "EncodingType"),
            request_charged: Headers(&reply.head.headers).text("x-amz-request-charged"),
        })
    }
}

impl MultipartUpload {
    fn read(upload: Element<'_>, keys: Keys<'_>) -> Result<Self, Error> {
        Ok(Self {
            key: keys.required(upload, "Key")?,
            upload_id: upload.required("UploadId")?.to_owned(),
            initiated: upload.optional_timestamp("Initiated"),
            initiator: upload.child("Initiator").map(Owner::read),
            owner: upload.child("Owner").map(Owner::read),
            storage_class: text(upload, "StorageClass"),
            checksum_algorithm: word(upload, "ChecksumAlgorithm"),
            checksum_type: word(upload, "ChecksumType"),
        })
    }
}
