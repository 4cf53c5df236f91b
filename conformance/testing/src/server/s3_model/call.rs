//! A parsed request: which operation on which bucket and key.

use super::super::dates::parse_amz_date;
use super::super::digest::Algorithm;
use super::super::message::{Request, decode};
use super::super::plan::Operation;
use super::refusal::{self, Refusal};
use std::borrow::Cow;

/// A parsed request.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) operation: Operation,
    /// Empty for the list of buckets.
    pub(super) bucket: String,
    /// Empty for operations on a bucket.
    pub(super) key: String,
    query: Vec<(String, String)>,
    range: Option<Cow<'a, str>>,
}

impl<'a> Call<'a> {
    /// Parses a request in path style, or in virtual-hosted style below `domain`.
    pub(super) fn parse(request: &'a Request, domain: &str) -> Result<Self, Refusal> {
        let uri = || Refusal::new(400, "InvalidURI", "Couldn't parse the specified URI.");
        let path = request.path().strip_prefix('/').ok_or_else(uri)?;
        let path = decode(path, false).ok_or_else(uri)?;
        let (bucket, key) = match virtual_bucket(request, domain) {
            Some(bucket) => (bucket, path),
            None => match path.split_once('/') {
                Some((bucket, key)) => (bucket.to_owned(), key.to_owned()),
                None => (path, String::new()),
            },
        };
        let query = request
            .query()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name, true)?, decode(value, true)?))
            })
            .collect::<Option<_>>()
            .ok_or_else(uri)?;
        let range = request.header("range").map(Cow::Borrowed);
        let mut call = Self { request, operation: Operation::Other, bucket, key, query, range };
        call.operation = call.recognise();
        Ok(call)
    }

    /// Returns the value of a query parameter; empty where it has no value.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a query parameter that is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.query(name).filter(|value| !value.is_empty())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    /// Whether the response has no body.
    pub(super) fn is_head(&self) -> bool {
        self.request.method == "HEAD"
    }

    /// Returns the `Range` header.
    pub(super) fn range(&self) -> Option<&str> {
        self.range.as_deref()
    }

    /// Removes the `Range` header.
    pub(super) fn forget_range(&mut self) {
        self.range = None;
    }

    /// Lets the `Range` header request one byte fewer: without its first byte, or without its last.
    pub(super) fn move_range(&mut self, later: bool) {
        let Some(range) = &self.range else { return };
        let moved = || {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
            let (first, last) =
                if later { (first + 1, last) } else { (first, last.checked_sub(1)?) };
            (first <= last).then(|| format!("bytes={first}-{last}"))
        };
        if let Some(moved) = moved() {
            self.range = Some(moved.into());
        }
    }

    /// Returns the algorithm that `x-amz-checksum-algorithm` names.
    pub(super) fn checksum_algorithm(&self) -> Result<Option<Algorithm>, Refusal> {
        let Some(name) = self.header("x-amz-checksum-algorithm") else { return Ok(None) };
        let algorithm = Algorithm::from_name(name);
        let unknown = || refusal::invalid_request("Checksum algorithm provided is unsupported.");
        algorithm.ok_or_else(unknown).map(Some)
    }

    /// Returns the region that the request is signed for, from its header or its query.
    pub(super) fn region(&self) -> Option<&str> {
        let credential = match self.header("authorization") {
            Some(header) => header.split_once("Credential=")?.1.split(',').next()?,
            None => self.query("X-Amz-Credential")?,
        };
        credential.rsplit('/').nth(2)
    }

    /// Returns the time of the signature, as the request states it, in seconds since 1970.
    pub(super) fn signed_at(&self) -> Option<u64> {
        parse_amz_date(self.header("x-amz-date").or_else(|| self.query("X-Amz-Date"))?)
    }

    fn recognise(&self) -> Operation {
        let has = |name| self.query(name).is_some();
        let method = self.request.method.as_str();
        if !self.key.is_empty() {
            let named = has("annotationName");
            match method {
                "GET" if has("tagging") => return Operation::GetObjectTagging,
                "PUT" if has("annotation") => return Operation::PutObjectAnnotation,
                "GET" if has("annotation") && named => return Operation::GetObjectAnnotation,
                "GET" if has("annotation") => return Operation::ListObjectAnnotations,
                "DELETE" if has("annotation") => return Operation::DeleteObjectAnnotation,
                _ => {}
            }
        }
        if OTHERS.into_iter().any(has) {
            return Operation::Other;
        }
        if self.bucket.is_empty() {
            return if method == "GET" { Operation::ListBuckets } else { Operation::Other };
        }
        let copies = self.header("x-amz-copy-source").is_some();
        if self.key.is_empty() {
            return match method {
                "GET" if has("uploads") => Operation::ListMultipartUploads,
                "GET" if has("location") => Operation::GetBucketLocation,
                "GET" if self.query("list-type") == Some("2") => Operation::ListObjectsV2,
                "GET" => Operation::ListObjects,
                "HEAD" => Operation::HeadBucket,
                "PUT" => Operation::CreateBucket,
                "DELETE" => Operation::DeleteBucket,
                "POST" if has("delete") => Operation::DeleteObjects,
                _ => Operation::Other,
            };
        }
        match method {
            "GET" if has("uploadId") => Operation::ListParts,
            "GET" => Operation::GetObject,
            "HEAD" => Operation::HeadObject,
            "PUT" if has("uploadId") && copies => Operation::UploadPartCopy,
            "PUT" if has("uploadId") => Operation::UploadPart,
            "PUT" if copies => Operation::CopyObject,
            "PUT" => Operation::PutObject,
            "DELETE" if has("uploadId") => Operation::AbortMultipartUpload,
            "DELETE" => Operation::DeleteObject,
            "POST" if has("uploads") => Operation::CreateMultipartUpload,
            "POST" if has("uploadId") => Operation::CompleteMultipartUpload,
            _ => Operation::Other,
        }
    }
}

fn virtual_bucket(request: &Request, domain: &str) -> Option<String> {
    let host = request.header("host")?;
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let bucket = host.strip_suffix(domain)?.strip_suffix('.')?;
    Some(bucket.to_owned())
}

/// Sub-resources that the model does not have.
const OTHERS: [&str; 23] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "tagging",
    "versioning",
    "versions",
    "website",
];
