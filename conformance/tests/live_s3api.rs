//! Signed chunks, and chunks with trailers, verified by Swift's own S3 API.
//!
//! ```text
//! conformance/live/openstack install && conformance/live/openstack up
//! eval "$(conformance/live/openstack env)"
//! cargo test -p apus-conformance --test live_s3api
//! ```
//!
//! Without these settings each test prints that it was not run, and passes. Swift has a key's
//! secret, which it needs to verify chunks, from the key's second request on: the first one creates
//! the bucket.

#![expect(clippy::print_stderr, reason = "what was not run is for people")]
#![expect(unreachable_pub, reason = "the module is this test's alone")]

#[path = "live/store.rs"]
mod store;

use std::env;
use std::sync::{Arc, Mutex};

use apus_core::checksum::{Placement, Policy};
use apus_core::contract::Operation;
use apus_core::credentials::Credentials;
use apus_core::http::{Body, Draft, Framing, Payload};
use apus_core::machine::{
    Auth, DownloadOptions, Event, Observer, S3Download, S3Upload, UploadOptions, UploadSource,
};
use apus_core::quirks::Provider;
use apus_core::s3::{
    BaseUrl, Config, CreateBucket, DeleteBucket, DeleteObject, EndpointConfig, GetObject,
    HeadObject, ListMultipartUploads, ListObjectsV2, PayloadSigning, PutObject, Service,
};
use apus_core::sign::Keys;
use apus_core::{Error, Now};
use http::header::CONTENT_LENGTH;

use self::store::{Feed, Store, Transport};

/// How a body is framed and covered, and the word that says so.
struct Form {
    name: &'static str,
    content_sha256: &'static str,
    payload: PayloadSigning,
    trailer: bool,
}

const FORMS: [Form; 3] = [
    Form {
        name: "chunks",
        content_sha256: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        payload: PayloadSigning::Chunked,
        trailer: false,
    },
    Form {
        name: "trailer",
        content_sha256: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        payload: PayloadSigning::Chunked,
        trailer: true,
    },
    Form {
        name: "unsigned",
        content_sha256: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        payload: PayloadSigning::Unsigned,
        trailer: true,
    },
];

#[test]
fn objects_in_chunks_come_back_as_they_were() {
    on_every_stage("objects", |stage| {
        for length in [1, FRAME, 100_001] {
            let bytes = payload(length);
            stage.store.call(PutObject::new(&stage.bucket, "memory", bytes.clone())).unwrap();
            stage.compare("memory", &bytes);

            let body = Body::Source { range: 0..length as u64, rewindable: false };
            let put = PutObject::from_body(&stage.bucket, "stream", body);
            stage.store.call_from(put, Feed::Known, &bytes).unwrap();
            stage.compare("stream", &bytes);
        }
    });
}

#[test]
fn parts_in_chunks_come_back_as_one_object() {
    on_every_stage("parts", |stage| {
        let bytes = payload(PART + 1001);
        let service = stage.store.service();
        let options =
            UploadOptions { threshold: 1 << 20, part_size: PART as u64, ..Default::default() };
        let source = UploadSource::Stream(None);
        let upload =
            S3Upload::new(&stage.bucket, "parts", source, options, Arc::clone(service), 1).unwrap();
        let uploaded = stage.store.run_from(upload, Feed::Unknown, &bytes).unwrap();
        assert_eq!((uploaded.size, uploaded.parts), (bytes.len() as u64, 2));

        for concurrency in [1, 3] {
            let get = GetObject::new(&stage.bucket, "parts");
            let options =
                DownloadOptions { range_size: 4 << 20, concurrency, ..Default::default() };
            let download = S3Download::new(get, Arc::clone(service), options, 1);
            let (output, received) = stage.store.run_into(download).unwrap();
            assert_eq!(output.bytes, bytes.len() as u64);
            assert!(received == bytes, "{} differs", stage.bucket);
        }
    });
}

