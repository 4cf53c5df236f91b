//! A signature in the header `authorization`.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::canonical::{self, Buffered, SignedHeaders, Sink, changes_on_the_way};
use super::signature::{Signature, hex};
use super::v4::{Payload, Signing};
use crate::error::Error;

impl Signing {
    /// Signs a request: adds `x-amz-date`, `x-amz-content-sha256` if the [rule](super::Rule) says
    /// so, `x-amz-security-token` if the keys have a token, and `authorization`. Existing headers
    /// of these names are replaced, so that a request can be signed again. Returns the signature,
    /// which is the seed for [`chunks`](Self::chunks).
    ///
    /// `target` is path and query exactly as they are sent, escaped. `headers` must have `host`, in
    /// lower case and without a default port. All other headers are signed too, except those that
    /// may change in transit (`user-agent`, `accept-encoding`, `expect`, hop-by-hop and tracing
    /// headers). A `content-length` that must not be signed, since a proxy may replace it by
    /// chunks, is added afterwards.
    ///
    /// "Signature Calculations for the Authorization Header: Transferring Payload in a Single
    /// Chunk", Amazon S3 API reference.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if there is no `host`, or if there are more headers
    /// than a [`HeaderMap`] can hold.
    pub fn sign(
        &self,
        method: &http::Method,
        target: &str,
        headers: &mut HeaderMap,
        payload: &Payload,
    ) -> Result<Signature, Error> {
        put(headers, X_AMZ_DATE, self.date.text.clone())?;
        if self.rule.sign_payload_header {
            put(headers, X_AMZ_CONTENT_SHA256, payload.header_value())?;
        }
        let token = self.keys().token();
        if let Some(token) = token {
            let mut value = plain(token.expose().as_bytes())?;
            value.set_sensitive(true);
            put(headers, X_AMZ_SECURITY_TOKEN, value)?;
        }
        let signed = SignedHeaders::new(headers, changes_on_the_way, None);
        if token.is_none() && signed.contains("x-amz-security-token") {
            // The token belongs to other keys. This is so rare that a check beforehand would cost
            // more.
            drop(signed);
            headers.remove(X_AMZ_SECURITY_TOKEN);
            return self.sign(method, target, headers, payload);
        }
        if !signed.contains("host") {
            return Err(Error::invalid_input("signing a request requires the header `host`"));
        }
        let signature = self.signature(method, target, &signed, payload);

        let lead = self.key.introduction();
        let length = lead.len() + signed.names_len() - 1 + SIGNATURE.len() + 64;
        let mut value = Vec::with_capacity(length);
        value.write(lead.as_bytes());
        signed.write_names(&mut value);
        value.write(SIGNATURE);
        value.write(signature.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(|_| {
            Error::invalid_input("the header `authorization` would contain a control character")
        })?;
        value.set_sensitive(true);
        put(headers, AUTHORIZATION, value)?;
        Ok(signature)
    }

    /// Returns the canonical request, whose hash is signed, for diagnosis. `headers` are those that
    /// [`sign`](Self::sign) has signed.
    ///
    /// Bytes of header values that are not UTF-8 are shown as replacement characters.
    pub fn canonical_request(
        &self,
        method: &http::Method,
        target: &str,
        headers: &HeaderMap,
        payload: &Payload,
    ) -> String {
        let signed = SignedHeaders::new(headers, changes_on_the_way, None);
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

    /// Returns the string to sign, for diagnosis. `headers` are those that [`sign`](Self::sign) has
    /// signed.
    pub fn string_to_sign(
        &self,
        method: &http::Method,
        target: &str,
        headers: &HeaderMap,
        payload: &Payload,
    ) -> String {
        let signed = SignedHeaders::new(headers, changes_on_the_way, None);
        let hash = self.hash(method, target, &signed, payload);
        let mut text = Vec::new();
        canonical::string_to_sign(&mut text, self.date.as_bytes(), self.key.scope(), &hash);
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
            canonical::string_to_sign(mac, self.date.as_bytes(), self.key.scope(), &hash);
        })
    }

