//! The command line `apus` against the embedded servers: every command, its output and exit code,
//! and that no output has a secret.

mod certificates;
#[cfg(unix)]
mod codes;
mod copies;
#[cfg(unix)]
mod directories;
mod doctor;
mod documented;
mod environment;
#[cfg(unix)]
mod files;
mod interrupted;
mod json;
mod limits;
mod locations;
mod manual;
mod objects;
mod orphans;
mod program;
#[cfg(target_os = "linux")]
mod progress;
mod remove;
#[cfg(unix)]
mod resumed;
mod s3;
#[cfg(target_os = "linux")]
mod screens;
#[cfg(target_os = "linux")]
mod shells;
#[cfg(unix)]
mod signals;
mod snapshots;
mod sources;
mod swift;
mod sync;
mod tenants;
#[cfg(unix)]
mod together;
#[cfg(unix)]
mod unheard;
mod uploads;
mod verified;
