//! Deletions of Swift objects, with their segments.

use std::time::Duration;

use apus_core::Kind;
use apus_core::contract::OnFailure;
use apus_core::error::{ExchangeErrorKind, Leftover};
use apus_core::machine::{SwiftDelete, SwiftDeleteMany, SwiftDeleteOptions};
use http::request;

use crate::support::swift::{Store, Tokens, service};
use crate::support::{Answer, Run, Sim, object};

fn delete(options: SwiftDeleteOptions) -> SwiftDelete {
    SwiftDelete::new("c", "o", service(), options, 7)
}

fn run(
    options: SwiftDeleteOptions,
    script: impl FnMut(&request::Parts, &[u8]) -> Answer,
) -> Run<SwiftDelete> {
    Sim::with_auth(delete(options), Tokens::auth()).run(script)
}

fn serve(options: SwiftDeleteOptions, store: &mut Store) -> Run<SwiftDelete> {
    run(options, |head, body| store.answer(head, body))
}

fn one_by_one(concurrency: usize) -> SwiftDeleteOptions {
    SwiftDeleteOptions { concurrency, bulk: false, ..SwiftDeleteOptions::default() }
}

/// A large object of so many segments, beside objects that are none of its business.
fn large(segments: usize, dynamic: bool) -> Store {
    let mut store = Store::new();
    let bytes = object(segments * 10);
    if dynamic {
        store.put_unsized_dlo("c/o", &bytes, &vec![10; segments]);
    } else {
        store.put_slo("c/o", &bytes, &vec![10; segments]);
    }
    for other in BYSTANDERS {
        store.put(other, "not touched");
    }
    store
}

fn leftover(name: &str) -> Leftover {
    let (bucket, key) = name.split_once('/').unwrap();
    Leftover::Object { bucket: bucket.into(), key: key.into() }
}

const BYSTANDERS: [&str; 4] = ["c/o2", "s/c", "s/c-o", "s/c-o2/1"];

#[test]
fn a_plain_object() {
    let mut store = Store::new();
    store.put("c/o", "bytes");
    store.put("c/o2", "others");
    let run = serve(SwiftDeleteOptions::default(), &mut store);
    assert_eq!(run.requests, ["HEAD /v1/AUTH_a/c/o", "DELETE /v1/AUTH_a/c/o"]);
    let done = run.result.unwrap();
    assert_eq!((done.deleted, done.missing, done.head.size), (1, 0, Some(5)));
    assert_eq!(store.names(), ["c/o2"]);
}

#[test]
fn an_object_that_is_not_there() {
    let run = serve(SwiftDeleteOptions::default(), &mut Store::new());
    let error = run.result.unwrap_err();
    assert!(error.is_not_found() && error.leftovers().is_empty(), "{error}");
    assert_eq!(run.requests, ["HEAD /v1/AUTH_a/c/o"]);
}

#[test]
fn a_static_large_object_is_removed_by_the_server() {
    let mut store = large(7, false);
    store.remove("s/c-o/00000003");
    let run = serve(SwiftDeleteOptions::default(), &mut store);
    assert_eq!(
        run.requests,
        [
            "HEAD /v1/AUTH_a/c/o",
            "GET /v1/AUTH_a/c/o?multipart-manifest=get",
            "DELETE /v1/AUTH_a/c/o?multipart-manifest=delete"
        ]
    );
    let done = run.result.unwrap();
    assert_eq!((done.deleted, done.missing), (7, 1));
    assert_eq!(store.names(), BYSTANDERS);
}

#[test]
fn a_server_that_can_not_is_helped() {
    for (options, last) in [
        (SwiftDeleteOptions::default(), "DELETE /v1/AUTH_a/c/o"),
        (one_by_one(3), "DELETE /v1/AUTH_a/c/o"),
    ] {
        let mut store = large(7, false);
        store.deletes_slo = false;
        let run = serve(options, &mut store);
        assert_eq!(run.requests.last().unwrap(), last);
        let bulk = run.requests.iter().filter(|request| request.contains("bulk-delete")).count();
        assert_eq!(bulk, usize::from(options.bulk));
        assert_eq!(run.result.unwrap().deleted, 8);
        assert_eq!(store.names(), BYSTANDERS);
    }
}

