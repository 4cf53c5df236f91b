//! Performs one exchange.
//!
//! ```text
//!   measure the source, if the head contains a hash of it
//!   request the head from the exchange, which signs it
//!   take a connection from the pool, or make one
//!   send ──────────────▶ the body, piece by piece
//!   receive ◀─────────── the head, possibly before the whole body is sent
//!           ◀─────────── the body, piece by piece, into the sink
//!   return the connection to the pool, if both sides keep it open
//! ```

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, End, Exchange, Hedged, Outgoing, Receiving};
use apus_host::trace;
use bytes::Bytes;
use http::header::{EXPECT, HOST, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::{Request, Uri, request};
use hyper::body::Incoming;

use crate::cancel::RunWaker;
use crate::client::Shared;
use crate::connect::Route;
use crate::ends::{Ends, Meter};
use crate::http_connection::{BodyTimes, HttpConnection, Times};
use crate::sending::Sending;
use crate::sink::Delivery;
use crate::source::{PIECE, Pieces};
use crate::stream::Pulse;

/// An exchange while it is performed. It results in exactly one completion, also if it is dropped.
pub(crate) struct ExchangeInProgress {
    stage: Stage,
    /// The pulse of the connection that the request is sent over, once it is chosen.
    pulse: Option<Arc<Pulse>>,
    /// Where the completion goes if the flight is dropped.
    home: Option<Arc<RunWaker>>,
    hedged: Option<Hedged>,
}

enum Stage {
    Sealed(Exchange),
    Answered(Receiving),
    Over,
}

/// Why there is no response.
enum Fault {
    /// The exchange failed.
    Wire(ExchangeError),
    /// The request could not be made.
    Ours(Error),
}

impl ExchangeInProgress {
    /// Returns a flight. If it is dropped, its completion goes to `home`, if there is one.
    pub(crate) fn new(exchange: Exchange, home: Option<Arc<RunWaker>>) -> Self {
        let hedged = exchange.hedged().cloned();
        Self { stage: Stage::Sealed(exchange), pulse: None, home, hedged }
    }

    /// Returns which of two requests for the same bytes this is.
    pub(crate) fn hedged(&self) -> Option<Hedged> {
        self.hedged.clone()
    }

    /// Whether this moves bytes of the caller's, as opposed to the machine's own.
    pub(crate) fn moves_bytes(&self) -> bool {
        match &self.stage {
            Stage::Sealed(exchange) => {
                let streams =
                    matches!(exchange.draft().incoming, apus_core::http::Incoming::Stream { .. });
                streams || matches!(exchange.outgoing(), Outgoing::Source { .. })
            }
            Stage::Answered(_) | Stage::Over => false,
        }
    }

    /// Performs the exchange.
    pub(crate) async fn perform(&mut self, shared: &Shared, ends: &Ends) -> Completion {
        let result = self.attempt(shared, ends).await;
        let completion = match (std::mem::replace(&mut self.stage, Stage::Over), result) {
            (Stage::Sealed(exchange), Err(Fault::Wire(failure))) => {
                exchange.fail(self.dated(failure))
            }
            (Stage::Sealed(exchange), Err(Fault::Ours(error))) => exchange.reject(error),
            (Stage::Sealed(exchange), Ok(())) => {
                exchange.fail(self.dated(ExchangeError::cancelled()))
            }
            (Stage::Answered(receiving), Ok(())) => receiving.finish(End::Regular),
            (Stage::Answered(receiving), Err(Fault::Wire(cut))) => receiving.finish(Some(cut)),
            (Stage::Answered(receiving), Err(Fault::Ours(error))) => receiving
                .finish(Some(ExchangeError::new(ExchangeErrorKind::Source, error.to_string()))),
            (Stage::Over, _) => unreachable!("a flight is performed once"),
        };
        trace::attempt(&completion);
        completion
    }

    /// Cancels the exchange.
    pub(crate) fn cancel(&mut self) -> Option<Completion> {
        let completion = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Sealed(exchange) => exchange.fail(self.dated(ExchangeError::cancelled())),
            Stage::Answered(receiving) => receiving.finish(Some(ExchangeError::cancelled())),
            Stage::Over => return None,
        };
        trace::attempt(&completion);
        Some(completion)
    }

    /// Marks a failure that came before any part of the request was sent.
    fn dated(&self, failure: ExchangeError) -> ExchangeError {
        let left = self.pulse.as_ref().is_some_and(|pulse| pulse.sent() > 0);
        if left { failure } else { failure.before_request() }
    }

    async fn attempt(&mut self, shared: &Shared, ends: &Ends) -> Result<(), Fault> {
        let Stage::Sealed(exchange) = &mut self.stage else { return Ok(()) };
        let needs = exchange.draft().needs();
        needs.check(ends.source.presence(), ends.sink.is_given()).map_err(Fault::Wire)?;
        let times = Times::start(exchange.timeouts());
        let pieces = match at_once(exchange, ends)? {
            Some(pieces) => pieces,
            None => Box::pin(within(&times, prepare(exchange, ends, shared.keep))).await?,
        };
        exchange.add_header(USER_AGENT, shared.user_agent.clone());
        let head = exchange.request().map_err(Fault::Ours)?;
        let route = Route::of(&head.uri, &shared.connector.routes).map_err(Fault::Ours)?;
        let mut link = match shared.pool.take(&route) {
            Some(link) => link,
            None => Box::pin(connect(shared, route, &times)).await?,
        };
        let length = exchange.content_length();
        let expects = exchange.expects(shared.expect_above);
        let encoder = exchange.encoder().map_err(Fault::Ours)?;
        let pulse = Arc::clone(&link.pulse);
        self.pulse = Some(Arc::clone(&pulse));
        let body = Sending::new(pieces, encoder, length, ends.meter(), pulse, expects);
        let mut request = Request::new(body);
        let head = exchange.request().map_err(Fault::Ours)?;
        fill(&mut request, head, &link.route, expects).map_err(Fault::Ours)?;
        let answered = link.head(request, &times).await;
        let answer = answered.map_err(|failure| match link.pulse.spoilt() {
            Some(error) => Fault::Ours(error),
            None => Fault::Wire(failure),
        })?;
        if link.pulse.is_invited() {
            exchange.continued();
        }
        let (head, mut body) = answer.into_parts();
        if let Some(refusal) = link.route.forwards().and_then(|proxy| proxy.refusal(&head)) {
            return Err(Fault::Wire(refusal));
        }
        let Stage::Sealed(exchange) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Ok(());
        };
        self.stage = Stage::Answered(exchange.respond(head));
        let Stage::Answered(receiving) = &mut self.stage else { return Ok(()) };
        if (ends.heads || self.hedged.is_some())
            && let Some(home) = &self.home
            && let Some(opened) = receiving.opened()
        {
            home.hand_in_head(opened);
        }
        let refused = !receiving.head().status.is_success();
        if refused && !link.pulse.is_given() {
            link.pulse.stop();
        }
        let whole = match receiving.position() {
            None => collect(receiving, &mut link, &mut body, &times).await,
            Some(at) => {
                let delivery = ends.sink.delivery(at);
                Box::pin(receive(receiving, &mut link, &mut body, ends, &times, delivery)).await
            }
        }?;
        if !whole {
            return Ok(());
        }
        // A free connection has written the whole body, and is looked at again when it is taken.
        if !refused && !link.is_free() && !link.is_fresh() {
            let sent = Box::pin(link.send_rest(&times)).await;
            sent.map_err(|failure| match link.pulse.spoilt() {
                Some(error) => Fault::Ours(error),
                None => Fault::Wire(failure),
            })?;
        }
        if link.is_free() {
            shared.pool.put(link);
        }
        Ok(())
    }
}

