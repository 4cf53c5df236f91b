//! Performs one exchange with ureq.
//!
//! ```text
//!  Exchange ─▶ first pass, if the head needs it ─▶ head, body in pieces ─▶ head of the response
//!                                                                                  │
//!  Completion ◀─ finish ◀─ piece by piece into the sink ◀─ Receiving ◀─────────────┘
//! ```

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{
    Completion, End as BodyEnd, Exchange, Hedged, Opened, Outgoing, Receiving, Timeouts,
};
use apus_host::trace;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderValue};
use http::uri::Scheme;
use ureq::SendBody;

use crate::answer::{Answer, Deadlines};
use crate::body_reader::BodyReader;
use crate::body_writer::BodyWriter;
use crate::config::{Agents, Connections, TransportConfig, limited};
use crate::failure;
use crate::meter::{Direction, Meter, Watch};
use crate::request_head;
use crate::sink::{Outlet, Sink};
use crate::source::{PIECE, Source};
use crate::substitute::Conversation;

/// Performs exchanges over connections that are kept and used again. Cheap to clone; clones share
/// their connections.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    config: TransportConfig,
    connector: Connections,
    /// Configured with the limits of the first exchange, which most others have too.
    agents: OnceLock<Agents>,
}

impl Transport {
    /// Returns a transport without connections.
    ///
    /// # Errors
    ///
    /// The user agent can't be sent, a TLS setting is invalid, or the proxy's certificates can't be
    /// read.
    pub fn new(config: TransportConfig) -> Result<Self, Error> {
        let connector = config.connector()?;
        Ok(Self(Arc::new(Inner { config, connector, agents: OnceLock::new() })))
    }

    /// Returns how many bytes may wait for their turn in the digests, where a machine permits this
    /// many.
    pub(crate) fn waiting(&self, memory: u64) -> u64 {
        match self.0.config.reread {
            true => memory.min(WAITING),
            false => memory,
        }
    }

    /// Performs one exchange, without retries and with its own limits only, on this thread. If the
    /// sink is a writer, the bytes must follow those of the previous exchange.
    ///
    /// # Panics
    ///
    /// With the panic of a reader or a writer.
    ///
    /// ```no_run
    /// use apus_blocking::apus_core::http::{Completion, Exchange};
    /// use apus_blocking::{Sink, Source, Transport};
    ///
    /// # #[allow(dead_code)]
    /// /// Performs an exchange that a machine asked for.
    /// fn perform(transport: &Transport, exchange: Exchange) -> Completion {
    ///     transport.perform(exchange, &Source::none(), &Sink::none())
    /// }
    /// ```
    pub fn perform(&self, exchange: Exchange, source: &Source<'_>, sink: &Sink<'_>) -> Completion {
        let watch = Watch::default();
        sink.expect(&exchange.draft().incoming);
        let begun = || {
            let needs = exchange.draft().needs();
            needs.check(source.presence(), sink.is_given())?;
            let pass = source.begin(self.waiting(needs.memory()))?;
            let feed = match exchange.outgoing() {
                Outgoing::Empty => BodyReader::bytes(Bytes::new()),
                Outgoing::Bytes(bytes) => BodyReader::bytes(bytes.clone()),
                Outgoing::Source { range } => source.feed(range.clone(), true, pass.as_ref())?,
            };
            Ok((feed, pass))
        };
        match begun() {
            Ok((feed, pass)) => {
                let performed = self.fly(exchange, feed, sink.outlet(), Notify::default(), &watch);
                if let Some(panic) = performed.panic {
                    resume_unwind(panic);
                }
                if let Some(pass) = pass {
                    source.settle(&pass, false);
                }
                performed.completion
            }
            Err(failure) => exchange.fail(failure),
        }
    }

    /// Performs an exchange of a run. A panic is returned beside the completion.
    pub(crate) fn fly(
        &self,
        exchange: Exchange,
        feed: BodyReader<'_>,
        outlet: Outlet<'_, '_>,
        notify: Notify<'_>,
        watch: &Watch,
    ) -> Performed {
        let mut flight = InProgress(Some(Stage::Sending(exchange)));
        let performer = Performer { transport: &self.0, notify, watch };
        let caught = catch_unwind(AssertUnwindSafe(|| performer.run(&mut flight, feed, outlet)));
        let (end, panic) = match caught {
            Ok(end) => (end, None),
            Err(panic) => (ExchangeError::cancelled().into(), Some(panic)),
        };
        let completion = flight.land(end);
        trace::attempt(&completion);
        Performed { completion, panic }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Transport").field(&self.0.config).finish()
    }
}

