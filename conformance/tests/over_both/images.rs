//! The image service's verbs, with a store from a configuration.

use std::collections::BTreeMap;
use std::io::Write;

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, FaultyS3, OpenStackModel, Operation, Plan, S3Model,
};
use apus_core::checksum::{Algorithm, Validation, Value};
use apus_core::store::config::{Configuration, OsloConfig, Reference};
use apus_core::store::{Add, AddResult, Get, GetResult, StoreError, StoreErrorKind, StoredImage};
use tempfile::NamedTempFile;
use tokio::runtime::Builder;

use crate::client::{Kind, Origin, Via};

both! {
    an_image_in_s3_goes_and_comes_over_one_connection,
    an_image_in_swift_goes_and_comes_with_one_login,
    an_authority_that_is_not_configured_is_not_trusted,
    an_image_is_compared_with_what_is_known_of_it,
}

/// The results of an image that was stored, looked up, read and removed.
struct Journey {
    added: AddResult,
    size: u64,
    bytes: Vec<u8>,
    was_there: [bool; 2],
}

fn travel(via: Via, core: apus_core::store::Stores, origin: Origin) -> Result<Journey, String> {
    let image = Add::new("image-1").with_hash(Algorithm::Sha256);
    let told = |error: StoreError| format!("{:?}: {error}", error.kind());
    macro_rules! travel {
        ($transport:ident, $source:ident $(, $wait:tt)?) => {{
            let stores = $transport::Stores::new(core).map_err(|error| error.to_string())?;
            let added = stores.add(None, image, origin.$source())$(.$wait)?.map_err(told)?;
            let row =
                StoredImage::new(added.url.as_str(), added.metadata.get("store").map(String::as_str));
            let was = stores.exists(&row)$(.$wait)?.map_err(told)?.outcome;
            let size = stores.size(&row)$(.$wait)?.map_err(told)?;
            assert!(size.migration.is_none());
            let sink = $transport::Sink::memory();
            stores.get(&row, &Get::default(), &sink)$(.$wait)?.map_err(told)?;
            stores.delete(&row)$(.$wait)?.map_err(told)?;
            let is = stores.exists(&row)$(.$wait)?.map_err(told)?.outcome;
            Ok(Journey { added, size: size.outcome, bytes: sink.take(), was_there: [was, is] })
        }};
    }
    match via {
        Via::Blocking => travel!(apus_blocking, blocking),
        Via::Async => {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async { travel!(apus_async, hyper, await) })
        }
    }
}

pub(crate) fn stores(text: &str, references: &str) -> apus_core::store::Stores {
    let config = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    let references = Reference::read_all("swift.conf", references).unwrap();
    let files = BTreeMap::from([("swift.conf".to_owned(), references)]);
    apus_core::store::Stores::new(&Configuration::of_oslo(&config).unwrap(), &files).unwrap()
}

fn s3(server: &FaultyS3, more: &str) -> apus_core::store::Stores {
    let text = format!(
        "[glance_store]\nstores = s3\ndefault_store = s3\ns3_store_host = {}\n\
         s3_store_access_key = AKID\ns3_store_secret_key = secret\ns3_store_bucket = images\n{more}",
        server.endpoint()
    );
    stores(&text, "")
}

fn content() -> Vec<u8> {
    vec![b'*'; 5120]
}

/// 5 KiB of asterisks, by hashlib.
fn arrived(journey: &Journey) {
    assert_eq!(journey.added.md5, "c2e5db72bd7fd153f53ede5da5a06de3");
    assert_eq!(
        journey.added.multihash,
        "caa938e97d93065e6d5e609e8d22592c8d8d64b8117f576684bce52e8227bbcb"
    );
    assert_eq!((journey.size, journey.added.size), (5120, 5120));
    assert!(journey.bytes == content());
    assert_eq!(journey.was_there, [true, false]);
}

