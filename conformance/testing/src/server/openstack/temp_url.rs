//! Temporary URLs: a signature in the query replaces the token.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::super::dates::{http_date, parse_iso_date};
use super::super::digest::hex;
use super::super::message::Reply;
use super::operation::Call;
use super::reply::{self, Refusal};
use super::{OpenStackModel, Target};

impl OpenStackModel {
    /// Checks that the signature is by a key of the account or the container, and has not expired.
    pub(super) fn verify_temp_url(&self, call: &Call<'_>) -> Result<(), Refusal> {
        let invalid = || {
            let reply = reply::said(401, "401 Unauthorized: Temp URL invalid\n");
            Refusal::from(reply.header("Www-Authenticate", "Swift realm=\"unknown\""))
        };
        let target =
            call.target().filter(|target| !target.object.is_empty()).ok_or_else(invalid)?;
        let expires = call.query("temp_url_expires").ok_or_else(invalid)?;
        let expires = expires.parse().ok().or_else(|| parse_iso_date(expires));
        let expires: u64 = expires.filter(|end| *end > self.now.as_secs()).ok_or_else(invalid)?;
        let signature = call.query("temp_url_sig").ok_or_else(invalid)?;
        let method = call.request.method.as_str();
        let methods: &[&str] = match method {
            "HEAD" => &["HEAD", "GET", "PUT", "POST"],
            _ => &[method],
        };
        // All clients are on this machine.
        let range = match call.query("temp_url_ip_range") {
            None => String::new(),
            Some(range) if holds_loopback(range) => format!("ip={range}\n"),
            Some(_) => return Err(invalid()),
        };
        let (algorithm, wanted) = Algorithm::of(signature).ok_or_else(invalid)?;
        let signed = self.temp_url_keys(target).into_iter().any(|(key, in_container)| {
            let path = signed_path(call, target);
            let fits = in_container || target.account.starts_with("AUTH_");
            fits && methods.iter().any(|method| {
                let text = format!("{range}{method}\n{expires}\n{path}");
                algorithm.hmac(key.as_bytes(), text.as_bytes()) == wanted
            })
        });
        if !signed {
            return Err(invalid());
        }
        if method == "PUT" && call.header("x-object-manifest").is_some() {
            let text = "The header 'X-Object-Manifest' is not allowed in this tempurl";
            return Err(reply::said(400, text).into());
        }
        Ok(())
    }

    fn temp_url_keys(&self, target: &Target) -> Vec<(&str, bool)> {
        let account = self.accounts.get(&target.account);
        let container = self.container(target);
        ["X-Account-Meta-Temp-Url-Key", "X-Account-Meta-Temp-Url-Key-2"]
            .into_iter()
            .filter_map(|name| Some((account?.header(name)?, false)))
            .chain(
                ["X-Container-Meta-Temp-Url-Key", "X-Container-Meta-Temp-Url-Key-2"]
                    .into_iter()
                    .filter_map(|name| Some((container?.header(name)?, true))),
            )
            .collect()
    }
}

/// Adds the further headers of a response to a temporary URL: a file name, and when it expires.
pub(super) fn dress(call: &Call<'_>, reply: Reply) -> Reply {
    let reads = matches!(call.request.method.as_str(), "GET" | "HEAD");
    let Some(target) = call.target().filter(|_| reads && reply.status < 300) else { return reply };
    let expires = call.query("temp_url_expires").unwrap_or_default();
    let expires = expires.parse().ok().or_else(|| parse_iso_date(expires)).unwrap_or_default();
    let own = target.object.rsplit('/').next().unwrap_or_default();
    let name = call.query("filename").unwrap_or(own);
    let escaped: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let disposition = match (call.query("inline"), call.query("filename")) {
        (Some(_), None) => "inline".to_owned(),
        (Some(_), Some(_)) => format!("inline; filename=\"{name}\"; filename*=UTF-8''{escaped}"),
        (None, _) => format!("attachment; filename=\"{name}\"; filename*=UTF-8''{escaped}"),
    };
    reply.header("Content-Disposition", disposition).header("Expires", http_date(expires))
}

/// Returns the signed path: of the object, or of a prefix.
fn signed_path(call: &Call<'_>, target: &Target) -> String {
    let Target { account, container, object } = target;
    match call.query("temp_url_prefix") {
        Some(prefix) if object.starts_with(prefix) => {
            format!("prefix:/v1/{account}/{container}/{prefix}")
        }
        _ => format!("/v1/{account}/{container}/{object}"),
    }
}

/// Whether 127.0.0.1 is in a range of addresses.
fn holds_loopback(range: &str) -> bool {
    let (address, bits) = range.split_once('/').unwrap_or((range, "32"));
    let (Ok(address), Ok(bits)) = (address.parse::<Ipv4Addr>(), bits.parse::<u32>()) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
    address.to_bits() & mask == Ipv4Addr::LOCALHOST.to_bits() & mask
}

#[derive(Clone, Copy)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// Returns a signature's algorithm, from its length or its prefix, and the signature in
    /// hexadecimal.
    fn of(signature: &str) -> Option<(Self, String)> {
        if let Some((name, value)) = signature.split_once(':') {
            let value = value.replace('+', "-").replace('/', "_");
            let value = URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')).ok()?;
            let algorithm = match name {
                "sha1" => Self::Sha1,
                "sha256" => Self::Sha256,
                "sha512" => Self::Sha512,
                _ => return None,
            };
            return Some((algorithm, hex(&value)));
        }
        let algorithm = match signature.len() {
            40 => Self::Sha1,
            64 => Self::Sha256,
            128 => Self::Sha512,
            _ => return None,
        };
        Some((algorithm, signature.to_ascii_lowercase()))
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> String {
        match self {
            Self::Sha1 => hmac::<Sha1>(key, text, 64),
            Self::Sha256 => hmac::<Sha256>(key, text, 64),
            Self::Sha512 => hmac::<Sha512>(key, text, 128),
        }
    }
}

/// Returns the HMAC (RFC 2104) in hexadecimal.
fn hmac<D: Digest>(key: &[u8], text: &[u8], block: usize) -> String {
    let mut padded = if key.len() > block { D::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(block, 0);
    let with = |pad: u8| -> Vec<u8> { padded.iter().map(|byte| byte ^ pad).collect() };
    let inner = D::new().chain_update(with(0x36)).chain_update(text).finalize();
    hex(&D::new().chain_update(with(0x5c)).chain_update(inner).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn published_codes() {
        let (key, text) = (b"Jefe", b"what do ya want for nothing?");
        assert_eq!(Algorithm::Sha1.hmac(key, text), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            Algorithm::Sha256.hmac(key, text),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(Algorithm::Sha512.hmac(key, text).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
    }
}
