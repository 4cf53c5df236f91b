//! PUT of the manifest of a static large object.

use http::StatusCode;
use serde_json::Value;

use crate::checksum;
use crate::swift::commit_check::{Evidence, another};
use crate::swift::object::{Stored, same_md5};
use crate::swift::operation::*;
use crate::swift::report::Report;
use crate::swift::slo::{GetManifest, Segment, slo_etag};
use crate::swift::types::{ETag, Properties};

/// Creates a static large object from segments that exist. "Static Large Objects", Swift:
/// `?multipart-manifest=put`.
///
/// The server checks every segment first, which may take longer than a connection is kept open.
/// With `heartbeat` it responds at once, and the response's body has the outcome.
///
/// ```
/// use apus_core::swift::{ObjectSegment, PutSlo, Segment};
///
/// let segment = ObjectSegment::new("images_segments", "debian/00000001");
/// let put = PutSlo::new("images", "debian", vec![Segment::Object(segment)]);
/// // Blanks before the response keep the connection open; an error then comes with status 200.
/// assert!(put.heartbeat);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutSlo {
    /// The container of the manifest.
    pub container: String,
    /// The large object's name.
    pub object: String,
    /// The segments, in order. Servers accept 1,000 objects unless `/info` says otherwise.
    pub segments: Vec<Segment>,
    /// The properties to store with the object.
    pub properties: Properties,
    /// Whether to store it only if no object of this name exists.
    pub if_absent: bool,
    /// Whether the server sends blanks to keep the connection open while it checks the segments.
    pub heartbeat: bool,
    /// The ETag that the large object must have; the server refuses another.
    pub etag: Option<ETag>,
}

impl PutSlo {
    /// Creates a request with these segments, and with heartbeats.
    pub fn new(
        container: impl Into<String>,
        object: impl Into<String>,
        segments: Vec<Segment>,
    ) -> Self {
        Self {
            container: container.into(),
            object: object.into(),
            segments,
            properties: Properties::default(),
            if_absent: false,
            heartbeat: true,
            etag: None,
        }
    }
}

/// The response to [`PutSlo`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SloStored {
    /// The ETag of the large object; empty if the server sent none.
    pub etag: ETag,
    /// When the manifest was written.
    pub last_modified: Option<Timestamp>,
    /// The id of the request in the server's log: `X-Trans-Id`.
    pub trans_id: Option<String>,
}

impl Operation for PutSlo {
    facts!(PutSlo in container: Idempotent -> SloStored);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut entries = Vec::with_capacity(self.segments.len());
        for (at, segment) in self.segments.iter().enumerate() {
            let entry = segment.write().map_err(|error| {
                Error::invalid_input(format!("segment {at}: {}", error.message()))
            })?;
            entries.push(entry);
        }
        Request::object(service, Self::NAME, Method::PUT, &self.container, &self.object)?
            .query("multipart-manifest", Some("put"))
            .query("heartbeat", self.heartbeat.then_some("on"))
            .report()
            .with(&self.properties)
            .header("if-none-match", self.if_absent.then_some("*"))
            .etag(self.etag.as_ref())
            .document(Value::Array(entries).to_string())
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<SloStored, Error> {
        let stored = Stored::read(reply);
        if let Err(error) = error::carried_out_or_accepted(reply) {
            return Err(match Report::read(&reply.body) {
                Some(report) if report.is_unauthorized() => {
                    error::told(reply, StatusCode::UNAUTHORIZED, report.message())
                }
                Some(report) => report.refusal(reply, reply.status()),
                None => error,
            });
        }
        // A server without heartbeats responds with 201 and an empty body.
        if reply.body.iter().all(u8::is_ascii_whitespace) && reply.status() != StatusCode::ACCEPTED
        {
            return Ok(SloStored {
                etag: stored.etag,
                last_modified: stored.last_modified,
                trans_id: stored.trans_id,
            });
        }
        let report = Report::read(&reply.body)
            .filter(|report| report.status.is_some())
            .ok_or_else(|| {
                error::broken(reply, "the response does not state whether the manifest was stored")
            })?;
        report.settled(reply)?;
        if !report.errors.is_empty() {
            let what = "the response states that the manifest was stored, and that segments failed";
            return Err(error::broken(reply, what));
        }
        Ok(SloStored {
            etag: report.etag.unwrap_or(stored.etag),
            last_modified: report.last_modified.or(stored.last_modified),
            trans_id: stored.trans_id,
        })
    }

