//! Attributes and tags as the properties of an object.

use std::collections::BTreeMap;

use apus_async::s3;

use super::errors::not_supported;
use super::object_store::{Attribute, AttributeValue, Attributes, Result, TagSet};

/// The properties that both protocols have.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) storage_class: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Common {
    /// Reads what a caller sets.
    pub(super) fn of(attributes: &Attributes) -> Result<Self> {
        let mut common = Self::default();
        for (attribute, value) in attributes {
            let value = value.as_ref().to_owned();
            match attribute {
                Attribute::CacheControl => common.cache_control = Some(value),
                Attribute::ContentDisposition => common.content_disposition = Some(value),
                Attribute::ContentEncoding => common.content_encoding = Some(value),
                Attribute::ContentLanguage => common.content_language = Some(value),
                Attribute::ContentType => common.content_type = Some(value),
                Attribute::StorageClass => common.storage_class = Some(value),
                Attribute::Metadata(name) => {
                    common.metadata.insert(name.to_string(), value);
                }
                other => return Err(not_supported(format!("the attribute {other:?}"))),
            }
        }
        Ok(common)
    }

    /// Returns what a caller reads.
    pub(super) fn attributes(self) -> Attributes {
        let fixed = [
            (Attribute::CacheControl, self.cache_control),
            (Attribute::ContentDisposition, self.content_disposition),
            (Attribute::ContentEncoding, self.content_encoding),
            (Attribute::ContentLanguage, self.content_language),
            (Attribute::ContentType, self.content_type),
            (Attribute::StorageClass, self.storage_class),
        ];
        let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let metadata = self.metadata.into_iter();
        let metadata = metadata.map(|(name, value)| (Attribute::Metadata(name.into()), value));
        fixed.chain(metadata).map(|(name, value)| (name, AttributeValue::from(value))).collect()
    }
}

pub(super) fn s3(attributes: &Attributes, tags: &TagSet) -> Result<s3::Properties> {
    let common = Common::of(attributes)?;
    Ok(s3::Properties {
        cache_control: common.cache_control,
        content_disposition: common.content_disposition,
        content_encoding: common.content_encoding,
        content_language: common.content_language,
        content_type: common.content_type,
        storage_class: common.storage_class,
        metadata: common.metadata,
        tagging: url::form_urlencoded::parse(tags.encoded().as_bytes()).collect(),
        ..s3::Properties::default()
    })
}

pub(super) fn of_s3(head: s3::ObjectHead) -> Attributes {
    let common = Common {
        cache_control: head.cache_control,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_type: head.content_type,
        storage_class: head.storage_class,
        metadata: head.metadata,
    };
    common.attributes()
}