/// What a run is told while one of its exchanges is performed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Notify<'r> {
    /// Woken when the exchange waits for others.
    pub(crate) waker: Option<&'r Waker>,
    /// Is given the head of a success whose body is passed to the sink.
    pub(crate) head: Option<&'r dyn Fn(Opened)>,
}

/// The result of an exchange.
pub(crate) struct Performed {
    pub(crate) completion: Completion,
    /// The panic of a reader, a writer or an observer.
    pub(crate) panic: Option<Box<dyn Any + Send>>,
}

/// An exchange while it is performed; it can be completed in every stage.
struct InProgress(Option<Stage>);

enum Stage {
    Sending(Exchange),
    Receiving(Receiving),
}

/// How a flight ended.
enum End {
    /// The request could not be sent.
    Rejected(Error),
    /// The response is complete, or was cut, or did not arrive.
    Cut(Option<ExchangeError>),
}

impl InProgress {
    fn respond(&mut self, head: http::response::Parts) {
        self.0 = self.0.take().map(|stage| match stage {
            Stage::Sending(exchange) => Stage::Receiving(exchange.respond(head)),
            receiving @ Stage::Receiving(_) => receiving,
        });
    }

    fn land(self, end: End) -> Completion {
        let stage = self.0.expect("a stage follows the other without anything that panics between");
        match (stage, end) {
            (Stage::Sending(exchange), End::Rejected(error)) => exchange.reject(error),
            (Stage::Sending(exchange), End::Cut(cut)) => {
                exchange.fail(cut.unwrap_or_else(ExchangeError::cancelled))
            }
            (Stage::Receiving(receiving), End::Cut(cut)) => {
                receiving.finish(cut.map_or(BodyEnd::Regular, BodyEnd::Cut))
            }
            (Stage::Receiving(receiving), End::Rejected(error)) => receiving
                .finish(Some(ExchangeError::new(ExchangeErrorKind::Protocol, error.message()))),
        }
    }
}

impl From<ExchangeError> for End {
    fn from(failure: ExchangeError) -> Self {
        Self::Cut(Some(failure))
    }
}

/// What one exchange is performed with.
struct Performer<'r> {
    transport: &'r Inner,
    notify: Notify<'r>,
    watch: &'r Watch,
}

