//! What shows that apus is right: vectors recorded from other implementations and their
//! [runner](run), [servers](server) to test against, a [simulator](sim) under a virtual clock, and
//! [transfers](faults) over connections that are spoilt; the [reference of options](operators)
//! for those who run an image store, and the [program](program) `apus`.

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

/// The examples of `apus-testing` over a transport, which that crate knows none of.
#[cfg(doctest)]
#[doc = include_str!("../testing/README.md")]
pub struct Testing;
