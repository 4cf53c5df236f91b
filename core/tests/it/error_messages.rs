//! The words of errors, one of each family, compared with `error_messages.txt`. A change of a
//! message is a change of that file, which a reviewer reads.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::checksum::{Algorithm, Composite, Value};
use apus_core::contract::Operation;
use apus_core::credentials::{
    Authorization, AwsConfig, Container, Credentials, Environment, NoLookup, Process, Provider,
    Resolver, Source, Sts,
};
use apus_core::error::{ExchangeError, ExchangeErrorKind, Leftover};
use apus_core::http::{
    Completion, Exchange, GivenSource, Needs, SourceNeeds, decode_aws_chunked, read_head,
};
use apus_core::keystone::clouds::Clouds;
use apus_core::keystone::{Identity, Login, Scope, TrustSlot};
use apus_core::location::{S3Location, SwiftLocation};
use apus_core::machine::{Auth, Call, Pump, S3Upload, Turn, UploadOptions, UploadSource};
use apus_core::now::Timestamp;
use apus_core::proxy::Proxy;
use apus_core::quirks::Provider as Vendor;
use apus_core::retry::RetryPolicy;
use apus_core::s3::endpoint::Resolver as Endpoints;
use apus_core::s3::{self, BaseUrl, Config, EndpointConfig};
use apus_core::secret::Secret;
use apus_core::sign::Keys;
use apus_core::store::config::{Configuration, OsloConfig, Reference, S3Options};
use apus_core::store::{Refusal, StoreError, Verb};
use apus_core::swift::{self, Acl, TempUrl};
use apus_core::xml::Document;
use apus_core::{Error, Kind, Now};
use http::StatusCode;

#[test]
fn messages_are_those_of_the_file() {
    let mut all = Messages(String::new());
    facts(&mut all);
    exchanges(&mut all);
    needs(&mut all);
    protocol(&mut all);
    refusals_of_s3(&mut all);
    operations_of_s3(&mut all);
    endpoints(&mut all);
    urls_and_proxies(&mut all);
    sources_of_keys(&mut all);
    keystone(&mut all);
    clouds(&mut all);
    operations_of_swift(&mut all);
    uploads(&mut all);
    values(&mut all);
    locations(&mut all);
    configuration(&mut all);
    stores(&mut all);
    assert!(all.0.lines().count() >= 60);
    compare(&all.0);
}

#[allow(clippy::disallowed_methods, reason = "the messages are compared with a file")]
fn compare(now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/error_messages.txt");
    if std::env::var_os("APUS_BLESS").is_some() {
        return std::fs::write(&file, now).unwrap();
    }
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let mut difference = String::new();
    for line in before.lines().filter(|line| !now.lines().any(|other| other == *line)) {
        let _ = writeln!(difference, "- {line}");
    }
    for line in now.lines().filter(|line| !before.lines().any(|other| other == *line)) {
        let _ = writeln!(difference, "+ {line}");
    }
    assert!(
        before == now,
        "the messages differ from {}:\n{difference}\nIf that is intended, write the file with\n    \
         APUS_BLESS=1 cargo test -p apus-core --all-features --test it error_messages\n",
        file.display()
    );
}

/// Lines of `name: message`.
struct Messages(String);

impl Messages {
    fn add(&mut self, name: &str, message: impl Display) {
        let message = message.to_string().replace('\n', " | ");
        let _ = writeln!(self.0, "{name}: {message}");
    }

    #[track_caller]
    fn fails<T>(&mut self, name: &str, result: Result<T, impl Display>) {
        match result {
            Ok(_) => panic!("{name} is no error"),
            Err(error) => self.add(name, error),
        }
    }
}

