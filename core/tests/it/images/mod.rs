//! Stores from a configuration, whose machines run against a scripted server.
#![allow(dead_code, reason = "each test uses what it needs of it")]

pub(crate) mod keystone;

use std::collections::BTreeMap;

use apus_core::Error;
use apus_core::checksum::Hashers;
use apus_core::contract::Machine;
use apus_core::machine::UploadSource;
use apus_core::store::config::{Configuration, OsloConfig, Reference};
use apus_core::store::{
    Access, Add, AddResult, Job, PendingAdd, StoreError, StoreErrorKind, StoredImage, Stores, Verb,
};
use bytes::Bytes;
use http::request;

use crate::support::{Answer, Run, Sim};

/// What a job is run as.
pub(crate) type Boxed<T> = Box<dyn Machine<Output = T> + Send>;

/// The stores of a `glance-api.conf`.
pub(crate) fn stores(text: &str) -> Stores {
    stores_with(text, &[])
}

/// The same, with these files of references.
pub(crate) fn stores_with(text: &str, files: &[(&str, &str)]) -> Stores {
    let config = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    let configuration = Configuration::of_oslo(&config).unwrap();
    let read = |(name, text): &(&str, &str)| {
        ((*name).to_owned(), Reference::read_all(name, text).unwrap())
    };
    let files: BTreeMap<_, _> = files.iter().map(read).collect();
    Stores::new(&configuration, &files).unwrap()
}

/// One backend, `fast`, at a server of which it is known that it heeds conditions, with these options
/// more.
pub(crate) fn fast(options: &str) -> Stores {
    stores(&format!(
        "[DEFAULT]\nenabled_backends = fast:s3\n[glance_store]\ndefault_backend = fast\n[fast]\n\
         s3_store_host = http://127.0.0.1:9000\ns3_store_bucket = images\n\
         s3_store_access_key = AKFAST\ns3_store_secret_key = secret\ns3_store_provider = aws\n\
         {options}"
    ))
}

/// The same at a server of which nothing is known.
pub(crate) fn unknown(options: &str) -> Stores {
    fast(&format!("s3_store_provider = other\n{options}"))
}

/// A row of the image service.
pub(crate) fn row(url: &str, store: Option<&str>) -> StoredImage {
    StoredImage::new(url, store)
}

/// The image that tests use.
pub(crate) fn image() -> StoredImage {
    row("s3://127.0.0.1:9000/images/id", Some("fast"))
}

/// Runs a job against a script.
pub(crate) fn run<T: 'static>(
    job: Job<T>,
    script: impl FnMut(&request::Parts, &[u8]) -> Answer,
) -> Run<Boxed<T>> {
    sim(job).run(script)
}

/// A job, about to run.
pub(crate) fn sim<T: 'static>(job: Job<T>) -> Sim<Boxed<T>> {
    Sim::under_all(job.machine, job.auths)
}

/// What adding bytes that can be read anywhere came to, and the requests that were made.
pub(crate) fn add(
    stores: &Stores,
    bytes: &Bytes,
    script: impl FnMut(&request::Parts, &[u8]) -> Answer,
) -> (Result<AddResult, StoreError>, Vec<String>) {
    let image = Add::new("id");
    let source = UploadSource::Seekable(bytes.len() as u64);
    let job = stores.add(None, &image, source, 1).unwrap();
    let hashers = job.hashers.clone();
    let run = sim(job).source(bytes.clone()).run(script);
    (added(run.result, hashers, bytes), run.requests)
}

/// The same of a stream, of which so many bytes were announced.
pub(crate) fn add_stream(
    stores: &Stores,
    bytes: &Bytes,
    announced: Option<u64>,
    script: impl FnMut(&request::Parts, &[u8]) -> Answer,
) -> (Result<AddResult, StoreError>, Vec<String>) {
    let image = Add::new("id").with_size(announced);
    let job = stores.add(None, &image, UploadSource::Stream(None), 1).unwrap();
    let hashers = job.hashers.clone();
    let run = sim(job).stream(bytes.clone()).run(script);
    (added(run.result, hashers, bytes), run.requests)
}

fn added(
    result: Result<PendingAdd, Error>,
    mut hashers: Hashers,
    bytes: &Bytes,
) -> Result<AddResult, StoreError> {
    hashers.update(bytes);
    let placed = result.map_err(|error| Verb::Add.error(error))?;
    Ok(placed.with_digests(&hashers.finish()).unwrap())
}

/// The kind of error that a job of this verb fails with.
pub(crate) fn kind<T>(verb: Verb, result: Result<T, Error>) -> StoreErrorKind {
    match result {
        Ok(_) => panic!("it succeeds"),
        Err(error) => verb.error(error).kind(),
    }
}

/// What is done, where nothing is to be stored in the row's place.
pub(crate) fn settled<T>(access: Result<Access<T>, StoreError>) -> T {
    let access = access.unwrap();
    assert_eq!(access.migration, None);
    access.outcome
}

/// A header of a request.
pub(crate) fn header<'a>(head: &'a request::Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).map(|value| value.to_str().unwrap())
}

/// The access key that a request is signed with; none where it is not signed.
pub(crate) fn signer(head: &request::Parts) -> Option<String> {
    let credential = header(head, "authorization")?.split_once("Credential=").unwrap().1;
    Some(credential.split('/').next().unwrap().to_owned())
}