fn an_image_in_s3_goes_and_comes_over_one_connection(via: Via) {
    for kind in Kind::ALL {
        let server = FaultyS3::start_tls(S3Model::new().with_bucket("images")).unwrap();
        let mut authority = NamedTempFile::new().unwrap();
        authority.write_all(server.ca_pem().unwrap().as_bytes()).unwrap();
        let more = format!("s3_store_cacert = {}\n", authority.path().display());
        let origin = Origin::new(kind, content());
        let journey = travel(via, s3(&server, &more), origin).unwrap();
        arrived(&journey);
        let host = server.endpoint().replace("https://", "");
        assert_eq!(journey.added.url, format!("s3+https://{host}/images/image-1"));
        assert_eq!(journey.added.metadata["store"], "s3");
        assert_eq!(server.server().connections(), 1, "{kind:?}");
    }
}

fn an_image_in_swift_goes_and_comes_with_one_login(via: Via) {
    let model = OpenStackModel::new().with_container("demo", "images");
    let server = EmbeddedOpenStack::start(model).unwrap();
    let text = "[glance_store]\nstores = swift\ndefault_store = swift\n\
                swift_store_config_file = swift.conf\nswift_store_container = images\n";
    let references = format!(
        "[ref1]\nauth_address = {}\nuser = demo:demo\nkey = demo-secret\n",
        server.auth_url()
    );
    let origin = Origin::new(Kind::Stream, content());
    let journey = travel(via, stores(text, &references), origin).unwrap();
    arrived(&journey);
    assert_eq!(journey.added.url, "swift+config://ref1/images/image-1");
    assert_eq!(journey.added.metadata["store"], "swift");
    assert_eq!(server.model().logins().len(), 1);
    assert_eq!(server.storage().connections(), 1);
}

fn an_authority_that_is_not_configured_is_not_trusted(via: Via) {
    let server = FaultyS3::start_tls(S3Model::new().with_bucket("images")).unwrap();
    let origin = Origin::new(Kind::Bytes, content());
    let error = travel(via, s3(&server, "s3_store_retries = 0\n"), origin).err().unwrap();
    assert!(error.starts_with(&format!("{:?}", StoreErrorKind::BackendUnavailable)), "{error}");
    assert!(server.model().keys("images").is_empty());
}

/// Reads the image into memory; returns the result.
fn read(
    via: Via,
    core: apus_core::store::Stores,
    url: &str,
    get: &Get,
) -> Result<GetResult, StoreError> {
    let row = StoredImage::new(url, Some("s3"));
    match via {
        Via::Blocking => {
            let stores = apus_blocking::Stores::new(core).unwrap();
            stores.get(&row, get, apus_blocking::Sink::memory())
        }
        Via::Async => {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async {
                let stores = apus_async::Stores::new(core).unwrap();
                stores.get(&row, get, apus_async::Sink::memory()).await
            })
        }
    }
    .map(|access| access.outcome)
}

fn an_image_is_compared_with_what_is_known_of_it(via: Via) {
    let model = S3Model::new().with_bucket("images").with_object("images", "image-1", content());
    let server = FaultyS3::start(model).unwrap();
    let host = server.endpoint().replace("http://", "");
    let url = format!("s3+http://{host}/images/image-1");
    let sha256 = "caa938e97d93065e6d5e609e8d22592c8d8d64b8117f576684bce52e8227bbcb";
    let expected = |hex: &str| vec![Value::from_hex(Algorithm::Sha256, hex).unwrap()];
    for concurrency in [1, 4] {
        let get = |expected, size| Get { expected, size, concurrency, ..Get::default() };
        let read = |get: &Get| read(via, s3(&server, ""), &url, get);
        // Nothing but the ETag is there to be compared.
        let got = read(&get(Vec::new(), None)).unwrap();
        assert_eq!(got.validation, Validation::Validated(Algorithm::Md5));
        let got = read(&get(expected(sha256), Some(5120))).unwrap();
        assert_eq!(got.validation, Validation::Validated(Algorithm::Sha256));
        let other = sha256.replace("caa9", "caa8");
        let error = read(&get(expected(&other), None)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        let error = read(&get(Vec::new(), Some(5119))).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        // The bytes are changed in transit.
        let corrupt = Plan::new().always(Operation::GetObject, Fault::Corrupt);
        server.model().set_plan(corrupt);
        let error = read(&get(Vec::new(), None)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        server.model().set_plan(Plan::new());
    }
}
