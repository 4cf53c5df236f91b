//! `swift-tempurl`.

use apus_core::now::Timestamp;
use apus_core::secret::Secret;
use apus_core::swift::{Digest, TempUrl};
use http::Method;
use serde::Deserialize;

use super::query;
use crate::run::compare::Check;
use crate::run::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    method: String,
    path: String,
    key: String,
    expires: i64,
    digest: Named,
    #[serde(default)]
    prefix: bool,
    #[serde(default)]
    iso8601: bool,
    ip_range: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    url: String,
}

pub(in crate::run) fn temp_url(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let method = Method::from_bytes(input.method.as_bytes()).map_err(|error| error.to_string())?;
    let mut url = TempUrl::new(method, &input.path, Timestamp::from_unix(input.expires));
    url.digest = match input.digest {
        Named::Sha1 => Digest::Sha1,
        Named::Sha256 => Digest::Sha256,
        Named::Sha512 => Digest::Sha512,
    };
    url.iso8601 = input.iso8601;
    url.ip_range = input.ip_range;
    if input.prefix {
        let name = input.path.splitn(5, '/').nth(4);
        url.prefix = Some(name.ok_or("the path has no prefix in it")?.to_owned());
    }
    match url.sign(&Secret::from(input.key)) {
        Ok(url) => query::compare(check, &expected.url, &url),
        Err(error) => check.differs("url", expected.url, error),
    }
    Ok(())
}
