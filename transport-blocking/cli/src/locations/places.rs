//! Decides what to do with a location.

use apus_core::store::config::Backend;
use apus_core::store::{Migration, Refusal, S3Places, SwiftAuthorization, SwiftPlaces};

use super::others;
use super::stored::Stored;
use crate::exit::Failure;
use crate::settings::Sound;

/// The places of the configured backends.
pub(super) struct Places {
    s3: S3Places,
    swift: SwiftPlaces,
}

/// What to do with one location.
pub(super) enum Verdict {
    /// Nothing: it is correct.
    Good,
    /// Nothing: it belongs to a known store of another kind, and has no credentials.
    Other,
    /// Replace its URL and its `store`.
    Changed {
        url: String,
        store: String,
        credentials_found: bool,
        /// Whether the URL is another one than before.
        is_new_url: bool,
        /// Whether the database has the URL encrypted.
        is_encrypted: bool,
    },
    /// Nothing: it keeps its credentials, which no configured ones replace.
    Kept(String),
    /// Refuse it, for this reason.
    Refused(String),
}

impl Places {
    pub(super) fn new(sound: &Sound, foreign: bool) -> Result<Self, Failure> {
        let mut s3 = S3Places::of(&sound.configuration)?;
        let mut swift = SwiftPlaces::default();
        for (id, backend) in &sound.configuration.backends {
            if let Backend::Swift(options) = backend {
                swift.add(id, options, &options.references(id, &sound.references)?)?;
            }
        }
        if foreign {
            s3 = s3.with_foreign_hosts();
            swift = swift.with_foreign_hosts();
        }
        Ok(Self { s3, swift })
    }

    pub(super) fn judge(&self, stored: &Stored, store: Option<&str>) -> Verdict {
        let url = stored.url.expose();
        let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
        if is_one_of(scheme, &["s3", "s3+http", "s3+https"]) {
            return match self.s3.access(url, store) {
                Ok(access) => {
                    let at = &access.location;
                    let place = format!("bucket {:?} at {}", at.bucket(), at.place());
                    verdict(access.migration, stored, access.credentials.is_some(), &place)
                }
                Err(refusal) => refused(&refusal),
            };
        }
        if is_one_of(scheme, &["swift", "swift+http", "swift+https", "swift+config"]) {
            return match self.swift.access(url, store, None) {
                Ok(access) => {
                    let has_own = matches!(access.right, SwiftAuthorization::Own(_));
                    verdict(access.migration, stored, has_own, "the account of that user")
                }
                Err(refusal) => refused(&refusal),
            };
        }
        match others::problem(url) {
            None => Verdict::Other,
            Some(problem) => Verdict::Refused(problem.to_owned()),
        }
    }
}

fn verdict(migration: Option<Migration>, stored: &Stored, has_own: bool, place: &str) -> Verdict {
    match migration {
        Some(Migration { url, store, credentials_found, .. }) => {
            let is_new_url = url != stored.url.expose();
            let is_encrypted = stored.is_encrypted;
            Verdict::Changed { url, store, credentials_found, is_new_url, is_encrypted }
        }
        None if has_own => Verdict::Kept(format!(
            "the location keeps its credentials, because no configured backend replaces them: add \
             a backend for {place}"
        )),
        None => Verdict::Good,
    }
}

fn refused(refusal: &Refusal) -> Verdict {
    Verdict::Refused(refusal.to_string())
}

fn is_one_of(scheme: &str, known: &[&str]) -> bool {
    known.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}
