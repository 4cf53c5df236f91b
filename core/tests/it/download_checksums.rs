//! What a download is validated with: checksums of the full object, combined from ranges, or
//! composite ones over parts; and the reasons why it was not validated.

use apus_core::Kind;
use apus_core::checksum::{
    Algorithm, Composite, NotValidatedReason, ResponseChecksumValidation, Validation,
};
use apus_core::machine::DownloadOptions;
use apus_core::s3::{Config, GetObject};
use http::request;

use crate::support::stored::{Stored, checked, cutting, download, failure, get, serve, wide};
use crate::support::{Answer, Sim, object};

#[test]
fn bytes_that_differ_from_the_servers_checksum_are_told() {
    for options in [DownloadOptions::default(), wide(3, 1000)] {
        let mut stored = Stored::new(5000).with(Algorithm::Crc32c);
        stored.bytes = object(5001).slice(1..);
        let run = serve(get(options, checked, |_| {}), &stored);
        let error = failure(run);
        assert_eq!(error.kind(), Kind::Integrity);
        assert!(error.message().contains("CRC32C"), "{error}");
    }
}

#[test]
fn checksums_of_ranges_combine_to_that_of_the_object() {
    for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
        let stored = Stored::new(10_500).with(algorithm);
        let mut conditions = 0;
        let machine = get(wide(4, 1000), checked, |_| {});
        let run = Sim::new(machine).run(|head, _| {
            let asks = head.headers.contains_key("x-amz-checksum-mode");
            assert!(head.method != "HEAD" || asks);
            conditions += usize::from(head.headers.contains_key("if-match"));
            stored.answer(head)
        });
        assert_eq!(run.requests[0], "HEAD /bucket/key");
        assert_eq!((run.requests.len(), conditions, run.peak), (12, 11, 4));
        let done = run.result.unwrap();
        assert_eq!(done.validation, Validation::Validated(algorithm));
        assert_eq!(done.digests.value(algorithm), algorithm.digest(&stored.bytes).ok().as_ref());
        assert_eq!(run.sink, stored.bytes);
    }
}

#[test]
fn a_checksum_that_does_not_combine_is_computed_over_one_stream() {
    let stored = Stored::new(10_500).with(Algorithm::Sha256);
    let run = cutting(get(wide(4, 1000), checked, |_| {}), &stored, &[0, 3000]);
    assert_eq!(
        run.requests,
        ["HEAD /bucket/key", "GET /bucket/key", "GET /bucket/key bytes=3000-"]
    );
    assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Sha256));
}

/// A multipart object whose parts have these sizes, and what GetObjectAttributes says of it, two
/// parts at a time.
fn multipart(
    algorithm: Algorithm,
    sizes: &[usize],
) -> (Stored, impl Fn(&request::Parts) -> Answer) {
    let stored = Stored::new(sizes.iter().sum());
    let mut rest = &stored.bytes[..];
    let parts = sizes.iter().map(|size| {
        let (part, tail) = rest.split_at(*size);
        rest = tail;
        algorithm.digest(part).unwrap()
    });
    let composite = Composite::of(parts).unwrap().to_string();
    let sizes = sizes.to_vec();
    let attributes = move |head: &request::Parts| {
        assert_eq!(head.uri.query(), Some("attributes"));
        assert_eq!(head.headers["x-amz-object-attributes"], "ETag,ObjectParts");
        let marker = head.headers.get("x-amz-part-number-marker");
        let from = marker.map_or(0, |marker| marker.to_str().unwrap().parse::<usize>().unwrap());
        let until = sizes.len().min(from + 2);
        let mut body = "<GetObjectAttributesResponse><ETag>v1</ETag><ObjectParts>".to_owned();
        for (at, size) in sizes.iter().enumerate().take(until).skip(from) {
            let number = at + 1;
            body += &format!("<Part><PartNumber>{number}</PartNumber><Size>{size}</Size></Part>");
        }
        body += &format!(
            "<IsTruncated>{}</IsTruncated><NextPartNumberMarker>{until}</NextPartNumberMarker>\
             </ObjectParts></GetObjectAttributesResponse>",
            until < sizes.len()
        );
        Answer::new(200).body(body)
    };
    (Stored { checksum: Some((algorithm, composite)), ..stored }, attributes)
}

#[test]
fn a_checksum_over_parts_is_recomputed_where_their_sizes_are_told() {
    // The size of ranges, and how many are read for five parts of these sizes.
    for (algorithm, range_size, ranges, peak) in [
        (Algorithm::Crc32c, 1000, 9, 3),
        (Algorithm::Sha256, 2000, 5, 3),
        // Parts longer than a range can't be cut, nor be held: one after the other.
        (Algorithm::Sha256, 1000, 5, 1),
    ] {
        let (stored, attributes) = multipart(algorithm, &[2000, 1500, 1000, 2000, 700]);
        for ordered in [true, false] {
            let sim = Sim::new(get(wide(3, range_size), checked, |_| {}));
            let sim = if ordered { sim.ordered() } else { sim };
            let mut requests = 0;
            let run = sim.run(|head, _| {
                requests += 1;
                let asks = head.uri.query() == Some("attributes");
                let answer = if asks { attributes(head) } else { stored.answer(head) };
                if !asks && requests % 5 == 0 { answer.cut(300) } else { answer }
            });
            assert_eq!(run.requests.iter().filter(|one| one.contains("?attributes")).count(), 3);
            let starts = run.requests.iter().filter(|one| one.contains("bytes=")).count();
            assert!(starts >= ranges && run.peak == peak, "{starts} {}", run.peak);
            assert_eq!(run.sink, stored.bytes);
            assert_eq!(run.result.unwrap().validation, Validation::Validated(algorithm));
        }
        let mut damaged = stored.clone();
        damaged.bytes = object(7201).slice(1..);
        let run = Sim::new(get(wide(3, range_size), checked, |_| {})).run(|head, _| {
            if head.uri.query().is_some() { attributes(head) } else { damaged.answer(head) }
        });
        assert_eq!(failure(run).kind(), Kind::Integrity);
    }
}

