//! How the servers of each backend are reached: certificates and proxies, from its own options.

use std::collections::BTreeMap;

use apus_core::store::config::{Configuration, OsloConfig};
use apus_core::store::{Connection, Stores};

fn connection(section: &str) -> Connection {
    let text = format!(
        "[DEFAULT]\nenabled_backends = a:s3, b:swift\n[backend_defaults]\ns3_store_host = https://h\n\
         s3_store_bucket = b\ns3_store_access_key = A\ns3_store_secret_key = S\n\
         [b]\nswift_store_multi_tenant = true\n{section}"
    );
    let config = OsloConfig::parse([("glance-api.conf", text.as_str())]).unwrap();
    let stores = Stores::new(&Configuration::of_oslo(&config).unwrap(), &BTreeMap::new()).unwrap();
    let id = if section.starts_with("[a]") { "a" } else { "b" };
    stores.backend(id).unwrap().connection().clone()
}

#[test]
fn certificates_are_looked_at_as_configured() {
    let plain = connection("[a]\n");
    assert_eq!((plain.ca_file, plain.insecure), (None, false));
    let own = connection("[a]\ns3_store_cacert = path/to/cert/bundle.pem\n");
    assert_eq!(own.ca_file.as_deref(), Some("path/to/cert/bundle.pem"));
    // Nothing after the sign is nothing.
    assert_eq!(connection("[a]\ns3_store_cacert =\n").ca_file, None);
    let plain = connection("[b]\n");
    assert_eq!((plain.ca_file, plain.insecure), (None, false));
    let own = connection("[b]\nswift_store_cacert = /foo/bar\n");
    assert_eq!((own.ca_file.as_deref(), own.insecure), (Some("/foo/bar"), false));
    assert!(connection("[b]\nswift_store_auth_insecure = True\n").insecure);
}

#[test]
fn each_backend_has_its_own_proxy() {
    for (id, kind) in [("a", "s3_store"), ("b", "swift_store")] {
        let options = format!(
            "{kind}_proxy_host = proxy.example\n{kind}_proxy_user = lab@user\n\
             {kind}_proxy_password = p@ss:w/rd%\n"
        );
        assert!(connection(&format!("[{id}]\n{options}")).proxy.is_none(), "it is not enabled");
        let connection = connection(&format!("[{id}]\n{kind}_enable_proxy = true\n{options}"));
        let proxy = connection.proxy.as_ref().unwrap();
        assert_eq!((proxy.host(), proxy.port(), proxy.is_tls()), ("proxy.example", 8080, false));
        // RFC 7617, by Python's base64.
        let expected = "Basic bGFiQHVzZXI6cEBzczp3L3JkJQ==";
        assert_eq!(proxy.authorization().unwrap(), expected);
        assert!(!format!("{connection:?}").contains("p@ss"));
    }
}
