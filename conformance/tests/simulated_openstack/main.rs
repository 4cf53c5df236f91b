//! Swift under Keystone and a virtual clock: tokens that end, clocks that differ, and refusals at
//! every point.
//!
//! What is shown: no transfer fails that could have succeeded; nobody logs in while the token at
//! hand would do; and nothing is left behind that the error does not name.

mod cloud;
mod points;
mod random;
mod tokens;
mod trusts;