#[test]
fn static_large_objects_inside_each_other() {
    for by_server in [true, false] {
        let mut store = Store::new();
        store.deletes_slo = by_server;
        store.put_slo("c/inner", &object(20), &[10, 10]);
        store.put("s/plain", object(10));
        let twice = store.segment("s/plain", 10);
        let segments = vec![store.segment("c/inner", 20), twice.clone(), twice];
        store.put_manifest("c/o", segments);
        let run = serve(one_by_one(2), &mut store);
        let done = run.result.unwrap();
        assert_eq!(store.names(), [""; 0]);
        // The server counts as missing what the first request removed.
        assert_eq!((done.deleted, done.missing), (5, u64::from(by_server)));
        if !by_server {
            let last = ["DELETE /v1/AUTH_a/c/inner", "DELETE /v1/AUTH_a/c/o"];
            assert_eq!(run.requests[run.requests.len() - 2..], last);
        }
    }
}

#[test]
fn manifests_that_are_gone_are_not_told_as_left() {
    let mut store = Store::new();
    store.deletes_slo = false;
    store.put_slo("c/inner", &object(20), &[10, 10]);
    store.put_manifest("c/o", vec![store.segment("c/inner", 20)]);
    store.stuck.insert("c/o".into(), 409);
    let error = serve(one_by_one(2), &mut store).result.unwrap_err();
    assert_eq!(error.leftovers(), [leftover("c/o")]);
    assert_eq!(store.names(), ["c/o"]);
}

#[test]
fn a_manifest_that_lists_itself_ends() {
    let mut store = Store::new();
    store.deletes_slo = false;
    store.put("c/o", "");
    store.put("c/inner", "");
    let (own, inner) = (store.segment("c/o", 0), store.segment("c/inner", 0));
    store.put_manifest("c/o", vec![own.clone(), inner]);
    store.put_manifest("c/inner", vec![own]);
    let run = serve(one_by_one(2), &mut store);
    assert_eq!(run.result.unwrap().deleted, 2);
    assert_eq!(store.names(), [""; 0]);
}

#[test]
fn a_dynamic_large_object_by_all_pages_of_its_listing() {
    for (options, peak) in [(SwiftDeleteOptions::default(), 4), (one_by_one(3), 3)] {
        let mut store = large(2500, true).paged(700);
        store.bulk = Some(100);
        let run = serve(options, &mut store);
        assert_eq!(store.names(), BYSTANDERS);
        let done = run.result.unwrap();
        assert_eq!((done.deleted, done.missing), (2501, 0));
        assert_eq!(run.peak, peak);
        let pages = run.requests.iter().filter(|request| request.contains("/s?format=json"));
        assert!(pages.count() >= 4);
        let bulk = run.requests.iter().filter(|request| request.contains("bulk-delete")).count();
        assert_eq!(bulk, if options.bulk { 25 } else { 0 });
        assert_eq!(run.requests.last().unwrap(), "DELETE /v1/AUTH_a/c/o", "the manifest goes last");
    }
}

#[test]
fn the_manifests_header_is_percent_encoded() {
    let mut store = Store::new();
    for name in ["s é/a%20b c/1", "s é/a%20b c/2", "s é/a b c/1", "s/a%20b c/1"] {
        store.put(name, "x");
    }
    store.put_pointer("c/o", "s%20%C3%A9/a%2520b%20c/");
    serve(SwiftDeleteOptions::default(), &mut store).result.unwrap();
    assert_eq!(store.names(), ["s/a%20b c/1", "s é/a b c/1"]);
}

#[test]
fn a_manifest_among_its_own_segments_goes_last() {
    let mut store = Store::new();
    for name in ["c/o-1", "c/o-2", "c/p"] {
        store.put(name, "x");
    }
    store.put_pointer("c/o", "c/o");
    let run = serve(one_by_one(2), &mut store);
    assert_eq!(run.result.unwrap().deleted, 3);
    assert_eq!(run.requests.last().unwrap(), "DELETE /v1/AUTH_a/c/o");
    assert_eq!(store.names(), ["c/p"]);
}

