//! The machine that a benchmark runs on, and the log of what it measured there.
//!
//! ```text
//! unix time · CPU model · flags · cores of client and server · load · title · name · best ratio · median ratio
//! ```
//!
//! A line for each implementation of a race, with tabs between the columns. The file is
//! `target/bench.log` below this workspace, or the one that `APUS_BENCH_LOG` names.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The side of a benchmark that a process is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The process that is measured.
    Client,
    /// The process that it talks to.
    Server,
}

/// Pins this thread, and those that it starts later, to the core of its side, so that both sides
/// do not share a core in some rounds only. `APUS_BENCH_CORES` has the core of the client and that of
/// the server; `1,0` without it. Nothing is pinned where there is no such core.
pub fn pin(side: Side) {
    let mut set = CpuSet::new();
    if let Some(core) = core_of(side).filter(|core| *core < CpuSet::MAX_CPU) {
        set.set(core);
        // A machine with one core, or a process that may not use this one, runs as it did.
        let _ = sched_setaffinity(None, &set);
    }
}

/// Returns the processor's name, and which of the instructions it has that hash and cipher.
pub fn cpu() -> (String, String) {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    };
    let flags: Vec<_> = field("flags").split(' ').filter(|flag| FLAGS.contains(flag)).collect();
    (field("model name").to_owned(), flags.join(","))
}

/// One line of a race.
pub struct Line<'a> {
    /// What is measured.
    pub title: &'a str,
    /// The implementation.
    pub name: &'a str,
    /// The ratio of its best round to the fastest peer's.
    pub best: f64,
    /// The same of the median round.
    pub median: f64,
}

/// Appends these lines to the log.
///
/// # Errors
///
/// The file can't be written.
pub fn append(lines: &[Line<'_>]) -> std::io::Result<()> {
    let path = path();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (model, flags) = cpu();
    let cores = match (core_in_use(), core_of(Side::Server)) {
        (Some(client), Some(server)) => format!("{client},{server}"),
        _ => "any".to_owned(),
    };
    let load = crate::race::load();
    let mut text = String::new();
    for Line { title, name, best, median } in lines {
        let at = now.as_secs();
        text += &format!(
            "{at}\t{model}\t{flags}\t{cores}\t{load}\t{title}\t{name}\t{best:.3}\t{median:.3}\n"
        );
    }
    file.write_all(text.as_bytes())
}

/// The ratios of one implementation in one race, over the runs on one processor.
#[derive(Debug, Default)]
pub struct Range {
    /// How many runs there are.
    pub runs: usize,
    /// The median rounds' least and greatest ratio.
    pub median: Option<(f64, f64)>,
}

/// Returns the ranges of a log by processor, race and implementation.
pub fn ranges(log: &str) -> BTreeMap<[String; 3], Range> {
    let mut ranges = BTreeMap::<_, Range>::new();
    for line in log.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [_, model, flags, _, _, title, name, _, median] = columns[..] else { continue };
        let Ok(median) = median.parse::<f64>() else { continue };
        let range = ranges.entry([format!("{model} ({flags})"), title.into(), name.into()]);
        let range = range.or_default();
        range.runs += 1;
        let (least, most) = range.median.unwrap_or((median, median));
        range.median = Some((least.min(median), most.max(median)));
    }
    ranges
}

/// Returns the file of the log.
pub fn path() -> PathBuf {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench.log");
    std::env::var_os("APUS_BENCH_LOG").map_or_else(default, PathBuf::from)
}

fn core_of(side: Side) -> Option<usize> {
    let cores = std::env::var("APUS_BENCH_CORES").unwrap_or_else(|_| "1,0".into());
    let (client, server) = cores.split_once(',')?;
    if side == Side::Client { client } else { server }.parse().ok()
}

fn core_in_use() -> Option<usize> {
    let set = sched_getaffinity(None).ok()?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core));
    let core = cores.next();
    core.filter(|_| cores.next().is_none())
}

const FLAGS: [&str; 8] =
    ["sha_ni", "aes", "vaes", "pclmulqdq", "vpclmulqdq", "avx2", "avx512f", "avx512vl"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_the_runs_of_one_processor() {
        let line = |cpu: &str, name: &str, median: f64| {
            format!("1\t{cpu}\taes\t1,0\t0.1\tGET\t{name}\t0.900\t{median:.3}\n")
        };
        let log =
            [line("A", "x", 1.2), line("A", "x", 0.9), line("B", "x", 3.0), "broken\n".into()];
        let ranges = ranges(&log.concat());
        let of = |cpu: &str| &ranges[&[format!("{cpu} (aes)"), "GET".into(), "x".into()]];
        assert_eq!((of("A").runs, of("A").median), (2, Some((0.9, 1.2))));
        assert_eq!((of("B").runs, of("B").median), (1, Some((3.0, 3.0))));
    }
}