fn facts(all: &mut Messages) {
    let refused = Error::refused(
        StatusCode::FORBIDDEN,
        Some("AccessDenied".into()),
        Some("Access Denied".into()),
    );
    let refused = refused.in_operation("PutObject").with_request_id(Some("4442587F".into()), None);
    all.add("refused", &refused);
    all.add("attempts", refused.clone().with_attempts(3));
    all.add("sent once", refused.clone().with_sent_once(5));
    let upload_id = |id: &str| Leftover::MultipartUpload {
        bucket: "images".into(),
        key: "a1".into(),
        upload_id: id.into(),
    };
    for (name, leftover) in [
        ("leftover upload", upload_id("u-1")),
        ("leftover upload without id", upload_id("")),
        ("leftover object", Leftover::Object { bucket: "images".into(), key: "a1".into() }),
        ("leftover container", Leftover::Container { container: "images_1".into() }),
        ("leftover trust", Leftover::Trust { id: "t-1".into() }),
        ("leftover trust without id", Leftover::Trust { id: String::new() }),
        ("leftover perhaps", Leftover::Perhaps { look_at: "object images/a1".into() }),
    ] {
        all.add(name, Error::invalid_input("the source failed").with_leftover(leftover));
    }
    let lost = Error::from(ExchangeError::new(ExchangeErrorKind::Closed, ""));
    all.add("unknown outcome", lost.with_outcome_unknown("the ETag of images/a1"));
    for kind in [
        Kind::InvalidInput,
        Kind::Refused,
        Kind::InvalidResponse,
        Kind::Transport,
        Kind::Integrity,
        Kind::Auth,
    ] {
        all.add(&format!("kind {kind:?}"), Error::new(kind, "what failed").with_hint("what helps"));
    }
}

fn exchanges(all: &mut Messages) {
    use ExchangeErrorKind::{
        Cancelled, Closed, Connect, Cut, Length, Protocol, Proxy, Resolve, Sink, Source, Timeout,
        Tls, Unsent,
    };

    for kind in [
        Resolve, Connect, Tls, Proxy, Timeout, Closed, Cut, Unsent, Cancelled, Source, Length,
        Sink, Protocol,
    ] {
        let failed = run(s3::GetObject::new("images", "a1"), |exchange| {
            exchange.fail(ExchangeError::new(kind, "the detail"))
        });
        all.fails(&format!("exchange {kind:?}"), failed);
    }
    all.add("source changed", ExchangeError::source_changed("it has more than 5 bytes"));
}

fn needs(all: &mut Messages) {
    let source = SourceNeeds { length: Some(5), ranges: true, again: true, memory: 0 };
    let needs = Needs::source(source);
    all.fails("no sink", Needs::sink().check(GivenSource::Missing, false));
    all.fails("no source", needs.check(GivenSource::Missing, false));
    all.fails("other length", needs.check(GivenSource::Known(7), false));
    all.fails("read once", needs.check(GivenSource::Once(5), false));
    all.fails("unknown length", needs.check(GivenSource::Unknown, false));
}

