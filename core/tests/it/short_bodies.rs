//! Bodies that end before the length that their head announced (RFC 9112, section 6.3: the message
//! is incomplete), with an HTTP client that reports a complete body.

use std::time::Duration;

use apus_core::Now;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::{Draft, Exchange, Incoming, Reply};
use apus_core::machine::DownloadOptions;
use http::{Method, Uri};

use crate::support::stored::{Stored, download};
use crate::support::{Answer, Sim};

fn collected(method: Method, status: u16, announced: u64, body: &[u8]) -> Reply {
    let mut draft = Draft::new("GetBucketPolicy", method, Uri::from_static("http://h/b?policy"));
    draft.incoming = Incoming::Collect { limit: 1 << 20 };
    let head = http::Response::builder().status(status).header("content-length", announced);
    let head = head.body(()).unwrap().into_parts().0;
    let mut receiving = Exchange::open(draft, NOON, 0).respond(head);
    receiving.push(body).unwrap();
    receiving.finish(None).into_parts().1.unwrap()
}

#[test]
fn a_body_that_is_shorter_than_announced_is_cut() {
    for (announced, body) in [(5, &b""[..]), (5, b"1"), (5, b"1234")] {
        let reply = collected(Method::GET, 200, announced, body);
        let cut = reply.cut.expect("it is short");
        assert_eq!(cut.kind(), ExchangeErrorKind::Cut);
        assert!(cut.detail().contains(&format!("{} of 5", body.len())), "{}", cut.detail());
    }
    assert!(collected(Method::GET, 200, 5, b"12345").cut.is_none());
}

#[test]
fn an_answer_that_has_no_body_is_not_short() {
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
        assert!(collected(method.clone(), status, 5, b"").cut.is_none(), "{method} {status}");
    }
}

#[test]
fn a_download_goes_on_after_it() {
    let stored = Stored::new(1000);
    let mut first = true;
    let run = Sim::new(download(DownloadOptions::default())).run(|head, _| {
        let answer = stored.answer(head);
        if !std::mem::take(&mut first) {
            return answer;
        }
        let short = answer.body.slice(..400);
        Answer { body: short, ..answer }
    });
    assert_eq!(run.result.unwrap().bytes, 1000);
    assert_eq!(run.sink, stored.bytes);
    assert_eq!(run.requests.len(), 2);
}

const NOON: Now = Now { tick: Duration::from_secs(5), unix: Duration::from_secs(1_440_938_160) };
