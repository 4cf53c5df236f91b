//! What a copy in parts takes from its source, against a scripted server: the same as CopyObject
//! copies by itself, or it says what it does not.

use std::sync::{Arc, Mutex};

use apus_core::Now;
use apus_core::contract::Notice;
use apus_core::machine::{Event, NotCopied, Observer, PartLimits, S3Copy, ServerCopyOptions};
use apus_core::quirks::Provider;
use apus_core::s3::{AnnotationDirective, CopyObject, CopySource, CustomerKey, Directive, Service};

use crate::support::{Answer, Sim, service};

const SIZE: u64 = 40;

fn small_parts() -> ServerCopyOptions {
    let limits = PartLimits { smallest: 1, ..PartLimits::default() };
    ServerCopyOptions { threshold: 10, part_size: 30, limits, ..ServerCopyOptions::default() }
}

fn amazon() -> Arc<Service> {
    service(|config| config.quirks = Provider::Aws.quirks())
}

/// The responses to everything except what a test answers itself.
fn server(method: &str, target: &str) -> Answer {
    let path = target.split('?').next().unwrap();
    let has = |query: &str| target.contains(query);
    match (method, path) {
        ("HEAD", "/bucket/source") => Answer::new(200)
            .header("content-length", SIZE)
            .header("etag", "\"tag\"")
            .header("content-type", "image/x-raw")
            .header("expires", "Wed, 01 Dec 2094 16:00:00 GMT")
            .header("x-amz-meta-colour", "grey"),
        ("HEAD", _) => Answer::new(404),
        ("GET", "/bucket/source") if has("?tagging") => Answer::new(200)
            .body("<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"),
        ("GET", "/bucket/source") if has("annotationName=") => Answer::new(200).body("a note"),
        ("GET", "/bucket/source") if has("continuation-token") => Answer::new(200).body(
            "<R><Annotations><AnnotationEntry><AnnotationName>two</AnnotationName>\
             </AnnotationEntry></Annotations></R>",
        ),
        ("GET", "/bucket/source") if has("?annotation") => Answer::new(200).body(
            "<R><Annotations><AnnotationEntry><AnnotationName>one</AnnotationName>\
             </AnnotationEntry></Annotations><NextContinuationToken>n</NextContinuationToken></R>",
        ),
        ("POST", "/bucket/key") if has("?uploads") => {
            Answer::new(200).body("<R><UploadId>id</UploadId></R>")
        }
        ("PUT", "/bucket/key") if has("partNumber=") => {
            Answer::new(200).body("<CopyPartResult><ETag>\"part\"</ETag></CopyPartResult>")
        }
        ("POST", "/bucket/key") => Answer::new(200).body("<R><ETag>\"whole-2\"</ETag></R>"),
        ("PUT", "/bucket/key") if has("?annotation") => Answer::new(200).header("etag", "\"x\""),
        _ => panic!("{method} {target}"),
    }
}

fn copy() -> CopyObject {
    CopyObject::new("bucket", "key", CopySource::new("bucket", "source"))
}

/// Requests as `METHOD target` with the headers that start with one of these words.
type Seen = Vec<(String, Vec<(String, String)>)>;

fn run(
    copy: CopyObject,
    service: Arc<Service>,
    instead: impl Fn(&str, &str) -> Option<Answer>,
) -> (Result<apus_core::machine::Uploaded, apus_core::Error>, Seen) {
    let mut seen = Seen::new();
    let machine = S3Copy::new(copy, small_parts(), service, 1);
    let run = Sim::new(machine).run(|head, _| {
        let target = head.uri.path_and_query().unwrap().as_str().to_owned();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
        });
        seen.push((format!("{} {target}", head.method), headers.collect()));
        let method = head.method.as_str();
        instead(method, &target).unwrap_or_else(|| server(method, &target))
    });
    (run.result, seen)
}

fn header<'a>(seen: &'a Seen, request: &str, name: &str) -> Option<&'a str> {
    let (_, headers) = seen.iter().find(|(it, _)| it.starts_with(request))?;
    headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
}

