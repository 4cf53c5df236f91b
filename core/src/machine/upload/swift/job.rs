//! What all requests of an upload to Swift share.

use std::sync::Arc;

use http::StatusCode;

use super::checkpoint::SwiftCheckpoint;
use super::large_object::SegmentsIn;
use super::options::SwiftUploadOptions;
use super::sweep::With;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::Body;
use crate::machine::Call;
use crate::machine::compose::seed;
use crate::machine::upload::checkpoint::Checkpoints;
use crate::swift::{BodyCheck, HeadObject, PutObject, Service};

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) container: String,
    pub(super) object: String,
    pub(super) options: SwiftUploadOptions,
    pub(super) service: Arc<Service>,
    pub(super) auth: usize,
    pub(super) seed: u64,
    pub(super) checkpoints: Checkpoints<SwiftCheckpoint>,
}

impl Job {
    /// Checks those options that are wrong for every server.
    pub(super) fn new(
        container: String,
        object: String,
        mut options: SwiftUploadOptions,
        service: Arc<Service>,
        seed: u64,
    ) -> Result<Self, Error> {
        options.concurrency = options.concurrency.max(1);
        if let Some(id) = &options.id
            && (id.is_empty() || id.len() > LONGEST_ID || id.contains(['/', '?', '&']))
        {
            return Err(Error::invalid_input(format!(
                "invalid upload id {:?}: expected 1 to {LONGEST_ID} bytes without `/`, `?` and `&`",
                id.chars().take(LONGEST_ID).collect::<String>()
            )));
        }
        let checkpoints = options.checkpoints.clone();
        Ok(Self { container, object, options, service, auth: 0, seed, checkpoints })
    }

    pub(super) fn call<O: Operation<Service = Service>>(&self, operation: O, slot: u32) -> Call<O> {
        Call::new(operation, Arc::clone(&self.service), seed(self.seed, slot)).with_auth(self.auth)
    }

    pub(super) fn with(&self) -> With {
        let service = Arc::clone(&self.service);
        With { service, auth: self.auth, seed: self.seed, concurrency: self.options.concurrency }
    }

    /// Returns a PUT whose body is checked as the options say.
    pub(super) fn put(&self, container: &str, object: &str, body: Body) -> PutObject {
        let mut put = PutObject::from_body(container, object, body);
        put.check = if self.options.verify { BodyCheck::Auto } else { BodyCheck::Never };
        put
    }

    /// Returns the HEAD of the newest version of the object.
    pub(super) fn head(&self) -> HeadObject {
        let mut head = HeadObject::new(&self.container, &self.object);
        head.newest = true;
        head
    }

    /// Lets the call look before each repetition, if it must replace nothing: Ceph's gateway ignores
    /// the condition.
    pub(super) fn guarded<O: Operation<Service = Service>>(&self, call: Call<O>) -> Call<O> {
        // The look before the first attempt was made of the same names: it has a draft.
        match self.head().draft(&self.service) {
            Ok(look) if self.options.if_absent => call.guarded(look, |there| match there {
                Ok(()) => Err(Self::exists()),
                Err(error) if error.is_not_found() || error.is_lasting_refusal() => Ok(()),
                Err(error) => Err(error),
            }),
            _ => call,
        }
    }

    /// Returns whether the existing object must be looked at before anything is written.
    pub(super) fn looks_first(&self) -> bool {
        self.options.if_absent || self.options.remove_replaced
    }

    /// Returns the error of an object that must not exist: Swift's response to `If-None-Match: *`,
    /// which Ceph does not give.
    pub(super) fn exists() -> Error {
        let message = "an object with this name already exists".to_owned();
        Error::refused(StatusCode::PRECONDITION_FAILED, None, Some(message))
            .in_operation("HeadObject")
    }

    /// Returns the container of the segments.
    pub(super) fn segments_in(&self) -> String {
        match &self.options.segments_in {
            SegmentsIn::Beside => format!("{}_segments", self.container),
            SegmentsIn::Same => self.container.clone(),
            SegmentsIn::Container(name) => name.clone(),
        }
    }

    /// Returns the id that separates this upload's segments from others.
    pub(super) fn id(&self) -> String {
        let made = || format!("{:016x}", seed(self.seed, ID));
        self.options.id.clone().unwrap_or_else(made)
    }
}

/// The maximum size of an id in bytes.
const LONGEST_ID: usize = 64;

/// The seed of the id is derived from this.
const ID: u32 = 0x1D;
