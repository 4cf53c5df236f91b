//! HEAD of the account.

use http::Method;

use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::{account::AccountHead, error, request::Request, service::Service};

/// What the server knows of the account. "Show account metadata", Object Storage API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadAccount;

impl HeadAccount {
    /// Of the account that the storage URL is of.
    pub fn new() -> Self {
        Self
    }
}

impl Operation for HeadAccount {
    type Service = Service;
    type Output = AccountHead;

    const NAME: &'static str = "HeadAccount";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::account(service, Self::NAME, Method::HEAD).finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<AccountHead, Error> {
        error::success(reply)?;
        Ok(AccountHead::read(reply))
    }
}
