//! Every operation and every machine over both transports.
//!
//! ```text
//!              ┌─ apus-blocking ─┐        ┌─ EmbeddedS3: signatures and checksums are verified
//!  one test ──▶│                 │──────▶ ├─ FaultyS3: what is left behind, and every fault
//!              └─ apus-async ────┘        └─ Scripted: recorded responses, and what was sent
//! ```
//!
//! A test is a function of [`client::Via`], and `both!` makes two of it.

/// Runs each of these functions over either transport.
macro_rules! both {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use crate::client::Via;

            #[test]
            fn blocking() {
                super::$test(Via::Blocking);
            }

            #[test]
            fn hyper() {
                super::$test(Via::Async);
            }
        }
    )+};
}

mod abandoned;
mod answers;
mod broken_reads;
mod certificates;
mod checksum_options;
mod client;
mod credentials;
mod downloads;
mod embedded;
mod ends;
mod expectations;
mod faults;
mod front_door;
mod hedged;
mod images;
mod jobs;
mod lagging;
mod lengths;
mod lost_answers;
mod negotiations;
mod odd_heads;
mod one_pass;
mod paths;
mod peer;
mod replayed;
mod secrets;
mod shutdown;
mod slow_peers;
mod stopping;
mod stray_bytes;
mod unsent;
mod uploads;
mod used_again;
