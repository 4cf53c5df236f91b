//! Races: several implementations of one task, in turns, so that a busy machine slows all alike.
//!
//! The CPU time of this process is measured; servers run as processes of their own.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::machine::{self, Line};

/// One implementation.
pub struct Racer<'a> {
    name: String,
    /// Whether it is ours or one that ours is compared with.
    role: Role,
    run: Box<dyn FnMut(usize) + 'a>,
    laps: Vec<Lap>,
}

/// The role of an implementation in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ours.
    Ours,
    /// One that ours is compared with.
    Peer,
}

/// The time of one operation in one round.
#[derive(Clone, Copy)]
pub struct Lap {
    /// CPU time of the process.
    pub cpu: Duration,
    /// Wall time.
    pub wall: Duration,
}

impl<'a> Racer<'a> {
    /// Adds ours: `run` performs this many operations.
    pub fn ours(name: impl Into<String>, run: impl FnMut(usize) + 'a) -> Self {
        Self { name: name.into(), role: Role::Ours, run: Box::new(run), laps: Vec::new() }
    }

    /// One that ours is compared with.
    pub fn peer(name: impl Into<String>, run: impl FnMut(usize) + 'a) -> Self {
        Self { role: Role::Peer, ..Self::ours(name, run) }
    }

    /// Its name in the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is ours.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the least CPU time of a round, in nanoseconds an operation.
    pub fn best(&self) -> f64 {
        self.sorted().first().map_or(0.0, nanos)
    }

    /// Returns the CPU time of the median round, in nanoseconds an operation.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).map_or(0.0, nanos)
    }

    /// Returns the wall time of the median round, in nanoseconds an operation.
    pub fn wall(&self) -> f64 {
        let mut walls: Vec<_> = self.laps.iter().map(|lap| lap.wall).collect();
        walls.sort();
        walls.get(walls.len() / 2).map_or(0.0, nanos)
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut cpus: Vec<_> = self.laps.iter().map(|lap| lap.cpu).collect();
        cpus.sort();
        cpus
    }
}

/// Runs each implementation `count` times a round, in turns, after a round that is not measured.
pub fn race(racers: &mut [Racer<'_>], rounds: usize, count: usize) {
    for round in 0..=rounds {
        for racer in racers.iter_mut() {
            let (cpu, wall) = (cpu_time(), Instant::now());
            (racer.run)(count);
            let cpu = (cpu_time() - cpu) / u32::try_from(count).unwrap_or(u32::MAX);
            let wall = wall.elapsed() / u32::try_from(count).unwrap_or(u32::MAX);
            if round > 0 {
                racer.laps.push(Lap { cpu, wall });
            }
        }
    }
}

/// Prints the race: times in units of `unit` nanoseconds, called `name`, and the ratios of the best
/// and of the median to those of the fastest peer. Appends the ratios to the log of the machine.
pub fn print(title: &str, racers: &[Racer<'_>], unit: f64, name: &str) {
    let fastest = |time: fn(&Racer<'_>) -> f64| {
        let peers = racers.iter().filter(|racer| racer.role == Role::Peer);
        peers.map(time).fold(f64::INFINITY, f64::min)
    };
    let (best, median) = (fastest(|racer| racer.best()), fastest(|racer| racer.median()));
    println!("\n{title}, {name} of CPU (and of wall)");
    println!(
        "  {:<34} {:>9} {:>7} {:>9} {:>7} {:>9}",
        "", "best", "ratio", "median", "ratio", "wall"
    );
    for racer in racers {
        println!(
            "  {:<34} {:>9.3} {:>7.3} {:>9.3} {:>7.3} {:>9.3}",
            racer.name,
            racer.best() / unit,
            racer.best() / best,
            racer.median() / unit,
            racer.median() / median,
            racer.wall() / unit,
        );
    }
    let lines: Vec<_> = racers
        .iter()
        .map(|racer| Line {
            title,
            name: &racer.name,
            best: racer.best() / best,
            median: racer.median() / median,
        })
        .collect();
    if let Err(error) = machine::append(&lines) {
        println!("  not in the log: {}: {error}", machine::path().display());
    }
}

/// Prints whether a budget is met.
pub fn verdict(what: &str, have: f64, budget: f64, unit: &str) {
    let word = if have <= budget { "kept" } else { "MISSED" };
    println!("  budget {what}: {have:.3} {unit} of {budget:.3} {unit}: {word}");
}

/// Returns the CPU time of this process with all its threads.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns the machine's load, which disturbs the figures.
pub fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split(' ').next().map(str::to_owned))
        .unwrap_or_else(|| "?".into())
}

/// Returns an argument of the command line by position, or its default.
pub fn argument<T: std::str::FromStr>(position: usize, otherwise: T) -> T {
    std::env::args().nth(position).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn nanos(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
