//! Removal of many objects: in batches, with repeated attempts, and with every failure reported.
//!
//! Responses are those of "DeleteObjects" and "DeleteObject" of the S3 API reference; if real
//! servers respond differently, the test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apus_core::Kind;
use apus_core::contract::OnFailure;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::{DeleteManyOptions, DeletedMany, S3DeleteMany};
use apus_core::s3::ObjectIdentifier;
use apus_core::xml::Document;
use http::{Method, request};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};

use crate::support::{Answer, Run, Sim, service};

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("key/{at}")).collect()
}

fn options(concurrency: usize, batch: usize) -> DeleteManyOptions {
    DeleteManyOptions { concurrency, batch, ..DeleteManyOptions::default() }
}

fn delete<K: Into<ObjectIdentifier>>(
    keys: Vec<K>,
    options: DeleteManyOptions,
) -> S3DeleteMany<std::vec::IntoIter<K>> {
    S3DeleteMany::new("bucket", keys, service(|_| {}), options, 7)
}

/// The keys that a request names.
fn named(head: &request::Parts, body: &[u8]) -> Vec<String> {
    if head.method == Method::DELETE {
        return vec![head.uri.path().strip_prefix("/bucket/").unwrap().to_owned()];
    }
    assert_eq!((&head.method, head.uri.query()), (&Method::POST, Some("delete")));
    let document = Document::parse(body).unwrap();
    let objects = document.root().children("Object");
    objects.map(|object| object.text_of("Key").unwrap().to_owned()).collect()
}

/// An answer to this request that names these keys, with the code of each, and its other keys as
/// removed.
fn result<'a>(request: &[u8], errors: impl IntoIterator<Item = (&'a str, &'a str)>) -> Answer {
    let errors: Vec<(&str, &str)> = errors.into_iter().collect();
    let document = Document::parse(request).unwrap();
    assert_ne!(document.root().text_of("Quiet"), Some("true"));
    let objects = document.root().children("Object").filter_map(|object| {
        let (key, version) = (object.text_of("Key")?, object.text_of("VersionId"));
        let version = version.map(|id| format!("<VersionId>{id}</VersionId>")).unwrap_or_default();
        let is_left = errors.iter().any(|(failed, _)| *failed == key);
        let key = key.replace('\r', "&#13;");
        (!is_left).then(|| format!("<Deleted><Key>{key}</Key>{version}</Deleted>"))
    });
    let deleted: String = objects.collect();
    let errors = errors.iter().map(|(key, code)| {
        format!("<Error><Key>{key}</Key><Code>{code}</Code><Message>no</Message></Error>")
    });
    let errors: String = errors.collect();
    Answer::new(200).body(format!("<DeleteResult>{deleted}{errors}</DeleteResult>"))
}

fn failed(done: &DeletedMany) -> Vec<(&str, &str)> {
    let of = |text: &'_ Option<String>| text.is_some();
    assert!(done.errors.iter().all(|error| of(&error.message)));
    done.errors.iter().map(|one| (one.key.as_str(), one.code.as_deref().unwrap_or(""))).collect()
}

#[test]
fn a_thousand_at_a_time_and_the_width_is_kept() {
    let mut sizes = Vec::new();
    let mut all = BTreeSet::new();
    let run = Sim::new(delete(keys(5400), options(3, 1000))).run(|head, body| {
        let keys = named(head, body);
        // S3 demands a digest of the document.
        assert!(head.headers.contains_key("content-md5"));
        sizes.push(keys.len());
        all.extend(keys);
        result(body, [])
    });
    assert_eq!(sizes, [1000, 1000, 1000, 1000, 1000, 400]);
    assert_eq!((run.peak, all.len()), (3, 5400));
    let done = run.result.unwrap();
    assert_eq!((done.deleted, done.errors.len()), (5400, 0));
}

#[test]
fn nothing_to_remove_is_no_request() {
    let run = Sim::new(delete(keys(0), options(3, 1000))).run(|_, body| result(body, []));
    assert_eq!((run.requests.len(), run.result.unwrap().deleted), (0, 0));
}

