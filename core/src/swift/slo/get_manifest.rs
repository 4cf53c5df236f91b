//! GET of the manifest of a static large object.

use serde_json::Value;

use crate::error::Kind;
use crate::swift::object::ObjectHead;
use crate::swift::operation::*;
use crate::swift::slo::{Segment, slo_etag};

operation! {
    /// Shows the segments of a static large object. "Static Large Objects", Swift:
    /// `?multipart-manifest=get`.
    ///
    /// ```
    /// use apus_core::swift::GetManifest;
    ///
    /// let mut get = GetManifest::new("images", "debian");
    /// // As it was put, for `PutSlo` again, without what the server added.
    /// get.raw = true;
    /// ```
    pub struct GetManifest on manifest {
        /// Whether the manifest is returned as it was sent: `format=raw`. It then does not show
        /// which segments are large objects themselves.
        pub raw: bool,
    }
}

/// The manifest of a static large object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The segments, in order.
    pub segments: Vec<Segment>,
    /// What the headers say about the manifest: their length and ETag are those of the document.
    pub head: ObjectHead,
}

impl Manifest {
    /// Returns the bytes of the large object; `None` if a segment has no length.
    pub fn size(&self) -> Option<u64> {
        self.segments.iter().try_fold(0u64, |sum, segment| sum.checked_add(segment.length()?))
    }

    /// Returns the large object's ETag; `None` if a segment has none.
    pub fn etag(&self) -> Option<String> {
        slo_etag(&self.segments)
    }

    /// Reads the document, of either form.
    ///
    /// # Errors
    ///
    /// It is not a list of segments; the error names the wrong entry, and why. A length or a range
    /// that can't be read is no error: the length of the segment is then not known.
    pub fn segments(document: &[u8]) -> Result<Vec<Segment>, Error> {
        let entries: Vec<Value> = crate::http::json::parse(document).map_err(|why| {
            Error::invalid_response(format!("the manifest is not valid JSON: {why}"))
        })?;
        let segments = entries.iter().enumerate().map(|(at, entry)| {
            Segment::read(entry)
                .map_err(|why| Error::invalid_response(format!("entry {at} of the manifest {why}")))
        });
        segments.collect()
    }
}

impl Operation for GetManifest {
    facts!(GetManifest in container: Read -> Manifest);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.container, &self.object)?
            .query("multipart-manifest", Some("get"))
            .query("format", self.raw.then_some("raw"))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Manifest, Error> {
        error::carried_out(reply)?;
        let head = ObjectHead::read(reply);
        if !head.is_slo {
            let what = "the object is not a static large object";
            return Err(error::named(Error::new(Kind::Refused, what), reply));
        }
        let segments = Manifest::segments(&reply.body)
            .map_err(|error| error::named(error.with_status(reply.status()), reply))?;
        Ok(Manifest { segments, head })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{parsed, sent};
    use crate::swift::types::ByteRange;

    const SLO: &str = "x-static-large-object: True\netag: 0d599f0ec05c3bda8c3b8a68c32a1b47";

    fn manifest(body: &str) -> Result<Manifest, Error> {
        parsed(&GetManifest::new("c", "o"), 200, SLO, body)
    }

    // One large object, as Swift returns it without and with `format=raw`.
    #[test]
    fn both_forms() {
        let told = r#"[
            {"name": "/seg/a b/1", "hash": "f814893777bcc2295fff05f00e508da6", "bytes": 6,
             "content_type": "text/plain", "last_modified": "2025-01-02T03:04:05.123456"},
            {"name": "/seg/2", "hash": "7d793037a0760186574b0282f2f435e7", "bytes": 5,
             "range": "1-2", "sub_slo": true},
            {"data": "aGVsbG8="}]"#;
        let raw = r#"[
            {"etag": "f814893777bcc2295fff05f00e508da6", "path": "/seg/a b/1", "size_bytes": 6},
            {"etag": "7d793037a0760186574b0282f2f435e7", "path": "/seg/2", "range": "1-2",
             "size_bytes": 5},
            {"data": "aGVsbG8="}]"#;
        let (told, raw) = (manifest(told).unwrap(), manifest(raw).unwrap());
        assert_eq!(told.size(), Some(6 + 2 + 5));
        assert_eq!(told.size(), raw.size());
        assert_eq!(told.etag(), raw.etag());
        let [Segment::Object(first), Segment::Object(second), Segment::Data(data)] =
            &*told.segments
        else {
            panic!("{told:?}");
        };
        assert_eq!((&*first.container, &*first.object), ("seg", "a b/1"));
        assert_eq!(first.last_modified.unwrap().iso8601(), "2025-01-02T03:04:05Z");
        assert_eq!(second.range, Some(ByteRange::Span(1..3)));
        assert!(second.is_slo && !first.is_slo);
        assert_eq!(data, "hello");
        let line = sent(&GetManifest { raw: true, ..GetManifest::new("c", "o") }).unwrap();
        assert_eq!(line, "GET /c/o?multipart-manifest=get&format=raw");
    }

    #[test]
    fn a_manifest_that_makes_no_sense() {
        for (body, why) in [
            ("", "the manifest is not valid JSON: EOF while parsing a value at line 1 column 0"),
            ("[1]", "entry 0 of the manifest is not an object"),
            ("[{}]", "entry 0 of the manifest has no name"),
            (
                r#"[{"name": "/c"}]"#,
                "entry 0 of the manifest has a name that is not CONTAINER/OBJECT",
            ),
            (r#"[{"data": "?"}]"#, "entry 0 of the manifest has data that is not base64"),
        ] {
            assert_eq!(manifest(body).unwrap_err().message(), why);
        }
        for unknown in [r#""bytes": -1"#, r#""bytes": 5, "range": "5-1""#] {
            let entry = format!(r#"[{{"name": "/c/o", {unknown}}}]"#);
            assert_eq!(manifest(&entry).unwrap().size(), None);
        }
        let huge = r#"[{"name": "/c/a", "bytes": 18446744073709551615}, {"data": "aGVsbG8="}]"#;
        assert_eq!(manifest(huge).unwrap().size(), None);
        let plain = parsed(&GetManifest::new("c", "o"), 200, "", "[]").unwrap_err();
        assert_eq!(plain.message(), "the object is not a static large object");
    }
}
