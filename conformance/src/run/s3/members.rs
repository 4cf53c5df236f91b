//! Members that several operations share.

use apus_core::checksum::{Algorithm, Value};
use apus_core::escape;
use apus_core::http::Body;
use apus_core::s3::{
    Access, ChecksumOptions, CommonParams, Conditions, CustomerKey, Encryption, Lock, Properties,
    ResponseOverrides, Tags,
};

use super::output::{Members, each, members};
use super::params::Params;
use crate::run::value::Data;

pub(super) fn common(p: &mut Params) -> Result<CommonParams, String> {
    Ok(CommonParams {
        expected_bucket_owner: p.take("ExpectedBucketOwner")?,
        request_payer: p.take("RequestPayer")?,
    })
}

pub(super) fn conditions(p: &mut Params) -> Result<Conditions, String> {
    Ok(Conditions {
        if_match: p.take("IfMatch")?,
        if_none_match: p.take("IfNoneMatch")?,
        if_modified_since: p.take("IfModifiedSince")?,
        if_unmodified_since: p.take("IfUnmodifiedSince")?,
    })
}

/// Reads the conditions on the source of a copy.
pub(super) fn copy_conditions(p: &mut Params) -> Result<Conditions, String> {
    prefixed_conditions(p, "CopySource")
}

/// Reads conditions whose members have this prefix.
pub(super) fn prefixed_conditions(p: &mut Params, prefix: &str) -> Result<Conditions, String> {
    Ok(Conditions {
        if_match: p.take(&format!("{prefix}IfMatch"))?,
        if_none_match: p.take(&format!("{prefix}IfNoneMatch"))?,
        if_modified_since: p.take(&format!("{prefix}IfModifiedSince"))?,
        if_unmodified_since: p.take(&format!("{prefix}IfUnmodifiedSince"))?,
    })
}

pub(super) fn response(p: &mut Params) -> Result<ResponseOverrides, String> {
    Ok(ResponseOverrides {
        cache_control: p.take("ResponseCacheControl")?,
        content_disposition: p.take("ResponseContentDisposition")?,
        content_encoding: p.take("ResponseContentEncoding")?,
        content_language: p.take("ResponseContentLanguage")?,
        content_type: p.take("ResponseContentType")?,
        expires: p.take("ResponseExpires")?,
    })
}

pub(super) fn properties(p: &mut Params) -> Result<Properties, String> {
    Ok(Properties {
        cache_control: p.take("CacheControl")?,
        content_disposition: p.take("ContentDisposition")?,
        content_encoding: p.take("ContentEncoding")?,
        content_language: p.take("ContentLanguage")?,
        content_type: p.take("ContentType")?,
        expires: p.take("Expires")?,
        metadata: p.take("Metadata")?,
        storage_class: p.take("StorageClass")?,
        website_redirect_location: p.take("WebsiteRedirectLocation")?,
        tagging: tagging(p)?,
        access: access(p)?,
        encryption: encryption(p)?,
        lock: Lock {
            mode: p.take("ObjectLockMode")?,
            retain_until: p.take("ObjectLockRetainUntilDate")?,
            legal_hold: p.take("ObjectLockLegalHoldStatus")?,
            event_hold: p.take("ObjectLockEventHold")?,
            event_hold_days: p.take("ObjectLockEventHoldDurationDays")?,
            event_hold_years: p.take("ObjectLockEventHoldDurationYears")?,
        },
    })
}

pub(super) fn access(p: &mut Params) -> Result<Access, String> {
    Ok(Access {
        acl: p.take("ACL")?,
        grant_full_control: p.take("GrantFullControl")?,
        grant_read: p.take("GrantRead")?,
        grant_read_acp: p.take("GrantReadACP")?,
        grant_write: p.take("GrantWrite")?,
        grant_write_acp: p.take("GrantWriteACP")?,
    })
}

fn encryption(p: &mut Params) -> Result<Encryption, String> {
    Ok(Encryption {
        algorithm: p.take("ServerSideEncryption")?,
        kms_key_id: p.take("SSEKMSKeyId")?,
        kms_context: p.take("SSEKMSEncryptionContext")?,
        bucket_key_enabled: p.take("BucketKeyEnabled")?,
        customer_key: customer_key(p, "")?,
    })
}

