//! Connections over TLS, by rustls: bytes that are encrypted together are sent together.
//!
//! ureq's own connector writes every record of 16 KiB to the socket by itself. A full buffer here
//! is sixteen records, which the socket takes in one call, so that the peer wakes up once.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use apus_host::tls::NO_PROVIDER;
use rustls::{ClientConfig, ClientConnection, Stream};
use rustls_pki_types::ServerName;
use ureq::Error;
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};

use crate::buffers::Elastic;
use crate::proxy::{left, remaining};

/// Does the TLS handshake with the endpoint of a connection, if the URI's scheme is https.
///
/// Without a configuration there is no cryptography, and connections over https fail.
pub(crate) struct Secure(pub(crate) Option<Arc<ClientConfig>>);

impl<T: Transport> Connector<T> for Secure {
    type Out = Either<T, Secured<T>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<T>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let refused = |error: rustls::Error| Error::Io(io::Error::other(error));
        let host = details.uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| refused(rustls::Error::UnsupportedNameType))?;
        let no_provider = || refused(rustls::Error::General(NO_PROVIDER.into()));
        let config = self.0.as_ref().ok_or_else(no_provider)?;
        let mut session = ClientConnection::new(Arc::clone(config), name).map_err(refused)?;
        session.set_buffer_limit(None);
        let clock = Arc::clone(&details.current_time);
        let (timeout, since) = (remaining(details), (clock)());
        let mut wire = Wire { transport, clock, timeout, since, held: 0 };
        session.complete_io(&mut wire)?;
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        let buffers = Elastic::new(input, readable(output));
        Ok(Some(Either::B(Secured { session, wire, buffers, waiting: false })))
    }
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure")
    }
}

/// Returns how many bytes fit, encrypted, into a buffer of `room` bytes.
fn readable(room: usize) -> usize {
    room.saturating_sub(room.div_ceil(RECORD) * OVERHEAD)
}

/// Bytes of a full record before encryption.
const RECORD: usize = 16 << 10;
/// Bytes that encryption adds to a record, at most: its header, a nonce or a type, and the tag.
const OVERHEAD: usize = 32;

/// A connection over TLS. Its buffers hold plaintext.
pub(crate) struct Secured<T> {
    session: ClientConnection,
    wire: Wire<T>,
    buffers: Elastic,
    /// Whether bytes were awaited after the last that were sent.
    waiting: bool,
}

impl<T: Transport> Transport for Secured<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.wire.restart(timeout);
        if std::mem::take(&mut self.waiting) {
            self.buffers.begins();
        }
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        // Each record is copied into the transport's buffer at once: if all were encrypted first,
        // none would be in a processor cache any more.
        for record in output.chunks(RECORD) {
            self.session.writer().write_all(record)?;
            while self.session.wants_write() {
                self.session.write_tls(&mut self.wire)?;
            }
        }
        self.wire.flush()?;
        self.buffers.sent(amount);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.wire.restart(timeout);
        if !std::mem::replace(&mut self.waiting, true) {
            self.buffers.waits();
        }
        let room = self.buffers.input_append_buf();
        let read = Stream::new(&mut self.session, &mut self.wire).read(room)?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.is_silent() && self.wire.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl<T: Transport> Secured<T> {
    /// Whether nothing from the peer waits to be read: unsolicited bytes, or `close_notify`. Bytes
    /// that arrived together with the end of a response are no longer in the socket.
    fn is_silent(&mut self) -> bool {
        loop {
            let Ok(state) = self.session.process_new_packets() else { return false };
            if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
                return false;
            }
            let held = self.wire.transport.buffers();
            if held.input().is_empty() {
                return true;
            }
            let mut input = held.input();
            let Ok(read) = self.session.read_tls(&mut input) else { return false };
            if read == 0 {
                return false;
            }
            held.input_consume(read);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Secured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secured").field(&self.wire.transport).finish()
    }
}

/// The transport below, as rustls reads and writes it. Written bytes wait in its buffer until the
/// buffer is full or flushed.
struct Wire<T> {
    transport: T,
    clock: Arc<dyn Fn() -> Instant + Send + Sync + 'static>,
    timeout: NextTimeout,
    /// When the timeout began.
    since: Instant,
    /// Bytes in the transport's buffer.
    held: usize,
}

impl<T: Transport> Wire<T> {
    fn restart(&mut self, timeout: NextTimeout) {
        (self.timeout, self.since) = (timeout, (self.clock)());
    }

    /// Returns the free part of the transport's buffer.
    fn room(&mut self) -> &mut [u8] {
        self.transport.buffers().output().get_mut(self.held..).unwrap_or_default()
    }

    /// Returns what is left of the timeout.
    fn left(&self) -> NextTimeout {
        left(self.timeout, self.since, (self.clock)())
    }
}

