//! What a response to DeleteObjects says of each object of the request.

use std::collections::BTreeMap;

use crate::s3::{DeleteError, DeletedObject, ObjectIdentifier};

/// The objects of a request that its response has not named yet, by their keys.
#[derive(Debug)]
pub(super) struct Objects(BTreeMap<String, Vec<ObjectIdentifier>>);

/// Errors with the objects that they are of, and errors of keys that were not requested.
type Failed = (Vec<(DeleteError, ObjectIdentifier)>, Vec<DeleteError>);

impl Objects {
    pub(super) fn new(objects: Vec<ObjectIdentifier>) -> Self {
        let mut keys: BTreeMap<String, Vec<ObjectIdentifier>> = BTreeMap::new();
        for object in objects {
            keys.entry(object.key.clone()).or_default().push(object);
        }
        Self(keys)
    }

    /// Takes the objects that were not removed.
    pub(super) fn failed(&mut self, errors: Vec<DeleteError>) -> Failed {
        let (mut failed, mut others) = (Vec::new(), Vec::new());
        for error in errors {
            match self.take(&error.key, error.version_id.as_deref()) {
                Some(object) => failed.push((error, object)),
                None => others.push(error),
            }
        }
        (failed, others)
    }

    /// Takes the objects that were removed. Returns how many there are. An object that was requested
    /// twice may be named once. A key that was not requested is word of none that was.
    pub(super) fn deleted(&mut self, deleted: &[DeletedObject]) -> u64 {
        let mut count = 0;
        for one in deleted {
            let Some(first) = self.take(&one.key, one.version_id.as_deref()) else { continue };
            count += 1;
            if let Some(same) = self.0.get_mut(&one.key) {
                let before = same.len();
                same.retain(|object| *object != first);
                count += (before - same.len()) as u64;
            }
        }
        count
    }

    /// Takes one that was not named.
    pub(super) fn any(&mut self) -> Option<ObjectIdentifier> {
        self.0.values_mut().rev().find_map(Vec::pop)
    }

    /// Returns those that were not named.
    pub(super) fn rest(self) -> Vec<ObjectIdentifier> {
        self.0.into_values().flatten().collect()
    }

    /// Takes the object of this key and version. A response may leave the version out, and may name
    /// one where none was requested.
    fn take(&mut self, key: &str, version_id: Option<&str>) -> Option<ObjectIdentifier> {
        let objects = self.0.get_mut(key)?;
        let is_it = |object: &ObjectIdentifier| match (version_id, object.version_id.as_deref()) {
            (Some(named), Some(own)) => named == own,
            (None, _) | (_, None) => true,
        };
        let exact = objects.iter().position(|object| object.version_id.as_deref() == version_id);
        let found = exact.or_else(|| objects.iter().position(is_it))?;
        Some(objects.remove(found))
    }
}

/// Returns whether the object is removed under a condition only.
pub(super) fn is_conditional(object: &ObjectIdentifier) -> bool {
    object.etag.is_some() || object.last_modified.is_some() || object.size.is_some()
}
