//! Transfers through a proxy that disturbs connections, to servers without faults.
//!
//! ```text
//!  apus-blocking ─┐           resets, closes, stalls, drops,           ┌─ the model of S3, s3s-fs, Ceph
//!                 ├─▶ Proxy ─ delays, truncates, splits, refuses ──▶ ──┤
//!  apus-async ────┘                                                    └─ the models of Keystone and Swift,
//!                                                                         or real ones
//!       │                                                                       ▲
//!       ▼                                                                       │
//!  its result ───────────────────── is it true? ───────── a client that bypasses the proxy
//! ```
//!
//! The seed and its number decide everything about a transfer, except the timing of threads. Each
//! has a server and proxies of its own, unless the servers are real ones.

mod client;
mod fault;
mod limits;
mod outcome;
mod proxy;
mod random;
mod report;
mod s3;
mod site;
mod swift;
mod trace;
mod transfer;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use self::report::Ended;
pub use self::report::Report;
use self::site::{S3Site, SwiftSite};
use self::trace::Trace;
use self::transfer::{Service, Transfer};

/// The transfers to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number of transfers.
    pub transfers: u64,
    /// The seed that decides everything about them.
    pub seed: u64,
    /// If given, only the transfer with this number runs.
    pub only: Option<u64>,
    /// The number of transfers at once.
    pub jobs: usize,
}

/// Runs the transfers. Calls `say` for each one with a fault.
///
/// # Errors
///
/// A real server that the environment names can't be used.
pub fn run(options: &Options, say: impl Fn(&str) + Sync) -> Result<Report, String> {
    let services = services()?;
    let began = Instant::now();
    let numbers = match options.only {
        Some(number) => number..number + 1,
        None => 0..options.transfers,
    };
    let (next, report) = (AtomicU64::new(numbers.start), Mutex::new(Report::default()));
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        break;
                    }
                    let transfer = Transfer::of(options.seed, number, &services);
                    let trace = Arc::new(Trace::new());
                    let ended = attempt(&transfer, &trace);
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    let faults = report.add(&transfer, &ended, &trace.faults());
                    drop(report);
                    if !faults.is_empty() || options.only.is_some() {
                        say(&story(&transfer, &ended, &faults, &trace));
                    }
                }
            });
        }
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.took(began.elapsed());
    Ok(report)
}

/// Returns the servers of this crate, and those that the environment names.
fn services() -> Result<Vec<Service>, String> {
    let mut services = vec![Service::S3Model, Service::S3Model, Service::S3Files];
    services.extend([Service::SwiftModel, Service::SwiftModel]);
    if S3Site::live(false, "").is_some() {
        s3::prepare_live()?;
        services.extend([Service::S3Live, Service::S3Live]);
    }
    if SwiftSite::live("").is_some() {
        swift::prepare_live()?;
        services.extend([Service::SwiftLive, Service::SwiftLive]);
    }
    Ok(services)
}

/// Runs a transfer on a thread of its own. A thread that does not end is abandoned.
fn attempt(transfer: &Transfer, trace: &Arc<Trace>) -> Ended {
    let (done, over) = mpsc::channel();
    let (owned, observed) = (transfer.clone(), Arc::clone(trace));
    thread::spawn(move || {
        let perform = || match owned.service {
            Service::S3Model | Service::S3Files | Service::S3Live => s3::perform(&owned, &observed),
            Service::SwiftModel | Service::SwiftLive => swift::perform(&owned, &observed),
        };
        let ended = match catch_unwind(AssertUnwindSafe(perform)) {
            Ok(Ok(outcome)) => Ended::Over(outcome),
            Ok(Err(what)) => Ended::Broken(what),
            Err(panic) => Ended::Panicked(message(&*panic)),
        };
        _ = done.send(ended);
    });
    over.recv_timeout(transfer.deadline()).unwrap_or(Ended::Hung)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Returns the description of a transfer.
fn story(transfer: &Transfer, ended: &Ended, faults: &[String], trace: &Trace) -> String {
    let (seed, number) = (transfer.seed, transfer.number);
    let mut text = format!("transfer {number} of seed {seed}: {transfer}\n");
    for fault in faults {
        text.push_str(&format!("  FAULT: {fault}\n"));
    }
    if let Ended::Over(outcome) = ended {
        let said = outcome.error.as_deref().unwrap_or("done");
        text.push_str(&format!("  it said: {said}\n"));
    }
    for line in trace.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&format!("  again: apus-conformance faults --seed {seed} --only {number}\n"));
    text
}