/// Reads the customer's key, or with `CopySource` as the prefix that of a copy's source.
pub(super) fn customer_key(p: &mut Params, prefix: &str) -> Result<Option<CustomerKey>, String> {
    let algorithm: Option<String> = p.take(&format!("{prefix}SSECustomerAlgorithm"))?;
    let key: Option<Data> = p.take(&format!("{prefix}SSECustomerKey"))?;
    match (algorithm.as_deref(), key) {
        (None, None) => Ok(None),
        (Some("AES256"), Some(Data(key))) => {
            let key = <[u8; 32]>::try_from(key).map_err(|_| "a customer's key has 32 bytes")?;
            Ok(Some(CustomerKey::new(&key)))
        }
        _ => Err(format!("{prefix}SSECustomerAlgorithm AES256 and {prefix}SSECustomerKey")),
    }
}

/// `TagSet`: each tag as a structure.
pub(super) fn tag_list(list: Vec<Params>) -> Result<Tags, String> {
    let tags = list.into_iter().map(|mut tag| {
        let pair = (tag.take("Key")?, tag.take("Value")?);
        tag.end().map(|()| pair)
    });
    tags.collect::<Result<_, String>>().map(Tags)
}

/// Returns an output with the member `TagSet`.
pub(super) fn tag_set(tags: &Tags) -> Members {
    members().with("TagSet", &tag_members(tags))
}

/// Returns each tag as a structure.
pub(super) fn tag_members(tags: &Tags) -> Vec<Members> {
    each(&tags.0, |(key, value)| members().with("Key", key).with("Value", value))
}

/// Reads tags in the form of a header.
fn tagging(p: &mut Params) -> Result<Tags, String> {
    let text: String = p.take::<Option<_>>("Tagging")?.unwrap_or_default();
    let decoded = |text: &str| match escape::decode_form(text) {
        Some(text) => Ok(text.into_owned()),
        None => Err(format!("member Tagging: {text:?} is not encoded")),
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(key)?, decoded(value)?))
    });
    pairs.collect::<Result<_, String>>().map(Tags)
}

pub(super) fn checksum(p: &mut Params) -> Result<ChecksumOptions, String> {
    let values = checksum_values(p)?;
    Ok(ChecksumOptions {
        algorithm: p.take("ChecksumAlgorithm")?,
        values,
        content_md5: p.take("ContentMD5")?,
        ..ChecksumOptions::default()
    })
}

/// Reads `ChecksumCRC32` and so on, as values over the bytes sent.
pub(super) fn checksum_values(p: &mut Params) -> Result<Vec<Value>, String> {
    let values = checksum_texts(p)?.into_iter();
    let values = values.map(|(algorithm, text)| Value::from_base64(algorithm, &text));
    values.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// `ChecksumCRC32` and so on, as they are written.
pub(super) fn checksum_texts(p: &mut Params) -> Result<Vec<(Algorithm, String)>, String> {
    let mut texts = Vec::new();
    for algorithm in Algorithm::ALL {
        if let Some(text) = p.take(&format!("Checksum{algorithm}"))? {
            texts.push((algorithm, text));
        }
    }
    Ok(texts)
}

/// Reads `Body`: bytes, or a stream, whose bytes the case keeps.
pub(super) fn body(p: &mut Params) -> Result<Body, String> {
    let Some(mut body) = p.take::<Option<Params>>("Body")? else { return Ok(Body::Empty) };
    let length: Option<u64> = p.take("ContentLength")?;
    if let Some(Data(stream)) = body.take("stream")? {
        body.end()?;
        let range = 0..stream.len() as u64;
        if length != Some(range.end) {
            return Err(format!("ContentLength {length:?} where Body has {} bytes", range.end));
        }
        return Ok(Body::Source { range, rewindable: false });
    }
    let Data(bytes) = body.into_plain()?;
    if length.is_some_and(|length| length != bytes.len() as u64) {
        return Err(format!("ContentLength {length:?} where Body has {} bytes", bytes.len()));
    }
    Ok(Body::Bytes(bytes.into()))
}
