//! Connections over TCP, with buffers that are small while a call waits.
//!
//! ureq's own connector holds the largest buffers of a connection for all of its life: 384 KiB,
//! also for a GET.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
#[cfg(unix)]
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};
use ureq::{Error, Timeout};

use crate::buffers::Elastic;

/// Connects to the addresses of a host, one after the other.
#[derive(Debug)]
pub(crate) struct Tcp;

impl<T: Transport> Connector<T> for Tcp {
    type Out = Connected;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<T>,
    ) -> Result<Option<Connected>, Error> {
        let socket = connect(&details.addrs, &details.timeout)?;
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        let buffers = Elastic::new(input, output);
        Ok(Some(Connected { socket, buffers, read: None, write: None, waiting: false }))
    }
}

/// Connects to the first address that accepts. Each address but the last has half of the time that
/// is left.
fn connect(addresses: &[SocketAddr], timeout: &NextTimeout) -> Result<TcpStream, Error> {
    let begun = Instant::now();
    let mut failed = Error::Io(ErrorKind::ConnectionRefused.into());
    for (at, address) in addresses.iter().enumerate() {
        let connected = match limit(timeout) {
            None => TcpStream::connect(address),
            Some(limit) => {
                let left = limit.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return Err(Error::Timeout(timeout.reason));
                }
                let is_last = at + 1 == addresses.len();
                TcpStream::connect_timeout(address, if is_last { left } else { left / 2 })
            }
        };
        failed = match connected {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) if is_timeout(&error) => match limit(timeout) {
                Some(limit) if begun.elapsed() >= limit => Error::Timeout(timeout.reason),
                _ => Error::Timeout(Timeout::Connect),
            },
            Err(error) => Error::Io(error),
        };
    }
    Err(failed)
}

/// A connection over TCP.
pub(crate) struct Connected {
    socket: TcpStream,
    buffers: Elastic,
    /// The timeouts that the socket has.
    read: Option<Duration>,
    write: Option<Duration>,
    /// Whether bytes were awaited after the last that were sent.
    waiting: bool,
}

impl Connected {
    fn send(&mut self, amount: usize, timeout: &NextTimeout) -> Result<(), Error> {
        let limit = limit(timeout);
        if limit != self.write {
            self.socket.set_write_timeout(limit)?;
            self.write = limit;
        }
        // Less than was asked for would be sent in silence.
        let Some(output) = self.buffers.output().get(..amount) else {
            return Err(Error::Io(ErrorKind::InvalidInput.into()));
        };
        match self.socket.write_all(output) {
            Err(error) if is_timeout(&error) => Err(Error::Timeout(timeout.reason)),
            other => Ok(other?),
        }
    }

    fn receive(&mut self, timeout: &NextTimeout) -> Result<usize, Error> {
        let limit = limit(timeout);
        let mut left = limit;
        let mut begun = None;
        loop {
            if left != self.read {
                self.socket.set_read_timeout(left)?;
                self.read = left;
            }
            let room = self.buffers.input_append_buf();
            match self.socket.read(room) {
                // Linux does not repeat a read that has a timeout and is interrupted by a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    let begun = *begun.get_or_insert_with(Instant::now);
                    left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
                    if left.is_some_and(|left| left.is_zero()) {
                        return Err(Error::Timeout(timeout.reason));
                    }
                }
                Err(error) if is_timeout(&error) => return Err(Error::Timeout(timeout.reason)),
                other => return Ok(other?),
            }
        }
    }
}

impl Transport for Connected {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if std::mem::take(&mut self.waiting) {
            self.buffers.begins();
        }
        self.send(amount, &checked(timeout.for_write())?)?;
        self.buffers.sent(amount);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if !std::mem::replace(&mut self.waiting, true) {
            self.buffers.waits();
        }
        let read = self.receive(&checked(timeout.for_read())?)?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        // Neither the end nor a byte may wait to be read: a byte would belong to no response.
        matches!(peek(&self.socket), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

/// Returns how many bytes can be read without waiting, 1 at most; `WouldBlock` if there are none.
#[cfg(unix)]
fn peek(socket: &TcpStream) -> io::Result<usize> {
    // One system call, where a socket that is made non-blocking and blocking again needs three.
    let look = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    socket2::SockRef::from(socket).recv_with_flags(&mut [MaybeUninit::uninit()], look)
}

#[cfg(not(unix))]
fn peek(socket: &TcpStream) -> io::Result<usize> {
    socket.set_nonblocking(true)?;
    let seen = socket.peek(&mut [0]);
    socket.set_nonblocking(false)?;
    seen
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connected").field(&self.socket.peer_addr().ok()).finish()
    }
}

/// Returns the timeout, unless it has passed.
fn checked(timeout: NextTimeout) -> Result<NextTimeout, Error> {
    if timeout.after.is_zero() { Err(Error::Timeout(timeout.reason)) } else { Ok(timeout) }
}

/// Returns the time that a timeout allows; `None` if it allows any.
fn limit(timeout: &NextTimeout) -> Option<Duration> {
    match timeout.after {
        time::Duration::Exact(limit) => Some(limit),
        time::Duration::NotHappening => None,
    }
}

/// Whether the time of a socket has passed. Unix reports it as `WouldBlock`.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
