//! Authentication: keys, clocks, URLs and forms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use apus_core::contract::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, Operation,
};
use apus_core::credentials::Credentials;
use apus_core::http::{Body, Completion, Draft, Exchange, Reply};
use apus_core::machine::{Auth, Event, Observer};
use apus_core::s3::{GetObject, HeadBucket, ListObjectsV2, Properties, PutObject, Service};
use apus_core::sign::{Condition, Keys, PostPolicy, Presigned};
use apus_core::{Error, Now};
use http::Method;

use super::payload;
use crate::live::Case;
use crate::live::stage::Stage;

pub const CASES: &[Case] = &[
    Case::denied("wrong secret key", wrong_secret, "403 SignatureDoesNotMatch"),
    Case::denied("unknown access key", unknown_key, "403 InvalidAccessKeyId"),
    Case::denied("somebody else's bucket", foreign, "403 AccessDenied").of_two(),
    Case::denied("no keys", anonymous, "403 AccessDenied"),
    Case::denied("HeadBucket under a wrong key", wrong_secret_head, "403, Refused"),
    Case::ok("a clock that is 20 minutes slow", slow_clock),
    Case::ok("a clock that is 20 minutes fast", fast_clock),
    Case::ok("presigned GET", presigned_get),
    Case::ok("presigned PUT", presigned_put),
    Case::ok("presigned GET that expired", presigned_expired),
    Case::ok("POST form", post_form),
    Case::ok("POST form, a file that its policy excludes", post_too_long),
];

fn as_keys(stage: &Stage<'_>, keys: Keys) -> Result<(), Error> {
    let store = stage.client(vec![Auth::new(Credentials::new(keys))]);
    store.call(PutObject::new(&stage.bucket, "stolen", payload(2000))).map(drop)
}

fn wrong_secret(stage: &Stage<'_>) -> Result<(), Error> {
    as_keys(stage, Keys::new(&*stage.site.first.access_key, "not/the+secret"))
}

fn unknown_key(stage: &Stage<'_>) -> Result<(), Error> {
    as_keys(stage, Keys::new("APUSNOBODYKNOWSTHIS", &*stage.site.first.secret_key))
}

fn foreign(stage: &Stage<'_>) -> Result<(), Error> {
    as_keys(stage, stage.site.second().keys())
}

fn anonymous(stage: &Stage<'_>) -> Result<(), Error> {
    let store = stage.client(vec![Auth::new(Credentials::anonymous())]);
    store.call(ListObjectsV2::new(&stage.bucket)).map(drop)
}

fn wrong_secret_head(stage: &Stage<'_>) -> Result<(), Error> {
    let keys = Keys::new(&*stage.site.first.access_key, "not/the+secret");
    let store = stage.client(vec![Auth::new(Credentials::new(keys))]);
    store.call(HeadBucket::new(&stage.bucket)).map(drop)
}

fn slow_clock(stage: &Stage<'_>) -> Result<(), Error> {
    corrected(stage, Shift::Slow)
}

fn fast_clock(stage: &Stage<'_>) -> Result<(), Error> {
    corrected(stage, Shift::Fast)
}

/// One refusal teaches the offset; what follows is signed with the server's time.
fn corrected(stage: &Stage<'_>, shift: Shift) -> Result<(), Error> {
    let inner = Credentials::new(stage.site.first.keys());
    let replays = Arc::new(Replays::default());
    let store =
        stage.client(vec![Auth::new(Shifted { inner, shift })]).with_observer(replays.clone());
    store.call(PutObject::new(&stage.bucket, "clock", "tick"))?;
    assert_eq!(replays.0.load(Ordering::Relaxed), 1);
    assert_eq!(store.call(GetObject::new(&stage.bucket, "clock"))?.body, "tick");
    store.call(HeadBucket::new(&stage.bucket))?;
    assert_eq!(replays.0.load(Ordering::Relaxed), 1);
    Ok(())
}

fn presigned_get(stage: &Stage<'_>) -> Result<(), Error> {
    let key = "presigned/ü +&?=";
    let bytes = payload(3000);
    stage.call(PutObject::new(&stage.bucket, key, bytes.clone()))?;
    let presigned = presign(stage, &GetObject::new(&stage.bucket, key), apus_blocking::now())?;
    let reply = stage.store.send(draft(Method::GET, presigned, Body::Empty));
    assert_eq!(reply.status(), 200, "{}", told(&reply));
    assert!(reply.body == bytes);
    Ok(())
}

