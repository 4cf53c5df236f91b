//! A signature in the header `authorization`.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::canonical::{self, Hasher, SignedHeaders, Sink};
use super::v4::{Payload, Signature, Signing, hex};
use crate::error::Error;

impl Signing {
    /// Signs a request: adds `x-amz-date`, `x-amz-content-sha256` where the [rule](super::Rule)
    /// says so, `x-amz-security-token` where the keys have one, and `authorization`. What of them
    /// was there before is replaced, so that a request can be signed again.
    ///
    /// `target` is path and query exactly as they go on the wire, escaped. `headers` must hold
    /// `host`, in lower case and without a default port. All other headers are signed too, but
    /// `content-length` and those that change on the way (`user-agent`, `accept-encoding`,
    /// `expect`, hop-by-hop and tracing headers). The signature is the seed for
    /// [`chunks`](Self::chunks).
    ///
    /// "Signature Calculations for the Authorization Header: Transferring Payload in a Single
    /// Chunk", Amazon S3 API reference.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) without a `host`, and when there are more headers than
    /// a [`HeaderMap`] can hold.
    pub fn sign(
        &self,
        method: &http::Method,
        target: &str,
        headers: &mut HeaderMap,
        payload: &Payload,
    ) -> Result<Signature, Error> {
        put(headers, X_AMZ_DATE, plain(&self.date)?)?;
        if self.rule.sign_payload_header {
            put(headers, X_AMZ_CONTENT_SHA256, payload.header_value())?;
        }
        match self.keys().token() {
            Some(token) => {
                let mut value = plain(token.expose().as_bytes())?;
                value.set_sensitive(true);
                put(headers, X_AMZ_SECURITY_TOKEN, value)?;
            }
            None => {
                headers.remove(X_AMZ_SECURITY_TOKEN);
            }
        }
        let signed = SignedHeaders::new(headers, is_unsigned, None);
        if !signed.contains("host") {
            return Err(Error::caller("a request needs the header `host` to be signed"));
        }
        let signature = self.signature(method, target, &signed, payload);

        let lead = self.key.introduction();
        let length = lead.len() + signed.names_len() - 1 + SIGNATURE.len() + 64;
        let mut value = Vec::with_capacity(length);
        value.write(lead.as_bytes());
        signed.write_names(&mut value);
        value.write(SIGNATURE);
        value.write(signature.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(value))
            .map_err(|_| Error::caller("the header `authorization` would hold a control byte"))?;
        value.set_sensitive(true);
        put(headers, AUTHORIZATION, value)?;
        Ok(signature)
    }

    /// The text whose hash is signed, for diagnosis: of headers as [`sign`](Self::sign) left them.
    ///
    /// Bytes of header values that are not UTF-8 are shown as replacement characters.
    pub fn canonical_request(
        &self,
        method: &http::Method,
        target: &str,
        headers: &HeaderMap,
        payload: &Payload,
    ) -> String {
        let signed = SignedHeaders::new(headers, is_unsigned, None);
        let mut text = Vec::new();
        canonical::request(
            &mut text,
            self.rule,
            method,
            target,
            &signed,
            payload.word(&mut [0; 64]),
        );
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The text that is signed, for diagnosis: of headers as [`sign`](Self::sign) left them.
    pub fn string_to_sign(
        &self,
        method: &http::Method,
        target: &str,
        headers: &HeaderMap,
        payload: &Payload,
    ) -> String {
        let signed = SignedHeaders::new(headers, is_unsigned, None);
        let hash = self.hash(method, target, &signed, payload);
        let mut text = Vec::new();
        canonical::string_to_sign(&mut text, &self.date, self.key.scope(), &hash);
        String::from_utf8_lossy(&text).into_owned()
    }

    pub(super) fn signature(
        &self,
        method: &http::Method,
        target: &str,
        signed: &SignedHeaders<'_>,
        payload: &Payload,
    ) -> Signature {
        let hash = self.hash(method, target, signed, payload);
        self.key.signature(|mac| {
            canonical::string_to_sign(mac, &self.date, self.key.scope(), &hash);
        })
    }

    fn hash(
        &self,
        method: &http::Method,
        target: &str,
        signed: &SignedHeaders<'_>,
        payload: &Payload,
    ) -> [u8; 64] {
        let mut hasher = Hasher::new();
        let word = &mut [0; 64];
        canonical::request(&mut hasher, self.rule, method, target, signed, payload.word(word));
        hex(&hasher.finish())
    }
}

/// A length that a proxy may turn into chunks, or the other way round, is not signed.
fn is_unsigned(name: &str) -> bool {
    name == "content-length" || canonical::changes_on_the_way(name)
}

fn plain(bytes: &[u8]) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(bytes)
        .map_err(|_| Error::caller("a header would hold a control character"))
}

/// Sets a header; never panics, however many there are.
pub(super) fn put(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), Error> {
    match headers.try_insert(name, value) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::caller("a request has too many headers to be signed")),
    }
}

const SIGNATURE: &[u8] = b", Signature=";

pub(super) const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
pub(super) const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
