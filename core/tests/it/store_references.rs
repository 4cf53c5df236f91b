//! References: the entries of their file, and the user with which Keystone authenticates a backend
//! in Swift.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_core::Now;
use apus_core::http::{Body, Draft};
use apus_core::keystone::{
    Catalogue, CatalogueService, Endpoint, Interface, Login, Sourced, TokenSource,
};
use apus_core::store::config::{Backend, Configuration, OsloConfig, Reference, SwiftOptions};
use serde_json::{Value, json};

/// What an image service's file has in it.
const FILE: &str = "\
[ref1]
user = tenant:user1
key = key1
auth_address = example.com

[ref3]
user = \"tenant:user3\"
key = 'key3'
auth_address = \"http://example.com/identity/v3\"

[ref4]
user = tenant:user4
key = key4
user_domain_id = userdomainid
project_domain_id = projdomainid
auth_version = 3
auth_address = http://example.com

[ref5]
user = tenant:user5
key = key5
user_domain_name = userdomain
project_domain_name = projdomain
auth_address = http://example.com

[ref7]
application_credential_id = app-cred-id
application_credential_secret = app-cred-secret
user_domain_id = userdomainid
project_domain_id = projdomainid
auth_address = https://example.com/

[ref8]
user = user8
key = key8
auth_address = https://example.com
";

fn references() -> BTreeMap<String, Reference> {
    Reference::read_all("glance-swift.conf", FILE).unwrap()
}

/// What Keystone is asked, whose address is one with its version: another would be looked at first.
fn login(reference: &Reference) -> Box<Draft> {
    let address = reference.address().unwrap().to_string();
    let address = format!("{}/v3", address.trim_end_matches("/v3"));
    let identity = reference.identity().unwrap();
    let mut login = Login::new(&address, identity, reference.scope()).unwrap();
    match login.renew(Now::new(Duration::ZERO, Duration::from_secs(1_440_938_160))) {
        Ok(Sourced::Ask(draft)) => draft,
        other => panic!("{other:?}"),
    }
}

fn auth(reference: &Reference) -> Value {
    match &login(reference).body {
        Body::Bytes(bytes) => {
            let document: Value = serde_json::from_slice(bytes).unwrap();
            document["auth"].clone()
        }
        other => panic!("{other:?}"),
    }
}

/// A backend in Swift with these options.
fn options(text: &str) -> Result<SwiftOptions, String> {
    let text = format!("[DEFAULT]\nenabled_backends = b:swift\n[b]\n{text}");
    let config = OsloConfig::parse([("glance-api.conf", text.as_str())]).unwrap();
    let mut configuration = Configuration::of_oslo(&config).map_err(|errors| errors.to_string())?;
    match configuration.backends.remove("b") {
        Some(Backend::Swift(options)) => Ok(options),
        other => panic!("{other:?}"),
    }
}

/// glance_store 5.0 and newer log in by v3 whatever a reference says; before, 1 and 2 were followed.
#[test]
fn another_version_than_3_is_told_with_its_line_and_value() {
    let text = "[a]\nauth_address = https://k/v3\nuser = p:u\nkey = k\nauth_version = 2\n\
                [b]\nauth_version = 1\nauth_address = http://k/auth/v1.0\nuser = p:u\nkey = k\n\
                [c]\nauth_version = 3\nauth_address = http://k/v2.0/\nuser = p:u\nkey = k\n\
                [d]\nauth_version = '3'\nauth_address = http://k\nuser = p:u\nkey = k\n";
    let found = Reference::read_file("references", text).unwrap();
    assert_eq!(found.references.len(), 4);
    assert_eq!(found.warnings, []);
    let told: Vec<String> = found.remarks.iter().map(|it| it.to_string()).collect();
    let version = "expected 3: the Identity API v3 is used whatever is written here";
    let address =
        "expected the URL of the Identity API v3, or one without a version: each login fails";
    assert_eq!(
        told,
        [
            format!("references:5: [a] auth_version = \"2\": {version}"),
            format!("references:7: [b] auth_version = \"1\": {version}"),
            format!("references:8: [b] auth_address = \"http://k/auth/v1.0\": {address}"),
            format!("references:13: [c] auth_address = \"http://k/v2.0/\": {address}"),
        ]
    );
}

/// The same in the options of a backend.
#[test]
fn an_address_of_an_older_api_is_told() {
    let text = "[DEFAULT]\nenabled_backends = a:swift\n[glance_store]\ndefault_backend = a\n[a]\n\
                swift_store_auth_address = https://k/v2.0\nswift_store_user = p:u\nswift_store_key = k\n";
    let found = Configuration::parse([("glance-api.conf", text)]).unwrap();
    let told: Vec<String> = found.warnings.iter().map(|it| it.to_string()).collect();
    assert_eq!(
        told,
        [
            "glance-api.conf:6: [a] swift_store_auth_address = \"https://k/v2.0\": expected the URL of \
         the Identity API v3, or one without a version: each login fails"
        ]
    );
}