// "CopyObject", S3 API reference: metadata, tags and annotations are those of the source unless
// the directives say otherwise.
#[test]
fn a_copy_in_parts_has_metadata_tags_and_annotations_of_its_source() {
    let (result, seen) = run(copy(), amazon(), |_, _| None);
    let done = result.unwrap();
    assert_eq!((done.size, done.parts, done.not_copied), (SIZE, 2, vec![]));
    let create = |name| header(&seen, "POST /bucket/key?uploads", name);
    assert_eq!(create("x-amz-tagging"), Some("a=b%20c"));
    assert_eq!(create("x-amz-meta-colour"), Some("grey"));
    assert_eq!(create("content-type"), Some("image/x-raw"));
    assert_eq!(create("expires"), Some("Wed, 01 Dec 2094 16:00:00 GMT"));
    let puts: Vec<&str> = seen
        .iter()
        .map(|(request, _)| request.as_str())
        .filter(|request| request.starts_with("PUT /bucket/key?annotation"))
        .collect();
    assert_eq!(
        puts,
        [
            "PUT /bucket/key?annotation&annotationName=one",
            "PUT /bucket/key?annotation&annotationName=two"
        ]
    );
    let condition = header(&seen, puts[0], "x-amz-object-if-match");
    assert_eq!(condition, Some("\"whole-2\""), "not to another client's object");
}

#[test]
fn the_directives_replace_tags_and_leave_annotations_out() {
    let mut copy = copy();
    copy.tagging_directive = Some(Directive::Replace);
    copy.metadata_directive = Some(Directive::Replace);
    copy.annotation_directive = Some(AnnotationDirective::Exclude);
    copy.properties.tagging = [("mine", "1")].into_iter().collect();
    let (result, seen) = run(copy, amazon(), |_, _| None);
    assert!(result.is_ok());
    let create = |name| header(&seen, "POST /bucket/key?uploads", name);
    assert_eq!(create("x-amz-tagging"), Some("mine=1"));
    assert_eq!((create("x-amz-meta-colour"), create("expires")), (None, None));
    assert!(seen.iter().all(|(request, _)| !request.starts_with("GET")), "{seen:?}");
}

#[test]
fn tags_without_their_directive_are_refused_whatever_the_size() {
    let mut copy = copy();
    copy.properties.tagging = [("mine", "1")].into_iter().collect();
    let (result, seen) = run(copy, amazon(), |_, _| None);
    assert!(result.unwrap_err().to_string().contains("tagging_directive"));
    assert_eq!(seen.len(), 1, "{seen:?}");
}

// A server without tags (Garage: 501) or annotations has none to copy. Only Amazon is asked for
// annotations: another server may ignore the sub-resource, and send the object.
#[test]
fn a_server_without_tags_and_annotations_has_none_to_copy() {
    let (result, seen) = run(copy(), service(|_| {}), |_, target| {
        target.contains("?tagging").then(|| Answer::error(501, "NotImplemented"))
    });
    assert_eq!(result.unwrap().not_copied, []);
    assert!(seen.iter().all(|(request, _)| !request.contains("annotation")), "{seen:?}");
}

#[test]
fn a_server_that_sends_the_object_instead_of_its_tags_is_told() {
    for limit in [1000, 10_000] {
        let service = service(|config| config.collect_limit = limit);
        let (result, _) = run(copy(), service, |_, target| {
            target.contains("?tagging").then(|| Answer::new(200).body(vec![b'x'; 2000]))
        });
        assert_eq!(result.unwrap().not_copied, [NotCopied::Tags]);
    }
}

#[derive(Default)]
struct Notices(Mutex<Vec<&'static str>>);

impl Observer for Notices {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Noticed(Notice::NotCopied { what, .. }) = event {
            self.0.lock().unwrap().push(what);
        }
    }
}

fn refused(_: &str, target: &str) -> Option<Answer> {
    let is_read = target.contains("?tagging") || target.contains("source?annotation");
    is_read.then(|| Answer::error(403, "AccessDenied"))
}

