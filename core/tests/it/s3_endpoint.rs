//! The endpoints of S3 requests.
//!
//! Expected values are from the S3 User Guide ("Virtual hosting of general purpose buckets",
//! "Dual-stack endpoints", "Transfer Acceleration", "Access point naming") if a case says so, and
//! otherwise from botocore 1.44.5's endpoint rule set for S3.

use apus_core::Kind;
use apus_core::s3::endpoint::{Addressing, BaseUrl, Endpoint, EndpointConfig, Resolver};

fn aws(region: &str) -> EndpointConfig {
    EndpointConfig::aws(region)
}

fn custom(url: &str) -> EndpointConfig {
    EndpointConfig::custom(BaseUrl::parse(url).unwrap(), "")
}

fn resolve(config: EndpointConfig, bucket: impl Into<Option<&'static str>>) -> Endpoint {
    Resolver::new(config).unwrap().resolve(bucket.into()).unwrap()
}

fn url(config: EndpointConfig, bucket: impl Into<Option<&'static str>>) -> String {
    resolve(config, bucket).url()
}

/// What a refusal says, of [`Kind::InvalidInput`].
#[track_caller]
fn refusal(config: EndpointConfig, bucket: impl Into<Option<&'static str>>) -> String {
    let error = Resolver::new(config)
        .and_then(|resolver| resolver.resolve(bucket.into()))
        .expect_err("should be refused");
    assert_eq!(error.kind(), Kind::InvalidInput);
    error.message().to_owned()
}

#[test]
fn the_user_guides_hosts() {
    let config = || aws("us-west-2");
    let path = EndpointConfig { addressing: Addressing::Path, ..config() };
    let dual = EndpointConfig { use_dualstack: true, ..config() };
    let dual_path = EndpointConfig { addressing: Addressing::Path, ..dual.clone() };
    let fast = EndpointConfig { accelerate: true, ..config() };
    let fast_path = EndpointConfig { addressing: Addressing::Path, ..fast.clone() };
    let fast_dual = EndpointConfig { accelerate: true, ..dual.clone() };
    let fips = EndpointConfig { use_fips: true, ..config() };
    let bucket = "amzn-s3-demo-bucket1";
    for (config, expected) in [
        (config(), "https://amzn-s3-demo-bucket1.s3.us-west-2.amazonaws.com"),
        (path, "https://s3.us-west-2.amazonaws.com/amzn-s3-demo-bucket1"),
        (dual, "https://amzn-s3-demo-bucket1.s3.dualstack.us-west-2.amazonaws.com"),
        (dual_path, "https://s3.dualstack.us-west-2.amazonaws.com/amzn-s3-demo-bucket1"),
        (fast, "https://amzn-s3-demo-bucket1.s3-accelerate.amazonaws.com"),
        (fast_path, "https://amzn-s3-demo-bucket1.s3-accelerate.amazonaws.com"),
        (fast_dual, "https://amzn-s3-demo-bucket1.s3-accelerate.dualstack.amazonaws.com"),
        (fips, "https://amzn-s3-demo-bucket1.s3-fips.us-west-2.amazonaws.com"),
    ] {
        let endpoint = resolve(config, bucket);
        assert_eq!(endpoint.url(), expected);
        assert_eq!((&*endpoint.signing_region, endpoint.signing_name), ("us-west-2", "s3"));
        assert_eq!(endpoint.host.as_bytes(), endpoint.authority.as_str().as_bytes());
    }
}

