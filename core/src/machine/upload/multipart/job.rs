//! What all requests of a multipart upload share.

use std::sync::Arc;

use crate::checksum::{Algorithm, Type};
use crate::contract::{OnFailure, Operation};
use crate::error::{Error, Kind, Leftover};
use crate::machine::Call;
use crate::machine::compose::seed;
use crate::machine::upload::absent;
use crate::machine::upload::checkpoint::Checkpoints;
use crate::s3::{
    ChecksumOptions, CommonParams, Conditions, CustomerKey, HeadObject, Properties, Service,
};

/// What all requests of the upload share.
#[derive(Clone, Debug)]
pub(in crate::machine) struct Job {
    pub(in crate::machine) bucket: String,
    pub(in crate::machine) key: String,
    pub(in crate::machine) properties: Properties,
    pub(in crate::machine) conditions: Conditions,
    pub(in crate::machine) common: CommonParams,
    pub(in crate::machine) checksum: ChecksumOptions,
    /// The checksum algorithm of the parts, as the policy decided.
    pub(in crate::machine) algorithm: Option<Algorithm>,
    pub(in crate::machine) checksum_type: Option<Type>,
    /// Whether the ETags of single requests and of parts are compared.
    pub(in crate::machine) verify_etag: bool,
    /// Whether the ETag of the multipart object is compared.
    pub(in crate::machine) verify_whole_etag: bool,
    pub(in crate::machine) concurrency: usize,
    /// The maximum number of bytes of parts in flight. It may reduce the concurrency below `concurrency`.
    pub(in crate::machine) memory: u64,
    pub(in crate::machine) on_failure: OnFailure,
    pub(in crate::machine) auth: usize,
    pub(in crate::machine) seed: u64,
    pub(in crate::machine) checkpoints: Checkpoints,
}

impl Job {
    pub(super) fn customer_key(&self) -> Option<CustomerKey> {
        self.properties.encryption.customer_key.clone()
    }

    /// Adds the object as a leftover to the error of an object that differs from what was sent.
    pub(in crate::machine::upload) fn spoilt(&self, error: Error) -> Error {
        // A refusal stored nothing.
        if error.kind() != Kind::Integrity || error.status().is_some() {
            return error;
        }
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        error.with_leftover(Leftover::Object { bucket, key })
    }

    /// Returns the HEAD of the object under this key.
    pub(in crate::machine::upload) fn head(&self) -> HeadObject {
        let mut head = HeadObject::new(&self.bucket, &self.key);
        head.customer_key = self.customer_key();
        head.common.clone_from(&self.common);
        head
    }

    /// Lets the call look before each repetition, if it must replace nothing and the server may ignore
    /// the condition, or gets the request without it (`withheld`).
    pub(in crate::machine::upload) fn guarded<O: Operation<Service = Service>>(
        &self,
        call: Call<O>,
        service: &Arc<Service>,
        heeds: bool,
        withheld: bool,
    ) -> Result<Call<O>, Error> {
        Ok(match absent::permit(&self.conditions, heeds, withheld) {
            Some(permit) => call.guarded(self.head().draft(service)?, permit),
            None => call,
        })
    }

    pub(in crate::machine::upload) fn call<O: Operation<Service = Service>>(
        &self,
        operation: O,
        service: &Arc<Service>,
        slot: u32,
    ) -> Call<O> {
        Call::new(operation, Arc::clone(service), seed(self.seed, slot)).with_auth(self.auth)
    }
}