    fn hash(
        &self,
        method: &http::Method,
        target: &str,
        signed: &SignedHeaders<'_>,
        payload: &Payload,
    ) -> [u8; 64] {
        let mut buffer = [0; 512];
        let mut hasher = Buffered::new(Sha256::new(), &mut buffer);
        let word = &mut [0; 64];
        canonical::request(&mut hasher, self.rule, method, target, signed, payload.word(word));
        hex(&hasher.finish().finalize().into())
    }
}

fn plain(bytes: &[u8]) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(bytes)
        .map_err(|_| Error::invalid_input("a header would contain a control character"))
}

/// Sets a header. Too many headers are an error, not a panic.
pub(super) fn put(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), Error> {
    match headers.try_insert(name, value) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid_input("the request has too many headers to be signed")),
    }
}

const SIGNATURE: &[u8] = b", Signature=";

pub(super) const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
pub(super) const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

#[cfg(test)]
mod tests {
    use super::super::examples::{self, headers};
    use super::super::{Keys, Rule};
    use super::*;
    use http::Method;

    fn sha256(text: &str) -> [u8; 32] {
        Sha256::digest(text).into()
    }

    #[test]
    fn what_changes_on_the_way_is_not_signed() {
        let signing = examples::s3("20130524T000000Z");
        let plain = [("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9")];
        let mut changed = headers(&plain);
        for name in [
            "accept-encoding",
            "amz-sdk-invocation-id",
            "amz-sdk-request",
            "authorization",
            "baggage",
            "connection",
            "expect",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "te",
            "traceparent",
            "tracestate",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "user-agent",
            "x-amz-security-token",
            "x-amzn-trace-id",
        ] {
            changed.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let signature =
            signing.sign(&Method::GET, "/test.txt", &mut changed, &Payload::Empty).unwrap();
        assert_eq!(
            signature.as_str(),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn a_request_without_a_host_is_refused() {
        let error = examples::s3("20130524T000000Z")
            .sign(&Method::GET, "/", &mut HeaderMap::new(), &Payload::Empty)
            .unwrap_err();
        assert!(error.message().contains("`host`"));
    }

    #[test]
    fn bytes_beyond_ascii_are_signed_as_they_are() {
        let signing = examples::s3("20130524T000000Z");
        let mut headers = headers(&[("host", "examplebucket.s3.amazonaws.com")]);
        let value = HeaderValue::from_bytes(b"\xff\xfe").unwrap();
        headers.insert("x-amz-meta-a", value);
        signing.sign(&Method::GET, "/", &mut headers, &Payload::Empty).unwrap();
        let signed = SignedHeaders::new(&headers, changes_on_the_way, None);
        let mut text = Vec::new();
        let word = Payload::Empty.word(&mut [0; 64]).to_vec();
        canonical::request(&mut text, Rule::S3, &Method::GET, "/", &signed, &word);
        assert!(text.windows(16).any(|found| found == b"x-amz-meta-a:\xff\xfe\n"));
        let told = signing.string_to_sign(&Method::GET, "/", &headers, &Payload::Empty);
        let hash: [u8; 32] = Sha256::digest(&text).into();
        assert!(told.as_bytes().ends_with(&hex(&hash)));
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(
            method in "[A-Za-z!]{1,9}",
            target: String,
            list in proptest::collection::vec(("[a-z-]{1,9}", "[ -~\t]{0,40}"), 0..60),
            hash: [u8; 32],
            normalize_path: bool,
            double_encode: bool,
        ) {
            let rule = Rule { normalize_path, double_encode, sign_payload_header: true };
            let keys = Keys::new("AKIDEXAMPLE", SECRET);
            let signing = examples::signing(keys, "20150830T123600Z", "us-east-1", "s3", rule);
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let list: Vec<_> = list.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            let mut headers = headers(&list);
            headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
            let payload = Payload::Hash(hash);
            let signature = signing.sign(&method, &target, &mut headers, &payload).unwrap();
            // The text hashed at once has the same hash as its pieces.
            let canonical = signing.canonical_request(&method, &target, &headers, &payload);
            let told = signing.string_to_sign(&method, &target, &headers, &payload);
            let digest = hex(&sha256(&canonical));
            proptest::prop_assert!(told.as_bytes().ends_with(&digest));
            let signed_again = signing.sign(&method, &target, &mut headers, &payload).unwrap();
            proptest::prop_assert_eq!(signature, signed_again);
        }
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
}
