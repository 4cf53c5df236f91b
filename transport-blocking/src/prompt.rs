//! Connections on which an answer that came instead of `100 Continue` is seen at once.
//!
//! While it waits for `100 Continue`, ureq may read the head of a final answer, and leaves it in
//! the buffer. On a new connection it then waits for more before it looks there again: until the
//! server closes the connection, or a limit of time is reached.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Wraps what another connector made.
#[derive(Debug)]
pub(crate) struct Prompt;

impl<T: Transport> Connector<T> for Prompt {
    type Out = Prompted<T>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<T>,
    ) -> Result<Option<Prompted<T>>, Error> {
        Ok(chained.map(|inner| Prompted { inner, fresh: false }))
    }
}

/// Lets what was read last be looked at twice before more is waited for.
#[derive(Debug)]
pub(crate) struct Prompted<T> {
    inner: T,
    /// Something was read, and nobody asked for more since.
    fresh: bool,
}

impl<T: Transport> Transport for Prompted<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if std::mem::take(&mut self.fresh) && !self.inner.buffers().input().is_empty() {
            return Ok(true);
        }
        self.fresh = self.inner.await_input(timeout)?;
        Ok(self.fresh)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
