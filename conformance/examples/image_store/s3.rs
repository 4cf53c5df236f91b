//! S3: one real file with every checksum mode.

use std::error::Error;
use std::fs::{self, File};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use apus_blocking::{Client, Sink, Source, Transport, TransportConfig};
use apus_conformance::server::{EmbeddedS3, Options};
use apus_core::Now;
use apus_core::checksum::{
    Algorithm, Placement, Policy, RequestChecksumCalculation, ResponseChecksumValidation,
    Validation,
};
use apus_core::contract::Operation;
use apus_core::credentials::Credentials;
use apus_core::http::{Draft, Exchange};
use apus_core::machine::{
    Auth, DownloadOptions, Event, Observer, S3Download, S3Upload, UploadOptions, UploadSource,
};
use apus_core::s3::{
    BaseUrl, Config, CreateBucket, DeleteObject, EndpointConfig, GetObject, HeadObject,
    ListObjectsV2, Service,
};
use apus_core::sign::Keys;

use crate::Arguments;
use crate::bar::Bar;
use crate::image::{self, Image, MIB};

/// Uses the server of the arguments, or two of our own, over http and over https. Returns how many
/// rows failed, and of how many.
pub(super) fn run(arguments: &Arguments, image: &Image) -> Result<(usize, usize), Box<dyn Error>> {
    // The embedded servers live until the end of this function.
    let mut servers = Vec::new();
    let places = match &arguments.endpoint {
        Some(endpoint) => vec![Place {
            endpoint: endpoint.clone(),
            region: arguments.region.clone(),
            ca: arguments.ca.as_ref().map(fs::read).transpose()?,
            access_key: variable("AWS_ACCESS_KEY_ID")?,
            secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        }],
        None => {
            for tls in [false, true] {
                servers.push(EmbeddedS3::start(Options::new().tls(tls))?);
            }
            servers.iter().map(Place::embedded).collect()
        }
    };

    let mut rows = Vec::new();
    for place in &places {
        for mode in modes() {
            rows.push(work(place, &mode, &arguments.bucket, image)?);
        }
    }
    print_table(&rows);
    let failed = rows.iter().filter(|row| row.verdict.is_err() && !row.refused).count();
    Ok((failed, rows.len()))
}

/// Runs one mode on one server, from the upload to the deletion.
fn work(place: &Place, mode: &Mode, bucket: &str, image: &Image) -> Result<Row, Box<dyn Error>> {
    let meter = Arc::new(Meter::new(mode.name, image.size));
    let client = client(place, mode)?.with_observer(meter.clone());
    match client.call(CreateBucket::new(bucket)) {
        Ok(_) => {}
        // It exists already.
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(error.into()),
    }
    let began = Instant::now();
    let verdict = store_and_fetch(&client, mode, bucket, image, &meter, place);
    meter.bar.clear();
    // A server that refuses a mode is no failure: the hint names the setting that helps.
    let refused = verdict.as_ref().err().is_some_and(|error| {
        error.downcast_ref::<apus_core::Error>().is_some_and(|error| error.hint().is_some())
    });
    let (up, down) = verdict.as_ref().map_or((0.0, 0.0), |(up, down, _)| (*up, *down));
    Ok(Row {
        server: place.endpoint.split(':').next().unwrap_or_default().to_owned(),
        mode: mode.name,
        algorithm: meter.algorithm(),
        travelled: meter.travelled(),
        requests: meter.requests.load(Ordering::Relaxed),
        retries: meter.retries.load(Ordering::Relaxed),
        up,
        down,
        seconds: began.elapsed().as_secs_f64(),
        refused,
        verdict: verdict.map(|(.., checked)| checked).map_err(|error| error.to_string()),
    })
}