    fn confirm(&self, output: &SloStored, _: &[checksum::Value]) -> Result<(), Error> {
        slo_etag(&self.segments).map_or(Ok(()), |etag| same_md5(&output.etag, &etag))
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<SloStored> {
        let place = (self.container.as_str(), self.object.as_str());
        let evidence = Evidence::of_slo(&self.segments).with(&self.properties);
        let head = match evidence.recover(service, doubt, place, self.if_absent) {
            Recovery::Done(head) => head,
            open => return open.map(|_| SloStored::default()),
        };
        // A large object that another client made of equal segments has the same ETag.
        let manifest = GetManifest::new(&self.container, &self.object);
        let Some(told) = doubt.looks.get(1) else {
            return manifest.draft(service).map_or(Recovery::Unknown, Recovery::Look);
        };
        // A refusal shows nothing. Ceph does not return the manifest, but something else.
        if !told.status().is_success() {
            return Recovery::Unknown;
        }
        let told = manifest.parse(service, told).map(|manifest| manifest.segments);
        let is_ours = |(ours, theirs): (&Segment, &Segment)| match (ours, theirs) {
            (Segment::Object(a), Segment::Object(b)) => {
                (&a.container, &a.object) == (&b.container, &b.object)
            }
            (a, b) => a == b,
        };
        match told.unwrap_or_default() {
            told if told.is_empty() || self.segments.iter().zip(&told).all(is_ours) => {
                let (etag, last_modified) = (head.etag.unwrap_or_default(), head.last_modified);
                Recovery::Done(SloStored { etag, last_modified, trans_id: head.trans_id })
            }
            _ => another(doubt, self.if_absent),
        }
    }

    /// Ceph's gateway ignores the condition.
    fn looks_before_repeating(&self, _: &Service) -> bool {
        self.if_absent
    }

    fn look_at(&self) -> String {
        format!("the manifest of {}/{}", self.container, self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::slo::ObjectSegment;
    use crate::swift::testing::{parsed, sent, service};

    fn put() -> PutSlo {
        let hello = ETag::from("f814893777bcc2295fff05f00e508da6");
        let world = ETag::from("7d793037a0760186574b0282f2f435e7");
        let segments = vec![
            Segment::Object(ObjectSegment::stored("seg", "o/1", hello, 6)),
            Segment::Object(ObjectSegment::stored("seg", "o/2", world, 5)),
        ];
        PutSlo::new("c", "o", segments)
    }

    #[test]
    fn the_manifest_that_is_sent() {
        let mut put = put();
        put.etag = Some("\"a9241ba5acd28b215123d94a556f0dcc\"".into());
        put.properties.content_type = Some("image/x".into());
        let entries =
            r#"[{"etag":"f814893777bcc2295fff05f00e508da6","path":"/seg/o/1","size_bytes":6},"#;
        let entries = entries.to_owned()
            + r#"{"etag":"7d793037a0760186574b0282f2f435e7","path":"/seg/o/2","size_bytes":5}]"#;
        assert_eq!(
            sent(&put).unwrap(),
            format!(
                "PUT /c/o?multipart-manifest=put&heartbeat=on\n\
                 accept: application/json\n\
                 content-type: image/x\n\
                 etag: a9241ba5acd28b215123d94a556f0dcc\n\n{entries}"
            )
        );
        put.segments.push(Segment::Object(ObjectSegment::new("", "x")));
        let error = crate::swift::testing::refused(&put);
        assert_eq!(error, "segment 2: the container name is empty");
    }

    // "Static Large Objects", Swift: the example of a response with heartbeats, as JSON and text.
    #[test]
    fn the_outcome_stands_in_the_body() {
        let json = "   \r\n\r\n{\"Response Status\": \"201 Created\", \"Response Body\": \"\", \
            \"Etag\": \"\\\"8f481cede6d2ddc07cb36aa084d9a64d\\\"\", \
            \"Last Modified\": \"Wed, 25 Oct 2017 17:08:55 GMT\", \"Errors\": []}";
        let text = "  \r\n\r\nResponse Status: 201 Created\nResponse Body: \n\
            Etag: \"8f481cede6d2ddc07cb36aa084d9a64d\"\n\
            Last Modified: Wed, 25 Oct 2017 17:08:55 GMT\nErrors:\n";
        for body in [json, text] {
            let stored = parsed(&put(), 202, "x-trans-id: tx1", body).unwrap();
            assert_eq!(stored.etag, ETag::from("8f481cede6d2ddc07cb36aa084d9a64d"));
            assert_eq!(stored.last_modified.unwrap().unix(), 1_508_951_335);
            assert_eq!(stored.trans_id.as_deref(), Some("tx1"));
            let error = put().confirm(&stored, &[]).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::Integrity);
        }
        let stored = parsed(&put(), 201, "etag: \"a9241ba5acd28b215123d94a556f0dcc\"", "").unwrap();
        put().confirm(&stored, &[]).unwrap();
    }

    // Swift 2.38, with and without heartbeat.
    #[test]
    fn segments_that_are_not_what_they_should_be() {
        let json = r#"{"Errors": [["/seg/o%201", "404 Not Found"], ["/seg/o", "Etag Mismatch"]]}"#;
        let text = "Errors:\n/seg/o%201, 404 Not Found\n/seg/o, Etag Mismatch";
        let late = "  \r\n\r\n{\"Response Status\": \"400 Bad Request\", \"Response Body\": \"Bad \
            Request\\nThe server could not comply with the request\", \"Errors\": \
            [[\"/seg/o%201\", \"404 Not Found\"], [\"/seg/o\", \"Etag Mismatch\"]]}";
        for (status, body) in [(400, json), (400, text), (202, late)] {
            let error = parsed(&put(), status, "", body).unwrap_err();
            assert_eq!(error.status().unwrap(), 400);
            assert_eq!(
                error.server_message(),
                Some("/seg/o 1: 404 Not Found; /seg/o: Etag Mismatch")
            );
        }
    }

    // The responses of Swift 2.38 with Keystone when the token has expired: the segments are
    // checked with it, long after a heartbeat was sent.
    #[test]
    fn a_token_that_is_refused_is_told_of_the_segments() {
        let errors = r#""Errors": [["/seg/o/1", "401 Unauthorized"]]"#;
        let late = format!("  {{\"Response Status\": \"400 Bad Request\", {errors}}}");
        for (status, body) in [(202, late), (400, format!("{{{errors}}}"))] {
            let error = parsed(&put(), status, "", &body).unwrap_err();
            assert_eq!(error.status().unwrap(), 401);
            let reply = crate::swift::testing::answer(status, "", &body);
            let tells_refusal = put().draft(&service()).unwrap().tells_refusal.unwrap();
            assert!(tells_refusal(&reply));
        }
    }

    #[test]
    fn an_answer_that_does_not_say_how_it_came_out() {
        for body in ["", "   ", "  {\"Response", "[]", "{}", "Errors:\n"] {
            let error = parsed(&put(), 202, "", body).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidResponse, "{body:?}");
        }
        // It contradicts itself.
        let both =
            r#"  {"Response Status": "201 Created", "Errors": [["/seg/o", "404 Not Found"]]}"#;
        let error = parsed(&put(), 202, "", both).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::InvalidResponse);
        let refused = "  {\"Response Status\": \"422 Unprocessable Entity\", \"Errors\": []}";
        let error = parsed(&put(), 202, "", refused).unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (crate::Kind::Integrity, 422));
    }
}
