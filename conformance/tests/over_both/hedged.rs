//! Requests that are sent before, or beside, the one that is awaited.

#![allow(clippy::while_let_on_iterator, reason = "a stream of the async transport has no `for`")]

use std::time::{Duration, Instant};

use apus_conformance::server::{Fault, FaultyS3, Operation, Plan, S3Model};
use apus_core::api::s3::{self, Download, HeadObject, ListObjectsV2};
use apus_core::machine::RateLimits;
use apus_core::sign::Keys;
use tokio::runtime::Builder;

use crate::client::{Via, pattern};

both! {
    a_page_that_is_requested_ahead_keeps_no_place_of_the_limit,
    pages_are_not_requested_ahead_where_they_should_not,
    a_request_that_is_overtaken_is_not_waited_for,
}

/// Runs the same calls over either transport, with at most `$at_once` requests in flight.
macro_rules! over {
    ($via:expr, $server:expr, $at_once:expr, |$client:ident, $transport:ident, $wait:ident| $calls:block) => {{
        let service = s3::Service::custom(&$server.endpoint(), "us-east-1").unwrap();
        let keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let limits = RateLimits::new($at_once);
        match $via {
            Via::Blocking => {
                use apus_blocking as $transport;
                macro_rules! $wait {
                    ($call:expr) => {
                        $call
                    };
                }
                let client = $transport::Client::builder(service, keys).rate_limits(limits);
                let $client = client.build().unwrap();
                $calls
            }
            Via::Async => {
                use apus_async as $transport;
                macro_rules! $wait {
                    ($call:expr) => {
                        $call.await
                    };
                }
                let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
                runtime.unwrap().block_on(async {
                    let client = $transport::Client::builder(service, keys).rate_limits(limits);
                    let $client = client.build().unwrap();
                    $calls
                })
            }
        }
    }};
}

fn listed(objects: usize) -> FaultyS3 {
    let model = (0..objects).fold(S3Model::new().with_bucket("bucket"), |model, at| {
        model.with_object("bucket", &format!("{at:04}"), "x")
    });
    FaultyS3::start(model).unwrap()
}

fn by_ten() -> ListObjectsV2 {
    ListObjectsV2 { max_keys: Some(10), ..ListObjectsV2::new("bucket") }
}

/// Waits until the server has received so many requests for pages.
fn received(server: &FaultyS3, pages: u64) -> bool {
    let begun = Instant::now();
    while server.model().count(Operation::ListObjectsV2) < pages {
        if begun.elapsed() > Duration::from_secs(20) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn a_page_that_is_requested_ahead_keeps_no_place_of_the_limit(via: Via) {
    let server = listed(45);
    over!(via, server, 1, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        let mut items = client.items(by_ten());
        for at in 0..10 {
            assert_eq!(wait!(items.next()).unwrap().unwrap().key, format!("{at:04}"));
        }
        // One page was asked for, and one was requested.
        assert_eq!(server.model().count(Operation::ListObjectsV2), 1);
        wait!(items.next()).unwrap().unwrap();
        assert!(received(&server, 3), "the third page is not requested ahead");
        // The caller does not ask for it, and needs the only place of the limit.
        for _ in 0..3 {
            wait!(client.call(HeadObject::new("bucket", "0001"))).unwrap();
        }
        let mut rest = Vec::new();
        while let Some(object) = wait!(items.next()) {
            rest.push(object.unwrap().key);
        }
        assert_eq!(rest, (11..45).map(|at| format!("{at:04}")).collect::<Vec<_>>());
    });
    assert_eq!(server.model().count(Operation::ListObjectsV2), 5);
}

fn pages_are_not_requested_ahead_where_they_should_not(via: Via) {
    let server = listed(45);
    over!(via, server, 4, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        let mut pages = client.pages(by_ten()).read_ahead(false);
        for _ in 0..3 {
            assert_eq!(wait!(pages.next()).unwrap().unwrap().contents.len(), 10);
        }
        drop(pages);
        let mut items = client.items(by_ten()).read_ahead(false);
        for _ in 0..20 {
            wait!(items.next()).unwrap().unwrap();
        }
    });
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(server.model().count(Operation::ListObjectsV2), 5);
}

fn a_request_that_is_overtaken_is_not_waited_for(via: Via) {
    let object = pattern(100_000);
    let model =
        S3Model::new().with_bucket("bucket").with_object("bucket", "object", object.clone());
    let server = FaultyS3::start(model).unwrap();
    // One response does not come.
    let never = Fault::Delay(Duration::from_secs(600));
    server.model().set_plan(Plan::new().on(Operation::GetObject, 60, never));
    over!(via, server, 16, |client, transport, wait| {
        let sink = transport::Sink::memory();
        let download = Download::new("bucket", "object").range_size(1000).concurrency(2);
        let done = wait!(client.run(download.hedged(true)).write_to(&sink).send()).unwrap();
        assert_eq!(done.bytes, 100_000);
        assert!(sink.take() == object);
    });
    // Each range once, the late one twice, and others of those that were late on a busy machine.
    let requests = server.model().count(Operation::GetObject);
    assert!((101..=105).contains(&requests), "{requests} requests");
}