#[test]
fn keys_that_may_go_later_are_asked_for_again_and_others_are_told() {
    let mut requests = Vec::new();
    let run = Sim::new(delete(keys(10), options(1, 1000))).run(|head, body| {
        requests.push(named(head, body));
        match requests.len() {
            1 => result(
                body,
                [("key/3", "InternalError"), ("key/4", "AccessDenied"), ("key/7", "SlowDown")],
            ),
            2 => result(body, [("key/7", "SlowDown")]),
            _ => result(body, []),
        }
    });
    assert_eq!(requests[1].iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(requests[2], ["key/7"]);
    let done = run.result.unwrap();
    assert_eq!((done.deleted, failed(&done)), (9, vec![("key/4", "AccessDenied")]));
}

/// A server's own error for one object says as little of what it did as one for all of them.
#[test]
fn an_object_that_the_server_failed_at_may_be_gone() {
    let object =
        |key: &str| ObjectIdentifier { etag: Some("tag".into()), ..ObjectIdentifier::new(key) };
    let objects = vec![object("gone"), object("other"), object("stays"), object("kept")];
    let mut requests = 0;
    let run = Sim::new(delete(objects, options(1, 1000))).run(|_, body| {
        requests += 1;
        let failed = |key| (key, "InternalError");
        match requests {
            1 => result(body, ["gone", "other", "stays"].map(failed)),
            2 => result(
                body,
                [
                    ("gone", "NoSuchKey"),
                    ("other", "PreconditionFailed"),
                    ("stays", "InternalError"),
                ],
            ),
            _ => result(body, [("stays", "InternalError")]),
        }
    });
    let done = run.result.unwrap();
    // `kept` was removed at once.
    assert_eq!(done.deleted, 2);
    let told: Vec<_> =
        done.errors.iter().map(|error| (&*error.key, error.outcome_unknown)).collect();
    assert_eq!(told, [("other", true), ("stays", true)]);
    // Refused at once, nothing was done.
    let run = Sim::new(delete(vec![object("a")], options(1, 1000)))
        .run(|_, body| result(body, [("a", "PreconditionFailed")]));
    assert!(!run.result.unwrap().errors[0].outcome_unknown);
}

/// Of two requests that fail, the error is the first one's, and names what either leaves open.
#[test]
fn what_each_of_two_requests_leaves_open_is_said() {
    let run = Sim::new(delete(keys(4), options(2, 2))).run(|_, body| result(body, []).cut(9));
    let error = run.result.unwrap_err();
    assert!(error.outcome_unknown() && run.requests.len() == 2, "{error}: {:?}", run.requests);
    assert!(error.look_at().unwrap().contains("2 objects in bucket"), "{error}");
}

#[test]
fn what_never_goes_is_told_after_the_last_attempt() {
    let run = Sim::new(delete(keys(3), options(1, 1000)))
        .run(|_, body| result(body, [("key/1", "InternalError")]));
    assert_eq!(run.requests.len(), 5);
    let done = run.result.unwrap();
    assert_eq!((done.deleted, failed(&done)), (2, vec![("key/1", "InternalError")]));
}

#[test]
fn a_server_without_delete_objects_is_asked_one_by_one() {
    let mut left: BTreeSet<String> = keys(25).into_iter().collect();
    let run = Sim::new(delete(keys(25), options(3, 10))).run(|head, body| {
        if head.method == Method::POST {
            return Answer::error(501, "NotImplemented");
        }
        let key = named(head, body).remove(0);
        match key.as_str() {
            "key/4" => return Answer::error(403, "AccessDenied"),
            // As some servers answer what is not there.
            "key/5" => return Answer::error(404, "NoSuchKey"),
            _ => {}
        }
        assert!(left.remove(&key), "{key} twice");
        Answer::new(204)
    });
    assert!(run.requests.iter().filter(|request| request.starts_with("POST")).count() <= 3);
    assert_eq!((run.peak, left.len()), (3, 2));
    let done = run.result.unwrap();
    assert_eq!((done.deleted, failed(&done)), (24, vec![("key/4", "AccessDenied")]));
}

#[test]
fn a_key_that_a_document_can_not_name_goes_by_itself() {
    let keys = vec!["a", "b\u{1}c", "d\r\n", ""];
    let mut requests = Vec::new();
    let run = Sim::new(delete(keys, options(1, 1000))).run(|head, body| {
        requests.push(named(head, body));
        if head.method == Method::DELETE { Answer::new(204) } else { result(body, []) }
    });
    assert_eq!(requests, [vec!["a", "d\r\n"], vec!["b%01c"]]);
    // No server gets a request to remove the empty key.
    let done = run.result.unwrap();
    assert_eq!((done.deleted, failed(&done)), (3, vec![("", "")]));
}

#[test]
fn versions_are_told_apart() {
    let version = |id: &str| ObjectIdentifier {
        version_id: Some(id.to_owned()),
        ..ObjectIdentifier::new("key")
    };
    let mut requests = 0;
    let run =
        Sim::new(delete(vec![version("1"), version("2")], options(1, 1000))).run(|_, body| {
            requests += 1;
            let text = String::from_utf8_lossy(body);
            if requests > 1 {
                assert!(
                    text.contains("<VersionId>2</VersionId>") && !text.contains(">1<"),
                    "{text}"
                );
                return result(body, []);
            }
            Answer::new(200).body(
                "<DeleteResult><Deleted><Key>key</Key><VersionId>1</VersionId></Deleted>\
             <Error><Key>key</Key><VersionId>2</VersionId><Code>InternalError</Code></Error></DeleteResult>",
            )
        });
    assert_eq!((requests, run.result.unwrap().deleted), (2, 2));
}

/// A server that writes keys in another form, in errors and in what it removed.
#[test]
fn an_error_about_a_key_that_nobody_named_is_told_too() {
    let run = Sim::new(delete(keys(3), options(1, 1000))).run(|_, _| {
        Answer::new(200).body(
            "<DeleteResult><Deleted><Key>key%2F0</Key></Deleted><Deleted><Key>key%2F2</Key>\
             </Deleted><Error><Key>key%2F1</Key><Code>InternalError</Code><Message>no</Message>\
             </Error></DeleteResult>",
        )
    });
    let done = run.result.unwrap();
    assert_eq!((done.deleted, failed(&done)), (2, vec![("key%2F1", "InternalError")]));
    // Each of the two is removed by itself: a key in another form is no word of it.
    assert_eq!(run.requests.len(), 3);
    // One more than was requested.
    let run = Sim::new(delete(keys(3), options(1, 1000)))
        .run(|_, body| result(body, [("other", "AccessDenied")]));
    let done = run.result.unwrap();
    assert_eq!((done.deleted, failed(&done)), (3, vec![("other", "AccessDenied")]));
}

/// A response of 200 that says nothing of an object is no word that it was removed.
#[test]
fn an_object_that_the_response_leaves_out_is_removed_by_itself() {
    let named = |count: usize| {
        let one = |at| format!("<Deleted><Key>key/{at}</Key></Deleted>");
        let named: String = (0..count).map(one).collect();
        Answer::new(200).body(format!("<DeleteResult>{named}</DeleteResult>"))
    };
    let run = Sim::new(delete(keys(5), options(1, 1000))).run(|head, _| match head.uri.path() {
        "/bucket/key/3" => Answer::error(403, "AccessDenied"),
        "/bucket/key/4" => Answer::new(204),
        _ => named(3),
    });
    assert_eq!(run.requests.len(), 3);
    let done = run.result.unwrap();
    assert_eq!((done.deleted, failed(&done)), (4, vec![("key/3", "AccessDenied")]));
    // A server that names none is sent no other request of that kind.
    let mut left: BTreeSet<String> = keys(25).into_iter().collect();
    let run = Sim::new(delete(keys(25), options(1, 10))).run(|head, body| {
        if head.method == Method::DELETE {
            assert!(left.remove(&self::named(head, body)[0]));
            return Answer::new(204);
        }
        named(0)
    });
    assert_eq!((run.result.unwrap().deleted, left.len()), (25, 0));
    assert_eq!(run.requests.iter().filter(|one| one.starts_with("POST")).count(), 1);
    // One that names a key once that was requested twice has removed it.
    let twice = vec!["a", "a", "b"];
    let run = Sim::new(delete(twice, options(1, 10))).run(|_, _| {
        Answer::new(200).body(
            "<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted>\
             </DeleteResult>",
        )
    });
    assert_eq!((run.requests.len(), run.result.unwrap().deleted), (1, 3));
    // Whether a condition held is not known of what was left out.
    let object = ObjectIdentifier { etag: Some("tag".into()), ..ObjectIdentifier::new("key") };
    let run = Sim::new(delete(vec![object], options(1, 10))).run(|head, _| match head.method {
        Method::DELETE => Answer::error(412, "PreconditionFailed"),
        _ => named(0),
    });
    assert!(run.result.unwrap().errors[0].outcome_unknown);
}

#[test]
fn a_refused_request_ends_it_and_what_is_in_flight_is_waited_for() {
    let mut requests = 0;
    let run = Sim::new(delete(keys(100), options(3, 10))).run(|_, body| {
        requests += 1;
        match requests {
            2 => Answer::error(403, "AccessDenied"),
            3 => Answer::error(503, "SlowDown").after(Duration::from_millis(500)),
            _ => result(body, []).after(Duration::from_millis(400)),
        }
    });
    assert_eq!(run.requests.len(), 3);
    assert_eq!(run.elapsed, Duration::from_millis(500));
    assert_eq!(run.pump.machine().deleted(), 10);
    let error = run.result.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("AccessDenied")));
}

