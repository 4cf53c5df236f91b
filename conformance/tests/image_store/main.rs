//! The image store over both transports, from a `glance-api.conf` to the bytes and back: on
//! embedded servers, and on real ones.
//!
//! ```text
//!   glance-api.conf ─▶ Stores over apus-blocking ─┬─▶ EmbeddedS3, EmbeddedOpenStack
//!   and references   ▶ Stores over apus-async    ─┤
//!                    ▶ the command line `apus`   ─┴─▶ Ceph RGW, Keystone and Swift, squid before both
//! ```
//!
//! ```text
//! for server in ceph openstack proxy; do
//!   conformance/live/$server install && conformance/live/$server up
//!   eval "$(conformance/live/$server env)"
//! done
//! cargo test -p apus-conformance --test image_store
//! ```
//!
//! Without these settings the tests on real servers print that they were not run, and pass.

#![expect(clippy::print_stderr, reason = "what was not run is for people")]

/// Runs each of these functions with each site, over either transport.
macro_rules! everywhere {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use crate::site::Site;
            use crate::stores::Via;

            #[test]
            fn embedded_blocking() {
                super::$test(&Site::embedded(), Via::Blocking);
            }

            #[test]
            fn embedded_async() {
                super::$test(&Site::embedded(), Via::Async);
            }

            #[test]
            fn live_blocking() {
                Site::live().iter().for_each(|site| super::$test(site, Via::Blocking));
            }

            #[test]
            fn live_async() {
                Site::live().iter().for_each(|site| super::$test(site, Via::Async));
            }
        }
    )+};
}

mod command_line;
mod commands;
mod rows;
mod site;
mod stores;
mod tenants;
mod verbs;
