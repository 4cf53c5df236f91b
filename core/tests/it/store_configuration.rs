//! A `glance-api.conf` becomes checked backends, or a list of everything that is wrong with it.

use apus_core::checksum::{RequestChecksumCalculation, ResponseChecksumValidation};
use apus_core::credentials::CredentialSource;
use apus_core::store::config::{
    Backend, ConfigErrors, Configuration, Mode, OsloConfig, Plain, Reference, S3Options,
    SwiftOptions,
};

fn read(text: &str) -> Result<Configuration, ConfigErrors> {
    Configuration::of_oslo(&OsloConfig::parse([("glance-api.conf", text)]).unwrap())
}

fn s3<'a>(configuration: &'a Configuration, id: &str) -> &'a S3Options {
    match &configuration.backends[id] {
        Backend::S3(options) => options,
        Backend::Swift(_) => panic!("{id} is in Swift"),
    }
}

fn swift<'a>(configuration: &'a Configuration, id: &str) -> &'a SwiftOptions {
    match &configuration.backends[id] {
        Backend::Swift(options) => options,
        Backend::S3(_) => panic!("{id} is in S3"),
    }
}

const SEVERAL: &str = "\
[DEFAULT]
# What an installer leaves behind.
debug = true
enabled_backends = fast:s3, cold:swift,
    local:file
region = eu-west-1

[glance_store]
default_backend = fast

[backend_defaults]
s3_store_thread_pools = 3
s3_store_large_object_chunk_size = 16

[Fast]
s3_store_host = https://s3.${region}.amazonaws.com
s3_store_access_key = 'AKID'
s3_store_secret_key = \"se$$cret\"
s3_store_bucket = images
s3_store_thread_pools = 8
s3_store_enable_data_integrity_protection = yes
s3_store_request_checksum_calculation = always
s3_store_response_checksum_validation = NEVER
s3_store_thread_pool = 5

[cold]
swift_store_config_file = /etc/glance/swift.conf
swift_store_container = glance
swift_store_multiple_containers_seed = 3
";

#[test]
fn several_backends_each_with_its_own_settings() {
    let configuration = read(SEVERAL).unwrap();
    assert_eq!(configuration.mode, Mode::Multi);
    assert_eq!(configuration.default.as_deref(), Some("fast"));
    assert_eq!(configuration.others["local"], "file");
    let fast = s3(&configuration, "fast");
    assert_eq!(fast.endpoint().unwrap().to_string(), "https://s3.eu-west-1.amazonaws.com");
    assert_eq!(fast.region(), "eu-west-1");
    // The backend's own section counts before the defaults of all.
    assert_eq!((fast.s3_store_thread_pools, fast.s3_store_large_object_chunk_size), (8, 16));
    let checksum = fast.config().unwrap().checksum;
    assert_eq!(checksum.request_mode(), RequestChecksumCalculation::WhenSupported);
    assert_eq!(checksum.response_mode(), ResponseChecksumValidation::Never);
    assert_eq!(fast.keys().unwrap().secret_key.expose(), "se$cret");
    assert_eq!(fast.place().unwrap().prefix(), "s3+https://s3.eu-west-1.amazonaws.com/images/");
    let cold = swift(&configuration, "cold");
    assert_eq!(cold.swift_store_expire_soon_interval, 60);
    assert_eq!((cold.segment_size(), cold.large_object_size()), (204_800_000, 5_242_880_000));
    // The name that is nearly one is told, with the right one.
    let warnings: Vec<String> = configuration.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["glance-api.conf:24: [fast] s3_store_thread_pool: unknown option: did you mean \
          s3_store_thread_pools?"]
    );
    assert!(!format!("{configuration:?}").contains("se$cret"));
}

#[test]
fn unknown_options_of_all_backends_are_told_too() {
    let configuration = read(
        "[DEFAULT]\nenabled_backends = cold:swift\n[backend_defaults]\ns3_store_retry = 3\n\
         s3_store_retries = 3\nweight = 4\nrbd_store_pool = p\nfilesystem_store_datadir = /d\n\
         swift_store_contaner = c\nunheard_of = 1\n\
         [cold]\nstore_description = slow\nswift_store_config_file = f\nweigth = 5\n",
    )
    .unwrap();
    let warnings: Vec<String> = configuration.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "glance-api.conf:14: [cold] weigth: unknown option: did you mean weight?",
            "glance-api.conf:4: [backend_defaults] s3_store_retry: unknown option: did you mean \
             s3_store_retries?",
            "glance-api.conf:9: [backend_defaults] swift_store_contaner: unknown option: did you \
             mean swift_store_container?",
            "glance-api.conf:10: [backend_defaults] unheard_of: unknown option",
        ]
    );
}

