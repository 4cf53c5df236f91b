//! What a server says of a stored object.

use apus_core::location::{S3Location, SwiftLocation};
use apus_core::store::{Properties, StoreBackend, StoredImage};
use apus_core::{s3, swift};

use crate::exit::Failure;
use crate::open::Open;

/// Size, ETag and properties of an object.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) size: Option<u64>,
    /// Without quotes.
    pub(crate) etag: Option<String>,
    /// The MD5 of the bytes in hex, where the ETag has the form of one. Some servers have other ETags
    /// of this form.
    pub(crate) md5: Option<String>,
    pub(crate) properties: Properties,
    /// What else is stored with it, which only a copy by the server has.
    pub(crate) others: Vec<&'static str>,
}

/// Requests them. `None` for an object outside of all backends.
pub(crate) fn of(open: &Open, stored: &StoredImage) -> Result<Option<Head>, Failure> {
    let address = open.stores.core().access(stored)?.outcome;
    let backend = address.backend.as_deref().filter(|_| !address.own_credentials);
    let backend = backend.map(|id| open.named(id)).transpose()?;
    let mut others = Vec::new();
    let mut note = |is: bool, what| is.then(|| others.push(what));
    let (size, etag, is_large, properties) = match backend {
        Some(StoreBackend::S3(store)) => {
            let (location, _) = S3Location::parse(&address.url, &[store.options().place()?])?;
            let head = s3::HeadObject::new(location.bucket(), location.key());
            let head = open.bucket(store)?.call(head).map_err(open.at(stored))?;
            note(head.tag_count.is_some_and(|count| count > 0), "tags");
            note(head.website_redirect_location.is_some(), "a redirection");
            note(head.lock_mode.is_some() || head.legal_hold.is_some(), "a lock");
            let properties = Properties::from(&head);
            (head.size, head.etag.map(|etag| etag.to_string()), false, properties)
        }
        Some(StoreBackend::Swift(store)) => {
            let (location, _) = SwiftLocation::parse(&address.url, &[])?;
            let head = swift::HeadObject::new(location.container(), location.object());
            let head = open.account(store)?.call(head).map_err(open.at(stored))?;
            note(head.delete_at.is_some(), "a time of its deletion");
            let (is_large, properties) = (head.is_large(), Properties::from(&head));
            (head.size, head.etag.map(|etag| etag.to_string()), is_large, properties)
        }
        _ => return Ok(None),
    };
    let etag = etag.map(|etag| etag.trim_matches('"').to_owned());
    let is_md5 = |etag: &&String| etag.len() == 32 && etag.bytes().all(|it| it.is_ascii_hexdigit());
    let md5 = etag.as_ref().filter(is_md5).filter(|_| !is_large).map(|it| it.to_lowercase());
    Ok(Some(Head { size, etag, md5, properties, others }))
}
