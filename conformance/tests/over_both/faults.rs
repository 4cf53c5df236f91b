//! Each fault of a server or a connection, and its result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apus_conformance::server::{
    AtHead, BodyReading, Cut, Ending, Fault, FaultyS3, Framing, Manners, Operation, Plan, Reply,
    Request, S3Model, Scripted,
};
use apus_core::machine::RateLimits;
use apus_core::s3::*;
use apus_core::{Error, Kind};
use bytes::Bytes;

use crate::client::{Client, Kind as From, Origin, Setup, Via, pattern};
use crate::uploads::{options, server, stored, upload};

both! {
    calls_are_repeated_where_that_helps,
    refusals_are_final,
    a_server_is_left_alone_as_long_as_it_asks,
    a_success_that_is_an_error_is_an_error,
    silence_is_a_timeout,
    another_region_is_followed_once_and_remembered,
    a_skewed_clock_is_set_right_for_all_calls,
    an_early_refusal_is_the_error,
    a_lost_answer_to_a_conditional_write_is_looked_after,
    parts_meet_every_fault,
    throttling_narrows_the_width,
    bodies_end_as_they_are_framed,
}

const BUCKET: &str = "bucket";

/// A server with one object, and a client of it.
fn one_object(via: Via, plan: Plan) -> (FaultyS3, Client) {
    let model = S3Model::new().with_bucket(BUCKET).with_object(BUCKET, "key", "0123456789");
    let server = FaultyS3::start(model.with_plan(plan)).unwrap();
    let client = Setup::of(&server).client(via);
    (server, client)
}

fn get(client: &Client) -> Result<Bytes, Error> {
    client.call(GetObject::new(BUCKET, "key")).map(|output| output.body)
}

fn facts(error: &Error) -> (Kind, u16, &str) {
    let status = error.status().map_or(0, |status| status.as_u16());
    (error.kind(), status, error.code().unwrap_or_default())
}

fn calls_are_repeated_where_that_helps(via: Via) {
    let passing = [
        Fault::SlowDown(None),
        Fault::InternalError,
        Fault::Refuse(429, "TooManyRequests"),
        Fault::Refuse(502, ""),
        Fault::Refuse(400, "RequestTimeout"),
        Fault::Lost(Ending::Reset),
        Fault::Lost(Ending::Close),
        Fault::AnswerLost(Ending::Reset),
        Fault::AnswerLost(Ending::Close),
        Fault::CutBody(0, Ending::Reset),
        Fault::CutBody(4, Ending::Reset),
        Fault::CutBody(4, Ending::Close),
        Fault::Instead(Reply::none(Ending::Reset)),
    ];
    for fault in passing {
        let plan = Plan::new().on(Operation::GetObject, 1, fault.clone()).on(
            Operation::PutObject,
            2,
            fault.clone(),
        );
        let (server, client) = one_object(via, plan);
        assert_eq!(get(&client).unwrap(), "0123456789", "{fault:?}");
        assert_eq!(server.model().count(Operation::GetObject), 2, "{fault:?}");
        for round in 1..=2 {
            client.call(PutObject::new(BUCKET, "new", format!("round {round}"))).unwrap();
        }
        let model = server.model();
        assert_eq!(model.object(BUCKET, "new").unwrap().body, "round 2", "{fault:?}");
        // The response to a PUT has no body that could be cut.
        let sent = if matches!(fault, Fault::CutBody(..)) { 2 } else { 3 };
        assert_eq!(model.count(Operation::PutObject), sent, "{fault:?}");
    }
    // A lasting error is returned after the allowed number of attempts.
    let (server, client) =
        one_object(via, Plan::new().always(Operation::GetObject, Fault::InternalError));
    let error = get(&client).unwrap_err();
    assert_eq!(facts(&error), (Kind::Refused, 500, "InternalError"));
    assert_eq!((error.attempts(), server.model().requests()), (5, 5));
    let lost = Plan::new().always(Operation::GetObject, Fault::Lost(Ending::Reset));
    let error = get(&one_object(via, lost).1).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Transport, 5), "{error}");
}

fn refusals_are_final(via: Via) {
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchKey"), (400, "InvalidArgument")] {
        let plan = Plan::new().always(Operation::GetObject, Fault::Refuse(status, code));
        let (server, client) = one_object(via, plan);
        let error = get(&client).unwrap_err();
        assert_eq!(facts(&error), (Kind::Refused, status, code));
        assert_eq!(server.model().requests(), 1, "{code}");
    }
}

