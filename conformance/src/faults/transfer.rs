//! One transfer, and what has to hold after it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::client::{From, Setup, Via};
use super::limits;
use super::random::Random;

/// A transfer. Its seed decides everything.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) seed: u64,
    pub(super) number: u64,
    pub(super) service: Service,
    pub(super) verb: Verb,
    pub(super) via: Via,
    pub(super) from: From,
    pub(super) size: u64,
    /// The size of a part, segment or range, in bytes.
    pub(super) part: u64,
    /// Whether an object of the same length exists before.
    pub(super) replaces: bool,
    /// Whether it is stored only if no object exists.
    pub(super) if_absent: bool,
    pub(super) tls: bool,
    pub(super) keeps_connections: bool,
    pub(super) expects_above: Option<Option<u64>>,
    /// How many of a hundred connections have a fault.
    pub(super) share: u64,
    pub(super) refuses: Option<Duration>,
}

/// The service, and whether it is a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    S3Model,
    S3Files,
    S3Live,
    SwiftModel,
    SwiftLive,
}

/// The kind of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    /// In one request.
    Put,
    /// In parts or segments.
    PutParts,
    Get,
    /// Four ranges at once.
    GetRanges,
}

impl Transfer {
    pub(super) fn of(seed: u64, number: u64, services: &[Service]) -> Self {
        let mut random = Random::of(seed, number);
        let service = random.one_of(services);
        let verb = random.one_of(&[Verb::Put, Verb::PutParts, Verb::Get, Verb::GetRanges]);
        let size = if random.percent(3) { 0 } else { random.size(LARGEST) };
        let size = match (verb, service) {
            // Their parts have at least 5 MiB.
            (Verb::PutParts, Service::S3Files | Service::S3Live) => {
                (6 << 20) + random.below(LARGEST - (6 << 20))
            }
            (Verb::PutParts, _) => size.max(4096),
            _ => size,
        };
        let parts = 2 + random.below(14);
        Self {
            seed,
            number,
            service,
            verb,
            via: random.one_of(&[Via::Blocking, Via::Async]),
            from: random.one_of(&[From::Bytes, From::File, From::Reader, From::Stream]),
            size,
            part: size.div_ceil(parts).max(1 << 10),
            replaces: random.percent(50),
            if_absent: random.percent(25),
            tls: random.percent(30),
            keeps_connections: random.percent(40),
            expects_above: random.one_of(&[None, Some(None), Some(Some(0)), Some(Some(1 << 16))]),
            share: random.one_of(&[15, 30, 50, 75]),
            refuses: random.percent(4).then(|| Duration::from_millis(20 + random.below(60))),
        }
    }

    /// Returns the generator that decides everything else.
    pub(super) fn random(&self) -> Random {
        Random::of(!self.seed, self.number)
    }

    pub(super) fn setup(&self, ca: &[u8]) -> Setup {
        Setup {
            via: self.via,
            ca: ca.to_vec(),
            keeps_connections: self.keeps_connections,
            expects_above: self.expects_above,
        }
    }

    /// Returns the bytes that are sent, or that are stored to be read.
    pub(super) fn bytes(&self) -> Bytes {
        pattern(self.random().next(), self.size)
    }

    /// Returns the bytes of the older object: as many, with other values.
    pub(super) fn old_bytes(&self) -> Bytes {
        pattern(!self.random().next(), self.size)
    }

    /// Returns about how many bytes a connection transfers up and down.
    pub(super) fn traffic(&self) -> (u64, u64) {
        let one = match self.verb {
            Verb::PutParts | Verb::GetRanges => self.part.min(self.size),
            Verb::Put | Verb::Get => self.size,
        };
        match self.verb {
            Verb::Put | Verb::PutParts => (one + HEAD, HEAD),
            Verb::Get | Verb::GetRanges => (HEAD, one + HEAD),
        }
    }

    pub(super) fn name(&self) -> String {
        format!("image-{}-{}", self.seed, self.number)
    }

    /// Returns the time after which it counts as never ending.
    pub(super) fn deadline(&self) -> Duration {
        // The requests of the transfer, those that check the result, and those of the clean-up.
        limits::deadline(self.size / self.part.max(1) + 16)
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, via) = (self.verb, self.via);
        write!(f, "{verb:?} of {} bytes, {:?} over {via:?}", self.size, self.service)?;
        if matches!(verb, Verb::Put | Verb::PutParts) {
            write!(f, " from {:?}", self.from)?;
        }
        if matches!(verb, Verb::PutParts | Verb::GetRanges) {
            write!(f, ", {} bytes a part", self.part)?;
        }
        for (is, what) in [
            (self.replaces, "replaces"),
            (self.if_absent, "if absent"),
            (self.tls, "TLS"),
            (self.keeps_connections, "keeps connections"),
        ] {
            if is {
                write!(f, ", {what}")?;
            }
        }
        write!(f, ", expects above {:?}, faults on {} %", self.expects_above, self.share)
    }
}

/// Returns pseudo-random bytes, in which no two pieces are equal.
fn pattern(seed: u64, length: u64) -> Bytes {
    let mut random = Random::new(seed);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// The approximate size of a head, in bytes.
const HEAD: u64 = 512;

/// The size of the largest transfer, in bytes.
const LARGEST: u64 = 32 << 20;
