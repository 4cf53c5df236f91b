//! Checks objects: stored and fetched in each of the ways that a client has.

use std::sync::Arc;
use std::time::Duration;

use apus_blocking::{Client, Sink, Source};
use apus_core::Error;
use apus_core::checksum::{Algorithm, Placement};
use apus_core::contract::Operation as _;
use apus_core::credentials::Credentials;
use apus_core::http::{Draft, Exchange};
use apus_core::machine::{S3Upload, UploadOptions, UploadSource};
use apus_core::s3::{
    AbortMultipartUpload, ByteRange, CompleteMultipartUpload, CompletedPart, Conditions,
    CreateMultipartUpload, DeleteObjects, GetObject, HeadObject, ListObjectsV2, ListParts,
    ObjectIdentifier, PayloadSigning, PutObject, Raw, Service, UploadPart,
};

use super::super::reach::short;
use super::super::trial::bytes;
use super::super::{Answer, Report};
use super::BucketCheck;
use super::advice::Found;

pub(super) fn examine(check: &BucketCheck<'_>, report: &mut Report, found: &mut Found) {
    let client = match check.variant(|config| found.address(config)) {
        Ok(client) => client,
        Err(error) => return report.broken("objects", "client", &error),
    };
    let trial = Objects { check, client };
    if let Err(error) = trial.plain(report) {
        found.stores = false;
        return report.broken("objects", "put, get", &error);
    }
    found.stores = true;
    trial.payloads(report, found);
    trial.lists(report, found);
    trial.conditional(report, found);
    trial.multipart(report, found);
    trial.presigned(report);
}

struct Objects<'a> {
    check: &'a BucketCheck<'a>,
    client: Client<Service>,
}