#[test]
fn the_trustee_of_several_tenants_comes_from_the_file_or_the_options() {
    let file = Reference::read_all(
        "swift.conf",
        "[ref1]\nauth_address = https://k/v3\nuser = service:glance\nkey = k\n",
    )
    .unwrap();
    let files = std::collections::BTreeMap::from([("/etc/swift.conf".to_owned(), file)]);
    let references = |text: &str| {
        let text = format!(
            "[DEFAULT]\nenabled_backends = b:swift\n[b]\nswift_store_multi_tenant = true\n{text}"
        );
        swift(&read(&text).unwrap(), "b").references("b", &files)
    };
    let by_file = references("swift_store_config_file = /etc/swift.conf\n").unwrap();
    assert_eq!(by_file["ref1"].project_and_user(), Some((Some("service"), "glance")));
    let by_options = references(
        "swift_store_auth_address = keystone/v3\nswift_store_user = p:u\nswift_store_key = k\n\
         default_swift_reference = r\n",
    )
    .unwrap();
    assert_eq!(by_options["r"].address().unwrap().to_string(), "https://keystone/v3");
    assert_eq!(references("").unwrap().len(), 0);
    for (text, error) in [
        (
            "swift_store_config_file = /etc/other.conf\n",
            "[b] swift_store_config_file = \"/etc/other.conf\": the file was not read",
        ),
        (
            "swift_store_config_file = /etc/swift.conf\ndefault_swift_reference = ref2\n",
            "[b] default_swift_reference = \"ref2\": expected a section of /etc/swift.conf: ref1",
        ),
    ] {
        assert_eq!(references(text).unwrap_err().to_string(), error);
    }
}

#[test]
fn one_backend_of_each_kind() {
    let configuration = read(
        "[glance_store]\nstores = s3,http\ndefault_store = s3\ns3_store_host = gateway:8080/s3\n\
         s3_store_access_key = A\ns3_store_secret_key = S\ns3_store_bucket = b\n\
         filesystem_store_datadir = /var/lib/glance\n",
    )
    .unwrap();
    assert_eq!(configuration.mode, Mode::Single);
    let options = s3(&configuration, "s3");
    assert_eq!(options.place().unwrap().prefix(), "s3://gateway:8080/s3/b/");
    assert_eq!(options.region(), "us-east-1");
    assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
    // Nothing enabled is no error.
    assert!(read("[DEFAULT]\n").unwrap().backends.is_empty());
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let errors = read(
        "[DEFAULT]\nenabled_backends = a:s3, b:swift, c\n[glance_store]\ndefault_backend = z\n\
         [a]\ns3_store_host = ftp://x\ns3_store_thread_pools = 0\n\
         s3_store_large_object_chunk_size = 4\ns3_store_create_bucket_on_put = maybe\n\
         s3_store_request_checksum_calculation = sometimes\ns3_store_secret_key = $hunter2\n\
         s3_store_access_key = AKIDhunter2\ns3_store_enable_proxy = 1\n\
         [b]\nswift_store_large_object_size = 1\ndefault_swift_reference = a/b\n\
         swift_store_multiple_containers_seed = 33\nswift_store_endpoint_type = public\n",
    )
    .unwrap_err()
    .to_string();
    for expected in [
        "glance-api.conf:2: [DEFAULT] enabled_backends = \"a:s3, b:swift, c\": expected id:kind, \
         id:kind, …",
        // What may be a secret is not repeated.
        "glance-api.conf:11: [a] s3_store_secret_key: the value refers to an option that does not \
         exist; write `$$` for a dollar sign",
        "glance-api.conf:6: [a] s3_store_host = \"ftp://x\": the endpoint has a scheme that is \
         neither https nor http",
        "glance-api.conf:7: [a] s3_store_thread_pools = \"0\": expected a whole number from 1 to 256",
        "glance-api.conf:8: [a] s3_store_large_object_chunk_size = \"4\": expected a whole number \
         from 5 to 5120",
        "glance-api.conf:9: [a] s3_store_create_bucket_on_put = \"maybe\": expected one of true, \
         false",
        "glance-api.conf:10: [a] s3_store_request_checksum_calculation = \"sometimes\": expected \
         one of when_required, when_supported, always, never",
        "[a] s3_store_bucket: missing required option",
        "[a] s3_store_proxy_host: missing option, required where s3_store_enable_proxy is true",
        "[b] swift_store_config_file: missing option, required unless swift_store_auth_address and \
         credentials are set",
        "glance-api.conf:16: [b] default_swift_reference = \"a/b\": expected a name without / : @ ? \
         and #",
        "glance-api.conf:17: [b] swift_store_multiple_containers_seed = \"33\": expected a whole \
         number from 0 to 32",
        "glance-api.conf:4: [glance_store] default_backend = \"z\": expected one of a, b",
    ] {
        assert!(errors.lines().any(|line| line == expected), "{expected}\nin\n{errors}");
    }
    assert!(!errors.contains("hunter2"));
}

