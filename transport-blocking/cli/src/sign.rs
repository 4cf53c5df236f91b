//! `apus presign` and `apus tempurl`: make URLs that anyone can use for a limited time.

use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use apus_core::contract::{Authenticator as _, Operation as _, PresignKey};
use apus_core::location::{S3Location, SwiftLocation};
use apus_core::machine::{GrantOnly, PresignKeys as _};
use apus_core::s3;
use apus_core::store::{StoreBackend, StoredImage};
use apus_core::swift;
use apus_core::{Kind, Secret};
use clap::ValueEnum;
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::open::Open;
use crate::place::Place;

/// What may be done with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "upper")]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Delete,
}

impl Method {
    fn http(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Head => http::Method::HEAD,
            Self::Put => http::Method::PUT,
            Self::Delete => http::Method::DELETE,
        }
    }
}

/// Makes a URL to an object in S3.
pub(crate) fn presign(
    stage: &Stage,
    location: &str,
    method: Method,
    expires: Duration,
) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let stored = open.stored(location)?;
    let presigned = presigned(stage, &open, &stored, method, expires);
    presigned.map_err(|failure| failure.at(&Place::of_stored(&open, &stored)))
}

fn presigned(
    stage: &Stage,
    open: &Open,
    stored: &StoredImage,
    method: Method,
    expires: Duration,
) -> Result<Exit, Failure> {
    let (url, backend) = place(open, stored)?;
    let StoreBackend::S3(store) = backend else {
        return Err(Failure::usage("the object is in Swift: use `apus tempurl`"));
    };
    let (location, _) = S3Location::parse(&url, &[store.options().place()?])?;
    let (bucket, key) = (location.bucket(), location.key());
    let client = open.bucket(store)?.client;
    let presigned = match method {
        Method::Get => client.presign(s3::GetObject::new(bucket, key), expires),
        Method::Head => client.presign(s3::HeadObject::new(bucket, key), expires),
        Method::Delete => client.presign(s3::DeleteObject::new(bucket, key), expires),
        Method::Put => {
            // The user of the URL sends the body.
            let put = s3::Raw::new(http::Method::PUT).bucket(bucket).key(key);
            client.presign(put, expires)
        }
    }?;
    let headers: serde_json::Map<String, serde_json::Value> = presigned
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
        .collect();
    for (name, value) in &headers {
        stage.output.remark(format_args!("send it with {name}: {value}"));
    }
    let told = json!({
        "url": presigned.url, "method": method.http().as_str(), "headers": headers,
        "expires_in": expires.as_secs(),
    });
    stage.output.result(&told, &presigned.url)?;
    Ok(Exit::Done)
}

/// Makes a URL to an object in Swift.
pub(crate) fn tempurl(
    stage: &Stage,
    location: &str,
    method: Method,
    expires: Duration,
    key_file: Option<&Path>,
) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let stored = open.stored(location)?;
    let signed = signed(stage, &open, &stored, (method, expires), key_file);
    signed.map_err(|failure| failure.at(&Place::of_stored(&open, &stored)))
}

fn signed(
    stage: &Stage,
    open: &Open,
    stored: &StoredImage,
    (method, expires): (Method, Duration),
    key_file: Option<&Path>,
) -> Result<Exit, Failure> {
    let (url, backend) = place(open, stored)?;
    let StoreBackend::Swift(store) = backend else {
        return Err(Failure::usage("the object is in S3: use `apus presign`"));
    };
    let (location, _) = SwiftLocation::parse(&url, &[])?;
    let account = open.account(store)?;
    let (container, object) = (location.container(), location.object());
    let service = account.client.service();
    let draft = match method {
        Method::Get => swift::GetObject::new(container, object).draft(service),
        Method::Head => swift::HeadObject::new(container, object).draft(service),
        Method::Put => swift::PutObject::new(container, object, "").draft(service),
        Method::Delete => swift::DeleteObject::new(container, object).draft(service),
    }?;
    let key = match key_file {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
            let info = account.call(swift::GetInfo::new()).unwrap_or_default();
            let digest = info.temp_url_digest().unwrap_or_default();
            // Logs in, where the server hides its information.
            account.call(GrantOnly::new())?;
            let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
            PresignKey { secret, algorithm: digest.algorithm() }
        }
        None => {
            let key = service.presign_key(&draft, account.client.seed())?;
            let key = account.client.run(key).cancel_on(account.token.clone()).send();
            key.map_err(|error| match error.kind() {
                Kind::InvalidInput => {
                    Failure::configuration(format!("{}: set --key-file", error.message()))
                }
                _ => error.into(),
            })?
        }
    };
    let session = account.session.lock().unwrap_or_else(PoisonError::into_inner);
    let url = session.presign(draft, Some(&key), expires, apus_blocking::now())?.url;
    let told = json!({
        "url": url, "method": method.http().as_str(), "expires_in": expires.as_secs(),
    });
    stage.output.result(&told, &url)?;
    Ok(Exit::Done)
}

/// Returns the location without credentials, and its backend.
fn place<'a>(open: &'a Open, stored: &StoredImage) -> Result<(String, &'a StoreBackend), Failure> {
    let address = open.stores.core().access(stored)?.outcome;
    match &address.backend {
        Some(id) => Ok((address.url.clone(), open.named(id)?)),
        None => Err(Failure::usage("the location is not in any configured backend")),
    }
}

/// Parses `90`, `15m`, `2h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || "expected a duration such as 90, 15m, 2h or 7d".to_owned();
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(digits) => (digits, text.as_bytes().last().copied()),
        None => (text, None),
    };
    let unit = match unit {
        None | Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        _ => 86_400,
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    match number.checked_mul(unit).filter(|seconds| *seconds > 0) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("2h"), Ok(7200));
        assert_eq!(seconds("7d"), Ok(604_800));
        for wrong in
            ["", "0", "h", "1w", "-1", "1.5h", "99999999999999999999", "18446744073709551615d"]
        {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
