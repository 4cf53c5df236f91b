//! HEAD of the account.

use crate::swift::account::AccountHead;
use crate::swift::operation::*;

/// Shows the account's metadata. "Show account metadata", Object Storage API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadAccount;

impl HeadAccount {
    /// Creates a request about the account of the storage URL.
    pub fn new() -> Self {
        Self
    }
}

impl Operation for HeadAccount {
    facts!(HeadAccount: Read -> AccountHead);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::account(service, Self::NAME, Method::HEAD).finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<AccountHead, Error> {
        error::carried_out(reply)?;
        Ok(AccountHead::read(reply))
    }
}
