//! A failure before anything of a request was sent leaves no outcome unknown.

use std::future::Future;
use std::io::Read;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use apus_conformance::server::Plan;
use apus_core::Error;
use apus_core::http::Body;
use apus_core::machine::UploadOptions;
use apus_core::s3::{Conditions, PutObject};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use crate::client::{Kind, Origin, Server, Setup, Token, Via, Wire, pattern};
use crate::uploads::{machine, options, server};

both! {
    a_source_that_takes_all_the_time_has_sent_nothing,
    a_run_that_is_cancelled_before_it_is_connected_has_sent_nothing,
}

/// Ten bytes, of which the first take longer than the exchange may.
#[derive(Default)]
struct Slow {
    waited: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    given: bool,
}

impl Slow {
    fn give(&mut self) -> &'static [u8] {
        if std::mem::replace(&mut self.given, true) { &[] } else { &[7; 10] }
    }
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !std::mem::replace(&mut self.waited, true) {
            thread::sleep(LONG);
        }
        let bytes = if buffer.is_empty() { &[] } else { self.give() };
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(LONG)));
        ready!(sleep.as_mut().poll(cx));
        // Later reads do not wait.
        self.sleep = Some(Box::pin(tokio::time::sleep(Duration::ZERO)));
        buffer.put_slice(self.give());
        Poll::Ready(Ok(()))
    }
}

#[track_caller]
fn has_sent_nothing(error: &Error) {
    assert!(!error.outcome_unknown(), "{error}");
    let failure = error.exchange_error().unwrap();
    assert!(failure.is_before_request(), "{error}");
}

// What is sent over http is hashed before.
fn a_source_that_takes_all_the_time_has_sent_nothing(via: Via) {
    let server = server(false, Plan::new());
    let setup = Setup::of(&server).with(|config| {
        config.timeouts.whole = Some(SHORT);
        config.retry_policy.attempts = 1;
    });
    let client = setup.client(via);
    let body = Body::Source { range: 0..10, rewindable: false };
    let mut put = PutObject::from_body("bucket", "key", body);
    // For a lost response, the client would look for the object.
    put.conditions = Conditions::absent();
    let error = match &client.wire {
        Wire::Blocking(client) => {
            client.call_from(put, apus_blocking::Source::reader(Slow::default(), 10))
        }
        Wire::Async(client, runtime) => runtime.block_on(async {
            client.call_from(put, apus_async::Source::reader(Slow::default(), 10)).await
        }),
    };
    let error = error.unwrap_err();
    has_sent_nothing(&error);
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("the source used up the time limit"), "{error}");
    assert_eq!(server.server().requests().len(), 0);
}

/// A server with which no TLS handshake succeeds.
struct Unmade(u16);

impl Server for Unmade {
    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.0)
    }

    fn ca(&self) -> Option<&str> {
        None
    }
}

fn a_run_that_is_cancelled_before_it_is_connected_has_sent_nothing(via: Via) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Unmade(listener.local_addr().unwrap().port());
    let client =
        Setup::of(&server).with(|config| config.timeouts.connect = Some(SECOND)).client(via);
    let token = Token::default();
    let (cancelled, origin) = (token.clone(), Origin::new(Kind::Bytes, pattern(1000)));
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0, "no hello");
        cancelled.cancel_with(apus_core::contract::OnFailure::Abort);
        // Until the client has gone.
        while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    });
    let options = UploadOptions { conditions: Conditions::absent(), ..options() };
    let upload = machine(&origin, options, &client.service);
    let error = client.run_until(upload, origin, &token).unwrap_err();
    has_sent_nothing(&error);
    peer.join().unwrap();
}

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_millis(600);
const SECOND: Duration = Duration::from_secs(1);
