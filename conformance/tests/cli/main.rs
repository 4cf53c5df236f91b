//! The command line `apus` against the embedded servers: every command, its output and exit code,
//! and that no output has a secret.

mod certificates;
mod copies;
mod doctor;
mod environment;
#[cfg(unix)]
mod files;
mod interrupted;
mod locations;
mod objects;
mod orphans;
mod program;
mod remove;
mod s3;
mod snapshots;
mod sources;
mod swift;
mod sync;
#[cfg(unix)]
mod unheard;
mod uploads;
