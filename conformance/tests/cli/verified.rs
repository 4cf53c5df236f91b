//! What is read is compared with what is known of it, and so is a copy.

use std::fs;

use apus_conformance::server::{
    EmbeddedOpenStack, EmbeddedS3, FaultyS3, Manners, OpenStackModel, Options, Request, S3Model,
    Scripted,
};

use crate::program::Program;

/// FIPS 180-4 and RFC 1321: the digests of "abc".
const SHA256: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const MD5: &str = "md5:900150983cd24fb0d6963f7d28e17f72";
/// The digest of "abd".
const OTHER: &str = "sha256:a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9";

fn stage() -> (EmbeddedS3, Program) {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    program.run_with(&["-q", "put", "-", "--id", "abc"], b"abc").ends(0);
    (server, program)
}

#[test]
fn an_expected_digest_and_size_are_enforced() {
    let (_server, program) = stage();
    let ran = program.run(&["get", "abc", "-o", "out", "--expect", SHA256, "--expect", MD5]);
    ran.ends(0).says("has the expected SHA256 and MD5");
    assert_eq!(fs::read(program.path("out")).unwrap(), b"abc");
    program.write("out", b"old");
    program.run(&["get", "abc", "-o", "out", "--expect", OTHER]).ends(8).says("SHA256");
    program.run(&["get", "abc", "-o", "out", "--size", "4"]).ends(8).says("key abc");
    assert_eq!(fs::read(program.path("out")).unwrap(), b"old");
    program.run(&["get", "abc", "-o", "out", "--size", "3"]).ends(0);
    let ran = program.run(&["get", "abc", "--size", "4"]).ends(8);
    assert_eq!(ran.out, "", "nothing is written of another size");
    // A part has no digest of the whole.
    program.run(&["get", "abc", "--range", "0-1", "--expect", SHA256]).ends(2);
    program.run(&["get", "abc", "--expect", "sha256:12"]).ends(2).says("64 hex digits");
}

/// FIPS 180-4: the digest of "abc".
#[test]
fn an_expected_sha512_is_enforced_in_swift_and_for_a_resumed_download() {
    let sha512 = "SHA512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                  2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
    let cloud = EmbeddedOpenStack::start(OpenStackModel::new().with_container("glance", "images"));
    let cloud = cloud.unwrap();
    let (_server, program) = stage();
    let program = program.with_swift("cold", &cloud, "images");
    program.run_with(&["-q", "-b", "cold", "put", "-", "--id", "abd"], b"abd").ends(0);
    program.run_with(&["-q", "-b", "cold", "put", "-", "--id", "abc"], b"abc").ends(0);
    for more in [&[][..], &["--resume"]] {
        let get = |name: &str| {
            let arguments = [&["get", name, "-o", "out", "--expect", sha512][..], more].concat();
            program.run(&arguments)
        };
        get("abc").ends(0);
        get("cold:abc").ends(0);
        assert_eq!(fs::read(program.path("out")).unwrap(), b"abc");
        get("cold:abd").ends(8).says("SHA512").says("backend cold");
        assert_eq!(fs::read(program.path("out")).unwrap(), b"abc");
        fs::remove_file(program.path("out")).unwrap();
        get("cold:abd").ends(8);
        assert!(!program.path("out").exists());
        assert!(!program.path(".out.apus-part").exists());
    }
}

#[test]
fn digests_are_printed_on_request_as_expect_takes_them() {
    let (_server, program) = stage();
    let digests = ["--digest", "SHA256", "--digest", "md5"];
    let ran = program.run(&[&["get", "abc", "-o", "out"][..], &digests].concat()).ends(0);
    assert_eq!(ran.out, format!("{SHA256}\n{MD5}\n"));
    let ran = program.run(&[&["get", "abc"][..], &digests].concat()).ends(0).says(SHA256);
    assert_eq!(ran.out, "abc");
    let told = &program.json(&[&["get", "abc", "-o", "out"][..], &digests].concat())[0];
    assert_eq!(told["digests"]["md5"], MD5.trim_start_matches("md5:"));
    assert_eq!(told["validated"], true);
}

#[test]
fn the_checksum_that_a_server_keeps_is_compared_unless_the_configuration_forbids_it() {
    let server = FaultyS3::start(S3Model::new().with_bucket("images")).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options);
    let conf = fs::read_to_string(program.path("glance-api.conf")).unwrap();
    let parts = "s3_store_large_object_size = 1\ns3_store_large_object_chunk_size = 5\n\
                 s3_store_enable_data_integrity_protection = true\n\
                 s3_store_request_checksum_calculation = when_supported\n\
                 s3_store_checksum_algorithm = CRC64NVME\n";
    program.write("glance-api.conf", format!("{conf}{parts}").as_bytes());
    let image = vec![7; 11 << 20];
    program.run_with(&["-q", "put", "-", "--id", "parts"], &image).ends(0);
    program.run_with(&["-q", "put", "-", "--id", "whole"], b"abc").ends(0);
    // The defaults, with which an image service asks for no checksum.
    program.write("glance-api.conf", conf.as_bytes());
    for id in ["parts", "whole"] {
        program.run(&["get", id, "-o", "out"]).ends(0).says("validated by CRC64NVME");
    }
    let never = format!("{conf}s3_store_response_checksum_validation = never\n");
    program.write("glance-api.conf", never.as_bytes());
    program.run(&["get", "whole", "-o", "out"]).ends(0).says("validated by MD5");
}

