//! Shows the progress of a command: a line on a terminal, and with `--verbose` each request.
//!
//! ```text
//!  debian-13.img  42% 1.20 GiB of 2.86 GiB  98.10 MiB/s  ETA 17s
//!  debian-13.img  99% 2.86 GiB of 2.86 GiB  waiting for the server
//! ```

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::Notice;
use apus_core::machine::{Event, Observer};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::output::{Output, Printable};

/// Watches all runs of a command.
pub(crate) struct Watch {
    output: Output,
    bar: Mutex<Option<Bar>>,
}

struct Bar {
    line: ProgressBar,
    /// What the command waits for.
    state: Arc<Mutex<String>>,
    /// Whether the command is stopping.
    stopping: bool,
}

/// A progress line, which is removed when this is dropped.
pub(crate) struct Shown<'a>(&'a Watch);

impl Watch {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, bar: Mutex::new(None) }
    }

    /// Shows progress towards this many bytes, or without an end if the number is unknown.
    pub(crate) fn show(&self, what: &str, bytes: Option<u64>) -> Shown<'_> {
        if self.output.shows_progress() {
            let state = Arc::new(Mutex::new(String::new()));
            let line = ProgressBar::new(bytes.unwrap_or_default());
            line.set_style(style(shortened(what, NAME), bytes.is_some(), Arc::clone(&state)));
            line.enable_steady_tick(TICK);
            *self.bar() = Some(Bar { line, state, stopping: false });
        }
        Shown(self)
    }

    /// Counts bytes that an earlier run has transferred.
    pub(crate) fn done(&self, bytes: u64) {
        if let Some(bar) = &*self.bar() {
            bar.line.set_position(bytes);
            bar.line.reset_eta();
        }
    }

    /// Says that the command stops, in the progress line too. Returns whether there is one.
    pub(crate) fn stop(&self, why: &str) -> bool {
        let mut bar = self.bar();
        let Some(bar) = bar.as_mut() else { return false };
        bar.stopping = true;
        bar.say("stopping");
        bar.line.suspend(|| self.output.remark(why));
        true
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<Bar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an event without overwriting the line.
    fn tell(&self, text: &str) {
        match &*self.bar() {
            Some(bar) => bar.line.suspend(|| self.output.detail(text)),
            None => self.output.detail(text),
        }
    }
}

impl Bar {
    fn say(&self, state: &str) {
        let mut said = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clone_into(&mut said);
    }

    fn heed(&self, event: &Event<'_>) {
        match event {
            Event::Sent { bytes } | Event::Received { bytes } => self.line.inc(*bytes),
            _ if self.stopping => {}
            Event::Launched { .. } | Event::Ended { .. } => self.say(""),
            Event::Queued { .. } => self.say("waiting for a rate limit"),
            Event::Waiting { reason, length } => {
                self.say(&format!("waiting {:.0} s: {reason}", length.as_secs_f64().ceil()));
            }
            _ => {}
        }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if let Some(bar) = self.0.bar().take() {
            bar.line.finish_and_clear();
        }
    }
}

impl Observer for Watch {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Some(bar) = &*self.bar() {
            bar.heed(event);
        }
        match event {
            _ if !self.output.is_verbose() => {}
            Event::Ended { operation, status, error, elapsed } => {
                let end = match (status, error) {
                    (Some(status), _) => status.as_u16().to_string(),
                    (None, Some(error)) => error.to_string(),
                    (None, None) => "no response".to_owned(),
                };
                self.tell(&format!("{operation}: {end} ({} ms)", elapsed.as_millis()));
            }
            Event::Replayed { operation } => {
                self.tell(&format!(
                    "{operation}: the credentials were refused, repeated with renewed ones"
                ));
            }
            Event::Queued { operation, at_once, waiting } => self.tell(&format!(
                "{operation}: waiting for a rate limit ({waiting} waiting, {at_once} at a time)"
            )),
            Event::Waiting { reason, length } => {
                self.tell(&format!("waiting for {:.1} s: {reason}", length.as_secs_f64()));
            }
            Event::Noticed(notice) => self.tell(&told(notice)),
            _ => {}
        }
    }
}