#[test]
fn each_request_has_the_common_parameters() {
    let owner = "111122223333";
    for refuses in [false, true] {
        let mut options = options(1, 10);
        options.common.expected_bucket_owner = Some(owner.into());
        options.common.request_payer = Some("requester".into());
        let run = Sim::new(delete(keys(15), options)).run(|head, body| {
            assert_eq!(head.headers["x-amz-expected-bucket-owner"], owner);
            assert_eq!(head.headers["x-amz-request-payer"], "requester");
            match head.method {
                Method::POST if refuses => Answer::error(405, "MethodNotAllowed"),
                Method::POST => result(body, []),
                _ => Answer::new(204),
            }
        });
        assert_eq!(run.result.unwrap().deleted, 15);
    }
}

#[test]
fn cancelling_asks_for_no_more() {
    for at in [0, 5, 15, 250] {
        let sim = Sim::new(delete(keys(1000), options(2, 10)));
        let run = sim
            .cancel_at(Duration::from_millis(at), OnFailure::Abort)
            .run(|_, body| result(body, []));
        assert!(run.result.unwrap_err().is_cancelled());
        assert!(run.elapsed <= Duration::from_millis(at + 10));
    }
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Cut(usize),
    Lost(ExchangeErrorKind),
    Status(u16, &'static str),
    /// Every so manieth key, with this code.
    Keys(usize, &'static str),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::None),
        1 => (0usize..60).prop_map(Fault::Cut),
        1 => prop_oneof![Just(ExchangeErrorKind::Closed), Just(ExchangeErrorKind::Timeout)].prop_map(Fault::Lost),
        1 => prop_oneof![
            Just(Fault::Status(503, "SlowDown")),
            Just(Fault::Status(500, "InternalError")),
        ],
        3 => (1usize..5, prop_oneof![Just("InternalError"), Just("AccessDenied")])
            .prop_map(|(every, code)| Fault::Keys(every, code)),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(200))]

    // Every key is removed or told, none is both, and equal seeds do the same.
    #[test]
    fn every_key_is_counted_once(
        count in 0usize..200,
        concurrency in 1usize..4,
        batch in 1usize..40,
        faults in vec(fault(), 0..20),
        implemented in proptest::bool::weighted(0.8),
    ) {
        let once = || -> (Run<S3DeleteMany<std::vec::IntoIter<String>>>, BTreeMap<String, bool>) {
            let mut there: BTreeMap<_, _> = keys(count).into_iter().map(|key| (key, true)).collect();
            let mut faults = faults.iter();
            let run = Sim::new(delete(keys(count), options(concurrency, batch))).run(|head, body| {
                let single = head.method == Method::DELETE;
                if !single && !implemented {
                    return Answer::error(501, "NotImplemented");
                }
                let keys = named(head, body);
                let fault = faults.next().unwrap_or(&Fault::None);
                if let Fault::Status(status, code) = fault {
                    return Answer::error(*status, code);
                }
                let mut errors = Vec::new();
                for (at, key) in keys.iter().enumerate() {
                    match fault {
                        Fault::Keys(every, code) if at % every == 0 => {
                            if single {
                                let status = if *code == "AccessDenied" { 403 } else { 500 };
                                return Answer::error(status, code);
                            }
                            errors.push((key.as_str(), *code));
                        }
                        _ => {
                            there.insert(key.clone(), false);
                        }
                    }
                }
                let answer = if single { Answer::new(204) } else { result(body, errors) };
                match fault {
                    Fault::Lost(cause) => Answer::lost(*cause),
                    Fault::Cut(after) if !single => answer.cut(*after),
                    _ => answer,
                }
            });
            (run, there)
        };
        let (run, there) = once();
        proptest::prop_assert!(run.peak <= concurrency);
        if let Ok(done) = &run.result {
            let told: BTreeSet<_> = done.errors.iter().map(|error| error.key.clone()).collect();
            proptest::prop_assert_eq!(told.len(), done.errors.len());
            let left: BTreeSet<_> =
                there.iter().filter(|(_, there)| **there).map(|(key, _)| key.clone()).collect();
            // An object whose removal got no response may be removed and reported as failed
            // nevertheless.
            proptest::prop_assert!(told.is_superset(&left));
            proptest::prop_assert_eq!(done.deleted + told.len() as u64, count as u64);
        }
        let (again, _) = once();
        proptest::prop_assert_eq!(again.requests, run.requests);
        proptest::prop_assert_eq!(again.elapsed, run.elapsed);
    }
}
