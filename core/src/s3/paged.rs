//! Lists that are read page by page.

use super::*;
use crate::contract::Paged;
use crate::error::Error;

/// Implements [`Paged`] for a list whose pages may hold common prefixes beside the items.
macro_rules! paged {
    ($operation:ident, $item:ty, [$($list:ident),+], |$page:ident| $items:expr) => {
        impl Paged for $operation {
            type Item = $item;

            fn next_page(&self, page: &Self::Output) -> Result<Option<Self>, Error> {
                self.next(page)
            }

            fn is_empty(page: &Self::Output) -> bool {
                $(page.$list.is_empty())&&+
            }

            fn items($page: Self::Output) -> Result<Vec<$item>, Error> {
                $items
            }
        }
    };
}

paged!(ListBuckets, Bucket, [buckets], |page| Ok(page.buckets));
paged!(ListObjectAnnotations, AnnotationEntry, [annotations], |page| Ok(page.annotations));
paged!(ListParts, Part, [parts], |page| Ok(page.parts));
paged!(ListObjectsV2, Object, [contents, common_prefixes], |page| only(
    page.contents,
    &page.common_prefixes
));
paged!(ListObjects, Object, [contents, common_prefixes], |page| only(
    page.contents,
    &page.common_prefixes
));
paged!(ListMultipartUploads, MultipartUpload, [uploads, common_prefixes], |page| only(
    page.uploads,
    &page.common_prefixes
));
paged!(ListObjectVersions, Version, [versions, delete_markers, common_prefixes], |page| {
    let versions = page.versions.into_iter().map(Version::Object);
    let markers = page.delete_markers.into_iter().map(Version::DeleteMarker);
    only(versions.chain(markers).collect(), &page.common_prefixes)
});

/// An item of [`ListObjectVersions`]. The versions of a page come before its delete markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// A version of an object.
    Object(ObjectVersion),
    /// A delete marker.
    DeleteMarker(DeleteMarker),
}

/// Returns the items of a page that has no common prefixes.
fn only<T>(items: Vec<T>, common_prefixes: &[String]) -> Result<Vec<T>, Error> {
    match common_prefixes.first() {
        None => Ok(items),
        Some(first) => Err(Error::invalid_input(format!(
            "the list has common prefixes ({first:?}) beside its items: list the pages instead, or \
             leave out the delimiter"
        ))),
    }
}
