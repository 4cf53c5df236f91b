//! A `glance-api.conf` as operators write it: what glance_store takes is taken, and what is
//! probably not meant is told.

use apus_core::store::config::{Backend, ConfigErrors, Configuration, Mode, Reference};

fn read(text: &str) -> Result<Configuration, ConfigErrors> {
    Configuration::parse([("glance-api.conf", text)])
}

fn warnings(text: &str) -> Vec<String> {
    let configuration = read(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    configuration.warnings.iter().map(ToString::to_string).collect()
}

const S3: &str = "s3_store_host = https://h\ns3_store_bucket = b\ns3_store_access_key = A\n\
                  s3_store_secret_key = S\n";
const SWIFT: &str = "swift_store_auth_address = https://k/v3\nswift_store_user = p:u\n\
                     swift_store_key = k\n";

// glance_store 5.7: its entry points, the schemes of its drivers, the choices of `default_store`
// and the defaults of both options; `verify_default_store` is what the image service calls.
#[test]
fn one_backend_is_named_by_entry_points_and_schemes() {
    for (stores, default, ours, id) in [
        ("stores = glance.store.swift.Store\n", "default_store = swift\n", "swift", "swift"),
        ("stores = swift\n", "default_store = swift+http\n", "swift", "swift"),
        ("stores = swift\n", "default_store = swift+https\n", "swift", "swift"),
        ("stores = file, swift,\n", "default_store = swift+config\n", "swift", "swift"),
        (
            "stores = glance.store.filesystem.Store,s3\n",
            "default_store = filesystem\n",
            "s3",
            "file",
        ),
        ("stores = file,s3\n", "", "s3", "file"),
        ("", "default_store = file\n", "", "file"),
        ("", "default_store = filesystem\n", "", "file"),
        ("", "default_store = https\n", "", "http"),
        ("", "", "", "file"),
        ("stores = vmware,s3\n", "default_store = vsphere\n", "s3", "vmware"),
    ] {
        let text = format!("[glance_store]\n{stores}{default}{S3}{SWIFT}");
        let found = read(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        assert_eq!((found.mode, found.default.as_deref()), (Mode::Single, Some(id)), "{text}");
        let ids: Vec<&str> = found.backends.keys().map(String::as_str).collect();
        assert_eq!(ids.join(","), ours, "{text}");
        assert!(found.unstartable.is_empty(), "{text}");
    }
    for (text, expected) in [
        ("default_store = s3\n", "expected one of file, filesystem, http, https"),
        ("stores = s3\ndefault_store = file\n", "expected one of s3"),
        ("stores = s3\ndefault_store = s3+https\n", "expected one of s3"),
        ("stores = s3\ndefault_store = S3\n", "expected one of s3"),
        ("stores = vmware\ndefault_store = vmware\n", "expected one of vsphere"),
    ] {
        let errors = read(&format!("[glance_store]\n{text}{S3}")).unwrap_err().to_string();
        assert!(errors.contains("default_store") && errors.contains(expected), "{errors}");
    }
    // Their default is `file`, and no Glance starts where that is not one of them.
    let found = read(&format!("[glance_store]\nstores = s3\n{S3}")).unwrap();
    assert_eq!(found.default.as_deref(), Some("s3"));
    assert!(found.unstartable[0].to_string().contains("its default is file"));
    let found = read(&format!("[DEFAULT]\nenabled_backends = a:s3\n[a]\n{S3}")).unwrap();
    assert_eq!((found.default, found.unstartable.len()), (None, 1));
}

#[test]
fn what_the_old_store_takes_is_at_most_a_warning() {
    let several = |options: &str| {
        format!(
            "[DEFAULT]\nenabled_backends = a:s3, b:swift\n[glance_store]\ndefault_backend = a\n\
             [a]\n{S3}[b]\n{SWIFT}{options}"
        )
    };
    for (options, warning) in [
        ("swift_store_large_object_size = 100\n", "an object between them is one segment"),
        ("default_swift_reference =\n", "the name is empty: ref1 is used"),
        ("swift_store_large_object_size = 99999999999999999999\n", "the largest value is 5243"),
        ("swift_store_large_object_chunk_size = 6000\n", "the largest value is 5243"),
        ("swift_store_retry_get_count = 1_000_000\n", "the largest value is 10000"),
        ("swift_store_expire_soon_interval = 100000\n", "the largest value is 86400"),
        ("[backend_defaults]\ns3_store_large_object_size = 6000\n", "the largest value is 5120"),
        (
            "[backend_defaults]\ns3_store_large_object_chunk_size = 6000\n",
            "the largest value is 5120",
        ),
        ("[backend_defaults]\ns3_store_thread_pools = 1000\n", "the largest value is 256"),
    ] {
        let told = warnings(&several(options));
        assert!(told.iter().any(|told| told.contains(warning)), "{options}{told:?}");
    }
    let found = read(&several("default_swift_reference =\n")).unwrap();
    let Backend::Swift(swift) = &found.backends["b"] else { panic!("it is in Swift") };
    assert_eq!(swift.location_prefix().as_deref(), Some("swift+config://ref1/glance/"));
    // A number that is empty is that of the defaults of all backends.
    let text = several(
        "swift_store_large_object_size =\n[backend_defaults]\n\
                        swift_store_large_object_size = 7000\nswift_store_config_file = f\n",
    );
    let told = warnings(&text);
    assert!(told.iter().any(|told| told.contains("[b] swift_store_large_object_size")), "{told:?}");
    assert!(
        told.iter().any(|told| told.contains("from the section of a backend only")),
        "{told:?}"
    );
    assert!(read(&format!("[glance_store]\nstores = s3\n{S3}s3_store_thread_pools =\n")).is_err());
}

#[test]
fn what_is_not_meant_is_told() {
    let several = |enabled: &str, rest: &str| {
        format!(
            "[DEFAULT]\nenabled_backends = {enabled}\n[glance_store]\ndefault_backend = ok\n\
             [ok]\n{S3}{rest}"
        )
    };
    for (enabled, rest, warning) in [
        (
            "ok:s3, b:swfit",
            "",
            "backend b is left out: its kind \"swfit\" is unknown: did you mean swift?",
        ),
        ("ok:s3, b:S3", "", "its kind \"S3\" is unknown: did you mean s3?"),
        ("ok:s3, b:s4", "", "its kind \"s4\" is unknown: did you mean s3?"),
        ("ok:s3, b:s3 # old", "", "a comment is part of the value"),
        ("ok:s3, b:", "", "backend b is left out: it has no kind"),
        ("ok:s3, b:glance.store.s3.Store", "", "write s3"),
        ("ok:s3, b:sheepdog", "", "expected one of cinder, file, http, rbd, s3, swift, vmware"),
        ("ok:s3", "s3_store_bucket = other\n", "more than once: line 7 does not count"),
        ("ok:s3", "[DEFAULT]\ns3_store_retries = 1\n", "options of backends are read from [ok]"),
        (
            "ok:s3",
            "[glance_store]\ns3_store_bucket = b\n",
            "options of backends are read from [ok]",
        ),
        ("ok:s3", "[okk]\ns3_store_retries = 1\n", "no backend is called okk; sections: [ok]"),
        ("ok:s3", "[default]\nenabled_backends = x:s3\n", "read from [DEFAULT] only"),
        ("ok:s3", "[DEFAULT]\ndefault_backend = ok\n", "read from [glance_store] only"),
        ("ok:s3", "s3_store_region_name = eu # here\n", "a comment after a value is part of it"),
        ("ok:file", "", "no backend is in S3 or Swift"),
        ("ok:s3", "[DEFAULT]\nenabled-backends = x:s3\n", "did you mean enabled_backends?"),
        ("ok:s3", "[glance_store]\ndefault_backends = x\n", "did you mean default_backend?"),
        ("ok:s3", "s3-store-retries = 1\n", "did you mean s3_store_retries?"),
        ("ok:s3, b:file http", "", "its kind is \"file http\": separate backends by commas"),
        ("ok:s3, b:file c:http", "", "separate backends by commas"),
    ] {
        let told = warnings(&several(enabled, rest));
        assert!(told.iter().any(|told| told.contains(warning)), "{enabled}\n{rest}{told:?}");
    }
    assert!(warnings(&several("ok:s3", "")).is_empty());
    // What is about all backends may be in the section of one that has this id.
    let own = format!(
        "[DEFAULT]\nenabled_backends = glance_store:s3\n[glance_store]\n\
         default_backend = glance_store\n{S3}"
    );
    assert!(warnings(&own).is_empty());
    for (text, warning) in [
        ("", "the configuration has no options"),
        ("[glance_store]\n", "the configuration has no options"),
        ("[glance_store]\nstores = file\n", "no backend is in S3 or Swift"),
        ("[DEFAULT]\ndebug = true\n", "no backend is in S3 or Swift"),
        ("[DEFAULT]\ns3_store_host = h\n", "options of backends are read from [glance_store]"),
        ("[glance_store]\nstores = file,S3\n", "\"S3\" is left out"),
        ("[glance_store]\nstore = s3\n", "did you mean stores?"),
        ("[glance_store]\ndefault-store = file\n", "did you mean default_store?"),
        ("[DEFAULT]\nenabled_backend = a:s3\n", "did you mean enabled_backends?"),
    ] {
        let told = warnings(text);
        assert!(told.iter().any(|told| told.contains(warning)), "{text}{told:?}");
    }
    // A kind that is unknown is an error where new images go.
    let errors = read(&several("ok:S3", "")).unwrap_err().to_string();
    assert!(errors.contains("default_backend = \"ok\": its kind \"S3\" is unknown"), "{errors}");
    let bucket = several("ok:s3", "").replace("bucket = b\n", "bucket = im ages\n");
    let errors = read(&bucket).unwrap_err().to_string();
    assert!(errors.contains("[ok] s3_store_bucket = \"im ages\": invalid bucket name"), "{errors}");
    for enabled in ["ok:s3,", "ok:s3, ok:swift", ":s3, ok:s3", "ok"] {
        assert!(read(&several(enabled, "")).is_err(), "{enabled}");
    }
}

// glance 33 with glance_store 5.7: `check_reserved_stores` is called when it starts; oslo.config's
// choices are compared with their case; `verify_default_store` finds no scheme.
#[test]
fn what_keeps_an_image_service_from_starting_is_told() {
    let several = |enabled: &str, options: &str| {
        format!(
            "[DEFAULT]\nenabled_backends = {enabled}\n[glance_store]\ndefault_backend = a\n\
             [a]\n{S3}[b]\n{SWIFT}{options}"
        )
    };
    for kind in ["file", "s3"] {
        let text = several(&format!("a:s3, os_glance_staging_store:{kind}"), "");
        let text = format!("{text}[os_glance_staging_store]\n{S3}");
        let found = read(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        assert!(found.unstartable[0].to_string().contains("reserves ids"), "{text}");
    }
    // The section of a reserved store may be written: where the staged files are.
    let text =
        several("a:s3, b:swift", "[os_glance_staging_store]\nfilesystem_store_datadir = /x\n");
    let found = read(&text).unwrap();
    assert!(found.warnings.is_empty() && found.unstartable.is_empty(), "{found:?}");
    for (options, expected) in [
        ("swift_store_endpoint_type = public\n", "expected one of publicURL, internalURL"),
        ("swift_store_endpoint_type = PublicURL\n", "expected one of publicURL, internalURL"),
        ("[a]\ns3_store_request_checksum_calculation = When_Required\n", "expected one of when_"),
        ("[a]\ns3_store_response_checksum_validation = WHEN_SUPPORTED\n", "one of when_required"),
    ] {
        let errors = read(&several("a:s3, b:swift", options)).unwrap_err().to_string();
        assert!(errors.contains(expected), "{errors}");
    }
    for stores in ["S3", "[s3]", "file s3"] {
        let text = format!("[glance_store]\nstores = {stores}\ndefault_store = s3\n{S3}");
        let errors = read(&text).unwrap_err().to_string();
        assert!(errors.contains("\"s3\": no backend in `stores` is of a kind"), "{errors}");
    }
}

// glance_store 5.7 splits the user at its one `:`, and refuses each request otherwise.
#[test]
fn a_user_without_a_project_is_told_and_not_shown() {
    let enabled =
        "[DEFAULT]\nenabled_backends = b:swift\n[glance_store]\ndefault_backend = b\n[b]\n";
    for (user, warning) in [
        ("hunter2", "without a project"),
        (":hunter2", "without a project"),
        ("hunter2:b:c", "more than one `:`"),
    ] {
        let told = warnings(&format!("{enabled}{SWIFT}swift_store_user = {user}\n")).join("\n");
        assert!(told.contains("[b] swift_store_user: expected project:user"), "{told}");
        assert!(told.contains(warning) && !told.contains("hunter2"), "{told}");
        let text = format!("[ref1]\nauth_address = https://k/v3\nuser = {user}\nkey = k\n");
        let found = Reference::read_file("swift.conf", &text).unwrap();
        let told = found.remarks[0].to_string();
        assert!(told.starts_with("swift.conf:3: [ref1] user: expected project:user"), "{told}");
        assert!(told.contains(warning) && !told.contains("hunter2"), "{told}");
    }
    let errors = read(&format!(
        "{enabled}swift_store_auth_address = https://k/v3\nswift_store_user = p:hunter2\n"
    ));
    let errors = errors.unwrap_err().to_string();
    assert!(errors.contains("[b] swift_store_user: ") && !errors.contains("hunter2"), "{errors}");
}

// Botocore 1.44: the bucket is put before the host also where the host has it; `s3-website` is no
// host of the API, and a region in a host is that of its signatures.
#[test]
fn a_host_of_amazon_that_is_not_meant_is_told() {
    let of = |host: &str, region: &str| {
        let text = format!(
            "[DEFAULT]\nenabled_backends = a:s3\n[glance_store]\ndefault_backend = a\n[a]\n{S3}\
             s3_store_region_name = {region}\n"
        );
        let text = text.replace("https://h", host).replace("bucket = b\n", "bucket = images\n");
        warnings(&text).join("\n")
    };
    let bucket = "the host begins with the bucket";
    let website = "serves websites";
    for (host, region, warning) in [
        ("images.s3.eu-west-1.amazonaws.com", "", bucket),
        ("https://Images.S3.amazonaws.com", "", bucket),
        ("images.s3-eu-west-1.amazonaws.com", "", bucket),
        ("s3-website-us-east-1.amazonaws.com", "", website),
        ("images.s3-website.eu-central-1.amazonaws.com", "", website),
        ("s3.eu-west-1.amazonaws.com", "us-east-1", "the host is in the region eu-west-1"),
        ("s3-us-gov-west-1.amazonaws.com", "eu-west-1", "the host is in the region us-gov-west-1"),
        ("s3.cn-north-1.amazonaws.com.cn", "eu-west-1", "in another partition"),
    ] {
        let told = of(host, region);
        assert!(told.contains(warning) && told.lines().count() == 1, "{host} {region}: {told}");
    }
    for (host, region) in [
        ("s3.amazonaws.com", "eu-west-1"),
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.eu-west-1.amazonaws.com", ""),
        ("images.example.com", ""),
        ("vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com", ""),
    ] {
        assert_eq!(of(host, region), "", "{host} {region}");
    }
}

#[test]
fn a_wrong_line_hides_nothing() {
    let errors = read(
        "[DEFAULT]\nenabled_backends = a:s3\nnonsense\n[glance_store]\ndefault_backend = z\n\
         [broken\ns3_store_host = h\n[a]\ns3_store_thread_pools = 0\ns3_store_hots = h\n",
    )
    .unwrap_err();
    let told = errors.to_string();
    for expected in [
        "glance-api.conf:3: the line has neither",
        "glance-api.conf:6: the section does not end",
        "glance-api.conf:9: [a] s3_store_thread_pools",
        "default_backend = \"z\"",
        "[a] s3_store_host: missing required option",
    ] {
        assert!(told.contains(expected), "{expected}\nin\n{told}");
    }
    assert!(errors.warnings()[0].to_string().contains("s3_store_hots"));
    // Nothing is said of the options below a header that can't be read.
    assert!(!told.contains("s3_store_host = "), "{told}");
    let errors = read("\u{feff}[DEFAULT]\nenabled_backends = a:s4\n").unwrap_err().to_string();
    assert!(errors.starts_with("glance-api.conf:1: the file begins with a byte order mark"));
}

#[test]
fn a_section_that_is_no_reference_spoils_no_other() {
    let text = "[ref1]\nauth_address = https://k/v3\nuser = p:u\nkey = hunter2\n\
                application_credential_id = i\n[old]\nuser = 'x\n[empty]\n[half]\nauth_address = a\n\
                user =\nkey = k\n";
    let found = Reference::read_file("swift.conf", text).unwrap();
    assert_eq!(found.references.keys().collect::<Vec<_>>(), ["ref1"]);
    // An application credential without its secret does not count.
    assert_eq!(found.references["ref1"].project_and_user(), Some((Some("p"), "u")));
    assert!(found.references["ref1"].identity().is_ok());
    let told: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|told| told.starts_with("swift.conf:7: [old] user: the value has an un"))
    );
    assert!(
        told.iter().any(|told| told.starts_with("swift.conf:11: [half] user: missing")),
        "{told:?}"
    );
    // What comes after the first option that is missing is not looked at, as in glance_store.
    let early = Reference::read_file("swift.conf", "[a]\nkey = 5%\n").unwrap();
    assert!(early.references.is_empty() && early.warnings.len() > 1);
    for (text, expected) in [
        (
            "[a]\nauth_address = a\nuser = u\nkey = 5%\n",
            "swift.conf:4: [a] key: the value has a `%` that is not doubled",
        ),
        ("[a]\nkey = 1\n[a]\n", "swift.conf:3: the section is in the file already"),
        ("[a]\nkey = 1\nKEY = 2\n", "swift.conf:3: the option is in the section already"),
    ] {
        let errors = Reference::read_file("swift.conf", text).unwrap_err().to_string();
        assert!(errors.contains(expected), "{errors}");
    }
}
