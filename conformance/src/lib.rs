//! The conformance tests of apus: the [runner](run) of vectors recorded from other implementations,
//! [servers](server) for tests, a [simulator](sim) under a virtual clock, and [transfers](faults)
//! over faulty connections; and the [reference of options](operators) of an image store, and the
//! [program] `apus`.

pub mod faults;
pub mod operators;
pub mod program;
pub mod run;
pub mod server;

pub use apus_testing::sim;

/// The README's examples, compiled and, where they need no server, run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The examples of `apus-testing` with a transport; that crate depends on none.
#[cfg(doctest)]
#[doc = include_str!("../testing/README.md")]
pub struct Testing;