/// One change at a time to what is otherwise accepted: a byte of a chunk, or a digit of what proves
/// it.
#[test]
fn what_was_changed_on_the_way_is_refused() {
    on_every_stage("changed", |stage| {
        let bytes = payload(2 * FRAME + 1000);
        let wire = stage.wire(&PutObject::new(&stage.bucket, "changed", bytes.clone()));
        assert_eq!(wire.head.head.headers["x-amz-content-sha256"], stage.form.content_sha256);
        let mut places = vec![wire.place_of(&bytes[..64]), wire.place_of(&bytes[2 * FRAME..])];
        let chunks = wire.places_after("chunk-signature=");
        let trailer = wire.places_after("x-amz-trailer-signature:");
        // Three chunks, and the empty one that ends them.
        assert_eq!(
            (chunks.len(), trailer.len()),
            match stage.form.name {
                "chunks" => (4, 0),
                "trailer" => (4, 1),
                _ => (0, 0),
            }
        );
        places.extend(chunks);
        places.extend(trailer);
        places.extend(wire.places_after("x-amz-checksum-crc32:"));
        let refusal = if stage.form.payload == PayloadSigning::Chunked {
            (403, "SignatureDoesNotMatch")
        } else {
            (400, "BadDigest")
        };
        for place in places {
            let reply = stage.store.send(wire.draft(Some(place)));
            let told = format!("{place} of {}: {}", wire.body.len(), text(&reply.body));
            assert_eq!(reply.status(), refusal.0, "{told}");
            assert!(told.contains(&format!("<Code>{}</Code>", refusal.1)), "{told}");
            let gone = stage.store.call(HeadObject::new(&stage.bucket, "changed")).unwrap_err();
            assert!(gone.is_not_found(), "{told}: {gone}");
        }

        assert_eq!(stage.store.send(wire.draft(None)).status(), 200);
        stage.compare("changed", &bytes);
    });
}

/// Takes down how the bodies of objects and parts went out.
#[derive(Default)]
struct Bodies(Mutex<Vec<(Payload, Option<Framing>)>>);

impl Observer for Bodies {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Launched { draft } = event
            && ["PutObject", "UploadPart"].contains(&draft.operation)
        {
            self.0.lock().unwrap().push((draft.payload, draft.framing.clone()));
        }
    }
}

/// A client that sends in one form, and a bucket for it.
struct Stage {
    form: &'static Form,
    credentials: Credentials,
    store: Store,
    bodies: Arc<Bodies>,
    bucket: String,
}

/// A signed request as it is sent.
struct Wire {
    head: Box<Draft>,
    body: Vec<u8>,
}

impl Stage {
    /// Returns `None`, and prints a line to stderr, where the environment names no server.
    fn open(test: &str, transport: Transport, form: &'static Form) -> Option<Self> {
        let [endpoint, region, access_key, secret_key] =
            ["ENDPOINT", "REGION", "ACCESS_KEY", "SECRET_KEY"]
                .map(|name| env::var(format!("APUS_LIVE_S3API_{name}")).ok());
        let (Some(endpoint), Some(region), Some(access_key), Some(secret_key)) =
            (endpoint, region, access_key, secret_key)
        else {
            eprintln!(
                "{test}: not run, APUS_LIVE_S3API_* are not set: conformance/live/openstack \
                 starts a server, and tells its settings"
            );
            return None;
        };
        let endpoint = EndpointConfig::custom(BaseUrl::parse(&endpoint).unwrap(), region);
        let mut config = Config::new(endpoint).of_provider(Provider::Swift);
        config.payload = form.payload;
        config.chunk_size = FRAME;
        let mode = if form.trailer { "when_supported" } else { "when_required" };
        config.checksum = Policy {
            enable_data_integrity_protection: true,
            request: mode.parse().unwrap(),
            placement: Placement::Trailer,
            ..Policy::default()
        };
        let credentials = || Credentials::new(Keys::new(&*access_key, &*secret_key));
        let service = Service::new(config).unwrap();
        let store = Store::new(transport, service, &[], vec![Auth::new(credentials())]);
        let bodies = Arc::new(Bodies::default());
        let store = store.with_observer(bodies.clone());
        let bucket = format!("apus-{test}-{transport:?}-{}-{}", form.name, std::process::id());
        let bucket = bucket.to_lowercase();
        store.call(CreateBucket::new(&bucket)).unwrap();
        Some(Self { form, credentials: credentials(), store, bodies, bucket })
    }

