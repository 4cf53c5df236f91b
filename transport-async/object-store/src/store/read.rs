//! What reads of both protocols share.

use apus_async::{ByteRange, Conditions, ETag, Reader, Timestamp};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{BoxStream, StreamExt};
use http::StatusCode;

use super::errors::{error, generic};
use super::get_result;
use super::object_store::path::Path;
use super::object_store::{
    Attributes, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, Result,
};

/// A range of at most this many bytes is collected in memory by one request in the caller's task.
/// More bytes are a stream, which is resumed where it is cut.
const COLLECTED: u64 = 8 << 20;

/// The metadata that a response to GET or HEAD states.
pub(super) struct Head {
    pub(super) size: Option<u64>,
    pub(super) last_modified: Option<Timestamp>,
    pub(super) etag: Option<ETag>,
    pub(super) version: Option<String>,
    pub(super) attributes: Attributes,
}

impl Head {
    /// Returns the result of a read. `payload` is made of the range of the object.
    pub(super) fn result(
        self,
        store: &'static str,
        location: &Path,
        range: Option<&GetRange>,
        payload: impl FnOnce(&std::ops::Range<u64>) -> Result<BoxStream<'static, Result<Bytes>>>,
    ) -> Result<GetResult> {
        let Some(size) = self.size else {
            return Err(generic(store, format!("the response for {location} states no size")));
        };
        let range = match range {
            Some(range) => range.as_range(size).map_err(|why| generic(store, why))?,
            None => 0..size,
        };
        let payload = GetResultPayload::Stream(payload(&range)?);
        let attributes = self.attributes;
        let last_modified = time(store, location.as_ref(), self.last_modified)?;
        let e_tag = self.etag.as_ref().and_then(tag);
        let (location, version) = (location.clone(), self.version);
        let meta = ObjectMeta { location, last_modified, size, e_tag, version };
        Ok(get_result(payload, meta, range, attributes))
    }
}

/// Returns a time that every object has.
pub(super) fn time(
    store: &'static str,
    path: &str,
    time: Option<Timestamp>,
) -> Result<DateTime<Utc>> {
    let time = time.and_then(|time| DateTime::from_timestamp(time.unix(), 0));
    time.ok_or_else(|| generic(store, format!("the response for {path} states no time")))
}

/// Returns an ETag in quotes, in which some servers and some listings do not write it; `None` if it
/// is empty.
pub(super) fn tag(etag: &ETag) -> Option<String> {
    (!etag.is_empty()).then(|| format!("\"{}\"", etag.opaque()))
}

/// Returns the conditions of a read. A time between two seconds is that of the second before: what
/// was changed in between counts as changed.
pub(super) fn conditions(options: &GetOptions) -> Conditions {
    let time = |time: &DateTime<Utc>| Timestamp::from_unix(time.timestamp());
    Conditions {
        if_match: options.if_match.as_deref().map(ETag::from),
        if_none_match: options.if_none_match.as_deref().map(ETag::from),
        if_modified_since: options.if_modified_since.as_ref().map(time),
        if_unmodified_since: options.if_unmodified_since.as_ref().map(time),
    }
}

/// Returns the range of a request.
pub(super) fn byte_range(
    store: &'static str,
    range: Option<&GetRange>,
) -> Result<Option<ByteRange>> {
    let Some(range) = range else { return Ok(None) };
    range.is_valid().map_err(|why| generic(store, why))?;
    Ok(Some(match range {
        GetRange::Bounded(range) => ByteRange::Span(range.clone()),
        GetRange::Offset(start) => ByteRange::From(*start),
        GetRange::Suffix(length) => ByteRange::Last(*length),
    }))
}

/// The bytes of a read, as they are received.
pub(super) enum Received<T> {
    /// All of them.
    Collected(Bytes),
    /// They arrive while they are read, and are asked for again where they are cut.
    Stream(Reader<T>),
}

/// Performs a read. `look` sends a HEAD; `read` requests the bytes, and collects them if it is given
/// their number.
pub(super) async fn get<T: Send + 'static>(
    store: &'static str,
    location: &Path,
    options: &GetOptions,
    look: impl AsyncFnOnce() -> Result<Head, apus_async::Error>,
    read: impl AsyncFnOnce(Option<usize>) -> Result<(Head, Received<T>), apus_async::Error>,
) -> Result<GetResult> {
    let failed = |failed| error(store, location.as_ref(), failed);
    let range = options.range.as_ref();
    let look = async || {
        let found = look().await.map_err(failed)?;
        found.result(store, location, range, |_| Ok(nothing()))
    };
    if is_look(options) {
        return look().await;
    }
    let refused = match read(collected(range)).await {
        Ok((found, Received::Collected(body))) => {
            return found
                .result(store, location, range, |range| ready(store, location, body, range));
        }
        Ok((found, Received::Stream(reader))) => {
            return found.result(store, location, range, |_| Ok(stream(store, location, reader)));
        }
        Err(error) => error,
    };
    // Of an object without bytes, the last bytes are none, to which HTTP responds with 416 (RFC
    // 9110, section 14.1.2).
    let is_suffix = matches!(range, Some(GetRange::Suffix(_)));
    if !is_suffix || refused.status() != Some(StatusCode::RANGE_NOT_SATISFIABLE) {
        return Err(failed(refused));
    }
    match look().await {
        Ok(found) if found.meta.size == 0 => Ok(found),
        _ => Err(failed(refused)),
    }
}

/// Whether no bytes are read: a HEAD is sent.
fn is_look(options: &GetOptions) -> bool {
    options.head || options.range == Some(GetRange::Suffix(0))
}

/// Returns the length of a range that is collected in memory.
fn collected(range: Option<&GetRange>) -> Option<usize> {
    let length = match range? {
        GetRange::Bounded(range) => range.end.saturating_sub(range.start),
        GetRange::Suffix(length) => *length,
        GetRange::Offset(_) => return None,
    };
    (length <= COLLECTED).then(|| usize::try_from(length).ok()).flatten()
}

/// Returns the bytes of a range that was collected.
fn ready(
    store: &'static str,
    location: &Path,
    body: Bytes,
    range: &std::ops::Range<u64>,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    if body.len() as u64 != range.end - range.start {
        let have = body.len();
        let what = format!("{have} bytes of {location} were received for its range {range:?}");
        return Err(generic(store, what));
    }
    Ok(futures_util::stream::iter((!body.is_empty()).then_some(Ok(body))).boxed())
}

/// Returns the bytes of a download that runs.
fn stream<T: Send + 'static>(
    store: &'static str,
    location: &Path,
    reader: Reader<T>,
) -> BoxStream<'static, Result<Bytes>> {
    let path = location.to_string();
    reader.map(move |piece| piece.map_err(|failed| error(store, &path, failed))).boxed()
}

/// Returns a stream without bytes, for a HEAD.
fn nothing() -> BoxStream<'static, Result<Bytes>> {
    futures_util::stream::empty().boxed()
}
