//! Shows the progress of a command on a terminal, and with `--verbose` each request.

use std::sync::{Mutex, PoisonError};

use apus_core::Now;
use apus_core::contract::Notice;
use apus_core::machine::{Event, Observer};

use crate::output::Output;
use crate::progress::Line;

/// Watches all runs of a command.
pub(crate) struct Watch {
    output: Output,
    bar: Mutex<Option<Bar>>,
}

struct Bar {
    line: Line,
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
            let line = Line::show(what, bytes);
            *self.bar() = Some(Bar { line, stopping: false });
        }
        Shown(self)
    }

    /// Counts bytes that an earlier run has transferred.
    pub(crate) fn done(&self, bytes: u64) {
        if let Some(bar) = &*self.bar() {
            bar.line.had(bytes);
        }
    }

    /// Says that the command stops, in the progress line too. Returns whether there is one.
    pub(crate) fn stop(&self, why: &str) -> bool {
        let mut bar = self.bar();
        let Some(bar) = bar.as_mut() else { return false };
        bar.stopping = true;
        bar.line.say("stopping");
        self.output.remark(why);
        true
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<Bar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bar {
    fn heed(&self, event: &Event<'_>) {
        match event {
            Event::Sent { bytes } | Event::Received { bytes } => self.line.add(*bytes),
            _ if self.stopping => {}
            Event::Launched { .. } | Event::Ended { .. } => self.line.say(""),
            Event::Queued { .. } => self.line.say("waiting for a rate limit"),
            Event::Waiting { reason, length } => {
                self.line.say(&format!("waiting {:.0} s: {reason}", length.as_secs_f64().ceil()));
            }
            _ => {}
        }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        drop(self.0.bar().take());
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
                self.output.detail(format!("{operation}: {end} ({} ms)", elapsed.as_millis()));
            }
            Event::Replayed { operation } => {
                self.output.detail(format!(
                    "{operation}: the credentials were refused, repeated with renewed ones"
                ));
            }
            Event::Queued { operation, at_once, waiting } => self.output.detail(format!(
                "{operation}: waiting for a rate limit ({waiting} waiting, {at_once} at a time)"
            )),
            Event::Waiting { reason, length } => {
                self.output.detail(format!("waiting for {:.1} s: {reason}", length.as_secs_f64()));
            }
            Event::Noticed(notice) => self.output.detail(told(notice)),
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
