//! The connection set-up as a whole: if it fails, no request was sent.

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use ureq::Timeout;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

use crate::failure::cause_before_head;

/// Marks every failure of the inner connector as a failure to connect.
#[derive(Debug)]
pub(crate) struct Connecting<C>(pub(crate) C);

impl<In: Transport, C: Connector<In>> Connector<In> for Connecting<C> {
    type Out = C::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<C::Out>, ureq::Error> {
        self.0.connect(details, chained).map_err(never_connected)
    }
}

/// While it connects, ureq reports an exceeded limit or a closed connection with the same errors as
/// after it has sent a request, which the server may have executed. A request that was never sent
/// was not executed.
pub(crate) fn never_connected(error: ureq::Error) -> ureq::Error {
    let detail = match &error {
        ureq::Error::Timeout(Timeout::Global) => {
            Some("the time limit of the whole exchange was exceeded".to_owned())
        }
        ureq::Error::Timeout(_) => Some("the connect timeout was exceeded".to_owned()),
        error => {
            let failure = cause_before_head(error);
            let open = matches!(
                failure.kind(),
                ExchangeErrorKind::Timeout
                    | ExchangeErrorKind::Closed
                    | ExchangeErrorKind::Protocol
            );
            open.then(|| failure.detail().to_owned())
        }
    };
    match detail {
        Some(detail) => {
            ureq::Error::Other(Box::new(ExchangeError::new(ExchangeErrorKind::Connect, detail)))
        }
        None => error,
    }
}