fn store_and_fetch(
    client: &Client<Service>,
    mode: &Mode,
    bucket: &str,
    image: &Image,
    meter: &Arc<Meter>,
    place: &Place,
) -> Result<(f64, f64, Validation), Box<dyn Error>> {
    let key = format!("images/{} ü@#.img", mode.name.replace(' ', "-"));
    let service = client.service();
    let size = image.size;

    meter.bar.begin("up");
    let began = Instant::now();
    let options = UploadOptions { part_size: 8 * MIB, concurrency: 4, ..UploadOptions::default() };
    let source = UploadSource::Seekable(size);
    let upload = S3Upload::new(bucket, &*key, source, options, Arc::clone(service), client.seed())?;
    let uploaded = client.run(upload).body(Source::file(File::open(&image.path)?)).send()?;
    let up = image.rate(began);
    if uploaded.size != size {
        return Err(format!("{} of {size} bytes were stored", uploaded.size).into());
    }

    meter.bar.begin("down");
    let began = Instant::now();
    let options =
        DownloadOptions { range_size: 8 * MIB, concurrency: 4, ..DownloadOptions::default() };
    let get = GetObject::new(bucket, &*key);
    let download = S3Download::new(get, Arc::clone(service), options, client.seed());
    let copy = image::copy()?;
    let downloaded = client.run(download).write_to(Sink::file(copy.try_clone()?)).send()?;
    let down = image.rate(began);
    if downloaded.bytes != size || !image.is_same(copy)? {
        return Err("what came back is not what was stored".into());
    }

    let listed = client
        .call(ListObjectsV2 { prefix: Some("images/".into()), ..ListObjectsV2::new(bucket) })?;
    if !listed.contents.iter().any(|entry| entry.key == key && entry.size == Some(size)) {
        return Err("the object is not in the list".into());
    }

    fetch_presigned(client, bucket, &key, size, place)?;

    client.call(DeleteObject::new(bucket, &*key))?;
    match client.call(HeadObject::new(bucket, &*key)) {
        Err(error) if error.is_not_found() => Ok((up, down, downloaded.validation)),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the object is still there after its deletion".into()),
    }
}

/// The URL alone is enough to fetch the object: here with a client without keys.
fn fetch_presigned(
    client: &Client<Service>,
    bucket: &str,
    key: &str,
    size: u64,
    place: &Place,
) -> Result<(), Box<dyn Error>> {
    let keys = Keys::new(&*place.access_key, &*place.secret_key);
    let draft = GetObject::new(bucket, key).draft(client.service())?;
    let hour = std::time::Duration::from_secs(3600);
    let presigned = Credentials::new(keys).presign(draft, hour, apus_blocking::now())?;
    let mut draft = Draft::new("presigned", http::Method::GET, presigned.url.parse()?);
    draft.head.headers = presigned.headers;
    draft.incoming = apus_core::http::Incoming::Stream {
        at: 0,
        hashers: apus_core::checksum::Hashers::default(),
        declared: false,
        tag: false,
        expect: apus_core::http::Expect::default(),
    };
    let exchange = Exchange::open(draft, apus_blocking::now(), 0);
    let done = client.transport().perform(exchange, &Source::none(), &Sink::discard());
    let reply = done.outcome().map_err(Clone::clone)?;
    if !reply.status().is_success() || reply.streamed != size {
        return Err(format!(
            "the presigned URL gave {} and {} of {size} bytes",
            reply.status(),
            reply.streamed
        )
        .into());
    }
    Ok(())
}

fn client(place: &Place, mode: &Mode) -> Result<Client<Service>, Box<dyn Error>> {
    let url = BaseUrl::parse(&place.endpoint)?;
    let mut config = Config::new(EndpointConfig::custom(url, place.region.as_str()));
    config.checksum = mode.policy;
    let mut transport = TransportConfig::new();
    if let Some(ca) = &place.ca {
        transport = transport.ca_bundle(ca)?;
    }
    let keys = Keys::new(&*place.access_key, &*place.secret_key);
    let auth = Auth::new(Credentials::new(keys));
    Ok(Client::with_transport(Transport::new(transport)?, Service::new(config)?, auth))
}

struct Mode {
    name: &'static str,
    policy: Policy,
}

