//! Which digest the parts of an upload have: the one that the provider is known to take, and another
//! once the server refused it.

use std::sync::Arc;

use apus_core::checksum::RequestChecksumCalculation;
use apus_core::machine::{PartLimits, S3Upload, UploadOptions, UploadSource};
use apus_core::quirks::Provider;
use apus_core::s3::Service;

use crate::support::{Answer, Sim, object, service};

fn protective(provider: Provider) -> Arc<Service> {
    service(|config| {
        config.quirks = provider.quirks();
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.request = RequestChecksumCalculation::WhenSupported;
    })
}

/// Uploads two parts; returns the digests of each attempt at a part, and what the creation announced.
fn upload(
    service: &Arc<Service>,
    refuses: impl Fn(&str) -> bool,
) -> (Result<(), apus_core::Error>, Vec<String>, Option<String>) {
    let options = UploadOptions {
        threshold: 8,
        part_size: 8,
        concurrency: 1,
        limits: PartLimits { smallest: 1, ..PartLimits::default() },
        ..UploadOptions::default()
    };
    let source = UploadSource::Seekable(16);
    let upload = S3Upload::new("bucket", "key", source, options, Arc::clone(service), 1).unwrap();
    let (mut parts, mut announced) = (Vec::new(), None);
    let run = Sim::new(upload).source(object(16)).run(|head, _| {
        let query = head.uri.query().unwrap_or_default();
        match head.method.as_str() {
            "POST" if query == "uploads" => {
                let name = head.headers.get("x-amz-checksum-algorithm");
                announced = name.map(|name| name.to_str().unwrap().to_owned());
                Answer::new(200).body("<R><UploadId>u</UploadId></R>")
            }
            "POST" => Answer::new(200).body("<R><ETag>t</ETag></R>"),
            "PUT" => {
                let is_digest =
                    |name: &&str| *name == "content-md5" || name.starts_with("x-amz-checksum-");
                let names: Vec<&str> =
                    head.headers.keys().map(|name| name.as_str()).filter(is_digest).collect();
                let refused = names.iter().any(|name| refuses(name));
                parts.push(names.join(" "));
                match refused {
                    true => Answer::new(501).body(
                        "<Error><Code>NotImplemented</Code><Message>Header \
                         'x-amz-checksum-crc32' with value 'A' not implemented</Message></Error>",
                    ),
                    false => Answer::new(200).header("etag", "\"t\""),
                }
            }
            "DELETE" => Answer::new(204),
            _ => Answer::error(404, "NoSuchUpload"),
        }
    });
    (run.result.map(|_| ()), parts, announced)
}

// Cloudflare R2 before it had CRC32 (aws/aws-sdk-js-v3 6810).
#[test]
fn a_refused_checksum_of_a_part_is_replaced_within_the_upload_and_remembered() {
    let service = protective(Provider::Other);
    let refuses = |name: &str| name.starts_with("x-amz-checksum-");
    let (result, parts, announced) = upload(&service, refuses);
    result.unwrap();
    assert_eq!(parts, ["x-amz-checksum-crc32", "content-md5", "content-md5"]);
    assert_eq!(announced.as_deref(), Some("CRC32"));
    let (result, parts, announced) = upload(&service, refuses);
    result.unwrap();
    assert_eq!((parts, announced), (vec!["content-md5".to_owned(); 2], None));
}

// OVHcloud (earth-mover/icechunk 2115), Google (aws/aws-sdk-java-v2 5987): no checksum headers.
// Oracle: CRC32C and SHA-256.
#[test]
fn the_parts_have_a_digest_that_the_provider_takes() {
    for (provider, digest, announces) in [
        (Provider::Ovh, "content-md5", None),
        (Provider::Gcs, "content-md5", None),
        (Provider::Oci, "x-amz-checksum-crc32c", Some("CRC32C")),
        (Provider::StorageGrid, "x-amz-checksum-sha256", Some("SHA256")),
        (Provider::Ceph, "x-amz-checksum-crc32", Some("CRC32")),
    ] {
        let (result, parts, announced) = upload(&protective(provider), |_| false);
        result.unwrap();
        assert_eq!(parts, [digest, digest], "{provider}");
        assert_eq!(announced.as_deref(), announces, "{provider}");
    }
}