fn a_server_is_left_alone_as_long_as_it_asks(via: Via) {
    let millis =
        Reply::xml(503, "<Error><Code>SlowDown</Code></Error>").header("x-amz-retry-after", "120");
    let plan = Plan::new()
        .on(Operation::GetObject, 1, Fault::SlowDown(Some(1)))
        .on(Operation::GetObject, 3, Fault::Instead(millis))
        .on(Operation::GetObject, 5, Fault::SlowDown(Some(100_000)));
    let (server, client) = one_object(via, plan);
    for at_least in [Duration::from_secs(1), Duration::from_millis(120)] {
        let begun = Instant::now();
        get(&client).unwrap();
        assert!(begun.elapsed() >= at_least, "{:?}", begun.elapsed());
    }
    // Nobody waits for a day.
    let error = get(&client).unwrap_err();
    assert_eq!(facts(&error), (Kind::Refused, 503, "SlowDown"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(100_000)));
    assert_eq!(server.model().requests(), 5);
}

fn a_success_that_is_an_error_is_an_error(via: Via) {
    let copy = || CopyObject::new(BUCKET, "copy", CopySource::new(BUCKET, "key"));
    let plan = Plan::new().on(Operation::CopyObject, 1, Fault::ErrorIn200("InternalError"));
    let (server, client) = one_object(via, plan);
    client.call(copy()).unwrap();
    assert_eq!(server.model().object(BUCKET, "copy").unwrap().body, "0123456789");

    let plan = Plan::new().always(Operation::CopyObject, Fault::ErrorIn200("InternalError"));
    let (server, client) = one_object(via, plan);
    let error = client.call(copy()).unwrap_err();
    assert_eq!(facts(&error), (Kind::Refused, 200, "InternalError"));
    assert_eq!((error.attempts(), server.model().requests()), (5, 5));

    let login = Reply::new(200).header("Content-Type", "text/html").body("<html><p>Sign in");
    let plan = Plan::new().always(Operation::ListObjectsV2, Fault::Instead(login));
    let (_server, client) = one_object(via, plan);
    let error = client.call(ListObjectsV2::new(BUCKET)).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
}

