//! One transfer: what it is, and what has to be true of it afterwards.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::client::{From, Setup, Via};
use super::limits;
use super::random::Random;

/// What a transfer is, all of it decided by its seed.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) seed: u64,
    pub(super) number: u64,
    pub(super) service: Service,
    pub(super) verb: Verb,
    pub(super) via: Via,
    pub(super) from: From,
    pub(super) size: u64,
    /// Bytes of a part, segment or range.
    pub(super) part: u64,
    /// An object of the same length is there before.
    pub(super) replaces: bool,
    /// It is stored only where nothing is.
    pub(super) if_absent: bool,
    pub(super) tls: bool,
    pub(super) keeps_connections: bool,
    pub(super) expects_above: Option<Option<u64>>,
    /// So many of a hundred connections have a fault.
    pub(super) share: u64,
    pub(super) refuses: Option<Duration>,
}

/// Which service, and whether it is a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    S3Model,
    S3Files,
    S3Live,
    SwiftModel,
    SwiftLive,
}

/// What is done.
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
            // Their parts have 5 MiB at least.
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

    /// Decides everything else about it.
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

    /// What is sent, or is there to be read.
    pub(super) fn bytes(&self) -> Bytes {
        pattern(self.random().next(), self.size)
    }

    /// What was there before: as many bytes, and others.
    pub(super) fn old_bytes(&self) -> Bytes {
        pattern(!self.random().next(), self.size)
    }

    /// About how many bytes a connection carries up and down.
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

    /// How long it may take before it counts as one that never ends.
    pub(super) fn deadline(&self) -> Duration {
        // Those of the transfer, those that find out what is there, and those that clean up.
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

/// Bytes that look random: no piece of them can be taken for another.
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

/// Bytes of a head, about.
const HEAD: u64 = 512;

/// Bytes of the largest.
const LARGEST: u64 = 32 << 20;
