//! Every kind of error, caused through the public API, with the facts that it keeps.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::contract::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, Operation,
};
use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Draft, Exchange, Receiving};
use apus_core::machine::{Auth, Call, Pump, Turn};
use apus_core::retry::RetryPolicy;
use apus_core::s3::{
    BaseUrl, Config, EndpointConfig, GetObject, ListObjectsV2, PutObject, Service,
};
use apus_core::sign::Keys;
use apus_core::{Error, Kind, Now};

fn now() -> Now {
    Now::new(Duration::from_secs(1), Duration::from_secs(1_440_938_160))
}

fn service() -> Arc<Service> {
    let url = BaseUrl::parse("http://s3.test").unwrap();
    let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
    config.retry_policy = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    config.checksum.enable_data_integrity_protection = true;
    config.checksum.response = "when_supported".parse().unwrap();
    Arc::new(Service::new(config).unwrap())
}

fn run<O: Operation<Service = Service>>(
    operation: O,
    authority: impl Authenticator + 'static,
    answer: impl Fn(Exchange) -> Completion,
) -> Result<O::Output, Error> {
    let call = Call::new(operation, service(), 1);
    let mut pump = Pump::new(call, vec![Auth::new(authority)], Waker::noop().clone());
    loop {
        match pump.turn(now()) {
            Turn::Launch(exchange) => pump.complete(now(), answer(exchange)),
            Turn::Park(wait) => panic!("nothing to wait for: {wait:?}"),
            Turn::Done(result) => return result,
        }
    }
}

fn keys() -> Credentials {
    Credentials::new(Keys::new("AKID", "secret"))
}

fn head(mut exchange: Exchange, status: u16, headers: &[(&str, &str)]) -> Receiving {
    exchange.request().unwrap();
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    exchange.respond(answer.body(()).unwrap().into_parts().0)
}

fn reply(exchange: Exchange, status: u16, headers: &[(&str, &str)], body: &str) -> Completion {
    let mut receiving = head(exchange, status, headers);
    receiving.push(body.as_bytes()).unwrap();
    receiving.finish(None)
}

#[test]
fn caller() {
    let error = run(GetObject::new("bucket", ""), keys(), |_| unreachable!("nothing is sent"));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    assert_eq!(error.to_string(), "GetObject: the key of an object in bucket \"bucket\" is empty");
}

#[test]
fn refused() {
    // "Error responses" of the S3 API reference.
    let document = "<Error><Code>NoSuchKey</Code><Message>The resource you requested does not exist\
        </Message><Resource>/mybucket/myfoto.jpg</Resource><RequestId>4442587FB7D0A2F9</RequestId>\
        </Error>";
    let error = run(GetObject::new("mybucket", "myfoto.jpg"), keys(), |exchange| {
        reply(exchange, 404, &[("x-amz-id-2", "host")], document)
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    assert_eq!(error.code(), Some("NoSuchKey"));
    assert_eq!(error.server_message(), Some("The resource you requested does not exist"));
    assert_eq!(error.request_id(), Some("4442587FB7D0A2F9"));
    assert_eq!(error.host_id(), Some("host"));
    assert_eq!(error.attempts(), 1);
    assert!(error.is_not_found() && !error.is_denied() && !error.is_conflict());
}

#[test]
fn broken() {
    let error = run(ListObjectsV2::new("bucket"), keys(), |exchange| {
        reply(exchange, 200, &[("x-amz-request-id", "id")], "<ListBucketResult><Name>buc")
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse);
    assert_eq!(error.request_id(), Some("id"));
}

#[test]
fn wire() {
    let causes = [
        ExchangeErrorKind::Resolve,
        ExchangeErrorKind::Connect,
        ExchangeErrorKind::Tls,
        ExchangeErrorKind::Proxy,
        ExchangeErrorKind::Timeout,
        ExchangeErrorKind::Closed,
        ExchangeErrorKind::Cancelled,
    ];
    for cause in causes {
        let error = run(GetObject::new("bucket", "key"), keys(), |exchange| {
            exchange.fail(ExchangeError::new(cause, "the network said so"))
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind(), Kind::Transport, "{cause:?}");
        assert_eq!(error.exchange_error().map(ExchangeError::kind), Some(cause));
        assert_eq!(error.is_timeout(), cause == ExchangeErrorKind::Timeout);
        assert_eq!(error.is_cancelled(), cause == ExchangeErrorKind::Cancelled);
    }
    let error = run(GetObject::new("bucket", "key"), keys(), |exchange| {
        let mut receiving = head(exchange, 200, &[("content-length", "10")]);
        receiving.push(b"half").unwrap();
        receiving.finish(None)
    });
    assert_eq!(
        error.unwrap_err().exchange_error().map(ExchangeError::kind),
        Some(ExchangeErrorKind::Cut)
    );
}

#[test]
fn a_source_or_sink_that_fails_is_the_callers() {
    for cause in [ExchangeErrorKind::Source, ExchangeErrorKind::Sink] {
        let error = run(GetObject::new("bucket", "key"), keys(), |exchange| {
            exchange.fail(ExchangeError::new(cause, "disk full"))
        });
        assert_eq!(error.unwrap_err().kind(), Kind::InvalidInput, "{cause:?}");
    }
}

#[test]
fn an_answer_that_is_no_http_is_broken() {
    let error = run(GetObject::new("bucket", "key"), keys(), |exchange| {
        exchange.fail(ExchangeError::new(ExchangeErrorKind::Protocol, "no status line"))
    });
    assert_eq!(error.unwrap_err().kind(), Kind::InvalidResponse);
}

#[test]
fn integrity() {
    // The CRC32 of `hello`, and another body.
    let error = run(GetObject::new("bucket", "key"), keys(), |exchange| {
        reply(exchange, 200, &[("x-amz-checksum-crc32", "NhCmhg==")], "hallo")
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.to_string().contains("NhCmhg=="), "{error}");
}

#[test]
fn what_the_server_says_it_stored_must_be_what_was_sent() {
    let mut put = PutObject::new("bucket", "key", "hello");
    put.checksum.algorithm = Some(apus_core::checksum::Algorithm::Crc32);
    let error = run(put, keys(), |exchange| {
        reply(exchange, 200, &[("x-amz-checksum-crc32", "AAAAAA==")], "")
    });
    assert_eq!(error.unwrap_err().kind(), Kind::Integrity);
}

/// An authenticator without credentials.
struct Nobody;

impl Authenticator for Nobody {
    fn lease(&mut self, _: Now, _: &mut LeaseRequest<'_>) -> Lease {
        Lease::Denied(Error::auth("there are no credentials"))
    }

    fn seal(&mut self, _: LeaseGeneration, _: Box<Draft>, _: Now) -> Result<Exchange, Error> {
        unreachable!("no grant was given")
    }

    fn judge(&mut self, _: Now, _: &Completion) -> AuthOutcome {
        AuthOutcome::Accepted
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}

#[test]
fn authority() {
    let error = run(GetObject::new("bucket", "key"), Nobody, |_| unreachable!("nothing is sent"));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert_eq!(error.to_string(), "GetObject: there are no credentials");
}