fn silence_is_a_timeout(via: Via) {
    let silent = [
        Fault::Delay(Duration::from_secs(30)),
        Fault::Lost(Ending::Hang),
        Fault::Trickle(1, Duration::from_secs(30)),
        Fault::CutBody(4, Ending::Hang),
    ];
    for fault in silent {
        let (server, _) = one_object(via, Plan::new().on(Operation::GetObject, 1, fault.clone()));
        let setup = Setup::of(&server).with(|config| {
            let limit = Some(Duration::from_millis(150));
            (config.timeouts.first_byte, config.timeouts.idle) = (limit, limit);
            config.retry_policy.attempts = 1;
        });
        let error = get(&setup.client(via)).unwrap_err();
        assert!(error.is_timeout(), "{fault:?}: {error}");
    }
    // A trickle that never pauses for long is ended by the limit of the whole.
    let slow = Fault::Trickle(1, Duration::from_millis(50));
    let (server, _) = one_object(via, Plan::new().on(Operation::GetObject, 1, slow));
    let setup = Setup::of(&server).with(|config| {
        config.timeouts.whole = Some(Duration::from_millis(200));
        config.retry_policy.attempts = 1;
    });
    let error = get(&setup.client(via)).unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

fn another_region_is_followed_once_and_remembered(via: Via) {
    let manners = Manners { check_region: true, ..Manners::aws() };
    let model = S3Model::new().with_manners(manners).bucket_in("far", "eu-west-3");
    let server = FaultyS3::start(model.with_object("far", "key", "there")).unwrap();
    let client = Setup::of(&server).client(via);
    for _ in 0..2 {
        let output = client.call(GetObject::new("far", "key")).unwrap();
        assert_eq!(output.body, "there");
    }
    let regions: Vec<_> = server.server().requests().iter().map(region).collect();
    assert_eq!(regions, ["us-east-1", "eu-west-3", "eu-west-3"]);

    let plan = Plan::new().on(Operation::GetObject, 1, Fault::Redirect("eu-west-3"));
    let (server, client) = one_object(via, plan);
    get(&client).unwrap();
    get(&client).unwrap();
    let regions: Vec<_> = server.server().requests().iter().map(region).collect();
    assert_eq!(regions, ["us-east-1", "eu-west-3", "eu-west-3"]);

    let around = Plan::new().on(Operation::GetObject, 1, Fault::Redirect("eu-west-3")).from(
        Operation::GetObject,
        2,
        Fault::Redirect("us-east-1"),
    );
    let (server, client) = one_object(via, around);
    let error = get(&client).unwrap_err();
    assert_eq!(facts(&error), (Kind::Refused, 301, "PermanentRedirect"));
    assert_eq!(server.model().requests(), 2);
}

/// The region that a request is signed for.
fn region(request: &apus_conformance::server::Request) -> String {
    let authorization = request.header("authorization").unwrap();
    authorization.split('/').nth(2).unwrap().to_owned()
}

fn a_skewed_clock_is_set_right_for_all_calls(via: Via) {
    let plan = Plan::new().on(Operation::GetObject, 1, Fault::ClockSkewed(86_400));
    let (server, client) = one_object(via, plan);
    get(&client).unwrap();
    get(&client).unwrap();
    let days: Vec<_> = server
        .server()
        .requests()
        .iter()
        .map(|request| request.header("x-amz-date").unwrap()[..8].to_owned())
        .collect();
    let [first, second, third] = &days[..] else { panic!("{days:?}") };
    assert!(first < second && second <= third, "{days:?}");
}

fn an_early_refusal_is_the_error(via: Via) {
    let body = pattern(4 << 20);
    let put = || PutObject::new(BUCKET, "large", body.clone());
    let refused = Fault::RefuseEarly(403, "AccessDenied");
    let busy = Fault::RefuseEarly(503, "SlowDown");
    let plan = Plan::new().on(Operation::PutObject, 1, refused).on(Operation::PutObject, 2, busy);
    let (server, client) = one_object(via, plan);
    let error = client.call(put()).unwrap_err();
    assert_eq!(facts(&error), (Kind::Refused, 403, "AccessDenied"));
    assert_eq!(error.attempts(), 1);
    client.call(put()).unwrap();
    assert!(server.model().object(BUCKET, "large").unwrap().body == body);

    // A server that never reads the body.
    for intake in [BodyReading::Ignore, BodyReading::Refuse(Ending::Close)] {
        let denied = "<Error><Code>AccessDenied</Code></Error>";
        let script = AtHead(move |_: &_| Reply::xml(403, denied).intake(intake));
        let server = Scripted::start(script).unwrap();
        let error = Setup::of(&server).client(via).call(put()).unwrap_err();
        assert_eq!(facts(&error), (Kind::Refused, 403, "AccessDenied"), "{intake:?}: {error}");
        assert!(!server.requests()[0].complete, "{intake:?}");
    }
}

fn a_lost_answer_to_a_conditional_write_is_looked_after(via: Via) {
    let lost = Fault::AnswerLost(Ending::Reset);
    for (operation, length) in
        [(Operation::PutObject, 1000), (Operation::CompleteMultipartUpload, 100_000)]
    {
        let bytes = pattern(length);
        let conditional = || {
            let mut options = options();
            options.conditions = Conditions::absent();
            options
        };
        let server = server(false, Plan::new().on(operation, 1, lost.clone()));
        let client = Setup::of(&server).client(via);
        let done = upload(&client, Origin::new(From::Bytes, bytes.clone()), conditional()).unwrap();
        assert!(done.recovered, "{operation:?}");
        assert_eq!(done.size, length as u64);
        stored(&server, &bytes);

        // Now it is there, and it stays.
        let other = Origin::new(From::Bytes, vec![7; length]);
        let error = upload(&client, other, conditional()).unwrap_err();
        assert!(error.is_precondition_failed(), "{operation:?}: {error}");
        stored(&server, &bytes);
    }
}

fn parts_meet_every_fault(via: Via) {
    use Operation::{CompleteMultipartUpload, CreateMultipartUpload, UploadPart};

    let bytes = pattern(200_000);
    let passing = [
        (CreateMultipartUpload, Fault::InternalError),
        (UploadPart, Fault::InternalError),
        (UploadPart, Fault::Lost(Ending::Reset)),
        (UploadPart, Fault::AnswerLost(Ending::Close)),
        (UploadPart, Fault::RefuseEarly(503, "SlowDown")),
        (CompleteMultipartUpload, Fault::InternalError),
        (CompleteMultipartUpload, Fault::ErrorIn200("InternalError")),
        (CompleteMultipartUpload, Fault::AnswerLost(Ending::Reset)),
    ];
    for (operation, fault) in passing {
        for kind in From::ALL {
            let server = server(false, Plan::new().on(operation, 1, fault.clone()));
            let client = Setup::of(&server).client(via);
            let sent = upload(&client, Origin::new(kind, bytes.clone()), options());
            sent.unwrap_or_else(|error| panic!("{kind:?}, {operation:?} {fault:?}: {error}"));
            stored(&server, &bytes);
        }
    }
    let final_ones = [
        (CreateMultipartUpload, Fault::Refuse(403, "AccessDenied")),
        (UploadPart, Fault::Refuse(403, "AccessDenied")),
        (UploadPart, Fault::NoSuchUpload),
        (CompleteMultipartUpload, Fault::ErrorIn200("AccessDenied")),
    ];
    for (operation, fault) in final_ones {
        let server = server(false, Plan::new().from(operation, 1, fault.clone()));
        let client = Setup::of(&server).client(via);
        let error =
            upload(&client, Origin::new(From::Stream, bytes.clone()), options()).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused, "{operation:?} {fault:?}: {error}");
        let model = server.model();
        assert!(model.object(BUCKET, "key").is_none() && model.open_uploads().is_empty());
        assert!(error.leftovers().is_empty(), "{error}");
    }
    // What can't be removed is named.
    let plan = Plan::new()
        .on(UploadPart, 1, Fault::Refuse(403, "AccessDenied"))
        .always(Operation::AbortMultipartUpload, Fault::Refuse(403, "AccessDenied"));
    let server = server(false, plan);
    let client = Setup::of(&server).client(via);
    let error = upload(&client, Origin::new(From::Bytes, bytes), options()).unwrap_err();
    assert_eq!((error.operation(), error.leftovers().len()), (Some("UploadPart"), 1), "{error}");
    assert_eq!(server.model().open_uploads().len(), 1);
}

