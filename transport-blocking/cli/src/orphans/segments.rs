//! The segments of the containers, and which of them are named by a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use apus_core::now::Timestamp;
use apus_core::swift::ListedObject;

use super::Named;
use super::names::Name;

/// An object of an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) container: String,
    pub(crate) object: String,
}

/// Every object whose name is one of a segment.
#[derive(Debug, Default)]
pub(super) struct Segments(BTreeMap<Place, Found>);

#[derive(Debug)]
struct Found {
    bytes: u64,
    modified: Option<Timestamp>,
    /// Whether a manifest names it.
    named: bool,
    /// Whether it has to be read: it may be a manifest itself.
    unread: bool,
    /// Whether it is left alone, since its object is not one of those that were asked for.
    other: bool,
}

/// The segments of one upload.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) container: String,
    pub(super) prefix: String,
    /// The object that the upload would have made, where it would be beside its segments, or in the
    /// container without `_segments`.
    pub(super) object: Option<Place>,
    pub(super) segments: Vec<String>,
    pub(super) bytes: u64,
    pub(super) newest: Option<Timestamp>,
}

impl Segments {
    /// Adds an object, if its name is one of a segment.
    pub(super) fn add(&mut self, container: &str, object: &ListedObject, prefix: &str) {
        let Some(name) = Name::read(&object.name) else { return };
        let place = Place { container: container.to_owned(), object: object.name.clone() };
        let found = Found {
            bytes: object.bytes.unwrap_or_default(),
            modified: object.last_modified,
            named: false,
            unread: true,
            other: !name.object.starts_with(prefix),
        };
        self.0.insert(place, found);
    }

    /// Returns all of them.
    pub(super) fn places(&self) -> BTreeSet<Place> {
        self.0.keys().cloned().collect()
    }

    /// Returns whether an upload is old enough.
    pub(super) fn has_old(&self, bound: Timestamp) -> bool {
        self.uploads(|found| !found.other).iter().any(|upload| is_old(upload, bound))
    }

    /// Marks what a manifest names.
    pub(super) fn mark(&mut self, named: &Named) {
        match named {
            Named::Object(place) => {
                if let Some(found) = self.0.get_mut(place) {
                    // It is no manifest, or the server would say so.
                    (found.named, found.unread) = (true, false);
                }
            }
            Named::Manifest(place) => {
                if let Some(found) = self.0.get_mut(place) {
                    found.named = true;
                }
            }
            Named::Prefix(container, prefix) => {
                let from = Place { container: container.clone(), object: prefix.clone() };
                let after = self.0.range_mut((Bound::Included(from), Bound::Unbounded));
                for (place, found) in after {
                    if place.container != *container || !place.object.starts_with(prefix) {
                        break;
                    }
                    found.named = true;
                }
            }
        }
    }

    /// Returns the segments that may be manifests, each once.
    pub(super) fn unread(&mut self) -> Vec<Place> {
        let mut unread = Vec::new();
        for (place, found) in self.0.iter_mut().filter(|(_, found)| found.unread) {
            found.unread = false;
            unread.push(place.clone());
        }
        unread
    }

    /// Returns the uploads without a manifest whose segments are all old, and how many others have
    /// younger ones.
    pub(super) fn orphans(&self, bound: Timestamp) -> (Vec<Upload>, usize) {
        // A named segment and others of the same upload that are not: the upload was made an object,
        // and the others are of no use.
        let all = self.uploads(|found| !found.named && !found.other);
        let (old, young): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|upload| is_old(upload, bound));
        (old, young.len())
    }

    fn uploads(&self, wanted: impl Fn(&Found) -> bool) -> Vec<Upload> {
        let mut uploads: BTreeMap<(String, String), Upload> = BTreeMap::new();
        for (place, found) in self.0.iter().filter(|(_, found)| wanted(found)) {
            let Some(name) = Name::read(&place.object) else { continue };
            let key = (place.container.clone(), name.prefix.to_owned());
            let upload = uploads.entry(key).or_insert_with(|| {
                let container = place.container.strip_suffix(super::SEGMENTS);
                let container = container.unwrap_or(&place.container).to_owned();
                Upload {
                    container: place.container.clone(),
                    prefix: name.prefix.to_owned(),
                    object: Some(Place { container, object: name.object.to_owned() }),
                    segments: Vec::new(),
                    bytes: 0,
                    newest: Some(Timestamp::from_unix(0)),
                }
            });
            upload.segments.push(place.object.clone());
            upload.bytes = upload.bytes.saturating_add(found.bytes);
            // Without a time, an upload is never old.
            upload.newest = upload.newest.zip(found.modified).map(|(one, other)| one.max(other));
        }
        uploads.into_values().collect()
    }
}

impl Upload {
    /// Returns the container and the prefix.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.container, self.prefix)
    }

    /// Returns whether a manifest names one of the segments.
    pub(super) fn is_named(&self, named: &Named) -> bool {
        match named {
            Named::Object(place) | Named::Manifest(place) => {
                place.container == self.container && place.object.starts_with(&self.prefix)
            }
            Named::Prefix(container, prefix) => {
                *container == self.container
                    && (self.prefix.starts_with(prefix) || prefix.starts_with(&self.prefix))
            }
        }
    }
}

fn is_old(upload: &Upload, bound: Timestamp) -> bool {
    upload.newest.is_some_and(|newest| newest.unix() <= bound.unix())
}