impl Objects<'_> {
    fn bucket(&self) -> &str {
        &self.check.bucket.name
    }

    fn plain(&self, report: &mut Report) -> Result<(), Error> {
        let key = self.check.trial.name("plain ü+%2F@?#.bin");
        let body = bytes(70_000);
        let put = PutObject::new(self.bucket(), &*key, body.clone());
        let stored = self.check.call(&self.client, put)?;
        let got = self.check.call(&self.client, GetObject::new(self.bucket(), &*key))?;
        if got.body != body {
            return Err(Error::integrity("the returned bytes differ from the stored ones"));
        }
        report.tell("objects", "put, get, odd names", Answer::Yes, "");
        let md5 = Algorithm::Md5.digest(&body)?.hex();
        let is_md5 = stored.etag.as_str().trim_matches('"') == md5;
        let answer = if is_md5 { Answer::Yes } else { Answer::No };
        report.tell("objects", "ETag is MD5", answer, "");
        let range = Some(ByteRange::Span(10..20));
        let get = GetObject { range, ..GetObject::new(self.bucket(), &*key) };
        let part = self.check.call(&self.client, get);
        let is_part = part.as_ref().is_ok_and(|part| Some(&*part.body) == body.get(10..20));
        match &part {
            Ok(_) if is_part => report.tell("objects", "range", Answer::Yes, ""),
            Ok(_) => report.tell("objects", "range", Answer::Beware, "the returned bytes differ"),
            Err(error) => report.tell("objects", "range", Answer::No, short(error)),
        }
        Ok(())
    }

    /// Checks in which ways the signature may cover the body.
    fn payloads(&self, report: &mut Report, found: &mut Found) {
        for (payload, what) in [
            (PayloadSigning::Signed, "payload signed"),
            (PayloadSigning::Unsigned, "payload unsigned"),
            (PayloadSigning::Chunked, "payload in signed chunks"),
        ] {
            let result = self
                .check
                .variant(|config| {
                    found.address(config);
                    config.payload = payload;
                })
                .and_then(|client| self.check.stored_as_sent(&client, what));
            let (answer, detail) = told(&result);
            report.tell("aws-chunked", what, answer, detail);
            if payload == PayloadSigning::Chunked {
                found.signed_chunks = answer == Answer::Yes;
            }
        }
    }

    fn lists(&self, report: &mut Report, found: &mut Found) {
        let prefix = Some(self.check.trial.prefix().to_owned());
        let list = ListObjectsV2 { prefix, ..ListObjectsV2::new(self.bucket()) };
        let page = self.check.call(&self.client, list);
        let expect = self.check.trial.name("plain ü+%2F@?#.bin");
        match &page {
            Ok(page) if page.contents.iter().any(|object| object.key == expect) => {
                found.lists = true;
                report.tell("lists", "ListObjectsV2", Answer::Yes, "");
            }
            Ok(_) => report.tell(
                "lists",
                "ListObjectsV2",
                Answer::Beware,
                "names with special characters are returned wrong",
            ),
            Err(error) => report.tell("lists", "ListObjectsV2", Answer::No, short(error)),
        }
        let keys = ["bulk 1", "bulk 2"].map(|name| self.check.trial.name(name));
        let stored = keys.iter().try_for_each(|key| {
            let put = PutObject::new(self.bucket(), &**key, "x");
            self.check.call(&self.client, put).map(drop)
        });
        let result = stored.and_then(|()| {
            let objects = keys.iter().map(|key| ObjectIdentifier::new(&**key));
            self.check.call(&self.client, DeleteObjects::new(self.bucket(), objects))
        });
        match &result {
            Ok(done) if done.errors.is_empty() => {
                report.tell("lists", "DeleteObjects", Answer::Yes, "");
            }
            Ok(done) => {
                let code = done.errors.first().and_then(|error| error.code.clone());
                report.tell("lists", "DeleteObjects", Answer::No, code.unwrap_or_default());
            }
            Err(error) => report.tell("lists", "DeleteObjects", Answer::No, short(error)),
        }
    }

    fn conditional(&self, report: &mut Report, found: &mut Found) {
        const WHAT: &str = "put if absent (If-None-Match)";
        let key = self.check.trial.name("conditional");
        let put = |body: &'static str| PutObject {
            conditions: Conditions::absent(),
            ..PutObject::new(self.bucket(), &*key, body)
        };
        let first = self.check.call(&self.client, put("first"));
        if let Err(error) = &first {
            return report.tell("conditions", WHAT, Answer::No, short(error));
        }
        match self.check.call(&self.client, put("second")) {
            Err(error) if error.is_precondition_failed() || error.is_conflict() => {
                found.conditional_put = true;
                report.tell("conditions", WHAT, Answer::Yes, short(&error));
            }
            Err(error) => report.tell("conditions", WHAT, Answer::No, short(&error)),
            Ok(_) => {
                let detail = "ignored: the object was replaced";
                report.tell("conditions", WHAT, Answer::Beware, detail);
            }
        }
    }

    fn multipart(&self, report: &mut Report, found: &mut Found) {
        let key = self.check.trial.name("multipart");
        let body = bytes(PART + 1000);
        let result = self
            .in_parts(&key, body.clone())
            .and_then(|()| self.check.call(&self.client, GetObject::new(self.bucket(), &*key)));
        match &result {
            Ok(got) if got.body == body => {
                found.multipart = true;
                report.tell("multipart", "two parts", Answer::Yes, "");
            }
            Ok(_) => {
                report.tell("multipart", "two parts", Answer::Beware, "the returned bytes differ")
            }
            Err(error) => report.tell("multipart", "two parts", Answer::No, short(error)),
        }
        if found.multipart {
            let get = HeadObject { part_number: Some(1), ..HeadObject::new(self.bucket(), &*key) };
            let head = self.check.call(&self.client, get);
            let heeded = head.as_ref().is_ok_and(|head| head.content_length == Some(PART as u64));
            let answer = if heeded { Answer::Yes } else { Answer::No };
            report.tell("multipart", "sizes of parts (partNumber)", answer, "");
            self.absent_in_parts(report, &key);
            self.abort(report);
        }
    }

    fn in_parts(&self, key: &str, body: Vec<u8>) -> Result<(), Error> {
        let options = UploadOptions {
            threshold: 0,
            part_size: PART as u64,
            concurrency: 2,
            ..UploadOptions::default()
        };
        let source = UploadSource::Seekable(body.len() as u64);
        let service = Arc::clone(self.client.service());
        let seed = self.client.seed();
        let upload = S3Upload::new(self.bucket(), key, source, options, service, seed)?;
        let run = self.client.run(upload).body(Source::bytes(body));
        run.cancel_on(self.check.open.interrupt.token()).send().map(drop)
    }

    /// Checks whether the last request of a multipart upload obeys the condition that a single put
    /// does. `Upload` would send a request for the object itself.
    fn absent_in_parts(&self, report: &mut Report, key: &str) {
        const WHAT: &str = "put in parts if absent";
        let (check, client, bucket) = (self.check, &self.client, self.bucket());
        let made = check.call(client, CreateMultipartUpload::new(bucket, key));
        let result = made.and_then(|made| {
            let id = &*made.upload_id;
            let result = check
                .call(client, UploadPart::new(bucket, key, id, 1, bytes(1_000)))
                .and_then(|sent| {
                    let part =
                        CompletedPart { part_number: 1, etag: sent.etag, checksums: Vec::new() };
                    let mut complete = CompleteMultipartUpload::new(bucket, key, id, vec![part]);
                    complete.if_none_match = Conditions::absent().if_none_match;
                    check.call(client, complete)
                });
            if result.is_err() {
                check.call(client, AbortMultipartUpload::new(bucket, key, id))?;
            }
            result
        });
        match result {
            Err(error) if error.is_precondition_failed() || error.is_conflict() => {
                report.tell("conditions", WHAT, Answer::Yes, short(&error));
            }
            Err(error) => report.tell("conditions", WHAT, Answer::No, short(&error)),
            Ok(_) => {
                let detail = "ignored: the object was replaced";
                report.tell("conditions", WHAT, Answer::Beware, detail);
            }
        }
    }

    fn abort(&self, report: &mut Report) {
        let key = self.check.trial.name("aborted");
        let (check, client, bucket) = (self.check, &self.client, self.bucket());
        let result =
            check.call(client, CreateMultipartUpload::new(bucket, &*key)).and_then(|made| {
                check.call(client, AbortMultipartUpload::new(bucket, &*key, &*made.upload_id))?;
                match check.call(client, ListParts::new(bucket, &*key, &*made.upload_id)) {
                    Err(error) if error.status().is_some() => Ok(()),
                    Err(error) => Err(error),
                    Ok(_) => {
                        Err(Error::invalid_response("the upload still exists after it was aborted"))
                    }
                }
            });
        report.tried("multipart", "abort", &result);
    }

    /// Fetches an object by a presigned URL.
    fn presigned(&self, report: &mut Report) {
        const WHAT: &str = "presigned GET";
        let Some(keys) = self.check.store.options().keys() else {
            return report.tell("URLs", WHAT, Answer::Untried, "the options have no keys");
        };
        let key = self.check.trial.name("conditional");
        let status = GetObject::new(self.bucket(), &*key)
            .draft(self.client.service())
            .and_then(|draft| {
                let minute = Duration::from_secs(60);
                Credentials::new(keys).presign(draft, minute, apus_blocking::now())
            })
            .and_then(|signed| {
                let uri = signed
                    .url
                    .parse()
                    .map_err(|_| Error::invalid_response("the URL is invalid"))?;
                let mut draft = Draft::new("presigned", http::Method::GET, uri);
                draft.head.headers = signed.headers;
                let exchange = Exchange::open(draft, apus_blocking::now(), 0);
                let transport = self.client.transport();
                let done = transport.perform(exchange, &Source::none(), &Sink::none());
                done.into_parts().1.map(|reply| reply.status())
            });
        match status {
            Ok(status) if status.is_success() => report.tell("URLs", WHAT, Answer::Yes, ""),
            Ok(status) => report.tell("URLs", WHAT, Answer::No, status.as_u16().to_string()),
            Err(error) => report.tell("URLs", WHAT, Answer::No, short(&error)),
        }
    }
}

