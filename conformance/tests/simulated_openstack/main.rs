//! Swift with Keystone and a virtual clock: tokens that expire, clocks that differ, and refusals at
//! every point.
//!
//! The tests show that no transfer fails that could have succeeded, that no login is sent while the
//! token is valid, and that the error names everything that is left.

mod cloud;
mod points;
mod random;
mod tokens;
mod trusts;
