//! Members that Swift's operations share, and the imports of their files.

pub(super) use http::Method;

pub(super) use crate::contract::{Doubt, Operation, Recovery};
pub(super) use crate::error::Error;
pub(super) use crate::http::{Draft, Headers, Reply};
pub(super) use crate::now::Timestamp;
pub(super) use crate::operation::{data, facts};
pub(super) use crate::retry::Idempotency;
pub(super) use crate::swift::error;
pub(super) use crate::swift::request::Request;
pub(super) use crate::swift::service::Service;

/// Declares an operation, as [`crate::operation`] describes, with the members that all operations
/// on the same kind of resource share:
///
/// | resource | shared members |
/// | --- | --- |
/// | a `container` | `container` |
/// | an `object` | `container`, `object` |
/// | the `manifest` of a large object | `container`, `object` |
macro_rules! operation {
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
        pub struct $name:ident on container { $($members:tt)* }
        $new:ident()
    ) => {
        data! {
            $(#[$meta])*
            pub struct $name {
                /// The container.
                pub container: String,
                $($members)*
            }
            $new(container: impl Into<String>)
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
                /// The container.
                pub container: String,
                /// The object's name.
                pub object: String,
                $($members)*
            }
            $new(container: impl Into<String>, object: impl Into<String>, $($args)*)
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident on manifest { $($members:tt)* }
        $new:ident()
    ) => {
        data! {
            $(#[$meta])*
            pub struct $name {
                /// The container of the manifest.
                pub container: String,
                /// The large object's name.
                pub object: String,
                $($members)*
            }
            $new(container: impl Into<String>, object: impl Into<String>)
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
            "`: expected `container`, `object` or `manifest`, members in braces, and \
             `new(...)` where it takes more than the shared members",
        ));
    };
}

pub(super) use operation;
