//! Whether a file and an object are equal.

use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apus_core::http::ETag;
use apus_core::now::Timestamp;
use apus_core::swift;

use super::Compare;
use super::local::LocalFile;
use super::transfer::PART_SIZE;
use crate::exit::Failure;
use crate::objects::{Found, Objects};

/// Which side is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Returns whether a file and an object are equal, so far as `compare` looks.
pub(super) fn is_same(
    objects: &Objects<'_>,
    compare: Compare,
    direction: Direction,
    file: &LocalFile,
    found: &Found,
) -> Result<bool, Failure> {
    if compare == Compare::Not {
        return Ok(false);
    }
    let mut found = found.clone();
    if let Objects::Swift(account, _) = objects
        && found.size == Some(0)
        && file.size > 0
    {
        // The listing has the length of a dynamic large object's manifest.
        let head = account.call(swift::HeadObject::new(&found.container, &found.name))?;
        (found.size, found.etag) = (head.size, None);
    }
    if found.size != Some(file.size) {
        return Ok(false);
    }
    let by_time = || is_same_time(direction, file.modified, found.modified);
    match (compare, &found.etag) {
        (Compare::Size, _) => Ok(true),
        (Compare::ETag, Some(etag)) => {
            let open = || File::open(&file.at).map_err(|error| Failure::file(&file.at, &error));
            let read = |result: std::io::Result<bool>| {
                result.map_err(|error| Failure::file(&file.at, &error))
            };
            match (objects, found.segmented) {
                (Objects::Swift(_, store), true) => {
                    let size = store.options().segment_size();
                    Ok(read(etag.is_of_segments(open()?, size))? || by_time())
                }
                _ if is_of_parts(etag) => Ok(read(etag.is_of(open()?, PART_SIZE))? || by_time()),
                _ => read(etag.is_of(open()?, PART_SIZE)),
            }
        }
        _ => Ok(by_time()),
    }
}

/// Whether an ETag depends on the size of parts, which only their uploader knows.
fn is_of_parts(etag: &ETag) -> bool {
    etag.as_str().contains('-')
}

/// A file that was uploaded is not newer than its object; one that was downloaded has the object's
/// time. Objects have whole seconds: a file that was changed in the second of its upload is newer.
fn is_same_time(direction: Direction, file: Option<SystemTime>, object: Option<Timestamp>) -> bool {
    let Some((file, object)) = file.zip(object) else { return false };
    let Ok(file) = file.duration_since(UNIX_EPOCH) else { return direction == Direction::Up };
    let Ok(object) = u64::try_from(object.unix()) else { return false };
    match direction {
        Direction::Up => file <= Duration::from_secs(object),
        Direction::Down => file.as_secs() == object,
    }
}

/// Returns the time that a downloaded file gets.
pub(super) fn time_of(found: &Found) -> Option<SystemTime> {
    let seconds = u64::try_from(found.modified?.unix()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
