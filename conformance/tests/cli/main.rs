//! The command line `apus`, against the embedded servers: every command, what it prints, how it
//! ends, and that no secret is in any of it.

mod doctor;
#[cfg(unix)]
mod files;
mod interrupted;
mod program;
mod s3;
mod sources;
mod swift;
#[cfg(unix)]
mod unheard;