#[test]
fn a_prefix_of_nothing_does_not_empty_the_container() {
    for header in ["s/", "s%2F"] {
        let mut store = large(3, true);
        store.put_pointer("c/o", header);
        let before = store.names();
        let run = serve(SwiftDeleteOptions::default(), &mut store);
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidResponse);
        assert_eq!(error.leftovers(), [leftover("c/o")]);
        assert_eq!(store.names(), before);
    }
}

#[test]
fn a_listing_of_other_names_or_in_circles_deletes_nothing() {
    for listing in [
        r#"[{"name": "c-o/1"}, {"name": "other"}]"#,
        r#"[{"name": "c-o/2"}, {"name": "c-o/1"}]"#,
        r#"[{"name": "c-o/1"}]"#,
        "{}",
    ] {
        let mut store = large(3, true);
        let before = store.names();
        let run = run(SwiftDeleteOptions::default(), |head, body| {
            if head.uri.path().ends_with("/s") {
                return Answer::new(200).body(listing);
            }
            store.answer(head, body)
        });
        let error = run.result.unwrap_err();
        assert_eq!(
            (error.kind(), error.leftovers()),
            (Kind::InvalidResponse, &[leftover("c/o")][..])
        );
        assert_eq!(store.names(), before);
    }
}

#[test]
fn segments_can_be_left() {
    for dynamic in [false, true] {
        let mut store = large(3, dynamic);
        let options = SwiftDeleteOptions { segments: false, ..SwiftDeleteOptions::default() };
        let run = serve(options, &mut store);
        assert_eq!(run.requests, ["HEAD /v1/AUTH_a/c/o", "DELETE /v1/AUTH_a/c/o"]);
        assert_eq!(run.result.unwrap().deleted, 1);
        assert_eq!(store.names().len(), 3 + BYSTANDERS.len());
    }
}

#[test]
fn what_can_not_be_removed_is_told_and_can_be_found_again() {
    for (dynamic, bulk) in [(true, true), (true, false), (false, false)] {
        let mut store = large(9, dynamic);
        store.deletes_slo = false;
        store.stuck.insert("s/c-o/00000004".into(), 409);
        let options = SwiftDeleteOptions { bulk, ..SwiftDeleteOptions::default() };
        let run = serve(options, &mut store);
        let error = run.result.unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (Kind::Refused, 409));
        assert_eq!(error.leftovers(), [leftover("c/o"), leftover("s/c-o/00000004")]);
        assert_eq!(store.names()[0], "c/o");
        assert_eq!(store.names().len(), 2 + BYSTANDERS.len());
        // Once more, when it can be.
        store.stuck.clear();
        assert_eq!(serve(options, &mut store).result.unwrap().deleted, 2);
        assert_eq!(store.names(), BYSTANDERS);
    }
}

#[test]
fn what_the_server_could_not_remove_is_tried_once_more_and_else_told() {
    // It could not then, and can now.
    let mut store = large(5, false);
    let mut stuck = Some("s/c-o/00000002".to_owned());
    let run = run(SwiftDeleteOptions::default(), |head, body| {
        store.stuck = stuck.iter().map(|name| (name.clone(), 503)).collect();
        let answer = store.answer(head, body);
        if head.method == "DELETE" {
            stuck = None;
        }
        answer
    });
    assert_eq!(run.result.unwrap().deleted, 6);
    assert_eq!(run.requests[3..], ["DELETE /v1/AUTH_a/s/c-o/00000002"]);
    assert_eq!(store.names(), BYSTANDERS);
    // It can never be removed: the manifest is removed, and only the error names the segment.
    let mut store = large(5, false);
    store.stuck.insert("s/c-o/00000002".into(), 403);
    let error = serve(SwiftDeleteOptions::default(), &mut store).result.unwrap_err();
    assert_eq!(error.leftovers(), [leftover("s/c-o/00000002")]);
    assert_eq!(store.names()[0], "c/o2");
    // It was the manifest.
    let mut store = large(5, false);
    store.stuck.insert("c/o".into(), 409);
    let error = serve(SwiftDeleteOptions::default(), &mut store).result.unwrap_err();
    assert_eq!(error.leftovers(), [leftover("c/o")]);
}

