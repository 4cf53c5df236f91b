//! Dynamic large objects: the segments that a listing shows now.

use std::ops::Range;

use super::super::digest::md5_hex;
use super::super::message::decode;
use super::OpenStackModel;
use super::objects::SwiftObject;
use super::operation::{Call, Target};
use super::reads::{Piece, Readable, slice};
use super::reply::{self, Refusal};

/// Checks `X-Object-Manifest`: container and prefix, escaped, without a leading slash and without
/// `?`.
pub(super) fn check_manifest(call: &Call<'_>) -> Result<(), Refusal> {
    let Some(manifest) = call.header("x-object-manifest") else { return Ok(()) };
    let good = manifest
        .split_once('/')
        .is_some_and(|(container, prefix)| !container.is_empty() && !prefix.is_empty())
        && !manifest.contains(['?', '&']);
    match good {
        true => Ok(()),
        false => {
            let text = "X-Object-Manifest must be in the format container/prefix";
            Err(reply::said(400, text).into())
        }
    }
}

impl OpenStackModel {
    /// Returns the present content of a dynamic large object.
    pub(super) fn dlo(&self, target: &Target, manifest: &SwiftObject) -> Result<Readable, Refusal> {
        let segments = self.dlo_segments(target, manifest)?;
        let tags: String = segments.iter().map(|segment| segment.etag.as_str()).collect();
        Ok(Readable {
            etag: md5_hex(tags.as_bytes()),
            quoted: true,
            length: segments.iter().map(|segment| segment.body.len() as u64).sum(),
            stored: false,
            extra: Vec::new(),
        })
    }

    pub(super) fn dlo_piece(
        &self,
        target: &Target,
        manifest: &SwiftObject,
        range: Range<u64>,
    ) -> Result<Piece, Refusal> {
        let mut bytes = Vec::new();
        let mut start = 0;
        for segment in self.dlo_segments(target, manifest)? {
            let own = start..start + segment.body.len() as u64;
            start = own.end;
            if own.end > range.start && own.start < range.end {
                let from = range.start.max(own.start) - own.start;
                let to = range.end.min(own.end) - own.start;
                bytes.extend_from_slice(&slice(&segment.body, from..to));
            }
        }
        Ok(Piece { bytes: bytes.into(), whole: true })
    }

    /// Without segments the object is empty; without a container it is not found.
    fn dlo_segments(
        &self,
        target: &Target,
        manifest: &SwiftObject,
    ) -> Result<Vec<&SwiftObject>, Refusal> {
        let none = || Refusal::from(reply::page(404));
        let path = manifest.header("x-object-manifest").and_then(|path| decode(path, false));
        let path = path.ok_or_else(none)?;
        let (container, prefix) = path.split_once('/').ok_or_else(none)?;
        let at = target.sibling(container, "");
        let container = self.container(&at).ok_or_else(none)?;
        let segments = container.objects.range(prefix.to_owned()..);
        Ok(segments
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(name, segment)| self.is_listed(name, segment))
            .map(|(_, segment)| segment)
            .collect())
    }
}