#[test]
fn a_host_without_a_scheme_is_encrypted_at_amazon() {
    for (host, endpoint, region) in [
        ("s3.amazonaws.com", "https://s3.amazonaws.com", "us-east-1"),
        ("s3.amazonaws.com:80/", "https://s3.amazonaws.com", "us-east-1"),
        ("s3.amazonaws.com:443", "https://s3.amazonaws.com:443", "us-east-1"),
        ("http://s3.amazonaws.com:80", "http://s3.amazonaws.com:80", "us-east-1"),
        ("s3-eu-west-1.amazonaws.com", "https://s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        (
            "https://s3.dualstack.cn-north-1.amazonaws.com.cn",
            "https://s3.dualstack.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
        ),
        ("localhost:9000", "http://localhost:9000", "us-east-1"),
        ("[::1]:9000", "http://[::1]:9000", "us-east-1"),
    ] {
        let mut options = S3Options::default();
        options.s3_store_host = Some(host.into());
        assert_eq!(options.endpoint().unwrap().to_string(), endpoint, "{host}");
        assert_eq!(options.region(), region, "{host}");
    }
}

/// Amazon's hosts in their dash form contain the region; those of other providers do not.
#[test]
fn the_region_is_taken_from_amazons_hosts_alone() {
    let dashed = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ap-east-1",
        "ap-south-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-north-1",
        "sa-east-1",
    ];
    let mut hosts: Vec<(String, &str)> =
        dashed.iter().map(|region| (format!("s3-{region}.amazonaws.com"), *region)).collect();
    for region in ["cn-north-1", "cn-northwest-1"] {
        hosts.push((format!("s3-{region}.amazonaws.com.cn"), region));
    }
    for other in ["s3.amazonaws.com", "my-object-storage.com", "s3-my-object.jp", "192.168.100.12"]
    {
        hosts.push((other.to_owned(), "us-east-1"));
    }
    for (host, region) in hosts {
        for form in ["", "/", ":80", ":80/"] {
            for scheme in ["", "http://", "https://"] {
                let mut options = S3Options::default();
                options.s3_store_host = Some(format!("{scheme}{host}{form}"));
                assert_eq!(options.region(), region, "{scheme}{host}{form}");
                options.s3_store_region_name = "regionOne".into();
                assert_eq!(&*options.config().unwrap().endpoint.region, "regionOne");
            }
        }
    }
}

#[test]
fn what_a_backend_can_not_be_without() {
    let all = [
        ("s3_store_host", "https://h"),
        ("s3_store_bucket", "b"),
        ("s3_store_access_key", "A"),
        ("s3_store_secret_key", "S"),
    ];
    for (missing, _) in all {
        let mut text = String::from("[DEFAULT]\nenabled_backends = a:s3\n[a]\n");
        for (name, value) in all.iter().filter(|(name, _)| *name != missing) {
            text += &format!("{name} = {value}\n");
        }
        let errors = read(&text).unwrap_err().to_string();
        assert!(errors.contains(&format!("[a] {missing}")), "{errors}");
    }
}

