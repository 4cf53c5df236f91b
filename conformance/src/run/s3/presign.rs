//! `s3-presign`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::Client;
use super::params::Params;
use crate::run::compare::{Check, Header};
use crate::run::value::{Fields, Time};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    config: Client,
    operation: String,
    params: Map<String, Value>,
    time: Time,
    expires: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    url: String,
    headers: Vec<Header>,
}

pub(in crate::run) fn presign(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let mut params = Params::new(input.params);
    let call = super::read(&input.operation, &mut params)?;
    params.end()?;
    let made = input.config.service().and_then(|service| {
        let draft = call.draft(&service)?;
        let method = draft.head.method.clone();
        let expires = Duration::from_secs(input.expires);
        let presigned = input.config.credentials().presign(draft, expires, input.time.now())?;
        Ok((method, presigned))
    });
    match made {
        Ok((method, presigned)) => {
            check.same("method", &expected.method, method.as_str());
            check.url(&expected.url, &presigned.url);
            let headers = presigned.headers.iter().map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            });
            check.headers(&expected.headers, &headers.collect::<Vec<_>>());
        }
        Err(error) => check.differs("url", "one that can be signed", error),
    }
    Ok(())
}
