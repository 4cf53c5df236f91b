//! Keys from configured sources, with a server that is S3 and a container's endpoint.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apus_conformance::server::{Reply, Request, Scripted};
use apus_core::Error;
use apus_core::credentials::{CredentialSource, Credentials, Environment, Resolver, Source};
use apus_core::machine::Auth;
use apus_core::s3::GetObject;

use crate::client::{Server as _, Setup, Via};

both! {
    a_process_is_run_once_for_all,
    a_process_that_fails_is_told_without_what_it_printed,
    a_container_is_asked_with_the_token_of_a_file,
    a_url_is_signed_with_keys_that_are_asked_for_first,
    the_files_are_read_that_the_environment_names,
    where_nothing_is_configured_there_is_nothing,
}

/// S3, and a container's endpoint under `/keys`.
fn server() -> Scripted {
    let answer = |request: &Request| match request.path() {
        "/keys" => Reply::new(200).body(
            r#"{"AccessKeyId":"CONTAINER","SecretAccessKey":"S","Token":"T",
            "Expiration":"2099-01-01T00:00:00Z"}"#,
        ),
        _ => Reply::new(200).body("the bytes"),
    };
    Scripted::start(answer).unwrap()
}

/// What an environment and the files in it come to, as this transport reads them.
fn found(
    via: Via,
    environment: &[(&str, &str)],
    pick: impl Fn(Resolver<'_>) -> Result<Source, Error>,
) -> Result<Credentials, Error> {
    let environment = Environment::new(environment.iter().copied());
    match via {
        Via::Blocking => {
            let ambient = apus_blocking::credentials::Ambient::of(environment)?;
            pick(ambient.resolver()).map(apus_blocking::credentials::renewed)
        }
        Via::Async => {
            let ambient = apus_async::credentials::Ambient::of(environment)?;
            pick(ambient.resolver()).map(apus_async::credentials::renewed)
        }
    }
}

fn client(via: Via, server: &Scripted, credentials: Credentials) -> crate::client::Client {
    let mut setup = Setup::of(server);
    setup.auth = Some(Auth::new(credentials));
    setup.client(via)
}

fn signer(request: &Request) -> &str {
    let value = request.header("authorization").unwrap();
    value.split_once("Credential=").unwrap().1.split('/').next().unwrap()
}

/// A config file whose profile `p` runs this script.
fn process(directory: &Path, script: &str) -> String {
    let (program, config) = (directory.join("get keys"), directory.join("config"));
    fs::write(&program, script).unwrap();
    let command = format!("sh \"{}\" 'two words'", program.display());
    fs::write(&config, format!("[profile p]\ncredential_process = {command}\n")).unwrap();
    config.display().to_string()
}

fn a_process_is_run_once_for_all(via: Via) {
    let directory = tempfile::tempdir().unwrap();
    let config = process(
        directory.path(),
        "echo x >> \"$0.runs\"; sleep 0.2\n\
         printf '{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"S\"}' \"${1% words}\"",
    );
    let credentials = found(via, &[("AWS_CONFIG_FILE", &config)], |it| it.profile("p")).unwrap();
    let server = server();
    let client = Arc::new(client(via, &server, credentials));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| client.call(GetObject::new("bucket", "key")).unwrap());
        }
    });
    let requests = server.requests();
    assert_eq!(requests.len(), 8);
    assert!(requests.iter().all(|request| signer(request) == "two"));
    let runs = fs::read_to_string(directory.path().join("get keys.runs")).unwrap();
    assert_eq!(runs, "x\n");
}

fn a_process_that_fails_is_told_without_what_it_printed(via: Via) {
    let directory = tempfile::tempdir().unwrap();
    let config = process(directory.path(), "echo hunter2; echo hunter2 >&2; exit 3");
    let credentials = found(via, &[("AWS_CONFIG_FILE", &config)], |it| it.profile("p")).unwrap();
    let server = server();
    let began = Instant::now();
    let error = client(via, &server, credentials).call(GetObject::new("b", "k")).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("credential_process: sh: exit status: 3"), "{error}");
    assert!(!error.contains("hunter2"));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(server.requests().is_empty());
}

