//! What the workloads on S3 share.

use std::sync::Arc;
use std::time::Duration;

use apus_core::Error;
use apus_core::checksum::{
    Algorithm, Policy, RequestChecksumCalculation, ResponseChecksumValidation,
};
use apus_core::credentials::{Credentials, ExpiringKeys, KeySource, KeyStep, RenewalOptions};
use apus_core::http::Reply;
use apus_core::machine::Auth;
use apus_core::now::{Now, Timestamp};
use apus_core::quirks::Provider;
use apus_core::retry::{Budget, RetryPolicy};
use apus_core::s3::{BaseUrl, Config, EndpointConfig, PayloadSigning, Service};
use apus_core::sign::Keys;
use bytes::Bytes;

use crate::server::{Manners, S3Model};
use crate::sim::{chance::Chance, judge::SECRET};

/// The settings of a caller.
pub(crate) struct Setup {
    pub(crate) service: Arc<Service>,
    /// The checksum of parts and objects, if any; those of responses are then compared.
    pub(crate) algorithm: Option<Algorithm>,
}

impl Setup {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let url = BaseUrl::parse("http://s3.test:9000").expect("it is a URL");
        let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
        if chance.percent(50) {
            config = config.of_provider(Provider::Aws);
        }
        config.payload = chance.pick(&[
            PayloadSigning::Auto,
            PayloadSigning::Auto,
            PayloadSigning::Signed,
            PayloadSigning::Unsigned,
            PayloadSigning::Chunked,
        ]);
        config.retry_policy = retry_policy(chance);
        let algorithm = chance.percent(60).then(|| {
            chance.pick(&[
                Algorithm::Crc32,
                Algorithm::Crc32c,
                Algorithm::Crc64Nvme,
                Algorithm::Sha1,
                Algorithm::Sha256,
            ])
        });
        if let Some(algorithm) = algorithm {
            config.checksum = Policy {
                enable_data_integrity_protection: true,
                request: RequestChecksumCalculation::WhenSupported,
                response: ResponseChecksumValidation::WhenSupported,
                algorithm,
                ..Policy::default()
            };
        }
        let service = Arc::new(Service::new(config).expect("it is a configuration"));
        Self { service, algorithm }
    }
}

/// Returns the default number of attempts, or fewer.
pub(crate) fn retry_policy(chance: &mut Chance) -> RetryPolicy {
    let attempts = chance.pick(&[5, 5, 5, 2, 1]);
    let budget = match chance.percent(10) {
        true => Budget::new(20),
        false => Budget::default(),
    };
    RetryPolicy { attempts, budget: Arc::new(budget), ..RetryPolicy::default() }
}

/// Returns a server with a bucket.
pub(crate) fn model(chance: &mut Chance) -> S3Model {
    let manners = match chance.percent(25) {
        true => Manners { check_clock: true, ..Manners::ceph16() },
        false => Manners { check_clock: true, ..Manners::aws() },
    };
    S3Model::new().with_manners(manners.with_min_part_size(1 << 10)).with_bucket("bucket")
}

/// Returns a server with a bucket, which ignores the conditions of writes.
pub(crate) fn heedless_of_writes(chance: &mut Chance) -> S3Model {
    let model = model(chance);
    let manners = Manners { conditional_writes: false, ..model.manners().clone() };
    model.with_manners(manners)
}

/// Returns a server with a bucket, which ignores `If-Match` of a GetObject.
pub(crate) fn heedless_model() -> S3Model {
    let manners = Manners { check_clock: true, conditional_reads: false, ..Manners::aws() };
    S3Model::new().with_manners(manners.with_min_part_size(1 << 10)).with_bucket("bucket")
}

/// Returns bytes that differ for each part and each salt.
pub(crate) fn bytes(length: usize, salt: u64) -> Bytes {
    let mut chance = Chance::new(salt, "bytes");
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&chance.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// Returns as many bytes as `those[0]` has, which differ from all of `those` at each position: no
/// part of one object is a part of another, however short the objects are.
pub(crate) fn unlike(those: &[&[u8]], salt: u64) -> Bytes {
    let mut bytes = bytes(those.first().map_or(0, |first| first.len()), salt).to_vec();
    for (at, byte) in bytes.iter_mut().enumerate() {
        while those.iter().any(|one| one.get(at) == Some(byte)) {
            *byte = byte.wrapping_add(1);
        }
    }
    bytes.into()
}

/// Returns keys that never expire.
pub(crate) fn keys() -> Vec<Auth> {
    vec![Auth::new(Credentials::new(Keys::new("AKIDFIXED", SECRET)))]
}

/// Returns keys that live this long by the server's clock, and are renewed without a request.
pub(crate) fn renewed(life: Duration, skew: i64) -> Vec<Auth> {
    let options = RenewalOptions {
        advisory: Duration::from_secs(20),
        mandatory: Duration::from_secs(10),
        ..RenewalOptions::default()
    };
    vec![Auth::new(Credentials::renewed_from(RotatedKeys { life, skew, given: 0 }, options))]
}

/// A source of keys, one generation after the other.
struct RotatedKeys {
    life: Duration,
    skew: i64,
    given: u64,
}

impl KeySource for RotatedKeys {
    fn renew(&mut self, now: Now, _: &std::task::Waker) -> Result<KeyStep, Error> {
        let ends = (now.unix + self.life).as_secs();
        let ends = Timestamp::from_unix(i64::try_from(ends).unwrap_or(i64::MAX) + self.skew);
        let keys = Keys::new(format!("AKIDSIM{}", self.given), SECRET);
        self.given += 1;
        Ok(KeyStep::Keys(ExpiringKeys::new(keys, Some(ends))))
    }

    fn answered(&mut self, _: Now, _: &Reply) -> Result<KeyStep, Error> {
        Err(Error::auth("nothing was asked"))
    }
}
