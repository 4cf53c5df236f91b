//! Bodies under every setting of checksum and signature.

use apus_core::Error;
use apus_core::checksum::{Algorithm, Placement, Policy};
use apus_core::http::Body;
use apus_core::machine::UploadOptions;
use apus_core::s3::{ChecksumOptions, DeleteObjects, GetObject, PayloadSigning, PutObject};

use super::payload;
use super::transfers::upload;
use crate::live::stage::{Mode, Place, Setting, Stage};
use crate::live::store::Feed;
use crate::live::{Case, Refusal};

pub const SETTINGS: &[Setting] = &[
    Setting::DEFAULT,
    setting("CRC32C", |policy| Policy { algorithm: Algorithm::Crc32c, ..policy }),
    setting("CRC64NVME", |policy| Policy { algorithm: Algorithm::Crc64Nvme, ..policy }),
    setting("SHA256", |policy| Policy { algorithm: Algorithm::Sha256, ..policy }),
    setting("placement header", |policy| placed(policy, Placement::Header)),
    setting("placement trailer", |policy| placed(policy, Placement::Trailer)),
    setting("placement content-md5", |policy| placed(policy, Placement::ContentMd5)),
    Setting { payload: PayloadSigning::Signed, ..setting("payload signed", |policy| policy) },
    Setting { payload: PayloadSigning::Unsigned, ..setting("payload unsigned", |policy| policy) },
    Setting { payload: PayloadSigning::Chunked, ..setting("payload chunked", |policy| policy) },
    Setting {
        payload: PayloadSigning::Chunked,
        ..setting("payload chunked and placement trailer", |policy| {
            placed(policy, Placement::Trailer)
        })
    },
];

pub const CASES: &[Case] = &[
    Case::ok("PutObject of bytes", bytes).or(trailer),
    Case::ok("PutObject of no bytes", empty).or(trailer),
    Case::ok("PutObject of bytes whose call names SHA256", named).or(named_trailer),
    Case::ok("PutObject of a source", source).or(trailer),
    Case::ok("PutObject of a stream", stream).or(trailer),
    Case::ok("PutObject of a long stream", long_stream).or(known_too_late),
    Case::ok("Upload in parts", in_parts).or(trailer),
    Case::ok("Upload in parts of a stream of unknown length", in_parts_unknown).or(trailer),
    Case::ok("DeleteObjects", delete),
];

const fn setting(name: &'static str, policy: fn(Policy) -> Policy) -> Setting {
    Setting { name, policy, payload: PayloadSigning::Auto }
}

/// Ceph 16 knows no trailers, and takes the word that announces them for a hash.
fn trailer(place: &Place) -> Option<Refusal> {
    let sent = place.setting.name.ends_with("placement trailer");
    (sent && place.mode == Mode::WhenSupported).then_some(NO_TRAILERS)
}

/// A checksum that the call requests is sent in every mode except `never`.
fn named_trailer(place: &Place) -> Option<Refusal> {
    let sent = place.setting.name.ends_with("placement trailer");
    (sent && place.mode != Mode::Never).then_some(NO_TRAILERS)
}

/// What can be read only once, and is too long to be held in memory, can't be hashed before it is
/// sent.
fn known_too_late(place: &Place) -> Option<Refusal> {
    let unhashed =
        matches!(place.setting.payload, PayloadSigning::Unsigned | PayloadSigning::Chunked);
    let computed = place.mode == Mode::WhenSupported;
    let too_late = Refusal { verdict: "not sent", hint: "use `S3Upload`" };
    trailer(place).or((computed || !unhashed).then_some(too_late))
}

const NO_TRAILERS: Refusal = Refusal {
    verdict: "400 XAmzContentSHA256Mismatch",
    hint: "set checksum placement to `header`",
};

const fn placed(policy: Policy, placement: Placement) -> Policy {
    Policy { placement, ..policy }
}

/// What is stored is what was sent, and nothing of its framing stays.
fn same(stage: &Stage<'_>, key: &str, bytes: &[u8]) -> Result<(), Error> {
    let answer = stage.call(GetObject::new(&stage.bucket, key))?;
    assert!(answer.body == bytes);
    assert_eq!(answer.head.content_encoding, None);
    Ok(())
}

fn bytes(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(100_000);
    stage.call(PutObject::new(&stage.bucket, "bytes", bytes.clone()))?;
    same(stage, "bytes", &bytes)
}

fn empty(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.bucket, "empty", ""))?;
    same(stage, "empty", &[])
}

fn named(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(100_000);
    let mut put = PutObject::new(&stage.bucket, "named", bytes.clone());
    put.checksum = ChecksumOptions::algorithm(Algorithm::Sha256);
    stage.call(put)?;
    same(stage, "named", &bytes)
}

fn put_source(stage: &Stage<'_>, key: &str, feed: Feed, length: usize) -> Result<(), Error> {
    let bytes = payload(length);
    let body = Body::Source { range: 0..length as u64, rewindable: feed == Feed::Memory };
    stage.store.call_from(PutObject::from_body(&stage.bucket, key, body), feed, &bytes)?;
    same(stage, key, &bytes)
}

fn source(stage: &Stage<'_>) -> Result<(), Error> {
    put_source(stage, "source", Feed::Memory, 2_500_000)
}

fn stream(stage: &Stage<'_>) -> Result<(), Error> {
    put_source(stage, "stream", Feed::Known, 2_500_000)
}

/// Longer than what is held in memory to read it before it is sent.
fn long_stream(stage: &Stage<'_>) -> Result<(), Error> {
    put_source(stage, "long stream", Feed::Known, (8 << 20) + 1)
}

fn parts(stage: &Stage<'_>, key: &str, feed: Feed) -> Result<(), Error> {
    let bytes = payload((5 << 20) + 1000);
    let options = UploadOptions {
        threshold: 1 << 20,
        part_size: 5 << 20,
        concurrency: 2,
        ..UploadOptions::default()
    };
    let uploaded = upload(&stage.store, &stage.bucket, key, feed, &bytes, options)?;
    assert_eq!(uploaded.parts, 2);
    same(stage, key, &bytes)
}

fn in_parts(stage: &Stage<'_>) -> Result<(), Error> {
    parts(stage, "parts", Feed::Memory)
}

fn in_parts_unknown(stage: &Stage<'_>) -> Result<(), Error> {
    parts(stage, "parts unknown", Feed::Unknown)
}

fn delete(stage: &Stage<'_>) -> Result<(), Error> {
    let answer = stage.call(DeleteObjects::new(&stage.bucket, ["gone"]))?;
    assert_eq!((answer.deleted.len(), answer.errors.len()), (1, 0));
    Ok(())
}
