//! A line on a terminal that shows how far a command is.
//!
//! ```text
//!  debian-13.img  42% 1.20 GiB of 2.86 GiB  98.10 MiB/s  ETA 17s
//!  debian-13.img  99% 2.86 GiB of 2.86 GiB  waiting for the server
//! ```
//!
//! The cursor is at the beginning of the line, so that a `^C` that the terminal shows is not after its
//! last column. Everything else that is written replaces the line, which is written again after it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::output::Printable;

/// The line of the terminal of this process. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    facts: Arc<Mutex<Facts>>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

/// What a line shows.
#[derive(Debug)]
struct Facts {
    name: String,
    done: u64,
    all: Option<u64>,
    /// What the command waits for.
    said: String,
    /// When how many bytes were done: of the last seconds.
    past: VecDeque<(Instant, u64)>,
}

/// What is on the terminal, and how many columns of it have text.
static SHOWN: Mutex<Option<(Arc<Mutex<Facts>>, usize)>> = Mutex::new(None);

impl Line {
    /// Shows a line, in place of another one, and updates it until it is dropped. `all` is a number
    /// of bytes.
    pub(crate) fn show(what: &str, all: Option<u64>) -> Self {
        let past = VecDeque::from([(Instant::now(), 0)]);
        let facts = Facts { name: shortened(what, NAME), done: 0, all, said: String::new(), past };
        let facts = Arc::new(Mutex::new(facts));
        beside(|| ());
        *lock(&SHOWN) = Some((Arc::clone(&facts), 0));
        let (end, ended) = mpsc::channel::<()>();
        let ticker = thread::spawn(|| {
            let ended = ended;
            loop {
                draw(&mut lock(&SHOWN));
                if ended.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        });
        Self { facts, ticker: Some((end, ticker)) }
    }

    /// Counts bytes that were transferred.
    pub(crate) fn add(&self, bytes: u64) {
        let mut facts = lock(&self.facts);
        facts.done = facts.done.saturating_add(bytes);
    }

    /// Counts bytes that an earlier run has transferred.
    pub(crate) fn had(&self, bytes: u64) {
        let mut facts = lock(&self.facts);
        facts.done = bytes;
        facts.past = VecDeque::from([(Instant::now(), bytes)]);
    }

    /// Says what the command waits for; nothing shows the rate again.
    pub(crate) fn say(&self, what: &str) {
        let mut facts = lock(&self.facts);
        if facts.said != what {
            what.clone_into(&mut facts.said);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some((end, ticker)) = self.ticker.take() {
            drop(end);
            let _ = ticker.join();
        }
        let mut shown = lock(&SHOWN);
        // Another line may have taken its place.
        if shown.as_ref().is_some_and(|(facts, _)| Arc::ptr_eq(facts, &self.facts)) {
            clear(&mut shown);
            *shown = None;
        }
    }
}

/// Removes the line until the end of the process.
pub(crate) fn end() {
    let mut shown = lock(&SHOWN);
    clear(&mut shown);
    *shown = None;
}

/// Writes something else to the terminal: the line is not in its way.
pub(crate) fn beside<T>(write: impl FnOnce() -> T) -> T {
    let mut shown = lock(&SHOWN);
    clear(&mut shown);
    let written = write();
    draw(&mut shown);
    written
}

fn clear(shown: &mut Option<(Arc<Mutex<Facts>>, usize)>) {
    if let Some((_, columns)) = shown
        && *columns > 0
    {
        put(&format!("\r{:1$}\r", "", (*columns).min(room())));
        *columns = 0;
    }
}

fn draw(shown: &mut Option<(Arc<Mutex<Facts>>, usize)>) {
    if let Some((facts, columns)) = shown {
        let text = beginning(&lock(facts).text(Instant::now()), room());
        let (now, before) = (width(&text), *columns);
        put(&format!("\r{text}{:1$}\r", "", before.saturating_sub(now)));
        *columns = now;
    }
}

/// A failure to write it can't be reported.
fn put(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Facts {
    /// Returns the line: the name has at most 20 columns, the percentage 4, the bytes 26, the rate 13.
    fn text(&mut self, now: Instant) -> String {
        let rate = self.rate(now);
        let mut text = self.name.clone();
        match self.all {
            Some(all) => {
                let done = self.done.min(all);
                // The whole is there when the command says so.
                let percent = (u128::from(done) * 100 / u128::from(all.max(1))).min(99);
                let _ = write!(text, " {percent:>3}% {} of {}", human(done), human(all));
            }
            None => {
                let _ = write!(text, "  {}", human(self.done));
            }
        }
        let left = self.all.map(|all| all.saturating_sub(self.done));
        let _ = match (self.said.as_str(), left) {
            ("", Some(0)) if self.done > 0 => write!(text, "  waiting for the server"),
            ("", left) => {
                let _ = write!(text, "  {}/s", human(rate));
                match left.and_then(|left| left.checked_div(rate)) {
                    Some(seconds) => write!(text, "  ETA {}", eta(seconds)),
                    None => Ok(()),
                }
            }
            (said, _) => write!(text, "  {said}"),
        };
        text
    }

    /// Returns the bytes per second of the last seconds.
    fn rate(&mut self, now: Instant) -> u64 {
        self.past.push_back((now, self.done));
        let is_old = |at: &Instant| now.duration_since(*at) > WINDOW;
        while self.past.len() > 2 && self.past.front().is_some_and(|(at, _)| is_old(at)) {
            self.past.pop_front();
        }
        let Some((from, before)) = self.past.front() else { return 0 };
        let millis = now.duration_since(*from).as_millis().max(1);
        let bytes = u128::from(self.done.saturating_sub(*before));
        u64::try_from(bytes * 1000 / millis).unwrap_or(u64::MAX)
    }
}

/// Returns a number of bytes as `3.50 MiB`.
pub(crate) fn human(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut unit = None;
    for next in units {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = Some(next);
    }
    match unit {
        None => format!("{bytes} B"),
        Some(unit) => format!("{size:.2} {unit}"),
    }
}

/// Returns a name in at most `columns` columns, with the middle left out.
fn shortened(name: &str, columns: usize) -> String {
    let name = Printable(name).to_string();
    if width(&name) <= columns {
        return name;
    }
    let head = columns / 2;
    let backwards: String = name.chars().rev().collect();
    let last = beginning(&backwards, columns.saturating_sub(head + 1));
    let last: String = last.chars().rev().collect();
    format!("{}…{last}", beginning(&name, head))
}

/// Returns as much of the text as fits into so many columns.
fn beginning(text: &str, columns: usize) -> String {
    let mut left = columns;
    let fits = |letter: &char| match left.checked_sub(columns_of(*letter)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).collect()
}

fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Returns the most columns that a terminal uses for a character: terminals do not agree on all of
/// those after the European scripts.
fn columns_of(letter: char) -> usize {
    match letter {
        '\0'..='\u{52f}' | '…' => 1,
        _ => 2,
    }
}

/// Returns the columns that there are for the line: one less than the terminal has, as some wrap after
/// the last.
fn room() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stderr());
    terminal.map_or(COLUMNS, |(columns, _)| usize::from(columns.0).saturating_sub(1).min(COLUMNS))
}

/// `3d02h`, `1h02m`, `2m05s` or `7s`.
fn eta(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours @ ..100, minutes, _) => format!("{hours}h{minutes:02}m"),
        (hours, ..) => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// The columns of a name.
const NAME: usize = 20;
/// The most columns of the line: one less than the usual terminal has.
const COLUMNS: usize = 79;
/// How often the line is written.
const TICK: Duration = Duration::from_millis(200);
/// The seconds that the rate is an average of.
const WINDOW: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("debian.img", 20), "debian.img");
        let short = shortened("backups/2026-12-01/vm-0042.qcow2", 20);
        assert_eq!((short.as_str(), short.chars().count()), ("backups/20…042.qcow2", 20));
    }

    // Each ideograph has two columns.
    #[test]
    fn wide_names_and_narrow_terminals_have_room() {
        let short = shortened("写真/二〇二六年十二月/東京駅.jpg", 20);
        assert_eq!((short.as_str(), width(&short)), ("写真/二〇…京駅.jpg", 18));
        assert_eq!(shortened("写真.jpg", 20), "写真.jpg");
        let text = "a  25% 50.00 MiB of 200.00 MiB";
        for (columns, cut) in [(30, text), (10, "a  25% 50."), (0, "")] {
            assert_eq!(beginning(text, columns), cut);
        }
        assert_eq!(beginning("写真", 3), "写");
    }

    #[test]
    fn times_are_short() {
        assert_eq!((eta(7), eta(125), eta(3720)), ("7s".into(), "2m05s".into(), "1h02m".into()));
        assert_eq!(eta(100 * 3600), "4d04h");
    }

    #[test]
    fn sizes_have_units() {
        let sizes = [0, 1023, 1024, 1536, 3 << 20, u64::MAX].map(human);
        assert_eq!(sizes, ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "3.00 MiB", "16.00 EiB"]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let begun = Instant::now();
        let past = VecDeque::from([(begun, 0)]);
        let all = Some(200 << 20);
        let mut facts = Facts { name: "a".into(), done: 0, all, said: String::new(), past };
        for second in 1..=20 {
            // 1 MiB per second, then 4.
            facts.done += if second <= 10 { 1 << 20 } else { 4 << 20 };
            facts.text(begun + Duration::from_secs(second));
        }
        let text = facts.text(begun + Duration::from_secs(20));
        assert_eq!(text, "a  25% 50.00 MiB of 200.00 MiB  4.00 MiB/s  ETA 37s");
        facts.done = 200 << 20;
        let text = facts.text(begun + Duration::from_secs(21));
        assert_eq!(text, "a  99% 200.00 MiB of 200.00 MiB  waiting for the server");
    }
}
