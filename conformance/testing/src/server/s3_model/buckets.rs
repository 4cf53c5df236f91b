//! Operations on buckets, mainly lists.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::dates::iso_date;
use super::super::message::Reply;
use super::super::plan::Operation;
use super::call::Call;
use super::document::{Document, Element};
use super::objects::quoted;
use super::payload::Payload;
use super::refusal::{self, Refusal};
use super::{Answer, Bucket, Object, S3Model};

impl S3Model {
    pub(super) fn list_buckets(&self) -> Reply {
        let mut document = Document::result("ListAllMyBucketsResult");
        document.nest("Owner", |document| document.text("ID", OWNER));
        document.nest("Buckets", |document| {
            for (name, bucket) in &self.buckets {
                document.nest("Bucket", |document| {
                    document.text("Name", name);
                    document.text("CreationDate", iso_date(bucket.created));
                });
            }
        });
        Reply::xml(200, document.finish())
    }

    pub(super) fn head_bucket(&self, call: &Call<'_>) -> Answer {
        self.bucket(&call.bucket)?;
        Ok(Reply::new(200).header("x-amz-bucket-region", self.region(&call.bucket)))
    }

    pub(super) fn create_bucket(&mut self, call: &Call<'_>) -> Answer {
        if self.buckets.contains_key(&call.bucket) {
            return Err(Refusal::new(
                409,
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own \
                 it.",
            ));
        }
        let body = Payload::read(call.request, &self.manners)?.bytes;
        let region = match body.is_empty() {
            true => None,
            false => {
                let document = Element::parse(&body).ok_or_else(refusal::malformed_xml)?;
                document.text_of("LocationConstraint").map(str::to_owned)
            }
        };
        if region.as_deref() == Some("us-east-1") {
            return Err(Refusal::new(
                400,
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
            ));
        }
        let bucket = Bucket { region, created: self.now, ..Bucket::default() };
        self.buckets.insert(call.bucket.clone(), bucket);
        Ok(Reply::new(200).header("Location", format!("/{}", call.bucket)))
    }

    pub(super) fn delete_bucket(&mut self, call: &Call<'_>) -> Answer {
        if !self.bucket(&call.bucket)?.objects.is_empty() {
            return Err(Refusal::new(
                409,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ));
        }
        self.buckets.remove(&call.bucket);
        Ok(Reply::new(204))
    }

    pub(super) fn bucket_location(&self, call: &Call<'_>) -> Answer {
        self.bucket(&call.bucket)?;
        let region = self.region(&call.bucket);
        let region = if region == "us-east-1" { "" } else { region };
        let text = quick_xml::escape::escape(region);
        Ok(Reply::xml(
            200,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint \
                 xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{text}</LocationConstraint>"
            ),
        ))
    }

    /// Handles ListObjects and ListObjectsV2.
    pub(super) fn list_objects(&self, call: &Call<'_>) -> Answer {
        let objects = &self.bucket(&call.bucket)?.objects;
        let second = call.operation == Operation::ListObjectsV2;
        let after = match (second, call.filled("continuation-token")) {
            (true, Some(token)) => {
                let token = STANDARD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
                token.ok_or_else(|| {
                    refusal::invalid_argument("The continuation token provided is incorrect")
                })?
            }
            (true, None) => call.query("start-after").unwrap_or_default().to_owned(),
            (false, _) => call.query("marker").unwrap_or_default().to_owned(),
        };
        let max = page_size(call, "max-keys")?;
        let prefix = call.query("prefix").unwrap_or_default();
        let delimiter = call.filled("delimiter");

        let mut page = Page::default();
        let entries = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        for (key, object) in entries {
            let common = delimiter.and_then(|delimiter| {
                let end = key[prefix.len()..].find(delimiter)? + prefix.len() + delimiter.len();
                Some(&key[..end])
            });
            let passed = match common {
                // The page after one that ended with a common prefix does not repeat the prefix.
                Some(common) => common == after || key.as_str() <= after.as_str(),
                None => key.as_str() <= after.as_str(),
            };
            if passed || common.is_some_and(|common| page.prefixes.contains(common)) {
                continue;
            }
            if page.contents.len() + page.prefixes.len() == max {
                page.truncated = max > 0;
                break;
            }
            page.last = common.unwrap_or(key);
            match common {
                Some(common) => _ = page.prefixes.insert(common),
                None => page.contents.push((key, object)),
            }
        }
        let document = page.document(call, &Listing { second, max, prefix, delimiter });
        Ok(Reply::xml(200, document))
    }

    pub(super) fn list_uploads(&self, call: &Call<'_>) -> Answer {
        self.bucket(&call.bucket)?;
        let max = page_size(call, "max-uploads")?;
        let prefix = call.query("prefix").unwrap_or_default();
        let marker = call.query("key-marker").unwrap_or_default();
        let id_marker = call.filled("upload-id-marker");
        let mut uploads: Vec<_> = self
            .uploads
            .values()
            .filter(|upload| upload.bucket == call.bucket && upload.key.starts_with(prefix))
            .filter(|upload| match id_marker {
                _ if upload.key.as_str() > marker => true,
                Some(id) => upload.key == marker && upload.id.as_str() > id,
                None => false,
            })
            .collect();
        uploads.sort_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
        let truncated = uploads.len() > max;
        uploads.truncate(max);

        let spell = speller(call);
        let mut document = Document::result("ListMultipartUploadsResult");
        document.text("Bucket", &call.bucket);
        document.text("KeyMarker", spell(marker));
        document.text("UploadIdMarker", id_marker.unwrap_or_default());
        if let Some(last) = uploads.last() {
            document.text("NextKeyMarker", spell(&last.key));
            document.text("NextUploadIdMarker", &last.id);
        }
        document.text("Prefix", spell(prefix));
        document.text("MaxUploads", max.to_string());
        encoding_type(call, &mut document);
        document.text("IsTruncated", truncated.to_string());
        for upload in uploads {
            document.nest("Upload", |document| {
                document.text("Key", spell(&upload.key));
                document.text("UploadId", &upload.id);
                document.text("StorageClass", "STANDARD");
                document.text("Initiated", iso_date(upload.details.initiated));
            });
        }
        Ok(Reply::xml(200, document.finish()))
    }

    pub(super) fn delete_objects(&mut self, call: &Call<'_>) -> Answer {
        let payload = Payload::read(call.request, &self.manners)?;
        let digested = call.header("content-md5").is_some() || payload.checksum.is_some();
        if self.manners.digest_required && !digested {
            return Err(refusal::invalid_request(
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            ));
        }
        let root = Element::parse(&payload.bytes).filter(|root| root.name == "Delete");
        let root = root.ok_or_else(refusal::malformed_xml)?;
        let keys = root.all("Object").map(|object| object.text_of("Key").map(str::to_owned));
        let keys = keys.collect::<Option<Vec<_>>>().ok_or_else(refusal::malformed_xml)?;
        if keys.is_empty() || keys.len() > 1000 {
            return Err(refusal::malformed_xml());
        }
        let locked = self.locked.clone();
        let objects = &mut self.bucket_mut(&call.bucket)?.objects;
        let quiet = root.text_of("Quiet") == Some("true");
        let mut document = Document::result("DeleteResult");
        for key in keys {
            if locked.contains(&(call.bucket.clone(), key.clone())) {
                document.nest("Error", |document| {
                    document.text("Key", key);
                    document.text("Code", "AccessDenied");
                    document.text("Message", "Access Denied");
                });
                continue;
            }
            objects.remove(&key);
            if !quiet {
                document.nest("Deleted", |document| document.text("Key", key));
            }
        }
        Ok(Reply::xml(200, document.finish()))
    }
}

