//! The faults of connections, decided by a seed.

use std::fmt;
use std::time::Duration;

use super::random::Random;

/// A fault of a connection after a number of bytes in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) way: Way,
    /// The bytes in this direction before the fault.
    pub(super) at: u64,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The port does not listen yet.
    Refused,
    /// The connection is accepted, and reset before a byte is sent in either direction.
    Dropped,
    /// Both ends are reset.
    Reset,
    /// Both ends are closed.
    Closed,
    /// This direction ends properly, and later bytes are dropped; the other direction goes on.
    Truncated,
    /// No more bytes are passed on in this direction; after a while both ends are closed.
    Stalled,
    /// This direction pauses and goes on: for less than the client's timeouts, or for more.
    Delayed(Duration),
    /// Later bytes are passed on a few at a time.
    Split(u64),
    /// Later bytes are dropped without a sign.
    Swallowed,
}

/// A direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Up,
    Down,
}

impl Fault {
    /// Returns the fault of the next connection; `share` of a hundred have one. `traffic` is about
    /// how many bytes are moved up and down.
    pub(super) fn of(
        random: &mut Random,
        share: u64,
        traffic: (u64, u64),
        idle: Duration,
    ) -> Option<Self> {
        if !random.percent(share) {
            return None;
        }
        let way = random.one_of(&[Way::Up, Way::Down]);
        let size = if way == Way::Up { traffic.0 } else { traffic.1 };
        // In the head, soon after it, or anywhere.
        let at = match random.below(4) {
            0 => random.below(64),
            1 => random.below(size.min(2048)),
            2 => random.below(size),
            _ => random.size(size),
        };
        let kind = match random.below(20) {
            0 => Kind::Dropped,
            1..=4 => Kind::Reset,
            5..=7 => Kind::Closed,
            8..=10 => Kind::Truncated,
            11..=12 => Kind::Stalled,
            13..=14 => Kind::Delayed(Duration::from_millis(10 + random.below(90))),
            15 => Kind::Delayed(idle + idle / 4),
            16..=17 => Kind::Split(1 + random.below(40)),
            _ => Kind::Swallowed,
        };
        let at = if kind == Kind::Dropped { 0 } else { at };
        Some(Self { kind, way, at })
    }
}

impl Kind {
    /// Returns the row of the table in which it is counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dropped => "dropped",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Truncated => "truncated",
            Self::Stalled => "stalled, then closed",
            Self::Delayed(_) => "delayed",
            Self::Split(_) => "split into tiny pieces",
            Self::Swallowed => "swallowed",
        }
    }

    /// Returns all rows.
    pub(super) const NAMES: [&'static str; 9] = [
        "refused",
        "dropped",
        "reset",
        "closed",
        "truncated",
        "stalled, then closed",
        "delayed",
        "split into tiny pieces",
        "swallowed",
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.way == Way::Up { "up" } else { "down" };
        write!(f, "{} after {} bytes {way}", self.kind.name(), self.at)?;
        match self.kind {
            Kind::Delayed(time) => write!(f, ", by {} ms", time.as_millis()),
            Kind::Split(bytes) => write!(f, ", of {bytes} bytes"),
            _ => Ok(()),
        }
    }
}
