//! What both transports of apus use of the host that they run on: [files](mod@files) and their
//! [lengths](length), the [time](clock), and, each with a feature, [credentials] from environment,
//! files and processes, the [clouds](openstack) of a user, [certificates](tls), and the [backends]
//! of an image service.
//!
//! Nothing is read unless a function is called that says so. The transports re-export what a
//! program calls: depend on `apus-blocking` or `apus-async` instead of this crate.

#[cfg(feature = "store")]
pub mod backends;
pub mod clock;
#[cfg(feature = "credentials")]
pub mod credentials;
pub mod files;
pub mod length;
#[cfg(feature = "clouds")]
pub mod openstack;
pub mod pieces;
#[cfg(any(feature = "clouds", feature = "credentials"))]
mod read;
pub mod surroundings;
#[cfg(feature = "tls")]
pub mod tls;
pub mod trace;