fn throttling_narrows_the_width(via: Via) {
    let bytes = pattern(300_000);
    let plan = Plan::new().on(Operation::UploadPart, 1, Fault::SlowDown(None)).on(
        Operation::CompleteMultipartUpload,
        1,
        Fault::SlowDown(None),
    );
    let server = server(false, plan);
    let mut setup = Setup::of(&server);
    let rate_limits = Arc::new(RateLimits::new(8));
    setup.rate_limits = Arc::clone(&rate_limits);
    let mut options = options();
    options.concurrency = 8;
    let origin = Origin::new(From::Bytes, bytes.clone());
    upload(&setup.client(via), origin, options).unwrap();
    stored(&server, &bytes);
    // Nothing else was in flight when the completion was refused; its repetition adds one.
    assert_eq!(rate_limits.at_once(), 2);

    let narrow = self::server(false, Plan::new());
    let mut setup = Setup::of(&narrow);
    setup.rate_limits = Arc::new(RateLimits::new(2));
    let origin = Origin::new(From::Bytes, bytes);
    upload(&setup.client(via), origin, self::options()).unwrap();
    assert!(narrow.server().peak_concurrency() <= 2);
}

fn bodies_end_as_they_are_framed(via: Via) {
    let body = pattern(70_000);
    for framing in [Framing::Length, Framing::Chunked(1000), Framing::Close] {
        let answer = Reply::new(200).body(body.clone());
        // The end of a connection proves nothing, so that a HEAD checks the object's length.
        let server = Scripted::start(move |request: &Request| match request.method.as_str() {
            "HEAD" => answer.clone(),
            _ => answer.clone().framing(framing),
        });
        let server = server.unwrap();
        let client = Setup::of(&server).client(via);
        for _ in 0..2 {
            assert!(get(&client).unwrap() == body, "{framing:?}");
        }
        let connections = if framing == Framing::Close { 3 } else { 1 };
        assert_eq!(server.connections(), connections, "{framing:?}");
    }
    // Cut within its chunks, and then not.
    let answer = Reply::new(200).body(body.clone()).framing(Framing::Chunked(1000));
    let cut = answer.clone().cut(Cut::Body(5000, Ending::Close));
    let server = Scripted::replay(vec![cut, answer]).unwrap();
    assert!(get(&Setup::of(&server).client(via)).unwrap() == body);
    // The server leaves an idle connection just when it is used again.
    let answer = Reply::new(200).body(body.clone()).then_close();
    let server = Scripted::replay(vec![answer.clone(), answer]).unwrap();
    let client = Setup::of(&server).client(via);
    for _ in 0..2 {
        assert!(get(&client).unwrap() == body);
    }
}