impl Performer<'_> {
    fn run(&self, flight: &mut InProgress, feed: BodyReader<'_>, outlet: Outlet<'_, '_>) -> End {
        let answer = match self.send(flight, feed) {
            Ok(answer) => answer,
            Err(end) => return end,
        };
        let Some(Stage::Receiving(receiving)) = &mut flight.0 else { return End::Cut(None) };
        if let Some(tell) = self.notify.head
            && let Some(opened) = receiving.opened()
        {
            tell(opened);
        }
        End::Cut(self.receive(receiving, answer, outlet).err())
    }

    /// Sends the request; after success, the flight is in the stage `Receiving`.
    fn send(&self, flight: &mut InProgress, mut feed: BodyReader<'_>) -> Result<Answer, End> {
        let Some(Stage::Sending(exchange)) = &mut flight.0 else { return Err(End::Cut(None)) };
        let mut limits = *exchange.timeouts();
        let whole = limits.whole.and_then(|whole| Instant::now().checked_add(whole));
        if exchange.measures() {
            self.measure(exchange, &mut feed, whole)?;
            limits.whole = remaining(whole)?;
        }
        let length = exchange.content_length();
        let Inner { config, connector, .. } = self.transport;
        let expects = exchange.expects(config.expect_continue_above);
        let head = exchange.request().map_err(End::Rejected)?;
        let no_place = || {
            End::Rejected(Error::invalid_input(
                "the URI of the request has no host, or its scheme is neither http nor https",
            ))
        };
        let place = request_head::place(&head.uri).ok_or_else(no_place)?;
        let mut told = http::Request::new(());
        *told.method_mut() = head.method.clone();
        told.headers_mut().insert(CONTENT_LENGTH, length.into());
        // Not sent: the head that is sent has its own. ureq would compute one.
        told.headers_mut().insert(HOST, HeaderValue::from_static("-"));
        if expects {
            told.headers_mut().insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        let proxy = connector.routes.proxy_for(&head.uri);
        let forwarded = proxy.filter(|_| head.uri.scheme() == Some(&Scheme::HTTP));
        *told.uri_mut() = place;
        let written = request_head::write(head, &config.user_agent, expects);
        let (method, hedged) = (head.method.clone(), exchange.hedged().cloned());
        if hedged.as_ref().is_some_and(Hedged::is_overtaken) {
            return Err(ExchangeError::cancelled().before_request().into());
        }
        let conversation = Conversation::new(written, method, &limits, hedged);
        let mut outflow = BodyWriter::new(exchange, feed, self.watch).map_err(End::Rejected)?;
        let told = told.into_parts().0;
        let answer = conversation.hold(|| match length {
            0 => self.ask(told, SendBody::none(), &limits),
            _ => self.ask(told, SendBody::from_reader(&mut outflow), &limits),
        });
        outflow.settle();
        let told = match answer {
            Ok(answer) => answer.into_body(),
            Err(error) => {
                let dated = |failure: ExchangeError| match conversation.has_begun() {
                    true => failure,
                    false => failure.before_request(),
                };
                return Err(match (outflow.failure(), failure::misuse(&error)) {
                    (Some(failure), _) => dated(failure).into(),
                    (None, Some(error)) => End::Rejected(error),
                    (None, None) => dated(failure::before_head(error, proxy)).into(),
                });
            }
        };
        let Some((head, body, line)) = conversation.take_answer() else {
            return Err(
                ExchangeError::new(ExchangeErrorKind::Closed, "no response was read").into()
            );
        };
        if let Some(refusal) = forwarded.and_then(|proxy| proxy.refusal(&head)) {
            return Err(refusal.into());
        }
        if conversation.has_continued()
            && let Some(Stage::Sending(exchange)) = &mut flight.0
        {
            exchange.continued();
        }
        flight.respond(head);
        let Some(Stage::Receiving(receiving)) = &flight.0 else { return Err(End::Cut(None)) };
        let deadlines = Deadlines::new(receiving, &limits, whole);
        Ok(Answer { conversation, body, line, told, deadlines })
    }

    fn ask(
        &self,
        told: http::request::Parts,
        body: SendBody<'_>,
        limits: &Timeouts,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let Inner { config, connector, agents } = self.transport;
        let agents = agents.get_or_init(|| config.agents(connector, *limits));
        let is_address = match connector.routes.proxy_for(&told.uri) {
            Some(proxy) => is_address(proxy.host()),
            None => told.uri.host().is_some_and(is_address),
        };
        let agent = if is_address { &agents.numbered } else { &agents.named };
        let request = http::Request::from_parts(told, body);
        if *limits == agents.timeouts {
            return agent.run(request);
        }
        agent.run(limited!(agent.configure_request(request), limits, !is_address).build())
    }

    /// Reads a source before it is sent, because the head contains its hashes.
    fn measure(
        &self,
        exchange: &mut Exchange,
        feed: &mut BodyReader<'_>,
        whole: Option<Instant>,
    ) -> Result<(), End> {
        let config = &self.transport.config;
        let length = exchange.draft().body.len();
        let _turn = feed.measure();
        if feed.resident().is_none() {
            if length <= config.in_memory_part_limit && !(config.reread && feed.is_rewindable()) {
                let mut pieces = VecDeque::new();
                // Each piece is hashed while it is still in the processor's cache. The workers of
                // the caller's digests share it, and it is freed once it was sent.
                loop {
                    let piece = feed.piece(PIECE)?;
                    if piece.is_empty() {
                        break;
                    }
                    self.may_go_on(whole)?;
                    exchange.measure(&piece).map_err(|error| source_failed(&error))?;
                    pieces.push_back(piece);
                }
                *feed = BodyReader::pieces(pieces);
                return Ok(());
            } else if !feed.is_rewindable() {
                return Err(End::Rejected(Error::invalid_input(format!(
                    "{length} bytes of the source must be hashed before they are sent, but they \
                     can be read only once and exceed in_memory_part_limit"
                ))));
            }
        }
        match feed.resident() {
            Some(pieces) if pieces.len() == 1 => {
                let bytes = pieces.front().cloned().unwrap_or_default();
                exchange.load(bytes).map_err(|error| source_failed(&error))?;
            }
            Some(pieces) => {
                for piece in pieces {
                    exchange.measure(piece).map_err(|error| source_failed(&error))?;
                }
            }
            None => {
                loop {
                    let piece = feed.piece(PIECE)?;
                    if piece.is_empty() {
                        break;
                    }
                    self.may_go_on(whole)?;
                    exchange.measure(&piece).map_err(|error| source_failed(&error))?;
                }
                feed.rewind();
            }
        }
        Ok(())
    }

    /// Fails if the time of the exchange is used up, or the run was stopped, while a source is read
    /// before anything is sent.
    fn may_go_on(&self, whole: Option<Instant>) -> Result<(), ExchangeError> {
        if self.watch.stop.is_raised() {
            return Err(ExchangeError::cancelled().before_request());
        }
        remaining(whole).map(drop)
    }

    /// Receives the body of the response; the error says why it was cut.
    fn receive(
        &self,
        receiving: &mut Receiving,
        mut answer: Answer,
        mut outlet: Outlet<'_, '_>,
    ) -> Result<(), ExchangeError> {
        let announced = content_length(receiving);
        let most = self.watch.piece(BUFFER);
        let mut meter = self.watch.meter(Direction::Received);
        let mut held = Vec::new();
        let end = loop {
            if !receiving.wants_more() {
                // The end was not read, so the connection is closed.
                break Ok(());
            }
            let mut piece = match answer.piece(most) {
                Ok(Some(piece)) => piece,
                Ok(None) => break Ok(()),
                Err(failure) => break Err(failure),
            };
            let piece = piece.bytes();
            let Some(position) = receiving.position() else {
                receiving.push(piece)?;
                continue;
            };
            meter.before(piece.len());
            if self.watch.stop.is_raised() {
                break Err(ExchangeError::cancelled());
            }
            if !outlet.is_open(position) {
                held.extend_from_slice(piece);
                if held.len() as u64 > announced.unwrap_or(HELD) {
                    self.deliver(receiving, &mut held, &mut outlet, &mut meter)?;
                }
            } else {
                self.deliver(receiving, &mut held, &mut outlet, &mut meter)?;
                pass(receiving, piece, &mut outlet, &mut meter)?;
            }
        };
        // Bytes that arrived before a cut are passed on too.
        self.deliver(receiving, &mut held, &mut outlet, &mut meter)?;
        meter.flush();
        outlet.finish()?;
        if end.is_ok() {
            answer.release();
        }
        end
    }

    /// Waits for this range's turn, and passes on the bytes that were held back until then.
    fn deliver(
        &self,
        receiving: &mut Receiving,
        held: &mut Vec<u8>,
        outlet: &mut Outlet<'_, '_>,
        meter: &mut Meter<'_>,
    ) -> Result<(), ExchangeError> {
        let Some(position) = receiving.position().filter(|_| !held.is_empty()) else {
            return Ok(());
        };
        outlet.open(position, self.notify.waker, &self.watch.stop)?;
        pass(receiving, held, outlet, meter)?;
        held.clear();
        Ok(())
    }
}

