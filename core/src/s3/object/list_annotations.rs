//! ListObjectAnnotations.

use crate::checksum::Algorithm;
use crate::http::ETag;
use crate::s3::object::annotation::object_version_id;
use crate::s3::operation::*;
use crate::s3::read::onward;
use crate::xml::Element;

operation! {
    /// Lists a page of an object's annotations. "ListObjectAnnotations", S3 API reference.
    ///
    /// A server that does not support annotations may ignore the sub-resource and send the object
    /// itself, which is an error here.
    ///
    /// ```
    /// use apus_core::s3::ListObjectAnnotations;
    ///
    /// let mut list = ListObjectAnnotations::new("bucket", "disk.img");
    /// list.annotation_prefix = Some("scan-".into());
    /// ```
    pub struct ListObjectAnnotations on object {
        /// The version ID of the object; `None` selects the current version.
        pub version_id: Option<String>,
        /// Only annotations whose name begins with this prefix.
        pub annotation_prefix: Option<String>,
        /// The maximum number of annotations in a page: 1 to 1,000.
        pub max_annotation_results: Option<u32>,
        /// The continuation token from the previous page.
        pub continuation_token: Option<String>,
    }
}

impl ListObjectAnnotations {
    /// Returns the request for the next page, or `None` after the last page.
    ///
    /// # Errors
    ///
    /// The start of the next page is that of this page.
    pub fn next(&self, page: &ListObjectAnnotationsOutput) -> Result<Option<Self>, Error> {
        let token = page.next_continuation_token.clone().filter(|token| !token.is_empty());
        let Some(token) = token else { return Ok(None) };
        let token = onward(self.continuation_token.as_ref(), Some(token))?;
        Ok(Some(Self { continuation_token: Some(token), ..self.clone() }))
    }
}

/// The response to [`ListObjectAnnotations`]: a page of annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListObjectAnnotationsOutput {
    /// The annotations.
    pub annotations: Vec<AnnotationEntry>,
    /// The bucket name.
    pub bucket: Option<String>,
    /// The object key.
    pub key: Option<String>,
    /// The version ID of the object.
    pub object_version_id: Option<String>,
    /// Echoed from the request.
    pub annotation_prefix: Option<String>,
    /// Echoed from the request, or the server's own limit.
    pub max_annotation_results: Option<u32>,
    /// The number of annotations in this page.
    pub annotation_count: Option<u32>,
    /// Echoed from the request.
    pub continuation_token: Option<String>,
    /// The continuation token of the next page.
    pub next_continuation_token: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

/// An annotation in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnotationEntry {
    /// The name.
    pub annotation_name: String,
    /// When the annotation was last modified.
    pub last_modified: Option<Timestamp>,
    /// The ETag.
    pub etag: Option<ETag>,
    /// The algorithms of the annotation's checksums; unknown ones are left out.
    pub checksum_algorithms: Vec<Algorithm>,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The replication status.
    pub replication_status: Option<String>,
}

impl AnnotationEntry {
    fn read(entry: Element<'_>) -> Result<Self, Error> {
        let algorithms = entry.children("ChecksumAlgorithm");
        Ok(Self {
            annotation_name: entry.required("AnnotationName")?.to_owned(),
            last_modified: entry.optional_timestamp("LastModified"),
            etag: text(entry, "ETag").map(ETag::from),
            checksum_algorithms: algorithms.filter_map(|word| word.text().parse().ok()).collect(),
            size: entry.optional("Size"),
            replication_status: text(entry, "ReplicationStatus"),
        })
    }
}

impl Operation for ListObjectAnnotations {
    facts!(ListObjectAnnotations in bucket: Read -> ListObjectAnnotationsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .flag("annotation")
            .version(&self.version_id)
            .query_number("max-annotation-results", self.max_annotation_results)
            .query("annotation-prefix", self.annotation_prefix.as_ref())
            .query("continuation-token", self.continuation_token.as_ref())
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ListObjectAnnotationsOutput, Error> {
        let document = error::document(reply, "ListObjectAnnotationsOutput", &MEMBERS)?;
        let root = document.root();
        let lists = root.children("Annotations");
        let entries = lists.flat_map(|list| list.children("AnnotationEntry"));
        Ok(ListObjectAnnotationsOutput {
            annotations: entries.map(AnnotationEntry::read).collect::<Result<_, _>>()?,
            bucket: text(root, "Bucket"),
            key: text(root, "Key"),
            object_version_id: object_version_id(reply),
            annotation_prefix: text(root, "AnnotationPrefix"),
            max_annotation_results: root.optional("MaxAnnotationResults"),
            annotation_count: root.optional("AnnotationCount"),
            continuation_token: text(root, "ContinuationToken"),
            next_continuation_token: text(root, "NextContinuationToken"),
            request_charged: Headers(&reply.head.headers).text("x-amz-request-charged"),
        })
    }
}

/// Members by which the document is recognised: the API reference and botocore's model name no root.
const MEMBERS: [&str; 4] =
    ["Annotations", "AnnotationCount", "MaxAnnotationResults", "AnnotationPrefix"];
