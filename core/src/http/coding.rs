//! The content coding of a response, compared with the one that the object is stored with.
//!
//! Objects must arrive byte for byte as they are stored, so that no coding is requested.
//! Nevertheless a gateway may add one, or a store may remove the one that the object has. The
//! response is then valid HTTP, but its bytes are not those of the object.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, HeaderName, WARNING};

use crate::error::Error;

/// What is known about the coding that an object is stored with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// The coding does not matter.
    #[default]
    Any,
    /// Nothing is known: a coded response is rejected, and a HEAD finds out.
    Untold,
    /// This coding, as returned by [`Coding::of`]; `None` for no coding.
    Stored(Option<String>),
}

impl Coding {
    /// Returns the codings in a head, in lower case and separated by commas, if any. `identity` and
    /// `aws-chunked` are left out: neither is a coding of the object.
    pub fn of(headers: &HeaderMap) -> Option<String> {
        if !headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let fields = headers.get_all(CONTENT_ENCODING).iter();
        let texts = fields.map(|field| String::from_utf8_lossy(field.as_bytes()));
        Self::read(&texts.collect::<Vec<_>>().join(","))
    }

    /// Parses the value of `Content-Encoding` in the same way as [`of`](Self::of).
    pub(crate) fn read(text: &str) -> Option<String> {
        let words = text.split(',').map(|word| word.trim().to_ascii_lowercase());
        let codings: Vec<String> =
            words.filter(|word| !matches!(&**word, "" | "identity" | "aws-chunked")).collect();
        (!codings.is_empty()).then(|| codings.join(","))
    }

    /// Checks that a response does not say itself that it differs from what is stored.
    ///
    /// # Errors
    ///
    /// It says so.
    pub(crate) fn untouched(headers: &HeaderMap) -> Result<(), Error> {
        // RFC 7234, section 5.5.6: a proxy or a store has transformed the content.
        let mut stored = None;
        // One pass, because the fields are few, and neither name is one of them as a rule.
        for (name, value) in headers {
            if *name == WARNING && value.as_bytes().starts_with(b"214") {
                return Err(changed("the response has `Warning: 214` (transformation applied)"));
            }
            if stored.is_none() && *name == STORED {
                stored = Some(value);
            }
        }
        if let Some(stored) = stored {
            let mut own = HeaderMap::new();
            own.insert(CONTENT_ENCODING, stored.clone());
            let (stored, told) = (Self::of(&own), Self::of(headers));
            if stored != told {
                return Err(differs(told.as_deref(), stored.as_deref()));
            }
        }
        Ok(())
    }

    /// Checks that a response with these headers has the stored bytes.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        if *self == Self::Any {
            return Ok(());
        }
        Self::untouched(headers)?;
        match (self, Self::of(headers)) {
            (Self::Untold, Some(told)) => Err(coded_in_doubt(&told)),
            (Self::Stored(stored), told) if *stored != told => {
                Err(differs(told.as_deref(), stored.as_deref()))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the error for a response coded as `told` of an object stored as `stored`.
pub(crate) fn differs(told: Option<&str>, stored: Option<&str>) -> Error {
    let name = |coding: Option<&str>| match coding {
        Some(coding) => format!("content coding {coding:?}"),
        None => "no content coding".to_owned(),
    };
    changed(&format!("the response has {}, and the stored object has {}", name(told), name(stored)))
}

/// Returns the error for a coded response if nothing proves that the object is stored that way.
pub(crate) fn coded_in_doubt(told: &str) -> Error {
    changed(&format!(
        "the response has content coding {told:?}, and the coding of the stored object is unknown"
    ))
}

fn changed(why: &str) -> Error {
    Error::integrity(format!("the object may have been transformed in transit: {why}"))
        .with_hint("disable response compression in the gateway or the store for this endpoint")
}

/// Google Cloud Storage sends in it how the object is stored.
const STORED: HeaderName = HeaderName::from_static("x-goog-stored-content-encoding");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn codings_are_compared_however_they_are_written() {
        let of = |value| Coding::of(&headers(&[("content-encoding", value)]));
        assert_eq!(of("GZIP , br").as_deref(), Some("gzip,br"));
        assert_eq!(of("aws-chunked,gzip").as_deref(), Some("gzip"));
        assert_eq!((of("identity"), of(""), of("aws-chunked")), (None, None, None));
        let gzip = headers(&[("content-encoding", "gzip")]);
        let plain = headers(&[]);
        let stored = Coding::Stored(Some("gzip".to_owned()));
        assert!(stored.check(&gzip).is_ok() && stored.check(&plain).is_err());
        assert!(Coding::Stored(None).check(&gzip).is_err());
        assert!(Coding::Stored(None).check(&plain).is_ok());
        assert!(Coding::Untold.check(&gzip).is_err() && Coding::Untold.check(&plain).is_ok());
        assert!(Coding::Any.check(&gzip).is_ok());
    }

    // Google Cloud Storage, "Transcoding of gzip-compressed files".
    #[test]
    fn a_store_that_decompresses_is_found_out() {
        let stored = ("x-goog-stored-content-encoding", "gzip");
        let warning = ("warning", "214 UploadServer gunzipped");
        assert!(Coding::untouched(&headers(&[stored])).is_err());
        assert!(Coding::untouched(&headers(&[warning])).is_err());
        assert!(Coding::untouched(&headers(&[stored, ("content-encoding", "gzip")])).is_ok());
        let plain = ("x-goog-stored-content-encoding", "identity");
        assert!(Coding::untouched(&headers(&[plain])).is_ok());
    }
}
