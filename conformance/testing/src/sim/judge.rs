//! What must hold when a schedule has ended, by the model's own record.

use std::collections::BTreeSet;

use apus_core::Error;
use apus_core::Kind;
use apus_core::error::Leftover;

use super::host::Host;
use super::world::World;

/// A part of all secrets of simulated callers.
pub(crate) const SECRET: &str = "hush-hush";

impl World {
    /// Checks that an object in S3 has these bytes.
    pub(crate) fn must_be(&mut self, bucket: &str, key: &str, bytes: &[u8]) {
        let there = self.host.s3_model().object(bucket, key).map(|object| object.body.clone());
        match there {
            Some(there) if there == bytes => {}
            Some(there) => self.wrong(format!(
                "it said yes, and {bucket}/{key} has {} other bytes where {} were sent",
                there.len(),
                bytes.len()
            )),
            None => self.wrong(format!("it said yes, and {bucket}/{key} is not there")),
        }
    }

    /// Checks that the error names every open upload whose id was received.
    pub(crate) fn no_upload_left(&mut self, error: Option<&Error>) {
        let told = error.map(|error| error.to_string()).unwrap_or_default();
        let named: BTreeSet<&str> = error
            .iter()
            .flat_map(|error| error.leftovers())
            .filter_map(|leftover| match leftover {
                Leftover::MultipartUpload { upload_id, .. } => Some(upload_id.as_str()),
                _ => None,
            })
            .collect();
        let open = self.host.s3_model().open_uploads();
        let left: Vec<String> = open
            .iter()
            .filter(|upload| !named.contains(upload.id.as_str()))
            .filter(|upload| !self.record.unnamed.contains(&upload.id))
            .filter(|upload| !self.record.landed.contains(&upload.id))
            .map(|upload| upload.id.clone())
            .collect();
        // Without a list of its parts, an upload is gone once its abort succeeded.
        let blind = self.record.aborted_in_vain && self.record.listed_in_vain;
        // An upload that the server denied to have can't be named.
        if !left.is_empty() && self.record.lies == 0 && !blind {
            self.wrong(format!("uploads {left:?} are left, and the error is {told:?}"));
        }
    }

    /// Checks that a success names every open upload whose id was received: one that exists again
    /// because of a late part, too. A process does not know which parts another one had in flight.
    pub(crate) fn no_upload_unnamed(&mut self, leftovers: &[Leftover]) {
        let names = |id: &str| {
            leftovers.iter().any(|leftover| match leftover {
                Leftover::MultipartUpload { upload_id, .. } => upload_id == id,
                Leftover::Perhaps { look_at } => look_at.contains(id),
                _ => false,
            })
        };
        let open = self.host.s3_model().open_uploads();
        let unnamed = |id: &&String| !self.record.unnamed.contains(*id) && !names(id);
        let left: Vec<String> =
            open.iter().map(|upload| &upload.id).filter(unnamed).cloned().collect();
        if !left.is_empty() && self.record.lies == 0 && self.record.deaths == 0 {
            self.wrong(format!("it said yes, and uploads {left:?} are left"));
        }
    }

    /// Checks that a write which failed with a known outcome has stored nothing.
    pub(crate) fn not_ours_unless_said(
        &mut self,
        error: &Error,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) {
        let there = self.host.s3_model().object(bucket, key);
        // Two empty objects can't be distinguished.
        let ours = there.is_some_and(|there| there.body == bytes && !bytes.is_empty());
        // A request that is applied after the look could not be seen.
        let late = self.record.acted_late > 0 || self.record.completed_late;
        let told = leaves_open(error) || names(error, bucket, key);
        // Another client may have replaced what was completed.
        let completed = self.record.carried_out.contains("CompleteMultipartUpload");
        let ours = ours || completed && self.record.replaced;
        if ours && !told && !late && self.record.lies == 0 {
            self.wrong(format!(
                "{bucket}/{key} is or was ours, and the error says that it was not written: {error}"
            ));
        }
    }

    /// Checks that these bytes were delivered.
    pub(crate) fn delivered(&mut self, bytes: &[u8]) {
        if !self.sink.is_whole() {
            self.wrong("it said yes, and there is a gap in what was delivered");
        } else if self.sink.bytes != bytes {
            self.wrong(format!(
                "it said yes, and delivered {} other bytes than the {} of the object",
                self.sink.bytes.len(),
                bytes.len()
            ));
        }
    }

    /// Returns all secrets, which no text may contain.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![SECRET.to_owned()];
        if let Host::Cloud(model) = &self.host {
            secrets.extend(["demo", "glance"].map(|user| format!("{user}-secret")));
            secrets.extend(model.tokens().iter().map(|token| token.id.clone()));
        }
        secrets
    }

    /// Checks what holds for every workload: bounds, secrets, leftovers.
    pub(crate) fn in_all(&mut self, most_requests: u64, held: u64) {
        if self.sink.twice {
            self.wrong("the sink got a byte twice");
        }
        if self.record.launched > most_requests {
            self.wrong(format!(
                "{} requests, where {most_requests} are enough",
                self.record.launched
            ));
        }
        if self.record.held > held {
            self.wrong(format!("{} bytes of a stream held, with {held} allowed", self.record.held));
        }
        let secrets = self.secrets();
        let spilt = self
            .trace
            .texts()
            .find(|text| secrets.iter().any(|secret| text.contains(secret.as_str())));
        if let Some(text) = spilt.map(str::to_owned) {
            self.wrong(format!("law 6: {text}"));
        }
    }
}

/// Whether an error says that the outcome is unknown: no response, or an unreadable one.
pub(crate) fn leaves_open(error: &Error) -> bool {
    error.outcome_unknown()
        || matches!(error.kind(), Kind::Transport | Kind::InvalidResponse)
        || error.is_cancelled()
        || error.status().is_some_and(|status| status.is_server_error())
}

/// Whether an error names this object as left.
pub(crate) fn names(error: &Error, bucket: &str, key: &str) -> bool {
    error.leftovers().iter().any(|leftover| {
        matches!(leftover, Leftover::Object { bucket: of, key: name } if of == bucket && name == key)
    })
}
