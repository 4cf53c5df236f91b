//! Writes with a response of 2xx whose body can't be read or is cut off: what was carried out is
//! neither repeated nor reported as failed.

use apus_core::contract::Operation;
use apus_core::machine::Call;
use apus_core::s3::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, CopyObject, CopySource,
    CreateBucket, CreateMultipartUpload, DeleteBucket, DeleteObject, DeleteObjects, HeadObject,
    ListObjectsV2, PutBucketPolicy, PutBucketTagging, PutObject, Service, UploadPart,
    UploadPartCopy,
};
use apus_core::{Error, Kind};

use crate::support::{Answer, Run, Sim, service};

/// Calls it at a server that gives these answers, one after the other.
fn call<O: Operation<Service = Service>>(operation: O, answers: &[Answer]) -> Run<Call<O>> {
    let mut answers = answers.iter().cloned();
    Sim::new(Call::new(operation, service(|_| {}), 1))
        .run(|head, _| answers.next().unwrap_or_else(|| panic!("too much is asked: {head:?}")))
}

fn ok(body: &str) -> Answer {
    Answer::new(200).body(body.to_owned())
}

fn copy() -> CopyObject {
    CopyObject::new("bucket", "key", CopySource::new("bucket", "source"))
}

fn copy_part() -> UploadPartCopy {
    UploadPartCopy::new("bucket", "key", "id", 1, CopySource::new("bucket", "source"))
}

/// Of parts of `hello ` and `world`, whose object's tag follows from theirs.
fn complete() -> CompleteMultipartUpload {
    let parts = vec![
        CompletedPart::new(1, "f814893777bcc2295fff05f00e508da6"),
        CompletedPart::new(2, "7d793037a0760186574b0282f2f435e7"),
    ];
    CompleteMultipartUpload::new("bucket", "key", "id", parts)
}

fn shown(etag: &str) -> Answer {
    Answer::new(200).header("content-length", 11).header("etag", etag)
}

fn parts(listed: &str) -> Answer {
    ok(&format!("<ListPartsResult><UploadId>id</UploadId>{listed}</ListPartsResult>"))
}

#[track_caller]
fn unknown(run: Run<impl apus_core::contract::Machine>, requests: usize) -> Error {
    let error = run.result.err().expect("nothing proves it");
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(run.requests.len(), requests, "{:?}", run.requests);
    error
}

#[test]
fn decoration_that_can_not_be_read_is_left_out() {
    // moto, Ceph, and servers that write dates as HTTP does, or not at all.
    for date in ["Wed, 28 Oct 2009 22:32:00 GMT", "2009-10-28T22:32:00.000Z", "yesterday", ""] {
        let sums = "<ChecksumCRC32>?</ChecksumCRC32><ChecksumType>new</ChecksumType>";
        let body = format!("<LastModified>{date}</LastModified><ETag>tag</ETag>{sums}");
        let done = call(copy(), &[ok(&format!("<CopyObjectResult>{body}</CopyObjectResult>"))]);
        let done = done.result.unwrap();
        assert_eq!(done.stored.etag.opaque(), "tag");
        let known = date.contains("2009").then_some(1_256_769_120);
        assert_eq!(done.last_modified.map(|date| date.unix()), known, "{date}");
        call(copy_part(), &[ok(&format!("<CopyPartResult>{body}</CopyPartResult>"))])
            .result
            .unwrap();
    }
    let put = Answer::new(200).header("etag", "tag").header("x-amz-checksum-crc32", "?");
    call(PutObject::new("bucket", "key", "hello"), &[put]).result.unwrap();
}

#[test]
fn documents_are_judged_by_what_is_in_them() {
    // The names that moto 5.2 gives the roots.
    let body =
        "<CompleteMultipartUploadResponse><ETag>tag</ETag></CompleteMultipartUploadResponse>";
    assert_eq!(call(complete(), &[ok(body)]).result.unwrap().stored.etag.opaque(), "tag");
    let body = "<CopyObjectResponse><ETag>tag</ETag></CopyObjectResponse>";
    assert_eq!(call(copy(), &[ok(body)]).result.unwrap().stored.etag.opaque(), "tag");
    let body =
        "<CreateMultipartUploadResponse><UploadId>id</UploadId></CreateMultipartUploadResponse>";
    let create = || CreateMultipartUpload::new("bucket", "key");
    assert_eq!(call(create(), &[ok(body)]).result.unwrap().upload_id, "id");
    // White space and marks before the declaration, prefixes, other name spaces.
    for before in ["", "\n \n", "\u{FEFF}", " \u{FEFF}\n"] {
        let body = format!(
            "{before}<?xml version=\"1.0\"?><s:InitiateMultipartUploadResult xmlns:s=\"urn:x\">\
             <s:UploadId>id</s:UploadId></s:InitiateMultipartUploadResult>"
        );
        assert_eq!(call(create(), &[ok(&body)]).result.unwrap().upload_id, "id", "{before:?}");
    }
}