#[test]
fn a_copy_is_compared_on_both_sides() {
    let (_server, program) = stage();
    let cloud = EmbeddedOpenStack::start(OpenStackModel::new().with_container("glance", "images"));
    let cloud = cloud.unwrap();
    let program = program.with_swift("cold", &cloud, "images");
    let copy = &program.json(&["copy", "abc", "--to", "cold"])[0];
    assert_eq!(copy["copy_checked"], "has the MD5 as its ETag");
    assert_eq!(copy["read_again"], false);
    let copy = &program.json(&["copy", "abc", "--to", "cold", "--id", "b", "--read-again"])[0];
    assert_eq!((&copy["read_again"], &copy["size"]), (&true.into(), &3.into()));
    // The ETag of an object in parts is no MD5 of its bytes.
    let conf = fs::read_to_string(program.path("glance-api.conf")).unwrap();
    let parts = "s3_store_large_object_size = 1\ns3_store_large_object_chunk_size = 5\n";
    let conf = conf.replace("[fast]\n", &format!("[fast]\n{parts}"));
    program.write("glance-api.conf", conf.as_bytes());
    program.run_with(&["-q", "-b", "cold", "put", "-", "--id", "big"], &vec![7; 6 << 20]).ends(0);
    let copy = &program.json(&["-b", "cold", "copy", "big", "--to", "fast"])[0];
    assert_eq!(copy["copy_checked"], "read again, has the SHA512");
}

/// A copy by the server, whose ETag and size a HEAD shows.
#[test]
fn a_copy_that_the_server_makes_is_compared_on_both_sides() {
    for wrong in [None, Some("ETag"), Some("Content-Length")] {
        let mut model = S3Model::new().with_bucket("images").with_object("images", "a/x", "abc");
        model = model.with_bucket("copies");
        let server = Scripted::start(move |request: &Request| {
            let reply = model.handle(request);
            match wrong {
                Some(name)
                    if request.method == "HEAD" && request.target.starts_with("/copies/") =>
                {
                    // The MD5 and the length of other bytes.
                    let other =
                        if name == "ETag" { "\"4911e516e5aa21d327512e0c8b197616\"" } else { "4" };
                    reply.replace_header(name, other)
                }
                _ => reply,
            }
        });
        let server = server.unwrap();
        let program = Program::new()
            .with_endpoint("fast", &server.endpoint(), "images")
            .with_endpoint("cold", &server.endpoint(), "copies");
        let copy = ["copy", "-R", "a/", "--to", "cold", "--id", "b/"];
        match wrong {
            None => {
                let told = &program.json(&copy)[0];
                assert_eq!(told["copy_checked"], "size and ETag and CRC64NVME");
            }
            Some(_) => {
                let ran = program.run(&copy).ends(9);
                ran.says("the copy copies/b/x differs from images/a/x");
            }
        }
    }
}

/// An object that was uploaded in parts has an ETag that is no MD5 of its bytes: a checksum of the
/// whole, where both sides have one, takes its place. Ceph 16 has none.
#[test]
fn a_copy_without_comparable_tags_is_compared_by_checksum_or_said_to_be_by_size_alone() {
    for (manners, wrong, expected) in [
        (Manners::default(), false, Some("size and CRC64NVME")),
        (Manners::default(), true, None),
        (Manners::ceph16(), false, Some("size alone")),
    ] {
        let mut model = S3Model::new().with_manners(manners).with_bucket("copies");
        model = model.with_multipart_object("images", "a/x", "abcdef", 2);
        let server = Scripted::start(move |request: &Request| {
            let reply = model.handle(request);
            match wrong && request.method == "HEAD" && request.target.starts_with("/copies/") {
                // That of other bytes.
                true => reply.replace_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAE="),
                false => reply,
            }
        });
        let server = server.unwrap();
        let program = Program::new()
            .with_endpoint("fast", &server.endpoint(), "images")
            .with_endpoint("cold", &server.endpoint(), "copies");
        let copy = ["--json", "copy", "-R", "a/", "--to", "cold", "--id", "b/"];
        let Some(expected) = expected else {
            program.run(&copy).ends(9).says("the copy copies/b/x differs from images/a/x");
            continue;
        };
        let ran = program.run(&copy).ends(0);
        let ran = ran.prints(&format!("\"copy_checked\":\"{expected}\""));
        assert_eq!(
            ran.err.contains("compared by size alone"),
            expected == "size alone",
            "{}",
            ran.err
        );
        assert_eq!(ran.err.contains("--read-again"), expected == "size alone", "{}", ran.err);
    }
}
