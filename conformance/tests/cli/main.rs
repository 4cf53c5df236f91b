//! The command line `apus` against the embedded servers: every command, its output and exit code,
//! and that no output has a secret.

mod certificates;
mod doctor;
mod environment;
#[cfg(unix)]
mod files;
mod interrupted;
mod locations;
mod program;
mod s3;
mod snapshots;
mod sources;
mod swift;
#[cfg(unix)]
mod unheard;
