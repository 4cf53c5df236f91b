//! How often a login is repeated: by the policy of the request that needs it, unless the session
//! has its own.

use std::sync::Arc;
use std::time::Duration;

use apus_core::contract::Operation;
use apus_core::keystone::{self, Scope, SessionOptions, ValidateToken};
use apus_core::machine::{Auth, Call};
use apus_core::retry::RetryPolicy;
use apus_core::swift::{Config, HeadObject, Service};

use crate::cloud::{Cloud, World, session};

fn down() -> Cloud {
    Cloud { outage: Some((Duration::ZERO, Duration::MAX)), ..Cloud::default() }
}

/// Returns the number of attempts for this call, and the number that its error reports.
fn attempts<O: Operation>(call: Call<O>, options: SessionOptions) -> (usize, u32) {
    let auth = Auth::new(session("demo", Scope::Unstated, options));
    let mut world = World::new(down(), vec![call], &[auth]);
    let error = world.run().remove(0).unwrap().err().expect("Keystone is away");
    (world.cloud.count("POST /v3/auth/tokens"), error.attempts())
}

fn of(attempts: u32) -> RetryPolicy {
    RetryPolicy { attempts, ..RetryPolicy::default() }
}

#[test]
fn a_login_is_tried_as_often_as_the_request_that_it_is_for() {
    for most in [1, 2, 7] {
        let config = Config { retry_policy: of(most), ..Config::default() };
        let service = Arc::new(Service::new(config).unwrap());
        let call = Call::new(HeadObject::new("c", "o"), service, 1);
        assert_eq!(attempts(call, SessionOptions::default()), (most as usize, most));
        let service = keystone::Service { retry_policy: of(most), ..keystone::Service::default() };
        let call = Call::new(ValidateToken::default(), Arc::new(service), 1);
        assert_eq!(attempts(call, SessionOptions::default()), (most as usize, most));
    }
}

#[test]
fn a_session_may_have_a_policy_of_its_own() {
    let config = Config { retry_policy: of(2), ..Config::default() };
    let service = Arc::new(Service::new(config).unwrap());
    let call = Call::new(HeadObject::new("c", "o"), service, 1);
    let options = SessionOptions { retry_policy: Some(of(4)), ..SessionOptions::default() };
    assert_eq!(attempts(call, options), (4, 4));
}
