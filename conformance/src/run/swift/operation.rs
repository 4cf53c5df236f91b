//! The conversion of operations from the vectors' names to ours.

use std::ops::Range;

use apus_core::contract::Operation;
use apus_core::error::Error;
use apus_core::http::{Body, ByteRange, Conditions, Draft, ETag};
use apus_core::secret::Secret;
use apus_core::swift::{
    Acl, BodyCheck, BulkDelete, BulkPath, ContainerSettings, CopyObject, DeleteContainer,
    DeleteObject, DeleteSlo, Expiry, GetAccount, GetContainer, GetInfo, GetManifest, GetObject,
    HeadAccount, HeadContainer, HeadObject, Metadata, ObjectSegment, PostAccount, PostContainer,
    PostObject, Prefix, Properties, PutContainer, PutDlo, PutObject, PutSlo, Segment, Service,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::run::value::{Data, Fields, Time};

/// Returns the request of this operation, or why it can't be drafted. An error says that the vector
/// can't be read.
pub(super) fn draft(
    operation: &str,
    mut params: Fields,
    service: &Service,
) -> Result<Result<Box<Draft>, Error>, String> {
    let of = &mut params;
    let draft = match operation {
        "HeadAccount" => HeadAccount::new().draft(service),
        "GetAccount" => get_account(of)?.draft(service),
        "PostAccount" => post_account(of)?.draft(service),
        "PutContainer" => put_container(of)?.draft(service),
        "HeadContainer" => HeadContainer::new(container(of)?).draft(service),
        "GetContainer" => get_container(of)?.draft(service),
        "PostContainer" => {
            let mut post = PostContainer::new(container(of)?);
            post.settings = settings(of)?;
            post.draft(service)
        }
        "DeleteContainer" => DeleteContainer::new(container(of)?).draft(service),
        "PutObject" => put_object(of)?.draft(service),
        "GetObject" => get_object(of)?.draft(service),
        "HeadObject" => head_object(of)?.draft(service),
        "PostObject" => {
            PostObject::new(container(of)?, object(of)?, properties(of)?).draft(service)
        }
        "CopyObject" => copy_object(of)?.draft(service),
        "DeleteObject" => DeleteObject::new(container(of)?, object(of)?).draft(service),
        "PutSlo" => put_slo(of)?.draft(service),
        "GetManifest" => GetManifest::new(container(of)?, object(of)?).draft(service),
        "DeleteSlo" => DeleteSlo::new(container(of)?, object(of)?).draft(service),
        "PutDlo" => put_dlo(of)?.draft(service),
        "BulkDelete" => bulk_delete(of)?.draft(service),
        "GetInfo" => GetInfo::new().draft(service),
        _ => return Err(format!("there is no operation {operation:?}")),
    };
    params.end()?;
    Ok(draft)
}

/// A segment of a large object, as a manifest writes it.
pub(super) fn segment(mut of: Fields) -> Result<Segment, String> {
    if let Some(data) = of.optional::<String>("data")? {
        of.end()?;
        let data = STANDARD.decode(data).map_err(|error| error.to_string())?;
        return Ok(Segment::Data(data.into()));
    }
    let path: String = of.required("path")?;
    let (container, object) = path
        .strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .ok_or_else(|| format!("{path:?} is no path of a segment"))?;
    let mut segment = ObjectSegment::new(container, object);
    segment.etag = of.optional::<String>("etag")?.map(ETag::from);
    segment.size = of.optional("size_bytes")?;
    segment.range = of.optional::<String>("range")?.map(|text| byte_range(&text)).transpose()?;
    of.end()?;
    Ok(Segment::Object(segment))
}

fn get_account(of: &mut Fields) -> Result<GetAccount, String> {
    let mut get = GetAccount::new();
    get.prefix = of.optional("prefix")?;
    get.delimiter = of.optional("delimiter")?;
    get.marker = of.optional("marker")?;
    get.end_marker = of.optional("end_marker")?;
    get.limit = of.optional("limit")?;
    Ok(get)
}

fn post_account(of: &mut Fields) -> Result<PostAccount, String> {
    let mut post = PostAccount::new();
    post.metadata = metadata(of)?;
    let mut key = |name: &str| Ok::<_, String>(of.optional::<String>(name)?.map(Secret::from));
    post.temp_url_keys = [key("temp_url_key")?, key("temp_url_key_2")?];
    Ok(post)
}

fn put_container(of: &mut Fields) -> Result<PutContainer, String> {
    let mut put = PutContainer::new(container(of)?);
    put.storage_policy = of.optional("storage_policy")?;
    put.settings = settings(of)?;
    Ok(put)
}

fn get_container(of: &mut Fields) -> Result<GetContainer, String> {
    let mut get = GetContainer::new(container(of)?);
    get.prefix = of.optional("prefix")?;
    get.delimiter = of.optional("delimiter")?;
    get.marker = of.optional("marker")?;
    get.end_marker = of.optional("end_marker")?;
    get.limit = of.optional("limit")?;
    get.reverse = of.optional("reverse")?.unwrap_or_default();
    Ok(get)
}

fn settings(of: &mut Fields) -> Result<ContainerSettings, String> {
    Ok(ContainerSettings {
        read_acl: acl(of, "read_acl")?,
        write_acl: acl(of, "write_acl")?,
        metadata: metadata(of)?,
        ..ContainerSettings::default()
    })
}

fn put_object(of: &mut Fields) -> Result<PutObject, String> {
    let body: Data = of.required("body")?;
    let mut put = PutObject::from_body(container(of)?, object(of)?, Body::Bytes(body.0.into()));
    // Ours sends the MD5 by default.
    put.check = match etag(of, "etag")? {
        Some(etag) => BodyCheck::Given(etag),
        None => BodyCheck::Never,
    };
    put.if_absent = match of.optional::<String>("if_none_match")?.as_deref() {
        None => false,
        Some("*") => true,
        Some(other) => return Err(format!("if_none_match of a PUT is {other:?}")),
    };
    put.properties = properties(of)?;
    Ok(put)
}

fn get_object(of: &mut Fields) -> Result<GetObject, String> {
    let mut get = GetObject::new(container(of)?, object(of)?);
    get.range = range(of)?;
    get.part_number = of.optional("part_number")?;
    get.conditions = conditions(of)?;
    Ok(get)
}

fn head_object(of: &mut Fields) -> Result<HeadObject, String> {
    let mut head = HeadObject::new(container(of)?, object(of)?);
    head.range = range(of)?;
    head.part_number = of.optional("part_number")?;
    head.conditions = conditions(of)?;
    Ok(head)
}

fn copy_object(of: &mut Fields) -> Result<CopyObject, String> {
    let to: (String, String) =
        (of.required("destination_container")?, of.required("destination_object")?);
    let mut copy = CopyObject::new(container(of)?, object(of)?, to.0, to.1);
    copy.manifest = match of.optional::<String>("multipart_manifest")?.as_deref() {
        None => false,
        Some("get") => true,
        Some(other) => return Err(format!("multipart_manifest of a copy is {other:?}")),
    };
    copy.fresh = of.optional("fresh_metadata")?.unwrap_or_default();
    copy.properties = properties(of)?;
    Ok(copy)
}

fn put_slo(of: &mut Fields) -> Result<PutSlo, String> {
    let segments: Vec<Fields> = of.required("segments")?;
    let segments = segments.into_iter().map(segment).collect::<Result<_, _>>()?;
    let mut put = PutSlo::new(container(of)?, object(of)?, segments);
    put.heartbeat = of.optional("heartbeat")?.unwrap_or_default();
    put.etag = etag(of, "etag")?;
    put.properties = properties(of)?;
    Ok(put)
}

fn put_dlo(of: &mut Fields) -> Result<PutDlo, String> {
    let (within, prefix): (String, String) =
        (of.required("segments_container")?, of.required("prefix")?);
    let mut put = PutDlo::new(container(of)?, object(of)?, Prefix::new(within, prefix));
    put.properties = properties(of)?;
    Ok(put)
}

fn bulk_delete(of: &mut Fields) -> Result<BulkDelete, String> {
    let objects: Vec<(String, String)> = of.required("objects")?;
    let paths = objects.into_iter().map(|(container, name)| BulkPath::object(container, name));
    Ok(BulkDelete::new(paths.collect()))
}

fn container(of: &mut Fields) -> Result<String, String> {
    of.required("container")
}

fn object(of: &mut Fields) -> Result<String, String> {
    of.required("object")
}

fn properties(of: &mut Fields) -> Result<Properties, String> {
    let at = of.optional::<Time>("delete_at")?.map(|time| Expiry::At(time.0));
    let after = of.optional("delete_after")?.map(Expiry::After);
    if at.is_some() && after.is_some() {
        return Err("delete_at and delete_after exclude each other".into());
    }
    Ok(Properties {
        content_type: of.optional("content_type")?,
        content_encoding: of.optional("content_encoding")?,
        content_disposition: of.optional("content_disposition")?,
        expiry: at.or(after),
        metadata: metadata(of)?,
        ..Properties::default()
    })
}

fn metadata(of: &mut Fields) -> Result<Metadata, String> {
    Ok(of.optional("metadata")?.unwrap_or_default())
}

fn conditions(of: &mut Fields) -> Result<Conditions, String> {
    let mut time = |name: &str| Ok::<_, String>(of.optional::<Time>(name)?.map(|time| time.0));
    let (since, unmodified) = (time("if_modified_since")?, time("if_unmodified_since")?);
    Ok(Conditions {
        if_match: etag(of, "if_match")?,
        if_none_match: etag(of, "if_none_match")?,
        if_modified_since: since,
        if_unmodified_since: unmodified,
    })
}

fn etag(of: &mut Fields, name: &str) -> Result<Option<ETag>, String> {
    Ok(of.optional::<String>(name)?.map(ETag::from))
}

fn acl(of: &mut Fields, name: &str) -> Result<Option<Acl>, String> {
    let read = |text: String| text.parse::<Acl>().map_err(|error| error.to_string());
    of.optional::<String>(name)?.map(read).transpose()
}

fn range(of: &mut Fields) -> Result<Option<ByteRange>, String> {
    let Some(text) = of.optional::<String>("range")? else { return Ok(None) };
    let bounds = text.strip_prefix("bytes=").ok_or_else(|| format!("{text:?} is no range"))?;
    byte_range(bounds).map(Some)
}

/// `0-499`, `500-` or `-500`.
fn byte_range(text: &str) -> Result<ByteRange, String> {
    let wrong = || format!("{text:?} is no range");
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
    match text.split_once('-').ok_or_else(wrong)? {
        ("", last) => Ok(ByteRange::Last(number(last)?)),
        (first, "") => Ok(ByteRange::From(number(first)?)),
        (first, last) => {
            Ok(ByteRange::Span(Range { start: number(first)?, end: number(last)? + 1 }))
        }
    }
}