fn presigned_put(stage: &Stage<'_>) -> Result<(), Error> {
    let key = "presigned/put ü";
    let mut put = PutObject::from_body(&stage.bucket, key, Body::Empty);
    put.properties = Properties::content_type("application/x-image");
    let presigned = presign(stage, &put, apus_blocking::now())?;
    let body = Body::Bytes(payload(3000).into());
    let reply = stage.store.send(draft(Method::PUT, presigned, body));
    assert_eq!(reply.status(), 200, "{}", told(&reply));
    let answer = stage.call(GetObject::new(&stage.bucket, key))?;
    assert!(answer.body == payload(3000));
    assert_eq!(answer.head.content_type.as_deref(), Some("application/x-image"));
    Ok(())
}

fn presigned_expired(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.bucket, "expired", "x"))?;
    let now = apus_blocking::now();
    let before = Now { unix: now.unix - Duration::from_secs(7200), ..now };
    let presigned = presign(stage, &GetObject::new(&stage.bucket, "expired"), before)?;
    let reply = stage.store.send(draft(Method::GET, presigned, Body::Empty));
    assert_eq!(reply.status(), 403, "{}", told(&reply));
    Ok(())
}

fn post_form(stage: &Stage<'_>) -> Result<(), Error> {
    let reply = post(stage, "from a browser")?;
    assert!(reply.status().is_success(), "{} {}", reply.status(), told(&reply));
    let answer = stage.call(GetObject::new(&stage.bucket, "form/a.txt"))?;
    assert_eq!(answer.body, "from a browser");
    Ok(())
}

fn post_too_long(stage: &Stage<'_>) -> Result<(), Error> {
    let reply = post(stage, &"too long ".repeat(200))?;
    assert_eq!(reply.status(), 400, "{}", told(&reply));
    Ok(())
}

/// Sends a form with a file, as a browser does.
fn post(stage: &Stage<'_>, text: &str) -> Result<Reply, Error> {
    let hour = Duration::from_secs(3600);
    let policy = PostPolicy::new(&stage.bucket, "form/${filename}", hour)
        .condition(Condition::ContentLengthRange(0, 1000))
        .condition(Condition::Exact("Content-Type".into(), "text/plain".into()))
        .field("Content-Type", "text/plain");
    let credentials = Credentials::new(stage.site.first.keys());
    let signing = credentials.signing_at("us-east-1", apus_blocking::now())?;
    let fields = policy.sign(&signing)?.fields;
    let mut body = String::new();
    for (name, value) in &fields {
        body += &format!(
            "--apus\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    body += &format!(
        "--apus\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{text}\r\n--apus--\r\n"
    );
    let endpoint = stage.store.service().endpoint(Some(&stage.bucket)).unwrap();
    let mut draft = Draft::new("form", Method::POST, endpoint.url().parse().unwrap());
    draft.header(http::header::CONTENT_TYPE, "multipart/form-data; boundary=apus").unwrap();
    draft.body = Body::Bytes(body.into());
    Ok(stage.store.send(draft))
}

fn presign<O>(stage: &Stage<'_>, operation: &O, now: Now) -> Result<Presigned, Error>
where
    O: Operation<Service = Service>,
{
    let credentials = Credentials::new(stage.site.first.keys());
    let draft = operation.draft(stage.store.service())?;
    credentials.presign(draft, Duration::from_secs(3600), now)
}

fn draft(method: Method, presigned: Presigned, body: Body) -> Box<Draft> {
    let mut draft = Draft::new("presigned", method, presigned.url.parse().unwrap());
    draft.head.headers = presigned.headers;
    draft.body = body;
    draft
}

fn told(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// Credentials on a machine whose clock is 20 minutes off.
struct Shifted {
    inner: Credentials,
    shift: Shift,
}

#[derive(Clone, Copy)]
enum Shift {
    Slow,
    Fast,
}

impl Shifted {
    fn shifted(&self, now: Now) -> Now {
        let by = Duration::from_secs(1200);
        match self.shift {
            Shift::Slow => Now { unix: now.unix - by, ..now },
            Shift::Fast => Now { unix: now.unix + by, ..now },
        }
    }
}

impl Authenticator for Shifted {
    fn lease(&mut self, now: Now, wish: &mut LeaseRequest<'_>) -> Lease {
        self.inner.lease(self.shifted(now), wish)
    }

    fn seal(
        &mut self,
        grant: LeaseGeneration,
        draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error> {
        let now = self.shifted(now);
        self.inner.seal(grant, draft, now)
    }

    fn judge(&mut self, now: Now, done: &Completion) -> AuthOutcome {
        let now = self.shifted(now);
        self.inner.judge(now, done)
    }

    fn renewed(&mut self, now: Now, done: Completion) {
        self.inner.renewed(now, done);
    }
}

/// Counts requests that went out again with a new proof.
#[derive(Default)]
struct Replays(AtomicU32);

impl Observer for Replays {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Replayed { .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