    /// What this client sends for a body in memory.
    fn wire(&self, put: &PutObject) -> Wire {
        let draft = put.draft(self.store.service()).unwrap();
        let Body::Bytes(bytes) = draft.body.clone() else { panic!("a body in memory is wanted") };
        let mut exchange = self.credentials.sign(draft, apus_blocking::now()).unwrap();
        let head = exchange.request().unwrap().clone();
        let mut encoder = exchange.encoder().unwrap();
        let mut body = Vec::new();
        for piece in bytes.chunks(encoder.frame_size().unwrap()) {
            let frame = encoder.frame(piece).unwrap();
            body.extend([&frame.before, piece, &frame.after].concat());
        }
        body.extend(encoder.end().unwrap());
        assert_eq!(head.headers[CONTENT_LENGTH], body.len().to_string());
        let mut draft = Draft::new("PutObject", head.method.clone(), head.uri.clone());
        draft.head = head;
        Wire { head: draft, body }
    }

    /// What is stored is what was sent, and nothing of its framing stays.
    fn compare(&self, key: &str, bytes: &[u8]) {
        let answer = self.store.call(GetObject::new(&self.bucket, key)).unwrap();
        assert!(answer.body == bytes, "{}/{key} differs", self.bucket);
        assert_eq!(answer.head.content_encoding, None);
    }

    /// Checks that nothing was sent in another form and that no upload is open, and removes the
    /// bucket.
    fn close(self) -> Result<(), Error> {
        let unsigned = self.form.payload == PayloadSigning::Unsigned;
        for (payload, framing) in &*self.bodies.0.lock().unwrap() {
            assert_eq!(*payload == Payload::Unsigned, unsigned);
            let framing = framing.as_ref().expect("this went out without chunks");
            assert_eq!(framing.trailer.is_some(), self.form.trailer);
        }
        let open = self.store.call(ListMultipartUploads::new(&self.bucket))?.uploads;
        assert!(open.is_empty(), "left open: {open:?}");
        for object in self.store.call(ListObjectsV2::new(&self.bucket))?.contents {
            self.store.call(DeleteObject::new(&self.bucket, object.key))?;
        }
        self.store.call(DeleteBucket::new(&self.bucket)).map(drop)
    }
}

impl Wire {
    /// The request, with the byte at this place changed.
    fn draft(&self, place: Option<usize>) -> Box<Draft> {
        let mut body = self.body.clone();
        if let Some(place) = place {
            // A digit stays a digit, of base64 too.
            body[place] = if body[place] == b'0' { b'1' } else { b'0' };
        }
        let mut draft = self.head.clone();
        draft.body = Body::Bytes(body.into());
        draft
    }

    fn place_of(&self, part: &[u8]) -> usize {
        self.body.windows(part.len()).position(|window| window == part).unwrap()
    }

    fn places_after(&self, word: &str) -> Vec<usize> {
        let windows = self.body.windows(word.len()).enumerate();
        let found = windows.filter(|(_, window)| *window == word.as_bytes());
        found.map(|(at, _)| at + word.len()).collect()
    }
}

/// Over both transports, in every form.
fn on_every_stage(test: &str, check: impl Fn(&Stage)) {
    for transport in [Transport::Blocking, Transport::Async] {
        for form in &FORMS {
            let Some(stage) = Stage::open(test, transport, form) else { return };
            check(&stage);
            stage.close().unwrap();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes that repeat nowhere soon.
fn payload(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// Payload bytes of a chunk, the fewest that are allowed.
const FRAME: usize = 8 << 10;
/// Bytes of a part, the fewest that are allowed.
const PART: usize = 5 << 20;
