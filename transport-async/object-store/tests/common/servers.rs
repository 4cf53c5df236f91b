//! Clients of the embedded servers, and what they were sent.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::time::Duration;

use apus_async::keystone::{Domain, Scope, Session, User};
use apus_async::{Client, Keys, RetryPolicy, s3, swift};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3};

/// A client of the model of S3, which repeats soon.
pub fn s3(server: &FaultyS3) -> Client<s3::Service> {
    let service = s3::Service::custom(&server.endpoint(), "us-east-1").expect("a URL");
    let builder = Client::builder(service, Keys::new("KEY", "SECRET"));
    builder.retry_policy(soon()).build().expect("the options are valid")
}

/// A client of the project of `demo`, which repeats soon.
pub fn swift(server: &EmbeddedOpenStack) -> Client<swift::Service> {
    let environment = server.environment();
    let value = |name: &str| environment[&format!("APUS_LIVE_OPENSTACK{name}")].clone();
    let user = User::named(value("_USER"), Domain::default_id());
    let scope = Scope::project_named(value("_PROJECT"), Domain::default_id());
    let session = Session::password(&server.auth_url(), user, value("_PASSWORD"), scope);
    let session = session.expect("a URL");
    let builder = Client::builder(swift::Service::default(), session);
    builder.retry_policy(soon()).build().expect("the options are valid")
}

fn soon() -> RetryPolicy {
    let base = Duration::from_millis(1);
    RetryPolicy { base, ..RetryPolicy::default() }
}
