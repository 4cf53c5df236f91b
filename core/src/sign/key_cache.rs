//! A cache of the signing keys for the days, regions and services in use.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::canonical::Rule;
use super::key::{Keys, SigningKey, day_of};
use super::signature::Date;
use super::v4::Signing;
use crate::error::Error;
use crate::now::Timestamp;

/// The signing keys derived from one set of [`Keys`].
///
/// A derivation costs four HMACs and depends only on the day, the region and the service. It drops
/// the keys of days that are not adjacent to its day. Rotated keys need a new cache.
pub struct KeyCache {
    keys: Arc<Keys>,
    state: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    derived: Vec<SigningKey>,
    /// The last time that was signed, as many requests have the same one.
    date: Option<Date>,
}

impl KeyCache {
    /// Creates an empty cache for these keys.
    pub fn new(keys: Arc<Keys>) -> Self {
        Self { keys, state: Mutex::default() }
    }

    /// Returns the keys.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Returns a [`Signing`] for one request at this time. Unlike [`Signing::new`], it reuses the
    /// derived key.
    ///
    /// # Errors
    ///
    /// Those of [`Signing::new`].
    pub fn signing(
        &self,
        at: Timestamp,
        region: &str,
        service: &str,
        rule: Rule,
    ) -> Result<Signing, Error> {
        let day = day_of(at);
        // No code that holds the lock panics, and the list is always consistent.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Cached { derived, date } = &mut *state;
        let date = match date {
            Some(last) if last.at == at => last.clone(),
            last => last.insert(Date::of(at)).clone(),
        };
        if let Some(key) = derived.iter().find(|key| key.is_for(day, region, service)) {
            return Ok(Signing { key: key.clone(), date, rule });
        }
        let key = SigningKey::derive(&self.keys, at, region, service)?;
        // Around midnight, servers whose clocks differ are on different days.
        derived.retain(|key| (key.day() - day).abs() <= 1);
        if derived.len() == CACHED {
            derived.remove(0);
        }
        derived.push(key.clone());
        Ok(Signing { key, date, rule })
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// How many keys a cache holds: one for each region and service in use. The oldest is dropped.
const CACHED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let mut keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        keys.session_token = Some("TOKEN".into());
        keys
    }

    fn cached(cache: &KeyCache) -> Vec<(i64, String)> {
        let state = cache.state.lock().unwrap();
        state.derived.iter().map(|key| (key.day(), key.region().into())).collect()
    }

    #[test]
    fn debug_shows_no_secret() {
        let cache = KeyCache::new(Arc::new(keys()));
        let signing = cache.signing(Timestamp::from_unix(0), "us-east-1", "s3", Rule::S3).unwrap();
        let shown = format!("{:?} {cache:?} {signing:?}", keys());
        assert!(shown.contains("AKIDEXAMPLE"));
        assert!(!shown.contains("wJalr") && !shown.contains("TOKEN"), "{shown}");
    }

    #[test]
    fn keys_of_other_days_are_dropped_and_few_are_kept() {
        let cache = KeyCache::new(Arc::new(keys()));
        let sign = |day: i64, region: &str| {
            let at = Timestamp::from_unix(day * 86_400 + 5);
            cache.signing(at, region, "s3", Rule::S3).unwrap()
        };
        sign(1, "a");
        sign(1, "a");
        sign(2, "a");
        assert_eq!(cached(&cache), [(1, "a".into()), (2, "a".into())]);
        sign(3, "a");
        assert_eq!(cached(&cache), [(2, "a".into()), (3, "a".into())]);
        for region in ["b", "c", "d", "e", "f", "g", "h", "i"] {
            sign(3, region);
        }
        assert_eq!(cached(&cache).len(), CACHED);
        assert_eq!(sign(3, "i").key.scope(), "19700104/i/s3/aws4_request");
    }

    #[test]
    fn text_that_would_forge_a_header_is_refused_by_name() {
        let (at, rule) = (Timestamp::from_unix(0), Rule::S3);
        for bad in ["", "a b", "a\r\nx: y", "a\0", "é"] {
            let mut of_key = keys();
            of_key.access_key = bad.into();
            let error = Signing::new(&Arc::new(of_key), at, "r", "s3", rule).unwrap_err();
            assert!(error.message().contains("`authorization`"), "{error}");
            for (region, service) in [(bad, "s3"), ("r", bad)] {
                assert!(Signing::new(&Arc::new(keys()), at, region, service, rule).is_err());
            }
            let mut of_token = keys();
            of_token.session_token = Some(bad.into());
            let outcome = Signing::new(&Arc::new(of_token), at, "r", "s3", rule);
            match outcome {
                Ok(_) => assert_eq!(bad, "", "an empty token counts as no token"),
                Err(error) => {
                    assert!(error.message().contains("`x-amz-security-token`"), "{error}")
                }
            }
        }
    }
}
