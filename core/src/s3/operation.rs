//! The parameters that S3's operations share, and the imports of their files.

pub(super) use http::Method;

pub(super) use crate::checksum::Need;
pub(super) use crate::contract::{Doubt, Operation, Recovery};
pub(super) use crate::error::Error;
pub(super) use crate::http::{Draft, Headers, Reply};
pub(super) use crate::now::Timestamp;
pub(super) use crate::operation::{data, facts};
pub(super) use crate::retry::Idempotency;
pub(super) use crate::s3::error;
pub(super) use crate::s3::read::text;
pub(super) use crate::s3::request::{ChecksumOptions, Request};
pub(super) use crate::s3::service::Service;
pub(super) use crate::s3::types::CommonParams;

/// Declares an operation, as at [`crate::operation`], with the members that all operations on one
/// kind of resource share:
///
/// | `on` | shared members |
/// | --- | --- |
/// | `bucket`: its settings | `bucket`, `expected_bucket_owner` |
/// | `listing` of a bucket | `bucket`, `prefix`, `delimiter`, `raw_keys`, `common` |
/// | `object` | `bucket`, `key`, `common` |
/// | `upload` in parts | `bucket`, `key`, `upload_id`, `common` |
///
/// Without `on` it has no shared members. For an operation that reads or deletes a sub-resource of
/// a bucket, one line declares the rest: method, sub-resource, idempotency, output, and the
/// function that reads the response.
///
/// ```text
/// operation! {
///     /// Retrieves a bucket's CORS rules. "GetBucketCors", S3 API reference.
///     pub struct GetBucketCors on bucket;
///     GET "cors": Read -> Vec<CorsRule> = read
/// }
/// ```
macro_rules! operation {
    (
        $(#[$meta:meta])*
        pub struct $name:ident on bucket;
        $method:ident $subresource:literal: $idempotency:ident -> $output:ty = $read:path
    ) => {
        operation! {
            $(#[$meta])*
            pub struct $name on bucket {}
        }

        impl Operation for $name {
            facts!($name in bucket: $idempotency -> $output = $read);

            fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
                Request::bucket(service, Self::NAME, Method::$method, &self.bucket)?
                    .flag($subresource)
                    .expected_owner(&self.expected_bucket_owner)
                    .finish()
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($members:tt)* }
        $new:ident($($args:tt)*)
    ) => {
        data! {
            $(#[$meta])*
            pub struct $name { $($members)* }
            $new($($args)*)
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident on bucket { $($members:tt)* }
        $new:ident($($args:tt)*)
    ) => {
        data! {
            $(#[$meta])*
            pub struct $name {
                /// The bucket name.
                pub bucket: String,
                $($members)*
                /// The account ID that must own the bucket; otherwise the server responds with 403.
                pub expected_bucket_owner: Option<String>,
            }
            $new(bucket: impl Into<String>, $($args)*)
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident on listing { $($members:tt)* }
        $new:ident()
    ) => {
        data! {
            $(#[$meta])*
            pub struct $name {
                /// The bucket name, or the ARN or alias of an access point.
                pub bucket: String,
                /// Only keys that begin with this prefix.
                pub prefix: Option<String>,
                /// Groups keys that have this after the prefix under one of the `common_prefixes`.
                pub delimiter: Option<String>,
                $($members)*
                /// Whether to request keys without percent-encoding. A key that XML can't represent
                /// then makes the page unreadable.
                ///
                /// Where percent-encoding is requested, keys are decoded if the response says so
                /// (`EncodingType`, S3 API reference), and unless a key of the page proves the
                /// opposite: a key that can't be an encoding, or that begins with `prefix` only
                /// undecoded. A server that says `url` and encodes nothing (s3s-fs in ListObjects)
                /// thus needs `raw_keys` if a page may have only keys like `a+b` or `a%20b`.
                pub raw_keys: bool,
                /// Common request parameters.
                pub common: CommonParams,
            }
            $new(bucket: impl Into<String>)
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident on object { $($members:tt)* }
        $new:ident($($args:tt)*)
    ) => {
        data! {
            $(#[$meta])*
            pub struct $name {
                /// The bucket name, or the ARN or alias of an access point.
                pub bucket: String,
                /// The object key.
                pub key: String,
                $($members)*
                /// Common request parameters.
                pub common: CommonParams,
            }
            $new(bucket: impl Into<String>, key: impl Into<String>, $($args)*)
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident on upload { $($members:tt)* }
        $new:ident($($args:tt)*)
    ) => {
        operation! {
            $(#[$meta])*
            pub struct $name on object {
                /// The upload ID, from
                /// [`CreateMultipartUpload`](crate::s3::CreateMultipartUpload).
                pub upload_id: String,
                $($members)*
            }
            $new(upload_id: impl Into<String>, $($args)*)
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident on $place:ident { $($members:tt)* }
    ) => {
        operation! {
            $(#[$meta])*
            pub struct $name on $place { $($members)* }
            new()
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident on $place:ident $($rest:tt)*
    ) => {
        compile_error!(concat!(
            "`",
            stringify!($name),
            " on ",
            stringify!($place),
            "`: expected `bucket`, `listing`, `object` or `upload`, members in braces, and \
             `new(...)` where it takes more than the shared members",
        ));
    };
}

pub(super) use operation;
