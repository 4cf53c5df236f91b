//! What is to be done with a location.

use apus_core::store::S3Places;

use crate::exit::Failure;
use crate::settings::Sound;

/// The places of the configured backends.
pub(super) struct Places {
    s3: S3Places,
}

/// What is to be done with one location.
pub(super) enum Verdict {
    /// Nothing.
    Good,
    /// Nothing: it is another store's.
    Other,
    /// It gets this URL and this `store`.
    Changed { url: String, store: String, credentials_found: bool },
    /// Nothing, for this reason.
    Refused(String),
}

impl Places {
    pub(super) fn new(sound: &Sound, foreign: bool) -> Result<Self, Failure> {
        let mut s3 = S3Places::of(&sound.configuration)?;
        if foreign {
            s3 = s3.with_foreign_hosts();
        }
        Ok(Self { s3 })
    }

    pub(super) fn judge(&self, url: &str, store: Option<&str>) -> Verdict {
        let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
        if !is_one_of(scheme, &["s3", "s3+http", "s3+https"]) {
            return Verdict::Other;
        }
        match self.s3.access(url, store) {
            Err(refusal) => Verdict::Refused(refusal.to_string()),
            Ok(access) => match access.migration {
                Some(migration) => Verdict::Changed {
                    url: migration.url,
                    store: migration.store,
                    credentials_found: migration.credentials_found,
                },
                None if access.credentials.is_some() => Verdict::Refused(KEPT.to_owned()),
                None => Verdict::Good,
            },
        }
    }
}

fn is_one_of(scheme: &str, known: &[&str]) -> bool {
    known.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

const KEPT: &str = "it has credentials that no configured backend would stand in for: they stay";