fn told(notice: &Notice) -> String {
    match notice {
        Notice::Renewed { life: Some(life), .. } => {
            format!("obtained a token, valid for {} s", life.as_secs())
        }
        Notice::Renewed { life: None, .. } => "obtained a token".to_owned(),
        Notice::ShortLived { life, interval } => format!(
            "a token is valid for {} s, too short to renew it {} s before it expires: it is \
             renewed halfway",
            life.as_secs(),
            interval.as_secs()
        ),
        Notice::RenewalFailed { error } => format!("could not renew a token: {error}"),
        Notice::TrustCreated { id } => format!("created trust {id}"),
        Notice::TrustRefused { error } => format!("could not create a trust: {error}"),
        Notice::TrustRevoked { id } => format!("revoked trust {id}"),
        Notice::Unconditional { operation } => format!(
            "{operation}: the server does not support `If-None-Match`; a HEAD found no object"
        ),
        Notice::NotCopied { what, error } => {
            format!("the {what} of the source are not copied, as they can't be read: {error}")
        }
        _ => "an event of an unknown kind occurred".to_owned(),
    }
}

/// Returns a number of bytes as "3.5 MiB".
pub(crate) fn human(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// Returns a name in at most `columns` characters, with the middle left out.
fn shortened(name: &str, columns: usize) -> String {
    let name = Printable(name).to_string();
    let count = name.chars().count();
    if count <= columns {
        return name;
    }
    let head = columns / 2;
    let tail = columns.saturating_sub(head + 1);
    let first: String = name.chars().take(head).collect();
    let last: String = name.chars().skip(count - tail).collect();
    format!("{first}…{last}")
}

/// The line fits into 80 columns: the name has at most 20, the percentage 4, the bytes 26, the rate
/// 13, and the rest is cut.
fn style(name: String, is_known: bool, state: Arc<Mutex<String>>) -> ProgressStyle {
    let line = move |progress: &ProgressState, out: &mut dyn std::fmt::Write| {
        let (done, all) = (progress.pos(), progress.len().unwrap_or_default());
        let done = if is_known { done.min(all) } else { done };
        let mut text = name.clone();
        if is_known {
            // The whole is there when the command says so.
            let percent = (u128::from(done) * 100 / u128::from(all.max(1))).min(99);
            let _ = write!(text, " {percent:>3}% {} of {}", HumanBytes(done), HumanBytes(all));
        } else {
            let _ = write!(text, "  {}", HumanBytes(done));
        }
        let said = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let _ = match said.as_str() {
            "" if is_known && done == all && all > 0 => write!(text, "  waiting for the server"),
            "" => {
                let rate = progress.per_sec();
                let _ = write!(text, "  {}/s", HumanBytes(rate as u64));
                match is_known && rate > 0.0 {
                    true => write!(text, "  ETA {}", eta(progress.eta())),
                    false => Ok(()),
                }
            }
            said => write!(text, "  {said}"),
        };
        let _ = out.write_str(&shortened_end(&text, COLUMNS));
    };
    ProgressStyle::default_bar()
        .template("{line}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("line", line)
}

/// `1h02m`, `2m05s` or `7s`.
fn eta(left: Duration) -> String {
    let seconds = left.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours @ ..100, minutes, _) => format!("{hours}h{minutes:02}m"),
        _ => HumanDuration(left).to_string(),
    }
}

fn shortened_end(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}

/// The columns of a name.
const NAME: usize = 20;
/// The columns of the line: one less than the usual terminal has, as some wrap after the last.
const COLUMNS: usize = 79;
const TICK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("debian.img", 20), "debian.img");
        let short = shortened("backups/2026-12-01/vm-0042.qcow2", 20);
        assert_eq!((short.as_str(), short.chars().count()), ("backups/20…042.qcow2", 20));
    }

    #[test]
    fn times_are_short() {
        let eta = |seconds| eta(Duration::from_secs(seconds));
        assert_eq!((eta(7), eta(125), eta(3720)), ("7s".into(), "2m05s".into(), "1h02m".into()));
    }
}
