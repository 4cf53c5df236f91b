//! A grant, and nothing sent with it.

use std::marker::PhantomData;

use http::{Method, Uri};

use crate::contract::{Operation, Service};
use crate::error::Error;
use crate::http::{Draft, Reply, Sealing};
use crate::retry::Idempotency;

/// Asks the authority for its grant, which is renewed where it is time to, and sends nothing.
///
/// For what needs keys or a token at once: a URL that is signed here and used elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct GrantOnly<S>(PhantomData<fn() -> S>);

impl<S> GrantOnly<S> {
    /// Of whatever authority it goes under.
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
