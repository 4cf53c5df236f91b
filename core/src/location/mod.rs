//! Locations, the URLs that an image service keeps for images: `s3+https://host/bucket/key`,
//! `swift+config://reference/container/object`.
//!
//! A location names a place and an object, and nothing else: no type in this module has a field for
//! credentials. Locations that older versions wrote with credentials are still read, as two parts,
//! the location and the credentials; only the location can be printed.
//!
//! ```text
//!  s3+https :// ACCESS:SECRET @ host:9000 /gateway /bucket /key ?tail
//!  └─scheme─┘   └─ credentials ┘ └─────── place ──────────┘└ key ┘ └ kept, not part of the key
//! ```
//!
//! # Ambiguity of the old grammar
//!
//! The old writers put secrets and names into a location unescaped. A secret may have `/`, `:`,
//! `@`, `?` and `#`; a key may have `/` and `@`; an endpoint may have a path. So one text can have
//! several readings, which differ in where the credentials end, or where the endpoint's path ends.
//! The reading is chosen by the configured backends. It is in a backend if scheme class, host,
//! port, prefix and bucket are equal:
//!
//! | the text | reading |
//! | --- | --- |
//! | has one reading | that one |
//! | has one reading in a backend | that one |
//! | has several readings in backends | an error: [`Problem::Ambiguous`] |
//! | has several readings, none of them in a backend | an error: [`Problem::Ambiguous`] |
//!
//! Text that the old writers left unescaped is not decoded: `k%20y` is a key with a percent sign.
//! The few characters that a location cannot have (`?`, `#`, a final `/`, control characters) are
//! printed as `%3F`, `%23`, `%2F`, `%0A`, and only those are decoded. A key that has one of these
//! sequences itself gets another `25` after its percent sign. So every key is read back as it was
//! printed.

#[cfg(feature = "encrypted-locations")]
mod cipher;
mod error;
mod name;
mod place;
mod reading;
mod s3;
mod swift;

#[cfg(feature = "encrypted-locations")]
pub use self::cipher::LocationCipher;
pub use self::error::{LocationError, Problem};
pub use self::place::Place;
pub(crate) use self::s3::keys;
pub use self::s3::{S3Location, S3Place, S3Scheme};
pub use self::swift::{SwiftAt, SwiftCredentials, SwiftLocation, SwiftPlace, SwiftScheme};