#[test]
fn a_file_is_read_as_it_was() {
    let references = references();
    for (name, user, key, address) in [
        ("ref1", "tenant:user1", "key1", "https://example.com"),
        ("ref3", "tenant:user3", "key3", "http://example.com/identity/v3"),
        ("ref4", "tenant:user4", "key4", "http://example.com"),
    ] {
        let reference = &references[name];
        assert_eq!(reference.user.as_deref(), Some(user));
        assert_eq!(reference.key.as_ref().unwrap().expose(), key);
        assert_eq!(reference.address().unwrap().to_string(), address);
    }
}

#[test]
fn an_address_has_a_scheme_or_gets_https() {
    for (address, url) in [
        ("example.com/v3/", "https://example.com/v3"),
        ("example.com/v3", "https://example.com/v3"),
        ("keystone:5000", "https://keystone:5000"),
        ("http://keystone:5000/identity", "http://keystone:5000/identity"),
    ] {
        let text = format!("[r]\nuser = t:u\nkey = k\nauth_address = {address}\n");
        let reference = Reference::read_all("f", &text).unwrap().remove("r").unwrap();
        assert_eq!(reference.address().unwrap().to_string(), url);
    }
}

#[test]
fn domains_are_those_of_the_reference_or_the_default_one() {
    let references = references();
    let default = json!({"id": "default"});
    for (name, user, user_domain, project_domain) in [
        ("ref1", "user1", default.clone(), default),
        ("ref4", "user4", json!({"id": "userdomainid"}), json!({"id": "projdomainid"})),
        ("ref5", "user5", json!({"name": "userdomain"}), json!({"name": "projdomain"})),
    ] {
        let auth = auth(&references[name]);
        assert_eq!(auth["identity"]["methods"], json!(["password"]));
        let asked = &auth["identity"]["password"]["user"];
        assert_eq!((&asked["name"], &asked["domain"]), (&json!(user), &user_domain), "{name}");
        let project = json!({"project": {"name": "tenant", "domain": project_domain}});
        assert_eq!(auth["scope"], project, "{name}");
    }
    // Without a project, Keystone takes the user's own.
    assert!(auth(&references["ref8"]).get("scope").is_none());
}

#[test]
fn an_application_credential_stands_instead_of_user_and_key() {
    // It has a user and a project, whatever domains stand beside it, and may ask for no scope.
    let credential = json!({"id": "app-cred-id", "secret": "app-cred-secret"});
    assert_eq!(
        auth(&references()["ref7"]),
        json!({"identity": {
            "methods": ["application_credential"], "application_credential": credential,
        }})
    );
}

#[test]
fn a_reference_has_an_address_and_credentials() {
    for (text, problem) in [
        ("user = t:u\nkey = k\n", "missing required option"),
        ("user = t:u\nkey = k\nauth_address =\n", "missing required option"),
        ("auth_address = https://k\n", "user and key, or an application credential"),
        ("auth_address = https://k\nuser = t:u\n", "user and key, or"),
        ("auth_address = https://k\nkey = k\n", "user and key, or"),
        ("auth_address = https://k\napplication_credential_id = i\n", "user and key, or"),
        ("auth_address = https://k\napplication_credential_secret = s\n", "user and key, or"),
    ] {
        let errors = Reference::read_all("f", &format!("[r]\n{text}")).unwrap_err().to_string();
        assert!(errors.contains(problem), "{text}: {errors}");
    }
}

#[test]
fn quotes_go_in_pairs() {
    let key = |written: &str| {
        let text = format!("[r]\nauth_address = https://k\nuser = t:u\nkey = {written}\n");
        let references = Reference::read_all("f", &text).ok()?;
        Some(references["r"].key.as_ref()?.expose().to_owned())
    };
    for (written, read) in [
        ("user", "user"),
        ("\"user\"", "user"),
        ("'user'", "user"),
        ("user'", "user'"),
        ("user\"", "user\""),
    ] {
        assert_eq!(key(written).as_deref(), Some(read), "{written}");
    }
    for written in ["'user\"", "\"user'", "'user", "\"user", "\"", "'"] {
        assert_eq!(key(written), None, "{written}");
    }
}