impl Drop for ExchangeInProgress {
    fn drop(&mut self) {
        if let Some(home) = self.home.take()
            && let Some(completion) = self.cancel()
        {
            home.hand_in(completion);
        }
    }
}

/// Returns the payload, where nothing has to be read before the head can be signed.
fn at_once(exchange: &Exchange, ends: &Ends) -> Result<Option<Pieces>, Fault> {
    Ok(match exchange.outgoing() {
        Outgoing::Empty => Some(Pieces::none()),
        Outgoing::Bytes(bytes) if bytes.len() <= PIECE => Some(Pieces::bytes(bytes.clone())),
        Outgoing::Source { range } if !exchange.measures() => {
            let pieces = ends.source.read(range.clone(), ends.pass.as_ref());
            Some(pieces.map_err(Fault::Wire)?)
        }
        Outgoing::Bytes(_) | Outgoing::Source { .. } => None,
    })
}

/// Returns the payload, after it was hashed for the head.
async fn prepare(exchange: &mut Exchange, ends: &Ends, longest: u64) -> Result<Pieces, Fault> {
    match exchange.outgoing().clone() {
        Outgoing::Empty => Ok(Pieces::none()),
        Outgoing::Bytes(bytes) => {
            // Piece by piece, so that other tasks can run.
            for piece in bytes.chunks(PIECE) {
                exchange.measure(piece).map_err(Fault::Ours)?;
                tokio::task::yield_now().await;
            }
            Ok(Pieces::bytes(bytes))
        }
        Outgoing::Source { range } => measure(exchange, ends, range, longest).await,
    }
}

