//! `sigv4-header`, `sigv4-query` and `sigv4-chunked`.

use std::sync::Arc;
use std::time::Duration;

use apus_core::http::{Body, Draft, Exchange, Framing};
use apus_core::secret::Secret;
use apus_core::sign::{Keys, Payload, Presign, Rule, Signing};
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::compare::{Check, Header, split_query};
use super::value::{Data, Fields, Time};

/// A request and the settings of its signature.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    url: String,
    headers: Vec<Header>,
    payload_hash: String,
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    region: String,
    service: String,
    time: Time,
    #[serde(default)]
    normalize_path: bool,
    #[serde(default)]
    double_encode: bool,
    #[serde(default = "yes")]
    sign_payload_header: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    canonical_request: Option<String>,
    string_to_sign: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
    authorization: Option<String>,
    url: Option<String>,
    chunk_signatures: Option<Vec<String>>,
    trailer_signature: Option<String>,
    body: Option<Data>,
}

/// The parts of a request for the signer.
struct Parts {
    method: Method,
    scheme: http::uri::Scheme,
    /// The host in lower case, without a default port.
    host: String,
    target: String,
    headers: HeaderMap,
    payload: Payload,
    signing: Signing,
}

pub(super) fn header(input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let mut request = input.rest::<Request>()?.parts()?;
    let expected: Expected = expect.rest()?;
    request.headers.insert(HOST, value(&request.host)?);
    let Parts { method, target, headers, payload, signing, .. } = &mut request;
    let signature =
        signing.sign(method, target, headers, payload).map_err(|error| error.to_string())?;
    let canonical = signing.canonical_request(method, target, headers, payload);
    let authorization = headers["authorization"].to_str().unwrap_or_default();
    let signed = authorization.split("SignedHeaders=").nth(1).unwrap_or_default();
    let signed = signed.split(',').next().unwrap_or_default();
    let to_sign = signing.string_to_sign(method, target, headers, payload);
    check.same_if("canonical_request", expected.canonical_request.as_deref(), &canonical);
    check.same_if("string_to_sign", expected.string_to_sign.as_deref(), &to_sign);
    check.same_if("signed_headers", expected.signed_headers.as_deref(), signed);
    check.same_if("signature", expected.signature.as_deref(), signature.as_str());
    check.same_if("authorization", expected.authorization.as_deref(), authorization);
    Ok(())
}

pub(super) fn query(mut input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let expires = input.required("expires")?;
    let request = input.rest::<Request>()?.parts()?;
    let expected: Expected = expect.rest()?;
    let Parts { method, payload, signing, .. } = &request;
    let presigned = signing
        .presign(&Presign {
            method,
            scheme: &request.scheme,
            host: &request.host,
            target: &request.target,
            headers: &request.headers,
            payload: *payload,
            expires: Duration::from_secs(expires),
        })
        .map_err(|error| error.to_string())?;
    let origin = format!("{}://{}", request.scheme, request.host);
    let target = presigned.url.strip_prefix(&origin).unwrap_or_default();
    let (target, signature) = target.split_once("&X-Amz-Signature=").unwrap_or_default();
    let mut headers = presigned.headers.clone();
    headers.insert(HOST, value(&request.host)?);
    let canonical = signing.canonical_request(method, target, &headers, payload);
    let to_sign = signing.string_to_sign(method, target, &headers, payload);
    check.same_if("canonical_request", expected.canonical_request.as_deref(), &canonical);
    check.same_if("string_to_sign", expected.string_to_sign.as_deref(), &to_sign);
    check.same_if("signature", expected.signature.as_deref(), signature);
    if let Some(url) = &expected.url {
        // The signer gets the host in its normal form; the recorded one is unchanged.
        let (scheme, host, target) = split_url(url)?;
        check.url(&format!("{scheme}://{}{target}", plain_host(scheme, host)), &presigned.url);
    }
    Ok(())
}

