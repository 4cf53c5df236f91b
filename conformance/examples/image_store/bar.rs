//! A progress bar, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Bar {
    name: &'static str,
    total: u64,
    moved: AtomicU64,
    shown: Mutex<Shown>,
    terminal: bool,
}

#[derive(Default)]
struct Shown {
    verb: &'static str,
    percent: u64,
}

impl Bar {
    /// Creates a bar for this many bytes.
    pub(super) fn new(name: &'static str, total: u64) -> Self {
        let (moved, shown) = (AtomicU64::new(0), Mutex::default());
        Self { name, total: total.max(1), moved, shown, terminal: io::stdout().is_terminal() }
    }

    /// Starts again at zero.
    pub(super) fn begin(&self, verb: &'static str) {
        self.moved.store(0, Ordering::Relaxed);
        *self.shown.lock().unwrap() = Shown { verb, percent: 0 };
    }

    /// Advances by this many bytes.
    pub(super) fn moved(&self, bytes: u64) {
        let moved = self.moved.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let percent = (moved * 100 / self.total).min(100);
        let mut shown = self.shown.lock().unwrap();
        if percent <= shown.percent || !self.terminal || shown.verb.is_empty() {
            return;
        }
        shown.percent = percent;
        let done = usize::try_from(percent / 4).unwrap_or(25);
        let bar = format!("{}{}", "█".repeat(done), "░".repeat(25 - done));
        print!("\r{:<22} {:<4} {bar} {percent:>3} %", self.name, shown.verb);
        let _ = io::stdout().flush();
    }

    pub(super) fn clear(&self) {
        if self.terminal {
            print!("\r{:70}\r", "");
        }
    }
}
