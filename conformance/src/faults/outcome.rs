//! What has to hold after a transfer.

use apus_core::Error;
use bytes::Bytes;

/// The result of a transfer.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Its error, as text.
    pub(super) error: Option<String>,
    /// What is not as it reported.
    pub(super) wrong: Vec<String>,
    /// What is left without being named.
    pub(super) orphans: Vec<String>,
    /// Uploads that were created by requests whose responses were lost.
    pub(super) lost_creations: u64,
    /// Whether it failed although the object is stored.
    pub(super) is_there: bool,
    /// The number of leftovers that its error names.
    pub(super) named: usize,
}

/// The object that is stored.
#[derive(Debug)]
pub(super) enum There {
    Nothing,
    Object(Vec<u8>),
    Unreadable(String),
}

impl Outcome {
    /// Returns the result of reading `bytes`, from the reported length and the bytes received.
    pub(super) fn of_read(
        result: Result<u64, Error>,
        had: &[u8],
        bytes: &Bytes,
        concurrency: usize,
    ) -> Self {
        let mut outcome = Self::default();
        match result {
            Ok(told) => {
                if had != bytes {
                    outcome.wrong.push(format!("says that it is done: {}", against(had, bytes)));
                }
                if told != bytes.len() as u64 {
                    outcome.wrong.push(format!("says {told} bytes of {}", bytes.len()));
                }
            }
            Err(error) => {
                // Ranges that are read at once leave gaps.
                if concurrency == 1 && !bytes.starts_with(had) {
                    let what = against(had, bytes);
                    outcome.wrong.push(format!("failed, and had other bytes before: {what}"));
                }
                outcome.error = Some(error.to_string());
            }
        }
        outcome
    }

    /// Returns the result of writing `bytes` over `old`, or, with `if_absent`, where no object
    /// exists.
    pub(super) fn of_write(
        result: Result<u64, Error>,
        there: There,
        bytes: &Bytes,
        old: Option<&Bytes>,
        if_absent: bool,
    ) -> Self {
        let mut outcome = Self::default();
        let is = |wanted: &Bytes| matches!(&there, There::Object(has) if has == wanted);
        let is_as_before = match old {
            Some(old) => is(old),
            None => matches!(there, There::Nothing),
        };
        match result {
            Ok(_) if if_absent && old.is_some() => {
                outcome.wrong.push("replaced what it was not to replace".into());
            }
            Ok(told) => {
                if !is(bytes) {
                    outcome.wrong.push(format!("says that it is done: {}", found(&there, bytes)));
                }
                if told != bytes.len() as u64 {
                    outcome.wrong.push(format!("says {told} bytes of {}", bytes.len()));
                }
            }
            Err(error) => {
                outcome.is_there = is(bytes) && !is_as_before;
                if !is_as_before && (!is(bytes) || if_absent && old.is_some()) {
                    let what = found(&there, bytes);
                    outcome.wrong.push(format!("failed, and left something else: {what}"));
                }
                outcome.error = Some(error.to_string());
            }
        }
        outcome
    }
}

fn found(there: &There, bytes: &Bytes) -> String {
    match there {
        There::Nothing => "nothing is there".into(),
        There::Object(has) => against(has, bytes),
        There::Unreadable(why) => format!("what is there can't be read: {why}"),
    }
}

fn against(has: &[u8], wanted: &[u8]) -> String {
    let differs = has.iter().zip(wanted).position(|(has, wanted)| has != wanted);
    let at = differs.unwrap_or(has.len().min(wanted.len()));
    format!("{} bytes where {} are right, other ones from {at} on", has.len(), wanted.len())
}
