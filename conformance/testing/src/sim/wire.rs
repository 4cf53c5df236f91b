//! The work of a transport: reads the source, makes head and body, and passes on the response in
//! pieces.

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Exchange, Outgoing};
use bytes::Bytes;

use super::ends::{Sink, Source};
use crate::server::{Reply, Request};

/// Why a request was not sent.
#[derive(Debug)]
pub(super) enum Undone {
    /// The machine asked for bytes that are no longer available.
    Law(String),
    /// The source failed.
    Ended(ExchangeError),
    /// The exchange could not make head or body.
    Rejected(Error),
}

/// Makes a request. Where `share` is given, only so many thousandths of its body are sent.
pub(super) fn depart(
    source: &mut Source,
    exchange: &mut Exchange,
    share: Option<u16>,
    low: Option<u64>,
) -> Result<Request, Undone> {
    let (mut body, mut streams) = match exchange.outgoing().clone() {
        Outgoing::Empty => (Bytes::new(), false),
        Outgoing::Bytes(bytes) => (bytes, false),
        Outgoing::Source { range } => {
            if low.is_some_and(|low| range.start < low) {
                return Err(Undone::Law(format!(
                    "law 7: bytes from {} on are asked for, which were let go",
                    range.start
                )));
            }
            let bytes = source.read(range.start, range.end).map_err(Undone::Ended)?;
            (bytes, true)
        }
    };
    if exchange.measures() {
        if let Err(error) = exchange.load(body.clone()) {
            return Err(Undone::Rejected(error));
        }
        // The bytes that were kept in memory for measuring are still there.
        streams = false;
    }
    let announced = exchange.draft().body.len();
    let head = exchange.request().map_err(Undone::Rejected)?.clone();
    let mut encoder = exchange.encoder().map_err(Undone::Rejected)?;
    let most = match share {
        Some(share) => (announced.saturating_sub(1)) * u64::from(share) / 1000,
        None => u64::MAX,
    };
    body.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let size = encoder.frame_size().unwrap_or(PIECE).max(1);
    let mut wire = Vec::with_capacity(body.len());
    for piece in body.chunks(size) {
        if share.is_some() && encoder.frame_size().is_some_and(|size| piece.len() < size) {
            break;
        }
        let frame = encoder.frame(piece).map_err(Undone::Rejected)?;
        wire.extend_from_slice(&frame.before);
        wire.extend_from_slice(piece);
        wire.extend_from_slice(&frame.after);
        if streams && source.once {
            source.take(piece.len() as u64);
        }
    }
    if share.is_none() {
        if encoder.remaining() > 0 {
            // A source that can be read once, whose bytes were used elsewhere.
            let what = format!("the source ended {} bytes early", encoder.remaining());
            return Err(Undone::Ended(ExchangeError::new(ExchangeErrorKind::Source, what)));
        }
        wire.extend_from_slice(&encoder.end().map_err(Undone::Rejected)?);
    }
    Ok(Request::from_parts(&head, wire.into()))
}

/// Passes on a response. Where `cut` is given, it ends after this share of its body by this
/// failure.
pub(super) fn receive(
    exchange: Exchange,
    reply: &Reply,
    cut: Option<(u16, Option<ExchangeError>)>,
    sink: &mut Sink,
) -> Completion {
    let mut parts = reply.parts();
    let mut receiving = {
        // A response without a body is cut in its head.
        if let Some((_, failure)) = &cut
            && reply.body.is_empty()
        {
            let closed =
                ExchangeError::new(ExchangeErrorKind::Closed, "the connection ended in the head");
            let stalled =
                failure.clone().filter(|failure| failure.kind() == ExchangeErrorKind::Timeout);
            return exchange.fail(stalled.unwrap_or(closed));
        }
        if reply.status == 204 {
            parts.headers.remove(http::header::CONTENT_LENGTH);
        }
        exchange.respond(parts)
    };
    sink.heads.extend(receiving.opened());
    let whole = reply.body.len();
    let (length, failure) = match cut {
        Some((share, failure)) => ((whole - 1) * usize::from(share) / 1000, failure),
        None => (whole, None),
    };
    if receiving.has_body() {
        for piece in reply.body.slice(..length).chunks(PIECE) {
            let at = receiving.position();
            match receiving.push(piece) {
                Ok(bytes) => {
                    if let Some(at) = at
                        && !sink.write(at, bytes)
                    {
                        sink.twice = true;
                    }
                }
                Err(failure) => return receiving.finish(Some(failure)),
            }
        }
    }
    receiving.finish(failure)
}

/// Returns the success of a server or proxy that does not wait for the body, and stores nothing.
pub(super) fn early_success(operation: &str, request: &Request) -> Reply {
    let tag = "0123456789abcdef0123456789abcdef";
    let swift = request.target.starts_with("/v1/");
    let reply = Reply::new(if swift { 201 } else { 200 });
    match (swift, request.body.len() % 3) {
        (false, 0) => reply.header("ETag", format!("\"{tag}\"")),
        (true, 0) => reply.header("Etag", tag),
        // It has read the digest of the body in the head, and returns what it should have stored.
        _ => match request.header("etag") {
            Some(etag) => reply.header("Etag", etag),
            None => reply.header("ETag", format!("\"{tag}\"")),
        },
    }
    .header("x-simulated", operation)
    .body("stored")
}

pub(super) fn garbage() -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Protocol, "the simulated answer is no HTTP")
}

pub(super) fn cut() -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Cut, "the simulated connection was reset in the answer")
}

/// The number of bytes that are sent or received at once.
const PIECE: usize = 700;