#[test]
fn what_may_not_be_read_is_left_out_and_told() {
    let (result, _) = run(copy(), amazon(), refused);
    assert_eq!(result.unwrap().not_copied, [NotCopied::Tags, NotCopied::Annotations]);
    let notices = Arc::new(Notices::default());
    let machine = S3Copy::new(copy(), small_parts(), amazon(), 1);
    let run = Sim::new(machine).observer(notices.clone()).run(|head, _| {
        let (method, target) = (head.method.as_str(), head.uri.path_and_query().unwrap().as_str());
        refused(method, target).unwrap_or_else(|| server(method, target))
    });
    assert!(run.result.is_ok());
    assert_eq!(*notices.0.lock().unwrap(), ["tags", "annotations"]);
}

#[test]
fn what_is_asked_for_and_may_not_be_read_is_an_error_before_anything_is_written() {
    for annotations in [false, true] {
        let mut copy = copy();
        match annotations {
            true => copy.annotation_directive = Some(AnnotationDirective::Copy),
            false => copy.tagging_directive = Some(Directive::Copy),
        }
        let (result, seen) = run(copy, amazon(), refused);
        let error = result.unwrap_err();
        assert!(error.is_denied());
        assert!(error.hint().unwrap().contains("_directive"), "{error}");
        assert!(seen.iter().all(|(request, _)| !request.starts_with("P")), "{seen:?}");
    }
    // The HEAD shows that the source has tags.
    let (result, _) = run(copy(), amazon(), |method, target| match method {
        "HEAD" => Some(server(method, target).header("x-amz-tagging-count", 1)),
        _ => refused(method, target),
    });
    assert!(result.unwrap_err().is_denied());
}

#[test]
fn an_object_under_a_customers_key_gets_no_annotations() {
    let mut copy = copy();
    copy.properties.encryption.customer_key = Some(CustomerKey::new(&[7; 32]));
    let (result, seen) = run(copy, amazon(), |_, _| None);
    assert!(result.unwrap_err().hint().unwrap().contains("annotation_directive"));
    assert!(seen.iter().all(|(request, _)| !request.starts_with("P")), "{seen:?}");
}

#[test]
fn a_copy_whose_annotations_fail_says_that_the_object_is_there() {
    let (result, _) = run(copy(), amazon(), |method, target| {
        let fails = method == "PUT" && target.contains("annotationName=two");
        fails.then(|| Answer::error(403, "AccessDenied"))
    });
    let error = result.unwrap_err();
    assert!(error.hint().unwrap().starts_with("the object is copied, but"), "{error}");
}

/// A server that ignores `x-amz-copy-source-range` copies all of the source as each part.
#[test]
fn a_copy_of_another_size_than_its_source_is_an_error_that_names_it() {
    let sized = |head: Answer| {
        let sized = move |method: &str, target: &str| {
            (method == "HEAD" && target.starts_with("/bucket/key")).then(|| head.clone())
        };
        run(copy(), service(|_| {}), sized)
    };
    let (result, requests) = sized(Answer::new(200).header("content-length", 2 * SIZE));
    let error = result.unwrap_err();
    assert_eq!(error.kind(), apus_core::Kind::Integrity, "{error}");
    assert!(error.message().contains("80 bytes, but its source has 40"), "{error}");
    assert_eq!(error.leftovers().len(), 1);
    assert!(requests.last().unwrap().0.starts_with("HEAD /bucket/key"), "{requests:?}");
    // What shows no size says nothing of it.
    for head in [Answer::new(200).header("content-length", SIZE), Answer::new(403)] {
        assert_eq!(sized(head).0.unwrap().size, SIZE);
    }
}

/// Pages without names whose tokens go round.
#[test]
fn annotations_whose_list_does_not_end_are_left_out_and_told() {
    let (result, requests) = run(copy(), amazon(), |method, target| {
        let list = method == "GET" && target.contains("?annotation");
        let next = if target.contains("token=a") { "b" } else { "a" };
        let token = format!("<R><NextContinuationToken>{next}</NextContinuationToken></R>");
        list.then(|| Answer::new(200).body(token))
    });
    assert_eq!(result.unwrap().not_copied, [NotCopied::Annotations]);
    assert!(requests.len() < 1_020, "{} requests", requests.len());
}
