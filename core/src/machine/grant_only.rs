//! An operation that obtains credentials, and sends nothing.

use std::marker::PhantomData;

use http::{Method, Uri};

use crate::contract::{Operation, Service};
use crate::error::Error;
use crate::http::{Draft, Reply, Sealing};
use crate::retry::Idempotency;

/// Obtains a lease of the authenticator, which renews its credentials if they are due, and sends
/// nothing.
///
/// For uses that require keys or a token at once: a URL that is signed here and used elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct GrantOnly<S>(PhantomData<fn() -> S>);

impl<S> GrantOnly<S> {
    /// Creates the operation.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<S> Default for GrantOnly<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Service> Operation for GrantOnly<S> {
    type Service = S;
    type Output = ();

    const NAME: &'static str = "GrantOnly";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, _: &S) -> Result<Box<Draft>, Error> {
        let mut draft = Draft::new(Self::NAME, Method::GET, Uri::default());
        draft.sealing = Sealing::GrantOnly;
        Ok(draft)
    }

    fn parse(&self, _: &S, _: &Reply) -> Result<(), Error> {
        Ok(())
    }
}
