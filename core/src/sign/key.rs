//! Derivation of the key that signs one day's requests to one service in one region.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::canonical::Buffered;
use super::signature::Signature;
use crate::error::Error;
use crate::now::Timestamp;
use crate::secret::Secret;

/// The credentials that sign requests. They are checked when first used.
#[derive(Clone)]
pub struct Keys {
    /// The access key id. It is part of every request, and not secret.
    pub access_key: Arc<str>,
    /// The secret access key. It never leaves this process.
    pub secret_key: Secret,
    /// The token of temporary credentials, sent and signed with every request.
    pub session_token: Option<Secret>,
}

impl Keys {
    /// Creates long-lived credentials, without a session token.
    pub fn new(access_key: impl Into<Arc<str>>, secret_key: impl Into<Secret>) -> Self {
        Self { access_key: access_key.into(), secret_key: secret_key.into(), session_token: None }
    }

    /// Returns the session token, if there is one that is not empty.
    pub(super) fn token(&self) -> Option<&Secret> {
        self.session_token.as_ref().filter(|token| !token.is_empty())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.credential()).finish()
    }
}

/// A derived key as the state of an HMAC, with the text that belongs to it.
#[derive(Clone)]
pub(super) struct SigningKey(Arc<Derived>);

struct Derived {
    keys: Arc<Keys>,
    day: i64,
    region: Arc<str>,
    service: Arc<str>,
    /// `AWS4-HMAC-SHA256 Credential=KEY/20130524/us-east-1/s3/aws4_request, SignedHeaders=`
    introduction: String,
    /// Two states of SHA-256. Each is overwritten when it is dropped.
    mac: Hmac<Sha256>,
}

impl SigningKey {
    pub(super) fn derive(
        keys: &Arc<Keys>,
        at: Timestamp,
        region: &str,
        service: &str,
    ) -> Result<Self, Error> {
        check(&keys.access_key, "the access key is not valid in the header `authorization`")?;
        check(region, "the region is not valid in the header `authorization`")?;
        check(service, "the service name is not valid in the header `authorization`")?;
        if let Some(token) = keys.token() {
            check(
                token.expose(),
                "the session token is not valid in the header `x-amz-security-token`",
            )?;
        }
        let amz = at.amz();
        let date = str::from_utf8(&amz[..8]).unwrap_or_default();
        let secret = Zeroizing::new(["AWS4", keys.secret_key.expose()].concat());
        let day_key = hmac(secret.as_bytes(), date);
        let region_key = hmac(&*day_key, region);
        let service_key = hmac(&*region_key, service);
        let key = hmac(&*service_key, TERMINATOR);
        Ok(Self(Arc::new(Derived {
            keys: Arc::clone(keys),
            day: day_of(at),
            region: region.into(),
            service: service.into(),
            introduction: [
                CREDENTIAL,
                &keys.access_key,
                "/",
                date,
                "/",
                region,
                "/",
                service,
                "/",
                TERMINATOR,
                SIGNED_HEADERS,
            ]
            .concat(),
            mac: keyed(&*key),
        })))
    }

    pub(super) fn is_for(&self, day: i64, region: &str, service: &str) -> bool {
        self.0.day == day && *self.0.region == *region && *self.0.service == *service
    }

    /// Returns the day of the key, in days since 1970.
    pub(super) fn day(&self) -> i64 {
        self.0.day
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(super) fn region(&self) -> &str {
        &self.0.region
    }

    pub(super) fn service(&self) -> &str {
        &self.0.service
    }

    /// Returns the value of `authorization` up to the list of signed headers.
    pub(super) fn introduction(&self) -> &str {
        &self.0.introduction
    }

    /// Returns `KEY/20130524/us-east-1/s3/aws4_request`.
    pub(super) fn credential(&self) -> &str {
        let all = self.introduction();
        &all[CREDENTIAL.len()..all.len() - SIGNED_HEADERS.len()]
    }

    /// Returns `20130524/us-east-1/s3/aws4_request`.
    pub(super) fn scope(&self) -> &str {
        &self.credential()[self.0.keys.access_key.len() + 1..]
    }

    /// Returns the signature of the bytes that `write` writes.
    pub(super) fn signature(
        &self,
        write: impl FnOnce(&mut Buffered<'_, Hmac<Sha256>>),
    ) -> Signature {
        // Longer than a date, a scope and a hash.
        let mut buffer = [0; 256];
        let mut mac = Buffered::new(self.0.mac.clone(), &mut buffer);
        write(&mut mac);
        Signature::of(&mac.finish().finalize().into_bytes().into())
    }
}

fn hmac(key: &[u8], text: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = keyed(key);
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("an HMAC takes a key of any length")
}

/// Returns the days since 1970.
pub(super) fn day_of(at: Timestamp) -> i64 {
    at.unix().div_euclid(86_400)
}

/// Refuses text that is empty or has bytes other than visible ASCII, which could forge a header.
fn check(text: &str, what: &'static str) -> Result<(), Error> {
    let why = if text.is_empty() {
        "it is empty"
    } else if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    } else {
        "it contains a character that is not visible ASCII"
    };
    Err(Error::invalid_input(format!("{what}: {why}")))
}

const CREDENTIAL: &str = "AWS4-HMAC-SHA256 Credential=";
const SIGNED_HEADERS: &str = ", SignedHeaders=";
const TERMINATOR: &str = "aws4_request";

#[cfg(test)]
mod tests {
    /// An HMAC holds two hash states. This compiles only if both are overwritten when dropped.
    #[test]
    fn derived_keys_are_erased() {
        fn erased_on_drop<T: zeroize::ZeroizeOnDrop>() {}
        erased_on_drop::<sha2::block_api::Sha256VarCore>();
    }
}
