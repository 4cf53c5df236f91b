//! No secret reaches the loggers of a program, whatever their level: not through `log`, which ureq
//! and rustls write to, and not through `tracing`.
//!
//! A test binary of its own: both loggers are those of the whole process.

use std::fmt::{self, Write as _};
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use apus_conformance::server::{Framing, Reply, Request, Scripted};
use apus_core::Secret;
use apus_core::contract::Operation as _;
use apus_core::credentials::Credentials;
use apus_core::http::{Body, Completion, Draft, Exchange};
use apus_core::proxy::Proxy;
use apus_core::s3::{BaseUrl, Config, CustomerKey, EndpointConfig, GetObject, Service};
use apus_core::sign::Keys;
use http::{HeaderName, HeaderValue, Method};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};

/// The text that both loggers got, without separators: ureq splits what it logs into rows.
static TOLD: Mutex<Told> = Mutex::new(Told { text: String::new(), log: 0, tracing: 0 });

struct Told {
    text: String,
    log: usize,
    tracing: usize,
}

struct Listener;

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut told = told();
        told.log += 1;
        writeln!(told.text, "{} {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

impl tracing::Subscriber for Listener {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Fields);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        told().tracing += 1;
        event.record(&mut Fields);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields;

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(told().text, "{field} {value:?}").unwrap();
    }
}

fn told() -> MutexGuard<'static, Told> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Listener).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        tracing::subscriber::set_global_default(Listener).unwrap();
    });
}