#[test]
fn part_sizes_that_can_not_be_are_not_believed() {
    let sizes = [2000, 1500, 1000];
    let (stored, _) = multipart(Algorithm::Sha256, &sizes);
    let (_, short) = multipart(Algorithm::Sha256, &[2000, 1500]);
    let (_, many) = multipart(Algorithm::Sha256, &[500; 9]);
    let (_, other) = multipart(Algorithm::Sha256, &[2000, 1500, 1001]);
    let (_, none) = multipart(Algorithm::Sha256, &[4500, 0, 0]);
    // Of another object, which was written since.
    let (_, since) = multipart(Algorithm::Sha256, &[1500, 2000, 1000]);
    let since = |head: &request::Parts| {
        let body = String::from_utf8(since(head).body.to_vec()).unwrap();
        Answer::new(200).body(body.replace("v1", "v2"))
    };
    let denied = |_: &request::Parts| Answer::error(403, "AccessDenied");
    let missing = |_: &request::Parts| Answer::error(501, "NotImplemented");
    let object = |_: &request::Parts| Answer::new(200).body(vec![b'x'; 3 << 20]);
    let answers: [&dyn Fn(&request::Parts) -> Answer; 8] =
        [&since, &short, &many, &other, &none, &denied, &missing, &object];
    for attributes in answers {
        let mut asked = 0;
        let run = Sim::new(get(wide(3, 1000), checked, |_| {})).run(|head, _| {
            let asks = head.uri.query().is_some();
            asked += usize::from(asks);
            if asks { attributes(head) } else { stored.answer(head) }
        });
        assert!(asked <= 2, "the object itself is not read again and again");
        assert_eq!(run.sink, stored.bytes);
        assert_eq!(
            run.result.unwrap().validation,
            Validation::NotValidated(NotValidatedReason::Composite)
        );
    }
}

#[test]
fn digests_of_the_callers_choice() {
    let stored = Stored::new(4000);
    let of = |digests: &[Algorithm], concurrency| {
        let options = DownloadOptions { digests: digests.to_vec(), ..wide(concurrency, 1000) };
        let run = serve(download(options), &stored);
        let done = run.result.unwrap();
        for algorithm in digests {
            let expected = algorithm.digest(&stored.bytes).ok();
            assert_eq!(done.digests.value(*algorithm), expected.as_ref());
        }
        run.requests.len()
    };
    assert_eq!(of(&[Algorithm::Crc32, Algorithm::Crc64Nvme], 4), 4);
    assert_eq!(of(&[Algorithm::Md5, Algorithm::Sha512], 1), 1);
    // MD5 only goes forward, so that one stream is read.
    assert_eq!(of(&[Algorithm::Md5], 4), 1);
}

#[test]
fn what_was_not_checked_says_why() {
    let supported = |config: &mut Config| {
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.response = ResponseChecksumValidation::WhenSupported;
    };
    let never = |config: &mut Config| {
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.response = ResponseChecksumValidation::Never;
    };
    let parts = [&object(5000)[..3000], &object(5000)[3000..]];
    let composite =
        Composite::of(parts.map(|part| Algorithm::Sha256.digest(part).unwrap())).unwrap();
    let composite =
        Stored { checksum: Some((Algorithm::Sha256, composite.to_string())), ..Stored::new(5000) };
    let plain = Stored::new(5000);
    let crc = Stored::new(5000).with(Algorithm::Crc32);
    let verdict = |machine, stored: &Stored| serve(machine, stored).result.unwrap().validation;
    for options in [DownloadOptions::default(), wide(3, 1000)] {
        let of = |set: fn(&mut GetObject), config: fn(&mut Config), stored: &Stored| {
            verdict(get(options.clone(), set, config), stored)
        };
        assert_eq!(
            of(checked, supported, &plain),
            Validation::NotValidated(NotValidatedReason::Absent)
        );
        assert_eq!(of(|_| {}, supported, &crc), Validation::Validated(Algorithm::Crc32));
        assert_eq!(of(|_| {}, |_| {}, &crc), Validation::NotValidated(NotValidatedReason::Unasked));
        assert_eq!(
            of(|_| {}, |_| {}, &plain),
            Validation::NotValidated(NotValidatedReason::NotAsked)
        );
        assert_eq!(of(checked, never, &crc), Validation::NotValidated(NotValidatedReason::Unasked));
        assert_eq!(
            of(checked, never, &plain),
            Validation::NotValidated(NotValidatedReason::NotAsked)
        );
        assert_eq!(
            of(checked, |_| {}, &composite),
            Validation::NotValidated(NotValidatedReason::Composite)
        );
    }
}

// Servers that send neither the number of parts nor the type of the checksum.
#[test]
fn a_checksum_over_parts_without_their_number_is_no_integrity_error() {
    for options in [DownloadOptions::default(), wide(3, 1000)] {
        let mut stored = Stored::new(5000).with(Algorithm::Crc32c);
        stored.bytes = object(5001).slice(1..);
        stored.etag = Some("\"9e19a2a32c6bded4f4c3829cd10195f0-2\"");
        let run = serve(get(options, checked, |_| {}), &stored);
        let validation = run.result.unwrap().validation;
        assert_eq!(validation, Validation::NotValidated(NotValidatedReason::Composite));
        assert_eq!(run.sink, stored.bytes);
    }
}