fn a_container_is_asked_with_the_token_of_a_file(via: Via) {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "Basic abc\n").unwrap();
    let server = server();
    let (url, none) = (format!("{}/keys?a=b", server.url()), directory.path().join("none"));
    let environment = [
        ("AWS_CONFIG_FILE", none.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", none.to_str().unwrap()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
    ];
    let credentials = found(via, &environment, |it| it.default_chain()).unwrap();
    let client = client(via, &server, credentials);
    for _ in 0..3 {
        client.call(GetObject::new("bucket", "key")).unwrap();
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[0].target, "/keys?a=b");
    assert_eq!(requests[0].header("authorization"), Some("Basic abc"));
    assert!(requests[1..].iter().all(|request| signer(request) == "CONTAINER"));
}

fn a_url_is_signed_with_keys_that_are_asked_for_first(via: Via) {
    let server = server();
    let asked = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*format!("{}/keys", server.url()))];
    let credentials = found(via, &asked, |it| it.named(CredentialSource::Container, None)).unwrap();
    let client = client(via, &server, credentials);
    for _ in 0..2 {
        let hour = Duration::from_secs(3600);
        let url = client.presign(GetObject::new("bucket", "key"), hour).unwrap().url;
        assert!(url.starts_with(&format!("{}/bucket/key?", server.url())), "{url}");
        assert!(url.contains("X-Amz-Credential=CONTAINER%2F"), "{url}");
        assert!(url.contains("X-Amz-Security-Token=T&"), "{url}");
        assert!(url.contains("X-Amz-Expires=3600"), "{url}");
    }
    // Asked once, and nothing was sent to S3.
    let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/keys"]);
    let error = client.presign(GetObject::new("bucket", ""), Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.operation(), Some("GetObject"));
    let week = Duration::from_secs(7 * 86_400 + 1);
    let error = client.presign(GetObject::new("bucket", "key"), week).unwrap_err();
    assert!(error.to_string().contains("604800"), "{error}");
}

fn the_files_are_read_that_the_environment_names(via: Via) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (config, credentials) = (file("config"), file("credentials"));
    fs::write(&config, "[profile p]\naws_access_key_id = A\naws_secret_access_key = S\n").unwrap();
    fs::write(&credentials, "[p]\naws_access_key_id = B\naws_secret_access_key = S\n").unwrap();
    let environment =
        [("AWS_CONFIG_FILE", &*config), ("AWS_SHARED_CREDENTIALS_FILE", &*credentials)];
    let keys = found(via, &environment, |it| it.profile("p")).unwrap();
    let server = server();
    client(via, &server, keys).call(GetObject::new("bucket", "key")).unwrap();
    assert_eq!(signer(&server.requests()[0]), "B");

    fs::write(&credentials, "[p]\nhunter2\n").unwrap();
    let error = found(via, &environment, |it| it.profile("p")).unwrap_err().to_string();
    assert_eq!(error, format!("{credentials}:2: the line has neither `=` nor `:`"));
    // A directory is there and can't be read.
    let error = found(via, &[("AWS_CONFIG_FILE", &file(""))], |it| it.profile("p")).unwrap_err();
    assert!(error.to_string().starts_with(&file("")), "{error}");
}

fn where_nothing_is_configured_there_is_nothing(via: Via) {
    let directory = tempfile::tempdir().unwrap();
    let none = directory.path().join("none").display().to_string();
    let environment = [
        ("AWS_CONFIG_FILE", &*none),
        ("AWS_SHARED_CREDENTIALS_FILE", &*none),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let error = found(via, &environment, |it| it.default_chain()).unwrap_err();
    assert!(error.to_string().contains("found no keys"), "{error}");
    let error = found(via, &environment, |it| it.profile("default")).unwrap_err();
    assert!(error.to_string().contains("profile \"default\" does not exist"), "{error}");
}