async fn measure(
    exchange: &mut Exchange,
    ends: &Ends,
    range: Range<u64>,
    longest: u64,
) -> Result<Pieces, Fault> {
    let Ends { source, pass, .. } = ends;
    let fits = range.end.saturating_sub(range.start) <= longest && !source.is_in_memory();
    let keep = fits || source.is_read_once();
    let mut pieces = source.read(range.clone(), pass.as_ref()).map_err(Fault::Wire)?;
    if let Some(bytes) = pieces.whole() {
        exchange.load(bytes.clone()).map_err(Fault::Ours)?;
        return Ok(pieces);
    }
    let mut kept = VecDeque::new();
    while let Some(piece) = poll_fn(|cx| pieces.poll_next(cx)).await.map_err(Fault::Wire)? {
        exchange.measure(&piece).map_err(Fault::Ours)?;
        if keep {
            kept.push_back(piece);
        } else {
            // Bytes in memory are read without ever waiting, so other tasks must be given a turn.
            tokio::task::yield_now().await;
        }
    }
    drop(pieces);
    if keep {
        Ok(Pieces::held(kept))
    } else {
        source.read(range, pass.as_ref()).map_err(Fault::Wire)
    }
}

async fn connect(
    shared: &Shared,
    route: Route,
    times: &Times,
) -> Result<Box<HttpConnection>, Fault> {
    let connecting = async {
        let stream = shared.connector.connect(&route).await?;
        HttpConnection::open(route, stream).await
    };
    let start = std::time::Instant::now();
    let limit = times.deadline(start, times.timeouts.connect, "the connect timeout was exceeded");
    let link = match limit {
        None => connecting.await,
        // Not a timeout, which would leave the outcome unknown: no request was sent.
        Some((at, name)) => tokio::time::timeout_at(at.into(), connecting)
            .await
            .unwrap_or_else(|_| Err(ExchangeError::new(ExchangeErrorKind::Connect, name))),
    };
    link.map(Box::new).map_err(Fault::Wire)
}

/// Ends `work` when the time of the whole exchange is used up.
async fn within<T>(
    times: &Times,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let Some(whole) = times.whole else { return work.await };
    tokio::time::timeout_at(whole.into(), work).await.unwrap_or_else(|_| {
        let detail = "the source used up the time limit of the whole exchange";
        Err(Fault::Wire(ExchangeError::new(ExchangeErrorKind::Timeout, detail)))
    })
}

