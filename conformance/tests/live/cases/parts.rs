//! The operations of multipart uploads, one by one.

use apus_core::Error;
use apus_core::s3::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, CopySource,
    CreateMultipartUpload, GetObject, HeadObject, ListMultipartUploads, ListParts, PutObject,
    UploadPart, UploadPartCopy,
};

use super::payload;
use crate::live::Case;
use crate::live::stage::Stage;

pub const CASES: &[Case] = &[
    Case::ok("CreateMultipartUpload, UploadPart, CompleteMultipartUpload", upload),
    Case::ok("the ETag of an object in parts", etag),
    Case::ok("ListParts", list_parts),
    Case::ok("ListMultipartUploads", list_uploads),
    Case::ok("AbortMultipartUpload", abort),
    Case::ok("UploadPartCopy", copy),
];

/// The least that a part has which is not the last.
const PART: usize = 5 << 20;

fn create(stage: &Stage<'_>, key: &str) -> Result<String, Error> {
    Ok(stage.call(CreateMultipartUpload::new(&stage.bucket, key))?.upload_id)
}

/// Uploads the parts, and returns the id of the upload with them.
fn begin(
    stage: &Stage<'_>,
    key: &str,
    bytes: &[u8],
) -> Result<(String, Vec<CompletedPart>), Error> {
    let id = create(stage, key)?;
    let mut parts = Vec::new();
    for (number, piece) in (1..).zip(bytes.chunks(PART)) {
        let part = UploadPart::new(&stage.bucket, key, &id, number, piece.to_vec());
        parts.push(CompletedPart::new(number, stage.call(part)?.etag));
    }
    Ok((id, parts))
}

fn upload(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "parts/ü +");
    let bytes = payload(PART + 1000);
    let (id, parts) = begin(stage, key, &bytes)?;
    stage.call(CompleteMultipartUpload::new(bucket, key, &id, parts))?;
    assert!(stage.call(GetObject::new(bucket, key))?.body == bytes);
    Ok(())
}

fn etag(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "parts/etag");
    let (id, parts) = begin(stage, key, &payload(PART + 1000))?;
    stage.call(CompleteMultipartUpload::new(bucket, key, &id, parts))?;
    let etag = stage.call(HeadObject::new(bucket, key))?.etag;
    assert!(etag.is_some_and(|etag| etag.opaque().ends_with("-2")), "no number of parts");
    Ok(())
}

fn list_parts(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "parts/listed ü +");
    let (id, _) = begin(stage, key, &payload(PART + 1000))?;
    let mut next = Some(ListParts { max_parts: Some(1), ..ListParts::new(bucket, key, &id) });
    let mut sizes = Vec::new();
    while let Some(list) = next {
        let page = stage.call(list.clone())?;
        sizes.extend(page.parts.iter().map(|part| (part.part_number, part.size)));
        next = list.next(&page)?;
    }
    assert_eq!(sizes, [(1, Some(PART as u64)), (2, Some(1000))]);
    stage.call(AbortMultipartUpload::new(bucket, key, id)).map(drop)
}

fn list_uploads(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "parts/open ü +");
    let id = create(stage, key)?;
    let open = stage.call(ListMultipartUploads::new(bucket))?.uploads;
    assert!(open.iter().any(|upload| upload.key == key && upload.upload_id == id));
    stage.call(AbortMultipartUpload::new(bucket, key, id)).map(drop)
}

fn abort(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "aborted");
    let id = create(stage, key)?;
    stage.call(UploadPart::new(bucket, key, &id, 1, "x"))?;
    stage.call(AbortMultipartUpload::new(bucket, key, &id))?;
    // Ceph calls it NoSuchKey.
    let gone = stage.call(ListParts::new(bucket, key, &id)).unwrap_err();
    assert!(gone.is_not_found(), "{gone}");
    Ok(())
}

fn copy(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "parts/copied");
    let bytes = payload(PART + 1000);
    stage.call(PutObject::new(bucket, "parts/from ü", bytes.clone()))?;
    let id = create(stage, key)?;
    let mut parts = Vec::new();
    for (number, range) in [(1, 0..PART as u64), (2, PART as u64..bytes.len() as u64)] {
        let source = CopySource::new(bucket, "parts/from ü");
        let copy = UploadPartCopy {
            source_range: Some(range),
            ..UploadPartCopy::new(bucket, key, &id, number, source)
        };
        parts.push(CompletedPart::new(number, stage.call(copy)?.stored.etag));
    }
    stage.call(CompleteMultipartUpload::new(bucket, key, &id, parts))?;
    assert!(stage.call(GetObject::new(bucket, key))?.body == bytes);
    Ok(())
}
