//! Which names are those of segments.
//!
//! | written by | name |
//! | --- | --- |
//! | apus | `object/id/size/segment size/00000001`, `stream` for an unknown size |
//! | swiftclient | `object/mtime/size/segment size/00000000`, `object/slo/mtime/…` |
//! | glance_store | `image id-00001` |
//!
//! A name of glance_store's form counts only after a UUID, as Glance's ids are: a name such as
//! `backup-00001` is as likely that of an object of its own.

/// A name that is one of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// The object; it may be shortened where its name is long.
    pub(super) object: &'a str,
    /// What the names of all segments of the upload begin with.
    pub(super) prefix: &'a str,
}

impl<'a> Name<'a> {
    /// Reads a name; `None` if it is not one of a segment.
    pub(super) fn read(name: &'a str) -> Option<Self> {
        Self::numbered(name).or_else(|| Self::of_glance(name))
    }

    fn numbered(name: &'a str) -> Option<Self> {
        let (rest, number) = name.rsplit_once('/')?;
        let (rest, segment) = rest.rsplit_once('/')?;
        let (rest, size) = rest.rsplit_once('/')?;
        let (object, id) = rest.rsplit_once('/')?;
        let is_stream = size == "stream" && !id.is_empty();
        let is_sized = digits(size) && !id.is_empty();
        if !(is_stream || is_sized) || !digits(segment) || !digits(number) || number.len() < 8 {
            return None;
        }
        let prefix = name.get(..name.len() - number.len())?;
        let object = object.strip_suffix("/slo").unwrap_or(object);
        Some(Self { object, prefix }).filter(|name| !name.object.is_empty())
    }

    fn of_glance(name: &'a str) -> Option<Self> {
        let (object, number) = name.rsplit_once('-')?;
        let prefix = name.get(..object.len() + 1)?;
        (number.len() == 5 && digits(number) && is_uuid(object)).then_some(Self { object, prefix })
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0e0b3f0c-4f11-4f22-8000-0123456789ab";

    #[test]
    fn segments_are_known_by_their_names() {
        for (name, object, prefix) in [
            ("a/b/77/50000/1000/00000042", "a/b", "a/b/77/50000/1000/"),
            ("o/77/stream/1000/0000000042", "o", "o/77/stream/1000/"),
            ("o/1700000000.123456/5/2/00000000", "o", "o/1700000000.123456/5/2/"),
            ("o/slo/1700000000.1/5/2/00000000", "o", "o/slo/1700000000.1/5/2/"),
            (&format!("{ID}-00001"), ID, &format!("{ID}-")),
        ] {
            assert_eq!(Name::read(name), Some(Name { object, prefix }), "{name}");
        }
        for name in [
            "backup-00001",
            "a/b/c/d/e",
            "a/1/2/3/4",
            "1/2/3/00000001",
            "o/77/50000/1000/0000042",
            "o/77/50000/1000/0000004x",
            "o//50000/1000/00000042",
            &format!("{ID}-000001"),
            &format!("{ID}-0000x"),
            &format!("x{ID}-00001"),
            ID,
            "",
        ] {
            assert_eq!(Name::read(name), None, "{name}");
        }
    }
}
