//! Large objects of Swift with a handle: the parts that a caller sends, and what ends them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apus_async::Error;
use apus_async::swift::{self, ObjectSegment};
use async_trait::async_trait;

use super::errors::{error, generic};
use super::object_store::path::Path;
use super::object_store::{
    MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart as Part,
};
use super::swift::{SWIFT, SwiftStore, properties};
use super::write::Places;

impl SwiftStore {
    pub(super) async fn begin(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let properties = properties(&opts.attributes, &opts.tags)?;
        let failed = |failed| error(SWIFT, location.as_ref(), failed);
        self.make_segments_container().await.map_err(failed)?;
        let (store, location, id) = (self.clone(), location.clone(), self.id());
        let (parts, places) = (Arc::default(), Places::new(self.parts_in_flight));
        let state = State::Open;
        Ok(Box::new(SwiftMultipartUpload {
            store,
            location,
            id,
            properties,
            parts,
            places,
            begun: 0,
            state,
        }))
    }
}

/// An upload whose parts the caller sends. Dropped before its end, its segments are removed.
#[derive(Debug)]
struct SwiftMultipartUpload {
    store: SwiftStore,
    location: Path,
    id: String,
    properties: swift::Properties,
    /// The segments that are stored, by their numbers; `None` for an empty part.
    parts: Arc<Mutex<BTreeMap<usize, Option<ObjectSegment>>>>,
    places: Places,
    /// How many parts were begun.
    begun: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The manifest was sent, and nothing proves whether it is stored: it may name the segments.
    Unknown,
    /// The object has the segments.
    Complete,
    Aborted,
}

#[async_trait]
impl MultipartUpload for SwiftMultipartUpload {
    fn put_part(&mut self, data: PutPayload) -> Part {
        let number = self.begun;
        self.begun += 1;
        let (store, location) = (self.store.clone(), self.location.clone());
        let name = format!("{}{:08}", store.below(&location, &self.id), number + 1);
        let parts = Arc::clone(&self.parts);
        let places = self.places.clone();
        self.places.send(SWIFT, async move {
            let stored = store.put_segment(&name, data).await;
            let stored = stored.map_err(|failed| error(SWIFT, location.as_ref(), failed))?;
            if places.has_ended() {
                // The others may have been removed already.
                store.remove(vec![(store.segments(), name)]).await;
                return Err(generic(SWIFT, "the upload of this part has ended"));
            }
            parts.lock().unwrap_or_else(PoisonError::into_inner).insert(number, stored);
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if matches!(self.state, State::Complete | State::Aborted) {
            return Err(generic(SWIFT, format!("the upload of {} has ended", self.location)));
        }
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if parts.len() != self.begun {
            let (path, begun, stored) = (&self.location, self.begun, parts.len());
            let what = format!(
                "of the {begun} parts of {path}, {stored} are stored: a part failed, or its \
                 future was dropped"
            );
            return Err(generic(SWIFT, what));
        }
        let segments = parts.into_values().flatten().collect();
        // Until the response is read, a caller that drops this future must not cause their removal.
        self.state = State::Unknown;
        let done =
            self.store.finish(&self.location, &self.id, self.properties.clone(), segments).await;
        self.state = match &done {
            Ok(_) => {
                self.places.end();
                State::Complete
            }
            Err(error) if is_unknown(error) => State::Unknown,
            Err(_) => State::Open,
        };
        done
    }

    async fn abort(&mut self) -> Result<()> {
        let path = &self.location;
        match self.state {
            State::Open => {}
            State::Aborted => return Ok(()),
            State::Complete => {
                let what = format!("the upload of {path} is complete: the object has its segments");
                return Err(generic(SWIFT, what));
            }
            State::Unknown => {
                let what =
                    format!("whether {path} was stored is not known: its segments are not removed");
                return Err(generic(SWIFT, what));
            }
        }
        self.places.end();
        self.store.discard(&self.location, &self.id).await?;
        self.state = State::Aborted;
        self.discard_later();
        Ok(())
    }
}

impl SwiftMultipartUpload {
    /// Removes once more what requests have stored whose parts were dropped while they were sent.
    fn discard_later(&self) {
        let stored = self.parts.lock().unwrap_or_else(PoisonError::into_inner).len();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if stored < self.begun {
            let (store, location, id) =
                (self.store.clone(), self.location.clone(), self.id.clone());
            runtime.spawn(async move {
                tokio::time::sleep(LATE).await;
                store.discard(&location, &id).await
            });
        }
    }
}

impl Drop for SwiftMultipartUpload {
    fn drop(&mut self) {
        self.places.end();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.state != State::Open || self.begun == 0 {
            return;
        }
        let (store, location, id) = (self.store.clone(), self.location.clone(), self.id.clone());
        runtime.spawn(async move { store.discard(&location, &id).await });
        self.discard_later();
    }
}

/// Whether nothing proves that the write was applied, or that it was not.
fn is_unknown(error: &super::object_store::Error) -> bool {
    let ours = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Error>());
    ours.is_some_and(Error::outcome_unknown)
}

/// The time after which a request is handled whose part was dropped while it was sent.
const LATE: Duration = Duration::from_secs(2);