#[test]
fn partitions_have_their_own_domains() {
    for (region, expected) in [
        ("cn-north-1", "https://b-b.s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "https://b-b.s3.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "https://b-b.s3.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "https://b-b.s3.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "https://b-b.s3.us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1", "https://b-b.s3.eu-isoe-west-1.cloud.adc-e.uk"),
        ("us-isof-south-1", "https://b-b.s3.us-isof-south-1.csp.hci.ic.gov"),
        ("xx-future-7", "https://b-b.s3.xx-future-7.amazonaws.com"),
    ] {
        assert_eq!(url(aws(region), "b-b"), expected);
    }
}

#[test]
fn the_global_endpoint() {
    let global = EndpointConfig { use_global_endpoint: true, ..aws("us-east-1") };
    assert_eq!(url(global.clone(), "bucket"), "https://bucket.s3.amazonaws.com");
    assert_eq!(url(global, None), "https://s3.amazonaws.com");
    assert_eq!(url(aws("us-east-1"), "bucket"), "https://bucket.s3.us-east-1.amazonaws.com");

    let elsewhere = EndpointConfig { use_global_endpoint: true, ..aws("eu-west-1") };
    assert_eq!(url(elsewhere, "bucket"), "https://bucket.s3.eu-west-1.amazonaws.com");

    let pseudo = resolve(aws("aws-global"), "bucket");
    assert_eq!(pseudo.url(), "https://bucket.s3.amazonaws.com");
    assert_eq!(&*pseudo.signing_region, "us-east-1");
    let pseudo_fips = EndpointConfig { use_fips: true, ..aws("aws-global") };
    assert_eq!(url(pseudo_fips, "bucket"), "https://bucket.s3-fips.us-east-1.amazonaws.com");
}

#[test]
fn names_that_are_no_host_label_go_into_the_path() {
    let s3 = "https://s3.eu-west-1.amazonaws.com";
    for bucket in ["my.bucket", "Upper", "under_score", "ab", "-lead", "trail-", "192.168.1.1"] {
        let expected = format!("{s3}/{bucket}");
        let endpoint = Resolver::new(aws("eu-west-1")).unwrap().resolve(Some(bucket)).unwrap();
        assert_eq!(endpoint.url(), expected);
    }
    let alias = "my-access-point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias";
    assert_eq!(url(aws("eu-west-1"), alias), format!("https://{alias}.s3.eu-west-1.amazonaws.com"),);
}

#[test]
fn custom_endpoints_are_addressed_by_path() {
    for (endpoint, expected) in [
        ("http://127.0.0.1:7480", "http://127.0.0.1:7480/bucket"),
        ("https://S3.Example.com/", "https://s3.example.com/bucket"),
        ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080/bucket"),
        ("https://example.com:8443/a/b%20c//", "https://example.com:8443/a/b%20c/bucket"),
    ] {
        assert_eq!(url(custom(endpoint), "bucket"), expected);
        let without = expected.strip_suffix("/bucket").unwrap();
        assert_eq!(url(custom(endpoint), None), without);
    }
    assert_eq!(&*resolve(custom("http://host"), "bucket").signing_region, "us-east-1");
}

#[test]
fn custom_endpoints_with_the_bucket_in_the_host() {
    let config = |url: &str| EndpointConfig { addressing: Addressing::Virtual, ..custom(url) };
    for (endpoint, bucket, expected) in [
        ("https://example.com:8443/a/", "bucket", "https://bucket.example.com:8443/a"),
        ("http://example.com", "my.bucket", "http://my.bucket.example.com"),
        ("https://example.com", "my.bucket", "https://example.com/my.bucket"),
        ("http://127.0.0.1:9000", "bucket", "http://127.0.0.1:9000/bucket"),
        ("http://127.0.0.1:9000", "my.bucket", "http://127.0.0.1:9000/my.bucket"),
        ("http://[::1]:9000", "bucket", "http://[::1]:9000/bucket"),
        ("https://example.com", "Upper", "https://example.com/Upper"),
    ] {
        assert_eq!(url(config(endpoint), bucket), expected);
    }
    assert_eq!(
        url(custom("https://s3-accelerate.amazonaws.com"), "bucket"),
        "https://bucket.s3-accelerate.amazonaws.com",
    );
}

#[test]
fn the_host_header_leaves_out_the_port_of_the_scheme() {
    for (endpoint, authority, host) in [
        ("https://example.com:443", "bucket.example.com:443", "bucket.example.com"),
        ("http://example.com:80", "bucket.example.com:80", "bucket.example.com"),
        ("http://example.com:443", "bucket.example.com:443", "bucket.example.com:443"),
        ("https://example.com", "bucket.example.com", "bucket.example.com"),
    ] {
        let config = EndpointConfig { addressing: Addressing::Virtual, ..custom(endpoint) };
        let endpoint = resolve(config, "bucket");
        assert_eq!(endpoint.authority.as_str(), authority);
        assert_eq!(endpoint.host, host);
    }
}

#[test]
fn access_points() {
    // The User Guide's example; a colon may stand for the slash.
    for arn in [
        "arn:aws:s3:us-west-2:123456789012:accesspoint/my-access-point",
        "arn:aws:s3:us-west-2:123456789012:accesspoint:my-access-point",
    ] {
        let endpoint = resolve(aws("eu-west-1"), arn);
        assert_eq!(
            endpoint.url(),
            "https://my-access-point-123456789012.s3-accesspoint.us-west-2.amazonaws.com"
        );
        assert_eq!((&*endpoint.signing_region, endpoint.signing_name), ("us-west-2", "s3"));
    }

    let arn = "arn:aws:s3:us-west-2:123456789012:accesspoint:myendpoint";
    let both = EndpointConfig { use_fips: true, use_dualstack: true, ..aws("us-west-2") };
    assert_eq!(
        url(both, arn),
        "https://myendpoint-123456789012.s3-accesspoint-fips.dualstack.us-west-2.amazonaws.com",
    );
    assert_eq!(
        url(custom("https://beta.example.com:8443/x"), arn),
        "https://myendpoint-123456789012.beta.example.com:8443/x",
    );

    let path = EndpointConfig { addressing: Addressing::Path, ..aws("us-west-2") };
    assert_eq!(
        url(path, arn),
        "https://myendpoint-123456789012.s3-accesspoint.us-west-2.amazonaws.com",
    );

    let lambda = "arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/mybanner";
    let endpoint = resolve(aws("us-west-2"), lambda);
    assert_eq!(
        endpoint.url(),
        "https://mybanner-123456789012.s3-object-lambda.us-east-1.amazonaws.com"
    );
    assert_eq!(
        (&*endpoint.signing_region, endpoint.signing_name),
        ("us-east-1", "s3-object-lambda")
    );
}

#[test]
fn access_points_that_are_refused() {
    let arn = "arn:aws:s3:us-west-2:123456789012:accesspoint:myendpoint";
    let here_only = EndpointConfig { use_arn_region: false, ..aws("eu-west-1") };
    assert!(refusal(here_only, arn).contains("`us-west-2` is not the client's region `eu-west-1`"));
    let here = EndpointConfig { use_arn_region: false, ..aws("us-west-2") };
    assert!(url(here, arn).starts_with("https://myendpoint-123456789012."));
    let none = EndpointConfig { disable_access_points: true, ..aws("us-west-2") };
    assert!(refusal(none, arn).contains("access points"));
    let fast = EndpointConfig { accelerate: true, ..aws("us-west-2") };
    assert!(refusal(fast, arn).contains("acceleration"));
    assert!(refusal(aws("cn-north-1"), arn).contains("partition"));
    for (arn, why) in [
        ("arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap", "SigV4A"),
        ("arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01/accesspoint/ap", "Outposts"),
        ("arn:aws:s3:us-west-2:123456789012:bucket_name:mybucket", "not an access point"),
        ("arn:aws:s3:us-west-2:123456789012:accesspoint", "followed by a name"),
        ("arn:aws:s3:us-west-2:123456789012:accesspoint:a:b", "only one resource"),
        ("arn:aws:s3:us-west-2::accesspoint:ap", "account"),
        ("arn:aws:s3:us-west-2:12_3:accesspoint:ap", "account"),
        ("arn:aws:s3:us-west-2:123456789012:accesspoint:a_b", "name"),
        ("arn:aws:s3:us_west:123456789012:accesspoint:ap", "region"),
        ("arn:aws:s3-object-lambda::123456789012:accesspoint:ap", "region"),
        ("arn:aws:sqs:us-west-2:123456789012:accesspoint:ap", "service is not s3"),
        ("arn::s3:us-west-2:123456789012:accesspoint:ap", "partition"),
        ("arn:aws:s3:us-west-2", "expected arn:"),
        ("arn:", "expected arn:"),
    ] {
        let said = refusal(aws("us-west-2"), arn);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn buckets_that_are_refused() {
    for (bucket, why) in [
        ("", "invalid bucket name"),
        (".", "invalid bucket name"),
        ("..", "invalid bucket name"),
        ("a/b", "invalid bucket name"),
        ("a b", "invalid bucket name"),
        ("a\r\nb", "invalid bucket name"),
        ("b\u{fc}cher", "invalid bucket name"),
        ("tenant:bucket", "invalid bucket name"),
        ("bucket--usw2-az1--x-s3", "directory bucket"),
        ("point--usw2-az1--xa-s3", "directory bucket"),
        ("test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3", "Outposts"),
    ] {
        let said = refusal(aws("us-west-2"), bucket);
        assert!(said.contains(why), "{said}");
    }
    let resolver = Resolver::new(aws("us-west-2")).unwrap();
    assert!(resolver.resolve(Some(&"a".repeat(255))).is_ok());
    assert!(resolver.resolve(Some(&"a".repeat(256))).is_err());
    // Ceph's way to name another tenant's bucket ("RGW Multi-tenancy").
    assert_eq!(url(custom("http://rgw"), "tenant:bucket"), "http://rgw/tenant%3Abucket");
}

#[test]
fn configurations_that_contradict_themselves() {
    let on = |config: EndpointConfig| refusal(config, "bucket");
    assert!(on(aws("")).contains("missing region or endpoint"));
    for region in ["us_east_1", "-a", "a-", "a.b", "us-east-1/evil.org", "us east"] {
        assert!(on(aws(region)).contains("invalid region"), "{region}");
    }
    let fips = EndpointConfig { use_fips: true, ..aws("us-east-1") };
    assert!(on(EndpointConfig { accelerate: true, ..fips.clone() }).contains("FIPS"));
    assert!(on(EndpointConfig { region: "cn-north-1".into(), ..fips }).contains("FIPS"));
    let fast = EndpointConfig { accelerate: true, ..aws("us-east-1") };
    assert!(on(EndpointConfig { region: "cn-north-1".into(), ..fast.clone() }).contains("accel"));
    assert!(refusal(fast.clone(), "my.bucket").contains("acceleration requires"));
    assert_eq!(url(fast, None), "https://s3.us-east-1.amazonaws.com");
    let own = || custom("https://example.com");
    assert!(on(EndpointConfig { use_fips: true, ..own() }).contains("custom endpoint"));
    assert!(on(EndpointConfig { use_dualstack: true, ..own() }).contains("custom endpoint"));
    assert!(on(EndpointConfig { accelerate: true, ..own() }).contains("custom endpoint"));
}

#[test]
fn another_region_after_a_redirect() {
    let resolver = Resolver::new(aws("us-east-1")).unwrap();
    let moved = resolver.with_region("eu-central-1").unwrap().resolve(Some("bucket")).unwrap();
    assert_eq!(moved.url(), "https://bucket.s3.eu-central-1.amazonaws.com");
    assert_eq!(&*moved.signing_region, "eu-central-1");
    assert!(resolver.with_region("cn-north-1").is_err());
    assert!(resolver.with_region("evil.org/").is_err());
    assert!(resolver.with_region("").is_err());

    let resolver = Resolver::new(custom("http://127.0.0.1:9000")).unwrap();
    let moved = resolver.with_region("garage").unwrap().resolve(Some("bucket")).unwrap();
    assert_eq!(moved.url(), "http://127.0.0.1:9000/bucket");
    assert_eq!(&*moved.signing_region, "garage");
}

#[test]
fn one_request_can_be_addressed_otherwise() {
    let resolver = Resolver::new(aws("us-east-1")).unwrap();
    let endpoint = resolver.resolve_as(Addressing::Path, Some("bucket")).unwrap();
    assert_eq!(endpoint.url(), "https://s3.us-east-1.amazonaws.com/bucket");
}

#[test]
fn endpoints_that_are_no_base_url() {
    for (text, why) in [
        ("example.com", "write https://HOST"),
        ("localhost:9000", "write https://HOST"),
        ("ftp://example.com", "neither https nor http"),
        ("https://", "host"),
        ("https:///path", "host"),
        ("https://:8080", "host"),
        ("https://a..b", "host"),
        ("https://exa mple.com", "host"),
        ("https://b\u{fc}cher.example", "xn--"),
        ("https://example.com\\evil", "host"),
        ("https://[::1", "IPv6"),
        ("https://[::g]", "IPv6"),
        ("https://[::1]x:80", "IPv6"),
        ("https://::1", "port"),
        ("https://example.com:0", "port"),
        ("https://example.com:65536", "port"),
        ("https://example.com:+80", "port"),
        ("https://example.com:80:80", "port"),
        ("https://example.com?x=y", "query"),
        ("https://example.com/#f", "fragment"),
        ("https://example.com/a/../b", "segment"),
        ("https://example.com/%2e%2E/b", "segment"),
        ("https://example.com/a b", "percent-encoded"),
        ("https://example.com/%zz", "percent-encoded"),
        ("https://example.com/a\r\nHost: b", "percent-encoded"),
    ] {
        let error = BaseUrl::parse(text).expect_err(text);
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert!(error.message().contains(why), "{text}: {}", error.message());
    }
}

#[test]
fn credentials_in_an_endpoint_are_not_repeated() {
    for text in [
        "https://AKID:s3cret@example.com",
        "http://AKID:s3cr/et@example.com/x",
        "AKID:s3cret@example.com",
        "https://AKID:s3cret%40example.com",
        "https://example.com/?secret=s3cret",
    ] {
        let error = BaseUrl::parse(text).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("s3cr") && !said.contains("AKID"), "{said}");
    }
}

#[cfg(feature = "url")]
#[test]
fn endpoints_from_url_values() {
    let read = |text: &str| BaseUrl::try_from(&url::Url::parse(text).unwrap());
    assert_eq!(
        read("https://B\u{fc}cher.example:8443/a/").unwrap().to_string(),
        "https://xn--bcher-kva.example:8443/a"
    );
    assert!(read("https://user:pw@example.com").is_err());
    assert!(read("https://example.com/?q").is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_panics(endpoint: String, region: String, bucket: String) {
        let configs = [
            Some(EndpointConfig::aws(region.as_str())),
            BaseUrl::parse(&endpoint).ok().map(|url| EndpointConfig::custom(url, region.as_str())),
        ];
        for config in configs.into_iter().flatten() {
            if let Ok(resolver) = Resolver::new(config) {
                let _ = resolver.resolve(Some(&bucket));
            }
        }
    }

    #[test]
    fn what_is_accepted_is_a_uri_on_the_configured_host(
        endpoint in "https?://[a-z0-9.:\\[\\]]{0,12}(/[!-~]{0,8})?",
        bucket in "[!-~]{1,12}",
        in_host: bool,
    ) {
        let Ok(base) = BaseUrl::parse(&endpoint) else { return Ok(()) };
        proptest::prop_assert_eq!(&BaseUrl::parse(&base.to_string()).unwrap(), &base);
        let addressing = if in_host { Addressing::Virtual } else { Addressing::Auto };
        let config =
            EndpointConfig { addressing, ..EndpointConfig::custom(base.clone(), "us-east-1") };
        if let Ok(endpoint) = Resolver::new(config).unwrap().resolve(Some(&bucket)) {
            let uri: http::Uri = endpoint.url().parse().unwrap();
            proptest::prop_assert!(uri.authority().unwrap().as_str().ends_with(base.authority()));
        }
    }

    #[test]
    fn arns_never_panic(tail in "[a-z0-9:/._-]{0,40}") {
        let resolver = Resolver::new(EndpointConfig::aws("us-east-1")).unwrap();
        if let Ok(endpoint) = resolver.resolve(Some(&format!("arn:aws:s3:us-east-1:1:{tail}"))) {
            proptest::prop_assert!(endpoint.authority.as_str().ends_with(".amazonaws.com"));
        }
    }
}
