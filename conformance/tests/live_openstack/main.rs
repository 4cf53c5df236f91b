//! All operations and machines against a real Keystone and Swift, and against Ceph's gateway with
//! v1 authentication.
//!
//! ```text
//! conformance/live/openstack install && conformance/live/openstack up
//! eval "$(conformance/live/openstack env)"
//! conformance/live/ceph install && conformance/live/ceph up
//! eval "$(conformance/live/ceph env)"
//! APUS_LIVE_TABLE=table.md cargo test -p apus-conformance --test live_openstack
//! ```
//!
//! The tests of transfers that take longer than a token lives require short tokens. With these all
//! other tests are slow, because Swift then needs a new token of its own for every request.
//!
//! ```text
//! TOKEN_TTL=5 conformance/live/openstack up && eval "$(conformance/live/openstack env)"
//! cargo test -p apus-conformance --test live_openstack -- outlive expired_token
//! ```
//!
//! Another test requires a Swift whose listings lag: see `lagging`.
//!
//! `site` is a server with its users, `stage` a container to work in, `suite` runs the `cases`,
//! which are short checks, `outlive` has long transfers, `table` the results.
//!
//! A test without the settings of its server prints that it was not run, and passes. Each check
//! runs over both transports, and has to succeed or to be refused as stated beside it.

#![expect(clippy::print_stderr, reason = "what was not run and the table are for people")]
#![expect(unreachable_pub, reason = "the modules are this test's alone")]

mod cases;
mod lagging;
mod outlive;
#[path = "../live/proxy.rs"]
mod proxy;
mod site;
mod stage;
#[path = "../live/store.rs"]
mod store;
mod suite;
mod table;
mod watch;

use self::cases::{access, containers, identity, keystone, large, objects, transfers};
use self::suite::run;

#[test]
fn identities_scopes_endpoints_and_tokens() {
    run("identity", "1. Identities, scopes, endpoints, tokens", identity::CASES);
}

#[test]
fn tokens_and_trusts() {
    run("keystone", "2. Tokens and trusts", keystone::CASES);
}

#[test]
fn accounts_and_containers() {
    run("containers", "3. Accounts and containers", containers::CASES);
}

#[test]
fn objects() {
    run("objects", "4. Objects", objects::CASES);
}

#[test]
fn large_objects_operation_by_operation() {
    run("large", "5. Large objects, operation by operation", large::CASES);
}

#[test]
fn temporary_urls_and_access_lists() {
    run("access", "6. Temporary URLs and access lists", access::CASES);
}

#[test]
fn transfers_by_machines() {
    run("transfers", "7. Machines", transfers::CASES);
}

#[test]
fn uploads_that_outlive_their_tokens() {
    outlive::run("up", "8. Uploads that outlive their tokens", &outlive::uploads());
}

#[test]
fn downloads_that_are_cut_and_outlive_their_tokens() {
    outlive::run("down", "9. Downloads that outlive their tokens", &outlive::downloads());
}

#[test]
fn uploads_where_listings_lag() {
    lagging::run("lagging listings");
}

#[test]
fn an_expired_token_is_taken_with_a_services_token() {
    outlive::service_token();
}