#[test]
fn a_lost_answer_does_not_hide_what_was_left() {
    // The server removes the manifest and leaves a segment, and its response is lost.
    let mut store = large(30, false);
    store.stuck.insert("s/c-o/00000007".into(), 503);
    let mut lost = 1;
    let run = run(SwiftDeleteOptions::default(), |head, body| {
        let answer = store.answer(head, body);
        if head.method == "DELETE" && lost > 0 {
            lost -= 1;
            store.stuck.clear();
            return Answer::lost(ExchangeErrorKind::Closed);
        }
        answer
    });
    let done = run.result.unwrap();
    assert_eq!((done.deleted, done.missing), (1, 30));
    assert_eq!(store.names(), BYSTANDERS);
    // Every answer is lost: what may be left is told by name.
    let mut store = large(3, false);
    let run = self::run(SwiftDeleteOptions::default(), |head, body| {
        let answer = store.answer(head, body);
        if head.method == "DELETE" { Answer::lost(ExchangeErrorKind::Closed) } else { answer }
    });
    assert_eq!(run.result.unwrap_err().leftovers().len(), 4);
}

#[test]
fn a_report_of_objects_that_no_manifest_names_touches_none_of_them() {
    let mut store = large(3, false);
    let run = run(SwiftDeleteOptions::default(), |head, body| {
        let answer = store.answer(head, body);
        if head.method != "DELETE" {
            return answer;
        }
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let errors = r#""Errors":[["/s/c","409 Conflict"]]"#;
        Answer::new(200).body(text.replace(r#""Errors":[]"#, errors))
    });
    let error = run.result.unwrap_err();
    assert_eq!(
        (error.status().unwrap().as_u16(), error.leftovers()),
        (409, &[leftover("s/c")][..])
    );
    assert_eq!(store.names(), BYSTANDERS);
}

#[test]
fn who_may_delete_but_not_read_is_served() {
    for (helps, left) in [(true, 0), (false, 4)] {
        let mut store = large(3, false);
        store.deletes_slo = helps;
        let run = run(SwiftDeleteOptions::default(), |head, body| match head.method.as_str() {
            "GET" => Answer::new(403),
            _ => store.answer(head, body),
        });
        assert_eq!(run.result.is_ok(), helps);
        assert_eq!(store.names().len(), left + BYSTANDERS.len());
    }
}

#[test]
fn a_refusal_of_access_stops_it_at_once() {
    let mut store = large(500, true);
    let run = run(one_by_one(4), |head, body| {
        if head.method == "DELETE" { Answer::new(403) } else { store.answer(head, body) }
    });
    let error = run.result.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert_eq!(run.requests.iter().filter(|line| line.starts_with("DELETE")).count(), 4);
    assert_eq!(error.leftovers().len(), 501);
    assert!(error.to_string().len() < 3000);
    assert_eq!(store.names().len(), 501 + BYSTANDERS.len());
}

#[test]
fn lost_answers_and_refusals_that_pass_leave_nothing() {
    for dynamic in [false, true] {
        for (bulk, helps) in [(true, true), (false, true), (true, false)] {
            for fault in
                [Answer::lost(ExchangeErrorKind::Closed), Answer::new(503), Answer::new(498)]
            {
                let mut store = large(20, dynamic);
                store.deletes_slo = helps;
                let mut requests = 0;
                let options = SwiftDeleteOptions { bulk, ..SwiftDeleteOptions::default() };
                let run = run(options, |head, body| {
                    requests += 1;
                    let answer = store.answer(head, body);
                    // Every third answer is lost, after it was acted on.
                    if requests % 3 == 0 { fault.clone() } else { answer }
                });
                let done = run.result.unwrap();
                assert_eq!(store.names(), BYSTANDERS);
                assert_eq!(done.deleted + done.missing, 21, "{:?}", run.requests);
            }
        }
    }
}

#[test]
fn a_network_that_stays_away_ends_it() {
    for dynamic in [false, true] {
        let mut store = large(20, dynamic);
        let run = run(one_by_one(4), |head, body| {
            if head.method == "DELETE" {
                return Answer::lost(ExchangeErrorKind::Connect);
            }
            store.answer(head, body)
        });
        let error = run.result.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (Kind::Transport, 5));
        assert_eq!(error.leftovers()[0], leftover("c/o"));
        assert!(run.requests.len() < 40, "{}", run.requests.len());
    }
}

#[test]
fn each_request_has_a_token_that_is_good() {
    let mut store = large(20, true);
    let mut valid = 0;
    let run = run(one_by_one(1), |head, body| {
        if head.headers["x-auth-token"] != valid.to_string().as_str() {
            return Answer::new(401);
        }
        valid += 1;
        store.answer(head, body)
    });
    assert_eq!(run.result.unwrap().deleted, 21);
    assert_eq!(store.names(), BYSTANDERS);
}

#[test]
fn a_cancelled_deletion_says_what_is_left() {
    for millis in 0..100 {
        let mut store = large(20, true);
        let sim = Sim::with_auth(delete(one_by_one(3)), Tokens::auth());
        let sim = sim.cancel_at(Duration::from_millis(millis), OnFailure::Abort);
        let run = sim.run(|head, body| store.answer(head, body));
        let names = store.names();
        // What is in flight ends, and nothing is sent after it.
        assert!(run.elapsed <= Duration::from_millis(millis + 10), "{millis}: {:?}", run.elapsed);
        match run.result {
            Ok(done) => assert_eq!((done.deleted, names.len()), (21, BYSTANDERS.len())),
            Err(error) => {
                assert!(error.is_cancelled());
                let here = names.contains(&"c/o".to_owned());
                let told = error.leftovers().contains(&leftover("c/o"));
                assert!(told || !here || names.len() == 21 + BYSTANDERS.len(), "{millis}");
            }
        }
    }
}

/// "404 Not Found" to what the listing had (Swift's listings lag behind), and "403 Forbidden".
#[test]
fn of_many_what_is_gone_is_missing_and_what_is_refused_is_told() {
    let list = r#"[{"name": "gone"}, {"name": "kept"}, {"name": "plain"}]"#;
    let delete = SwiftDeleteMany::prefix("c", "", service(), one_by_one(1), 7);
    let mut pages = [list, "[]"].into_iter();
    let run = Sim::with_auth(delete, Tokens::auth()).run(|head, _| {
        match (head.method.as_str(), head.uri.path().rsplit('/').next().unwrap()) {
            ("GET", _) => Answer::new(200).body(pages.next().unwrap_or("[]")),
            (_, "gone") => Answer::new(404),
            ("DELETE", "kept") => Answer::new(403),
            ("DELETE", _) => Answer::new(204),
            _ => Answer::new(200).header("content-length", 5),
        }
    });
    let done = run.result.unwrap();
    assert_eq!((done.deleted, done.missing), (1, 1));
    let [(name, error)] = &*done.errors else { panic!("{done:?}") };
    assert_eq!((name.as_str(), error.status().unwrap().as_u16()), ("kept", 403));
}

#[test]
fn a_cancelled_deletion_of_many_sends_nothing_more() {
    let list: Vec<String> = (0..20).map(|at| format!(r#"{{"name": "{at}"}}"#)).collect();
    let list = format!("[{}]", list.join(","));
    for millis in [0, 15, 25, 55] {
        let delete = SwiftDeleteMany::prefix("c", "", service(), one_by_one(1), 7);
        let sim = Sim::with_auth(delete, Tokens::auth());
        let sim = sim.cancel_at(Duration::from_millis(millis), OnFailure::Abort);
        let run = sim.run(|head, _| match head.method.as_str() {
            "GET" => Answer::new(200).body(list.clone()),
            "DELETE" => Answer::new(204),
            _ => Answer::new(200).header("content-length", 5),
        });
        assert!(run.result.unwrap_err().is_cancelled());
        assert!(run.elapsed <= Duration::from_millis(millis + 10), "{millis}: {:?}", run.elapsed);
    }
}