/// Nothing that was written has eight characters in a row of this: a row of a dump has sixteen, as
/// text and as numbers.
fn is_kept(secret: &str) {
    assert!(secret.len() >= 24, "{secret} may hide between two rows");
    let told = told();
    for part in secret.as_bytes().windows(8) {
        let text = std::str::from_utf8(part).unwrap();
        let pairs =
            part.chunks(2).map(|two| two.iter().map(|byte| format!("{byte:02x}")).collect());
        let numbers = pairs.collect::<Vec<String>>().join(" ");
        for form in [text, &numbers] {
            let at = told.text.find(form);
            let around = at.map(|at| told.text.get(at.saturating_sub(100)..at + 60));
            assert!(at.is_none(), "{secret} at {around:?}");
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Via {
    Blocking,
    Async,
}

/// Performs one exchange, over a transport of its own.
fn perform(via: Via, exchange: Exchange, ca: Option<&str>, proxy: Option<&Proxy>) -> Completion {
    macro_rules! transport {
        ($transport:ident) => {{
            let mut config = $transport::TransportConfig::new();
            if let Some(ca) = ca {
                config = config.ca_bundle(ca.as_bytes()).unwrap();
            }
            if let Some(proxy) = proxy {
                config = config.proxy(proxy.clone());
            }
            let transport = $transport::Transport::new(config).unwrap();
            (transport, $transport::Source::none(), $transport::Sink::none())
        }};
    }
    match via {
        Via::Blocking => {
            let (transport, source, sink) = transport!(apus_blocking);
            transport.perform(exchange, &source, &sink)
        }
        Via::Async => {
            let (transport, source, sink) = transport!(apus_async);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(transport.perform(exchange, &source, &sink))
        }
    }
}

const TOKEN: &str = "FwoGZXIvYXdzEJr2kQ7uVtNy0pLc4HsXb9TmWq1e";
const AUTH_TOKEN: &str = "gAAAAABqX7vR2mZc9LwTf4KdYb1NhPs8EuJo";
const SUBJECT_TOKEN: &str = "gAAAAABk3WnVx6QyHt0GrCz5MaDjUe2BfLi7";
const PASSWORD: &str = "pw-J8sKq4ZtVn1XcRb6YmDh3LwGf9Ep";
const ANSWERED: &str = "uT5oBx2NcQv8RkWz7JdLh0GmYs4PfEa1Ki9C";
/// And as it is sent.
const CUSTOMER: [&str; 2] =
    ["c9Xv2LqR7wTnZk4JmB0yHs8DfGp5AeUi", "YzlYdjJMcVI3d1RuWms0Sm1CMHlIczhEZkdwNUFlVWk="];
const PROXY: &str = "gate-Vb7KxQ2mZr9TcWn4LsYd0HjFp6Eu";

fn draft(method: Method, url: String, headers: &[(&'static str, &str)]) -> Box<Draft> {
    let mut draft = Draft::new("Test", method, url.parse().unwrap());
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        draft.head.headers.insert(HeaderName::from_static(name), value);
    }
    draft
}

/// The signed request of an S3 call with temporary keys and a key of the customer's; and its URL.
fn s3(endpoint: &str) -> (Exchange, String, String) {
    let base = BaseUrl::parse(endpoint).unwrap();
    let service = Service::new(Config::new(EndpointConfig::custom(base, "us-east-1"))).unwrap();
    let mut keys = Keys::new("DISTINCTIVE", "NotSentAtAll");
    keys.session_token = Some(Secret::new(TOKEN));
    let credentials = Credentials::new(keys);
    let key: &[u8; 32] = CUSTOMER[0].as_bytes().try_into().unwrap();
    let mut get = GetObject::new("bucket", "key");
    let now = apus_blocking::now();
    let hour = Duration::from_secs(3600);
    let presigned = credentials.presign(get.draft(&service).unwrap(), hour, now).unwrap();
    let url = presigned.url;
    get.customer_key = Some(CustomerKey::new(key));
    let mut draft = get.draft(&service).unwrap();
    draft.incoming = apus_core::http::Incoming::Collect { limit: 1 << 20 };
    let mut exchange = credentials.sign(draft, now).unwrap();
    let headers = &exchange.request().unwrap().headers;
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    (exchange, url, authorization)
}

/// Answers everything with secrets in a header and in the body, in several framings.
fn server(tls: bool) -> Scripted {
    let mut count = 0;
    let answer = move |request: &Request| {
        count += 1;
        let status = if request.target.contains("refused") { 403 } else { 200 };
        let mut reply = Reply::new(status).header("X-Subject-Token", SUBJECT_TOKEN);
        reply = reply.body(format!(r#"{{"SecretAccessKey":"{ANSWERED}"}}"#));
        reply.framing = [Framing::Length, Framing::Chunked(10), Framing::Close][count % 3];
        reply
    };
    if tls { Scripted::start_tls(answer).unwrap() } else { Scripted::start(answer).unwrap() }
}

fn nothing_is_told(via: Via) {
    listen();
    let mut secrets = Vec::new();
    for tls in [false, true] {
        let server = server(tls);
        let (endpoint, ca) = (server.endpoint(), server.ca_pem());
        for _ in 0..3 {
            let (signed, presigned, authorization) = s3(&endpoint);
            let (_, signature) = presigned.split_once("X-Amz-Signature=").unwrap();
            secrets.push(signature.to_owned());
            secrets.push(authorization.split_once("Signature=").unwrap().1.to_owned());
            let fetch = draft(Method::GET, presigned, &[]);
            let mut login = draft(Method::POST, format!("{endpoint}/v3/auth/tokens"), &[]);
            login.body = Body::Bytes(format!(r#"{{"password":"{PASSWORD}"}}"#).into());
            let with_token = [("x-auth-token", AUTH_TOKEN)];
            let swift = draft(Method::GET, format!("{endpoint}/v1/AUTH_a/c"), &with_token);
            let refused = draft(Method::PUT, format!("{endpoint}/refused"), &with_token);
            let now = apus_blocking::now();
            let drafts = [fetch, login, swift, refused];
            let open = drafts.map(|draft| Exchange::open(draft, now, 1));
            for exchange in open.into_iter().chain([signed]) {
                let completion = perform(via, exchange, ca, None);
                let reply = completion.outcome().unwrap();
                assert_eq!(reply.head.headers["x-subject-token"], SUBJECT_TOKEN);
                assert!(String::from_utf8_lossy(&reply.body).contains(ANSWERED));
                assert!(reply.cut.is_none());
            }
        }
        // All of it went out.
        let seen = server.requests();
        assert_eq!(seen.len(), 15);
        assert!(seen.iter().any(|one| one.header("x-amz-security-token") == Some(TOKEN)));
        assert!(seen.iter().any(|one| one.query().contains(TOKEN)));
        let customer_key = "x-amz-server-side-encryption-customer-key";
        assert!(seen.iter().any(|one| one.header(customer_key) == Some(CUSTOMER[1])));
        assert!(seen.iter().any(|one| one.header("x-auth-token") == Some(AUTH_TOKEN)));
        assert!(seen.iter().any(|one| String::from_utf8_lossy(&one.body).contains(PASSWORD)));
    }

    let gate = server(false);
    let proxy =
        Proxy::new(&gate.endpoint()).unwrap().credentials("user", Secret::new(PROXY)).unwrap();
    let forwarded = draft(Method::GET, "http://elsewhere.test/x".to_owned(), &[]);
    let exchange = Exchange::open(forwarded, apus_blocking::now(), 1);
    perform(via, exchange, None, Some(&proxy)).outcome().unwrap();
    let proved = gate.requests()[0].header("proxy-authorization").unwrap().to_owned();
    secrets.push(proved["Basic ".len()..].to_owned());
    let gate = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::new(&format!("http://{}", gate.local_addr().unwrap())).unwrap();
    let proxy = proxy.credentials("user", Secret::new(PROXY)).unwrap();
    let asked = thread::spawn(move || {
        let (mut stream, _) = gate.accept().unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            asked.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 407 Prove it\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8(asked).unwrap()
    });
    let tunnelled = draft(Method::GET, "https://elsewhere.test/x".to_owned(), &[]);
    let exchange = Exchange::open(tunnelled, apus_blocking::now(), 1);
    perform(via, exchange, None, Some(&proxy)).outcome().unwrap_err();
    assert!(asked.join().unwrap().contains(&proved));

    // Something was logged, and none of these.
    assert!(told().log > 0, "rustls, and ureq, write to the log");
    assert!(told().tracing > 0 && told().text.contains("Test"), "our own events");
    if via == Via::Blocking {
        assert!(told().text.contains("ureq_proto::util"), "ureq dumps what it sends and receives");
    }
    for secret in [TOKEN, AUTH_TOKEN, SUBJECT_TOKEN, PASSWORD, ANSWERED, PROXY] {
        is_kept(secret);
    }
    CUSTOMER.into_iter().for_each(is_kept);
    for secret in &secrets {
        is_kept(secret);
    }
}

#[test]
fn no_secret_reaches_a_logger_over_ureq() {
    nothing_is_told(Via::Blocking);
}

#[test]
fn no_secret_reaches_a_logger_over_hyper() {
    nothing_is_told(Via::Async);
}