/// What glance_store 5.7 makes of the same ids.
#[test]
fn containers_are_named_as_the_old_store_named_them() {
    let mut options = SwiftOptions::default();
    let id = "FDBBA6A1-6ED8-4B4B-8D7A-ABC91D8B4E25";
    assert_eq!(options.container(id), "glance");
    for (seed, name) in [
        (1, "glance_f"),
        (8, "glance_fdbba6a1"),
        (9, "glance_fdbba6a1-6"),
        (10, "glance_fdbba6a1-6e"),
        (32, "glance_fdbba6a1-6ed8-4b4b-8d7a-abc91d8b4e25"),
    ] {
        options.swift_store_multiple_containers_seed = seed;
        assert_eq!(options.container(id), name);
    }
    assert_eq!(options.tenant_container("1"), "glance_1");
}

#[test]
fn a_backend_says_what_its_locations_begin_with() {
    let prefix = |text: &str| {
        let options = "swift_store_config_file = f\nswift_store_container = images\n";
        let text = format!("[glance_store]\nstores = swift\n{options}{text}");
        swift(&read(&text).unwrap(), "swift").location_prefix()
    };
    assert_eq!(prefix("").as_deref(), Some("swift+config://ref1/images/"));
    let seeded = "swift_store_multiple_containers_seed = 2\ndefault_swift_reference = r\n";
    assert_eq!(prefix(seeded).as_deref(), Some("swift+config://r/images_"));
    let several = "swift_store_multi_tenant = true\n";
    assert_eq!(prefix(several), None);
    let endpoint = format!("{several}swift_store_endpoint = http://swift:8080/v1/AUTH_x/\n");
    let expected = Some("swift+http://swift:8080/v1/AUTH_x/images_");
    assert_eq!(prefix(&endpoint).as_deref(), expected);
    let template = format!("{several}swift_store_endpoint = http://swift/v1/AUTH_%(project_id)s\n");
    assert_eq!(prefix(&template), None);
}

#[test]
fn references_are_read_and_wrong_ones_told() {
    let text = "[DEFAULT]\nuser_domain_id = default\n[ref1]\nAuth_Address = \"https://k/v3\"\n\
                user = 'service:gla:nce'\nkey = pa%%ss\n[Ref2]\nauth_address = http://k:5000\n\
                application_credential_id = i\napplication_credential_secret = s\n";
    let references = Reference::read_all("swift.conf", text).unwrap();
    let first = &references["ref1"];
    assert_eq!(first.auth_address, "https://k/v3");
    assert_eq!(first.key.as_ref().unwrap().expose(), "pa%ss");
    assert!(first.identity().is_ok());
    assert!(references["Ref2"].identity().unwrap().is_application_credential());
    let errors = Reference::read_all(
        "swift.conf",
        "[ref1]\nauth_address = \"https://k\nuser = a:b\nkey = 'hunter2\n[ref2]\nuser = u\n",
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        errors,
        "swift.conf:2: [ref1] auth_address: the value has an unmatched quote\nswift.conf:4: [ref1] \
         key: the value has an unmatched quote\nswift.conf:2: [ref1] auth_address: missing \
         required option\nswift.conf:3: [ref1] user: missing required options: user and key, or an \
         application credential\n[ref2] auth_address: missing required option\nswift.conf:6: \
         [ref2] user: missing required options: user and key, or an application credential"
    );
}

#[test]
fn serde_formats_are_checked_the_same_way() {
    let plain: Plain = serde_json::from_str(
        r#"{"enabled_backends": {"a": "s3"}, "backends": {"a": {
            "s3_store_host": "https://h", "s3_store_bucket": "b", "s3_store_access_key": "A",
            "s3_store_secret_key": "S", "s3_store_thread_pools": 0,
            "s3_store_create_bucket_on_put": true}}}"#,
    )
    .unwrap();
    let errors = Configuration::of_plain(&plain).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "[a] s3_store_thread_pools = \"0\": expected a whole number from 1 to 256"
    );
}