fn modes() -> Vec<Mode> {
    let on = Policy { enable_data_integrity_protection: true, ..Policy::default() };
    let supported = Policy {
        request: RequestChecksumCalculation::WhenSupported,
        response: ResponseChecksumValidation::WhenSupported,
        ..on
    };
    let mode = |name, policy| Mode { name, policy };
    vec![
        mode("off (default)", Policy::default()),
        mode("when_required", on),
        mode("when_supported", supported),
        mode("when_supported crc64", Policy { algorithm: Algorithm::Crc64Nvme, ..supported }),
        mode("when_supported sha256", Policy { algorithm: Algorithm::Sha256, ..supported }),
        mode("trailer", Policy { placement: Placement::Trailer, ..supported }),
        mode("content-md5", Policy { placement: Placement::ContentMd5, ..supported }),
        mode(
            "never",
            Policy {
                request: RequestChecksumCalculation::Never,
                response: ResponseChecksumValidation::Never,
                ..on
            },
        ),
    ]
}

struct Place {
    endpoint: String,
    region: String,
    ca: Option<Vec<u8>>,
    access_key: String,
    secret_key: String,
}

impl Place {
    fn embedded(server: &EmbeddedS3) -> Self {
        Self {
            endpoint: server.endpoint(),
            region: "us-east-1".into(),
            ca: server.ca_pem().map(|pem| pem.as_bytes().to_vec()),
            access_key: server.access_key().into(),
            secret_key: server.secret_key().into(),
        }
    }
}

/// Counts events, and draws a bar on a terminal.
struct Meter {
    bar: Bar,
    requests: AtomicU64,
    retries: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    algorithm: Option<Algorithm>,
    header: bool,
    trailer: bool,
}

impl Meter {
    fn new(mode: &'static str, total: u64) -> Self {
        Self {
            bar: Bar::new(mode, total),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            seen: Mutex::default(),
        }
    }

    fn algorithm(&self) -> String {
        self.seen.lock().unwrap().algorithm.map_or("-".into(), |algorithm| algorithm.to_string())
    }

    fn travelled(&self) -> &'static str {
        let seen = self.seen.lock().unwrap();
        match (seen.header, seen.trailer) {
            (false, false) => "-",
            (true, false) => "header",
            (false, true) => "trailer",
            (true, true) => "both",
        }
    }
}

impl Observer for Meter {
    fn event(&self, _: Now, event: &Event<'_>) {
        match event {
            Event::Launched { draft } => {
                self.requests.fetch_add(1, Ordering::Relaxed);
                let mut seen = self.seen.lock().unwrap();
                let trailer = draft.framing.as_ref().and_then(|framing| framing.trailer.as_ref());
                if let Some(stamp) = draft.checksums().first().or(trailer) {
                    seen.algorithm = Some(stamp.algorithm);
                }
                seen.header |= !draft.checksums().is_empty();
                seen.trailer |= trailer.is_some();
            }
            Event::Ended { status, error, .. } => {
                let server = status.is_some_and(|status| status.is_server_error());
                if server || error.is_some() {
                    self.retries.fetch_add(1, Ordering::Relaxed);
                }
            }
            Event::Sent { bytes } | Event::Received { bytes } => {
                self.bar.moved(*bytes);
            }
            _ => {}
        }
    }
}

struct Row {
    server: String,
    mode: &'static str,
    algorithm: String,
    travelled: &'static str,
    requests: u64,
    retries: u64,
    up: f64,
    down: f64,
    seconds: f64,
    refused: bool,
    verdict: Result<Validation, String>,
}

fn print_table(rows: &[Row]) {
    println!(
        "{:<6} {:<22} {:<10} {:<10} {:>8} {:>7} {:>9} {:>9} {:>6}  verdict",
        "server",
        "mode",
        "algorithm",
        "travelled",
        "requests",
        "retries",
        "up MiB/s",
        "down MiB/s",
        "s"
    );
    for row in rows {
        let verdict = match &row.verdict {
            Ok(checked) => format!("same bytes, listed, presigned, deleted; {checked}"),
            Err(error) if row.refused => format!("refused: {error}"),
            Err(error) => format!("FAILED: {error}"),
        };
        println!(
            "{:<6} {:<22} {:<10} {:<10} {:>8} {:>7} {:>9.0} {:>9.0} {:>6.2}  {verdict}",
            row.server,
            row.mode,
            row.algorithm,
            row.travelled,
            row.requests,
            row.retries,
            row.up,
            row.down,
            row.seconds
        );
    }
}

/// Returns a variable of the environment, which must be set with --endpoint.
fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::var(name)
        .map_err(|error| format!("{name}: {error}; --endpoint requires this variable").into())
}
