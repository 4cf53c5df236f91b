//! Where an image lies, as an image service keeps it: `s3+https://host/bucket/key`,
//! `swift+config://reference/container/object`.
//!
//! A location names a place and an object, and nothing else: no type in here has a field for a
//! credential. What older versions wrote with credentials inside is still read, and comes out in two
//! parts, the location and the credentials; only the location can be printed.
//!
//! ```text
//!  s3+https :// ACCESS:SECRET @ host:9000 /gateway /bucket /key ?tail
//!  └─scheme─┘   └─ credentials ┘ └─────── place ──────────┘└ key ┘ └ kept, not part of the key
//! ```
//!
//! # What the old grammar leaves open
//!
//! The old writers put secrets and names into a location as they are. A secret may hold `/`, `:`,
//! `@`, `?` and `#`; a key may hold `/` and `@`; an endpoint may have a path. So one text can be read
//! in several ways. Readings are decided like this:
//!
//! | the text | is read |
//! | --- | --- |
//! | can be read in one way only | in that way |
//! | one of its readings lies in a configured backend (scheme class, host, port, prefix and bucket all equal) | in that way |
//! | several readings lie in configured backends | not at all: [`Problem::Ambiguous`] |
//! | no reading does, and there are several: where the credentials end, or where the endpoint's path ends | not at all |
//!
//! Nothing is decoded that the old writers left alone: `k%20y` is a key with a percent sign. The few
//! characters that can't stand in a location as they are (`?`, `#`, a final `/`, control characters)
//! are printed as `%3F`, `%23`, `%2F`, `%0A`, and only those are decoded; a key that holds such a
//! text literally gets another `25` after its percent sign. So every key is printed and read back as
//! it was.

mod error;
mod name;
mod place;
mod reading;
mod s3;
mod swift;

pub use self::error::{LocationError, Problem};
pub use self::place::Place;
pub(crate) use self::s3::keys;
pub use self::s3::{S3Location, S3Place, S3Scheme};
pub use self::swift::{SwiftAt, SwiftCredentials, SwiftLocation, SwiftPlace, SwiftScheme};
