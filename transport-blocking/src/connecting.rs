//! The making of a connection as a whole: where it fails, no request has left.

use apus_core::error::{Cause, Failure};
use ureq::Timeout;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

use crate::failure::cause_before_head;

/// Says of every failure of the connector inside that there is no connection.
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

/// ureq reports a limit that is reached, or a peer that hangs up, while it connects as it does after it
/// has sent a request, which the server may have carried out. What was never sent was not carried out.
pub(crate) fn never_connected(error: ureq::Error) -> ureq::Error {
    let detail = match &error {
        ureq::Error::Timeout(Timeout::Global) => {
            Some("not done within the limit of the whole exchange".to_owned())
        }
        ureq::Error::Timeout(_) => Some("it was not made within its limit".to_owned()),
        error => {
            let failure = cause_before_head(error);
            let open = matches!(failure.cause(), Cause::Timeout | Cause::Closed | Cause::Protocol);
            open.then(|| failure.detail().to_owned())
        }
    };
    match detail {
        Some(detail) => ureq::Error::Other(Box::new(Failure::new(Cause::Connect, detail))),
        None => error,
    }
}