fn protocol(all: &mut Messages) {
    all.fails("not HTTP", read_head(b"SSH-2.0-OpenSSH\r\n"));
    all.fails("status line", read_head(b"HTTP/1.1 abc\r\n\r\n"));
    all.fails("header field", read_head(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"));
    all.fails("aws-chunked", decode_aws_chunked(b"zz\r\n"));
    all.fails("XML", Document::parse(b"<a><b></a>"));
    all.fails("XML root", Document::parse(b"<a/>").unwrap().root_named("b"));
}

fn refusals_of_s3(all: &mut Messages) {
    for (name, status, code) in [
        ("S3 NoSuchKey", 404, "NoSuchKey"),
        ("S3 NoSuchBucket", 404, "NoSuchBucket"),
        ("S3 PreconditionFailed", 412, "PreconditionFailed"),
        ("S3 MissingContentLength", 411, "MissingContentLength"),
        ("S3 MissingContentMD5", 400, "MissingContentMD5"),
        ("S3 InvalidTrailer", 400, "InvalidTrailer"),
        ("S3 XAmzContentSHA256Mismatch", 400, "XAmzContentSHA256Mismatch"),
        ("S3 NotImplemented", 501, "NotImplemented"),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>Its message.</Message></Error>");
        let get = s3::GetObject::new("images", "a1");
        all.fails(name, run(get, |exchange| reply(exchange, status, &[], &body)));
    }
    let list = || s3::ListObjectsV2::new("images");
    let html = "<!DOCTYPE html><html></html>";
    all.fails("S3 web page", run(list(), |exchange| reply(exchange, 200, &[], html)));
    let other = "<Other/>";
    all.fails("S3 other document", run(list(), |exchange| reply(exchange, 200, &[], other)));
    let range = || s3::GetObject {
        range: Some(apus_core::http::ByteRange::Span(2..4)),
        ..s3::GetObject::new("b", "k")
    };
    let whole = |exchange| reply(exchange, 200, &[("content-length", "5")], "12345");
    all.fails("S3 whole object", run(range(), whole));
    let part = |exchange| reply(exchange, 206, &[("content-range", "bytes 0-1/5")], "12");
    all.fails("S3 other range", run(range(), part));
    let wrong = |exchange| {
        let headers = [("content-length", "5"), ("x-amz-checksum-crc32", "AAAAAA==")];
        reply(exchange, 200, &headers, "12345")
    };
    all.fails("S3 checksum", run(s3::GetObject::new("images", "a1"), wrong));
}

fn operations_of_s3(all: &mut Messages) {
    all.fails("key empty", drafted(&s3::GetObject::new("images", "")));
    all.fails("key too long", drafted(&s3::GetObject::new("images", "k".repeat(1025))));
    all.fails("part number", drafted(&s3::UploadPart::new("b", "k", "u", 0, "")));
    all.fails("upload id", drafted(&s3::UploadPart::new("b", "k", "", 1, "")));
    let none: [&str; 0] = [];
    all.fails("delete nothing", drafted(&s3::DeleteObjects::new("images", none)));
    all.fails("delete an empty key", drafted(&s3::DeleteObjects::new("images", [""])));
    all.fails("key without bucket", drafted(&s3::Raw::new(http::Method::GET).key("a1")));
    let mut put = s3::PutObject::new("images", "a1", "");
    put.properties.metadata = BTreeMap::from([("name".to_owned(), "größe".to_owned())]);
    all.fails("metadata value", drafted(&put));
    put.properties.metadata = BTreeMap::from([("größe".to_owned(), "1".to_owned())]);
    all.fails("metadata name", drafted(&put));
}

fn endpoints(all: &mut Messages) {
    let aws = |region: &str| EndpointConfig::aws(region);
    let at = |bucket: &str| Endpoints::new(aws("us-west-2")).unwrap().resolve(Some(bucket));
    all.fails("bucket name", at("a b"));
    all.fails("directory bucket", at("bucket--usw2-az1--x-s3"));
    all.fails("ARN of another service", at("arn:aws:sqs:us-west-2:123456789012:accesspoint:ap"));
    all.fails("ARN too short", at("arn:aws:s3:us-west-2"));
    all.fails("no region", Endpoints::new(aws("")));
    all.fails("region", Endpoints::new(aws("us_west")));
    let url = BaseUrl::parse("https://h").unwrap();
    let fips = EndpointConfig { use_fips: true, ..EndpointConfig::custom(url, "r") };
    all.fails("FIPS with an endpoint", Endpoints::new(fips));
}

fn urls_and_proxies(all: &mut Messages) {
    all.fails("URL with credentials", BaseUrl::parse("https://user:hunter2@h"));
    all.fails("URL without scheme", BaseUrl::parse("h:9000"));
    all.fails("URL with a query", BaseUrl::parse("https://h/?a"));
    all.fails("URL with a port", BaseUrl::parse("https://h:0"));
    all.fails("proxy with credentials", Proxy::new("http://user:hunter2@p"));
    all.fails("proxy without scheme", Proxy::new("p:3128"));
    let proxy = Proxy::new("http://p.example:3128").unwrap();
    all.fails("proxy requires credentials", proxy.connected(b"HTTP/1.1 407 No\r\n\r\n"));
    all.fails("proxy refuses the tunnel", proxy.connected(b"HTTP/1.1 403 No\r\n\r\n"));
    let with = proxy.clone().credentials("user", "hunter2".into()).unwrap();
    all.fails("proxy refuses the credentials", with.connected(b"HTTP/1.1 407 No\r\n\r\n"));
    all.fails("proxy speaks no HTTP", proxy.connected(b"SSH-2.0-OpenSSH\r\n"));
    all.fails("proxy user", proxy.clone().credentials("a:b", "hunter2".into()));
    all.fails("proxy bypass", proxy.bypass(["a/b/c"]));
}

fn sources_of_keys(all: &mut Messages) {
    let disabled = [("AWS_EC2_METADATA_DISABLED", "true")];
    all.fails("keys nowhere", resolved("", &disabled, |it| it.default_chain()));
    all.fails("keys not in the environment", resolved("", &[], |it| it.environment()));
    let half = [("AWS_ACCESS_KEY_ID", "AKID")];
    all.fails("keys without a secret", resolved("", &half, |it| it.environment()));
    all.fails("profile unknown", resolved("", &[], |it| it.profile("prod")));
    let prod = "[profile prod]\n";
    all.fails("profile without keys", resolved(prod, &[], |it| it.profile("prod")));
    for (name, option) in [
        ("profile in a circle", "role_arn = r\nsource_profile = prod\n"),
        ("profile of a missing profile", "role_arn = r\nsource_profile = other\n"),
        ("profile with a role alone", "role_arn = r\n"),
        ("profile with MFA", "role_arn = r\nsource_profile = a\nmfa_serial = m\n"),
        ("profile with half a key", "aws_access_key_id = AKID\n"),
        ("profile of SSO", "sso_role_name = r\n"),
    ] {
        let text = format!("{prod}{option}");
        all.fails(name, resolved(&text, &[], |it| it.profile("prod")));
    }
    all.fails("config line", AwsConfig::parse(("config", "[profile a]\nx\n"), ("", "")));
    all.fails("container", Container::at("http://198.51.100.1/", Authorization::None));
    all.fails("STS region", Sts::aws(Some("eu west")));
    let process = Source::Process(Process { command: "get-keys".into() });
    let provider = Provider::new(process, NoLookup);
    let credentials = Credentials::renewed_from(provider, Default::default());
    let call = call(s3::GetObject::new("images", "a1"), credentials, |_| unreachable!());
    all.fails("no lookup", call);
}

fn keystone(all: &mut Messages) {
    let login = |url: &str, identity, scope| Login::new(url, identity, scope);
    let v1 = || Identity::v1("test:tester", "testing");
    let credential = || Identity::application_credential("id", "secret");
    all.fails("auth_url", login("keystone:5000", credential(), Scope::Unstated));
    all.fails("v1 with a scope", login("http://k/auth/v1.0", v1(), Scope::project("p")));
    all.fails("credential with a scope", login("http://k", credential(), Scope::project("p")));
    let trust = Scope::Trust(TrustSlot::of("t-1"));
    all.fails("credential with a trust", login("http://k", credential(), trust));
    all.fails("v3 at v2.0", login("http://k/v2.0", credential(), Scope::Unstated));
}

fn clouds(all: &mut Messages) {
    let cloud = |auth: &str| {
        let text = format!("clouds:\n  prod:\n{auth}");
        Clouds::parse(Some(("clouds.yaml", &text)), None, None)
            .and_then(|clouds| clouds.cloud(Some("prod")))
    };
    all.fails("cloud not YAML", cloud("    a: [\n"));
    all.fails("cloud without auth_url", cloud("    auth:\n      password: p\n      user_id: u\n"));
    all.fails("cloud auth_type", cloud("    auth_type: kerberos\n"));
    let two = "    auth:\n      auth_url: https://k\n      user_id: u\n      password: p\n      \
               project_id: p\n      domain_id: d\n      trust_id: t\n";
    all.fails("cloud with two scopes", cloud(two));
    let none = Clouds::parse(None, None, None).unwrap();
    all.fails("cloud unknown", none.cloud(Some("prod")));
    all.fails("cloud not selected", none.cloud(None));
}

fn operations_of_swift(all: &mut Messages) {
    let service = swift::Service::new(swift::Config::default()).unwrap();
    let get = |container: &str, object: &str| {
        swift::GetObject::new(container, object).draft(&service).map(|_| ())
    };
    all.fails("container name empty", get("", "o"));
    all.fails("container name with a slash", get("a/b", "o"));
    all.fails("container name too long", get(&"c".repeat(257), "o"));
    all.fails("object name", get("c", "a\0"));
    all.fails("bulk delete of nothing", swift::BulkDelete::default().draft(&service));
    all.fails("ACL", ".x:host".parse::<Acl>());
    all.fails("ACL referrer", ".r:".parse::<Acl>());
    let expires = Timestamp::from_unix(2_000_000_000);
    let url = |path: &str| TempUrl::new(http::Method::GET, path, expires);
    all.fails("temporary URL path", url("/v1/AUTH_a/c").sign(&Secret::from("key")));
    all.fails("temporary URL key", url("/v1/AUTH_a/c/o").sign(&Secret::from("")));
}

fn uploads(all: &mut Messages) {
    let upload = |source, options| S3Upload::new("images", "a1", source, options, service(), 1);
    let small = UploadOptions { part_size: 1024, ..UploadOptions::default() };
    all.fails("part size", upload(UploadSource::Seekable(20 << 20), small));
    let large = UploadSource::Seekable(u64::MAX);
    all.fails("object too large", upload(large, UploadOptions::default()));
}

fn values(all: &mut Messages) {
    all.fails("algorithm", "CRC-32".parse::<Algorithm>());
    all.fails("provider", "nimbus".parse::<Vendor>());
    all.fails("checksum length", Value::new(Algorithm::Crc32, &[1]));
    all.fails("checksum hex", Value::from_hex(Algorithm::Md5, "zz"));
    all.fails("checksum base64", Value::from_base64(Algorithm::Md5, "zz"));
    all.fails("composite", Composite::parse(Algorithm::Crc32, "AAAAAA=="));
}

fn locations(all: &mut Messages) {
    for (name, text) in [
        ("location without scheme", "images/a1"),
        ("location of another store", "swift://c/o"),
        ("location with two schemes", "s3://https://h/b/k"),
        ("location without host", "s3:///b/k"),
        ("location host", "s3://h h/b/k"),
        ("location port", "s3://h:0/b/k"),
        ("location without bucket", "s3://h"),
        ("location without key", "s3://h/b"),
        ("location credentials", "s3://hunter2@h/b/k"),
    ] {
        all.fails(name, S3Location::parse(text, &[]));
    }
    all.fails("location in Swift", SwiftLocation::parse("swift+config://", &[]));
}

fn configuration(all: &mut Messages) {
    let read = |text: &str| Configuration::of_oslo(&OsloConfig::parse([("g.conf", text)]).unwrap());
    let s3 = |options: &str| {
        read(&format!(
            "[DEFAULT]\nenabled_backends = fast:s3\n[glance_store]\ndefault_backend = \
             fast\n[fast]\n{options}"
        ))
    };
    let swift = |options: &str| {
        read(&format!(
            "[DEFAULT]\nenabled_backends = cold:swift\n[glance_store]\ndefault_backend = \
             cold\n[cold]\n{options}"
        ))
    };
    let keys = "s3_store_access_key = A\ns3_store_secret_key = hunter2\n";
    let place = "s3_store_host = https://h\ns3_store_bucket = b\n";
    all.fails("options missing", s3(""));
    all.fails("option not a number", s3(&format!("{keys}{place}s3_store_retries = many\n")));
    all.fails("option out of range", s3(&format!("{keys}{place}s3_store_retries = 101\n")));
    all.fails("option one of", s3(&format!("{keys}{place}s3_store_bucket_url_format = x\n")));
    all.fails("host of a backend", s3(&format!("{keys}s3_store_host = h/?\ns3_store_bucket = b")));
    let profile = "s3_store_credential_source = profile\n";
    all.fails("profile of a backend", s3(&format!("{place}{profile}")));
    all.fails(
        "keys not used",
        s3(&format!("{keys}{place}s3_store_credential_source = instance\n")),
    );
    all.fails("proxy of a backend", s3(&format!("{keys}{place}s3_store_enable_proxy = true\n")));
    all.fails("Swift options missing", swift(""));
    all.fails(
        "Swift container",
        swift("swift_store_config_file = f\nswift_store_container = a/b\n"),
    );
    let default = "[DEFAULT]\nenabled_backends = a:s3\n[glance_store]\ndefault_backend = b\n[a]\n";
    all.fails("default backend", read(&format!("{default}{keys}{place}")));
    let line = OsloConfig::parse([("g.conf", "[a]\nb\n")]);
    all.fails("configuration line", line.map_err(|errors| errors[0].to_string()));
    all.fails("reference", Reference::read_all("swift.conf", "[ref1]\nuser = t:u\n"));
    let options = S3Options::default();
    all.fails("S3Options::endpoint", options.endpoint());
    all.fails("S3Options::place", options.place());
    let reference = Reference::default();
    all.fails("Reference::address", reference.address());
    all.fails("Reference::identity", reference.identity());
}

fn stores(all: &mut Messages) {
    let refused = |status, code: Option<&str>| {
        let status = StatusCode::from_u16(status).unwrap();
        Error::refused(status, code.map(str::to_owned), None).in_operation("GetObject")
    };
    for (name, error) in [
        ("store not found", refused(404, Some("NoSuchKey"))),
        ("store duplicate", refused(412, None)),
        ("store full", refused(507, None)),
        ("store forbidden", refused(403, Some("AccessDenied"))),
        ("store unavailable", refused(503, Some("SlowDown"))),
        (
            "store corrupt",
            Error::integrity("the MD5 of the object is a, but the server declares b"),
        ),
        ("store invalid", Error::invalid_input("the image has no id")),
        ("store cancelled", ExchangeError::cancelled().into()),
    ] {
        all.add(name, StoreError::new(Verb::Add, error));
    }
    let backends = vec!["fast".to_owned(), "cold".to_owned()];
    for (name, refusal) in [
        ("location foreign", Refusal::Foreign { place: "elsewhere.example".into() }),
        ("location ambiguous", Refusal::Ambiguous { backends }),
        ("location of no backend", Refusal::NoBackend { bucket: "images".into() }),
    ] {
        all.add(name, refusal);
    }
}

fn resolved<T>(
    config: &str,
    variables: &[(&str, &str)],
    pick: impl Fn(Resolver<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let config = AwsConfig::parse(("config", config), ("credentials", "")).unwrap();
    let environment = Environment::new(variables.iter().copied());
    pick(Resolver::new(&config, &environment))
}

fn service() -> Arc<s3::Service> {
    let url = BaseUrl::parse("http://s3.example:9000").unwrap();
    let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
    config.retry_policy = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    config.checksum.enable_data_integrity_protection = true;
    config.checksum.response = "when_supported".parse().unwrap();
    Arc::new(s3::Service::new(config).unwrap())
}

fn drafted<O: Operation<Service = s3::Service>>(operation: &O) -> Result<(), Error> {
    operation.draft(&service()).map(|_| ())
}

fn run<O: Operation<Service = s3::Service>>(
    operation: O,
    answer: impl Fn(Exchange) -> Completion,
) -> Result<O::Output, Error> {
    call(operation, Credentials::new(Keys::new("AKID", "hunter2")), answer)
}

fn call<O: Operation<Service = s3::Service>>(
    operation: O,
    credentials: Credentials,
    answer: impl Fn(Exchange) -> Completion,
) -> Result<O::Output, Error> {
    let now = Now::new(Duration::from_secs(1), Duration::from_secs(1_440_938_160));
    let call = Call::new(operation, service(), 1);
    let mut pump = Pump::new(call, vec![Auth::new(credentials)], Waker::noop().clone());
    loop {
        match pump.turn(now) {
            Turn::Launch(exchange) => pump.complete(now, answer(exchange)),
            Turn::Park(wait) => panic!("nothing to wait for: {wait:?}"),
            Turn::Done(result) => return result,
        }
    }
}

fn reply(mut exchange: Exchange, status: u16, headers: &[(&str, &str)], body: &str) -> Completion {
    exchange.request().unwrap();
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    let mut receiving = exchange.respond(answer.body(()).unwrap().into_parts().0);
    let _ = receiving.push(body.as_bytes());
    receiving.finish(None)
}
