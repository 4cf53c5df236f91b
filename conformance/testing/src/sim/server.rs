//! The servers that a simulation can use.

use std::time::Duration;

use crate::server::{Admission, HeadOutcome, OpenStackModel, Reply, Request, S3Model};

/// A server for [`Sim`](super::Sim): a model without sockets and without a clock.
pub trait Simulated {
    /// A request whose head was admitted.
    type Admitted;

    /// Sets the time since 1970.
    fn set_now(&mut self, unix: Duration);

    /// Handles the head of a request whose body has not arrived.
    ///
    /// # Errors
    ///
    /// The response to a request whose body is not read.
    fn head(&mut self, head: &Request) -> Result<Self::Admitted, Box<Reply>>;

    /// Handles an admitted request with its body.
    fn body(&mut self, admitted: Self::Admitted, request: &Request) -> Reply;
}

impl Simulated for S3Model {
    type Admitted = ();

    fn set_now(&mut self, unix: Duration) {
        Self::set_now(self, unix.as_secs());
    }

    fn head(&mut self, _: &Request) -> Result<(), Box<Reply>> {
        Ok(())
    }

    fn body(&mut self, (): (), request: &Request) -> Reply {
        self.handle(request)
    }
}

impl Simulated for OpenStackModel {
    type Admitted = Admission;

    fn set_now(&mut self, unix: Duration) {
        Self::set_now(self, unix);
    }

    fn head(&mut self, head: &Request) -> Result<Admission, Box<Reply>> {
        match Self::head(self, head) {
            HeadOutcome::Answered(reply) => Err(Box::new(reply)),
            HeadOutcome::Admitted(admission) => Ok(admission),
        }
    }

    fn body(&mut self, admitted: Admission, request: &Request) -> Reply {
        Self::body(self, admitted, request)
    }
}
