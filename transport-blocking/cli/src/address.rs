//! What an argument names: a location, or an object of a backend.
//!
//! ```text
//!  s3+https://host/bucket/key   the location that an image service keeps
//!  fast:logs/2026.txt           the object logs/2026.txt of the backend fast
//!  logs/2026.txt                the same, in the backend of --backend or in the default one
//!  what://ever                  an object: what is not the scheme of a location
//! ```

use crate::exit::Failure;
use crate::output::redacted;

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address<'a> {
    Location(&'a str),
    /// The id of a backend, if it is written, and the name of an object, or a prefix.
    Object(Option<&'a str>, &'a str),
}

impl<'a> Address<'a> {
    /// Reads an argument. `is_backend` tells whether a text is the id of a backend.
    pub(crate) fn read(
        argument: &'a str,
        is_backend: impl Fn(&str) -> bool,
    ) -> Result<Self, Failure> {
        if is_location(argument) {
            return Ok(Self::Location(argument));
        }
        if let Some((id, name)) = argument.split_once(':').filter(|(id, _)| is_backend(id)) {
            return Ok(Self::Object(Some(id), name));
        }
        if may_have_credentials(argument) {
            return Err(Failure::usage(
                "the argument looks like a URL with credentials, and its scheme is not one of a \
                 location: write BACKEND:NAME if it is the name of an object",
            ));
        }
        Ok(Self::Object(None, argument))
    }
}

/// Returns an argument as it may be printed: a name as it is, a location without credentials.
pub(crate) fn shown(argument: &str) -> String {
    match argument.split_once(':') {
        // The id of a backend is before a name that looks like a URL with credentials.
        Some((id, name))
            if !is_location(argument) && !id.is_empty() && may_have_credentials(name) =>
        {
            argument.to_owned()
        }
        _ => redacted(argument),
    }
}

/// Returns whether a text has the scheme of a location.
pub(crate) fn is_location(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)))
}

/// Returns whether a text may be a URL with credentials, which must not be printed or sent. A secret
/// may have a `/`.
fn may_have_credentials(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

/// The schemes of locations.
const SCHEMES: [&str; 7] =
    ["s3", "s3+http", "s3+https", "swift", "swift+http", "swift+https", "swift+config"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_locations_or_names() {
        let read = |text| Address::read(text, |id| ["fast", "s3"].contains(&id)).unwrap();
        for location in ["s3://h/b/k", "S3+HTTPS://AK:SK@h/b/k", "swift+config://ref1/c/o"] {
            assert_eq!(read(location), Address::Location(location));
        }
        assert_eq!(read("fast:a/b"), Address::Object(Some("fast"), "a/b"));
        assert_eq!(read("fast:"), Address::Object(Some("fast"), ""));
        assert_eq!(read("fast:s3://x"), Address::Object(Some("fast"), "s3://x"));
        assert_eq!(read("fast://x@y/z"), Address::Object(Some("fast"), "//x@y/z"));
        assert_eq!(read("s3:a"), Address::Object(Some("s3"), "a"));
        for name in ["a/b", "slow:a", "https://h/k", ":a", "", "a@b://c"] {
            assert_eq!(read(name), Address::Object(None, name));
        }
    }

    #[test]
    fn a_url_with_a_user_is_no_name() {
        let read = |text| Address::read(text, |_| false);
        for url in ["s33://AK:hunter2@h/b/k", "s33://AK:hun/ter2@h/b/k"] {
            assert!(read(url).unwrap_err().message.contains("BACKEND:NAME"));
        }
    }
}
