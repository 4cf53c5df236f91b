//! The properties of a backend: the beginning of its locations, how its servers are reached, and
//! which keys it requires.

use std::collections::BTreeMap;

use apus_core::checksum::Algorithm;
use apus_core::credentials::Credentials;
use apus_core::machine::{Auth, UploadSource};
use apus_core::sign::Keys;
use apus_core::store::config::{Configuration, Mode, OsloConfig};
use apus_core::store::{Add, StoreBackend, StoreErrorKind, Stores};
use http::Uri;

use crate::images::{fast, image, run, settled, signer, stores};
use crate::support::Answer;

fn errors(text: &str) -> String {
    let config = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    Configuration::of_oslo(&config).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn each_backend_states_the_beginning_of_its_locations() {
    let stores = stores(
        "[DEFAULT]\nenabled_backends = a:s3, b:s3\n[glance_store]\ndefault_backend = b\n\
         [backend_defaults]\ns3_store_access_key = AK\ns3_store_secret_key = S\n\
         [a]\ns3_store_host = https://h/gw/\ns3_store_bucket = x\n\
         [b]\ns3_store_host = h:9000\ns3_store_bucket = y\n",
    );
    assert_eq!((stores.mode(), stores.ids().collect::<Vec<_>>()), (Mode::Multi, vec!["a", "b"]));
    let prefix = |id| stores.backend(id).and_then(StoreBackend::prefix);
    assert_eq!(prefix("a").as_deref(), Some("s3+https://h/gw/x/"));
    assert_eq!(prefix("b").as_deref(), Some("s3://h:9000/y/"));
    assert_eq!(stores.default_backend().unwrap().id(), "b");
    assert!(stores.backend("c").is_none());
}

#[test]
fn each_backend_is_reached_in_its_own_way() {
    let stores = fast(
        "s3_store_cacert = /etc/ca.pem\ns3_store_enable_proxy = true\n\
         s3_store_proxy_host = https://proxy.example\ns3_store_proxy_port = 3128\n\
         s3_store_proxy_user = glance\ns3_store_proxy_password = p@ss:w/rd%\n\
         s3_store_proxy_cacert = /etc/proxy.pem\n\
         s3_store_proxy_bypass = .internal, 10.0.0.0/8\n",
    );
    let connection = stores.backend("fast").unwrap().connection();
    assert_eq!(connection.ca_file.as_deref(), Some("/etc/ca.pem"));
    assert_eq!(connection.proxy_ca_file.as_deref(), Some("/etc/proxy.pem"));
    assert!(!connection.insecure);
    let proxy = connection.proxy.as_ref().unwrap();
    assert_eq!((proxy.host(), proxy.port(), proxy.is_tls()), ("proxy.example", 3128, true));
    // RFC 7617: the base64 of `glance:p@ss:w/rd%`.
    assert_eq!(proxy.authorization().unwrap(), "Basic Z2xhbmNlOnBAc3M6dy9yZCU=");
    assert!(proxy.is_bypassed(&Uri::from_static("http://s3.internal/")));
    assert!(!proxy.is_bypassed(&Uri::from_static("http://s3.example/")));
    // A proxy that is not enabled is not used.
    let stores = fast("s3_store_proxy_host = proxy.example\n");
    assert!(stores.backend("fast").unwrap().connection().proxy.is_none());
    let text = errors(
        "[glance_store]\nstores = s3\ns3_store_host = h\ns3_store_bucket = b\n\
         s3_store_access_key = A\ns3_store_secret_key = S\ns3_store_enable_proxy = true\n\
         s3_store_proxy_host = proxy\ns3_store_proxy_bypass = a/b\n",
    );
    assert!(text.contains("bypass list: \"a/b\""), "{text}");
}

#[test]
fn keys_come_from_where_the_configuration_says() {
    let options = "[DEFAULT]\nenabled_backends = a:s3\n[a]\ns3_store_host = http://127.0.0.1:9000\n\
                   s3_store_bucket = images\n";
    let text = errors(options);
    assert!(text.contains("[a] s3_store_access_key: missing required option"), "{text}");
    // From elsewhere: they are waited for.
    let waiting = stores(&format!("{options}s3_store_credential_source = instance\n"));
    let add = Add::new("id");
    let error = waiting.add(None, &add, UploadSource::Seekable(5), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::BadStoreConfiguration);
    assert!(error.to_string().contains("\"a\" has no credentials"), "{error}");
    let auth = Auth::new(Credentials::new(Keys::new("AKROLE", "secret")));
    let given = waiting.with_auth("a", auth).unwrap();
    let signed = |stores: &Stores| {
        let mut by = None;
        let job = stores.size(&image(), 1).unwrap().outcome;
        run(job, |head, _| {
            by = signer(head);
            Answer::new(200).header("content-length", 1)
        });
        by
    };
    assert_eq!(signed(&given).as_deref(), Some("AKROLE"));
}

#[test]
fn nothing_enabled_is_nothing_wrong() {
    let config = OsloConfig::parse([("glance-api.conf", "[DEFAULT]\n")]).unwrap();
    let configuration = Configuration::of_oslo(&config).unwrap();
    let stores = Stores::new(&configuration, &BTreeMap::new()).unwrap();
    assert_eq!(stores.ids().count(), 0);
    let error = stores.size(&image(), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::BadStoreUri);
}

#[test]
fn no_secret_is_shown() {
    let stores = fast(
        "s3_store_secret_key = HUNTER2\ns3_store_session_token = TOKEN7\n\
         s3_store_enable_proxy = true\ns3_store_proxy_host = p\ns3_store_proxy_user = u\n\
         s3_store_proxy_password = PROXY5\n",
    );
    let old = apus_core::store::StoredImage::new("s3://AKOLD:OLD9@127.0.0.1:9000/images/id", None);
    let access = stores.size(&old, 1).unwrap();
    let image = Add::new("id").with_hash(Algorithm::Sha256);
    let shown = [
        format!("{stores:?} {:?}", stores.backend("fast").unwrap().connection()),
        format!("{:?}", stores.add(None, &image, UploadSource::Seekable(5), 1).unwrap()),
        format!("{old:?} {access:?} {:?}", stores.access(&old).unwrap()),
        format!("{:?}", settled(stores.size(&crate::images::image(), 1))),
        stores
            .size(&apus_core::store::StoredImage::new("s3://AK:OLD9@evil/b/k", None), 1)
            .unwrap_err()
            .to_string(),
    ];
    for text in shown {
        for secret in ["HUNTER2", "TOKEN7", "PROXY5", "OLD9"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
