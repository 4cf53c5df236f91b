//! What signs one request, and what of its body is covered.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use super::canonical::Rule;
use super::chunked::ChunkSigner;
use super::key::{Keys, SigningKey};
use super::signature::{Date, EMPTY_SHA256, Signature, hex};
use crate::error::Error;
use crate::now::Timestamp;

/// All that is needed to sign one request at one time. Owned, `Send`, cheap to make and to clone.
///
/// Its methods sign: [`sign`](Self::sign) into headers, [`presign`](Self::presign) into a URL,
/// [`PostPolicy::sign`](super::PostPolicy::sign) into a form, [`chunks`](Self::chunks) what follows.
#[derive(Clone)]
pub struct Signing {
    /// Of the day of the date.
    pub(super) key: SigningKey,
    pub(super) date: Date,
    pub(super) rule: Rule,
}

/// What of the body is covered by the signature: the value of `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// There is no body: the SHA-256 of nothing.
    Empty,
    /// The SHA-256 of the body.
    Hash([u8; 32]),
    /// `UNSIGNED-PAYLOAD`: nothing of it.
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: every chunk carries a signature of its own.
    StreamingSigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: every chunk and the trailer do.
    StreamingSignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: nothing of it, and a trailer follows the chunks.
    StreamingUnsignedTrailer,
}

impl Signing {
    /// What signs a request at this time, to this service in this region, after deriving the key
    /// for it. [`KeyCache::signing`](super::KeyCache::signing) does the same and remembers the key.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) when the access key, the session token, the region or
    /// the service has a character that can't stand in the header it goes into, or when one of
    /// them but the token is empty.
    pub fn new(
        keys: &Arc<Keys>,
        at: Timestamp,
        region: &str,
        service: &str,
        rule: Rule,
    ) -> Result<Self, Error> {
        let key = SigningKey::derive(keys, at, region, service)?;
        Ok(Self { key, date: Date::of(at), rule })
    }

    /// The keys that sign.
    pub fn keys(&self) -> &Keys {
        self.key.keys()
    }

    /// The time that is signed.
    pub fn at(&self) -> Timestamp {
        self.date.at
    }

    /// The region that is signed.
    pub fn region(&self) -> &str {
        self.key.region()
    }

    /// The service that is signed.
    pub fn service(&self) -> &str {
        self.key.service()
    }

    /// The rule that is signed by.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What signs the chunks of a body whose head was signed with
    /// [`Payload::StreamingSigned`] or [`Payload::StreamingSignedTrailer`] and got this signature.
    pub fn chunks(&self, seed: Signature) -> ChunkSigner {
        ChunkSigner::new(self.key.clone(), self.date.clone(), seed)
    }

    /// `20130524T000000Z`
    pub(super) fn date(&self) -> &str {
        self.date.text.to_str().unwrap_or_default()
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("credential", &self.key.credential())
            .field("date", &self.date())
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

impl Payload {
    /// The word or the hex digits, which `digits` holds where they are not known beforehand.
    pub(super) fn word<'a>(&self, digits: &'a mut [u8; 64]) -> &'a [u8] {
        match self {
            Self::Hash(hash) => {
                *digits = hex(hash);
                digits
            }
            _ => self.constant().as_bytes(),
        }
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        // Constants, so that their bytes are not checked again each time.
        const EMPTY: HeaderValue = HeaderValue::from_static(EMPTY_SHA256);
        const UNSIGNED: HeaderValue = HeaderValue::from_static(UNSIGNED_PAYLOAD);
        match self {
            Self::Empty => EMPTY,
            Self::Unsigned => UNSIGNED,
            Self::Hash(hash) => {
                HeaderValue::from_bytes(&hex(hash)).expect("hex digits are allowed in a header")
            }
            _ => HeaderValue::from_static(self.constant()),
        }
    }

    /// The word for everything but a hash.
    fn constant(&self) -> &'static str {
        match self {
            Self::Empty | Self::Hash(_) => EMPTY_SHA256,
            Self::Unsigned => UNSIGNED_PAYLOAD,
            Self::StreamingSigned => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::StreamingSignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::StreamingUnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
}

const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