#[test]
fn every_option_of_the_old_stores_is_there_with_its_default() {
    let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
    let specs: std::collections::BTreeMap<_, _> =
        specs.map(|spec| (spec.name, spec.default)).collect();
    // glance_store 5.7.
    for (name, default) in [
        ("s3_store_host", None),
        ("s3_store_access_key", None),
        ("s3_store_secret_key", None),
        ("s3_store_bucket", None),
        ("s3_store_create_bucket_on_put", Some("false")),
        ("s3_store_bucket_url_format", Some("auto")),
        ("s3_store_large_object_size", Some("100")),
        ("s3_store_large_object_chunk_size", Some("10")),
        ("s3_store_thread_pools", Some("10")),
        ("s3_store_enable_data_integrity_protection", Some("false")),
        ("s3_store_request_checksum_calculation", Some("when_required")),
        ("s3_store_response_checksum_validation", Some("when_required")),
        ("swift_store_auth_insecure", Some("false")),
        ("swift_store_endpoint_type", Some("publicURL")),
        ("swift_store_service_type", Some("object-store")),
        ("swift_store_container", Some("glance")),
        ("swift_store_large_object_size", Some("5120")),
        ("swift_store_large_object_chunk_size", Some("200")),
        ("swift_store_create_container_on_put", Some("false")),
        ("swift_store_multi_tenant", Some("false")),
        ("swift_store_multiple_containers_seed", Some("0")),
        ("swift_store_admin_tenants", None),
        ("swift_store_ssl_compression", Some("true")),
        ("swift_store_retry_get_count", Some("0")),
        ("swift_store_expire_soon_interval", Some("60")),
        ("swift_store_use_trusts", Some("true")),
        ("swift_buffer_on_upload", Some("false")),
        ("default_swift_reference", Some("ref1")),
        ("swift_store_auth_version", Some("3")),
        // The specification of proxies.
        ("s3_store_enable_proxy", Some("false")),
        ("s3_store_proxy_host", None),
        ("s3_store_proxy_port", Some("8080")),
        ("s3_store_proxy_user", None),
        ("s3_store_proxy_password", None),
    ] {
        let known = specs.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(known.as_deref(), default, "{name}");
    }
}

#[test]
fn keys_come_from_where_a_backend_says() {
    let backend = |options: &str| {
        format!(
            "[DEFAULT]\nenabled_backends = fast:s3\n[glance_store]\ndefault_backend = fast\n[fast]\n\
             s3_store_host = https://s3.example.com\ns3_store_bucket = images\n{options}"
        )
    };
    for source in CredentialSource::ALL {
        let options = match source {
            CredentialSource::Static => "s3_store_access_key = A\ns3_store_secret_key = S\n",
            CredentialSource::Profile => "s3_store_profile = images\n",
            _ => "",
        };
        let text = backend(&format!("s3_store_credential_source = {source}\n{options}"));
        let configuration = read(&text).unwrap();
        let fast = s3(&configuration, "fast");
        assert_eq!(fast.s3_store_credential_source, source);
        assert_eq!(fast.keys().is_some(), source == CredentialSource::Static);
    }
    for (options, expect) in [
        ("", "[fast] s3_store_access_key: missing required option"),
        (
            "s3_store_credential_source = vault\n",
            "expected one of static, environment, profile, default-chain, web-identity, container, \
             instance",
        ),
        (
            "s3_store_credential_source = profile\n",
            "[fast] s3_store_profile: missing option, required where \
             s3_store_credential_source is profile",
        ),
        (
            "s3_store_credential_source = instance\ns3_store_profile = a\n",
            "s3_store_profile = \"a\": this option is valid only where s3_store_credential_source \
             is profile",
        ),
        (
            "s3_store_credential_source = environment\ns3_store_secret_key = hunter2\n",
            "glance-api.conf:9: [fast] s3_store_secret_key: this option is not valid where \
             s3_store_credential_source is environment",
        ),
    ] {
        let error = read(&backend(options)).unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains("hunter2"), "{error}");
    }
    // Every key that is missing is told of, and one that is wrong is told of once.
    for (options, expect) in [
        (
            "",
            &[
                "[fast] s3_store_access_key: missing required option",
                "[fast] s3_store_secret_key: missing required option",
            ][..],
        ),
        (
            "s3_store_access_key =\ns3_store_secret_key = hunter2\n",
            &["8: [fast] s3_store_access_key: missing required option"],
        ),
        (
            "s3_store_access_key = A\ns3_store_secret_key = hunter2$x\n",
            &["9: [fast] s3_store_secret_key: "],
        ),
    ] {
        let error = read(&backend(options)).unwrap_err().to_string();
        assert!(expect.iter().all(|expect| error.contains(expect)), "{error}");
        assert_eq!(error.matches("_key: ").count(), expect.len(), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let specs = S3Options::specs();
    let spec = specs.iter().find(|spec| spec.name == "s3_store_credential_source").unwrap();
    assert_eq!(spec.choices, CredentialSource::ALL.map(CredentialSource::name));
}
