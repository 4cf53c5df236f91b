//! Connections on which what comes before an answer is seen at once, and for what it is.
//!
//! While it waits for `100 Continue`, ureq may read the head of a final answer, and leaves it in
//! the buffer. On a new connection it then waits for more before it looks there again: until the
//! server closes the connection, or a limit of time is reached.
//!
//! And it takes a `100 Continue` that has header fields for no HTTP. They are allowed (RFC 9110,
//! section 15.2), squid adds `Connection`, and they say nothing that is asked for: they are left out.
//!
//! And it takes a reset, or TLS that ends without a word, for the end of a body that ends with its
//! connection. Such a body is cut: only a close in good order ends it (RFC 9112, section 8).
//!
//! And it has one limit for a read, of a head or of a body: how long an answer may take to begin is
//! another matter than how long it may pause.

use std::io::{self, ErrorKind};

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
        Ok(chained.map(|inner| Prompted { inner, fresh: false, at_head: false }))
    }
}

/// Lets what was read last be looked at twice before more is waited for.
#[derive(Debug)]
pub(crate) struct Prompted<T> {
    inner: T,
    /// Something was read, and nobody asked for more since.
    fresh: bool,
    /// What is read next is the head of an answer.
    at_head: bool,
}

impl<T: Transport> Prompted<T> {
    /// Reads on until the buffer begins with something that ureq understands.
    fn await_head(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        loop {
            let input = self.inner.buffers().input();
            match Head::of(input) {
                Head::Interim(length) => {
                    let rest = input.get(length..).unwrap_or_default();
                    let bare = [b"HTTP/1.1 100 Continue\r\n\r\n", rest].concat();
                    let all = input.len();
                    let buffers = self.inner.buffers();
                    buffers.input_consume(all);
                    if let Some(room) = buffers.input_append_buf().get_mut(..bare.len()) {
                        room.copy_from_slice(&bare);
                        buffers.input_appended(bare.len());
                    }
                    return Ok(true);
                }
                Head::Final => {
                    self.at_head = false;
                    return Ok(true);
                }
                Head::Unfinished => {}
            }
            if !self.inner.await_input(timeout)? {
                return Ok(false);
            }
        }
    }
}

impl<T: Transport> Transport for Prompted<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.at_head = true;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if self.at_head {
            timeout.per_read = None;
        }
        if std::mem::take(&mut self.fresh) && !self.inner.buffers().input().is_empty() {
            return Ok(true);
        }
        self.fresh = self.inner.await_input(timeout).map_err(broken)?;
        if self.fresh && self.at_head {
            self.fresh = self.await_head(timeout).map_err(broken)?;
        }
        Ok(self.fresh)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// The same error, in the form of one that ureq takes for no end.
fn broken(error: Error) -> Error {
    match error {
        Error::Io(error)
            if matches!(
                error.kind(),
                ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
            ) =>
        {
            Error::Io(io::Error::new(ErrorKind::BrokenPipe, error.to_string()))
        }
        error => error,
    }
}

/// What the buffer begins with.
enum Head {
    /// A `100 Continue` of so many bytes.
    Interim(usize),
    /// Too little to say.
    Unfinished,
    /// Anything else.
    Final,
}

impl Head {
    fn of(input: &[u8]) -> Self {
        let known = input.len().min(CONTINUE.len());
        if input.get(..known) != CONTINUE.get(..known) {
            return Self::Final;
        }
        match input.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => Self::Interim(end + 4),
            None if input.len() > LONGEST => Self::Final,
            None => Self::Unfinished,
        }
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100";
/// Bytes of the head of a `100 Continue`.
const LONGEST: usize = 16 << 10;
