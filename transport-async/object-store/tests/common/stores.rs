//! Stores of object_store 0.14 on the embedded servers.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use apus_object_store::v0_14::{S3Store, SwiftStore};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};

use crate::servers;

/// The bucket `bucket` of this model.
pub fn s3(model: S3Model) -> (FaultyS3, S3Store) {
    let server = FaultyS3::start(model).expect("a free port");
    let store = S3Store::new(servers::s3(&server), "bucket");
    (server, store)
}

/// The container `box` of the project of `demo` in this model.
pub fn swift(model: OpenStackModel) -> (EmbeddedOpenStack, SwiftStore) {
    let server = EmbeddedOpenStack::start(model).expect("a free port");
    let store = SwiftStore::new(servers::swift(&server), "box");
    (server, store)
}
