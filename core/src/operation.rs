//! The shape of all operations: plain data with public members, and a few constants.
//!
//! An operation is declared with the `operation!` macro of its module, which adds the members that
//! the operations of the module share. Its constants are declared with [`facts!`]. How it drafts
//! its request and parses the response is ordinary Rust:
//!
//! ```text
//! operation! {
//!     /// Stores a page. "PutPage", Library API.
//!     pub struct PutPage on book {            the module's shared members: `book`
//!         /// The text.
//!         pub text: String,
//!         /// Only if the page has this tag.
//!         pub if_match: Option<ETag>,
//!     }
//!     new(text: impl Into<String>)            arguments of `new` after the shared ones
//! }
//!
//! impl Operation for PutPage {
//!     facts!(PutPage in book: Idempotent -> PutPageOutput);
//!
//!     fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> { … }
//!
//!     fn parse(&self, _: &Service, reply: &Reply) -> Result<PutPageOutput, Error> { … }
//! }
//! ```

/// Declares a struct of plain data with a constructor, in most cases `new`, which sets the named
/// members and leaves the others at their defaults. The `operation!` macro of each module adds the
/// shared members and calls this macro.
macro_rules! data {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($members:tt)* }
        $new:ident($($member:ident: $type:ty),* $(,)?)
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($members)* }

        impl $name {
            /// Creates the operation with these members. All other members have their default,
            /// which adds nothing to the request.
            #[allow(clippy::needless_update)]
            pub fn $new($($member: $type),*) -> Self {
                Self { $($member: $member.into(),)* ..Self::default() }
            }
        }
    };
}

/// Declares the constants and types of an [`Operation`](crate::contract::Operation) within its
/// `impl`: name, [`Idempotency`](crate::retry::Idempotency) and output. After `in`: the member that
/// names the resource by which the service remembers redirects. After `=`: the function that parses
/// the response, if it needs nothing of the operation.
///
/// ```text
/// facts!(GetPage in book: Read -> GetPageOutput);
/// facts!(DeletePage in book: Idempotent -> () = error::success);
/// ```
macro_rules! facts {
    (
        $(#[$meta:meta])*
        $name:ident $(in $resource:ident)?: $idempotency:ident -> $output:ty $(= $read:path)?
    ) => {
        type Service = Service;
        $(#[$meta])*
        type Output = $output;

        const NAME: &'static str = stringify!($name);
        const IDEMPOTENCY: Idempotency = Idempotency::$idempotency;

        $(
            fn resource(&self) -> Option<&str> {
                let $name { $resource, .. } = self;
                Some($resource)
            }
        )?

        $(
            fn parse(&self, _: &Service, reply: &Reply) -> Result<$output, Error> {
                $read(reply)
            }
        )?
    };
}

pub(crate) use {data, facts};
