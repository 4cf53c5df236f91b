//! Shows the progress of a command: a bar on a terminal, and with `--verbose` each request.

use std::sync::{Mutex, PoisonError};

use apus_core::Now;
use apus_core::contract::Notice;
use apus_core::machine::{Event, Observer};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::output::Output;

/// Watches all runs of a command.
pub(crate) struct Watch {
    output: Output,
    bar: Mutex<Option<ProgressBar>>,
}

/// A progress bar, which is removed when this is dropped.
pub(crate) struct Shown<'a>(&'a Watch);

impl Watch {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, bar: Mutex::new(None) }
    }

    /// Shows progress towards this many bytes, or a spinner if the number is unknown.
    pub(crate) fn show(&self, what: &str, bytes: Option<u64>) -> Shown<'_> {
        if self.output.shows_progress() {
            let bar = match bytes {
                Some(bytes) => ProgressBar::new(bytes).with_style(style(KNOWN)),
                None => ProgressBar::new_spinner().with_style(style(UNKNOWN)),
            };
            *self.bar() = Some(bar.with_message(what.to_owned()));
        }
        Shown(self)
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an event without overwriting the bar.
    fn tell(&self, text: &str) {
        match &*self.bar() {
            Some(bar) => bar.suspend(|| self.output.detail(text)),
            None => self.output.detail(text),
        }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if let Some(bar) = self.0.bar().take() {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Watch {
    fn event(&self, _: Now, event: &Event<'_>) {
        match event {
            Event::Sent { bytes } | Event::Received { bytes } => {
                if let Some(bar) = &*self.bar() {
                    bar.inc(*bytes);
                }
            }
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

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

const KNOWN: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const UNKNOWN: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";
