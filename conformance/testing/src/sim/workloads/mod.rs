//! The simulated workloads, each with a name.

mod calls;
mod downloads;
mod images;
mod jobs;
mod s3;
mod sessions;
mod swift;
mod swift_calls;
mod swift_downloads;
mod swift_uploads;
mod uploads;

use super::schedule::Schedule;
use super::world::World;

/// A use of this library.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Its operations. One that faults should meet more often is listed repeatedly.
    pub(crate) operations: &'static [&'static str],
    /// Operations that remove what a failure leaves.
    pub(crate) cleanup: &'static [&'static str],
    /// Whether its process may die and another one continues.
    pub(crate) dies: bool,
    pub(crate) run: fn(&Schedule) -> Over,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) world: World,
    pub(crate) outcome: Outcome,
}

/// The end of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Done,
    Failed,
    Cancelled,
}

impl Outcome {
    pub(crate) fn of(error: &apus_core::Error) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Failed }
    }
}

/// Returns all workloads.
pub(crate) fn all() -> Vec<Workload> {
    [
        uploads::ALL,
        downloads::ALL,
        jobs::ALL,
        calls::ALL,
        images::ALL,
        swift_uploads::ALL,
        swift_calls::ALL,
        swift_downloads::ALL,
        sessions::ALL,
    ]
    .concat()
}