/// Counts, hashes and writes the bytes that arrived.
fn pass(
    receiving: &mut Receiving,
    piece: &[u8],
    outlet: &mut Outlet<'_, '_>,
    meter: &mut Meter<'_>,
) -> Result<(), ExchangeError> {
    let Some(position) = receiving.position() else { return Ok(()) };
    let payload = receiving.push(piece)?;
    outlet.write(position, payload)?;
    meter.moved(payload.len());
    Ok(())
}

/// Returns what is left of the exchange's time, some of which was spent on reading the source
/// before anything was sent.
fn remaining(whole: Option<Instant>) -> Result<Option<Duration>, ExchangeError> {
    let Some(whole) = whole else { return Ok(None) };
    let left = whole.saturating_duration_since(Instant::now());
    if left.is_zero() {
        let detail = "the source used up the time limit of the whole exchange";
        return Err(ExchangeError::new(ExchangeErrorKind::Timeout, detail).before_request());
    }
    Ok(Some(left))
}

fn content_length(receiving: &Receiving) -> Option<u64> {
    receiving.head().headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Whether the host is an IP address, which need not be resolved.
fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
}

/// The source did not have the bytes of its range.
fn source_failed(error: &Error) -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Source, error.message())
}

/// Bytes that wait for their turn in the digests of a file that is read twice.
const WAITING: u64 = 8 << 20;
/// Bytes that are received at a time, at most.
const BUFFER: usize = 128 << 10;
/// Bytes of a response without a length that wait in memory for their turn.
const HELD: u64 = 1 << 20;
