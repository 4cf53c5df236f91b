//! What all requests of a multipart upload share.

use crate::checksum::{Algorithm, Type};
use crate::contract::Leave;
use crate::machine::upload::checkpoint::Checkpoints;
use crate::s3::{ChecksumOptions, Common, Conditions, CustomerKey, Properties};

/// What all requests of the upload share.
#[derive(Clone, Debug)]
pub(in crate::machine) struct Job {
    pub(in crate::machine) bucket: String,
    pub(in crate::machine) key: String,
    pub(in crate::machine) properties: Properties,
    pub(in crate::machine) conditions: Conditions,
    pub(in crate::machine) common: Common,
    pub(in crate::machine) checksum: ChecksumOptions,
    /// The checksum that parts carry, as the policy decided.
    pub(in crate::machine) algorithm: Option<Algorithm>,
    pub(in crate::machine) checksum_type: Option<Type>,
    /// Whether the tags of single requests and of parts are compared.
    pub(in crate::machine) verify_etag: bool,
    /// Whether the tag of the whole is.
    pub(in crate::machine) verify_whole_etag: bool,
    pub(in crate::machine) width: usize,
    /// Bytes of parts that may be in flight at once, narrowing the width.
    pub(in crate::machine) memory: u64,
    pub(in crate::machine) leave: Leave,
    pub(in crate::machine) party: usize,
    pub(in crate::machine) seed: u64,
    pub(in crate::machine) checkpoints: Checkpoints,
}

impl Job {
    pub(super) fn customer_key(&self) -> Option<CustomerKey> {
        self.properties.encryption.customer_key.clone()
    }
}
