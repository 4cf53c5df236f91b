//! A call whose output stays in a box.

use std::fmt;
use std::sync::Arc;

use super::Call;
use crate::contract::{Machine, OnFailure, Operation, Step};
use crate::http::Completion;
use crate::now::Now;

/// A [`Call`] whose output is in a [`Box`]: for transports, which pass a result through half a dozen
/// functions. The output of GetObject is a kilobyte long.
///
/// ```
/// use std::sync::Arc;
///
/// use apus_core::contract::Machine;
/// use apus_core::machine::{BoxedCall, Call};
/// use apus_core::s3::{GetObject, GetObjectOutput, Service};
///
/// # fn main() -> Result<(), apus_core::Error> {
/// fn output<M: Machine<Output = Box<GetObjectOutput>>>(_: &M) {}
///
/// let service = Arc::new(Service::custom("https://s3.example.com", "us-east-1")?);
/// let call = BoxedCall::new(Call::new(GetObject::new("bucket", "key"), service, 1));
/// output(&call);
/// # Ok(())
/// # }
/// ```
pub struct BoxedCall<O: Operation>(Box<Call<O>>);

impl<O: Operation> BoxedCall<O> {
    /// Boxes the output of `call`, and the call itself.
    pub fn new(call: Call<O>) -> Self {
        Self(Box::new(call))
    }

    /// Creates a call as [`Call::new`] does, in its box: a call is a kilobyte long, and is not copied.
    pub fn of(operation: O, service: Arc<O::Service>, seed: u64) -> Self {
        Self(Box::write(Box::new_uninit(), Call::new(operation, service, seed)))
    }
}

impl<O: Operation> Machine for BoxedCall<O> {
    type Output = Box<O::Output>;

    fn poll(&mut self, now: Now) -> Step<Box<O::Output>> {
        self.0.step(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        self.0.complete(now, done);
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.0.cancel(now, on_failure);
    }

    fn is_long(&self) -> bool {
        self.0.is_long()
    }
}

impl<O: Operation> fmt::Debug for BoxedCall<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxedCall").field(&O::NAME).finish()
    }
}