/// One page of a list of objects.
#[derive(Default)]
struct Page<'a> {
    contents: Vec<(&'a String, &'a Object)>,
    prefixes: BTreeSet<&'a str>,
    last: &'a str,
    truncated: bool,
}

/// The parameters of a list.
struct Listing<'a> {
    second: bool,
    max: usize,
    prefix: &'a str,
    delimiter: Option<&'a str>,
}

impl Page<'_> {
    fn document(&self, call: &Call<'_>, asked: &Listing<'_>) -> String {
        let spell = speller(call);
        let mut document = Document::result("ListBucketResult");
        document.text("Name", &call.bucket);
        document.text("Prefix", spell(asked.prefix));
        if let Some(delimiter) = asked.delimiter {
            document.text("Delimiter", spell(delimiter));
        }
        document.text("MaxKeys", asked.max.to_string());
        encoding_type(call, &mut document);
        if asked.second {
            document.text("KeyCount", (self.contents.len() + self.prefixes.len()).to_string());
            for (name, element) in
                [("start-after", "StartAfter"), ("continuation-token", "ContinuationToken")]
            {
                if let Some(value) = call.filled(name) {
                    document.text(
                        element,
                        if name == "start-after" { spell(value) } else { value.to_owned() },
                    );
                }
            }
        } else {
            document.text("Marker", spell(call.query("marker").unwrap_or_default()));
        }
        document.text("IsTruncated", self.truncated.to_string());
        match (self.truncated, asked.second, asked.delimiter) {
            (true, true, _) => document.text("NextContinuationToken", STANDARD.encode(self.last)),
            // ListObjects returns a marker only with a delimiter; otherwise the marker is the last
            // key.
            (true, false, Some(_)) => document.text("NextMarker", spell(self.last)),
            _ => {}
        }
        let owned = !asked.second || call.query("fetch-owner") == Some("true");
        for (key, object) in &self.contents {
            document.nest("Contents", |document| {
                document.text("Key", spell(key));
                document.text("LastModified", iso_date(object.last_modified));
                document.text("ETag", quoted(&object.etag));
                if let Some(checksum) = &object.checksum {
                    document.text("ChecksumAlgorithm", checksum.algorithm);
                    document.text("ChecksumType", checksum.covers.name());
                }
                document.text("Size", object.body.len().to_string());
                if owned {
                    document.nest("Owner", |document| document.text("ID", OWNER));
                }
                document.text("StorageClass", "STANDARD");
            });
        }
        for prefix in &self.prefixes {
            document.nest("CommonPrefixes", |document| document.text("Prefix", spell(prefix)));
        }
        document.finish()
    }
}

fn page_size(call: &Call<'_>, name: &str) -> Result<usize, Refusal> {
    let Some(value) = call.filled(name) else { return Ok(1000) };
    let size = value.parse::<usize>();
    size.map(|size| size.min(1000))
        .map_err(|_| refusal::invalid_argument("Provided max-keys not an integer"))
}

fn encoding_type(call: &Call<'_>, document: &mut Document) {
    if call.query("encoding-type") == Some("url") {
        document.text("EncodingType", "url");
    }
}

/// Returns how keys are written: unchanged, or percent-encoded as AWS does, a space as a plus sign.
fn speller(call: &Call<'_>) -> impl Fn(&str) -> String + use<> {
    let encodes = call.query("encoding-type") == Some("url");
    move |text| {
        if !encodes {
            return text.to_owned();
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b' ' => encoded.push('+'),
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' | b'/' => {
                    encoded.push(char::from(byte));
                }
                byte => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        encoded
    }
}

/// The ID of the account that owns everything.
const OWNER: &str = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a";
