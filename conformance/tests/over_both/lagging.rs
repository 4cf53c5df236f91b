//! Images that are dynamic large objects in a Swift whose listings lag behind.

use std::time::Duration;

use apus_conformance::server::{
    EmbeddedOpenStack, Lag, Limits, OpenStackModel, OpenStackOperation,
};
use apus_core::machine::UploadSource;
use apus_core::store::{Add, Get, StoredImage};
use tokio::runtime::Builder;

use crate::client::{Kind, Origin, Via};
use crate::images::stores;

both! {
    an_image_is_stored_when_the_listing_shows_all_of_it,
    what_a_listing_leaves_out_is_never_called_the_image,
}

fn cloud() -> EmbeddedOpenStack {
    let limits = Limits { max_manifest_segments: None, ..Limits::default() };
    let model = OpenStackModel::new().with_container("demo", "images").with_limits(limits);
    EmbeddedOpenStack::start(model).unwrap()
}

fn backend(server: &EmbeddedOpenStack) -> apus_core::store::Stores {
    let text = "[glance_store]\nstores = swift\ndefault_store = swift\n\
                swift_store_config_file = swift.conf\nswift_store_container = images\n\
                swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n";
    let auth = server.auth_url();
    let references =
        format!("[ref1]\nauth_address = {auth}\nuser = demo:demo\nkey = demo-secret\n");
    stores(text, &references)
}

fn content() -> Vec<u8> {
    (0..3_500_000u32).map(|at| (at ^ (at >> 8)) as u8).collect()
}

/// Where the image is after it was stored.
fn add(via: Via, server: &EmbeddedOpenStack, source: UploadSource) -> Result<String, String> {
    let image = Add::new("image-1");
    let kind = if matches!(source, UploadSource::Stream(_)) { Kind::Stream } else { Kind::Bytes };
    let (core, origin) = (backend(server), Origin::new(kind, content()));
    match via {
        Via::Blocking => {
            let stores = apus_blocking::Stores::new(core).map_err(|error| error.to_string())?;
            let added = stores.add(None, image, origin.blocking());
            added.map(|added| added.url).map_err(|error| error.to_string())
        }
        Via::Async => {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async {
                let stores = apus_async::Stores::new(core).map_err(|error| error.to_string())?;
                let added = stores.add(None, image, origin.hyper()).await;
                added.map(|added| added.url).map_err(|error| error.to_string())
            })
        }
    }
}

/// The result of reading the image, and whether it is reported as validated.
fn get(via: Via, server: &EmbeddedOpenStack, url: &str) -> Result<(Vec<u8>, bool), String> {
    let (core, row) = (backend(server), StoredImage::new(url, Some("swift")));
    match via {
        Via::Blocking => {
            let stores = apus_blocking::Stores::new(core).map_err(|error| error.to_string())?;
            let sink = apus_blocking::Sink::memory();
            let got = stores.get(&row, &Get::default(), &sink);
            let got = got.map_err(|error| error.to_string())?;
            Ok((sink.take(), got.outcome.validation.is_validated()))
        }
        Via::Async => {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async {
                let stores = apus_async::Stores::new(core).map_err(|error| error.to_string())?;
                let sink = apus_async::Sink::memory();
                let got = stores.get(&row, &Get::default(), &sink).await;
                let got = got.map_err(|error| error.to_string())?;
                Ok((sink.take(), got.outcome.validation.is_validated()))
            })
        }
    }
}

fn an_image_is_stored_when_the_listing_shows_all_of_it(via: Via) {
    let server = cloud();
    // The requests up to the manifest, and looks at it in vain.
    server.model().lag_listing_of("00000004", Lag::Requests(14));
    let url = add(via, &server, UploadSource::Seekable(3_500_000)).unwrap();
    let looks = server.model().count(OpenStackOperation::HeadObject);
    assert!(looks > 2, "{looks}");
    assert!(server.model().content_of("demo", "images", "image-1").unwrap() == content());
    let (bytes, validated) = get(via, &server, &url).unwrap();
    assert!(bytes == content() && validated);
}

fn what_a_listing_leaves_out_is_never_called_the_image(via: Via) {
    let forever = Lag::For(Duration::from_secs(1_000_000));
    for source in [UploadSource::Seekable(3_500_000), UploadSource::Stream(None)] {
        for hidden in ["00000004", "00000002", "0000000", ""] {
            let server = cloud();
            let url = add(via, &server, source).unwrap();
            for digit in 1..=9 {
                let ending =
                    if hidden.len() == 7 { format!("{hidden}{digit}") } else { hidden.into() };
                server.model().lag_listing_of(ending, forever);
            }
            match get(via, &server, &url) {
                Err(error) => assert!(error.contains("listed"), "{error}"),
                // Nothing states how many segments a stream has.
                Ok((bytes, validated)) => {
                    assert!(
                        matches!(source, UploadSource::Stream(_))
                            && hidden == "00000004"
                            && !validated
                    );
                    assert!(bytes.len() < 3_500_000);
                }
            }
        }
    }
}
