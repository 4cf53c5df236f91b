//! The signing of one request, and how much of its body the signature covers.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use super::canonical::Rule;
use super::chunked::ChunkSigner;
use super::key::{Keys, SigningKey};
use super::signature::{Date, EMPTY_SHA256, Signature, hex};
use crate::error::Error;
use crate::now::Timestamp;

/// Everything that is needed to sign one request at one time. Owned, `Send`, cheap to create and
/// clone.
///
/// [`sign`](Self::sign) signs headers, [`presign`](Self::presign) a URL,
/// [`PostPolicy::sign`](super::PostPolicy::sign) a form, [`chunks`](Self::chunks) the chunks of a
/// body.
#[derive(Clone)]
pub struct Signing {
    /// The key for the day of the date.
    pub(super) key: SigningKey,
    pub(super) date: Date,
    pub(super) rule: Rule,
}

/// How much of the body the signature covers: the value of `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// There is no body: the SHA-256 of no bytes.
    Empty,
    /// The SHA-256 of the body.
    Hash([u8; 32]),
    /// `UNSIGNED-PAYLOAD`: the body is not covered.
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: each chunk has a signature.
    StreamingSigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: each chunk and the trailer have a signature.
    StreamingSignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: the body is not covered, and a trailer follows it.
    StreamingUnsignedTrailer,
}

impl Signing {
    /// Derives the key for this time, region and service.
    /// [`KeyCache::signing`](super::KeyCache::signing) does the same and keeps the key.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if the access key, the session token, the region or
    /// the service has a character that is not visible ASCII, or if one of them except the token is
    /// empty.
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

    /// Returns the keys.
    pub fn keys(&self) -> &Keys {
        self.key.keys()
    }

    /// Returns the time of the signature.
    pub fn at(&self) -> Timestamp {
        self.date.at
    }

    /// Returns the region of the signature.
    pub fn region(&self) -> &str {
        self.key.region()
    }

    /// Returns the service of the signature.
    pub fn service(&self) -> &str {
        self.key.service()
    }

    /// Returns the rule for the canonical request.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Returns the signer of the chunks of a body. `seed` is the signature of its head, which was
    /// signed with [`Payload::StreamingSigned`] or [`Payload::StreamingSignedTrailer`].
    pub fn chunks(&self, seed: Signature) -> ChunkSigner {
        ChunkSigner::new(self.key.clone(), self.date.clone(), seed)
    }

    /// Returns `20130524T000000Z`.
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
    /// Returns the word or the hex digits. `digits` is the room for computed ones.
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
        // Constants, because checking their bytes each time would cost more.
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

    /// Returns the word of a variant without a hash.
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
