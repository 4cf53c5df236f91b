//! What is stored beside an object: its tags and its annotations.

use bytes::Bytes;

use super::super::dates::{http_date, iso_date};
use super::super::digest;
use super::super::message::{Reply, decode};
use super::call::Call;
use super::document::Document;
use super::objects::quoted;
use super::payload::Payload;
use super::refusal::{self, Refusal};
use super::{Answer, Object, S3Model};

impl S3Model {
    pub(super) fn get_tagging(&self, call: &Call<'_>) -> Answer {
        let object = self.find(&call.bucket, &call.key)?;
        let mut document = Document::result("Tagging");
        document.nest("TagSet", |document| {
            for pair in object.tags.split('&').filter(|pair| !pair.is_empty()) {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                document.nest("Tag", |document| {
                    document.text("Key", decode(key, true).unwrap_or_default());
                    document.text("Value", decode(value, true).unwrap_or_default());
                });
            }
        });
        Ok(Reply::xml(200, document.finish()))
    }

    pub(super) fn put_annotation(&mut self, call: &Call<'_>) -> Answer {
        let payload = Payload::read(call.request, &self.manners)?.bytes;
        let name = annotation_name(call)?;
        let keyed = |object: &Object| matches_condition(call, object);
        if !keyed(self.find(&call.bucket, &call.key)?) {
            return Err(refusal::precondition("x-amz-object-if-match"));
        }
        if std::str::from_utf8(&payload).is_err() {
            return Err(Refusal::new(415, "UnsupportedMediaType", "The annotation is not UTF-8."));
        }
        if !(1..=LARGEST).contains(&payload.len()) {
            return Err(refusal::invalid_request("An annotation has 1 byte to 1 MiB."));
        }
        let tag = digest::md5_hex(&payload);
        let objects = &mut self.bucket_mut(&call.bucket)?.objects;
        let object = objects.get_mut(&call.key).ok_or_else(refusal::no_such_key)?;
        if object.annotations.len() >= MOST && !object.annotations.contains_key(&name) {
            return Err(Refusal::new(
                400,
                "AnnotationLimitExceeded",
                "An object has at most 1,000 annotations.",
            ));
        }
        object.annotations.insert(name, payload);
        Ok(Reply::new(200).header("ETag", quoted(&tag)))
    }

    pub(super) fn get_annotation(&self, call: &Call<'_>) -> Answer {
        let object = self.find(&call.bucket, &call.key)?;
        let payload = annotation(object, &annotation_name(call)?)?;
        Ok(Reply::new(200)
            .header("ETag", quoted(&digest::md5_hex(payload)))
            .header("Last-Modified", http_date(object.last_modified))
            .body(payload.clone()))
    }

    pub(super) fn delete_annotation(&mut self, call: &Call<'_>) -> Answer {
        let name = annotation_name(call)?;
        if !matches_condition(call, self.find(&call.bucket, &call.key)?) {
            return Err(refusal::precondition("x-amz-object-if-match"));
        }
        let objects = &mut self.bucket_mut(&call.bucket)?.objects;
        if let Some(object) = objects.get_mut(&call.key) {
            object.annotations.remove(&name);
        }
        Ok(Reply::new(204))
    }

    pub(super) fn list_annotations(&self, call: &Call<'_>) -> Answer {
        let object = self.find(&call.bucket, &call.key)?;
        let prefix = call.filled("annotation-prefix").unwrap_or_default();
        let after = call.filled("continuation-token").unwrap_or_default();
        let most = call.filled("max-annotation-results").and_then(|most| most.parse().ok());
        let most = most.unwrap_or(MOST).min(MOST);
        let names = object.annotations.iter();
        let mut left =
            names.filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after).peekable();
        let mut document = Document::result("ListObjectAnnotationsOutput");
        document.text("MaxAnnotationResults", most.to_string());
        let mut last = None;
        document.nest("Annotations", |document| {
            for (name, payload) in left.by_ref().take(most) {
                last = Some(name.clone());
                document.nest("AnnotationEntry", |document| {
                    document.text("AnnotationName", name);
                    document.text("LastModified", iso_date(object.last_modified));
                    document.text("ETag", quoted(&digest::md5_hex(payload)));
                    document.text("Size", payload.len().to_string());
                });
            }
        });
        if let (Some(_), Some(last)) = (left.peek(), last) {
            document.text("NextContinuationToken", last);
        }
        Ok(Reply::xml(200, document.finish()))
    }
}

fn annotation<'a>(object: &'a Object, name: &str) -> Result<&'a Bytes, Refusal> {
    let missing =
        || Refusal::new(404, "NoSuchAnnotation", "The specified annotation does not exist.");
    object.annotations.get(name).ok_or_else(missing)
}

/// "PutObjectAnnotation": 1 to 512 bytes, which do not begin with `aws` or `s3`.
fn annotation_name(call: &Call<'_>) -> Result<String, Refusal> {
    let name = call.filled("annotationName").unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws") || lower.starts_with("s3") {
        return Err(Refusal::new(400, "InvalidAnnotationName", "The name is reserved."));
    }
    match name.len() {
        0 => Err(Refusal::new(400, "InvalidAnnotationName", "The name is empty.")),
        1..=512 => Ok(name.to_owned()),
        _ => Err(Refusal::new(400, "AnnotationNameTooLong", "The name is too long.")),
    }
}

fn matches_condition(call: &Call<'_>, object: &Object) -> bool {
    let wanted = call.header("x-amz-object-if-match");
    wanted.is_none_or(|wanted| wanted.trim_matches('"') == object.etag)
}

/// The largest annotation, in bytes.
const LARGEST: usize = 1 << 20;
/// The most annotations of an object.
const MOST: usize = 1000;
