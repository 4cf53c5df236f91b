//! What the machines of an image service need from the caller: the same as the machines inside
//! them.

use std::collections::BTreeMap;

use apus_core::contract::GivenSource;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::UploadSource;
use apus_core::store::config::{Configuration, OsloConfig, Reference};
use apus_core::store::{Add, Get, StoredImage, Stores};

fn stores() -> Stores {
    let text = "[DEFAULT]\nenabled_backends = fast:s3, cold:swift\n\
                [glance_store]\ndefault_backend = fast\n\
                [fast]\ns3_store_host = http://s3.example\ns3_store_access_key = AK\n\
                s3_store_secret_key = secret\ns3_store_bucket = images\n\
                [cold]\nswift_store_config_file = swift.conf\nswift_store_container = images\n";
    let references =
        "[ref1]\nauth_address = http://keystone.example/v3\nuser = demo:demo\nkey = secret\n";
    let config = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    let references = Reference::read_all("swift.conf", references).unwrap();
    let files = BTreeMap::from([("swift.conf".to_owned(), references)]);
    Stores::new(&Configuration::of_oslo(&config).unwrap(), &files).unwrap()
}

#[test]
fn an_image_that_is_stored_needs_its_source() {
    for backend in ["fast", "cold"] {
        for (source, ranges) in [
            (UploadSource::Seekable(7), true),
            (UploadSource::Stream(Some(7)), false),
            (UploadSource::Stream(None), false),
        ] {
            let job = stores().add(Some(backend), &Add::new("image"), source, 1).unwrap();
            let needs = job.machine.needs();
            let of_source = needs.source.unwrap();
            let told = (source != UploadSource::Stream(None)).then_some(7);
            assert_eq!((of_source.length, of_source.ranges), (told, ranges), "{backend}");
            assert!(of_source.memory >= 64 << 20 && !needs.sink);
            let refused = needs.check(GivenSource::Missing, true).unwrap_err();
            assert_eq!(refused.kind(), ExchangeErrorKind::Source);
        }
    }
}

#[test]
fn an_image_that_is_read_needs_a_sink() {
    for (url, store) in [
        ("s3+http://s3.example/images/image", "fast"),
        ("swift+config://ref1/images/image", "cold"),
    ] {
        let row = StoredImage::new(url, Some(store));
        let job = stores().get(&row, &Get::default(), 1).unwrap().outcome;
        let refused = job.machine.needs().check(GivenSource::Missing, false).unwrap_err();
        assert_eq!(refused.kind(), ExchangeErrorKind::Sink, "{store}");
        let size = stores().size(&row, 1).unwrap().outcome;
        assert!(size.machine.needs().check(GivenSource::Missing, false).is_ok());
    }
}
