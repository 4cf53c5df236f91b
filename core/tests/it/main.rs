//! The tests of the core: one file per subject, all in one program, because linking takes longer
//! than testing.
//!
//! ```sh
//! cargo test -p apus-core --test it upload::
//! ```
//!
//! `aws`, `cloud`, `images`, `support` and `swift_store` are the servers that the tests run
//! against.

mod abort_upload;
#[cfg(feature = "credentials")]
mod aws;
#[cfg(feature = "swift")]
mod cloud;
#[cfg(feature = "clouds")]
mod clouds;
mod copy;
mod copy_in_parts;
mod copy_source;
#[cfg(feature = "credentials")]
mod credentials_renewal;
#[cfg(feature = "credentials")]
mod credentials_sources;
#[cfg(feature = "swift")]
mod delegation;
mod delete_many;
mod download;
mod download_checksums;
mod download_ends;
mod download_evidence;
mod download_faults;
mod download_hedged;
mod download_sink;
mod ends;
mod error_kinds;
#[cfg(all(feature = "clouds", feature = "store"))]
mod error_messages;
mod framed_bodies;
mod hashed_once;
#[cfg(feature = "store")]
mod images;
#[cfg(feature = "key-paths")]
mod key_path;
#[cfg(feature = "swift")]
mod keystone_answers;
#[cfg(feature = "swift")]
mod keystone_session;
#[cfg(feature = "swift")]
mod leftovers;
mod list_pages;
mod location_classes;
#[cfg(feature = "swift")]
mod login_retries;
mod looks_again;
mod lost_answers;
#[cfg(feature = "store")]
mod needs;
#[cfg(feature = "swift")]
mod odd_tokens;
#[cfg(feature = "swift")]
mod openstack_answers;
mod parts_digests;
#[cfg(feature = "swift")]
mod plain_endpoint;
mod proxy;
mod pump;
#[cfg(feature = "swift")]
mod pump_places;
mod rate_limit;
mod rate_limit_adapts;
mod regions;
#[cfg(all(feature = "swift", feature = "credentials"))]
mod renewal_bounds;
mod s3_answers;
mod s3_drafts;
mod s3_endpoint;
mod s3_hints;
mod s3_lists;
mod s3_negotiation;
mod s3_profiles;
mod s3_resume;
mod s3_verdicts;
mod short_bodies;
#[cfg(feature = "store")]
mod store_backends;
#[cfg(feature = "store")]
mod store_configuration;
#[cfg(feature = "store")]
mod store_connections;
#[cfg(feature = "store")]
mod store_errors;
#[cfg(feature = "store")]
mod store_glance_files;
#[cfg(feature = "store")]
mod store_references;
#[cfg(feature = "store")]
mod store_s3_access;
#[cfg(feature = "store")]
mod store_s3_add;
#[cfg(feature = "store")]
mod store_swift;
#[cfg(feature = "store")]
mod store_swift_tenants;
mod support;
#[cfg(feature = "swift")]
mod swift_delete;
#[cfg(feature = "swift")]
mod swift_download;
#[cfg(feature = "swift")]
mod swift_download_faults;
#[cfg(feature = "swift")]
mod swift_download_large;
#[cfg(feature = "swift")]
mod swift_hostile;
#[cfg(feature = "swift")]
mod swift_lagging_download;
#[cfg(feature = "swift")]
mod swift_lagging_upload;
#[cfg(feature = "swift")]
mod swift_lost_answers;
#[cfg(all(feature = "swift", feature = "serde"))]
mod swift_resume;
#[cfg(feature = "swift")]
mod swift_store;
#[cfg(feature = "swift")]
mod swift_token;
#[cfg(feature = "swift")]
mod swift_upload;
#[cfg(feature = "swift")]
mod swift_upload_faults;
#[cfg(feature = "swift")]
mod token_life;
mod unreadable_successes;
mod upload;
mod upload_cleanup;
mod upload_endings;
mod upload_lengths;
mod xml;