#[test]
fn files_with_sections_of_the_same_name_are_kept_apart() {
    let file = |user: &str, more: &str| {
        let text = format!("[ref1]\nauth_address = https://k\nuser = {user}\n{more}");
        Reference::read_all("f", &text).unwrap()
    };
    let files = BTreeMap::from([
        (
            "/a.conf".to_owned(),
            file(
                "one:user",
                "key = a\nuser_domain_id = other\n[extra]\nauth_address = https://k\nuser = x:y\nkey = k\n",
            ),
        ),
        ("/b.conf".to_owned(), file("two:user", "key = b\n")),
    ]);
    let [a, b] = ["/a.conf", "/b.conf"].map(|path| {
        let options = options(&format!("swift_store_config_file = {path}\n")).unwrap();
        options.references("b", &files).unwrap()
    });
    assert_eq!((a.len(), b.len()), (2, 1));
    assert_eq!(a["ref1"].key.as_ref().unwrap().expose(), "a");
    assert_eq!(auth(&a["ref1"])["identity"]["password"]["user"]["domain"]["id"], "other");
    assert_eq!(b["ref1"].key.as_ref().unwrap().expose(), "b");
    assert_eq!(auth(&b["ref1"])["identity"]["password"]["user"]["domain"]["id"], "default");
}

#[test]
fn the_options_of_a_backend_are_a_reference_too() {
    let by_password = options(
        "swift_store_auth_address = https://keystone.example\nswift_store_user = t:u\n\
         swift_store_key = k\ndefault_swift_reference = ref_default\n",
    );
    let references = by_password.unwrap().references("b", &BTreeMap::new()).unwrap();
    assert_eq!(references.keys().collect::<Vec<_>>(), ["ref_default"]);
    let auth_of_default = auth(&references["ref_default"]);
    assert_eq!(auth_of_default["identity"]["password"]["user"]["password"], "k");
    assert_eq!(auth_of_default["scope"]["project"]["name"], "t");
    let by_credential = options(
        "swift_store_auth_address = https://keystone.example\n\
         swift_store_application_credential_id = i\n\
         swift_store_application_credential_secret = s\n",
    );
    let references = by_credential.unwrap().references("b", &BTreeMap::new()).unwrap();
    let identity = &auth(&references["ref1"])["identity"];
    assert_eq!(identity["application_credential"], json!({"id": "i", "secret": "s"}));
    for half in ["swift_store_user = t:u\n", "swift_store_application_credential_id = i\n", ""] {
        let text = format!("swift_store_auth_address = https://keystone.example\n{half}");
        let errors = options(&text).unwrap_err();
        assert!(errors.contains("required with swift_store_auth_address"), "{half}: {errors}");
    }
}

#[test]
fn a_reference_counts_before_the_options() {
    let options = options(
        "swift_store_auth_address = https://old\nswift_store_user = old:user\n\
         swift_store_key = old\nswift_store_config_file = /f\n",
    )
    .unwrap();
    let files = BTreeMap::from([("/f".to_owned(), references())]);
    let references = options.references("b", &files).unwrap();
    assert_eq!(references["ref1"].address().unwrap().to_string(), "https://example.com");
    assert_eq!(references["ref1"].user.as_deref(), Some("tenant:user1"));
}

#[test]
fn the_endpoint_is_that_of_the_catalogue_or_the_configured_one() {
    let endpoint = |interface, region: &str, url: &str| {
        let (region, url) = (Some(region.to_owned()), url.to_owned());
        Endpoint { interface, region, url }
    };
    let catalogue = Catalogue {
        services: vec![
            CatalogueService {
                service_type: "object-store".into(),
                name: None,
                endpoints: vec![
                    endpoint(Interface::Public, "RegionOne", "https://one"),
                    endpoint(Interface::Internal, "RegionOne", "https://one.internal"),
                    endpoint(Interface::Public, "WestCarolina", "https://west"),
                ],
            },
            CatalogueService {
                service_type: "toy-store".into(),
                name: None,
                endpoints: vec![endpoint(Interface::Public, "RegionOne", "https://toys")],
            },
        ],
    };
    let found = |more: &str| {
        let filter = options(&format!("swift_store_config_file = f\n{more}")).unwrap().endpoint();
        (catalogue.find(&filter).map(|it| it.url.clone()), filter.endpoint_override)
    };
    let url = |url: &str| Some(url.to_owned());
    assert_eq!(found(""), (url("https://one"), None));
    assert_eq!(found("swift_store_region = WestCarolina\n").0, url("https://west"));
    assert_eq!(found("swift_store_region = Nowhere\n").0, None);
    assert_eq!(found("swift_store_service_type = toy-store\n").0, url("https://toys"));
    assert_eq!(found("swift_store_endpoint_type = internalURL\n").0, url("https://one.internal"));
    let own = "swift_store_endpoint = http://localhost/v1/AUTH_x\n";
    assert_eq!(found(own).1, url("http://localhost/v1/AUTH_x"));
}

#[test]
fn a_container_has_a_name() {
    for text in ["swift_store_container =\n", "swift_store_container = a/b\n"] {
        for mode in ["swift_store_multi_tenant = true\n", "swift_store_config_file = f\n"] {
            let errors = options(&format!("{mode}{text}")).unwrap_err();
            assert!(errors.contains("swift_store_container"), "{errors}");
        }
    }
}