impl<T: Transport> Read for Wire<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.flush()?;
        if !self.transport.buffers().can_use_input() {
            self.transport.await_input(self.left()).map_err(Error::into_io)?;
        }
        let buffers = self.transport.buffers();
        let length = buffers.input().read(buffer)?;
        buffers.input_consume(length);
        Ok(length)
    }
}

impl<T: Transport> Write for Wire<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room().is_empty() {
            self.flush()?;
        }
        let length = self.room().write(bytes)?;
        self.held += length;
        Ok(length)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        for piece in pieces {
            let length = self.write(piece)?;
            written += length;
            if length < piece.len() {
                break;
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.held) {
            0 => Ok(()),
            held => self.transport.transmit_output(held, self.left()).map_err(Error::into_io),
        }
    }
}

#[cfg(all(test, feature = "ring"))]
mod tests {
    use apus_host::tls::Tls;
    use rustls::crypto::ring;
    use rustls::{ServerConfig, ServerConnection};
    use rustls_pki_types::PrivatePkcs8KeyDer;

    use super::*;

    /// Records what it is told to send, and responds nothing.
    #[derive(Debug)]
    struct Listener {
        buffers: Elastic,
        heard: Vec<Vec<u8>>,
    }

    impl Transport for Listener {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
            self.heard.push(self.buffers.output()[..amount].to_vec());
            self.buffers.sent(amount);
            Ok(())
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
            Ok(false)
        }

        fn is_open(&mut self) -> bool {
            true
        }
    }

    fn wire() -> Wire<Listener> {
        Wire {
            transport: Listener { buffers: Elastic::new(8, 8), heard: Vec::new() },
            clock: Arc::new(|| Instant::NotHappening),
            timeout: NextTimeout::default(),
            since: Instant::NotHappening,
            held: 0,
        }
    }

    #[test]
    fn what_is_written_leaves_together() {
        let mut wire = wire();
        let records = [b"abc", b"def", b"ghi"].map(|record| io::IoSlice::new(record));
        assert_eq!(wire.write_vectored(&records).unwrap(), 8);
        assert!(wire.transport.heard.is_empty());
        wire.write_all(b"i").unwrap();
        assert_eq!(wire.transport.heard, [b"abcdefgh"]);
        wire.flush().unwrap();
        wire.flush().unwrap();
        assert_eq!(wire.transport.heard[1..], [b"i"]);
    }

    /// A client and a server that have completed the handshake.
    fn acquainted() -> (ClientConnection, ServerConnection) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let trusting = Tls::default().trust_only(made.cert.pem().as_bytes()).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(trusting.config().unwrap().unwrap(), name).unwrap();
        client.set_buffer_limit(None);
        while client.is_handshaking() || server.is_handshaking() {
            let mut flight = Vec::new();
            client.write_tls(&mut flight).unwrap();
            server.read_tls(&mut flight.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut flight = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut flight).unwrap();
            }
            client.read_tls(&mut flight.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        (client, server)
    }

    #[test]
    fn a_full_buffer_leaves_in_one_go() {
        let room = 128 << 10;
        let (session, mut server) = acquainted();
        let listener = Listener { buffers: Elastic::new(room, room), heard: Vec::new() };
        let wire = Wire { transport: listener, ..wire() };
        let buffers = Elastic::new(room, readable(room));
        let mut secured = Secured { session, wire, buffers, waiting: false };
        // Buffers that large bodies have passed.
        for _ in 0..6 {
            let whole = secured.buffers().output().len();
            secured.transmit_output(whole, NextTimeout::default()).unwrap();
        }
        for sent in secured.wire.transport.heard.drain(..) {
            let mut sent = sent.as_slice();
            while !sent.is_empty() {
                server.read_tls(&mut sent).unwrap();
                server.process_new_packets().unwrap();
                let _ = server.reader().read_to_end(&mut Vec::new());
            }
        }
        let whole = secured.buffers().output().len();
        assert_eq!(whole, readable(room));
        secured.buffers().output().fill(7);
        secured.transmit_output(whole, NextTimeout::default()).unwrap();
        let [sent] = secured.wire.transport.heard.as_slice() else { panic!("in more than one") };
        let (mut sent, mut read) = (sent.as_slice(), Vec::new());
        while !sent.is_empty() {
            server.read_tls(&mut sent).unwrap();
            server.process_new_packets().unwrap();
            let _ = server.reader().read_to_end(&mut read);
        }
        assert!(read == vec![7; whole]);
    }

    #[test]
    fn nothing_is_held_back_from_one_who_waits_for_an_answer() {
        let mut wire = wire();
        wire.write_all(b"abc").unwrap();
        assert_eq!(wire.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(wire.transport.heard, [b"abc"]);
    }
}
