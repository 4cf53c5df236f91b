//! The shape of all operations: plain data with public members, and a few facts beside it.
//!
//! An operation is declared with the `operation!` of its room, which adds the members that operations
//! of the room share, and says its facts with [`facts!`]. What it sends and how its answer is read is
//! ordinary Rust:
//!
//! ```text
//! operation! {
//!     /// Stores a page. "PutPage", Library API.
//!     pub struct PutPage on book {            the room's shared members: `book`
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

/// Declares a struct of plain data with a constructor, mostly `new`, which sets the members named and leaves
/// the others at their defaults. The `operation!` of each room adds the room's shared members and passes on
/// to this.
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
            /// Creates the operation with these members; all others have their default, which asks for
            /// nothing.
            #[allow(clippy::needless_update)]
            pub fn $new($($member: $type),*) -> Self {
                Self { $($member: $member.into(),)* ..Self::default() }
            }
        }
    };
}

/// States what an [`Operation`](crate::contract::Operation) is, within its `impl`: its name, its
/// [`Idempotency`](crate::retry::Idempotency) and its output; and, after `in`, the member that names the resource by
/// which the service remembers redirects. After `=` may stand what reads the answer, where that needs to
/// know nothing of the operation.
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
