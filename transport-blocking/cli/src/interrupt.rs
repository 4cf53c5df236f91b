//! Signals that end the process, such as Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use apus_blocking::{CancelToken, Stores};
use apus_core::contract::OnFailure;
use apus_host::files::remove_unfinished;
#[cfg(target_os = "linux")]
use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::watch::Watch;

/// Cancels all runs when the process is interrupted or asked to end, so that uploads are aborted
/// and the objects of a trial are removed. A second signal ends the process at once, names what is
/// left on the servers, and removes the temporary files.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(CancelToken);

impl Interrupt {
    /// Installs the signal handler. All callers in a process share one token.
    pub(crate) fn listen(output: Output) -> Result<Self, Failure> {
        static SHARED: OnceLock<CancelToken> = OnceLock::new();
        static AGAIN: AtomicBool = AtomicBool::new(false);
        if let Some(token) = SHARED.get() {
            return Ok(Self(token.clone()));
        }
        let token = SHARED.get_or_init(CancelToken::new).clone();
        let cancelled = token.clone();
        #[cfg(target_os = "linux")]
        keep_ignored();
        ctrlc::set_handler(move || {
            if AGAIN.swap(true, Ordering::AcqRel) {
                crate::progress::end();
                tell_left(output);
                for (file, why) in remove_unfinished() {
                    output.warn(format_args!("left behind: {}: {why}", file.display()));
                }
                std::process::exit(Exit::Interrupted as i32);
            }
            let (why, leave) = match KEEPS.load(Ordering::Acquire) {
                true => (KEEPING, OnFailure::Keep),
                false => (STOPPING, OnFailure::Abort),
            };
            if !watched().iter().any(|(_, watch)| watch.stop(why)) {
                output.remark(why);
            }
            cancelled.cancel_with(leave);
        })
        .map_err(|error| {
            Failure::new(Exit::Other, format!("could not install the signal handler: {error}"))
        })?;
        Ok(Self(token))
    }

    /// Lets a second signal name what the runs of these backends leave.
    pub(crate) fn watch(&self, stores: &Stores, watch: &Arc<Watch>) {
        watched().push((stores.clone(), Arc::clone(watch)));
    }

    /// Lets the first signal keep what was transferred, for another run.
    pub(crate) fn keep(&self) {
        KEEPS.store(true, Ordering::Release);
    }

    /// Returns the token that stops a run.
    pub(crate) fn token(&self) -> CancelToken {
        self.0.clone()
    }

    /// Returns whether a signal arrived.
    pub(crate) fn came(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// `nohup` has a program ignore SIGHUP, which the handler would end: the signal stays blocked in this
/// thread and in those that it starts.
#[cfg(target_os = "linux")]
fn keep_ignored() {
    // Safe code can only read here how a signal is handled.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is that of the signal 1, SIGHUP.
    if ignored.is_some_and(|mask| mask & 1 == 1) {
        let mut hangup = SigSet::empty();
        hangup.add(Signal::SIGHUP);
        let _ = hangup.thread_block();
    }
}

fn tell_left(output: Output) {
    let watched = watched();
    let left = watched.iter().flat_map(|(stores, _)| stores.remaining());
    let left: Vec<String> = left.map(|left| left.to_string()).collect();
    output.warn(match left.len() {
        0 => "stopped before the end: nothing is known to be left behind".to_owned(),
        _ => format!("stopped before the end; left behind: {}", left.join("; left behind: ")),
    });
}

fn watched() -> MutexGuard<'static, Vec<(Stores, Arc<Watch>)>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

static WATCHED: Mutex<Vec<(Stores, Arc<Watch>)>> = Mutex::new(Vec::new());
static KEEPS: AtomicBool = AtomicBool::new(false);

const KEEPING: &str = "stopping: what was transferred is kept for --resume; a second signal ends the \
                       program at once";

const STOPPING: &str =
    "stopping: what was begun is removed first; a second signal ends the program at once";