#[test]
fn an_error_in_a_success_is_the_refusal_whatever_is_around_it() {
    for (open, close) in [
        ("", ""),
        ("<ErrorResponse>", "</ErrorResponse>"),
        ("<Response><Errors>", "</Errors></Response>"),
    ] {
        let body = format!("{open}<Error><Code>AccessDenied</Code></Error>{close}");
        for error in [
            call(PutObject::new("bucket", "key", ""), &vec![ok(&body); 5]).result.unwrap_err(),
            call(complete(), &vec![ok(&body); 5]).result.unwrap_err(),
        ] {
            assert!(!error.outcome_unknown(), "{error}");
            assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("AccessDenied")));
        }
    }
}

#[test]
fn a_write_that_was_answered_is_sent_once_whatever_its_body_is() {
    let page = "<!DOCTYPE html><html><body>Welcome to the hotel</body></html>";
    for body in ["no XML", "<Foreign/>", "{}", page] {
        let answer = || [ok(body)];
        unknown(call(copy_part(), &answer()), 1);
        unknown(call(CreateMultipartUpload::new("bucket", "key"), &answer()), 1);
        unknown(call(DeleteObjects::new("bucket", ["a"]), &answer()), 1);
        let error = unknown(call(copy(), &answer()), 1);
        assert_eq!(error.kind(), Kind::InvalidResponse);
    }
    // The page of a portal is no success of an operation that says nothing either.
    unknown(call(CreateBucket::new("bucket"), &[ok(page)]), 1);
    unknown(call(UploadPart::new("bucket", "key", "id", 1, "a"), &[ok(page)]), 1);
    // An upload of unknown id.
    let nameless = "<InitiateMultipartUploadResult></InitiateMultipartUploadResult>";
    unknown(call(CreateMultipartUpload::new("bucket", "key"), &[ok(nameless)]), 1);
    // What changes nothing is asked again.
    let page = ok("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    call(ListObjectsV2::new("bucket"), &[ok("no XML"), page]).result.unwrap();
}

/// The status said that it was carried out, and the rest of the answer never came.
#[test]
fn a_write_that_was_answered_is_sent_once_wherever_its_answer_is_cut() {
    let deleted = "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>";
    let copied = "<CopyObjectResult><ETag>tag</ETag></CopyObjectResult>";
    let created = "<InitiateMultipartUploadResult><UploadId>id</UploadId>\
                   </InitiateMultipartUploadResult>";
    for at in [0, 1, 9, 20] {
        let error = unknown(call(DeleteObjects::new("bucket", ["a"]), &[ok(deleted).cut(at)]), 1);
        assert!(error.look_at().unwrap().contains("bucket"), "{error}");
        let error = unknown(call(CreateBucket::new("bucket"), &[ok(copied).cut(at)]), 1);
        assert!(error.look_at().unwrap().contains("bucket"), "{error}");
        let error = unknown(call(PutBucketPolicy::new("bucket", "{}"), &[ok(copied).cut(at)]), 1);
        assert!(error.look_at().unwrap().contains("PutBucketPolicy"), "{error}");
        let tags = PutBucketTagging { bucket: "bucket".into(), ..PutBucketTagging::default() };
        unknown(call(tags, &[ok(copied).cut(at)]), 1);
        unknown(call(DeleteBucket::new("bucket"), &[ok(copied).cut(at)]), 1);
        let abort = AbortMultipartUpload::new("bucket", "key", "id");
        unknown(call(abort, &[ok(copied).cut(at)]), 1);
        unknown(call(copy(), &[ok(copied).cut(at)]), 1);
        unknown(call(CreateMultipartUpload::new("bucket", "key"), &[ok(created).cut(at)]), 1);
        // What a HEAD tells.
        let opaque = || Answer::new(200).header("content-length", 5).header("etag", "opaque");
        let put = || PutObject::new("bucket", "key", "hello");
        unknown(call(put(), &[ok(copied).cut(at), opaque()]), 2);
        let run = call(put(), &[ok(copied).cut(at), Answer::new(404), Answer::new(200)]);
        run.result.unwrap();
        assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key", "PUT /bucket/key"]);
        let delete = || DeleteObject::new("bucket", "key");
        call(delete(), &[ok(copied).cut(at), Answer::new(404)]).result.unwrap();
        unknown(call(delete(), &[ok(copied).cut(at), Answer::new(403)]), 2);
    }
}

/// The status said that it was carried out, and nobody can tell where the body ends, or keep it.
#[test]
fn a_write_that_was_answered_is_sent_once_whatever_delimits_its_body() {
    let body = "<CopyObjectResult><ETag>tag</ETag></CopyObjectResult>";
    for (odd, repeats) in [
        (ok(body).header("transfer-encoding", "chunked"), true),
        (ok(body).header("content-length", 7), true),
        (ok(body).header("content-length", "+9"), true),
        (Answer::new(200).header("transfer-encoding", "gzip, chunked"), true),
        // A limit of the caller's, which would not permit the next response either.
        (Answer::new(200).header("content-length", 1_u64 << 40), false),
    ] {
        unknown(call(copy(), std::slice::from_ref(&odd)), 1);
        let create = CreateMultipartUpload::new("bucket", "key");
        unknown(call(create, std::slice::from_ref(&odd)), 1);
        unknown(call(DeleteObjects::new("bucket", ["a"]), std::slice::from_ref(&odd)), 1);
        unknown(call(CreateBucket::new("bucket"), std::slice::from_ref(&odd)), 1);
        // What a HEAD tells.
        let put = || PutObject::new("bucket", "key", "hello");
        let opaque = Answer::new(200).header("content-length", 5).header("etag", "opaque");
        unknown(call(put(), &[odd.clone(), opaque]), 2);
        let run = call(put(), &[odd, Answer::new(404), Answer::new(200)]);
        let asked = ["PUT /bucket/key", "HEAD /bucket/key", "PUT /bucket/key"];
        assert_eq!(run.requests, asked[..if repeats { 3 } else { 2 }]);
        assert_eq!(run.result.is_ok(), repeats);
    }
}

/// A part replaces an earlier part of its number, and is not visible before the upload is
/// completed.
#[test]
fn a_part_whose_answer_is_cut_before_its_tag_is_sent_again() {
    let part = UploadPart::new("bucket", "key", "id", 1, "a");
    let stored = Answer::new(200).header("etag", "tag");
    let run = call(part, &[ok("     ").cut(2), stored]);
    assert_eq!(run.result.unwrap().etag.opaque(), "tag");
    assert_eq!(run.requests.len(), 2);
    let body = "<CopyPartResult><ETag>tag</ETag></CopyPartResult>";
    let run = call(copy_part(), &[ok(body).cut(9), ok(body)]);
    assert_eq!(run.result.unwrap().stored.etag.opaque(), "tag");
    assert_eq!(run.requests.len(), 2);
    // Each response is cut: the outcome is unknown, and the error says so.
    let part = UploadPart::new("bucket", "key", "id", 1, "a");
    let error = unknown(call(part, &vec![ok("     ").cut(2); 5]), 5);
    assert!(error.look_at().unwrap().contains("part 1 of the multipart upload id"), "{error}");
}

#[test]
fn a_put_is_carried_out_that_is_proven_to_be() {
    // The page came from elsewhere, and the object is there.
    let page = ok("<html></html>");
    let mut put = PutObject::new("bucket", "key", "hello");
    put.checksum.digests = vec![apus_core::checksum::Algorithm::Md5];
    let there = Answer::new(200)
        .header("content-length", 5)
        .header("etag", "5d41402abc4b2a76b9719d911017c592");
    call(put.clone(), &[page.clone(), there]).result.unwrap();
    // It is not there: it is sent after all.
    let run = call(put, &[page, Answer::new(404), Answer::new(200)]);
    run.result.unwrap();
    assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key", "PUT /bucket/key"]);
}

#[test]
fn a_completion_that_is_cut_off_is_looked_at_before_it_is_sent_again() {
    let body = "<CompleteMultipartUploadResult><ETag>tag</ETag></CompleteMultipartUploadResult>";
    let cut = || ok(body).cut(20);
    let gone = Answer::error(404, "NoSuchUpload");
    let ours = shown("e09e4fd6265b36115fe3db32df945d84-2");
    for answer in [cut(), ok("\n \n ")] {
        let run = call(complete(), &[answer, gone.clone(), ours.clone()]);
        run.result.unwrap();
        let asked = ["POST /bucket/key?uploadId=id", "GET /bucket/key", "HEAD /bucket/key"];
        let asked = asked.iter().zip(&run.requests).all(|(asked, is)| is.starts_with(asked));
        assert!(asked && run.requests.len() == 3, "{:?}", run.requests);
    }
    // The upload has parts: it was not completed.
    let both = "<Part><PartNumber>1</PartNumber></Part><Part><PartNumber>2</PartNumber></Part>";
    let run = call(complete(), &[cut(), parts(both), ok(body)]);
    run.result.unwrap();
    assert_eq!(run.requests.len(), 3);
}

#[test]
fn a_cut_body_takes_nothing_from_what_the_head_said() {
    let stored = Answer::new(200).header("etag", "tag").body("     ").cut(2);
    let put = PutObject::new("bucket", "key", "hello");
    let run = call(put.clone(), std::slice::from_ref(&stored));
    assert_eq!(run.result.unwrap().etag.opaque(), "tag");
    let part = UploadPart::new("bucket", "key", "id", 1, "a");
    assert_eq!(call(part, &[stored]).result.unwrap().etag.opaque(), "tag");
    // The beginning of an error document does not prove a refusal: the response counts as lost.
    let begun = Answer::new(200).header("etag", "tag").body("<Error><Code>x").cut(8);
    let run = call(put, &[begun, Answer::new(404), Answer::new(200)]);
    run.result.unwrap();
    assert_eq!(run.requests.len(), 3);
}

/// "The request has been accepted for processing, but the processing has not been completed": 202
/// (RFC 9110, section 15.3.3). S3 has 200 and 204; Ceph's gateway is configured to send 201 or 204 to
/// a PUT by `rgw_s3_success_create_obj_status`.
#[test]
fn a_status_that_does_not_say_that_it_was_done_is_not_believed() {
    let md5 = "5d41402abc4b2a76b9719d911017c592";
    let put = || {
        let mut put = PutObject::new("bucket", "key", "hello");
        put.checksum.digests = vec![apus_core::checksum::Algorithm::Md5];
        put
    };
    let answer = |status| Answer::new(status).header("etag", md5);
    let there = || Answer::new(200).header("content-length", 5).header("etag", md5);
    let delete = || DeleteObject::new("bucket", "key");
    let abort = || AbortMultipartUpload::new("bucket", "key", "id");
    let policy = || PutBucketPolicy::new("bucket", "{}");
    let copied = "<CopyObjectResult><ETag>tag</ETag></CopyObjectResult>";
    for status in [202, 203, 205, 206, 207, 226, 299] {
        for answer in [answer(status), answer(status).body("     ").cut(2)] {
            let run = call(put(), &[answer.clone(), there()]);
            assert_eq!(run.result.unwrap().etag.opaque(), md5, "{status}");
            assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key"], "{status}");
            let run = call(put(), &[answer, Answer::new(404), Answer::new(200)]);
            run.result.unwrap();
            assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key", "PUT /bucket/key"]);
        }
        call(delete(), &[Answer::new(status), Answer::new(404)]).result.unwrap();
        unknown(call(delete(), &[Answer::new(status), Answer::new(status)]), 2);
        unknown(call(abort(), &[Answer::new(status)]), 1);
        unknown(call(policy(), &[Answer::new(status)]), 1);
        unknown(call(copy(), &[Answer::new(status).body(copied), Answer::new(403)]), 1);
        let part = UploadPart::new("bucket", "key", "id", 1, "a");
        unknown(call(part, &[answer(status)]), 1);
    }
    for status in [200, 201, 204] {
        call(put(), &[answer(status)]).result.unwrap();
        call(delete(), &[Answer::new(status)]).result.unwrap();
        call(abort(), &[Answer::new(status)]).result.unwrap();
        call(policy(), &[Answer::new(status)]).result.unwrap();
    }
    for status in [200, 201] {
        call(copy(), &[Answer::new(status).body(copied)]).result.unwrap();
    }
}

/// What is read of another response would prove a write that was not carried out.
#[test]
fn a_status_that_is_not_of_an_object_shows_none() {
    for status in [202, 203, 204, 207] {
        let head = Answer::new(status).header("content-length", 5).header("etag", "tag");
        let error = call(HeadObject::new("bucket", "key"), &vec![head; 5]).result.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidResponse, "{status}: {error}");
        let page = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
        let page = Answer::new(status).body(page);
        if status != 204 {
            let error = call(ListObjectsV2::new("bucket"), &vec![page; 5]).result.unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidResponse, "{status}: {error}");
        }
    }
}

/// 408, 429 and 5xx are about the moment (RFC 9110, sections 15.5 and 15.6; RFC 6585, section 4), and
/// say nothing of the object.
#[test]
fn a_look_that_is_refused_for_the_moment_is_repeated() {
    let md5 = "5d41402abc4b2a76b9719d911017c592";
    let there = || Answer::new(200).header("content-length", 5).header("etag", md5);
    for status in [408, 429, 500, 502, 503, 504] {
        let mut put = PutObject::new("bucket", "key", "hello");
        put.checksum.digests = vec![apus_core::checksum::Algorithm::Md5];
        let run = call(put, &[Answer::new(202), Answer::new(status), there()]);
        run.result.unwrap();
        assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key", "HEAD /bucket/key"]);
    }
}