pub(super) fn chunked(mut input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let chunks: Vec<Data> = input.required("chunks")?;
    let trailer: Option<Vec<Header>> = input.optional("trailer")?;
    let mut request = input.rest::<Request>()?.parts()?;
    let expected: Expected = expect.rest()?;
    request.headers.insert(HOST, value(&request.host)?);
    // An exchange computes its trailer, and does not sign its length.
    if trailer.is_none() && !request.headers.contains_key(CONTENT_LENGTH) {
        encoder(&request, &chunks, &expected, check)?;
    }
    let Parts { method, target, headers, payload, signing, .. } = &mut request;
    let seed = signing.sign(method, target, headers, payload).map_err(|error| error.to_string())?;
    let mut signer = signing.chunks(seed);
    let (mut signatures, mut body) = (Vec::new(), Vec::new());
    for data in chunks.iter().map(|chunk| chunk.0.as_slice()).chain([&[][..]]) {
        let signature = signer.chunk(&Sha256::digest(data).into()).as_str().to_owned();
        body.extend(format!("{:x};chunk-signature={signature}\r\n", data.len()).as_bytes());
        if !data.is_empty() {
            body.extend_from_slice(data);
            body.extend(b"\r\n");
        }
        signatures.push(signature);
    }
    if let Some(wanted) = &expected.chunk_signatures {
        check.same("chunk_signatures", &wanted.join(" "), &signatures.join(" "));
    }
    if let Some(trailer) = &trailer {
        let list: Vec<_> = trailer.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let signature = signer.trailer(&list);
        let wanted = expected.trailer_signature.as_deref();
        check.same_if("trailer_signature", wanted, signature.as_str());
        for (name, value) in list {
            body.extend(format!("{name}:{value}\r\n").as_bytes());
        }
        body.extend(format!("x-amz-trailer-signature:{}\r\n", signature.as_str()).as_bytes());
    }
    body.extend(b"\r\n");
    if let Some(expected) = &expected.body {
        check.bytes("body", &expected.0, &body);
    }
    Ok(())
}

/// Sends the chunks through the exchange, where they have the form that it makes: one size, except
/// the last.
fn encoder(
    request: &Parts,
    chunks: &[Data],
    expected: &Expected,
    check: &mut Check,
) -> Result<(), String> {
    let size = chunks.first().map_or(1, |chunk| chunk.0.len());
    let uniform = chunks.iter().rev().skip(1).all(|chunk| chunk.0.len() == size);
    let whole = chunks.last().is_none_or(|last| last.0.len() <= size);
    let Some(body) = expected.body.as_ref().filter(|_| uniform && whole) else { return Ok(()) };
    let uri = format!("{}://{}{}", request.scheme, request.host, request.target);
    let uri = uri.parse::<Uri>().map_err(|error| error.to_string())?;
    let mut draft = Draft::new("", request.method.clone(), uri);
    draft.head.headers.clone_from(&request.headers);
    let data: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.0.iter().copied()).collect();
    draft.body = Body::Bytes(data.into());
    draft.framing = Some(Framing { chunk_size: size, trailer: None });
    let now = Time(request.signing.at()).now();
    let exchange = Exchange::signed(draft, now, 0, request.signing.clone());
    let sent = super::s3::send(exchange, None).map_err(|error| error.to_string())?;
    check.bytes("body of the exchange", &body.0, &sent.body);
    check.same("content-length", &body.0.len().to_string(), sent.header("content-length"));
    Ok(())
}

impl Request {
    fn parts(self) -> Result<Parts, String> {
        let rule = Rule {
            normalize_path: self.normalize_path,
            double_encode: self.double_encode,
            sign_payload_header: self.sign_payload_header,
        };
        let mut keys = Keys::new(self.access_key, self.secret_key);
        keys.session_token = self.session_token.map(Secret::from);
        let signing = Signing::new(&Arc::new(keys), self.time.0, &self.region, &self.service, rule)
            .map_err(|error| error.to_string())?;
        let (scheme, host, target) = split_url(&self.url)?;
        let mut headers = HeaderMap::new();
        for (name, text) in &self.headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            headers.append(name, value(text)?);
        }
        Ok(Parts {
            method: self.method.parse().map_err(|_| format!("no method {:?}", self.method))?,
            scheme: scheme.parse().map_err(|_| format!("no scheme {scheme:?}"))?,
            host: plain_host(scheme, host),
            target: target.to_owned(),
            headers,
            payload: payload(&self.payload_hash)?,
            signing,
        })
    }
}

fn payload(hash: &str) -> Result<Payload, String> {
    Ok(match hash {
        "UNSIGNED-PAYLOAD" => Payload::Unsigned,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Payload::StreamingSigned,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Payload::StreamingSignedTrailer,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Payload::StreamingUnsignedTrailer,
        hex if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            let mut bytes = [0; 32];
            for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
                *byte = u8::from_str_radix(&hex[at..at + 2], 16).unwrap_or_default();
            }
            Payload::Hash(bytes)
        }
        other => return Err(format!("payload_hash {other:?} is unknown")),
    })
}

/// Returns scheme, authority, and path with query.
fn split_url(url: &str) -> Result<(&str, &str, &str), String> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{url:?} is no URL"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    Ok((scheme, host, if split_query(target).0.is_empty() { "/" } else { target }))
}

fn plain_host(scheme: &str, host: &str) -> String {
    let port = if scheme == "https" { ":443" } else { ":80" };
    host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase()
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|error| error.to_string())
}

fn yes() -> bool {
    true
}
