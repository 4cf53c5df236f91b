//! A download that is opened begins in the caller's task, and goes on in a task of its own only
//! while there is more to receive.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_async::s3::{Download, Service};
use apus_async::{Client, Event, Keys, Now, Observer};
use apus_core::machine::RateLimits;
use common::{Server, noise};
use tokio::io::AsyncReadExt;
use tokio::task::{Id, try_id};

/// A client that has one request in flight at most.
fn client(server: &Server) -> Client<Service> {
    let service = Service::custom(&server.url(), "us-east-1").unwrap();
    let client = Client::new(service, Keys::new("access", "secret")).unwrap();
    client.with_rate_limits(RateLimits::new(1))
}

fn object(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\netag: \"one-1\"\r\n\r\n")
}

/// The tasks in which bytes were received.
#[derive(Default)]
struct Tasks(Mutex<Vec<Option<Id>>>);

impl Observer for Tasks {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Received { .. } = event {
            self.0.lock().unwrap().push(try_id());
        }
    }
}

#[tokio::test]
async fn a_small_object_is_received_in_the_callers_task() {
    let server = Server::start(|peer| {
        while peer.request().is_some() {
            peer.say([object(5).as_bytes(), b"hello"].concat());
        }
    });
    let tasks = Arc::new(Tasks::default());
    let client = client(&server).with_observer(tasks.clone());
    let caller = tokio::spawn(async move {
        for _ in 0..3 {
            let run = client.run(Download::new("bucket", "key"));
            let (head, mut reader) = run.open().await.unwrap();
            assert_eq!(head.size, Some(5));
            let mut got = String::new();
            reader.read_to_string(&mut got).await.unwrap();
            assert_eq!(got, "hello");
        }
    });
    let id = caller.id();
    caller.await.unwrap();
    assert_eq!(*tasks.0.lock().unwrap(), [Some(id); 3]);
}

#[tokio::test]
async fn what_arrives_after_the_head_is_received_in_a_task() {
    let bytes = noise(3_000_000);
    let sent = bytes.clone();
    let server = Server::start(move |peer| {
        while peer.request().is_some() {
            peer.say(object(sent.len()));
            std::thread::sleep(Duration::from_millis(20));
            peer.say(&sent);
        }
    });
    let client = client(&server);
    let (head, mut reader) = client.run(Download::new("bucket", "key")).open().await.unwrap();
    assert_eq!(head.size, Some(3_000_000));
    // The caller does not poll the reader: the task fills its four pieces.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut got = Vec::new();
    reader.read_to_end(&mut got).await.unwrap();
    assert!(got == bytes);
    assert_eq!(reader.finish().await.unwrap().bytes, 3_000_000);
}

#[tokio::test]
async fn an_opening_that_is_dropped_closes_its_connection_and_leaves_room() {
    let (ended, ends) = std::sync::mpsc::channel();
    let server = Server::start(move |peer| {
        let Some((head, _)) = peer.request() else { return };
        if head.contains("/fast") {
            peer.say([object(4).as_bytes(), b"here"].concat());
        }
        peer.wait_for_end();
        let _ = ended.send(head.contains("/slow"));
    });
    let client = client(&server);
    let slow = client.run(Download::new("bucket", "slow")).open();
    let dropped = tokio::time::timeout(Duration::from_millis(200), slow).await;
    assert!(dropped.is_err() && server.heads().len() == 1);
    let fast = client.run(Download::new("bucket", "fast")).open();
    let fast = tokio::time::timeout(Duration::from_secs(20), fast).await;
    let (head, _) = fast.unwrap().unwrap();
    assert_eq!(head.size, Some(4));
    assert_eq!(ends.recv_timeout(Duration::from_secs(20)), Ok(true));
    let left = client.shutdown(Duration::from_secs(20)).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_object_that_is_absent_is_the_error_of_its_opening() {
    let server = Server::always(common::answer("404 Not Found", ""));
    let opened = client(&server).run(Download::new("bucket", "none")).open().await;
    assert!(opened.unwrap_err().is_not_found());
}
