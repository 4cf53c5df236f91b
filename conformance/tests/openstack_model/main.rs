//! The responses of Keystone and Swift, read with plain sockets.
//!
//! All expectations were seen on Keystone 30.0.0 and Swift 2.38.3. The tests use the embedded
//! servers, or those that the environment names, with the names of
//! [`EmbeddedOpenStack::environment`]; their tokens should live a minute or more:
//!
//! ```text
//! conformance/live/openstack up
//! eval "$(conformance/live/openstack env)"
//! cargo test -p apus-conformance --test openstack_model
//! ```
//!
//! [`EmbeddedOpenStack::environment`]: apus_conformance::server::EmbeddedOpenStack::environment

mod containers;
mod early;
mod large;
mod legacy;
mod many;
mod objects;
mod raw;
mod reads;
mod stage;
mod temp_url;
mod tokens;
mod trusts;
