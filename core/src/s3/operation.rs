//! The members that S3's operations share, and what their files use.

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
pub(super) use crate::s3::types::Common;

/// Declares an operation, as at [`crate::operation`], with the members of all operations on
///
/// | | shared members |
/// | --- | --- |
/// | a `bucket`'s settings | `bucket`, `expected_bucket_owner` |
/// | a `listing` of a bucket | `bucket`, `prefix`, `delimiter`, `raw_keys`, `common` |
/// | an `object` | `bucket`, `key`, `common` |
/// | a multipart `upload` | `bucket`, `key`, `upload_id`, `common` |
///
/// and without any where no `on` is said. An operation that reads or removes a whole sub-resource of a
/// bucket needs nothing else: method, sub-resource, idempotency, output, and what reads the answer.
///
/// ```text
/// operation! {
///     /// The CORS rules of a bucket. "GetBucketCors", S3 API reference.
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
                /// The bucket.
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
                /// The bucket: its name, or the ARN or alias of an access point.
                pub bucket: String,
                /// Only keys that begin with this prefix.
                pub prefix: Option<String>,
                /// Keys with this after the prefix are rolled up in the page's `common_prefixes`.
                pub delimiter: Option<String>,
                $($members)*
                /// Whether keys are asked for as they are, and not percent-encoded: a key that XML can't
                /// hold then breaks the page.
                pub raw_keys: bool,
                /// Common request parameters.
                pub common: Common,
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
                /// The bucket: its name, or the ARN or alias of an access point.
                pub bucket: String,
                /// The object's key.
                pub key: String,
                $($members)*
                /// Common request parameters.
                pub common: Common,
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
                /// The upload's id, from
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