/// What a server has kept of an object that was stored in an unusual way.
pub(super) enum Kept {
    /// The same bytes.
    Same,
    /// The same bytes, with `aws-chunked` among their encodings, which says that they are framed.
    Marked,
    /// Other bytes: the framing itself was stored.
    Framed,
}

impl BucketCheck<'_> {
    /// Stores an object with this client, and fetches it with the plain one.
    pub(super) fn stored_as_sent(
        &self,
        client: &Client<Service>,
        name: &str,
    ) -> Result<Kept, Error> {
        let key = self.trial.name(name);
        let body = bytes(3_000);
        let put = PutObject::new(&self.bucket.name, &*key, body.clone());
        self.call(client, put)?;
        self.kept(&key, &body)
    }

    pub(super) fn kept(&self, key: &str, body: &[u8]) -> Result<Kept, Error> {
        let get = Raw::new(http::Method::GET).bucket(&self.bucket.name).key(key);
        let got = self.call(&self.bucket.client, get)?;
        let encoding = got.headers.get(http::header::CONTENT_ENCODING);
        let is_marked = encoding
            .and_then(|encoding| encoding.to_str().ok())
            .is_some_and(|encoding| encoding.contains("aws-chunked"));
        Ok(match got.body == body {
            true if is_marked => Kept::Marked,
            true => Kept::Same,
            false => Kept::Framed,
        })
    }
}

pub(super) fn told(result: &Result<Kept, Error>) -> (Answer, String) {
    match result {
        Ok(Kept::Same) => (Answer::Yes, String::new()),
        Ok(Kept::Marked) => (Answer::Beware, "stored with the encoding aws-chunked".to_owned()),
        Ok(Kept::Framed) => {
            (Answer::Beware, "CORRUPTS: the framing is stored as if it were the object".to_owned())
        }
        Err(error) => (Answer::No, short(error)),
    }
}

/// Returns where the checksum is sent in these trials.
pub(super) fn name_of(placement: Placement) -> &'static str {
    if placement == Placement::Trailer { "trailer" } else { "header" }
}

/// Bytes of the smallest part that all servers accept.
const PART: usize = 5 << 20;