/// Sets the head as it is sent: the target alone, except to a proxy, and the fields that HTTP
/// requires besides those that were signed.
fn fill<B>(
    out: &mut Request<B>,
    head: &request::Parts,
    route: &Route,
    expects: bool,
) -> Result<(), Error> {
    *out.method_mut() = head.method.clone();
    *out.uri_mut() = match (head.uri.path_and_query(), route.forwards()) {
        // The form for proxies (RFC 9112, section 3.2.2), without a user.
        (_, Some(_)) => absolute(&head.uri, route)?,
        (Some(target), None) => Uri::from(target.clone()),
        (None, None) => Uri::from_static("/"),
    };
    let headers = out.headers_mut();
    *headers = head.headers.clone();
    // They are few: to compare their names is faster than to hash this one.
    if !headers.keys().any(|name| *name == HOST) {
        let host = HeaderValue::try_from(route.host_header())
            .map_err(|_| Error::invalid_input("the host name is not valid in a header"))?;
        headers.insert(HOST, host);
    }
    if expects {
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    if let Some(value) = route.forwards().and_then(|proxy| proxy.authorization()) {
        headers.insert(PROXY_AUTHORIZATION, value);
    }
    Ok(())
}

fn absolute(uri: &Uri, route: &Route) -> Result<Uri, Error> {
    let mut parts = uri.clone().into_parts();
    let authority = route.host_header().parse();
    parts.authority = Some(
        authority.map_err(|_| Error::invalid_input("the host of the request's URI is invalid"))?,
    );
    Uri::from_parts(parts)
        .map_err(|_| Error::invalid_input("the URI of the request is not valid for a proxy"))
}

/// Receives a body that no sink gets. True if it was read to its end.
async fn collect(
    receiving: &mut Receiving,
    link: &mut HttpConnection,
    body: &mut Incoming,
    times: &Times,
) -> Result<bool, Fault> {
    let mut times = BodyTimes::new(receiving, times, link.pulse.last());
    while !is_left(receiving) {
        match link.piece(body, &mut times).await {
            None => return Ok(true),
            Some(piece) => {
                let pushed = piece.and_then(|piece| receiving.push(&piece).map(|_| ()));
                pushed.map_err(Fault::Wire)?;
            }
        }
    }
    Ok(false)
}

/// Receives a body into the sink. True if it was read to its end.
async fn receive(
    receiving: &mut Receiving,
    link: &mut HttpConnection,
    body: &mut Incoming,
    ends: &Ends,
    times: &Times,
    mut delivery: Delivery,
) -> Result<bool, Fault> {
    let mut meter = ends.meter();
    let mut times = BodyTimes::new(receiving, times, link.pulse.last());
    let result = loop {
        if is_left(receiving) {
            break Ok(false);
        }
        let piece = match link.piece(body, &mut times).await {
            None => break Ok(true),
            Some(Ok(piece)) => piece,
            Some(Err(failure)) => break Err(failure),
        };
        if let Err(failure) = receiving.push(&piece) {
            break Err(failure);
        }
        if let Err(failure) = deliver(&mut delivery, &mut meter, piece).await {
            break Err(failure);
        }
    };
    // Bytes that arrived before a cut are passed on too.
    delivery.finish().await.map_err(Fault::Wire)?;
    result.map_err(Fault::Wire)
}

/// Whether the rest of the body is not read.
fn is_left(receiving: &Receiving) -> bool {
    receiving.has_body() && !receiving.wants_more()
}

async fn deliver(
    delivery: &mut Delivery,
    meter: &mut Meter,
    piece: Bytes,
) -> Result<(), ExchangeError> {
    let length = piece.len() as u64;
    delivery.push(piece).await?;
    let delay = meter.received(length);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    Ok(())
}
