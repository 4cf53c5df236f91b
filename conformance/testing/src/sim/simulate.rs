//! Runs any number of schedules.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::chance::Chance;
use super::report::{Failure, Report};
use super::schedule::Schedule;
use super::shrink::shrink;
use super::workloads::{Over, Workload, all};

/// Simulates this many schedules, with the seeds from `seed` on: of the workload `only`, or, where
/// it is `None`, of one that the seed chooses.
///
/// # Errors
///
/// No workload has this name.
pub fn simulate(schedules: u64, seed: u64, only: Option<&str>) -> Result<Report, String> {
    let mut workloads = all();
    if let Some(only) = only {
        workloads.retain(|workload| workload.name == only);
        if workloads.is_empty() {
            let names: Vec<_> = all().iter().map(|workload| workload.name).collect();
            return Err(format!("no workload is called {only:?}; there are {}", names.join(", ")));
        }
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, tired) = (AtomicU64::new(0), AtomicBool::new(false));
    let report = Mutex::new(Report::new(&workloads, schedules, seed));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut own = Report::new(&workloads, schedules, seed);
                loop {
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    if from >= schedules || tired.load(Ordering::Relaxed) {
                        break;
                    }
                    for number in from..schedules.min(from + BATCH) {
                        one(&workloads, seed.wrapping_add(number), &mut own);
                    }
                    if own.failures() >= ENOUGH {
                        tired.store(true, Ordering::Relaxed);
                    }
                }
                if let Ok(mut report) = report.lock() {
                    report.merge(own);
                }
            });
        }
    });
    let mut report = report.into_inner().map_err(|_| "a worker panicked".to_owned())?;
    report.finish(|failure| explain(failure, &workloads));
    Ok(report)
}

/// Runs the schedule of one seed.
fn one(workloads: &[Workload], seed: u64, report: &mut Report) {
    let mut chance = Chance::new(seed, "workload");
    let workload = &workloads[chance.below(workloads.len() as u64) as usize];
    let schedule = scheduled(workload, seed);
    match attempt(workload, &schedule) {
        Ok(over) => report.add(workload, seed, over),
        Err(panic) => report.panicked(workload, seed, panic),
    }
}

fn scheduled(workload: &Workload, seed: u64) -> Schedule {
    Schedule::new(seed, workload.name, workload.operations, workload.cleanup, workload.dies)
}

/// Runs a schedule; an error is the message of a panic.
fn attempt(workload: &Workload, schedule: &Schedule) -> Result<Over, String> {
    catch_unwind(AssertUnwindSafe(|| (workload.run)(schedule))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("panicked: {}", text.unwrap_or_default())
    })
}

/// Returns the first fault that a schedule shows, and its trace.
fn verdict(workload: &Workload, schedule: &Schedule) -> (Option<String>, String) {
    match attempt(workload, schedule) {
        Err(panic) => (Some(panic), String::new()),
        Ok(over) => {
            let trace = over.world.trace.to_string();
            (over.world.record.wrong.into_iter().next(), trace)
        }
    }
}

/// Reduces a failure, and adds its trace.
fn explain(failure: &mut Failure, workloads: &[Workload]) {
    let Some(workload) = workloads.iter().find(|workload| workload.name == failure.workload) else {
        return;
    };
    let schedule = scheduled(workload, failure.seed);
    let kind = |what: &str| what.split(|c: char| c.is_ascii_digit()).next().map(str::to_owned);
    let wanted = kind(&failure.what);
    let small = shrink(&schedule, |less| {
        verdict(workload, less).0.is_some_and(|what| kind(&what) == wanted)
    });
    let (what, trace) = verdict(workload, &small);
    failure.what = what.unwrap_or_else(|| format!("{}, but not again", failure.what));
    failure.schedule = small.to_string();
    failure.trace = trace;
}

/// Returns the whole trace of one schedule as text: equal seeds give equal texts.
///
/// # Errors
///
/// No workload has this name.
pub fn trace(seed: u64, only: &str) -> Result<String, String> {
    let workload = all().into_iter().find(|workload| workload.name == only);
    let workload = workload.ok_or_else(|| format!("no workload is called {only:?}"))?;
    let schedule = scheduled(&workload, seed);
    let (what, trace) = verdict(&workload, &schedule);
    let what = what.unwrap_or_else(|| "all is well".to_owned());
    Ok(format!("{schedule}{trace}{what}\n"))
}

/// Returns the names of all workloads.
pub fn workloads() -> Vec<&'static str> {
    all().iter().map(|workload| workload.name).collect()
}

/// The number of schedules that a worker takes at once.
const BATCH: u64 = 64;
/// The number of failures after which a run stops.
const ENOUGH: usize = 5000;
